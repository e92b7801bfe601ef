//! Which codec a call goes in, seen from a peer by hand: bincode only where both sides know that their types are the
//! same, MessagePack with named fields everywhere else, and a word about it before anything is decoded.

use sinew::{Code, Disposition, Reason};
use sinew_core::{
    ids::{Fingerprint, MethodId},
    limits,
    wire::{
        AnswerHead, AnswerOutcome, CallKind, ConnectionFrame, Frame, Parser, RequestHead, Settings,
        StreamType,
    },
};
use sinew_tests::{
    Must as _, MustFail as _, assert_says,
    probe::PROBE,
    raw::{
        Caller, RawClient, Target,
        frames::{self, millis_left},
    },
    wait::soon,
};

const MESSAGEPACK: u8 = 2;

/// `{"text": "hi"}` and `"hi"`.
const NAMED_ARGUMENTS: &[u8] = b"\x81\xa4text\xa2hi";
const NAMED_RESULT: &[u8] = b"\xa2hi";

fn echo() -> MethodId {
    MethodId::of(PROBE, "echo")
}

/// What our server says of itself.
async fn settings_of(client: &RawClient) -> Settings {
    let mut recv = soon("a control stream", client.connection.accept_uni()).await.must("a stream");
    let mut parser = Parser::with_stream_type(limits::CONTROL_FRAME_MAX);
    loop {
        match parser.next().must("sound frames") {
            Some(Frame::Connection(ConnectionFrame::Settings(settings))) => return settings,
            Some(_) => {}
            None => {
                let chunk = soon("a frame", recv.read_chunk(4096, true)).await;
                parser.feed(chunk.must("a stream").must("more of it").bytes);
            }
        }
    }
}

fn known(settings: &Settings, method: MethodId) -> Option<Fingerprint> {
    settings.fingerprints.iter().find(|(id, _)| *id == method).map(|(_, print)| *print)
}

/// One call of a client by hand, and its answer.
async fn ask(target: &Target, head: &RequestHead, body: &[u8]) -> (AnswerHead, bytes::Bytes) {
    let (_client, mut lane) = target.lane().await;
    lane.write(frames::request(1, millis_left(10_000), head, body)).await;
    let (_, head, body) = lane.answer().await;
    (head, body)
}

#[tokio::test]
async fn a_server_lists_the_types_of_each_method_and_the_codecs_that_it_reads() {
    let target = Target::new().await;
    let settings = settings_of(&target.client().await).await;
    assert_eq!(settings.codecs, [0, 1, 2]);
    for method in ["echo", "wait", "make", "object", "numbers", "sum"] {
        let print = known(&settings, MethodId::of(PROBE, method));
        assert!(print.is_some_and(|print| print.0 != 0), "{method}: {print:?}");
    }
    assert_eq!(
        known(&settings, MethodId::of(PROBE, "mirror")),
        None,
        "raw bytes have no structure"
    );
    let echo = known(&settings, echo());
    assert_eq!(echo, known(&settings, MethodId::of(PROBE, "echo_again")), "the same types");
    assert_ne!(echo, known(&settings, MethodId::of(PROBE, "wait")), "other types");
}

#[tokio::test]
async fn bincode_from_another_build_is_refused_before_it_is_decoded() {
    let target = Target::new().await;
    let ours = known(&settings_of(&target.client().await).await, echo()).must("a fingerprint");
    let mut head = frames::head("echo");

    head.fingerprint = Some(Fingerprint(ours.0 ^ 1));
    let (answer, _) = ask(&target, &head, b"not even decoded").await;
    let AnswerOutcome::Status(status) = answer.outcome else { panic!("{answer:?}") };
    assert_eq!(status.code, Code::FailedPrecondition);
    assert_eq!(status.reason, Reason::WrongFingerprint);
    assert_eq!(status.disposition, Disposition::Rejected);
    for word in ["test.Probe/echo", &ours.to_string(), &Fingerprint(ours.0 ^ 1).to_string()] {
        assert!(status.message.contains(word), "`{word}` is not in: {}", status.message);
    }
    assert_eq!(target.tally().begun, 0);

    for agreed in [Some(ours), None] {
        head.fingerprint = agreed;
        let (answer, body) = ask(&target, &head, &frames::body_of("hi")).await;
        assert_eq!((answer.outcome, answer.codec), (AnswerOutcome::Ok, frames::BINCODE));
        assert_eq!(body, frames::body_of("hi"));
    }
}

#[tokio::test]
async fn named_fields_are_understood_from_every_build() {
    let target = Target::new().await;
    let head = RequestHead { codec: MESSAGEPACK, ..frames::head("echo") };
    for fingerprint in [None, Some(Fingerprint(7))] {
        let head = RequestHead { fingerprint, ..head.clone() };
        let (answer, body) = ask(&target, &head, NAMED_ARGUMENTS).await;
        assert_eq!((answer.outcome, answer.codec), (AnswerOutcome::Ok, MESSAGEPACK));
        assert_eq!(body, NAMED_RESULT);
    }
    // Another order of arguments, and one that this build does not know.
    let head = RequestHead { codec: MESSAGEPACK, ..frames::head("numbers") };
    let reordered = b"\x83\xa2to\x02\xa3new\xc3\xa4from\x00";
    let client = target.client().await;
    let request = frames::request(1, millis_left(10_000), &head, reordered);
    let mut stream = client.open(StreamType::Call, request).await;
    let open = stream.call().await;
    assert_eq!(open.kind, CallKind::Open, "{open:?}");
    assert_eq!(open.rest.first(), Some(&MESSAGEPACK));
}

#[tokio::test]
async fn named_arguments_that_do_not_fit_are_refused_with_method_field_and_both_sides() {
    let target = Target::new().await;
    let head = RequestHead {
        codec: MESSAGEPACK,
        fingerprint: Some(Fingerprint(7)),
        ..frames::head("echo")
    };
    for (body, words) in [
        (&b"\x80"[..], ["`text`", "test.Probe/echo"]),
        (b"\x81\xa4text\x05", ["text", "integer"]),
        (b"\x91\xa2hi", ["map", "names"]),
    ] {
        let (answer, _) = ask(&target, &head, body).await;
        let AnswerOutcome::Status(status) = answer.outcome else { panic!("{answer:?}") };
        assert_eq!(status.code, Code::InvalidArgument, "{status:?}");
        assert_eq!(status.disposition, Disposition::Rejected, "{status:?}");
        for word in words.into_iter().chain(["0000000000000007", "this server's"]) {
            assert!(status.message.contains(word), "`{word}` is not in: {}", status.message);
        }
    }
    assert_eq!(target.tally().begun, 0);
}

#[tokio::test]
async fn a_codec_that_nobody_knows_is_named() {
    let target = Target::new().await;
    let head = RequestHead { codec: 9, ..frames::head("echo") };
    let (answer, _) = ask(&target, &head, b"").await;
    let AnswerOutcome::Status(status) = answer.outcome else { panic!("{answer:?}") };
    assert_eq!((status.code, status.reason), (Code::Unimplemented, Reason::UnknownCodec));
}

#[tokio::test]
async fn a_client_says_its_fingerprint_until_it_has_compared() {
    let caller = Caller::new().await;
    let call = caller.echo("hi");
    let peer = caller.server.accept_silently().await;
    let mut lane = peer.lane().await;
    let (request, head) = lane.request().await;
    assert_eq!(head.codec, frames::BINCODE);
    let print = head.fingerprint.must("a fingerprint: nothing was compared");
    lane.echo(&request).await;
    soon("an answer", call).await.must("a task").must("an answer");

    let settings = Settings { fingerprints: vec![(echo(), print)], ..Settings::default() };
    let mut hello = peer.now();
    hello.extend(frames::connection(&ConnectionFrame::Settings(settings)));
    let _control = peer.control(&hello).await;
    // They are on their way; a call or two may still say it.
    for _ in 0..1000 {
        let call = caller.echo("hi");
        let (request, head) = lane.request().await;
        assert_eq!(head.codec, frames::BINCODE);
        lane.echo(&request).await;
        soon("an answer", call).await.must("a task").must("an answer");
        if head.fingerprint.is_none() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("it never compared");
}

#[tokio::test]
async fn a_server_of_another_build_gets_named_fields() {
    let caller = Caller::new().await;
    let call = caller.echo("hi");
    let peer = caller.server.accept_silently().await;
    let settings = Settings { fingerprints: vec![(echo(), Fingerprint(7))], ..Settings::default() };
    let mut hello = peer.now();
    hello.extend(frames::connection(&ConnectionFrame::Settings(settings)));
    let _control = peer.control(&hello).await;
    let mut lane = peer.lane().await;
    let (request, _) = lane.request().await;
    lane.echo(&request).await;
    soon("an answer", call).await.must("a task").must("an answer");
    for _ in 0..1000 {
        let call = caller.echo("hi");
        let (request, head) = lane.request().await;
        if head.codec == MESSAGEPACK {
            assert!(head.fingerprint.is_some());
            assert_eq!(&request.rest[..], NAMED_ARGUMENTS);
            let ok = AnswerHead::new(AnswerOutcome::Ok, MESSAGEPACK);
            lane.write(frames::answer(request.call, &ok, NAMED_RESULT)).await;
            assert_eq!(soon("an answer", call).await.must("a task").must("an answer"), "hi");
            return;
        }
        lane.echo(&request).await;
        soon("an answer", call).await.must("a task").must("an answer");
        tokio::task::yield_now().await;
    }
    panic!("it never changed");
}

#[tokio::test]
async fn a_call_that_was_refused_for_its_types_comes_again_with_names_and_so_do_those_after_it() {
    let caller = Caller::new().await;
    let (_peer, mut lane) = caller.connected().await;
    let call = caller.echo("hi");
    let (request, head) = lane.request().await;
    assert_eq!(head.codec, frames::BINCODE);
    let refusal =
        frames::status(Code::FailedPrecondition, Reason::WrongFingerprint, Disposition::Rejected);
    lane.reply(&request, &refusal).await;
    let ok = AnswerHead::new(AnswerOutcome::Ok, MESSAGEPACK);
    let (request, head) = lane.request().await;
    assert_eq!((head.codec, head.attempt), (MESSAGEPACK, 0), "free: it is still the first attempt");
    assert!(!head.no_retry);
    lane.write(frames::answer(request.call, &ok, NAMED_RESULT)).await;
    assert_eq!(soon("an answer", call).await.must("a task").must("an answer"), "hi");

    let call = caller.echo("hi");
    let (request, head) = lane.request().await;
    assert_eq!(head.codec, MESSAGEPACK);
    // Once: a server that refuses names too is believed.
    lane.reply(&request, &refusal).await;
    let status = soon("the call ends", call).await.must("a task").must_err();
    assert_eq!(status.reason(), Reason::WrongFingerprint);
}

#[tokio::test]
async fn an_answer_in_a_codec_that_was_not_agreed_on_is_not_read() {
    let caller = Caller::new().await;
    let (_peer, mut lane) = caller.connected().await;
    let call = caller.echo("hi");
    let (request, _) = lane.request().await;
    lane.reply(
        &request,
        &frames::status(Code::FailedPrecondition, Reason::WrongFingerprint, Disposition::Rejected),
    )
    .await;
    let (request, _) = lane.request().await;
    // In bincode, though the call came with names.
    lane.write(frames::answer(request.call, &frames::ok(), &frames::body_of("hi"))).await;
    let status = soon("the call ends", call).await.must("a task").must_err();
    assert_eq!((status.code(), status.reason()), (Code::Internal, Reason::UnknownCodec));
    assert_eq!(status.disposition(), Disposition::Processed);
    assert_says(&status, &["messagepack", "bincode"]);
}
