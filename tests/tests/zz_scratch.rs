//! scratch
use sinew_tests::{Must as _, raw::{Target, RawServer, frames, id, RawClient}, authority::Authority, scene::{mesh_of, client_at}, probe::ProbeClient};
use sinew_core::wire::{ConnectionFrame, Parser, Frame};
use std::time::Instant;
#[tokio::test]
async fn scratch_client_acks() {
    let authority = Authority::new("a");
    let server = RawServer::new(&authority, &id("test.Probe"));
    let mesh = mesh_of(authority.identity(&id("web")), |b| b).await;
    let c: ProbeClient = client_at(&mesh, &[server.address()]);
    let c2 = c.clone(); let call = tokio::spawn(async move { c2.echo("x".into()).await });
    let mut peer = server.accept().await;
    let mut lane = peer.lane().await;
    let (req, _) = lane.request().await;
    lane.echo(&req).await;
    call.await.must("x").must("y");
    let mut uni = peer.connection.accept_uni().await.must("uni");
    let t = Instant::now();
    peer.say(&frames::connection(&ConnectionFrame::GoAway{phase: 1})).await;
    let mut p = Parser::with_stream_type(70000);
    loop {
        match p.next().must("f") { Some(Frame::Connection(ConnectionFrame::GoAwayAck{..})) => break, Some(f) => {eprintln!("{f:?}"); continue}, None => {} }
        let c = uni.read_chunk(1000, true).await.must("x").must("y");
        p.feed(c.bytes);
    }
    eprintln!("ack after {:?}", t.elapsed());
}
#[tokio::test]
async fn scratch_server() {
    let target = Target::new().await;
    let mut raw: RawClient = target.client().await;
    let mut lane = raw.lane(frames::echo(1, "x")).await;
    lane.answer().await;
    let mut uni = raw.connection.accept_uni().await.must("uni");
    let mut p = Parser::with_stream_type(70000);
    let mut server = target.server;
    server.begin_drain();
    let t = Instant::now();
    let closing = raw.connection.clone();
    tokio::spawn(async move { let e = closing.closed().await; eprintln!("{:?} closed {e:?}", t.elapsed()); });
    let w = async {
    loop {
        while let Some(f) = p.next().must("f") {
            eprintln!("{:?} {f:?}", t.elapsed());
            if let Frame::Connection(ConnectionFrame::GoAway{phase}) = f { raw.say(&frames::connection(&ConnectionFrame::GoAwayAck{phase})).await }
        }
        match uni.read_chunk(1000, true).await { Ok(Some(c)) => p.feed(c.bytes), e => {eprintln!("{e:?}"); break} }
    }};
    let r = async { let x = lane.frame().await; eprintln!("{:?} lane {x:?}", t.elapsed()); };
    tokio::join!(w, async { eprintln!("drained {:?}", server.drained().await) }, r);
}
