//! The referee of `benches/mesh-versus`: does the same to the replicas of each contender, and says what came of it.
//!
//! # Why
//! A mesh is worth what its callers do not notice when servers fail. Each contender gets a fresh fleet, the same load
//! and the same fault, one after another on the same machine; the replicas count what they executed, the caller what
//! it got, and everything else is computed from those two (`figures.rs`).
//!
//! # Not here
//! The command line for people: `benches/mesh-versus` checks it before anything is built, kills what is left of us
//! however we end, and fetches Envoy.

mod bars;
mod diary;
mod episode;
mod figures;
mod fleet;
mod names;
mod process;
mod table;

use std::{
    io::Write as _,
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use fleet::Site;
use names::{Contender, Fault};
use table::Outcomes;
use versus_peers::{Failure, machine};

struct Args {
    peer: PathBuf,
    envoy: Option<PathBuf>,
    logs: Option<PathBuf>,
    scratch: PathBuf,
    length: Duration,
    rate: u32,
    json: bool,
    contenders: Vec<Contender>,
    faults: Vec<Fault>,
}

fn main() -> ExitCode {
    let args = match arguments() {
        Ok(args) => args,
        Err(why) => {
            eprintln!("mesh-versus: {why}");
            return ExitCode::from(2);
        }
    };
    match run(args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("mesh-versus: {why}");
            ExitCode::FAILURE
        }
    }
}

/// `--peer PATH --scratch DIRECTORY --seconds N --rate N [--envoy PATH] [--only A,B] [--faults A,B] [--logs DIRECTORY]
/// [--json]`.
fn arguments() -> Result<Args, Failure> {
    let mut args = Args {
        peer: PathBuf::new(),
        envoy: None,
        logs: None,
        scratch: PathBuf::new(),
        length: Duration::from_secs(10),
        rate: 500,
        json: false,
        contenders: Contender::ALL.to_vec(),
        faults: Fault::ALL.to_vec(),
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("`{word}` needs a value"));
        match word.as_str() {
            "--peer" => args.peer = value()?.into(),
            "--envoy" => args.envoy = Some(value()?.into()),
            "--logs" => args.logs = Some(value()?.into()),
            "--scratch" => args.scratch = value()?.into(),
            "--seconds" => args.length = Duration::try_from_secs_f64(value()?.parse()?)?,
            "--rate" => args.rate = value()?.parse()?,
            "--json" => args.json = true,
            "--only" => args.contenders = list(&value()?)?,
            "--faults" => args.faults = list(&value()?)?,
            _ => return Err(format!("`{word}` is unknown").into()),
        }
    }
    Ok(args)
}

/// Names between commas, each once, in our order.
fn list<T: std::str::FromStr<Err = String> + Ord>(text: &str) -> Result<Vec<T>, Failure> {
    let mut names = text.split(',').map(str::parse).collect::<Result<Vec<T>, _>>()?;
    names.sort();
    names.dedup();
    Ok(names)
}

/// Whether everything ran; not whether the bars hold.
fn run(args: Args) -> Result<bool, Failure> {
    let json = args.json;
    // The table to standard error where a JSON line follows.
    let line = |line: &str| {
        // Nobody left to read it is no reason to panic: the contest ends when it ends.
        let _ = if json {
            writeln!(std::io::stderr(), "{line}")
        } else {
            writeln!(std::io::stdout(), "{line}")
        };
    };
    let site = Site::new(args.peer, args.envoy, args.rate, args.scratch, args.logs)?;
    let (load, begun) = (machine::Load::now(), Instant::now());
    line(&format!(
        "three replicas on loopback, {} idempotent calls/s of 2 ms by the clock, 1 s each; faults last {} s",
        args.rate,
        args.length.as_secs_f64()
    ));
    let mut results: Vec<(Fault, Outcomes)> = Vec::new();
    for &fault in &args.faults {
        let mut outcomes = Outcomes::new();
        for &contender in &args.contenders {
            let episode = episode::play(&site, contender, fault, args.length);
            outcomes.push((contender, episode.map_err(|why| why.to_string())));
        }
        table::lines(fault, &outcomes).iter().for_each(|one| line(one));
        results.push((fault, outcomes));
    }
    let (lines, bars) = bars::of(&results);
    lines.iter().for_each(|one| line(one));
    line(&format!("it took {:.0} s", begun.elapsed().as_secs_f64()));
    if let (Some(before), Some(after)) = (load, machine::Load::now()) {
        line(&before.others_until(&after));
    }
    if json {
        println!("{}", table::json(&results, bars));
    }
    let mut outcomes = results.iter().flat_map(|(_, outcomes)| outcomes);
    Ok(outcomes.all(|(_, outcome)| outcome.is_ok()))
}
