//! The table: changes by what they are about, and kinds of type that both sides have.

mod enums;
mod fields;
mod methods;
mod same;
mod scalars;

use super::Case;

/// All of it.
pub(super) fn all() -> Vec<Case> {
    let parts =
        [fields::cases(), enums::cases(), scalars::cases(), methods::cases(), same::cases()];
    parts.into_iter().flatten().collect()
}
