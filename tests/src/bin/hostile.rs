//! Every attack of `sinew_tests::hostile` beside a victim: a client whose calls are timed while the attack runs.
//!
//! `cargo run --release -p sinew-tests --bin hostile -- --json [--seconds N] [--only A1,B2]`
//!
//! # Why
//! A limit that holds is worth little if everybody else waits meanwhile. So this says, for each attack, what the victim
//! saw, how much more the server held, and how much of a processor it used for each second of the attacker's.
//!
//! # Invariants
//! The server is a process of its own, with its defaults; the attacker is a thread of its own, whose time is read from
//! `/proc`. Without `/proc` there is no memory and no ratio, and the verdict does without. The attacker gives way to the
//! others (`renice`, where there is one): it would have a machine of its own, and what it takes of this one is not what
//! the victim is to feel.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::Write as _,
    net::SocketAddr,
    path::Path,
    process::{Command, ExitCode},
    sync::mpsc,
    time::{Duration, Instant},
};

use sinew::Mesh;
use sinew_tests::{
    Must as _,
    authority::Authority,
    child::{LISTENING, Process, Start},
    hostile::{Attack, Ground, NOT_RUN, Verdict, attacks, network},
    probe::{Counting, PROBE, ProbeClient},
    raw::id,
    scene::{ANYWHERE, Scene, client_at, mesh_of},
};

/// What the victim asks for, and how often.
const PERIOD: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a closed connection may take to be gone.
const BETWEEN: Duration = Duration::from_secs(1);

type Failure = Box<dyn std::error::Error>;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    // Started by itself, with an address, it is the server.
    let done = match std::env::var("PROBE_ADDRESS") {
        Ok(address) => serve(&address).await.map(|()| true),
        Err(_) => run().await,
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "hostile: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(address: &str) -> Result<(), Failure> {
    let server = Mesh::from_env().await?.server().serve(Counting::new().server());
    let server = server.bind(address.to_owned()).await?;
    writeln!(std::io::stdout(), "{LISTENING}{}", server.local_addr())?;
    server.run_until(std::future::pending()).await;
    Ok(())
}

#[derive(Debug)]
struct Options {
    json: bool,
    length: Duration,
    only: Vec<String>,
}

fn options() -> Result<Options, Failure> {
    let mut options = Options { json: false, length: Duration::from_secs(5), only: Vec::new() };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--json" => options.json = true,
            "--seconds" => {
                let seconds = words.next().ok_or("--seconds wants a number")?;
                options.length = Duration::try_from_secs_f64(seconds.parse()?)?;
            }
            "--only" => {
                let names = words.next().ok_or("--only wants names, as in A1,B2")?;
                options.only = names.split(',').map(str::to_owned).collect();
            }
            other => return Err(format!("what is {other}?").into()),
        }
    }
    Ok(options)
}

/// Whether every bound held.
async fn run() -> Result<bool, Failure> {
    let options = options()?;
    let mut out = std::io::stdout();
    let (mut cases, mut failed) = (0, Vec::new());
    let wanted = |id: &str| options.only.is_empty() || options.only.iter().any(|only| only == id);
    for attack in attacks().filter(|attack| wanted(attack.id)) {
        let (line, held) = one(attack, options.length).await?;
        writeln!(out, "{line}")?;
        cases += 1;
        if !held {
            failed.push(attack.id);
        }
    }
    if options.json {
        let mut not_run = String::new();
        for (at, (id, why)) in NOT_RUN.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(not_run, "{comma}\"{id}\":\"{why}\"")?;
        }
        let passed = cases - failed.len();
        writeln!(
            out,
            "{{\"cases\":{cases},\"passed\":{passed},\"failed\":{failed:?},\"not_run\":{{{not_run}}}}}"
        )?;
    }
    Ok(failed.is_empty())
}

/// One attack that needs many addresses: this program again, in a network that has them.
fn elsewhere(attack: &Attack, length: Duration) -> Result<(String, bool), Failure> {
    let seconds = length.as_secs_f64().to_string();
    let arguments = ["--only", attack.id, "--seconds", &seconds];
    Ok(match network::run(&std::env::current_exe()?, &arguments) {
        Ok(output) => {
            let said = [output.stdout, output.stderr].concat();
            (String::from_utf8_lossy(&said).trim().to_owned(), output.status.success())
        }
        Err(why) => (format!("{}: cannot run here: {why}", attack.id), false),
    })
}

/// One attack against a server of its own: its line, and whether all held.
async fn one(attack: &'static Attack, length: Duration) -> Result<(String, bool), Failure> {
    if attack.needs_network() && !network::is_inside() {
        return elsewhere(attack, length);
    }
    let address = if network::is_inside() { network::SERVER } else { ANYWHERE };
    let scene = Scene::new();
    let authority = Authority::new("test authority");
    let issued = authority.issue(&id(PROBE));
    let path = std::env::current_exe()?;
    let start = Start::new(path.to_str().ok_or("a path that is text")?, &scene);
    let start = start.at(address.parse()?);
    let server = start.identity(&scene.runtime_dir(), &issued, authority.pem()).run().await;
    let mesh = mesh_of(authority.identity(&id("victim")), |builder| builder).await;
    let victim: ProbeClient = client_at(&mesh, &[server.address()]);
    let quiet = Seen::of(&victim, Duration::from_secs(1), &mut || false).await;

    let (before, cpu_before) = (server.peak_kib(), cpu(&format!("/proc/{}/stat", pid(&server))));
    let at = server.address();
    let (tell, told) = mpsc::sync_channel(1);
    let attacker = std::thread::spawn(move || assault(attack, authority, at, length, &tell));
    let mut ended = None;
    let mut over = || {
        ended = ended.take().or_else(|| told.try_recv().ok());
        ended.is_some()
    };
    let seen = Seen::of(&victim, Duration::from_secs(60), &mut over).await;
    let cpu_after = cpu(&format!("/proc/{}/stat", pid(&server)));
    let _ = attacker.join();
    let (verdict, attacker_cpu) = ended.unwrap_or((Err("it did not end".to_owned()), None));
    let grown = server.peak_kib().zip(before).map(|(after, before)| (after - before) / 1024);
    let ratio = match (cpu_before, cpu_after, attacker_cpu) {
        (Some(before), Some(after), Some(attacker)) if attacker > 0.0 => {
            Some((after - before) / attacker)
        }
        _ => None,
    };
    let allowed = Duration::from_millis(20).max(quiet.p99 * 5);
    let calm = seen.success() >= 99.9 && seen.p99 <= allowed;
    let light = grown.is_none_or(|grown| grown <= attack.mib);
    let held = verdict.is_ok() && calm && light;
    let outcome = Outcome { quiet, seen, grown, ratio, verdict, held };
    Ok((line(attack, &outcome), held))
}

/// What an attack did to the server and to the victim.
struct Outcome {
    quiet: Seen,
    seen: Seen,
    /// MiB.
    grown: Option<u64>,
    /// The server's seconds of a processor for each of the attacker's.
    ratio: Option<f64>,
    verdict: Verdict,
    held: bool,
}

fn line(attack: &Attack, outcome: &Outcome) -> String {
    let Outcome { quiet, seen, grown, ratio, verdict, held } = outcome;
    let known = |number: Option<String>| number.unwrap_or_else(|| "?".to_owned());
    let (Ok(saw) | Err(saw)) = verdict;
    format!(
        "{}: {} | victim {:.2}% of {}, p99 {:.2} ms (quiet {:.2}) | +{} MiB of {} | CPU {} | {} | {saw}",
        attack.id,
        attack.bound,
        seen.success(),
        seen.calls,
        seen.p99.as_secs_f64() * 1e3,
        quiet.p99.as_secs_f64() * 1e3,
        known(grown.map(|grown| grown.to_string())),
        attack.mib,
        known(ratio.map(|ratio| format!("{ratio:.2}"))),
        if *held { "held" } else { "FAILED" },
    )
}

/// What an attacker saw, and its seconds of a processor.
type Report = (Verdict, Option<f64>);

/// The attacker's thread.
fn assault(
    attack: &'static Attack,
    authority: Authority,
    server: SocketAddr,
    length: Duration,
    tell: &mpsc::SyncSender<Report>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ground = Ground { authority, server, length };
    let runtime = runtime.must("a runtime");
    give_way();
    let began = cpu("/proc/thread-self/stat");
    let start = Instant::now();
    let verdict = loop {
        let verdict = runtime.block_on((attack.run)(&ground));
        // A short one again: the victim is to make calls enough. What it costs is the bound of one, so the connections of
        // the last are let go before.
        if verdict.is_err() || start.elapsed() >= length {
            break verdict;
        }
        runtime.block_on(tokio::time::sleep(BETWEEN));
    };
    let used = cpu("/proc/thread-self/stat").zip(began).map(|(after, before)| after - before);
    let _ = tell.send((verdict, used));
}

/// Lets all other threads go first.
fn give_way() {
    let thread = std::fs::read_link("/proc/thread-self").ok();
    let Some(thread) = thread.as_deref().and_then(Path::file_name) else { return };
    // Without it the victim feels more, not less.
    let _ = Command::new("renice").args(["-n", "19", "-p"]).arg(thread).output();
}

/// What the victim saw.
#[derive(Debug)]
struct Seen {
    calls: usize,
    answered: usize,
    p99: Duration,
}

impl Seen {
    /// 200 calls a second, each on its own, until it is over or this long.
    async fn of(victim: &ProbeClient, length: Duration, over: &mut impl FnMut() -> bool) -> Self {
        let text = "v".repeat(100);
        let (began, mut calls) = (Instant::now(), Vec::new());
        let mut ticks = tokio::time::interval(PERIOD);
        while began.elapsed() < length && !over() {
            ticks.tick().await;
            let (victim, text) = (victim.clone(), text.clone());
            calls.push(tokio::spawn(async move {
                let began = Instant::now();
                let answer = tokio::time::timeout(PATIENCE, victim.echo(text)).await;
                (matches!(answer, Ok(Ok(_))), began.elapsed())
            }));
        }
        let (mut answered, mut times) = (0, BTreeMap::new());
        let count = calls.len();
        for (at, call) in calls.into_iter().enumerate() {
            let (good, took) = call.await.unwrap_or((false, PATIENCE));
            answered += usize::from(good);
            times.insert((took, at), ());
        }
        let p99 =
            times.keys().nth(count.saturating_sub(1) * 99 / 100).map_or(PATIENCE, |key| key.0);
        Self { calls: count, answered, p99 }
    }

    fn success(&self) -> f64 {
        100.0 * self.answered as f64 / self.calls.max(1) as f64
    }
}

fn pid(server: &Process) -> u32 {
    server.id().unwrap_or(0)
}

/// Seconds of a processor that a process or thread has used: its ticks, 100 of them a second on Linux.
fn cpu(path: &str) -> Option<f64> {
    let stat = std::fs::read_to_string(path).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / 100.0)
}
