//! The numbers of what decides: balancing, breaking, discovery, policy, places, retries.

use std::time::Duration;

use super::{KIB, Limit, MIB, Value};

limits! {
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
    /// Bytes of all bodies that one listener over HTTP holds at once, of requests that are not answered: a request with
    /// more is refused.
    bytes HTTP_BODIES_MAX: usize = 64 * MIB;
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
    /// Connections that callers over HTTP have to one listener: further ones are closed.
    count HTTP_CLIENTS_MAX: usize = 4_096;
    /// Requests that one connection of HTTP/2 may have open at once.
    count HTTP_STREAMS_MAX: u32 = 100;
    /// A handshake of TLS and the head of a request, each, from a caller over HTTP; and a connection without a request.
    time HTTP_HEAD_TIMEOUT: Duration = Duration::from_secs(10);
    /// The body of a request over HTTP, where its deadline is not earlier.
    time HTTP_BODY_TIMEOUT: Duration = Duration::from_secs(30);
    /// Nothing of an answer was taken for this long by a caller over HTTP: his connection is closed.
    time HTTP_WRITE_TIMEOUT: Duration = Duration::from_secs(30);
    /// A connection of a caller over HTTP without a request for this long is closed.
    time HTTP_CLIENT_IDLE: Duration = Duration::from_secs(60);
    /// A connection of HTTP/2 on which nothing came for this long is asked whether it lives.
    time HTTP_PING: Duration = Duration::from_secs(20);
    /// A stream of events says that it lives after this long without one.
    time HTTP_EVENT_BEAT: Duration = Duration::from_secs(15);
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
    /// How long a process that starts waits for a policy that is in etcd; then it goes by the last one.
    time POLICY_KEY_WAIT: Duration = Duration::from_secs(2);
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
    /// Copies of calls that are out at a time, of one client of one service; more are not sent.
    count MIRRORED_MAX: u32 = 64;
    /// How long the copy of a call without a deadline is waited for.
    time MIRRORED_TIME: Duration = Duration::from_secs(10);
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
