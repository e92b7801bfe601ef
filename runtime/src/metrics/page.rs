//! The text that Prometheus reads: format 0.0.4, families in the order of their table.

use std::fmt::{self, Write as _};

use super::{calls::Times, families::Family, stripes::upper_us};

/// Samples as they are put together.
pub(super) struct Page(Vec<String>);

impl Page {
    pub(super) fn new() -> Self {
        Self(Family::ALL.iter().map(|_| String::new()).collect())
    }

    /// One sample; the values of its labels in the order of the family's.
    pub(super) fn add(&mut self, family: Family, labels: &[&str], value: impl fmt::Display) {
        self.line(family, "", (labels, None), value);
    }

    /// The same, if it is not zero: what never happened needs no series.
    pub(super) fn add_some(&mut self, family: Family, labels: &[&str], value: u64) {
        if value > 0 {
            self.add(family, labels, value);
        }
    }

    /// The samples of one histogram.
    pub(super) fn add_times(&mut self, family: Family, labels: &[&str], times: &Times) {
        let mut below = 0;
        for (bucket, count) in times.buckets.iter().enumerate() {
            below += count;
            let upper = upper_us(bucket).map(|us| us as f64 / 1e6);
            let upper = upper.map_or_else(|| "+Inf".to_owned(), |upper| upper.to_string());
            self.line(family, "_bucket", (labels, Some(&upper)), below);
        }
        // Nanoseconds: a double holds them exactly for a hundred days of work.
        self.line(family, "_sum", (labels, None), times.sum_ns as f64 / 1e9);
        self.line(family, "_count", (labels, None), below);
    }

    fn line(
        &mut self,
        family: Family,
        suffix: &str,
        (labels, upper): (&[&str], Option<&str>),
        value: impl fmt::Display,
    ) {
        let text = &mut self.0[family as usize];
        let _ = write!(text, "{}{suffix}", family.name());
        let named = family.labels().iter().copied().zip(labels.iter().copied());
        let mut before = '{';
        for (name, value) in named.chain(upper.map(|upper| ("le", upper))) {
            let _ = write!(text, "{before}{name}=\"{}\"", Escaped(value));
            before = ',';
        }
        let end = if before == '{' { "" } else { "}" };
        let _ = writeln!(text, "{end} {value}");
    }
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (family, samples) in Family::ALL.iter().zip(&self.0) {
            writeln!(f, "# HELP {} {}", family.name(), family.help())?;
            writeln!(f, "# TYPE {} {}", family.name(), family.kind().name())?;
            f.write_str(samples)?;
        }
        Ok(())
    }
}

/// A label's value between quotes.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '\\' => f.write_str("\\\\")?,
                '"' => f.write_str("\\\"")?,
                '\n' => f.write_str("\\n")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}
