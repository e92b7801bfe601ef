//! One cell as a table for people.

use crate::{
    cells::{Cell, Contestant},
    contest::Sample,
    outcome::{Outcome, Results, Spread},
};

const COLUMNS: usize = 10;

type Row = [String; COLUMNS];

/// The figures that a ratio is made of, in the order of the last columns.
const COMPARED: [fn(&Sample) -> f64; 4] =
    [|one| one.calls_per_second, |one| one.p50_us, |one| one.p99_us, |one| one.cpu_us_per_call];

/// The lines of one cell, its heading first.
pub(crate) fn cell(cell: Cell, contestants: &[Contestant], results: &Results) -> Vec<String> {
    let mut rows = vec![
        ["", "calls/s", "p50 us", "p99 us", "CPU us", "allocations", "ours /", "theirs:", "", ""]
            .map(str::to_owned),
        ["", "", "", "", "per call", "client + server", "calls/s", "p50", "p99", "CPU"]
            .map(str::to_owned),
    ];
    let mut failures = Vec::new();
    for &contestant in contestants {
        match results.get(cell, contestant) {
            Some(Outcome::Ran(_)) => rows.extend(row(cell, contestant, results)),
            Some(Outcome::Failed(why)) => failures.push(format!("  {contestant} failed: {why}")),
            None => {}
        }
    }
    let mut lines = vec![String::new(), cell.title()];
    lines.extend(aligned(&rows));
    lines.extend(failures);
    lines
}

fn row(cell: Cell, contestant: Contestant, results: &Results) -> Option<Row> {
    let spread = |figure: fn(&Sample) -> f64| results.spread(cell, contestant, figure);
    let client = spread(|one| one.client_allocations)?.median;
    let server = spread(|one| one.server_allocations)?.median;
    let [by_calls, by_p50, by_p99, by_cpu] = COMPARED.map(|figure| {
        let ours = results.spread(cell, Contestant::Sinew, figure);
        match (ours, results.spread(cell, contestant, figure)) {
            _ if contestant == Contestant::Sinew => String::new(),
            (Some(ours), Some(theirs)) => format!("{:.2}", ours.median / theirs.median),
            _ => "-".to_owned(),
        }
    });
    Some([
        contestant.to_string(),
        in_full(spread(|one| one.calls_per_second)?),
        in_full(spread(|one| one.p50_us)?),
        in_full(spread(|one| one.p99_us)?),
        format!("{:.2}", spread(|one| one.cpu_us_per_call)?.median),
        format!("{client:.1} + {server:.1}"),
        by_calls,
        by_p50,
        by_p99,
        by_cpu,
    ])
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

/// Median, smallest and largest.
fn in_full(spread: Spread) -> String {
    let [median, min, max] =
        [spread.median, spread.min, spread.max].map(|value| grouped(&format!("{value:.0}")));
    format!("{median} ({min}..{max})")
}

/// Commas between thousands of a whole number.
fn grouped(number: &str) -> String {
    let mut out = String::with_capacity(number.len() + number.len() / 3);
    for (at, digit) in number.char_indices() {
        if at > 0 && (number.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_stand_between_thousands_only() {
        let cases = [("7", "7"), ("123", "123"), ("1234", "1,234"), ("1234567", "1,234,567")];
        for (plain, expected) in cases {
            assert_eq!(grouped(plain), expected);
        }
    }
}
