//! Many seeds, on as many threads as there are cores, and what is told of them.

use std::{
    io::{self, Write as _},
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::Instant,
};

use sinew::fuzzing::Planted;

use super::run::{Order, Report, run};

const USAGE: &str =
    "usage: sim [--seeds NUMBER] [--seed FIRST] [--planted NAME] [--twice] [--log] [--json]";

/// What was asked for.
#[derive(Debug, Clone, Copy)]
struct Arguments {
    first: u64,
    seeds: u64,
    planted: Option<(&'static str, Planted)>,
    /// Each seed twice, which must come to the same.
    twice: bool,
    log: bool,
    json: bool,
}

fn arguments() -> Result<Arguments, String> {
    let mut arguments =
        Arguments { first: 1, seeds: 1, planted: None, twice: false, log: false, json: false };
    let mut given = std::env::args().skip(1);
    while let Some(name) = given.next() {
        let mut value = || given.next().ok_or_else(|| format!("`{name}` needs a value; {USAGE}"));
        let number = |text: String| {
            text.parse::<u64>().map_err(|_| format!("`{text}` is no number; {USAGE}"))
        };
        match &*name {
            "--seeds" => arguments.seeds = number(value()?)?,
            "--seed" => arguments.first = number(value()?)?,
            "--twice" => arguments.twice = true,
            "--log" => arguments.log = true,
            "--json" => arguments.json = true,
            "--planted" => {
                let wanted = value()?;
                let known = Planted::ALL.into_iter().find(|(name, _)| *name == wanted);
                let names = || Planted::ALL.map(|(name, _)| name).join(", ");
                arguments.planted =
                    Some(known.ok_or_else(|| format!("there is no `{wanted}`: {}", names()))?);
            }
            _ => return Err(format!("`{name}` is not known; {USAGE}")),
        }
    }
    Ok(arguments)
}

/// The program `sim`: exits with 1 where a rule was broken, and with a mistake planted, where none was.
pub fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(problem) => {
            let _ = writeln!(io::stderr(), "{problem}");
            return ExitCode::from(2);
        }
    };
    match play(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) | Err(_) => ExitCode::FAILURE,
    }
}

/// What all seeds came to together.
#[derive(Debug, Default)]
struct Sum {
    seeds: u64,
    calls: u64,
    runs: u64,
    failed: u64,
    packets: u64,
    hash: u64,
    broken: Vec<Report>,
}

impl Sum {
    /// The first seed that broke the rule which the planted mistake breaks.
    fn found(&self, arguments: &Arguments) -> Option<u64> {
        let planted = arguments.planted.map(|(_, planted)| planted);
        let found = self.broken.iter().filter(|report| report.finds(planted));
        found.map(|report| report.seed).min()
    }

    fn add(&mut self, report: Report) {
        self.seeds += 1;
        self.calls += report.calls;
        self.runs += report.runs;
        self.failed += report.failed;
        self.packets += report.packets;
        // The order in which threads finish says nothing.
        self.hash ^= report.hash.rotate_left((report.seed % 64) as u32);
        if !report.broken.is_empty() {
            self.broken.push(report);
        }
    }
}

/// Whether all is as it should be.
fn play(arguments: &Arguments) -> io::Result<bool> {
    let began = Instant::now();
    let sum = all(arguments);
    let took = began.elapsed().as_secs_f64();
    let mut out = io::stdout().lock();
    for report in &sum.broken {
        for line in report.log.iter().chain(&report.broken) {
            writeln!(out, "seed {}: {line}", report.seed)?;
        }
        writeln!(out, "replay: {}", replay(report.seed, arguments))?;
    }
    let Sum { seeds, calls, runs, failed, packets, hash, .. } = sum;
    let broken = sum.broken.len();
    writeln!(
        out,
        "{seeds} seeds, {broken} broken; {calls} calls, {failed} of them failed, {runs} runs of handlers, {packets} \
         packets; hash {hash:016x}; {took:.1} s"
    )?;
    let found = sum.found(arguments);
    if let (Some((name, _)), Some(seed)) = (arguments.planted, found) {
        writeln!(out, "`{name}` was found after {seeds} seeds, by seed {seed}")?;
    }
    if arguments.json {
        writeln!(
            out,
            "{{\"seeds\":{seeds},\"first\":{},\"broken\":{broken},\"calls\":{calls},\"failed\":{failed},\"runs\":{runs},\
             \"packets\":{packets},\"hash\":\"{hash:016x}\",\"seconds\":{took:.1},\"found\":{}}}",
            arguments.first,
            found.map_or("null".to_owned(), |seed| seed.to_string())
        )?;
    }
    Ok(if arguments.planted.is_some() { found.is_some() } else { broken == 0 })
}

/// The line that plays a seed again.
fn replay(seed: u64, arguments: &Arguments) -> String {
    let planted = arguments.planted.map_or(String::new(), |(name, _)| format!(" --planted {name}"));
    format!("cargo run --release -p sinew-tests --bin sim -- --seed {seed}{planted} --log")
}

/// Every seed, or with a mistake planted, those until it is found.
fn all(arguments: &Arguments) -> Sum {
    let next = AtomicU64::new(0);
    let sum = Mutex::new(Sum::default());
    let lock = || sum.lock().unwrap_or_else(PoisonError::into_inner);
    let work = || {
        loop {
            let number = next.fetch_add(1, Relaxed);
            let found = arguments.planted.is_some() && lock().found(arguments).is_some();
            if number >= arguments.seeds || found {
                return;
            }
            let report = one(arguments, arguments.first + number);
            lock().add(report);
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads.min(arguments.seeds as usize) {
            scope.spawn(work);
        }
    });
    let mut sum = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    sum.broken.sort_by_key(|report| report.seed);
    sum
}

fn one(arguments: &Arguments, seed: u64) -> Report {
    let planted = arguments.planted.map(|(_, planted)| planted);
    let order = Order { seed, planted, log: arguments.log };
    let mut report = run(order);
    if arguments.twice {
        let again = run(order);
        if again.hash != report.hash {
            let (first, second) = (report.hash, again.hash);
            report.broken.push(format!("not the same twice: {first:016x}, then {second:016x}"));
        }
    }
    report
}
