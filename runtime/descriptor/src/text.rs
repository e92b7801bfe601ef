//! Descriptors as JSON, in files that are checked in: one text for one descriptor, and mistakes with their places.

use std::fmt;

use crate::{Descriptor, Problem};

/// Why a text is no descriptor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable(Vec<String>);

impl Unreadable {
    /// Of one mistake.
    pub fn one(what: impl Into<String>) -> Self {
        Self(vec![what.into()])
    }

    /// Each mistake, with its place.
    pub fn problems(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for Unreadable {}

impl Descriptor {
    /// As JSON, indented, with a line's end behind it.
    ///
    /// # Errors
    /// None that a descriptor of this crate's making can have.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        Ok(text)
    }

    /// Out of JSON, and [checked](Self::check).
    ///
    /// # Errors
    /// It is no JSON, no descriptor, or one that makes no sense: each with a line and a column, or with the element's path.
    pub fn from_json(json: &str) -> Result<Self, Unreadable> {
        let descriptor: Self =
            serde_json::from_str(json).map_err(|why| Unreadable::one(why.to_string()))?;
        let problems = descriptor.check();
        if problems.is_empty() {
            return Ok(descriptor);
        }
        Err(Unreadable(problems.iter().map(Problem::to_string).collect()))
    }
}
