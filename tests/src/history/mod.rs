//! Servers that come and go, readers that look them up, and what is in their way, at random: a history, and whether it can
//! be.
//!
//! ```text
//!   servers ---> gate 0, 1 ---+                      +--- gate ---> reader 0: asks afresh, and what its client knows
//!                             +---> a real etcd <----+--- gate ---> reader 1
//!   etcd is killed, emptied, compacted; gates are held and shut    +--- gate ---> reader 2
//! ```

mod check;

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use sinew::Mesh;
use sinew_core::rng::{Rng as _, SplitMix, below};
use tokio::{task::JoinSet, time::sleep};

use self::check::{Call, Life, Log, Look, Trouble, Whose};
use crate::{
    Must as _,
    etcd::Etcd,
    gate::{Gate, Mood},
    probe::{Counting, PROBE, ProbeClient},
    scene::{ANYWHERE, Running, Scene},
    wait::ms,
};

pub use self::check::{BOUND, Verdict};

const GATES: usize = 2;
const READERS: usize = 3;
/// Servers that live at once, at most.
const SERVERS: usize = 6;

/// How long a history is, and of which chance.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Its length.
    pub seconds: u64,
    /// Decides what happens, but not when exactly.
    pub seed: u64,
}

/// A history, in short.
#[derive(Debug, Clone)]
pub struct History {
    /// What is wrong with it.
    pub violations: Vec<String>,
    /// What there is to say of it.
    pub verdict: Verdict,
    plan: Plan,
    counts: Counts,
    looks: usize,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    came: u32,
    went: u32,
    partitions: u32,
    killed: u32,
    emptied: u32,
    compacted: u32,
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Plan { seconds, seed } = self.plan;
        let Counts { came, went, partitions, killed, emptied, compacted } = self.counts;
        writeln!(
            f,
            "{seconds} s, seed {seed}: {came} servers came and {went} went; {partitions} partitions; etcd killed {killed} times, \
             emptied {emptied} times, compacted {compacted} times; {} look-ups",
            self.looks
        )?;
        self.verdict.fmt(f)
    }
}

/// What all of them write into.
#[derive(Debug, Clone, Default)]
struct Shared(Arc<Mutex<Log>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Log> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something is in the way from now on; its number.
    fn begins(&self, whose: Whose) -> usize {
        let mut log = self.lock();
        log.troubles.push(Trouble { whose, from: Instant::now(), until: None });
        log.troubles.len() - 1
    }

    fn ends(&self, trouble: usize) {
        self.lock().troubles[trouble].until = Some(Instant::now());
    }
}

/// Everything that takes part.
struct World {
    scene: Scene,
    etcd: Etcd,
    gates: Vec<Arc<Gate>>,
    servers: Vec<(Running, usize)>,
    log: Shared,
    chance: SplitMix,
    counts: Counts,
    /// Partitions that end by themselves.
    healing: JoinSet<()>,
    /// There is time for etcd to be gone for a minute ...
    is_long: bool,
    /// ... and it was.
    was_long: bool,
}

/// Makes a history and judges it; nothing where there is no etcd.
pub async fn report(plan: Plan) -> Option<History> {
    let etcd = Etcd::start().await?;
    let mut gates = Vec::new();
    for _ in 0..GATES + READERS {
        gates.push(Arc::new(Gate::to(etcd.port()).await));
    }
    let (scene, log) = (Scene::new(), Shared::default());
    let mut readers = JoinSet::new();
    for reader in 0..READERS {
        let text = format!("etcd://{}", gates[GATES + reader].address());
        let mesh = scene.mesh_with(|mesh| mesh.discovery(text)).await;
        readers.spawn(look_on(reader, mesh.clone(), log.clone()));
        readers.spawn(call_on(reader, mesh.client(), log.clone()));
        readers.spawn(ask_on(reader, mesh, log.clone()));
    }
    let mut world = World {
        scene,
        etcd,
        gates,
        servers: Vec::new(),
        log,
        chance: SplitMix::new(plan.seed),
        counts: Counts::default(),
        healing: JoinSet::new(),
        is_long: plan.seconds >= 300,
        was_long: false,
    };
    let end = Instant::now() + Duration::from_secs(plan.seconds);
    for _ in 0..3 {
        world.comes().await;
    }
    while Instant::now() < end {
        world.step().await;
        let pause = 100 + below(&mut world.chance, 900);
        sleep(ms(pause)).await;
    }
    readers.shutdown().await;
    let log = world.log.lock().clone();
    let verdict = log.verdict();
    let violations = verdict.violations.clone();
    Some(History { violations, verdict, plan, counts: world.counts, looks: log.looks.len() })
}

impl World {
    async fn step(&mut self) {
        while self.healing.try_join_next().is_some() {}
        match below(&mut self.chance, 100) {
            0..40 if self.servers.len() < SERVERS => self.comes().await,
            0..78 if self.servers.len() > 1 => self.goes(),
            0..78 => self.comes().await,
            78..92 => self.partition(),
            92..96 => {
                self.counts.compacted += 1;
                self.etcd.compact().await;
            }
            _ => self.strike().await,
        }
    }

    async fn comes(&mut self) {
        let gate = below(&mut self.chance, GATES as u64) as usize;
        let text = format!("etcd://{}", self.gates[gate].address());
        let mesh = self.scene.mesh_with(|mesh| mesh.discovery(text)).await;
        let server = mesh.server().serve(Counting::new().server());
        let from = Instant::now();
        let running = Running::new(server.bind(ANYWHERE).await.must("a server"));
        let address = running.address().to_string();
        self.log.lock().lives.push(Life { address, gate, from, until: None });
        self.servers.push((running, gate));
        self.counts.came += 1;
    }

    /// One is withdrawn: it drains, or is dropped.
    fn goes(&mut self) {
        let at = below(&mut self.chance, self.servers.len() as u64) as usize;
        let (running, _) = self.servers.swap_remove(at);
        let address = running.address().to_string();
        let now = Instant::now();
        for life in &mut self.log.lock().lives {
            if life.address == address && life.until.is_none() {
                life.until = Some(now);
            }
        }
        self.counts.went += 1;
        if self.chance.next_u64().is_multiple_of(4) {
            drop(running);
        } else {
            tokio::spawn(running.drained());
        }
    }

    /// Some are cut off from etcd for a while.
    fn partition(&mut self) {
        let at = below(&mut self.chance, (GATES + READERS) as u64) as usize;
        let whose = if at < GATES { Whose::Servers(at) } else { Whose::Reader(at - GATES) };
        let is_cut = |trouble: &Trouble| trouble.whose == whose && trouble.until.is_none();
        if self.log.lock().troubles.iter().any(is_cut) {
            return;
        }
        let mood = match below(&mut self.chance, 3) {
            0 => Mood::Held,
            1 => Mood::Shut,
            _ => Mood::Slow(ms(300)),
        };
        let length = ms(500 + below(&mut self.chance, 7500));
        let (gate, log) = (Arc::clone(&self.gates[at]), self.log.clone());
        self.counts.partitions += 1;
        let trouble = log.begins(whose);
        gate.is(mood);
        self.healing.spawn(async move {
            sleep(length).await;
            gate.is(Mood::Open);
            log.ends(trouble);
        });
    }

    /// etcd is killed, and may come back with nothing.
    async fn strike(&mut self) {
        let is_emptied = self.chance.next_u64().is_multiple_of(2);
        if is_emptied {
            // A word that not all have heard yet would be lost with it, and nobody could know.
            while self.healing.join_next().await.is_some() {}
            sleep(BOUND).await;
        }
        let trouble = self.log.begins(Whose::Etcd);
        self.etcd.kill().await;
        self.counts.killed += 1;
        // In a long history for a whole minute, once.
        let is_long = self.is_long && !is_emptied && !std::mem::replace(&mut self.was_long, true);
        let length = if is_long { 60_000 } else { below(&mut self.chance, 4000) };
        sleep(ms(length)).await;
        if is_emptied {
            self.counts.emptied += 1;
            self.etcd.wipe();
        }
        self.etcd.restart().await;
        self.log.ends(trouble);
    }
}

/// Asks etcd afresh, again and again.
async fn ask_on(reader: usize, mesh: Mesh, log: Shared) {
    let target = format!("etcd:{PROBE}");
    loop {
        let began = Instant::now();
        if let Ok(listed) = mesh.listed(PROBE, &target).await {
            let listed = listed.into_iter().map(|one| one.address).collect();
            let ended = Instant::now();
            log.lock().looks.push(Look { reader, is_fresh: true, began, ended, listed });
        }
        sleep(ms(100)).await;
    }
}

/// Calls again and again.
async fn call_on(reader: usize, client: ProbeClient, log: Shared) {
    loop {
        let began = Instant::now();
        let failed = client.echo_again("x".into()).await.err().map(|status| status.to_string());
        let ended = Instant::now();
        log.lock().calls.push(Call { reader, began, ended, failed });
        sleep(ms(20)).await;
    }
}

/// Looks at what a client knows.
async fn look_on(reader: usize, mesh: Mesh, log: Shared) {
    loop {
        let began = Instant::now();
        let listed = known(&mesh);
        let ended = Instant::now();
        log.lock().looks.push(Look { reader, is_fresh: false, began, ended, listed });
        sleep(ms(50)).await;
    }
}

/// The endpoints that the mesh's one client has.
fn known(mesh: &Mesh) -> BTreeSet<String> {
    const SERIES: &str = "sinew_client_endpoint_breaker_state{";
    let text = mesh.metrics().to_string();
    let of = |line: &str| {
        let rest = line.strip_prefix(SERIES)?;
        let (_, rest) = rest.split_once("endpoint=\"")?;
        rest.split_once('"').map(|(address, _)| address.to_owned())
    };
    text.lines().filter_map(of).filter(|address| address != "other").collect()
}
