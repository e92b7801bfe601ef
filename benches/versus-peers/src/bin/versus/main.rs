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
mod contestants;
mod outcome;
mod report;
mod table;
mod verdict;

use std::{collections::HashMap, path::PathBuf, process::ExitCode, time::Duration};

use cells::Cell;
use contest::Contest;
use contestants::{Contestant, Part};
use outcome::Results;
use report::Report;
use versus_peers::{Failure, machine};

/// How often each contestant runs in each cell, but for those that are about memory.
const REPETITIONS: u32 = 3;

struct Args {
    peer: PathBuf,
    without: HashMap<Part, PathBuf>,
    namespaces: Option<String>,
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

/// `--peer PATH [--without-mesh PATH] [--without-guard PATH] [--namespaces PREFIX] --seconds N --cells A,B,.. [--json]`.
fn arguments() -> Result<Args, Failure> {
    let (mut peer, mut seconds, mut json, mut cells) = (None, None, false, Vec::new());
    let (mut without, mut namespaces) = (HashMap::new(), None);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("`{word}` needs a value"));
        match word.as_str() {
            "--peer" => peer = Some(PathBuf::from(value()?)),
            "--seconds" => seconds = Some(value()?.parse()?),
            "--json" => json = true,
            "--namespaces" => namespaces = Some(value()?),
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
        namespaces,
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
        namespaces: args.namespaces.as_deref(),
    };
    let mut contestants = Contestant::built();
    contestants.retain(|contestant| contest.has(*contestant));
    let in_cell = |cell: Cell| {
        let contestants = contestants.iter().copied();
        contestants.filter(move |contestant| contestant.runs_in(cell))
    };
    let runs = args.cells.iter().map(|cell| in_cell(*cell).count() * repetitions(*cell) as usize);
    let load = machine::Load::now();
    let mut progress = report.progress(runs.sum());
    let mut results = Results::default();
    report.line(&format!(
        "two processes on one machine; medians of {REPETITIONS} interleaved repetitions (min .. max)"
    ));
    for &cell in &args.cells {
        for repetition in 0..repetitions(cell) {
            for contestant in in_cell(cell) {
                let of = repetitions(cell);
                progress.step(&format!("{cell}, {} of {of}, {contestant}", repetition + 1));
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

/// What other programs do to a machine is not seen in the memory of a process.
const fn repetitions(cell: Cell) -> u32 {
    if matches!(cell.work, cells::Work::Idle) { 1 } else { REPETITIONS }
}
