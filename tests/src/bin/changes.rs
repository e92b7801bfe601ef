//! What operators change while calls run: how many calls fail, and how long it takes until a change, or what is wrong with
//! it, is known.
//!
//! `cargo run --release -p sinew-tests --bin changes -- [--json] [--seconds N]`
//!
//! # What is done
//! ```text
//!   reloads       100 policies a second, for N seconds, 500 calls a second
//!   bad files     each kind of file that cannot be used: the reason in log and metrics, the last good policy in force
//!   certificates  new ones on both sides every 5 s, the authority too, for twice as long, 500 calls a second
//!   revoked       a bundle that vouches for an authority no more: its certificates are refused
//! ```

use std::{
    io::{self, Write as _},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use sinew_tests::{
    Must as _,
    authority::Authority,
    certified::{Process, serve},
    probe::{Counting, ProbeClient},
    ruled::{Filed, RuledClient, RuledServer, Tell, bad_files, is_long, pair},
    scene::{Scene, client_at},
    wait::until,
};
use tokio::{
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval, sleep},
};

/// What operators do is done within this, or it is a failure.
const SOON: Duration = Duration::from_secs(1);
const CALLERS: u64 = 10;
/// Of each caller.
const BETWEEN_CALLS: Duration = Duration::from_millis(20);
const BETWEEN_POLICIES: Duration = Duration::from_millis(10);
const BETWEEN_CERTIFICATES: Duration = Duration::from_secs(5);

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let (mut is_json, mut seconds) = (false, 30);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = || words.next().and_then(|value| value.parse().ok());
        match (word.as_str(), (word == "--seconds").then(value).flatten()) {
            ("--json", _) => is_json = true,
            ("--seconds", Some(value)) => seconds = value,
            _ => {
                let _ = writeln!(io::stderr(), "usage: changes [--json] [--seconds N]");
                return ExitCode::from(2);
            }
        }
    }
    let report = Report::of(Duration::from_secs(seconds)).await;
    if report.tell(is_json).is_err() || !report.is_well() {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Calls of several callers at a steady rate, until they are asked what they saw.
struct Load {
    done: Arc<AtomicBool>,
    calls: Arc<AtomicU64>,
    callers: Vec<JoinHandle<Vec<String>>>,
}

impl Load {
    fn start<F, Fut>(call: F) -> Self
    where
        F: Fn() -> Fut + Clone + Send + 'static,
        Fut: Future<Output = Result<(), String>> + Send + 'static,
    {
        let (done, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let caller = |_| {
            let (done, calls, call) = (Arc::clone(&done), Arc::clone(&calls), call.clone());
            tokio::spawn(async move {
                let mut due = interval(BETWEEN_CALLS);
                let mut failures = Vec::new();
                while !done.load(Relaxed) {
                    due.tick().await;
                    calls.fetch_add(1, Relaxed);
                    if let Err(why) = call().await {
                        failures.push(why);
                    }
                }
                failures
            })
        };
        let callers = (0..CALLERS).map(caller).collect();
        Self { done, calls, callers }
    }

    /// How many there were, and what is wrong with which.
    async fn end(self) -> (u64, Vec<String>) {
        self.done.store(true, Relaxed);
        let mut failures = Vec::new();
        for caller in self.callers {
            failures.extend(caller.await.must("a caller"));
        }
        (self.calls.load(Relaxed), failures)
    }
}

/// What came of it.
struct Report {
    policies: u64,
    policies_per_s: f64,
    policy_calls: u64,
    bad_files: Vec<(&'static str, Duration)>,
    renewals: u64,
    certificate_calls: u64,
    revoked: Duration,
    failures: Vec<String>,
}

impl Report {
    async fn of(time: Duration) -> Self {
        let (policies, took, policy_calls, mut failures) = reloads(time).await;
        let (renewals, certificate_calls, more) = certificates(time * 2).await;
        failures.extend(more);
        Self {
            policies,
            policies_per_s: policies as f64 / took.as_secs_f64(),
            policy_calls,
            bad_files: bad_files_told().await,
            renewals,
            certificate_calls,
            revoked: revoked().await,
            failures,
        }
    }

    fn slowest_file(&self) -> Duration {
        self.bad_files.iter().map(|(_, took)| *took).max().unwrap_or_default()
    }

    fn is_well(&self) -> bool {
        let soon = self.slowest_file() <= SOON && self.revoked <= SOON;
        soon && self.failures.is_empty() && self.policies_per_s >= 95.0
    }

    fn tell(&self, is_json: bool) -> io::Result<()> {
        let mut out = io::stdout().lock();
        for failure in self.failures.iter().take(10) {
            writeln!(io::stderr(), "{failure}")?;
        }
        let Self { policies, policies_per_s, policy_calls, renewals, certificate_calls, .. } = self;
        writeln!(
            out,
            "{policies} policies, {policies_per_s:.0} a second, during {policy_calls} calls"
        )?;
        for (kind, took) in &self.bad_files {
            writeln!(out, "a file {kind}: refused and told after {:.0} ms", millis(*took))?;
        }
        writeln!(out, "{renewals} renewals of certificates during {certificate_calls} calls")?;
        writeln!(
            out,
            "who is not trusted any more is refused after {:.0} ms",
            millis(self.revoked)
        )?;
        writeln!(out, "{} calls failed, or saw two policies", self.failures.len())?;
        if is_json {
            writeln!(
                out,
                "{{\"policies\":{policies},\"policies_per_s\":{policies_per_s:.1},\"policy_calls\":{policy_calls},\
                 \"bad_files\":{},\"bad_file_told_ms\":{:.0},\"renewals\":{renewals},\
                 \"certificate_calls\":{certificate_calls},\"revoked_ms\":{:.0},\"failed\":{}}}",
                self.bad_files.len(),
                millis(self.slowest_file()),
                millis(self.revoked),
                self.failures.len(),
            )?;
        }
        Ok(())
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Policies, one after the other; none of the calls may fail, or have values of two of them.
async fn reloads(time: Duration) -> (u64, Duration, u64, Vec<String>) {
    let scene = Scene::new();
    let server = scene.serve(|server| server.serve(RuledServer::new(Tell))).await;
    let mesh = scene.mesh().await;
    let client: RuledClient = client_at(&mesh, &[server.address()]);
    mesh.apply_policy(&pair(true)).must("a policy");
    let load = Load::start(move || {
        let call = client.ruled();
        async move { is_long(&call.await.map_err(|why| why.to_string())?).map(drop) }
    });
    let (began, mut applied) = (Instant::now(), 0);
    let mut due = interval(BETWEEN_POLICIES);
    due.set_missed_tick_behavior(MissedTickBehavior::Burst);
    while began.elapsed() < time {
        due.tick().await;
        mesh.apply_policy(&pair(applied % 2 == 0)).must("a policy");
        applied += 1;
    }
    let took = began.elapsed();
    let (calls, failures) = load.end().await;
    (applied, took, calls, failures)
}

/// How long it takes until each kind of file is refused, for a reason that is told.
async fn bad_files_told() -> Vec<(&'static str, Duration)> {
    let scene = Scene::new();
    let server = scene.serve(|server| server.serve(RuledServer::new(Tell))).await;
    let mut told = Vec::new();
    for (kind, bytes, word) in bad_files() {
        let filed = Filed::new(&scene, &pair(true)).await;
        let client: RuledClient = client_at(&filed.mesh, &[server.address()]);
        client.ruled().await.must("an answer");
        let began = Instant::now();
        filed.write(&bytes);
        until(&format!("a file {kind} is refused"), || filed.is_refused(word)).await;
        told.push((kind, began.elapsed()));
        let seen = is_long(&client.ruled().await.must("an answer"));
        assert_eq!(seen, Ok(true), "what was in force stays: {kind}");
    }
    told
}

/// New certificates of both sides, and another authority each time: the bundles have both.
async fn certificates(time: Duration) -> (u64, u64, Vec<String>) {
    let mut current = Authority::new("first");
    let server = Process::new("test.Probe", &current, &[&current]).await;
    let caller = Process::new("caller", &current, &[&current]).await;
    let probe = Counting::new();
    let running = serve(&server, &probe).await;
    let client: ProbeClient = client_at(&caller.mesh, &[running.address()]);
    let load = Load::start(move || {
        let call = client.echo("x".to_owned());
        async move { call.await.map(drop).map_err(|why| why.to_string()) }
    });
    let (began, mut renewals) = (Instant::now(), 0);
    while began.elapsed() < time {
        sleep(BETWEEN_CERTIFICATES).await;
        let next = Authority::new("next");
        // Whoever meets a new certificate must know its authority before.
        for process in [&server, &caller] {
            process.renew(&current, &[&current, &next]);
        }
        sleep(SOON).await;
        for process in [&server, &caller] {
            process.renew(&next, &[&current, &next]);
        }
        current = next;
        renewals += 1;
    }
    let (calls, failures) = load.end().await;
    assert!(server.renewed() >= renewals as f64, "the server has read {}", server.renewed());
    (renewals, calls, failures)
}

/// From a bundle that vouches for an authority no more to the first call that is refused.
async fn revoked() -> Duration {
    let (root, other) = (Authority::new("root"), Authority::new("other"));
    let server = Process::new("test.Probe", &root, &[&root, &other]).await;
    let goes = Process::new("goes", &other, &[&root]).await;
    let probe = Counting::new();
    let running = serve(&server, &probe).await;
    let client: ProbeClient = client_at(&goes.mesh, &[running.address()]);
    client.echo("x".to_owned()).await.must("an answer");
    let began = Instant::now();
    server.renew(&root, &[&root]);
    while client.echo("x".to_owned()).await.is_ok() {
        sleep(Duration::from_millis(5)).await;
    }
    began.elapsed()
}
