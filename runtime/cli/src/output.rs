//! What is printed, and how the program ends.

use std::{
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
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
            let _ = writeln!(io::stderr(), "{} {}", bold_err("sinew:"), self.words);
        }
        ExitCode::from(self.code)
    }
}

/// Prints a line.
///
/// # Errors
/// Nobody reads any more.
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    writeln!(io::stdout(), "{text}")
        .map_err(|why| Failure::cannot(format!("standard output: {why}")))
}

/// Says something beside the output.
pub(crate) fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
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

pub(crate) fn styled(style: Style, text: &str) -> String {
    if !io::stdout().is_terminal() || std::env::var_os("NO_COLOR").is_some() {
        return text.to_owned();
    }
    paint(style, text)
}

fn bold_err(text: &str) -> String {
    if io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        return paint(Style::Bold, text);
    }
    text.to_owned()
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
