//! The results for people, fault by fault, and for machines.

use serde_json::{Map, Value, json};

use crate::{
    episode::Episode,
    figures::{Figures, When},
    names::{Contender, Fault},
};

const COLUMNS: usize = 11;

type Row = [String; COLUMNS];

/// What one fault came to: an episode for each contender, or why there is none.
pub(crate) type Outcomes = Vec<(Contender, Result<Episode, String>)>;

/// The lines of one fault, its heading first.
pub(crate) fn lines(fault: Fault, outcomes: &Outcomes) -> Vec<String> {
    let heading = [
        "", "calls", "failed", "p99", "healthy", "left", "back", "attempts", "good", "CPU",
        "memory",
    ];
    let units = ["", "", "", "ms", "p99 ms", "ms", "ms", "per call", "per s", "us/call", "MiB"];
    let mut rows = vec![heading.map(str::to_owned), units.map(str::to_owned)];
    let mut notes = Vec::new();
    for (contender, outcome) in outcomes {
        match outcome {
            Ok(episode) => {
                rows.push(row(*contender, &episode.figures));
                notes.extend(notes_on(*contender, episode));
            }
            Err(why) => notes.push(format!("  {contender}: did not run: {why}")),
        }
    }
    let mut lines = vec![String::new(), format!("{}: {}", fault.name(), fault.meaning())];
    lines.extend(aligned(&rows));
    lines.extend(notes);
    lines
}

fn row(contender: Contender, figures: &Figures) -> Row {
    [
        contender.to_string(),
        figures.calls.to_string(),
        figures.failed.to_string(),
        ms(figures.p99_us),
        ms(figures.healthy_p99_us),
        when(figures.left),
        when(figures.back),
        format!("{:.2}", figures.attempts_per_call),
        format!("{:.0}", figures.calls_per_s),
        format!("{:.0}", figures.cpu_us_per_call),
        format!("{:.0}", figures.memory_mib),
    ]
}

fn notes_on(contender: Contender, episode: &Episode) -> Vec<String> {
    let name = contender.name();
    let mut notes = Vec::new();
    if episode.figures.failed > 0 {
        let first = episode.first_failure.as_deref().unwrap_or("");
        let with = &episode.figures.failed_with;
        notes.push(format!("  {name} failed: {with}; first {first}"));
    }
    if episode.again > 0 {
        notes.push(format!(
            "  {name} began {} times: calls went badly before there was a fault",
            episode.again + 1
        ));
    }
    notes
}

fn ms(us: u64) -> String {
    format!("{:.1}", us as f64 / 1e3)
}

fn when(when: When) -> String {
    match when {
        When::Ms(ms) => format!("{ms:.0}"),
        When::Never => "never".to_owned(),
        When::Meaningless => "-".to_owned(),
    }
}

/// The first column to the left, the others to the right, each as wide as it must be.
fn aligned(rows: &[Row]) -> impl Iterator<Item = String> {
    let mut widths = [0; COLUMNS];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.len().max(*width);
        }
    }
    rows.iter().map(move |row| {
        let mut line = format!("  {:<width$}", row[0], width = widths[0]);
        for (cell, width) in row.iter().zip(widths).skip(1) {
            line.push_str(&format!("  {cell:>width$}"));
        }
        line.truncate(line.trim_end().len());
        line
    })
}

/// All results as one JSON object.
pub(crate) fn json(results: &[(Fault, Outcomes)], bars: Value) -> Value {
    let mut faults = Vec::new();
    let mut all_fail = Map::new();
    for (fault, outcomes) in results {
        let columns = outcomes.iter().map(|(contender, outcome)| {
            let figures = outcome.as_ref().ok().map(|episode| &episode.figures);
            (contender.name().to_owned(), figures.map_or(Value::Null, object))
        });
        if *fault == Fault::AllFail {
            all_fail.extend(columns);
            continue;
        }
        let mut one = Map::from_iter([("fault".to_owned(), json!(fault.name()))]);
        one.extend(columns);
        faults.push(Value::Object(one));
    }
    json!({"faults": faults, "all_fail": all_fail, "bars": bars})
}

fn object(figures: &Figures) -> Value {
    let when = |when| match when {
        When::Ms(ms) => json!(rounded(ms, 10.0)),
        When::Never | When::Meaningless => Value::Null,
    };
    json!({
        "calls": figures.calls,
        "failed": figures.failed,
        "p99_us": figures.p99_us,
        "healthy_p99_us": figures.healthy_p99_us,
        "left_ms": when(figures.left),
        "back_ms": when(figures.back),
        "first_back_ms": when(figures.first_back),
        "attempts_per_call": rounded(figures.attempts_per_call, 1e3),
        "attempts_per_call_later": rounded(figures.attempts_later, 1e3),
        "calls_per_s": rounded(figures.calls_per_s, 10.0),
        "cpu_s": rounded(figures.cpu_s, 1e3),
        "memory_mib": rounded(figures.memory_mib, 10.0),
    })
}

fn rounded(value: f64, to: f64) -> f64 {
    (value * to).round() / to
}
