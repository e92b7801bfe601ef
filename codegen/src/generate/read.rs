//! Descriptors out of JSON: whoever wrote it, a mistake is told with its place.

use std::fmt;

use sinew_descriptor::{Descriptor, Problem};

/// Why a text is no descriptor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable(Vec<String>);

impl Unreadable {
    pub(crate) fn one(what: impl Into<String>) -> Self {
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

/// Reads a descriptor.
///
/// # Errors
/// It is no JSON, no descriptor, or one that makes no sense: each with a line and a column, or with the element's path.
pub fn read(json: &str) -> Result<Descriptor, Unreadable> {
    let descriptor: Descriptor =
        serde_json::from_str(json).map_err(|why| Unreadable::one(why.to_string()))?;
    let problems = descriptor.check();
    if problems.is_empty() {
        return Ok(descriptor);
    }
    Err(Unreadable(problems.iter().map(Problem::to_string).collect()))
}
