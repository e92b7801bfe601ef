//! Generates clients from what servers say of themselves, compiles them, and calls the originals.
//!
//! `generate [--json]`: one line per finding on standard error, and with `--json` the counts as one JSON object in the
//! last line of standard output. Exits with 1 where a round trip failed or a change was judged wrongly.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use sinew_tests::{asks_for_json, generated, versions};

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let is_json = match asks_for_json("generate") {
        Ok(is_json) => is_json,
        Err(code) => return code,
    };
    let trips = match generated::round_trips().await {
        Ok(trips) => trips,
        Err(why) => {
            let _ = writeln!(io::stderr(), "{why}");
            return ExitCode::FAILURE;
        }
    };
    let compared = versions::run().await;
    for finding in trips.failed.iter().chain(&compared.findings) {
        let _ = writeln!(io::stderr(), "{finding}");
    }
    if tell(&trips, &compared, is_json).is_err() || !trips.failed.is_empty() || !compared.is_sound()
    {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn tell(trips: &generated::Report, compared: &versions::Report, is_json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let (made, failed) = (trips.round_trips, trips.failed.len());
    let (changes, wrong) = (compared.changes, compared.miscompared);
    writeln!(out, "{made} methods generated, compiled and called, {failed} failed")?;
    writeln!(out, "{} of them take what cannot be seen and were not called", trips.opaque)?;
    writeln!(out, "{changes} changes compared and run both ways, {wrong} judged wrongly")?;
    if is_json {
        writeln!(
            out,
            "{{\"round_trips\":{made},\"round_trips_failed\":{failed},\
             \"schema_changes\":{changes},\"schema_changes_wrong\":{wrong}}}"
        )?;
    }
    Ok(())
}
