//! Three servers of a known capacity, in processes of their own: three times too many calls for half a minute, and what is
//! known to keep a service down after it is over.
//!
//! `cargo run --release -p sinew-tests --bin overload -- [--json] [--seconds N] [--runs N] [--only NAME]`
//!
//! # Why
//! `scenarios` plays this in virtual time, where nothing but the decisions is real. Here everything is. The troubles are
//! those of Bronson and others, "Metastable Failures in Distributed Systems" (HotOS '21): a load that can be done, and
//! three seconds in which it cannot.
//!
//! # Invariants
//! 1. Callers do not wait for each other: calls begin when they are due.
//! 2. Callers and servers share the machine, so the capacity is one of time (workers that sleep) and not of processors.

use std::{
    collections::BTreeMap, fmt::Write as _, io::Write as _, process::ExitCode, time::Duration,
};

use sinew_tests::{
    Must as _,
    child::{Process, Start},
    flood::{self, Caller, Callers, Ended, TAKES, Trouble, WORKERS, WorkClient},
    scene::{ANYWHERE, Scene},
};

const SERVERS: usize = 3;
/// What all servers can do.
const CAPACITY: f64 = SERVERS as f64 * WORKERS as f64 / 0.03;
/// Four fifths of it.
const USUAL: u32 = 640;
const TROUBLE: Duration = Duration::from_secs(3);
/// Seconds for which those are watched that nothing protects.
const NAIVE_WATCHED: u64 = 20;

type Failure = Box<dyn std::error::Error>;

struct Options {
    json: bool,
    seconds: u64,
    runs: usize,
    only: Option<String>,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    // Started by itself, with an address, it is a server.
    let done = match std::env::var("PROBE_ADDRESS") {
        Ok(address) => flood::serve(&address, std::env::var_os("OVERLOAD_NAIVE").is_some())
            .await
            .map(|()| true),
        Err(_) => run().await,
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "overload: {error}");
            ExitCode::FAILURE
        }
    }
}

fn options() -> Result<Options, Failure> {
    let mut options = Options { json: false, seconds: 30, runs: 3, only: None };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} wants a value"));
        match word.as_str() {
            "--json" => options.json = true,
            "--seconds" => options.seconds = value()?.parse()?,
            "--runs" => options.runs = value()?.parse()?,
            "--only" => options.only = Some(value()?),
            other => return Err(format!("what is {other}?").into()),
        }
    }
    Ok(options)
}

/// Servers, and whoever calls them.
struct Fleet {
    servers: Vec<Process>,
    /// To each of them alone.
    each: Vec<WorkClient>,
    callers: Callers,
    _scene: Scene,
}

impl Fleet {
    async fn start(naive: bool) -> Result<Self, Failure> {
        let scene = Scene::new();
        let path = std::env::current_exe()?;
        let path = path.to_str().ok_or("a path that is text")?;
        let (mut servers, mut each) = (Vec::new(), Vec::new());
        for _ in 0..SERVERS {
            let mut start = Start::new(path, &scene).at(ANYWHERE.parse()?);
            if naive {
                start = start.env("OVERLOAD_NAIVE", "1");
            }
            let server = start.run().await;
            each.push(scene.client_at(&[server.address()]).await);
            servers.push(server);
        }
        let addresses: Vec<_> = servers.iter().map(Process::address).collect();
        let callers = Callers::new(scene.client_at(&addresses).await);
        Ok(Self { servers, each, callers, _scene: scene })
    }

    fn resident_kib(&self) -> u64 {
        self.servers.iter().filter_map(Process::resident_kib).sum()
    }

    async fn trouble(&self, kind: &str) {
        let trouble = match kind {
            "freeze" => {
                for server in &self.servers {
                    server.freeze().await;
                }
                return;
            }
            "hang" => Trouble::Hang,
            _ => Trouble::HangUncancelled,
        };
        for client in &self.each {
            client.trouble(trouble, TROUBLE.as_millis() as u64).await.must("a server in trouble");
        }
    }

    async fn is_over(&self, kind: &str) {
        if kind == "freeze" {
            for server in &self.servers {
                server.thaw().await;
            }
        }
    }
}

/// Whether every bar held.
async fn run() -> Result<bool, Failure> {
    let options = options()?;
    let wanted = |name: &str| options.only.as_deref().is_none_or(|only| only == name);
    let mut out = std::io::stdout();
    let (mut json, mut held) = (Vec::new(), true);
    if wanted("load") {
        let (line, fields, ok) = load(Duration::from_secs(options.seconds)).await?;
        writeln!(out, "{line}")?;
        json.push(format!("\"load\":{{{fields}}}"));
        held &= ok;
    }
    for kind in ["freeze", "hang", "hang_uncancelled"] {
        if !wanted(kind) {
            continue;
        }
        let mut back = Vec::new();
        for _ in 0..options.runs {
            let one = metastable(kind, Caller::Plain, false, 6).await?;
            writeln!(std::io::stderr(), "{kind}: back after {one:?} s")?;
            back.push(one);
        }
        let within = back.iter().flatten().filter(|back| **back <= 2.0).count();
        let worst = match back.iter().copied().collect::<Option<Vec<f64>>>() {
            Some(back) => format!("{:.1}", back.into_iter().fold(0.0, f64::max)),
            None => "null".to_owned(),
        };
        let runs = back.len();
        writeln!(out, "{kind}: {within} of {runs} back within 2 s, the last one after {worst} s")?;
        json.push(format!(
            "\"{kind}\":{{\"runs\":{runs},\"within_2s\":{within},\"worst_s\":{worst}}}"
        ));
        held &= within == back.len();
    }
    for kind in ["hang", "hang_uncancelled"] {
        let name = format!("{kind}_naive");
        if !wanted(&name) {
            continue;
        }
        let back = metastable(kind, Caller::Looping, true, NAIVE_WATCHED).await?;
        let words = match back {
            None => format!("not back in {NAIVE_WATCHED} s"),
            Some(back) => format!("back after {back:.1} s, and the trouble is none"),
        };
        writeln!(out, "{name}: {words}")?;
        let back_s = back.map_or("null".to_owned(), |back| format!("{back:.1}"));
        json.push(format!("\"{name}\":{{\"back_s\":{back_s},\"watched_s\":{NAIVE_WATCHED}}}"));
        // It is to show that the trouble is one.
        held &= back.is_none();
    }
    if options.json {
        writeln!(out, "{{{}}}", json.join(","))?;
    }
    Ok(held)
}

/// Three times too much, of which a tenth is critical.
async fn load(time: Duration) -> Result<(String, String, bool), Failure> {
    let fleet = Fleet::start(false).await?;
    let callers = &fleet.callers;
    callers.call(&[(Caller::Plain, USUAL)], Duration::from_secs(5)).await;
    let begin = callers.elapsed();
    let much = (CAPACITY * 3.0) as u32;
    let mix = [(Caller::Plain, much / 10), (Caller::Batch, much - much / 10)];
    let early = (time / 3).min(Duration::from_secs(5));
    callers.call(&mix, early).await;
    let before = fleet.resident_kib();
    callers.call(&mix, time - early).await;
    let (end, after) = (callers.elapsed(), fleet.resident_kib());
    callers.call(&[(Caller::Plain, USUAL)], Duration::from_secs(5)).await;
    tokio::time::sleep(Duration::from_secs(1)).await;

    let records = callers.records();
    let during = || records.iter().filter(|record| (begin..end).contains(&record.at));
    let well = during().filter(|record| record.ended == Ended::Well).count();
    let goodput = well as f64 / (end - begin).as_secs_f64() / CAPACITY;
    let critical: Vec<_> = during().filter(|record| record.caller == Caller::Plain).collect();
    let served = critical.iter().filter(|record| record.ended == Ended::Well).count();
    let served = served as f64 / critical.len().max(1) as f64;
    let mut told = Vec::new();
    let mut by_reason = BTreeMap::<String, Vec<f64>>::new();
    for record in during() {
        if let Ended::Refused(reason) = record.ended {
            let took = record.took.as_secs_f64() * 1e3;
            told.push(took);
            by_reason.entry(reason.to_string()).or_default().push(took);
        }
    }
    let (many, told_p99) = (told.len(), p99(told));
    let reasons = by_reason.into_iter().map(|(reason, took)| {
        let many = took.len();
        format!("{reason} {many}, p99 {:.1} ms", p99(took))
    });
    let reasons: Vec<String> = reasons.collect();
    let normal = back_after(callers, end, 0.99).unwrap_or(f64::INFINITY);
    let growth = after as f64 / before.max(1) as f64;
    let mut line = format!(
        "load: {:.0} calls/s where {CAPACITY:.0} can be done ({WORKERS} workers of {} ms each): goodput {goodput:.3}, critical \
         ones served {served:.4}, refusals {many} (p99 {told_p99:.1} ms: {}), memory x{growth:.2}, normal after {normal:.1} s",
        f64::from(much),
        TAKES.as_millis(),
        reasons.join("; "),
    );
    let ok = goodput >= 0.9 && served >= 0.999 && told_p99 <= 5.0 && normal <= 2.0 && growth <= 1.2;
    if !ok {
        write!(line, "  MISSED")?;
    }
    let normal = if normal.is_finite() { format!("{normal:.1}") } else { "null".to_owned() };
    let fields = format!(
        "\"goodput\":{goodput:.3},\"critical_served\":{served:.4},\"refused_p99_ms\":{told_p99:.2},\"memory_growth\":{growth:.2},\"normal_after_s\":{normal}"
    );
    Ok((line, fields, ok))
}

/// The figure that a hundredth is above.
fn p99(mut all: Vec<f64>) -> f64 {
    all.sort_unstable_by(f64::total_cmp);
    all.get(all.len() * 99 / 100).copied().unwrap_or(f64::NAN)
}

/// What can be done, and three seconds in which it cannot: seconds until it is again, if it ever is.
async fn metastable(
    kind: &str,
    caller: Caller,
    naive: bool,
    watch: u64,
) -> Result<Option<f64>, Failure> {
    let fleet = Fleet::start(naive).await?;
    let callers = fleet.callers.clone();
    let calls = tokio::spawn({
        let callers = callers.clone();
        async move { callers.call(&[(caller, USUAL)], Duration::from_secs(6 + watch)).await }
    });
    tokio::time::sleep(Duration::from_secs(3)).await;
    fleet.trouble(kind).await;
    tokio::time::sleep(TROUBLE).await;
    fleet.is_over(kind).await;
    let over = callers.elapsed();
    calls.await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let back = back_after(&callers, over, 0.9);
    if back.is_none_or(|back| back > 2.0) && !naive {
        tell_halves(&callers, over)?;
    }
    Ok(back)
}

/// What became of the calls of each half of a second since the trouble was over, in words.
fn tell_halves(callers: &Callers, over: Duration) -> std::io::Result<()> {
    let mut halves = BTreeMap::<u64, BTreeMap<String, u32>>::new();
    for record in callers.records().iter().filter(|record| record.at >= over) {
        let half = (record.at - over).as_millis() as u64 / 500;
        *halves.entry(half).or_default().entry(format!("{:?}", record.ended)).or_default() += 1;
    }
    for (half, ended) in halves {
        writeln!(std::io::stderr(), "  {:.1} s: {ended:?}", half as f64 / 2.0)?;
    }
    Ok(())
}

/// Seconds after `over` until this share of the calls of each half of a second is answered, and stays so; `None` where it
/// was not so at the end.
fn back_after(callers: &Callers, over: Duration, share: f64) -> Option<f64> {
    let halves = callers.halves();
    let first = (over.as_millis() / 500) as usize + 1;
    let bad = halves[first.min(halves.len())..]
        .iter()
        .rposition(|half| f64::from(half.well) < f64::from(half.calls) * share);
    let watched = halves.len().saturating_sub(first);
    match bad {
        None => Some(0.0),
        // The last of them may be a part of one.
        Some(last) if last + 2 >= watched => None,
        Some(last) => Some((last as f64 + 1.0) / 2.0),
    }
}
