//! Why a value cannot be read, and where in it.

use std::fmt;

/// One step from a value to a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Field(String),
    Item(usize),
}

/// Why a value cannot be read. The steps are from the innermost outwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ReadError(Box<Inner>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Inner {
    why: String,
    steps: Vec<Step>,
}

/// Names and texts of the peer's are cut to this many characters in a message.
const TEXT_MAX: usize = 64;
/// More steps than these are not told.
const STEPS_MAX: usize = 24;

impl ReadError {
    pub(super) fn new(why: impl fmt::Display) -> Self {
        Self(Box::new(Inner { why: why.to_string(), steps: Vec::new() }))
    }

    /// It happened inside of the field, or variant, of this name.
    pub(super) fn in_field(self, name: &str) -> Self {
        self.inside(Step::Field(short(name)))
    }

    /// It happened inside of this item of a sequence.
    pub(super) fn in_item(self, at: usize) -> Self {
        self.inside(Step::Item(at))
    }

    fn inside(mut self, step: Step) -> Self {
        if self.0.steps.len() < STEPS_MAX {
            self.0.steps.push(step);
        }
        self
    }
}

/// A peer's text, fit for a message.
fn short(text: &str) -> String {
    let printable = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().take(TEXT_MAX).map(printable).collect()
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { why, steps } = &*self.0;
        if !steps.is_empty() {
            f.write_str("at `")?;
            for (at, step) in steps.iter().rev().enumerate() {
                match step {
                    Step::Field(name) if at == 0 => f.write_str(name)?,
                    Step::Field(name) => write!(f, ".{name}")?,
                    Step::Item(at) => write!(f, "[{at}]")?,
                }
            }
            f.write_str("`: ")?;
        }
        f.write_str(why)
    }
}

impl std::error::Error for ReadError {}

impl serde::de::Error for ReadError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        // serde quotes the text that it did not want: it may be long, and is the peer's.
        let mut why = message.to_string();
        if let Some((cut, _)) = why.char_indices().nth(4 * TEXT_MAX) {
            why.truncate(cut);
        }
        Self::new(why)
    }
}
