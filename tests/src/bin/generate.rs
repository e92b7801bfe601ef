//! Generates clients from what services say of themselves, compiles them, and calls the originals: servers of sinew by
//! reflection, HTTP services by their OpenAPI documents.
//!
//! `generate [--all] [--json]`: one line per finding on standard error, and with `--json` the counts as one JSON object in
//! the last line of standard output. With `--all` the compiler checks what is written of every document, not of five.
//! Exits with 1 where a call failed, too few operations became methods, or a change was judged wrongly.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use sinew_tests::{generated, versions};

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let (mut is_json, mut checks_all) = (false, false);
    for argument in std::env::args().skip(1) {
        match &*argument {
            "--json" => is_json = true,
            "--all" => checks_all = true,
            _ => {
                let _ = writeln!(io::stderr(), "usage: generate [--all] [--json]");
                return ExitCode::from(2);
            }
        }
    }
    // A method that panics is called too. Looking up the names of a backtrace takes longer than its caller waits.
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let is_asked_for = panic.location().is_some_and(|place| place.file().ends_with("probe.rs"));
        if !is_asked_for {
            usual(panic);
        }
    }));
    let made = match generated::run(checks_all).await {
        Ok(made) => made,
        Err(why) => {
            let _ = writeln!(io::stderr(), "{why}");
            return ExitCode::FAILURE;
        }
    };
    let compared = versions::run().await;
    for finding in made.failed.iter().chain(&compared.findings) {
        let _ = writeln!(io::stderr(), "{finding}");
    }
    for (why, count) in &made.refused {
        let _ = writeln!(io::stderr(), "{count} of the operations are no methods: {why}");
    }
    let is_sound = made.failed.is_empty() && made.covers_enough() && compared.is_sound();
    if tell(&made, &compared, is_json).is_err() || !is_sound {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn tell(made: &generated::Report, compared: &versions::Report, is_json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let (trips, failed) = (made.round_trips, made.failed.len());
    let (changes, wrong) = (compared.changes, compared.miscompared);
    writeln!(
        out,
        "{trips} methods generated, compiled and called, {} of them over HTTP, {failed} failed",
        made.over_http
    )?;
    writeln!(out, "{} of them take what cannot be seen and were not called", made.opaque)?;
    writeln!(
        out,
        "{} OpenAPI documents with {} operations, {:.2} % of them methods; the compiler checked {}",
        made.documents,
        made.operations,
        made.coverage * 100.0,
        made.checked
    )?;
    writeln!(out, "{changes} changes compared and run both ways, {wrong} judged wrongly")?;
    if is_json {
        writeln!(
            out,
            "{{\"round_trips\":{trips},\"round_trips_failed\":{failed},\
             \"openapi_documents\":{},\"openapi_coverage\":{:.4},\
             \"schema_changes\":{changes},\"schema_changes_wrong\":{wrong}}}",
            made.documents, made.coverage
        )?;
    }
    Ok(())
}
