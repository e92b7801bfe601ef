//! The arguments of a call as they came off the wire, for whoever has no types for them.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{SeqAccess, Visitor},
};

use super::Tree;

/// Arguments in order; nil where a caller did not send one.
#[derive(Debug, Clone, PartialEq)]
pub struct Given(pub Vec<Tree>);

/// As many arguments as a method may have.
const MOST: usize = 12;

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_tuple(MOST, All)
    }
}

struct All;

impl<'de> Visitor<'de> for All {
    type Value = Given;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("arguments")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Given, A::Error> {
        let mut all = Vec::new();
        // One that is not there is read as `None`.
        while let Some(item) = items.next_element::<Option<Tree>>()? {
            all.push(item.unwrap_or(Tree::Nil));
        }
        Ok(Given(all))
    }
}
