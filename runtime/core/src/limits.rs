//! Every bound and every default time of the protocol, in one place.
//!
//! # Why
//! A peer that can make something grow will, by malice or by a loop. Each such thing has its number
//! here, so that a reviewer reads one file. docs/defaults.md gives the reasons at length; sizes are
//! bytes unless a name says otherwise.

use std::time::Duration;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

// -- messages and frames --

/// Largest message each way, argument or result: 4 MiB, what gRPC has led people to expect.
pub const MESSAGE_MAX: usize = 4 * MIB;
/// Largest body kept so that a call can be sent again: 64 KiB per call.
pub const RETRY_BODY_MAX: usize = 64 * KIB;
/// All bodies that one client keeps for retries: 16 MiB.
pub const RETRY_BODIES_MAX: usize = 16 * MIB;
/// Messages up to this size share a lane; larger ones get a stream of their own: 16 KiB.
pub const LANE_MESSAGE_MAX: usize = 16 * KIB;
/// Room for a frame's head beside its body: full metadata, ledger and status message together take
/// 14 KiB at most.
pub const HEAD_ROOM: usize = 16 * KIB;
/// Bytes that may wait for a lane's writer before calls go elsewhere: what the peer's stream window
/// lets go at once, more would only wait.
pub const LANE_OUTBOX_MAX: usize = STREAM_WINDOW;
/// Largest frame on a lane: 32 KiB.
pub const LANE_FRAME_MAX: usize = LANE_MESSAGE_MAX + HEAD_ROOM;
/// Most message bytes in one frame of a call's or answer's own stream: 64 KiB, so that streams
/// interleave fairly.
pub const DATA_FRAME_MAX: usize = 64 * KIB;
/// Largest frame on a call's or answer's own stream: 80 KiB.
pub const STREAM_FRAME_MAX: usize = DATA_FRAME_MAX + HEAD_ROOM;
/// Largest frame on the control stream: settings and a few bytes.
pub const CONTROL_FRAME_MAX: usize = SETTINGS_MAX + 64;

// -- metadata --

/// Entries of one metadata block.
pub const METADATA_ENTRIES_MAX: usize = 64;
/// Bytes of one key.
pub const METADATA_KEY_MAX: usize = 64;
/// Bytes of one value: 4 KiB.
pub const METADATA_VALUE_MAX: usize = 4 * KIB;
/// Keys and values together, decoded: 8 KiB.
pub const METADATA_MAX: usize = 8 * KIB;

// -- answers --

/// Bytes of a status message; longer ones are cut when written: 1 KiB.
pub const STATUS_MESSAGE_MAX: usize = KIB;
/// Finished calls that a handler's context keeps for its ledger; what is written is cut further.
pub const LEDGER_CALLS_MAX: usize = 64;
/// How deep calls nest in a ledger.
pub const LEDGER_DEPTH_MAX: usize = 8;
/// Calls and attempts of a ledger together.
pub const LEDGER_NODES_MAX: usize = 64;
/// Attempts kept per call in a ledger; policy allows 5, and a hedge.
pub const LEDGER_ATTEMPTS_MAX: usize = 8;
/// Bytes of a method's or endpoint's name in a ledger; longer ones are cut when written.
pub const LEDGER_NAME_MAX: usize = 128;
/// An encoded ledger: 4 KiB.
pub const LEDGER_MAX: usize = 4 * KIB;

// -- settings and health --

/// An encoded SETTINGS payload: 64 KiB.
pub const SETTINGS_MAX: usize = 64 * KIB;
/// Entries of one SETTINGS frame, unknown ones included.
pub const SETTINGS_ENTRIES_MAX: usize = 64;
/// Versions and codecs that one side may list.
pub const SETTINGS_LIST_MAX: usize = 32;
/// Service names in one SETTINGS frame.
pub const SERVICES_MAX: usize = 1024;
/// All service names of one SETTINGS frame, encoded: 24 KiB.
pub const SERVICES_BYTES_MAX: usize = 24 * KIB;
/// Method fingerprints in one SETTINGS frame (16 bytes each: 32 KiB).
pub const FINGERPRINTS_MAX: usize = 2048;
/// Bytes of a service's name.
pub const SERVICE_NAME_MAX: usize = 256;

// -- identity --

/// Bytes of a whole SPIFFE id.
pub const SPIFFE_ID_MAX: usize = 2048;
/// Bytes of a trust domain.
pub const TRUST_DOMAIN_MAX: usize = 255;

// -- decoding of bodies --

/// Levels of nesting in an argument or result.
pub const DECODE_DEPTH_LEVELS: usize = 64;
/// Units of the decoder's depth guard: each level enters up to three visitors.
pub const DECODE_DEPTH_UNITS: usize = 192;
/// Elements of one message beyond one per byte: what zero-sized elements may add.
pub const DECODE_ELEMENTS_BASE: usize = 1024;
/// Allocation granted to every message beside [`DECODE_MEMORY_FACTOR`]: 64 KiB.
pub const DECODE_MEMORY_BASE: usize = 64 * KIB;
/// Allocation granted per byte of a message.
pub const DECODE_MEMORY_FACTOR: usize = 8;

// -- streams, windows, abuse --

/// Bidirectional streams a peer may have open at the start: each one costs memory whether it is
/// used or not.
pub const PEER_BI_STREAMS_START: u32 = 16;
/// Bidirectional streams a peer may have open once it uses them.
pub const PEER_BI_STREAMS_MAX: u32 = 256;
/// Unidirectional streams a peer may have open: its control stream, and room for what comes later.
pub const PEER_UNI_STREAMS_MAX: u32 = 3;
/// Receive window of a stream: 256 KiB.
pub const STREAM_WINDOW: usize = 256 * KIB;
/// Receive window of a connection at the start: 4 MiB.
pub const CONNECTION_WINDOW: usize = 4 * MIB;
/// Send window of a connection at the start: 4 MiB.
pub const SEND_WINDOW: usize = 4 * MIB;
/// What a window may grow to with measured bandwidth and delay: 16 MiB.
pub const WINDOW_MAX: usize = 16 * MIB;
/// Calls that one connection may have in flight.
pub const IN_FLIGHT_MAX: u32 = 1024;
/// Calls that a client has open on one connection: what the server takes.
pub const CLIENT_SLOTS: usize = IN_FLIGHT_MAX as usize;
/// Items that wait in a stream's channel: enough to overlap, few enough to feel back-pressure.
pub const STREAM_CHANNEL_ITEMS: usize = 16;
/// Resets that a peer may send at once.
pub const RESETS_BURST: u32 = 100;
/// Resets per second that a peer may go on sending.
pub const RESETS_PER_S: u32 = 50;
/// Errors of a peer's making in [`FORCED_ERRORS_WINDOW`], after which the connection closes.
pub const FORCED_ERRORS_MAX: u32 = 100;
/// The window of [`FORCED_ERRORS_MAX`].
pub const FORCED_ERRORS_WINDOW: Duration = Duration::from_secs(10);
/// Frames without effect per stream and second, after which the connection closes.
pub const IDLE_FRAMES_PER_SECOND: u32 = 1000;
/// Unauthenticated handshakes open at once per address; loopback is exempt.
pub const HANDSHAKES_OPEN_MAX: u32 = 64;
/// Unauthenticated handshakes per second and address; loopback is exempt.
pub const HANDSHAKES_PER_S: u32 = 50;
/// Authenticated connections of a server.
pub const CONNECTIONS_MAX: u32 = 10_000;
/// Bytes of the words that go with a connection close: two long identities and the advice still fit one packet.
pub const CLOSE_REASON_MAX: usize = 768;

// -- time --

/// Deadline of a unary call, all attempts together, where nobody gives one.
pub const DEADLINE_DEFAULT: Duration = Duration::from_secs(10);
/// Longest deadline without a policy that says otherwise; longer ones are clamped and counted.
pub const DEADLINE_MAX: Duration = Duration::from_secs(300);
/// With less than this left a client sends nothing.
pub const SEND_MIN: Duration = Duration::from_millis(1);
/// Least time kept back for answering upstream.
pub const RESERVE_MIN: Duration = Duration::from_millis(1);
/// Longest wait for an endpoint that can take a call.
pub const WAIT_FOR_READY_MAX: Duration = Duration::from_secs(3);
/// A stream's first frame must come within this.
pub const STREAM_FIRST_FRAME: Duration = Duration::from_secs(10);
/// Longest pause between two frames of a stream.
pub const STREAM_FRAME_GAP: Duration = Duration::from_secs(30);
/// A lane stalled in the middle of a frame is reset at the deadline, and after this at the latest.
pub const LANE_STALL: Duration = Duration::from_secs(10);
/// Setting up a connection takes at most this.
pub const HANDSHAKE_MAX: Duration = Duration::from_secs(5);
/// A connection on which nothing is heard for this long is dead.
pub const IDLE_MAX: Duration = Duration::from_secs(10);
/// Our own PING goes out this often ...
pub const KEEP_ALIVE: Duration = Duration::from_secs(2);
/// ... while a call ran within this time.
pub const KEEP_ALIVE_AFTER_CALL: Duration = Duration::from_secs(60);
/// First pause before connecting again.
pub const RECONNECT_FIRST: Duration = Duration::from_millis(50);
/// Longest pause before connecting again.
pub const RECONNECT_MAX: Duration = Duration::from_secs(5);
/// Growth of the pause per failed attempt.
pub const RECONNECT_FACTOR: f64 = 1.6;
/// Share of the pause that chance adds or takes.
pub const RECONNECT_JITTER: f64 = 0.2;
/// A call that brings a stream waits this long for the server's settings before it goes with named fields.
pub const SETTINGS_WAIT: Duration = Duration::from_secs(1);
/// One attempt to connect takes at most this.
pub const CONNECT_ATTEMPT: Duration = Duration::from_secs(1);
/// How long a sample of the clocks' offset counts, roughly; see [`age`](crate::age).
pub const AGE_WINDOW: Duration = Duration::from_secs(60);
/// A drain's announcement counts as heard after this, acknowledged or not.
pub const DRAIN_ACK: Duration = Duration::from_secs(1);
/// What runs may finish for this long once a drain began.
pub const DRAIN_GRACE: Duration = Duration::from_secs(30);

// -- where a handler is polled --

/// Quick first polls in a row after which a method's handler is polled where its frame arrived.
pub const IN_PLACE_AFTER: u32 = 100;
/// A first poll is quick below this.
pub const IN_PLACE_QUICK: Duration = Duration::from_micros(20);
/// A first poll above this takes the place away.
pub const IN_PLACE_SLOW: Duration = Duration::from_micros(100);
/// Slow first polls further apart than this many are taken for the system's doing.
pub const IN_PLACE_SLOW_APART: u32 = 250;
/// For how long it is taken away.
pub const IN_PLACE_HOLD: Duration = Duration::from_secs(10);

// -- the client's timers --

/// A call that has waited this long on a lane is polled again, so that it arms its timer.
pub const NUDGE_AFTER: Duration = Duration::from_millis(10);
/// A call with less time than this arms its timer at once.
pub const TIMER_AT_ONCE: Duration = Duration::from_millis(50);

// -- attempts and goodbye --

/// Attempts per call, the first included, unless the call says otherwise.
pub const ATTEMPTS: u8 = 3;
/// The most attempts that a call may ask for.
pub const ATTEMPTS_MAX: u8 = 5;
/// First step of the backoff between attempts.
pub const RETRY_BACKOFF_FIRST: Duration = Duration::from_millis(25);
/// How long answers may take to be acknowledged when a connection is closed.
pub const DRAIN_FLUSH: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::varint;

    #[test]
    fn head_room_holds_the_largest_head() {
        let metadata = 1 + METADATA_MAX + METADATA_ENTRIES_MAX * 4;
        let fixed = 1 + 8 + 8 + 8 + 8 + 64;
        let whole = metadata + 2 + LEDGER_MAX + 2 + STATUS_MESSAGE_MAX + fixed;
        assert!(whole <= HEAD_ROOM, "{whole}");
    }

    #[test]
    fn settings_hold_the_largest_lists() {
        let lists = SERVICES_BYTES_MAX + FINGERPRINTS_MAX * 16 + 2 * SETTINGS_LIST_MAX * 8;
        assert!(lists + 256 <= SETTINGS_MAX, "{lists}");
        assert!(varint::len(CONTROL_FRAME_MAX as u64) <= 4);
    }
}
