//! A document of policy: `sinew.toml`, or the same text from elsewhere.
//!
//! ```text
//!   text -> read.rs  keys, types, ranges: every problem with its line
//!        -> keys.rs  which keys there are, and what they may say
//!        -> Document what is said, all of it, or none
//! ```
//!
//! # Invariants
//! 1. A document is used whole or not at all: the line that is not understood may be the one that matters.
//! 2. What it is checked against is known without a mesh: a check elsewhere, before it is rolled out, finds the same.

mod keys;
mod read;

use std::collections::BTreeMap;

use sinew_core::{
    limits,
    plan::server::Concurrency,
    policy::authorize::{Allow, Callers},
};

pub use self::read::Problem;
pub(crate) use self::read::joined;
use self::read::{Notes, Table};
use super::terms::Terms;

/// What a document says.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Document {
    pub(crate) defaults: Terms,
    pub(crate) services: BTreeMap<String, Terms>,
    pub(crate) server: ServerTerms,
    /// What may be called by whom; `None` where it is silent: then whoever is verified may call all.
    pub(crate) allow: Option<Vec<Rule>>,
}

/// What it says of this process's servers.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ServerTerms {
    pub(crate) concurrency: Option<Concurrency>,
    pub(crate) partitions: Vec<Partition>,
    pub(crate) drain_grace: Option<std::time::Duration>,
}

/// A rule, and where it is said.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rule {
    pub(crate) line: usize,
    pub(crate) allow: Allow,
}

/// What somebody has of a server's places while others wait.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Partition {
    /// Where it is said.
    pub(crate) line: usize,
    pub(crate) whose: Whose,
    pub(crate) share: f64,
}

/// Whose calls count together.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Whose {
    /// Each identity that fits.
    Callers(Callers),
    /// The method `service/method`.
    Method(String),
}

impl Document {
    /// Reads a text.
    ///
    /// # Errors
    /// Everything that is wrong with it, in the order of its lines.
    pub(crate) fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        let notes = Notes::new(text);
        if text.len() as u64 > limits::POLICY_FILE_MAX {
            let most = limits::POLICY_FILE_MAX;
            notes.add(0, "", format!("more than {most} bytes of policy (POLICY_FILE_MAX)"));
            return Err(notes.into_problems());
        }
        let (table, errors) = toml::de::DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            for error in errors.iter().take(limits::POLICY_PROBLEMS_MAX) {
                notes.add(error.span().map_or(0, |span| span.start), "", error.message());
            }
            return Err(notes.into_problems());
        }
        let document = keys::document(&notes, Table::new(&notes, table.get_ref()));
        let mut problems = notes.into_problems();
        problems.truncate(limits::POLICY_PROBLEMS_MAX);
        if problems.is_empty() { Ok(document) } else { Err(problems) }
    }

    /// What it says of a service, beside what the program says of it.
    pub(super) fn terms(&self, service: &str, program: &Terms) -> Terms {
        let general = program.over(&self.defaults);
        self.services.get(service).map_or_else(|| general.clone(), |own| own.over(&general))
    }
}

#[cfg(test)]
mod tests;
