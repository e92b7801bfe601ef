//! What is wrong with bytes: inside a frame, or with the framing itself.
//!
//! # Why
//! The two end different things. Inside a frame with a sound length it is one call's error; where
//! the length itself cannot be true nobody knows where the next frame begins, so the stream ends.
//! The types keep them apart.

use std::fmt;

/// What is wrong inside a frame whose length is sound.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Malformed(&'static str);

impl Malformed {
    /// Says what is wrong, in lower case and without a full stop.
    #[inline]
    pub const fn new(what: &'static str) -> Self {
        Self(what)
    }

    /// What is wrong.
    pub const fn what(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

impl fmt::Debug for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Malformed({})", self.0)
    }
}

impl std::error::Error for Malformed {}

/// What ends a stream: its framing cannot be followed any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum FrameError {
    /// A frame claims to have no bytes, not even a kind.
    #[error("a frame of length zero")]
    Empty,
    /// A frame claims more than this stream's frames may have.
    #[error("a frame of {claimed} bytes is above this stream's limit of {limit}")]
    TooLong {
        /// What its length says.
        claimed: u64,
        /// The most that is allowed.
        limit: usize,
    },
    /// A kind that this version does not know and that does not say it may be passed over.
    #[error("an unknown frame kind {0:#04x} that may not be skipped")]
    UnknownKind(u8),
    /// The length is not a proper integer.
    #[error("a frame length that is {0}")]
    Length(Malformed),
    /// The stream begins with a type that this version does not know.
    #[error("an unknown stream type {0}")]
    UnknownStreamType(u64),
}
