//! Traffic that is split by label and by trace, and copies of calls that nobody waits for.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use sinew::{
    Bytes, CallOptions, Code, Context, Mesh, Mirrored, Next, Request, ServerBuilder, Status,
    TraceContext,
};
use sinew_tests::{
    Must as _, MustFail as _, assert_says,
    relay::{Conditions, Direction, Relay},
    scene::{Running, Scene},
    scrape::Scrape,
    wait::{soon, until},
};
use tokio::{task::JoinSet, time::sleep};

const COPIED: &str = "test.Copied";

/// Says who serves it.
#[sinew::service(name = "test.Copied")]
pub trait Copied {
    /// The version that serves the call.
    #[rpc(idempotent)]
    async fn get(&self, number: u64) -> Result<u64, Status>;
    /// The same, and calls `get` of what is below.
    #[rpc(idempotent)]
    async fn get_below(&self, number: u64) -> Result<u64, Status>;
    /// How many bytes there are.
    #[rpc(idempotent)]
    async fn weigh(&self, blob: Bytes) -> u64;
    /// Not to be repeated.
    async fn put(&self, number: u64) -> Result<u64, Status>;
}

/// A version of the service, which notes what it is called for.
#[derive(Clone)]
struct Version(Arc<Inner>);

struct Inner {
    version: u64,
    below: Option<CopiedClient>,
    seen: Mutex<Vec<(u64, bool)>>,
    running: AtomicU64,
    hangs: AtomicBool,
    refuses: AtomicBool,
}

/// A handler at work, until it is dropped.
struct AtWork<'a>(&'a AtomicU64);

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

impl Version {
    fn new(version: u64) -> Self {
        Self::over(version, None)
    }

    fn over(version: u64, below: Option<CopiedClient>) -> Self {
        Self(Arc::new(Inner {
            version,
            below,
            seen: Mutex::default(),
            running: AtomicU64::new(0),
            hangs: AtomicBool::new(false),
            refuses: AtomicBool::new(false),
        }))
    }

    async fn served(&self, number: u64) -> Result<u64, Status> {
        let shadow = Context::current().must("a context").is_shadow();
        self.0.seen.lock().must("no panic").push((number, shadow));
        self.0.running.fetch_add(1, SeqCst);
        let _at_work = AtWork(&self.0.running);
        if self.0.hangs.load(SeqCst) {
            std::future::pending::<()>().await;
        }
        if self.0.refuses.load(SeqCst) {
            return Err(Status::new(Code::Unavailable, "not this version"));
        }
        Ok(self.0.version)
    }

    /// What it was called for so far, in order of the numbers, and whether each was a copy.
    fn seen(&self) -> Vec<(u64, bool)> {
        let mut seen = self.0.seen.lock().must("no panic").clone();
        seen.sort_unstable();
        seen
    }

    fn count(&self) -> usize {
        self.0.seen.lock().must("no panic").len()
    }

    fn running(&self) -> u64 {
        self.0.running.load(SeqCst)
    }

    async fn serve(&self, scene: &Scene) -> Running {
        let labelled =
            |builder: ServerBuilder| builder.label("version", self.0.version.to_string());
        scene.serve(|builder| labelled(builder).serve(CopiedServer::new(self.clone()))).await
    }
}

impl Copied for Version {
    async fn get(&self, number: u64) -> Result<u64, Status> {
        self.served(number).await
    }

    async fn get_below(&self, number: u64) -> Result<u64, Status> {
        let below = self.0.below.as_ref().must("something below");
        below.get(number).await?;
        self.served(number).await
    }

    async fn weigh(&self, blob: Bytes) -> u64 {
        self.served(blob.len() as u64).await.must("it does not refuse");
        blob.len() as u64
    }

    async fn put(&self, number: u64) -> Result<u64, Status> {
        self.served(number).await
    }
}

/// Two versions, each with a server.
struct Versions {
    scene: Scene,
    old: Version,
    new: Version,
    servers: [Running; 2],
}

impl Versions {
    async fn new() -> Self {
        let scene = Scene::new();
        let (old, new) = (Version::new(1), Version::new(2));
        let servers = [old.serve(&scene).await, new.serve(&scene).await];
        Self { scene, old, new, servers }
    }

    /// A mesh, of another process as it were, by this policy of the service.
    async fn mesh(&self, policy: &str) -> Mesh {
        let mesh = self.scene.mesh().await;
        apply(&mesh, policy);
        mesh
    }

    /// A client whose mesh copies all calls to the new version, which gets no others; both are connected.
    async fn mirroring(&self, more: &str) -> (Mesh, CopiedClient) {
        let mesh = self.mesh(&format!("{ALL}\n{more}")).await;
        let client: CopiedClient = mesh.client();
        self.connected(&client).await;
        (mesh, client)
    }

    /// Until a copy has come.
    async fn connected(&self, client: &CopiedClient) {
        soon("a copy", async {
            while self.new.count() == 0 {
                assert_eq!(client.get(0).await.must("an answer"), 1);
                sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
        until("it is over", || self.new.running() == 0).await;
    }
}

const ALL: &str = "weights = { \"version=1\" = 1, \"version=2\" = 0 }\nmirror = { to = \"version=2\", percent = 100 }";

fn apply(mesh: &Mesh, policy: &str) {
    mesh.apply_policy(&document(policy)).must("a policy");
}

fn document(policy: &str) -> String {
    format!("version = 1\n[service.\"{COPIED}\"]\n{policy}\n")
}

fn weights(old: u64, new: u64) -> String {
    format!("weights = {{ \"version=1\" = {old}, \"version=2\" = {new} }}")
}

fn in_trace(client: &CopiedClient, trace: u64) -> CopiedClient {
    let trace_id = u128::from(trace).to_be_bytes();
    let trace = TraceContext { trace_id, span_id: [1; 8], flags: 1 };
    client.with(CallOptions::new().trace(trace))
}

/// The versions that these traces come to, fifty at a time.
async fn sides(client: &CopiedClient, traces: std::ops::Range<u64>) -> Vec<u64> {
    let next = Arc::new(AtomicU64::new(traces.start));
    let mut callers = JoinSet::new();
    for _ in 0..50 {
        let (client, next, end) = (client.clone(), Arc::clone(&next), traces.end);
        callers.spawn(async move {
            let mut sides = Vec::new();
            loop {
                let trace = next.fetch_add(1, SeqCst);
                if trace >= end {
                    return sides;
                }
                sides.push((trace, in_trace(&client, trace).get(trace).await.must("an answer")));
            }
        });
    }
    let mut sides: Vec<_> = soon("the callers", callers.join_all()).await.concat();
    sides.sort_unstable();
    sides.into_iter().map(|(_, side)| side).collect()
}

fn mirrored(mesh: &Mesh, outcome: &str) -> f64 {
    let labels = [("service", COPIED), ("outcome", outcome)];
    Scrape::of(mesh).get("sinew_client_mirrored_total", &labels)
}

/// 10,000 calls of a trace each, and the calls of other processes in the same traces.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_are_split_by_trace_in_every_process_alike() {
    let versions = Versions::new().await;
    let client: CopiedClient = versions.mesh(&weights(90, 10)).await.client();
    let first = sides(&client, 0..10_000).await;
    let new = first.iter().filter(|side| **side == 2).count();
    assert!((900..=1100).contains(&new), "{new} of 10,000");
    assert_eq!(versions.new.count(), new);
    let written_otherwise = "weights = { \"version=2\" = 1, \"version=1\" = 9 }";
    let other: CopiedClient = versions.mesh(written_otherwise).await.client();
    assert_eq!(sides(&other, 0..1000).await, first[..1000]);
}

/// The handlers of a trace that call in turn are in the same trace.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_called_below_is_on_the_side_of_its_trace() {
    let below = Versions::new().await;
    let lower: CopiedClient = below.mesh(&weights(50, 50)).await.client();
    let direct = sides(&lower, 0..200).await;
    let (old, new) = (below.old.count(), below.new.count());
    let scene = Scene::new();
    let upper = Version::over(1, Some(lower));
    let _server = upper.serve(&scene).await;
    let client: CopiedClient = scene.mesh().await.client();
    for trace in 0..200 {
        in_trace(&client, trace).get_below(trace).await.must("an answer");
    }
    let of = |side| direct.iter().filter(|one| **one == side).count();
    assert_eq!((below.old.count(), below.new.count()), (old + of(1), new + of(2)));
}

/// Weights that are moved a hundred times while calls are out: none is lost, and no trace moves that must not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn weights_are_moved_under_load_and_only_those_traces_that_must() {
    let versions = Versions::new().await;
    let mesh = versions.mesh(&weights(95, 5)).await;
    let client: CopiedClient = mesh.client();
    let before = sides(&client, 0..2000).await;
    let done = Arc::new(AtomicBool::new(false));
    let mut callers = JoinSet::new();
    for caller in 0..4 {
        let (client, done) = (client.clone(), Arc::clone(&done));
        callers.spawn(async move {
            let mut calls = 0_u64;
            while !done.load(SeqCst) {
                let trace = caller * 1_000_000 + calls;
                in_trace(&client, trace).get(trace).await.must("an answer");
                client.get(trace).await.must("an answer");
                calls += 1;
            }
            calls
        });
    }
    for step in 0..100 {
        let new = [5, 10, 50, 100, 0, 30][step % 6];
        apply(&mesh, &weights(100 - new, new));
        sleep(Duration::from_millis(5)).await;
    }
    done.store(true, SeqCst);
    let calls: u64 = soon("the callers", callers.join_all()).await.into_iter().sum();
    assert!(calls > 100, "{calls}");
    apply(&mesh, &weights(90, 10));
    let after = sides(&client, 0..2000).await;
    let moved: Vec<_> = before.iter().zip(&after).filter(|(one, other)| one != other).collect();
    assert!(moved.iter().all(|sides| *sides == (&1, &2)), "one went back");
    assert!((60..140).contains(&moved.len()), "{} of 2,000", moved.len());
    apply(&mesh, &weights(95, 5));
    assert_eq!(sides(&client, 0..2000).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_say_that_they_are_some_until_the_policy_ends_it() {
    let versions = Versions::new().await;
    let (mesh, client) = versions.mirroring("").await;
    let warm = versions.new.count();
    for number in 1..=200 {
        assert_eq!(client.get(number).await.must("an answer"), 1);
    }
    until("each was copied", || versions.new.count() == warm + 200).await;
    let of = |version: &Version| -> Vec<(u64, bool)> {
        version.seen().into_iter().filter(|(number, _)| *number > 0).collect()
    };
    assert_eq!(of(&versions.old), (1..=200).map(|number| (number, false)).collect::<Vec<_>>());
    assert_eq!(of(&versions.new), (1..=200).map(|number| (number, true)).collect::<Vec<_>>());
    until("each was answered", || mirrored(&mesh, "answered") as usize == warm + 200).await;
    assert_eq!(mirrored(&mesh, "failed"), 0.0);
    // Nothing of it among the calls.
    let calls = Scrape::of(&mesh).get("sinew_client_attempts_total", &[("service", COPIED)]);
    assert_eq!(calls as usize, versions.old.count());
    apply(&mesh, &weights(1, 0));
    for number in 201..=300 {
        client.get(number).await.must("an answer");
    }
    sleep(Duration::from_millis(50)).await;
    assert_eq!(versions.new.count(), warm + 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_called_for_a_copy_says_so_too_and_is_not_copied_again() {
    let below = Versions::new().await;
    let (_mesh, lower) = below.mirroring("").await;
    let (old, new) = (below.old.count(), below.new.count());
    let scene = Scene::new();
    let (first, second) = (Version::over(1, Some(lower.clone())), Version::over(2, Some(lower)));
    let _servers = [first.serve(&scene).await, second.serve(&scene).await];
    let mesh = scene.mesh().await;
    apply(&mesh, ALL);
    let client: CopiedClient = mesh.client();
    soon("a copy", async {
        while second.count() == 0 {
            client.get_below(1).await.must("an answer");
            sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    until("all is over", || second.running() + below.new.running() == 0).await;
    let seen = |version: &Version, shadow| {
        version.seen().iter().filter(|one| **one == (1, shadow)).count()
    };
    let (calls, copies) = (first.count(), second.count());
    // Below, each call was copied, and of what was called for copies nothing.
    until("they were copied below", || below.new.count() == new + calls).await;
    assert_eq!(below.old.count(), old + calls + copies);
    assert_eq!(seen(&below.old, true), copies);
    assert_eq!(seen(&below.new, true), calls);
}

/// As many copies hang as may be out; the callers are answered all the same, and before any of these ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_with_its_copies_delays_nobody() {
    let versions = Versions::new().await;
    let (mesh, client) = versions.mirroring("timeout = \"5s\"").await;
    let warm = versions.new.count();
    versions.new.0.hangs.store(true, SeqCst);
    for number in 0..500 {
        assert_eq!(client.get(number).await.must("an answer"), 1);
    }
    until("they hang", || versions.new.running() == 64).await;
    assert_eq!(versions.new.count(), warm + 64);
    assert_eq!(mirrored(&mesh, "full") as usize, 500 - 64);
    assert_eq!(Scrape::of(&mesh).get("sinew_client_endpoint_breaker_state", &[]), 0.0);
    // With its time each of them is over, and there is room again.
    versions.new.0.hangs.store(false, SeqCst);
    until("they are taken back", || versions.new.running() == 0).await;
    assert_eq!(mirrored(&mesh, "failed"), 64.0);
    client.get(0).await.must("an answer");
    until("there is room", || versions.new.count() == warm + 65).await;
}

/// Nothing comes from there any more, not even that a call is too late.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_silent_holds_no_copy_beyond_its_time() {
    let versions = Versions::new().await;
    let [old, new] = [0, 1].map(|at| versions.servers[at].address());
    let relay = Relay::start(new, Conditions::default(), 1).await.must("a relay");
    let endpoint = |address, version| {
        format!(
            "[[endpoint]]\naddress = \"{address}\"\nservice = \"{COPIED}\"\nlabels = {{ version = \"{version}\" }}\n"
        )
    };
    let file = versions.scene.runtime_dir().join("endpoints.toml");
    std::fs::write(&file, endpoint(old, 1) + &endpoint(relay.address(), 2)).must("a file");
    let mesh = versions.scene.mesh_with(|builder| builder.without_local_discovery()).await;
    apply(&mesh, &format!("{ALL}\ntimeout = \"2s\""));
    let client = mesh.client_at(format!("file:{}", file.display())).must("a client");
    versions.connected(&client).await;
    until("the copies are over", || mirrored(&mesh, "answered") as usize == versions.new.count())
        .await;
    let before = mirrored(&mesh, "no_endpoint");
    relay.blackhole(Direction::Both, true);
    for number in 0..100 {
        assert_eq!(client.get(number).await.must("an answer"), 1);
    }
    let over = || mirrored(&mesh, "failed") + mirrored(&mesh, "no_endpoint") - before;
    let began = Instant::now();
    until("all are over", || over() + mirrored(&mesh, "full") == 100.0).await;
    assert!(mirrored(&mesh, "failed") > 0.0, "some were out");
    assert!(began.elapsed() < Duration::from_secs(8), "not when the connection is given up");
}

/// A status for which a call of the method would be repeated, and a breaker opened.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_is_refused_is_not_sent_again_and_counts_for_nothing_else() {
    let versions = Versions::new().await;
    let (mesh, client) = versions.mirroring("").await;
    let warm = versions.new.count();
    versions.new.0.refuses.store(true, SeqCst);
    for number in 1..=100 {
        assert_eq!(client.get(number).await.must("an answer"), 1);
    }
    until("each was refused", || mirrored(&mesh, "failed") == 100.0).await;
    sleep(Duration::from_millis(100)).await;
    assert_eq!(versions.new.count(), warm + 100);
    let scrape = Scrape::of(&mesh);
    let of = |name| scrape.get(name, &[("service", COPIED)]);
    assert_eq!(of("sinew_client_endpoint_breaker_state"), 0.0);
    assert_eq!(of("sinew_client_retries_total"), 0.0);
    assert_eq!(of("sinew_client_attempts_total") as usize, versions.old.count());
}

/// Two servers refuse a call, one after the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_repeated_has_one_copy() {
    let versions = Versions::new().await;
    let _second = versions.old.serve(&versions.scene).await;
    let (mesh, client) = versions.mirroring("retry = { attempts = 2 }").await;
    let count = || (versions.old.count(), versions.new.count());
    let before = count();
    versions.old.0.refuses.store(true, SeqCst);
    client.get(1).await.must_err();
    until("the copy", || mirrored(&mesh, "answered") as usize == before.1 + 1).await;
    assert_eq!(count(), (before.0 + 2, before.1 + 1));
}

/// In a hedged method, inside of interceptors, and where the arguments have a stream of their own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_a_call_is_sent_it_has_one_copy() {
    let versions = Versions::new().await;
    let copies = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&copies);
    let pass = move |request: Request, next: Next| {
        count.fetch_add(u64::from(request.is_shadow()), SeqCst);
        next.run(request)
    };
    let plain = versions.mesh(ALL).await;
    let inside = versions.scene.mesh_with(|builder| builder.intercept_attempts(pass)).await;
    apply(&inside, ALL);
    let hedged = versions.mesh(&format!("{ALL}\nhedge = {{ after = \"5s\" }}")).await;
    for mesh in [&plain, &inside, &hedged] {
        let client: CopiedClient = mesh.client();
        versions.new.0.seen.lock().must("no panic").clear();
        versions.connected(&client).await;
        let (before, in_chain) = (versions.new.count(), copies.load(SeqCst));
        let blob = Bytes::from(vec![7; 100_000]);
        for _ in 0..20 {
            assert_eq!(client.weigh(blob.clone()).await.must("an answer"), 100_000);
            client.get(3).await.must("an answer");
        }
        until("the copies", || versions.new.count() == before + 40).await;
        let large = versions.new.seen().iter().filter(|one| **one == (100_000, true)).count();
        assert_eq!(large, 20);
        if std::ptr::eq(mesh, &raw const inside) {
            assert_eq!(copies.load(SeqCst), in_chain + 40);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_copied_that_may_not_run_twice_nor_while_much_is_out() {
    let versions = Versions::new().await;
    let bulkhead = "bulkhead = { max_in_flight = 4 }";
    let (mesh, client) = versions.mirroring(bulkhead).await;
    let warm = versions.new.count();
    client.put(1).await.must("an answer");
    versions.old.0.hangs.store(true, SeqCst);
    let mut out = JoinSet::new();
    for _ in 0..3 {
        let client = client.clone();
        out.spawn(async move { client.put(2).await });
    }
    until("three are out", || versions.old.running() == 3).await;
    versions.old.0.hangs.store(false, SeqCst);
    client.get(3).await.must("an answer");
    assert_eq!(mirrored(&mesh, "overloaded"), 1.0);
    out.abort_all();
    until("they are gone", || versions.old.running() == 0).await;
    client.get(4).await.must("an answer");
    until("the copy", || versions.new.count() == warm + 1).await;
    assert_eq!(versions.new.seen().last(), Some(&(4, true)));
}

#[tokio::test]
async fn a_mirror_that_cannot_be_is_refused_with_its_reason() {
    let scene = Scene::new();
    let mesh = scene.mesh().await;
    let _client: CopiedClient = mesh.client();
    let method = |name: &str, mirror: &str| {
        format!("[service.\"{COPIED}\".method.{name}]\nmirror = {mirror}")
    };
    let good = "{ to = \"version=2\", percent = 0.5 }";
    for (policy, words) in [
        (method("put", good), "mirrors a method that is not idempotent"),
        ("mirror = { to = \"2\", percent = 1 }".to_owned(), "is no label"),
        ("mirror = { to = \"version=2\", percent = 101 }".to_owned(), "is 101; 0 to 100"),
        ("mirror = { to = \"version=2\" }".to_owned(), "has no `percent`"),
        ("mirror = { percent = 1 }".to_owned(), "has no `to`"),
        ("mirror = { too = \"version=2\", percent = 1 }".to_owned(), "did you mean `to`?"),
    ] {
        let error = mesh.apply_policy(&document(&policy)).must_err().to_string();
        assert_says(&error, &[words]);
    }
    apply(&mesh, &method("get", good));
    apply(&mesh, &method("put", "{ to = \"version=2\", percent = 0 }"));
    apply(&mesh, &format!("mirror = {good}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_compares_has_both_answers() {
    let versions = Versions::new().await;
    let told: Arc<Mutex<Vec<Mirrored>>> = Arc::default();
    let compare = {
        let told = Arc::clone(&told);
        move |mirrored| told.lock().must("no panic").push(mirrored)
    };
    let mesh = versions.scene.mesh_with(|builder| builder.compare_mirrored(compare)).await;
    apply(&mesh, ALL);
    let client: CopiedClient = mesh.client();
    versions.connected(&client).await;
    let many = || told.lock().must("no panic").len();
    until("the first are told", || many() == versions.new.count()).await;
    told.lock().must("no panic").clear();
    client.get(1).await.must("an answer");
    until("it is told", || many() == 1).await;
    versions.new.0.refuses.store(true, SeqCst);
    client.get(2).await.must("an answer");
    until("it is told", || many() == 2).await;
    versions.old.0.refuses.store(true, SeqCst);
    client.get(3).await.must_err();
    until("it is told", || many() == 3).await;
    let told = std::mem::take(&mut *told.lock().must("no panic"));
    let values: Vec<_> = told
        .iter()
        .map(|both| [&both.original, &both.copy].map(|answer| answer.decode::<u64>().ok()))
        .collect();
    assert_eq!(values, [[Some(1), Some(2)], [Some(1), None], [None, None]]);
    assert!(told.iter().all(|both| both.method.path() == "test.Copied/get"));
    assert!(told[0].original.body().is_some() && !told[0].original.is_error());
    assert_eq!(told[0].copy.codec().is_some(), told[0].copy.failed().is_none());
    let status = told[2].original.failed().must("a status");
    assert_eq!(status.code(), Code::Unavailable);
}
