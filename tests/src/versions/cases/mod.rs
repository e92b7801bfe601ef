//! The table: changes by what they are about, and kinds of type that both sides have.

mod fields;
mod methods;
mod same;

use super::Case;

/// All of it.
pub(super) fn all() -> Vec<Case> {
    [fields::cases(), methods::cases(), same::cases()].into_iter().flatten().collect()
}
