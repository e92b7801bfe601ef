//! Every bound and every default time of the protocol, in one place.
//!
//! # Why
//! A peer that can make something grow will, by malice or by a loop. Each such thing has its number
//! here, so that a reviewer reads one file. docs/defaults.md gives the reasons at length; a test
//! compares it with [`ALL`]. Sizes are bytes unless a name says otherwise.
//!
//! # Invariants
//! 1. A number that bounds what a peer or a file can cost stands here and nowhere else.

mod value;

use std::time::Duration;

pub use self::value::{Limit, Value};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// Defines each limit as a constant, and the list of them all.
macro_rules! limits {
    ($($(#[doc = $doc:literal])+ $unit:ident $name:ident: $kind:ty = $value:expr;)+) => {
        $($(#[doc = $doc])+ pub const $name: $kind = $value;)+

        /// All of them, in the order in which they stand here.
        pub const ALL: &[Limit] = &[$(Limit { name: stringify!($name), value: limits!(@$unit $name) }),+];
    };
    (@bytes $name:ident) => { Value::Bytes($name as u64) };
    (@count $name:ident) => { Value::Count($name as u64) };
    (@time $name:ident) => { Value::Time($name) };
    (@ratio $name:ident) => { Value::Ratio($name) };
}

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

    // -- balancing --

    /// Up to so many endpoints, a pick looks at all of them ...
    count PICK_ALL_UP_TO: usize = 8;
    /// ... and beyond at so many random ones.
    count PICK_CHOICES: usize = 3;
    /// So many of those that answered last are looked at, and a random one ...
    count PICK_HEARD: usize = 3;
    /// ... of so many that are remembered.
    count HEARD_LAST: usize = 16;
    /// An endpoint that was not picked for so long is picked once whatever it costs; longer where there are many.
    time PICK_UNTOUCHED: Duration = Duration::from_secs(1);
    /// What a failure costs, as if it were a latency.
    time FAILURE_PENALTY: Duration = Duration::from_secs(5);
    /// A peak of latency is forgotten after so many typical latencies ...
    count FORGET_AFTER_TYPICAL: u32 = 20;
    /// ... but not sooner than this ...
    time FORGET_AFTER_MIN: Duration = Duration::from_millis(250);
    /// ... nor later.
    time FORGET_AFTER_MAX: Duration = Duration::from_secs(10);
    /// What a server reports of its load counts for at least so long.
    time REPORT_FRESH: Duration = Duration::from_millis(100);
    /// Successes are counted apart, thread by thread, and put together so often: 4 % of the shortest memory.
    time GATHER_EVERY: Duration = Duration::from_millis(10);
    /// A new endpoint, or one that came back, has its whole share after this.
    time SLOW_START: Duration = Duration::from_secs(10);
    /// Its share at first.
    ratio SLOW_START_FLOOR: f64 = 0.1;
    /// Below this share of endpoints whose breaker lets calls through, all are used.
    ratio PANIC_BELOW: f64 = 0.5;
    /// A zone keeps all calls of its clients while so many times its healthy share is all of it.
    ratio SPILL_FACTOR: f64 = 1.4;
    /// Endpoints that a client uses of each part of a service, where there are more ...
    count APERTURE: usize = 100;
    /// ... which may be set to no less than this.
    count APERTURE_MIN: usize = 10;
    /// What labels may tell apart, those that no label fits included.
    count SUBSETS_MAX: usize = 8;
    /// The largest weight of a label.
    count LABEL_WEIGHT_MAX: f64 = 1e6;
    /// Calls out at an endpoint, as a multiple of its share, above which a key goes to the next one ...
    ratio KEY_LOAD_FACTOR: f64 = 1.25;
    /// ... but never below so many.
    count KEY_FREE: u32 = 8;

    // -- breaking --

    /// Failures in a row that open a breaker.
    count BREAKER_IN_A_ROW: u32 = 5;
    /// The success rate below which one opens ...
    ratio BREAKER_RATE: f64 = 0.8;
    /// ... from so many attempts in 10 s ...
    count BREAKER_RATE_CALLS: u32 = 20;
    /// ... if it is so far below that of its peers.
    ratio BREAKER_GAP: f64 = 0.2;
    /// How long a breaker is open at first; twice as long each time.
    time BREAKER_OPEN_FIRST: Duration = Duration::from_secs(1);
    /// The longest.
    time BREAKER_OPEN_MAX: Duration = Duration::from_secs(60);
    /// It is no longer than this while the others refuse calls because they have too much to do.
    time BREAKER_HASTENED: Duration = Duration::from_millis(500);
    /// The share of it that chance may take off.
    ratio BREAKER_JITTER: f64 = 0.5;
    /// Successes that close it again.
    count BREAKER_RAMP_OK: u32 = 3;
    /// One opening is forgotten after so long in health.
    time BREAKER_RELENT: Duration = Duration::from_secs(30);
    /// A breaker waits so long for a call that may be repeated before any call is its probe.
    time BREAKER_PROBE_ANY: Duration = Duration::from_secs(1);
    /// The share of endpoints that may be out for their failures; rounded up, and never the last one.
    ratio EJECTED_MAX: f64 = 0.5;
    /// While calls are out, a peer that was not heard for this long is asked for a sign of life ...
    time ASK_FIRST: Duration = Duration::from_millis(20);
    /// ... and when nothing else happens, less and less often, but at least this often.
    time ASK_MAX: Duration = Duration::from_millis(500);
    /// Silence with calls out after which an endpoint gets no new ones, and calls that may be repeated go elsewhere ...
    time SUSPECT_AFTER: Duration = Duration::from_millis(300);
    /// ... or so many probe time-outs of its connection, if they are longer.
    count SUSPECT_PTO: u32 = 3;
    /// Silence after which the calls that may not be repeated fail too, if there are other endpoints.
    time DEAD_AFTER: Duration = Duration::from_secs(1);
    /// How often calls on a silent connection look again whether they can go elsewhere: there may have been nowhere to go.
    time LOOK_AGAIN: Duration = Duration::from_millis(200);
    /// A call to an endpoint of another protocol is overdue after so many times the longest that its method lately took ...
    count OVERDUE_FACTOR: u32 = 3;
    /// ... and not before this.
    time OVERDUE_MIN: Duration = Duration::from_millis(200);
    /// Headers of an answer over HTTP.
    count HTTP_HEADERS_MAX: usize = 100;
    /// Bytes of the head of an answer over HTTP.
    bytes HTTP_HEAD_MAX: usize = 16 * KIB;
    /// Bytes of the path and the query of a request over HTTP.
    bytes HTTP_TARGET_MAX: usize = 8 * KIB;
    /// Bytes of a body over HTTP, either way, unpacked; of one item where it streams.
    bytes HTTP_BODY_MAX: usize = 4 * MIB;
    /// Bytes that a status quotes of what an HTTP server said.
    bytes HTTP_EXCERPT: usize = 256;
    /// How much less than is left a server is told over HTTP: its answer has to come back.
    time HTTP_RESERVE: Duration = Duration::from_millis(5);
    /// How long a connection of HTTP/1.1 waits for its next request: less than the 5 s of Apache httpd and Node.js.
    time HTTP_IDLE: Duration = Duration::from_secs(4);
    /// Connections of HTTP/1.1 to one endpoint that wait.
    count HTTP_IDLE_MAX: usize = 64;
    /// Requests that are out to one endpoint over HTTP: further ones wait.
    count HTTP_CONNECTIONS_MAX: usize = 256;
    /// A handshake without an answer for this long makes one ask the host whether anybody listens at the port.
    time CONNECT_HINT: Duration = Duration::from_millis(50);
    /// After so many probe time-outs of silence the host is asked whether anybody listens at the port.
    count HINT_PTO: u32 = 2;

    // -- discovery --

    /// A server says again that it is there this often ...
    time ANNOUNCE_EVERY: Duration = Duration::from_secs(3);
    /// ... and is believed to be gone after this long without.
    time ANNOUNCE_LEASE: Duration = Duration::from_secs(10);
    /// What was left behind for so long is taken away.
    time ANNOUNCEMENT_LEFT: Duration = Duration::from_secs(60);
    /// The size of an announcement.
    bytes ANNOUNCEMENT_MAX: u64 = 16 * 1024;
    /// Announcements of one service that are read.
    count ANNOUNCEMENTS_MAX: usize = 1024;
    /// Whether something was announced or taken back is looked at this often ...
    time DISCOVERY_TICK: Duration = Duration::from_millis(100);
    /// ... and whether what is there lives, this often.
    time DISCOVERY_LOOK: Duration = Duration::from_secs(1);
    /// Endpoints of one service that are used, whatever its sources say.
    count ENDPOINTS_MAX: usize = 1024;
    /// Sources of one service's endpoints.
    count SOURCES_MAX: usize = 16;
    /// The least weight of an endpoint ...
    ratio WEIGHT_MIN: f64 = 0.01;
    /// ... and the largest; 1 is usual.
    count WEIGHT_MAX: u32 = 1000;
    /// Bytes of a zone's name.
    bytes ZONE_MAX: usize = 64;
    /// Labels of one endpoint.
    count LABELS_MAX: usize = 32;
    /// Bytes of a label's key ...
    bytes LABEL_KEY_MAX: usize = 64;
    /// ... and of its value.
    bytes LABEL_VALUE_MAX: usize = 128;
    /// Changes of the list that come within this time are one.
    time ROSTER_DEBOUNCE: Duration = Duration::from_millis(100);
    /// The time in which at most half of what a source listed goes without having been taken back.
    time ROSTER_LEASE: Duration = Duration::from_secs(10);
    /// What left the list is not taken back into it sooner, unless it would be empty.
    time ROSTER_RETURN: Duration = Duration::from_secs(1);
    /// A file of endpoints is looked at this often, and believed when it is the same twice.
    time ENDPOINTS_FILE_LOOK: Duration = Duration::from_millis(500);
    /// The size of a file of endpoints: a thousand take 150 KiB.
    bytes ENDPOINTS_FILE_MAX: u64 = MIB as u64;
    /// A source that says nothing for so long is taken for one that cannot be asked: what was kept of it is used.
    time LAST_GOOD_AFTER: Duration = Duration::from_millis(500);
    /// Files with the last endpoints that were known.
    count LAST_GOOD_FILES_MAX: usize = 1024;
    /// A name is not asked for sooner than this after the last time, whatever its records say ...
    time DNS_AGAIN_MIN: Duration = Duration::from_secs(2);
    /// ... nor later.
    time DNS_AGAIN_MAX: Duration = Duration::from_secs(300);
    /// One question to a name server takes at most this.
    time DNS_TIMEOUT: Duration = Duration::from_secs(5);
    /// Hosts behind one SRV name that are asked for.
    count DNS_HOSTS_MAX: usize = 64;
    /// One question to etcd takes at most this, connecting and logging in included.
    time ETCD_TIMEOUT: Duration = Duration::from_secs(3);
    /// The longest pause before etcd is asked again; the first ones are those of a connection.
    time ETCD_PAUSE_MAX: Duration = Duration::from_millis(1500);
    /// Whether a watch has told everything is looked at this often ...
    time ETCD_LOOK: Duration = Duration::from_secs(5);
    /// ... and again after this, where it seems not, or an endpoint cannot be reached.
    time ETCD_LOOK_AGAIN: Duration = Duration::from_secs(1);
    /// The word that a server was taken back stays in etcd for so long.
    time ETCD_TOMBSTONE: Duration = Duration::from_secs(60);
    /// The size of one answer of etcd, and of one message of a watch.
    bytes ETCD_ANSWER_MAX: usize = 4 * MIB;
    /// Keys of one service that are read, those that were taken back included.
    count ETCD_KEYS_MAX: usize = 2048;
    /// Members of one etcd.
    count ETCD_MEMBERS_MAX: usize = 16;
    /// Bytes of what the keys begin with.
    bytes ETCD_PREFIX_MAX: usize = 64;

    // -- policy --

    /// The size of a document of policy.
    bytes POLICY_FILE_MAX: u64 = MIB as u64;
    /// Rules that allow, and partitions, in one.
    count POLICY_RULES_MAX: usize = 1024;
    /// What is wrong with one, as far as it is told.
    count POLICY_PROBLEMS_MAX: usize = 100;
    /// A file of policy is looked at this often; what was written in place is believed when it is the same twice.
    time POLICY_FILE_LOOK: Duration = Duration::from_millis(100);

    // -- bulkheads --

    /// Calls of one client to one service that may be out.
    count BULKHEAD_MAX: u32 = 1024;
    /// The share of them that a method has in any case ...
    ratio BULKHEAD_METHOD_SHARE: f64 = 0.25;
    /// ... and not fewer than this.
    count BULKHEAD_METHOD_MIN: u32 = 16;
    /// Calls that may wait for a place.
    count BULKHEAD_WAITING_MAX: u32 = 64;
    /// The share of its time that a call waits for one ...
    ratio BULKHEAD_WAIT_SHARE: f64 = 0.1;
    /// ... and not less than this.
    time BULKHEAD_WAIT_MIN: Duration = Duration::from_millis(100);

    // -- calls at work on a server --

    /// Calls that a server works on at once, at first ...
    count CONCURRENCY_START: u32 = 64;
    /// ... at most, however many it finds that it can do ...
    count CONCURRENCY_MAX: u32 = 4096;
    /// ... and at least, for each core.
    count CONCURRENCY_FLOOR_PER_CORE: u32 = 2;
    /// The share of them that one identity has while others wait ...
    ratio CALLER_SHARE: f64 = 0.5;
    /// ... and that one method has.
    ratio METHOD_SHARE: f64 = 0.5;
    /// How long a call waits for its turn at most: twice what calls take, and at least this.
    time QUEUE_INTERVAL: Duration = Duration::from_millis(100);
    /// ... and at most this, also where nothing is known yet. Somebody always waits for so long: there is too much to do
    /// ...
    time QUEUE_INTERVAL_MAX: Duration = Duration::from_secs(1);
    /// ... and then it is this.
    time QUEUE_TARGET: Duration = Duration::from_millis(20);
    /// Calls that wait.
    count QUEUE_MAX: usize = 4096;
    /// What is shed is decided anew after so long ...
    time CUT_WINDOW: Duration = Duration::from_millis(250);
    /// ... or so many calls.
    count CUT_CALLS: u32 = 500;
    /// A client believes for so long what a server said that it sheds.
    time CUT_BELIEVED: Duration = CUT_WINDOW;

    // -- metrics and decisions --

    /// Endpoints of one service that have metrics of their own; the others share one series ...
    count METRICS_ENDPOINTS_OF_SERVICE_MAX: usize = 128;
    /// ... and of all services of a mesh together.
    count METRICS_ENDPOINTS_MAX: usize = 512;
    /// Decisions about a service's endpoints that are kept.
    count DECISIONS_MAX: usize = 256;
    /// The last of them that an error explains itself with.
    count DECISIONS_EXPLAINED: usize = 8;

    // -- holding back --

    /// A client sends at most so many times what a service takes.
    ratio THROTTLE_K: f64 = 2.0;
    /// It begins to hold back at so many requests in 10 s.
    count THROTTLE_FROM: u64 = 10;
    /// The largest share that it holds back.
    ratio THROTTLE_DROP_MAX: f64 = 0.9;
    /// So many in a row that were taken end it.
    count THROTTLE_ENDS: u32 = 20;

    // -- attempts and goodbye --

    /// Attempts per call, the first included, unless the call says otherwise.
    count ATTEMPTS: u8 = 3;
    /// The most attempts that a call may ask for.
    count ATTEMPTS_MAX: u8 = 5;
    /// First step of the backoff between attempts.
    time RETRY_BACKOFF_FIRST: Duration = Duration::from_millis(25);
    /// Its longest step.
    time RETRY_BACKOFF_MAX: Duration = Duration::from_millis(250);
    /// What a call puts into the budget of retries and hedges.
    ratio BUDGET_SHARE: f64 = 0.2;
    /// What it puts into the purse for retries after a refusal for overload.
    ratio BUDGET_OVERLOAD_SHARE: f64 = 0.1;
    /// So many retries in a row that failed are in vain: until one succeeds, what was saved is kept ...
    count BUDGET_VAIN_AFTER: u32 = 20;
    /// ... and a call pays for this much of a retry, to find out.
    ratio BUDGET_VAIN_SHARE: f64 = 0.1;
    /// Retries per second that need no calls.
    count BUDGET_RESERVE_PER_S: u32 = 1;
    /// The most of those that are saved.
    count BUDGET_RESERVE_MAX: u64 = 10;
    /// Hedges, as a share of the calls of their method.
    ratio HEDGE_EXTRA: f64 = 0.05;
    /// A first attempt is waited for alone at least this long.
    time HEDGE_MIN: Duration = Duration::from_millis(1);
    /// The lowest percentile that a hedge can wait for: below it more are slow than may be hedged ...
    count HEDGE_PERCENT_MIN: u8 = 95;
    /// ... and the highest.
    count HEDGE_PERCENT_MAX: u8 = 99;
    /// Hedges that a method of few calls may have saved; one of many saves what ten seconds bring.
    count HEDGE_SAVED_MAX: u64 = 10;
    /// Answers from which the time that most of them take is known ...
    count DIGEST_SAMPLES: u32 = 100;
    /// ... and after which, if there are as many, older ones begin to be forgotten.
    time DIGEST_AGE: Duration = Duration::from_secs(10);
    /// How long answers may take to be acknowledged when a connection is closed.
    time DRAIN_FLUSH: Duration = Duration::from_secs(1);
    /// How often a drain looks whether it is done.
    time DRAIN_TICK: Duration = Duration::from_millis(5);
    /// How long the second goodbye may take to be acknowledged; nothing depends on it but politeness.
    time DRAIN_SAID: Duration = Duration::from_millis(200);
}

#[cfg(test)]
mod tests;
