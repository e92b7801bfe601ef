//! scratch
use sinew_tests::{Must as _, raw::{RawServer, frames, id}, authority::Authority, scene::{mesh_of, client_at}, probe::ProbeClient};
use sinew_core::wire::{ConnectionFrame};
use std::time::{Duration, Instant};
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
    peer.say(&frames::connection(&ConnectionFrame::GoAway{phase: 1})).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    lane.finish();
    let t = Instant::now();
    let mut n = 0;
    while t.elapsed() < Duration::from_secs(1) {
        if let Ok(mut lane) = tokio::time::timeout(Duration::from_secs(1), peer.lane()).await { n += 1; lane.finish(); }
    }
    eprintln!("{n} lanes in 1 s");
}
