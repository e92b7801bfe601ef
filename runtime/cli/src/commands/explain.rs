//! `sinew explain`: one call, and why it went where it went.

use serde_json::{Value, json};
use sinew::{Account, LedgerAttempt, LedgerCall, Pick, Status};

use super::asked::{Came, Found, Missed};
use crate::{
    args::Explain,
    output::{self, Failure, Style, styled},
};

pub(crate) async fn run(args: Explain, json: bool) -> Result<(), Failure> {
    let found = Found::new(&args.request).await?;
    let account = Account::new();
    let asked = found.asked(&args.request, |options| options.account(&account))?;
    let mut items = 0_u64;
    let came = asked.make(|_| {
        items += 1;
        Ok(())
    });
    let came = came.await;
    // A wrong command line is no call.
    if let Err(Missed::Failure(failure)) = came {
        return Err(failure);
    }
    if json {
        let mut value = told(&account);
        let (key, said) = outcome(&came, items);
        value[key] = said;
        output::json(&value)?;
    } else {
        print(&args.request.method, &account, &came, items)?;
    }
    came.map(|_| ()).map_err(Failure::from)
}

fn print(
    method: &str,
    account: &Account,
    came: &Result<Came, Missed>,
    items: u64,
) -> Result<(), Failure> {
    let ledger = account.ledger().unwrap_or_default();
    let (style, outcome) = match came {
        Ok(Came::Value(value)) => (Style::Green, format!("answered {}", short(&value.to_string()))),
        Ok(Came::Bytes(bytes)) => (Style::Green, format!("answered {} bytes", bytes.len())),
        Ok(Came::Items) => (Style::Green, format!("answered with a stream of {items}")),
        Err(Missed::App(error)) => {
            (Style::Yellow, format!("answered with its error {}", short(&error.to_string())))
        }
        Err(_) => (Style::Red, "failed".to_owned()),
    };
    let ms = ledger.total_us as f64 / 1e3;
    output::line(&format!(
        "{} {} after {ms:.1} ms",
        styled(Style::Bold, method),
        styled(style, &outcome)
    ))?;
    for (at, pick) in account.picks().iter().enumerate() {
        output::line("")?;
        print_pick(at + 1, pick)?;
    }
    if account.left_out() > 0 {
        output::line(&format!("\nand {} more", account.left_out()))?;
    }
    heading("where the time went")?;
    output::line(&indented(&ledger.to_string()))?;
    if let Some(explanation) = account.explanation() {
        heading("what the client decided last")?;
        for decision in explanation.decisions() {
            output::line(&indented(&decision.to_string()))?;
        }
    }
    Ok(())
}

fn print_pick(number: usize, pick: &Pick) -> Result<(), Failure> {
    let after = pick.after.as_secs_f64() * 1e3;
    let endpoint = styled(Style::Bold, &pick.endpoint);
    output::line(&format!(
        "pick {number}, after {after:.1} ms: {endpoint}, because {}",
        pick.why()
    ))?;
    output::line(&styled(Style::Dim, &indented(&pick.known.to_string())))?;
    match &pick.failed {
        Some(status) => {
            output::line(&format!("  {} {status}", styled(Style::Red, "came to nothing:")))
        }
        None => Ok(()),
    }
}

fn heading(text: &str) -> Result<(), Failure> {
    output::line("")?;
    output::line(&styled(Style::Bold, text))
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

/// A value as a word of a sentence: `sinew call` prints all of it.
fn short(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}..", &text[..at]),
        None => text.to_owned(),
    }
}

fn outcome(came: &Result<Came, Missed>, items: u64) -> (&'static str, Value) {
    match came {
        Ok(Came::Value(value)) => ("answer", value.clone()),
        Ok(Came::Bytes(bytes)) => ("answer_bytes", json!(bytes.len())),
        Ok(Came::Items) => ("answer_items", json!(items)),
        Err(Missed::App(error)) => ("error", error.clone()),
        Err(Missed::Status(status)) => ("status", failure(status)),
        Err(Missed::Failure(_)) => ("status", Value::Null),
    }
}

fn failure(status: &Status) -> Value {
    json!({
        "code": status.code().to_string(),
        "message": status.message(),
        "ran": format!("{:?}", status.ran()).to_lowercase(),
    })
}

fn told(account: &Account) -> Value {
    let picks: Vec<_> = account.picks().iter().map(pick_as_json).collect();
    let explanation = account.explanation();
    let decisions: Vec<_> = explanation
        .iter()
        .flat_map(|explanation| explanation.decisions())
        .map(|decision| {
            json!({
                "seconds_ago": decision.ago.as_secs_f64(),
                "endpoint": decision.endpoint.as_deref(),
                "what": decision.what.to_string(),
                "times": decision.times,
            })
        })
        .collect();
    json!({
        "picks": picks,
        "picks_left_out": account.left_out(),
        "ledger": account.ledger().as_ref().map(call_as_json),
        "decisions": decisions,
    })
}

fn pick_as_json(pick: &Pick) -> Value {
    let endpoints: Vec<_> = pick
        .known
        .endpoints()
        .map(|(endpoint, state)| json!({"endpoint": endpoint, "state": state}))
        .collect();
    json!({
        "endpoint": &*pick.endpoint,
        "after_us": u64::try_from(pick.after.as_micros()).unwrap_or(u64::MAX),
        "why": pick.why(),
        "known": pick.known.known(),
        "endpoints": endpoints,
        "retries_left": pick.known.retries_left(),
        "failed": pick.failed.as_ref().map(failure),
    })
}

fn call_as_json(call: &LedgerCall) -> Value {
    json!({
        "method": call.method,
        "total_us": call.total_us,
        "waited_us": call.waited_us,
        "code": call.code.to_string(),
        "attempts": call.attempts.iter().map(attempt_as_json).collect::<Vec<_>>(),
    })
}

fn attempt_as_json(attempt: &LedgerAttempt) -> Value {
    let server = attempt.answered.as_ref().map(|server| {
        json!({
            "queue_us": server.queue_us,
            "work_us": server.work_us,
            "calls": server.calls.iter().map(call_as_json).collect::<Vec<_>>(),
        })
    });
    json!({
        "endpoint": attempt.endpoint,
        "started_us": attempt.started_us,
        "took_us": attempt.took_us,
        "code": attempt.code.to_string(),
        "server": server,
    })
}
