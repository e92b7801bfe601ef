//! Where the words go: the table to standard output, or to standard error where a JSON line follows; progress to a
//! terminal only.

use std::{
    io::{IsTerminal as _, Write as _},
    time::Instant,
};

pub(crate) struct Report {
    json: bool,
}

/// One line that is overwritten, with how much is left.
pub(crate) struct Progress {
    terminal: bool,
    begun: Instant,
    done: usize,
    steps: usize,
}

impl Report {
    pub(crate) const fn new(json: bool) -> Self {
        Self { json }
    }

    /// A line of the table.
    pub(crate) fn line(&self, line: &str) {
        // Nobody left to read it is no reason to panic: the contest ends when it ends.
        let _ = if self.json {
            writeln!(std::io::stderr(), "{line}")
        } else {
            writeln!(std::io::stdout(), "{line}")
        };
    }

    pub(crate) fn progress(&self, steps: usize) -> Progress {
        let terminal = std::io::stderr().is_terminal();
        Progress { terminal, begun: Instant::now(), done: 0, steps }
    }
}

impl Progress {
    /// Before each step.
    pub(crate) fn step(&mut self, what: &str) {
        if self.terminal {
            let left = self.seconds_left().map(|left| format!(", {left:.0} s left"));
            let (done, steps) = (self.done, self.steps);
            eprint!("\r\x1b[2K[{done}/{steps}{}] {what}", left.unwrap_or_default());
            // A progress line that cannot be shown is not worth a word.
            let _ = std::io::stderr().flush();
        }
        self.done += 1;
    }

    /// Before anything else is printed.
    pub(crate) fn clear(&self) {
        if self.terminal {
            eprint!("\r\x1b[2K");
        }
    }

    fn seconds_left(&self) -> Option<f64> {
        let each = self.begun.elapsed().as_secs_f64() / self.done as f64;
        (self.done > 0).then(|| each * (self.steps - self.done) as f64)
    }
}
