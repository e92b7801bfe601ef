//! What sinew must reach, and whether it did.

use serde_json::{Value, json};

use crate::{
    figures::Figures,
    names::{Contender, Fault},
    table::Outcomes,
};

/// One of them.
struct Bar {
    key: &'static str,
    meaning: &'static str,
    most: f64,
    /// None when its fault did not run.
    ours: Option<f64>,
}

/// Lines for people, and the same for machines.
pub(crate) fn of(results: &[(Fault, Outcomes)]) -> (Vec<String>, Value) {
    let mut lines = vec![String::new(), "what sinew must reach".to_owned()];
    let mut values = serde_json::Map::new();
    for bar in bars(results) {
        let rounded = |ours: f64| (ours * 100.0).round() / 100.0;
        let holds = bar.ours.map(|ours| rounded(ours) <= bar.most);
        let (ours, verdict) = match (bar.ours, holds) {
            (Some(ours), Some(true)) => (format!("{ours:.2}"), "holds"),
            (Some(ours), _) => (format!("{ours:.2}"), "MISSED"),
            (None, _) => ("-".to_owned(), "did not run"),
        };
        lines.push(format!("  {:<44} {ours:>6}, at most {:.2}: {verdict}", bar.meaning, bar.most));
        let value = json!({"ours": bar.ours, "bar": bar.most, "holds": holds});
        values.insert(bar.key.to_owned(), value);
    }
    (lines, Value::Object(values))
}

fn bars(results: &[(Fault, Outcomes)]) -> [Bar; 4] {
    let ours = |fault, figure: fn(&Figures) -> f64| sinew(results, fault).map(figure);
    [
        Bar {
            key: "restart_failed",
            meaning: "restart of all: failed calls",
            most: 0.0,
            ours: ours(Fault::Restart, |figures| figures.failed as f64),
        },
        Bar {
            key: "all_fail_attempts",
            meaning: "all fail: attempts per call",
            most: 1.2,
            ours: ours(Fault::AllFail, |figures| figures.attempts_per_call),
        },
        Bar {
            key: "all_fail_attempts_later",
            meaning: "the same, in the second half of that time",
            most: 1.2,
            ours: ours(Fault::AllFail, |figures| figures.attempts_later),
        },
        Bar {
            key: "slow_p99",
            meaning: "one slow: p99, times the healthy one",
            most: 1.5,
            ours: ours(Fault::Slow, |figures| {
                figures.p99_us as f64 / figures.healthy_p99_us.max(1) as f64
            }),
        },
    ]
}

fn sinew(results: &[(Fault, Outcomes)], fault: Fault) -> Option<&Figures> {
    let (_, outcomes) = results.iter().find(|(one, _)| *one == fault)?;
    let ours = outcomes.iter().find(|(one, _)| *one == Contender::Sinew);
    ours.and_then(|(_, outcome)| outcome.as_ref().ok().map(|episode| &episode.figures))
}
