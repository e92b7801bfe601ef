//! How long a connection that nobody uses is kept, in virtual time: as long as it has been used lately.

use std::time::Duration;

use sinew::{
    CallOptions, ServiceClient as _,
    fuzzing::{self, Stream},
};
use sinew_core::{
    limits,
    wire::{ConnectionFrame, Frame, Parser, StreamType},
};
use sinew_tests::{Must as _, MustFail as _, probe::ProbeClient, raw::frames};

/// The client's control stream, and what came on it.
struct Control {
    stream: Stream,
    parser: Parser,
}

impl Control {
    /// PINGs since this was last called.
    fn pings(&mut self) -> usize {
        while let Some(bytes) = self.stream.read() {
            self.parser.feed(bytes);
        }
        let mut pings = 0;
        while let Some(frame) = self.parser.next().must("sound framing") {
            pings += usize::from(matches!(frame, Frame::Connection(ConnectionFrame::Ping { .. })));
        }
        pings
    }
}

/// How many PINGs fit into a time; one more or less than the division says.
fn about(time: Duration) -> std::ops::RangeInclusive<usize> {
    let pings = time.div_duration_f64(limits::KEEP_ALIVE);
    (pings.floor() as usize - 1)..=(pings.ceil() as usize + 1)
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_pinged_while_it_was_used_lately_and_then_left_to_end() {
    let (channel, ends) = fuzzing::client("test.Probe");
    let client = ProbeClient::from_channel(channel)
        .with(CallOptions::new().timeout(Duration::from_millis(100)));
    client.echo("one".into()).await.must_err();
    let end = ends.take().pop().must("a connection");
    let stream = std::iter::from_fn(|| end.accept()).last().must("a control stream");
    let mut ours = end.open(false).must("credit for a control stream");
    let mut hello = Vec::new();
    StreamType::Control.put(&mut hello);
    hello.extend(frames::settings());
    ours.write(&hello);
    let mut control =
        Control { stream, parser: Parser::with_stream_type(limits::CONTROL_FRAME_MAX) };

    let used = limits::KEEP_ALIVE_AFTER_CALL;
    tokio::time::sleep(used / 2).await;
    let pings = control.pings();
    assert!(about(used / 2).contains(&pings), "{pings}");

    // A call begins the time anew.
    client.echo("two".into()).await.must_err();
    tokio::time::sleep(used).await;
    let pings = control.pings();
    assert!(about(used).contains(&pings), "{pings}");

    tokio::time::sleep(limits::KEEP_ALIVE * 2).await;
    control.pings();
    tokio::time::sleep(used * 3).await;
    assert_eq!(control.pings(), 0, "nobody uses it, and still it is kept");
    assert!(!end.is_closed(), "it is the transport that ends it, when nothing is heard on it");
}
