//! What the tests of this crate share.

use std::time::Instant;

/// Some moment: all that a test of pure code needs of a clock.
#[expect(clippy::disallowed_methods, reason = "a test begins somewhere")]
pub(crate) fn start() -> Instant {
    Instant::now()
}
