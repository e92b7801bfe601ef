//! One cell as a table for people.

use crate::{
    cells::{Cell, Work},
    contest::Sample,
    contestants::Contestant,
    outcome::{Outcome, Results, Spread},
};

/// A row: the name, what it came to, and ours over theirs.
type Row = Vec<String>;

/// A figure that is told in full, with how it is called and its unit.
type Told = (&'static str, &'static str, fn(&Sample, Cell) -> f64);

/// A figure of which the ratio is told.
type Compared = (&'static str, fn(&Sample) -> f64);

const CALLS: Compared = ("calls/s", |one| one.calls_per_second);
const P50: Compared = ("p50", |one| one.p50_us);
const P99: Compared = ("p99", |one| one.p99_us);
const CPU: Compared = ("CPU", |one| one.cpu_us_per_call);

const P50_TOLD: Told = ("p50 us", "", |one, _| one.p50_us);
const P99_TOLD: Told = ("p99 us", "", |one, _| one.p99_us);

/// What is told of a cell. CPU time and allocations are told of all but those that are about memory.
fn columns(work: Work) -> (&'static [Told], &'static [Compared]) {
    match work {
        Work::Echo => (
            &[("calls/s", "", |one, _| one.calls_per_second), P50_TOLD, P99_TOLD],
            &[CALLS, P50, P99, CPU],
        ),
        Work::Cold => (&[P50_TOLD, P99_TOLD], &[P50, P99, CPU]),
        Work::Down | Work::Up => (
            &[("MB/s", "", |one, cell| one.calls_per_second * cell.payload as f64 / 1e6)],
            &[("MB/s", |one| one.calls_per_second), CPU],
        ),
        Work::Idle => (
            &[
                ("server KiB", "per connection", |one, _| one.server_kib_per_call),
                ("p50 us", "of connecting", |one, _| one.p50_us),
            ],
            &[("KiB", |one| one.server_kib_per_call)],
        ),
    }
}

/// The lines of one cell, its heading first.
pub(crate) fn cell(cell: Cell, contestants: &[Contestant], results: &Results) -> Vec<String> {
    let mut rows = headings(cell.work);
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

/// Two lines.
fn headings(work: Work) -> Vec<Row> {
    let (told, compared) = columns(work);
    let each = match work {
        Work::Echo => "per call",
        Work::Down | Work::Up => "per item",
        Work::Cold | Work::Idle => "per connection",
    };
    let mut first = vec![""];
    let mut second = vec![""];
    for (name, unit, _) in told {
        first.push(name);
        second.push(unit);
    }
    first.extend(["CPU us", "allocations"]);
    second.extend([each, "client + server"]);
    let ours = ["ours /", "theirs:"].into_iter().chain(std::iter::repeat("")).take(compared.len());
    first.extend(ours);
    second.extend(compared.iter().map(|(name, _)| name));
    [first, second].map(|line| line.into_iter().map(str::to_owned).collect()).to_vec()
}

fn row(cell: Cell, contestant: Contestant, results: &Results) -> Option<Row> {
    let (told, compared) = columns(cell.work);
    let spread = |figure: fn(&Sample) -> f64| results.spread(cell, contestant, figure);
    let mut row = vec![contestant.to_string()];
    for (_, _, figure) in told {
        row.push(in_full(results.spread(cell, contestant, |one| figure(one, cell))?));
    }
    let client = spread(|one| one.client_allocations)?.median;
    let server = spread(|one| one.server_allocations)?.median;
    row.push(format!("{:.2}", spread(|one| one.cpu_us_per_call)?.median));
    row.push(format!("{client:.1} + {server:.1}"));
    for &(_, figure) in compared {
        let ours = results.spread(cell, Contestant::Sinew, figure);
        row.push(match (ours, results.spread(cell, contestant, figure)) {
            _ if contestant == Contestant::Sinew => String::new(),
            (Some(ours), Some(theirs)) => format!("{:.2}", ours.median / theirs.median),
            _ => "-".to_owned(),
        });
    }
    Some(row)
}

/// The first column to the left, the others to the right, each as wide as it must be.
fn aligned(rows: &[Row]) -> impl Iterator<Item = String> {
    let mut widths = vec![0; rows.iter().map(Vec::len).max().unwrap_or_default()];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.len().max(*width);
        }
    }
    rows.iter().map(move |row| {
        let mut line = String::from(" ");
        for (at, (cell, width)) in row.iter().zip(&widths).enumerate() {
            match at {
                0 => line.push_str(&format!(" {cell:<width$}")),
                _ => line.push_str(&format!("  {cell:>width$}")),
            }
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
