//! Why a codec must not carry a type: in words for whoever can change it.

use std::fmt;

/// Why a codec must not carry a type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Obstacle {
    name: &'static str,
    /// From the type to the part that is in the way; empty for the type itself.
    path: String,
    cause: Cause,
}

/// What is in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cause {
    /// It asks the format what comes next.
    AsksTheFormat(&'static str),
    /// It asked for one thing and then for another.
    Varies,
    /// It goes on below itself without a name to recognise it by.
    Endless,
    /// No value was accepted.
    NothingAccepted,
    /// What is written is not what is read.
    RoundTrip(String),
    /// `Some(None)` is written as `None`.
    NestedOption,
    /// More effort than is granted.
    Effort,
    /// More text than is hashed.
    TooLarge,
}

impl Obstacle {
    pub(super) fn new(name: &'static str, path: String, cause: Cause) -> Self {
        Self { name, path, cause }
    }

    pub(super) fn round_trip(name: &'static str, why: &str) -> Self {
        Self::new(name, String::new(), Cause::RoundTrip(why.to_owned()))
    }

    pub(super) fn too_large(name: &'static str) -> Self {
        Self::new(name, String::new(), Cause::TooLarge)
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => write!(f, "`{}`", self.name)?,
            path => write!(f, "`{path}` of `{}`", self.name)?,
        }
        match &self.cause {
            Cause::AsksTheFormat(how) => write!(
                f,
                " asks the format what comes next ({how}), which needs one that carries names"
            ),
            Cause::Varies => f.write_str(" asks for one thing at one time and for another at another"),
            Cause::Endless => f.write_str(
                " contains itself through a type that has no name of its own; \
                 remove `#[serde(transparent)]`",
            ),
            Cause::NothingAccepted => f.write_str(
                " accepted none of the values that were made up to learn it; \
                 `trust_layout` vouches for a method",
            ),
            Cause::RoundTrip(why) => write!(
                f,
                " does not read what it writes ({why}): look for `skip_serializing`, \
                 `skip_deserializing`, `skip`, or `serialize_with` without `deserialize_with`"
            ),
            Cause::NestedOption => f.write_str(
                " is an option in an option, or one of nothing, and MessagePack writes `Some(None)` \
                 as it writes `None`; use an enum",
            ),
            Cause::Effort => f.write_str(" takes too much effort to learn; `trust_layout` vouches for a method"),
            Cause::TooLarge => f.write_str(" is too large to be compared; `trust_layout` vouches for a method"),
        }
    }
}
