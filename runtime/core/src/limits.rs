//! Every bound and every default time, in one place: here those of the protocol and of what a peer can cost, in `mesh.rs`
//! those of what decides.
//!
//! # Why
//! A peer that can make something grow will, by malice or by a loop. Each such thing has its number
//! here, so that a reviewer reads one file. docs/defaults.md gives the reasons at length; a test
//! compares it with [`ALL`]. Sizes are bytes unless a name says otherwise.
//!
//! # Invariants
//! 1. A number that bounds what a peer or a file can cost stands here and nowhere else.

use std::time::Duration;

pub use self::{
    mesh::*,
    value::{Limit, Value},
};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// Defines each limit as a constant, and the list of them all.
macro_rules! limits {
    ($($(#[doc = $doc:literal])+ $unit:ident $name:ident: $kind:ty = $value:expr;)+) => {
        $($(#[doc = $doc])+ pub const $name: $kind = $value;)+

        /// Those of this file, in the order in which they stand here.
        pub(super) const HERE: &[Limit] = &[$(Limit { name: stringify!($name), value: limits!(@$unit $name) }),+];
    };
    (@bytes $name:ident) => { Value::Bytes($name as u64) };
    (@count $name:ident) => { Value::Count($name as u64) };
    (@time $name:ident) => { Value::Time($name) };
    (@ratio $name:ident) => { Value::Ratio($name) };
}

mod mesh;
mod value;

const EACH: [Limit; HERE.len() + mesh::HERE.len()] = {
    let mut each = [HERE[0]; HERE.len() + mesh::HERE.len()];
    let mut at = 0;
    while at < each.len() {
        each[at] = if at < HERE.len() { HERE[at] } else { mesh::HERE[at - HERE.len()] };
        at += 1;
    }
    each
};

/// All of them, in the order in which they stand.
pub const ALL: &[Limit] = &EACH;

limits! {
    // -- messages and frames --

    /// Largest message each way, argument or result: 4 MiB, what gRPC has led people to expect.
    bytes MESSAGE_MAX: usize = 4 * MIB;
    /// Messages up to this size share a lane; larger ones get a stream of their own: 16 KiB.
    bytes LANE_MESSAGE_MAX: usize = 16 * KIB;
    /// Room for a frame's head beside its body: full metadata, ledger and status message together take
    /// 14 KiB at most.
    bytes HEAD_ROOM: usize = 16 * KIB;
    /// Bytes that may wait for a lane's writer before calls go elsewhere: what the peer's stream window
    /// lets go at once, more would only wait.
    bytes LANE_OUTBOX_MAX: usize = STREAM_WINDOW;
    /// Largest frame on a lane: 32 KiB.
    bytes LANE_FRAME_MAX: usize = LANE_MESSAGE_MAX + HEAD_ROOM;
    /// Most message bytes in one frame of a call's or answer's own stream: 64 KiB, so that streams
    /// interleave fairly.
    bytes DATA_FRAME_MAX: usize = 64 * KIB;
    /// Largest frame on a call's or answer's own stream: 80 KiB.
    bytes STREAM_FRAME_MAX: usize = DATA_FRAME_MAX + HEAD_ROOM;
    /// Largest frame on the control stream: settings and a few bytes.
    bytes CONTROL_FRAME_MAX: usize = SETTINGS_MAX + 64;

    // -- metadata --

    /// Entries of one metadata block.
    count METADATA_ENTRIES_MAX: usize = 64;
    /// Bytes of one key.
    bytes METADATA_KEY_MAX: usize = 64;
    /// Bytes of one value: 4 KiB.
    bytes METADATA_VALUE_MAX: usize = 4 * KIB;
    /// Keys and values together, decoded: 8 KiB.
    bytes METADATA_MAX: usize = 8 * KIB;

    // -- answers --

    /// Bytes of a status message; longer ones are cut when written: 1 KiB.
    bytes STATUS_MESSAGE_MAX: usize = KIB;
    /// Finished calls that a handler's context keeps for its ledger; what is written is cut further.
    count LEDGER_CALLS_MAX: usize = 64;
    /// How deep calls nest in a ledger.
    count LEDGER_DEPTH_MAX: usize = 8;
    /// Calls and attempts of a ledger together.
    count LEDGER_NODES_MAX: usize = 64;
    /// Attempts kept per call in a ledger; policy allows 5, and a hedge.
    count LEDGER_ATTEMPTS_MAX: usize = 8;
    /// Bytes of a method's or endpoint's name in a ledger; longer ones are cut when written.
    bytes LEDGER_NAME_MAX: usize = 128;
    /// An encoded ledger: 4 KiB.
    bytes LEDGER_MAX: usize = 4 * KIB;

    // -- settings and health --

    /// An encoded SETTINGS payload: 64 KiB.
    bytes SETTINGS_MAX: usize = 64 * KIB;
    /// Entries of one SETTINGS frame, unknown ones included.
    count SETTINGS_ENTRIES_MAX: usize = 64;
    /// Versions and codecs that one side may list.
    count SETTINGS_LIST_MAX: usize = 32;
    /// Service names in one SETTINGS frame.
    count SERVICES_MAX: usize = 1024;
    /// All service names of one SETTINGS frame, encoded: 24 KiB.
    bytes SERVICES_BYTES_MAX: usize = 24 * KIB;
    /// Method fingerprints in one SETTINGS frame (16 bytes each: 32 KiB).
    count FINGERPRINTS_MAX: usize = 2048;
    /// Bytes of a service's name.
    bytes SERVICE_NAME_MAX: usize = 256;

    // -- identity --

    /// Bytes of a whole SPIFFE id.
    bytes SPIFFE_ID_MAX: usize = 2048;
    /// Bytes of a trust domain.
    bytes TRUST_DOMAIN_MAX: usize = 255;

    // -- decoding of bodies --

    /// Levels of nesting in an argument or result.
    count DECODE_DEPTH_LEVELS: usize = 64;
    /// Units of the decoder's depth guard: each level enters up to three visitors.
    count DECODE_DEPTH_UNITS: usize = 192;
    /// Elements of one message beyond one per byte: what zero-sized elements may add.
    count DECODE_ELEMENTS_BASE: usize = 1024;
    /// Allocation granted to every message beside [`DECODE_MEMORY_FACTOR`]: 64 KiB.
    bytes DECODE_MEMORY_BASE: usize = 64 * KIB;
    /// Allocation granted per byte of a message.
    count DECODE_MEMORY_FACTOR: usize = 8;

    // -- streams, windows, abuse --

    /// Bidirectional streams a peer may have open at the start: each one costs memory whether it is
    /// used or not.
    count PEER_BI_STREAMS_START: u32 = 16;
    /// Bidirectional streams a peer may have open once it uses them.
    count PEER_BI_STREAMS_MAX: u32 = 256;
    /// Unidirectional streams a peer may have open: its control stream, and room for what comes later.
    count PEER_UNI_STREAMS_MAX: u32 = 3;
    /// Receive window of a stream: 256 KiB.
    bytes STREAM_WINDOW: usize = 256 * KIB;
    /// Receive window of a connection at the start: 4 MiB.
    bytes CONNECTION_WINDOW: usize = 4 * MIB;
    /// Send window of a connection at the start: 4 MiB.
    bytes SEND_WINDOW: usize = 4 * MIB;
    /// Answers on a connection's lanes that their peer has not read; beyond that no lane is read from: 2 MiB, eight
    /// full outboxes, where a client of ours has one lane.
    bytes LANE_ANSWERS_MAX: usize = 2 * MIB;
    /// Answers of a connection that have streams of their own and are not read; beyond that handlers whose answers are
    /// large wait for their turn: one largest message, beside what is on its way ([`SEND_WINDOW`]).
    bytes ANSWERS_WAITING_MAX: usize = MESSAGE_MAX;
    /// The same, and the items of streams, where the handlers were at work already; one more is refused: 64 MiB, sixteen
    /// of the largest.
    bytes LARGE_ANSWERS_MAX: usize = 16 * MESSAGE_MAX;
    /// Small answers of a method after its last large one, until it is taken for one whose answers are small.
    count LARGE_ANSWERS_FORGET: u32 = 64;
    /// Calls that one connection may have in flight.
    count IN_FLIGHT_MAX: u32 = 1024;
    /// Calls that a client has open on one connection: what the server takes.
    count CLIENT_SLOTS: usize = IN_FLIGHT_MAX as usize;
    /// Items that wait in a stream's channel: enough to overlap, few enough to feel back-pressure.
    count STREAM_CHANNEL_ITEMS: usize = 16;
    /// Resets that a peer may send at once.
    count RESETS_BURST: u32 = 100;
    /// Resets per second that a peer may go on sending.
    count RESETS_PER_S: u32 = 50;
    /// Errors of a peer's making in [`FORCED_ERRORS_WINDOW`], after which the connection closes.
    count FORCED_ERRORS_MAX: u32 = 100;
    /// The window of [`FORCED_ERRORS_MAX`].
    time FORCED_ERRORS_WINDOW: Duration = Duration::from_secs(10);
    /// Frames without effect per stream and second, after which the connection closes.
    count IDLE_FRAMES_PER_SECOND: u32 = 1000;
    /// Unauthenticated handshakes open at once per address; loopback is exempt.
    count HANDSHAKES_OPEN_MAX: u32 = 64;
    /// Unauthenticated handshakes per second and address; loopback is exempt.
    count HANDSHAKES_PER_S: u32 = 50;
    /// Authenticated connections of a server.
    count CONNECTIONS_MAX: u32 = 10_000;
    /// Connections that a mesh has to servers, of all services together.
    count CLIENT_CONNECTIONS_MAX: usize = 10_000;
    /// Bytes of the words that go with a connection close: two long identities and the advice still fit one packet.
    bytes CLOSE_REASON_MAX: usize = 768;

    // -- time --

    /// Deadline of a unary call, all attempts together, where nobody gives one.
    time DEADLINE_DEFAULT: Duration = Duration::from_secs(10);
    /// Longest deadline without a policy that says otherwise; longer ones are clamped and counted.
    time DEADLINE_MAX: Duration = Duration::from_secs(300);
    /// With less than this left a client sends nothing.
    time SEND_MIN: Duration = Duration::from_millis(1);
    /// Least time kept back for answering upstream.
    time RESERVE_MIN: Duration = Duration::from_millis(1);
    /// Longest wait for an endpoint that can take a call.
    time WAIT_FOR_READY_MAX: Duration = Duration::from_secs(3);
    /// A stream's first frame must come within this.
    time STREAM_FIRST_FRAME: Duration = Duration::from_secs(10);
    /// Longest pause between two frames of a stream.
    time STREAM_FRAME_GAP: Duration = Duration::from_secs(30);
    /// An answer of which nothing is taken for this long is given up, its lane or stream with it.
    time ANSWER_STALL: Duration = Duration::from_secs(30);
    /// A lane stalled in the middle of a frame is reset at the deadline, and after this at the latest.
    time LANE_STALL: Duration = Duration::from_secs(10);
    /// Setting up a connection takes at most this.
    time HANDSHAKE_MAX: Duration = Duration::from_secs(5);
    /// A connection on which nothing is heard for this long is dead.
    time IDLE_MAX: Duration = Duration::from_secs(10);
    /// Our own PING goes out this often ...
    time KEEP_ALIVE: Duration = Duration::from_secs(2);
    /// ... while a call ran within this time.
    time KEEP_ALIVE_AFTER_CALL: Duration = Duration::from_secs(60);
    /// First pause before connecting again.
    time RECONNECT_FIRST: Duration = Duration::from_millis(100);
    /// Longest pause before connecting again.
    time RECONNECT_MAX: Duration = Duration::from_secs(5);
    /// Growth of the pause per failed attempt.
    ratio RECONNECT_FACTOR: f64 = 1.6;
    /// Share of the pause that chance adds or takes.
    ratio RECONNECT_JITTER: f64 = 0.6;
    /// A call that brings a stream waits this long for the server's settings before it goes with named fields.
    time SETTINGS_WAIT: Duration = Duration::from_secs(1);
    /// One attempt to connect takes at most this.
    time CONNECT_ATTEMPT: Duration = Duration::from_secs(1);
    /// Calls move to a new connection when theirs is so old ...
    time CONNECTION_AGE: Duration = Duration::from_secs(60 * 60);
    /// ... which may be set from this ...
    time CONNECTION_AGE_MIN: Duration = Duration::from_secs(1);
    /// ... to this ...
    time CONNECTION_AGE_MAX: Duration = Duration::from_secs(24 * 60 * 60);
    /// ... give or take this share of it.
    ratio CONNECTION_AGE_JITTER: f64 = 0.1;
    /// A second connection to an endpoint is made when this share of what the first may carry is out ...
    ratio CROWDED: f64 = 0.8;
    /// ... and kept until the first had room for so long.
    time SECOND_CONNECTION_KEPT: Duration = Duration::from_secs(30);
    /// How long a sample of the clocks' offset counts, roughly; see [`age`](crate::age).
    time AGE_WINDOW: Duration = Duration::from_secs(60);
    /// A drain's announcement counts as heard after this, acknowledged or not.
    time DRAIN_ACK: Duration = Duration::from_secs(1);
    /// What runs may finish for this long once a drain began.
    time DRAIN_GRACE: Duration = Duration::from_secs(30);

    // -- where a handler is polled --

    /// Quick first polls in a row after which a method's handler is polled where its frame arrived.
    count IN_PLACE_AFTER: u32 = 100;
    /// A first poll is quick below this.
    time IN_PLACE_QUICK: Duration = Duration::from_micros(20);
    /// A first poll above this takes the place away.
    time IN_PLACE_SLOW: Duration = Duration::from_micros(100);
    /// Slow first polls further apart than this many are taken for the system's doing.
    count IN_PLACE_SLOW_APART: u32 = 250;
    /// For how long it is taken away.
    time IN_PLACE_HOLD: Duration = Duration::from_secs(10);

    // -- the client's timers --

    /// A call that has waited this long on a lane is polled again, so that it arms its timer.
    time NUDGE_AFTER: Duration = Duration::from_millis(10);
    /// A call with less time than this arms its timer at once.
    time TIMER_AT_ONCE: Duration = Duration::from_millis(50);

    // -- the transport --

    /// The round trip assumed before one was seen. quinn's 333 ms would repeat a lost first packet
    /// after 1 s, when the whole attempt is over; this repeats it after 300 ms.
    time FIRST_RTT: Duration = Duration::from_millis(100);
    /// Packets that a peer may leave without acknowledgement: +17 % calls per second over every second.
    count ACK_THRESHOLD: u32 = 10;
    /// ... for at most this long.
    time ACK_DELAY: Duration = Duration::from_millis(2);
    /// First packets of connections that wait to be looked at; more are ignored.
    count HANDSHAKES_PENDING_MAX: usize = 1024;
    /// Bytes kept for one of them ...
    bytes HANDSHAKE_BYTES_MAX: u64 = 64 * 1024;
    /// ... and for all.
    bytes HANDSHAKE_BYTES_TOTAL_MAX: u64 = 16 * 1024 * 1024;
    /// Asked of the kernel for each direction of a socket; it may give less.
    bytes KERNEL_BUFFER: usize = 4 * MIB;
    /// Answers without a place, of one batch on a lane: refusals, which no limit of calls in flight
    /// bounds.
    bytes REFUSED_ANSWERS_MAX: usize = LANE_MESSAGE_MAX;

    // -- certificates and their files --

    /// How far the clocks of two machines may differ.
    time CLOCK_SKEW: Duration = Duration::from_secs(20);
    /// The longest chain below an authority; real ones have one or two, and each costs the verifier
    /// work.
    count INTERMEDIATES_MAX: usize = 8;
    /// The largest certificate, key or bundle that is read; hundreds of authorities are far below it.
    bytes IDENTITY_FILE_MAX: u64 = 1024 * 1024;
    /// Configurations kept for expected servers; a process that expects more makes them again.
    count IDENTITY_CLIENTS_MAX: usize = 1024;
    /// How often a mesh looks at the files of its certificates.
    time IDENTITY_FILES_LOOK: Duration = Duration::from_millis(500);
    /// How often the directory of the development authority is looked at.
    time IDENTITY_LOOK: Duration = Duration::from_secs(1);
    /// How long a development authority lasts.
    time DEV_CA_VALID: Duration = Duration::from_secs(24 * 3600);
    /// It begins this much earlier, for clocks that are set back.
    time DEV_CA_BACKDATE: Duration = Duration::from_secs(60);
    /// One with less than this left gets a successor, so that no process starts with a certificate that
    /// is about to end.
    time DEV_CA_LEFT_MIN: Duration = Duration::from_secs(3600);
    /// The largest file of a development authority; one takes about 1 KiB.
    bytes DEV_FILE_MAX: u64 = 64 * 1024;
    /// What a killed process left unfinished beside it is cleaned up after this.
    time DEV_UNFINISHED_MAX: Duration = Duration::from_secs(60);

    // -- learning the shape of a type --

    /// Passes through a type, for its fingerprint.
    count PROBE_PASSES_MAX: usize = 4000;
    /// Places entered in all passes together: some ten milliseconds.
    count PROBE_EFFORT_MAX: usize = 300_000;
    /// Places inside of each other.
    count PROBE_DEPTH_MAX: usize = 96;
    /// The written form of a type: those that share their parts can be exponentially large.
    bytes CANONICAL_MAX: usize = MIB;
}

#[cfg(test)]
mod tests;
