//! Five servers replaced one after the other under a load of a thousand calls a second: nobody notices.
//!
//! # Why
//! That is what a deployment is. Each server is a process; what it executes stands in its journal before it answers, so
//! that an execution that nobody heard of is counted too.
//!
//! # Invariants
//! The rate is the sender's, whatever the servers do: an answer that is late holds up no other call. On a machine that
//! cannot keep up, so many calls are out and no more: an overload would be another test.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use sinew::{CallOptions, Code, Mesh, Next, Ran, Request, Status};
use sinew_tests::{
    Must as _,
    child::{Process, Start},
    probe::ProbeClient,
    scene::{Scene, client_at},
    wait::{ms, soon, until},
};
use tokio::{sync::Semaphore, task::JoinHandle};

const SERVERS: usize = 5;
/// Between two calls: 1,000 of them a second.
const PERIOD: Duration = ms(1);
/// What a handler takes: some are at work whenever a server goes.
const DELAY: Duration = ms(20);
/// Calls that are out at most.
const OUT_MAX: usize = 256;
/// Calls before, between and after: the budget is to have something to pay with.
const STEP: u64 = 1000;

/// A server and what it has executed.
struct Server {
    process: Process,
    journal: PathBuf,
}

/// The servers of a test, also those that are gone.
struct Fleet {
    scene: Scene,
    journals: Vec<PathBuf>,
}

impl Fleet {
    fn new() -> Self {
        Self { scene: Scene::new(), journals: Vec::new() }
    }

    fn start(&self) -> Start {
        Start::new(env!("CARGO_BIN_EXE_probe"), &self.scene)
    }

    /// A server that was not there before.
    async fn add(&mut self) -> Server {
        let journal = self.scene.runtime_dir().join(format!("journal-{}", self.journals.len()));
        self.journals.push(journal.clone());
        Server { process: self.start().journal(&journal, DELAY).run().await, journal }
    }

    async fn five(&mut self) -> Vec<Server> {
        let mut servers = Vec::new();
        for _ in 0..SERVERS {
            servers.push(self.add().await);
        }
        servers
    }

    /// How often each text was echoed, by whomever.
    fn executed(&self) -> BTreeMap<String, u64> {
        let mut executed = BTreeMap::new();
        for journal in &self.journals {
            let journal = std::fs::read_to_string(journal).must("a journal");
            for line in journal.lines() {
                *executed.entry(line.to_owned()).or_default() += 1;
            }
        }
        executed
    }
}

impl Server {
    /// How much it has executed, in bytes.
    fn progress(&self) -> u64 {
        std::fs::metadata(&self.journal).map_or(0, |file| file.len())
    }

    /// Waits until it executes calls beyond these.
    async fn is_called(&self, beyond: u64) {
        until("it is called", || self.progress() > beyond).await;
    }
}

/// A call that is over.
struct Done {
    text: String,
    failed: Option<Status>,
}

/// The load: every other call is one that may be repeated.
struct Load {
    over: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    attempts: Arc<AtomicU64>,
    sender: JoinHandle<Vec<Done>>,
    _mesh: Mesh,
}

impl Load {
    /// On whatever servers are found, or on those at these addresses.
    async fn on(scene: &Scene, servers: Option<&[SocketAddr]>) -> Self {
        let attempts = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&attempts);
        let count = move |request: Request, next: Next| {
            counted.fetch_add(1, Relaxed);
            next.run(request)
        };
        let mesh = scene.mesh_with(|builder| builder.intercept_attempts(count)).await;
        let client: ProbeClient = match servers {
            Some(servers) => client_at(&mesh, servers),
            None => mesh.client(),
        };
        // Longer than a machine with other things to do takes.
        let client = client.with(CallOptions::new().timeout(Duration::from_secs(20)));
        let (over, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let sender = tokio::spawn(send(client, Arc::clone(&over), Arc::clone(&sent)));
        Self { over, sent, attempts, sender, _mesh: mesh }
    }

    /// Waits until so many more calls were sent.
    async fn goes_on(&self, calls: u64) {
        let goal = self.sent.load(Relaxed) + calls;
        until("the load goes on", || self.sent.load(Relaxed) >= goal).await;
    }

    /// What became of every call, and how many attempts they took.
    async fn ends(self) -> (Vec<Done>, u64) {
        self.over.store(true, Relaxed);
        let done = soon("the calls end", self.sender).await.must("a task");
        assert_eq!(done.len() as u64, self.sent.load(Relaxed));
        (done, self.attempts.load(Relaxed))
    }
}

async fn send(client: ProbeClient, over: Arc<AtomicBool>, sent: Arc<AtomicU64>) -> Vec<Done> {
    let places = Arc::new(Semaphore::new(OUT_MAX));
    let mut ticks = tokio::time::interval(PERIOD);
    let mut calls = Vec::new();
    while !over.load(Relaxed) {
        // What is late is made up for.
        ticks.tick().await;
        let place = Arc::clone(&places).acquire_owned().await.must("a place");
        let number = sent.fetch_add(1, Relaxed);
        let client = client.clone();
        calls.push(tokio::spawn(async move {
            let _place = place;
            let (text, answer) = if number.is_multiple_of(2) {
                let text = format!("once {number}");
                (text.clone(), client.echo(text).await)
            } else {
                let text = format!("again {number}");
                (text.clone(), client.echo_again(text).await)
            };
            if let Ok(answer) = &answer {
                assert_eq!(*answer, text);
            }
            Done { text, failed: answer.err() }
        }));
    }
    let mut done = Vec::new();
    for call in calls {
        done.push(call.await.must("a task"));
    }
    done
}

/// Fails unless every call that was answered was executed, and none that must not run twice ran twice.
fn assert_executed(done: &[Done], executed: &BTreeMap<String, u64>) {
    for call in done {
        let times = executed.get(&call.text).copied().unwrap_or(0);
        if call.text.starts_with("once") {
            assert!(times <= 1, "`{}` was executed {times} times", call.text);
        }
        assert!(times > 0 || call.failed.is_some(), "`{}` was answered by nobody", call.text);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_servers_are_replaced_in_turn_and_no_call_fails() {
    let mut fleet = Fleet::new();
    let old = fleet.five().await;
    let load = Load::on(&fleet.scene, None).await;
    for server in &old {
        server.is_called(0).await;
    }
    load.goes_on(STEP).await;
    let mut new = Vec::new();
    for mut server in old {
        let successor = fleet.add().await;
        successor.is_called(0).await;
        server.process.terminate().await;
        load.goes_on(STEP / 2).await;
        assert!(server.process.ended().await, "it drained");
        new.push(successor);
    }
    let before: Vec<_> = new.iter().map(Server::progress).collect();
    load.goes_on(STEP).await;
    for (server, before) in new.iter().zip(before) {
        server.is_called(before).await;
    }
    let (done, attempts) = load.ends().await;
    let failed: Vec<_> = done.iter().filter_map(|call| call.failed.as_ref()).collect();
    assert!(failed.is_empty(), "{} of {} failed, first {}", failed.len(), done.len(), failed[0]);
    assert!(done.len() as u64 >= 2 * STEP + SERVERS as u64 * STEP / 2, "{}", done.len());
    assert_executed(&done, &fleet.executed());
    let amplification = attempts as f64 / done.len() as f64;
    assert!((1.0..=1.2).contains(&amplification), "{attempts} attempts of {} calls", done.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_servers_are_killed_and_started_again_in_turn_and_no_call_that_may_be_repeated_fails()
{
    let mut fleet = Fleet::new();
    let mut servers = fleet.five().await;
    let addresses: Vec<_> = servers.iter().map(|server| server.process.address()).collect();
    let load = Load::on(&fleet.scene, Some(&addresses)).await;
    for server in &servers {
        server.is_called(0).await;
    }
    for _ in 0..SERVERS {
        load.goes_on(STEP).await;
        let Server { process, journal } = servers.remove(0);
        let address = process.address();
        process.kill().await;
        let process = fleet.start().at(address).journal(&journal, DELAY).run().await;
        let again = Server { process, journal };
        again.is_called(again.progress()).await;
        servers.push(again);
    }
    let (done, _) = load.ends().await;
    assert!(done.len() as u64 >= SERVERS as u64 * STEP, "{}", done.len());
    for call in &done {
        let Some(status) = &call.failed else { continue };
        // What was at work there may have run.
        let lost = (status.code(), status.ran()) == (Code::Unavailable, Ran::Maybe);
        assert!(lost && call.text.starts_with("once"), "`{}`: {status}", call.text);
    }
    assert_executed(&done, &fleet.executed());
}
