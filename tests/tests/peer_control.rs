//! A peer by hand on the control stream of our server: what is unknown is passed over, what is broken ends the
//! connection with a code and words.

use sinew_core::{
    limits,
    wire::{ConnectionFrame, Frame, Parser, Settings, kinds, varint},
};
use sinew_tests::{
    Must as _, assert_says,
    raw::{
        RawClient, Target,
        frames::{self, millis_left},
    },
    wait::soon,
};

/// A client whose control stream says exactly this.
async fn saying(target: &Target, bytes: &[u8]) -> (RawClient, quinn::SendStream) {
    let client = RawClient::connect_silently(&target.authority, target.server.address()).await;
    let control = client.control(bytes).await;
    (client, control)
}

/// One setting.
fn setting(id: u64, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    varint::put(&mut out, id);
    varint::put(&mut out, value.len() as u64);
    out.extend_from_slice(value);
    out
}

fn settings(entries: &[u8]) -> Vec<u8> {
    frames::any_frame(kinds::SETTINGS, entries)
}

/// What the server says on its control stream, STAMPs left out.
struct Heard {
    recv: quinn::RecvStream,
    parser: Parser,
}

impl Heard {
    async fn of(client: &RawClient) -> Self {
        let recv = soon("a control stream", client.connection.accept_uni()).await.must("a stream");
        Self { recv, parser: Parser::with_stream_type(limits::CONTROL_FRAME_MAX) }
    }

    async fn next(&mut self) -> ConnectionFrame {
        loop {
            match self.parser.next().must("sound framing") {
                Some(Frame::Connection(ConnectionFrame::Stamp { .. })) => {}
                Some(Frame::Connection(frame)) => return frame,
                Some(other) => panic!("a connection frame was expected, not {other:?}"),
                None => {
                    let chunk = soon("a frame", self.recv.read_chunk(4096, true)).await;
                    self.parser.feed(chunk.must("a stream").must("more of it").bytes);
                }
            }
        }
    }
}

#[tokio::test]
async fn a_server_says_first_what_it_is_and_answers_pings() {
    let target = Target::new().await;
    let mut client = target.client().await;
    let mut heard = Heard::of(&client).await;
    let ConnectionFrame::Settings(said) = heard.next().await else { panic!("no settings") };
    assert!(!said.fingerprints.is_empty());
    assert_eq!(
        said,
        Settings {
            services: vec!["test.Probe".to_owned()],
            codecs: vec![0, 1, 2],
            fingerprints: said.fingerprints.clone(),
            ..Settings::default()
        }
    );
    for nonce in [0, 7, varint::MAX] {
        client.say(&frames::connection(&ConnectionFrame::Ping { nonce })).await;
        assert_eq!(heard.next().await, ConnectionFrame::Pong { nonce });
    }
}

#[tokio::test]
async fn what_is_unknown_is_passed_over_where_it_may_be() {
    let target = Target::new().await;
    let entries =
        [setting(1, &[5, 1]), setting(4, &[9]), setting(8, b"?"), setting(60, &[0; 3000])];
    let bytes = [
        frames::stamp(1),
        settings(&entries.concat()),
        frames::any_frame(frames::UNKNOWN_SKIPPABLE, &[1; 5000]),
        settings(&[]),
        frames::connection(&ConnectionFrame::Pong { nonce: 1 }),
        frames::connection(&ConnectionFrame::GoAway { phase: 2 }),
        frames::connection(&ConnectionFrame::GoAwayAck { phase: 1 }),
        frames::connection(&ConnectionFrame::Health { service: String::new(), serving: false }),
        frames::connection(&ConnectionFrame::Ping { nonce: 3 }),
    ];
    let (client, _control) = saying(&target, &bytes.concat()).await;
    let mut heard = Heard::of(&client).await;
    while heard.next().await != (ConnectionFrame::Pong { nonce: 3 }) {}
    client.assert_lives().await;
}

#[tokio::test]
async fn sides_without_a_common_version_part_and_say_what_each_speaks() {
    let target = Target::new().await;
    let (client, _control) = saying(&target, &settings(&setting(1, &[7, 9]))).await;
    let (code, words) = client.closed().await;
    assert_eq!(code, u64::from(kinds::CLOSE_INCOMPATIBLE), "{words}");
    assert_says(words, &["1", "[7, 9]", "version"]);
}

#[tokio::test]
async fn a_broken_control_stream_ends_the_connection_with_the_code_for_that() {
    let target = Target::new().await;
    let hello = frames::settings();
    let after = |bytes: Vec<u8>| [hello.clone(), bytes].concat();
    let many: Vec<u8> = (100..170).flat_map(|id| setting(id, &[])).collect();
    let cases = [
        ("a call", after(frames::echo(1, "x"))),
        ("an answer", after(frames::answer(1, &frames::ok(), b""))),
        ("an unknown kind", after(frames::any_frame(frames::UNKNOWN, b""))),
        (
            "a connection frame without a deadline",
            after(frames::any_frame(kinds::PING | 0x80, &[1])),
        ),
        ("a length of zero", after(vec![0])),
        ("a length of 2^31", after(vec![0xc0, 0, 0, 0, 0x80, 0, 0, 0])),
        ("a length above the limit", after(vec![0x80, 1, 0, 0x41, kinds::SETTINGS])),
        ("a PING without a nonce", after(frames::any_frame(kinds::PING, &[]))),
        ("a phase of 3", after(frames::any_frame(kinds::GOAWAY_ACK, &[3]))),
        ("settings that do not rise", settings(&[setting(3, &[1]), setting(2, &[1])].concat())),
        ("a setting twice", settings(&[setting(9, &[]), setting(9, &[])].concat())),
        ("no versions", settings(&setting(1, &[]))),
        ("a setting that is cut", settings(&[3, 9, 1])),
        ("too many settings", settings(&many)),
    ];
    for (what, bytes) in cases {
        let (client, _control) = saying(&target, &bytes).await;
        let (code, words) = client.closed().await;
        assert_eq!(code, u64::from(kinds::CLOSE_PROTOCOL), "{what}: {words}");
        assert!(!words.is_empty(), "{what}");
    }
}

#[tokio::test]
async fn the_end_of_the_control_stream_is_the_end_of_the_connection() {
    let target = Target::new().await;
    let (finished, mut control) = saying(&target, &frames::settings()).await;
    finished.assert_lives().await;
    control.finish().must("a stream");
    assert_eq!(finished.closed().await.0, u64::from(kinds::CLOSE_PROTOCOL));

    let (reset, mut control) = saying(&target, &frames::settings()).await;
    reset.assert_lives().await;
    control.reset(0_u32.into()).must("a stream");
    assert_eq!(reset.closed().await.0, u64::from(kinds::CLOSE_PROTOCOL));
}

#[tokio::test]
async fn a_control_stream_of_another_type_is_refused() {
    let target = Target::new().await;
    for first in [&[1][..], &[0x7f, 0xff]] {
        let client = RawClient::connect_silently(&target.authority, target.server.address()).await;
        let mut stream = client.connection.open_uni().await.must("a stream");
        stream.write_all(first).await.must("written");
        let (code, words) = client.closed().await;
        assert_eq!(code, u64::from(kinds::CLOSE_PROTOCOL), "{first:x?}: {words}");
    }
}

#[tokio::test]
async fn calls_are_served_before_the_control_stream_has_come() {
    let target = Target::new().await;
    let client = RawClient::connect_silently(&target.authority, target.server.address()).await;
    client.assert_lives().await;
    let hold = frames::request(1, millis_left(10_000), &frames::head("wait"), &[20]);
    let mut lane = client.lane(hold).await;
    assert_eq!(lane.answer().await.0, 1);
}

#[tokio::test]
async fn a_flood_on_the_control_stream_ends_the_connection() {
    let target = Target::new().await;
    let floods = [
        ("pings", frames::connection(&ConnectionFrame::Ping { nonce: 1 })),
        ("stamps", frames::stamp(5)),
        ("settings", settings(&[])),
        ("what may be passed over", frames::any_frame(frames::UNKNOWN_SKIPPABLE, b"")),
    ];
    for (what, frame) in floods {
        let (client, mut control) = saying(&target, &frames::settings()).await;
        client.assert_lives().await;
        let flood = async {
            // Ends when the connection does.
            while control.write_all(&frame.repeat(5000)).await.is_ok() {}
        };
        let ((), (code, words)) = tokio::join!(flood, client.closed());
        assert_eq!(code, u64::from(kinds::CLOSE_EXCESSIVE_LOAD), "{what}: {words}");
    }
}
