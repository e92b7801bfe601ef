//! The referee of `benches/versus`: runs the contestants cell by cell, interleaved, and compares.
//!
//! # Why
//! On a machine that is shared, the same program differs by tens of per cent from minute to minute. So no figure is
//! worth anything alone: the contestants of a cell run one after the other, and then again, and again, and the ratio
//! of their medians is what counts.
//!
//! # Not here
//! The command line for people: `benches/versus` checks it before anything is built, and says it to us in full.

mod cells;
mod child;
mod contest;
mod outcome;
mod report;
mod table;
mod verdict;

use std::{collections::HashMap, path::PathBuf, process::ExitCode, time::Duration};

use cells::{Cell, Contestant, Part};
use contest::Contest;
use outcome::Results;
use report::Report;
use versus_peers::{Failure, machine};

/// How often each contestant runs in each cell.
const REPETITIONS: u32 = 3;

struct Args {
    peer: PathBuf,
    without: HashMap<Part, PathBuf>,
    /// Per cell and contestant, all repetitions together.
    seconds: f64,
    json: bool,
    cells: Vec<Cell>,
}

fn main() -> ExitCode {
    let args = match arguments() {
        Ok(args) => args,
        Err(why) => {
            eprintln!("versus: {why}");
            return ExitCode::from(2);
        }
    };
    match run(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("versus: {why}");
            ExitCode::FAILURE
        }
    }
}

/// `--peer PATH [--without-mesh PATH] [--without-guard PATH] --seconds N --cells A,B,.. [--json]`.
fn arguments() -> Result<Args, Failure> {
    let (mut peer, mut seconds, mut json, mut cells) = (None, None, false, Vec::new());
    let mut without = HashMap::new();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("`{word}` needs a value"));
        match word.as_str() {
            "--peer" => peer = Some(PathBuf::from(value()?)),
            "--seconds" => seconds = Some(value()?.parse()?),
            "--json" => json = true,
            "--cells" => {
                cells = value()?.split(',').map(str::parse).collect::<Result<_, _>>()?;
            }
            other => {
                let part = Part::BOTH
                    .into_iter()
                    .find(|part| other.strip_prefix("--without-") == Some(part.name()));
                let part = part.ok_or(format!("`{other}` is unknown"))?;
                without.insert(part, PathBuf::from(value()?));
            }
        }
    }
    Ok(Args {
        peer: peer.ok_or("no `--peer`")?,
        without,
        seconds: seconds.ok_or("no `--seconds`")?,
        json,
        cells,
    })
}

/// Whether every contestant finished every cell.
fn run(args: &Args) -> Result<bool, Failure> {
    let report = Report::new(args.json);
    let contest = Contest {
        peer: &args.peer,
        without: &args.without,
        window: Duration::try_from_secs_f64(args.seconds / f64::from(REPETITIONS))?,
    };
    let mut contestants = Contestant::built();
    contestants.retain(|contestant| contest.has(*contestant));
    let in_cell = |cell: Cell| {
        let contestants = contestants.iter().copied();
        contestants.filter(move |contestant| contestant.runs_in(cell))
    };
    let runs: usize = args.cells.iter().map(|cell| in_cell(*cell).count()).sum();
    let load = machine::Load::now();
    let mut progress = report.progress(runs * REPETITIONS as usize);
    let mut results = Results::default();
    report.line(&format!(
        "echo between two processes on loopback; medians of {REPETITIONS} interleaved repetitions (min .. max)"
    ));
    for &cell in &args.cells {
        for repetition in 0..REPETITIONS {
            for contestant in in_cell(cell) {
                progress
                    .step(&format!("{cell}, {} of {REPETITIONS}, {contestant}", repetition + 1));
                if !results.has_failed(cell, contestant) {
                    results.add(cell, contestant, contest.run(cell, contestant));
                }
            }
        }
        progress.clear();
        for line in table::cell(cell, &contestants, &results) {
            report.line(&line);
        }
    }
    progress.clear();
    let verdict = verdict::Verdict::of(&results);
    for line in verdict.lines() {
        report.line(&line);
    }
    if let (Some(before), Some(after)) = (load, machine::Load::now()) {
        report.line(&before.others_until(&after));
    }
    if args.json {
        println!("{}", verdict.json());
    }
    Ok(!results.has_any_failed())
}
