//! Runs the table of changes between two builds, and says what became of each.
//!
//! `versions [--json]`: one line per finding on standard error, and with `--json` the counts as one JSON object in the
//! last line of standard output. Exits with 1 where a call was misread or judged otherwise than the table says.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use sinew_tests::{
    asks_for_json,
    versions::{Report, UNDETECTABLE, run},
};

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let is_json = match asks_for_json("versions") {
        Ok(is_json) => is_json,
        Err(code) => return code,
    };
    let report = run().await;
    if tell(&report, is_json).is_err() || !report.is_sound() {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn tell(report: &Report, is_json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for finding in &report.findings {
        writeln!(io::stderr(), "{finding}")?;
    }
    for known in UNDETECTABLE {
        writeln!(out, "not counted, no structure tells it: {known}")?;
    }
    let Report { changes, kinds, misread, wrong_verdict, bincode, fallback, refused, .. } = report;
    writeln!(
        out,
        "{changes} changes in both directions, {kinds} kinds of type alike on both sides"
    )?;
    writeln!(
        out,
        "calls: {bincode} over bincode, {fallback} over named fields, {refused} refused"
    )?;
    writeln!(out, "{misread} misread, {wrong_verdict} otherwise than the table says")?;
    if is_json {
        writeln!(out, "{}", report.json())?;
    }
    Ok(())
}
