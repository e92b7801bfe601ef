//! What is printed, and how the program ends.

use std::{
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
    time::{Duration, Instant},
};

/// Why a command did not do what was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    words: String,
}

impl Failure {
    /// It was asked, and the answer is no. Without words where they have been printed.
    pub(crate) fn no(words: impl Into<String>) -> Self {
        Self { code: 1, words: words.into() }
    }

    /// What was asked for is nothing that can be asked.
    pub(crate) fn usage(words: impl Into<String>) -> Self {
        Self { code: 2, words: words.into() }
    }

    /// What was named cannot be had.
    pub(crate) fn cannot(words: impl Into<String>) -> Self {
        Self { code: 3, words: words.into() }
    }

    pub(crate) fn exit(self) -> ExitCode {
        if !self.words.is_empty() {
            note(&format!("{} {}", bold_err("sinew:"), self.words));
        }
        ExitCode::from(self.code)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.words)
    }
}

/// Prints a line.
///
/// # Errors
/// Nobody reads any more.
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    bytes(format!("{text}\n").as_bytes())
}

/// Prints bytes as they are.
///
/// # Errors
/// Nobody reads any more.
pub(crate) fn bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|why| match why.kind() {
        // Whoever reads (`head`) has seen enough: that is no failure of ours.
        io::ErrorKind::BrokenPipe => Failure { code: 0, words: String::new() },
        _ => Failure::cannot(format!("standard output: {why}")),
    })
}

/// Prints JSON, as people and `jq` read it.
///
/// # Errors
/// Nobody reads any more.
pub(crate) fn json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let text =
        serde_json::to_string_pretty(value).map_err(|why| Failure::cannot(why.to_string()))?;
    line(&text)
}

/// Prints columns under their names, as wide as what is in them. A row may have fewer cells, and the last of a row is not
/// padded.
///
/// # Errors
/// Nobody reads any more.
pub(crate) fn table(names: &[&str], rows: &[Vec<String>]) -> Result<(), Failure> {
    let width = |at: usize| {
        let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count());
        cells.chain(names.get(at).map(|name| name.len())).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..names.len()).map(width).collect();
    let padded = |row: &[&str]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    line(&styled(Style::Bold, &padded(names)))?;
    for row in rows {
        line(&padded(&row.iter().map(String::as_str).collect::<Vec<_>>()))?;
    }
    Ok(())
}

/// Says something beside the output.
pub(crate) fn note(text: &str) {
    // In one piece: others may write there too.
    let _ = io::stderr().write_all(format!("{text}\n").as_bytes());
}

/// What a word is set apart by on a terminal, and by nothing elsewhere.
#[derive(Clone, Copy)]
pub(crate) enum Style {
    Bold,
    Dim,
    Red,
    Green,
    Yellow,
}

/// A text for standard output.
pub(crate) fn styled(style: Style, text: &str) -> String {
    if !io::stdout().is_terminal() || std::env::var_os("NO_COLOR").is_some() {
        return text.to_owned();
    }
    paint(style, text)
}

fn bold_err(text: &str) -> String {
    if watched() && std::env::var_os("NO_COLOR").is_none() {
        return paint(Style::Bold, text);
    }
    text.to_owned()
}

/// Whether a person sees what goes to standard error.
pub(crate) fn watched() -> bool {
    io::stderr().is_terminal()
}

/// How far long work is: one line on a terminal, written again and again, and nothing elsewhere. Dropped, it is gone.
#[derive(Debug)]
pub(crate) struct Progress {
    shown: Option<Instant>,
    on: bool,
}

impl Progress {
    /// How often the line changes.
    const EVERY: Duration = Duration::from_millis(100);

    pub(crate) fn new() -> Self {
        Self { shown: None, on: watched() }
    }

    pub(crate) fn show(&mut self, words: impl FnOnce() -> String) {
        if !self.on || self.shown.is_some_and(|at| at.elapsed() < Self::EVERY) {
            return;
        }
        self.shown = Some(Instant::now());
        let _ = write!(io::stderr(), "\r\x1b[K{}", words());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown.is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

fn paint(style: Style, text: &str) -> String {
    let code = match style {
        Style::Bold => 1,
        Style::Dim => 2,
        Style::Red => 31,
        Style::Green => 32,
        Style::Yellow => 33,
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}
