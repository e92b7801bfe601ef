//! What a scenario found, beside what it must be.

use std::fmt::Write as _;

/// What a figure must be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bar {
    /// At most this.
    AtMost(f64),
    /// At least this.
    AtLeast(f64),
    /// This, give or take.
    About(f64, f64),
}

/// One figure of one scenario.
#[derive(Debug, Clone)]
pub struct Figure {
    /// Number of the scenario, and a letter.
    pub id: &'static str,
    /// What is measured, with its unit.
    pub name: String,
    /// What it is with the mechanism switched off, and what the literature has for that; where there is something to
    /// switch off.
    pub naive: Option<(f64, Option<f64>)>,
    /// What it is.
    pub ours: f64,
    /// What it must be.
    pub bar: Bar,
}

impl Figure {
    /// Whether it is what it must be.
    pub fn holds(&self) -> bool {
        match self.bar {
            Bar::AtMost(most) => self.ours <= most,
            Bar::AtLeast(least) => self.ours >= least,
            Bar::About(value, margin) => (self.ours - value).abs() <= margin,
        }
    }

    /// Whether the figure without the mechanism is what the literature says, within a fifth: then the scenario is the
    /// one that the literature speaks of. `None` where it says nothing.
    pub fn naive_reproduced(&self) -> Option<bool> {
        let (found, expected) = self.naive?;
        expected.map(|expected| (found - expected).abs() <= expected.abs() * 0.2)
    }

    /// A row for people.
    pub fn row(&self) -> String {
        let bar = match self.bar {
            Bar::AtMost(most) => format!("<= {}", number(most)),
            Bar::AtLeast(least) => format!(">= {}", number(least)),
            Bar::About(value, margin) => format!("{} +- {}", number(value), number(margin)),
        };
        let naive = match self.naive {
            None => "-".to_owned(),
            Some((found, None)) => number(found),
            Some((found, Some(expected))) => format!("{} ({})", number(found), number(expected)),
        };
        let holds = if self.holds() { "ok" } else { "MISSED" };
        format!(
            "{:<4} {:<58} {:>18} {:>10}   {:<14} {holds}",
            self.id,
            self.name,
            naive,
            number(self.ours),
            bar
        )
    }

    /// An object of the report.
    pub fn json(&self) -> String {
        let mut out =
            format!("{{\"id\":\"{}\",\"name\":\"{}\",\"kind\":\"sim\"", self.id, self.name);
        let or_null = |value: Option<String>| value.unwrap_or_else(|| "null".to_owned());
        let naive = or_null(self.naive.map(|(found, _)| number(found)));
        let reproduced = or_null(self.naive_reproduced().map(|is| is.to_string()));
        let bar = match self.bar {
            Bar::AtMost(bar) | Bar::AtLeast(bar) | Bar::About(bar, _) => number(bar),
        };
        let _ = write!(
            out,
            ",\"naive\":{naive},\"naive_reproduced\":{reproduced},\"ours\":{},\"bar\":{bar},\"holds\":{}}}",
            number(self.ours),
            self.holds()
        );
        out
    }
}

/// Four digits that matter.
fn number(value: f64) -> String {
    if !value.is_finite() {
        return "null".to_owned();
    }
    let digits = match value.abs() {
        0.0 => 0,
        size if size >= 1000.0 => 0,
        size if size >= 100.0 => 1,
        size if size >= 1.0 => 2,
        size if size >= 0.01 => 4,
        _ => 6,
    };
    let text = format!("{value:.digits$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(ours: f64, bar: Bar, naive: Option<(f64, Option<f64>)>) -> Figure {
        Figure { id: "0a", name: "a thing (ms)".to_owned(), naive, ours, bar }
    }

    #[test]
    fn a_bar_holds_on_its_own_side() {
        assert!(figure(1.0, Bar::AtMost(1.0), None).holds());
        assert!(!figure(1.1, Bar::AtMost(1.0), None).holds());
        assert!(!figure(f64::NAN, Bar::AtMost(1.0), None).holds());
        assert!(!figure(0.9, Bar::AtLeast(1.0), None).holds());
        assert!(figure(0.9, Bar::About(1.0, 0.2), None).holds());
    }

    #[test]
    fn a_naive_figure_is_compared_where_there_is_one() {
        let bar = Bar::AtMost(1.0);
        assert_eq!(figure(1.0, bar, None).naive_reproduced(), None);
        assert_eq!(figure(1.0, bar, Some((5.0, None))).naive_reproduced(), None);
        assert_eq!(figure(1.0, bar, Some((5.0, Some(5.9)))).naive_reproduced(), Some(true));
        assert_eq!(figure(1.0, bar, Some((5.0, Some(7.0)))).naive_reproduced(), Some(false));
    }

    #[test]
    fn the_report_is_json() {
        let json = figure(0.5, Bar::AtMost(1.0), Some((2.0, Some(2.0)))).json();
        assert_eq!(
            json,
            "{\"id\":\"0a\",\"name\":\"a thing (ms)\",\"kind\":\"sim\",\"naive\":2,\"naive_reproduced\":true,\"ours\":0.5,\"bar\":1,\"holds\":true}"
        );
    }
}
