//! Mistakes that our own tests plant, to see that they are found. Each is one `if` where it is made; there is none of them
//! in a build without the feature `fuzzing`.

use std::cell::Cell;

use sinew_core::plan::client::Config;

thread_local! {
    static PLANTED: Cell<Option<Planted>> = const { Cell::new(None) };
}

/// A mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planted {
    /// Retries cost nothing.
    BudgetOff,
    /// A result from before a breaker changed counts as one of now.
    EpochOff,
    /// An attempt is settled twice.
    SettledTwice,
    /// A call under another one does not end before it.
    DeadlineNotShrunk,
    /// A list with nothing in it is taken at its word.
    EmptyAccepted,
}

impl Planted {
    /// All of them, by name.
    pub const ALL: [(&'static str, Self); 5] = [
        ("budget-off", Self::BudgetOff),
        ("epoch-off", Self::EpochOff),
        ("settled-twice", Self::SettledTwice),
        ("deadline-not-shrunk", Self::DeadlineNotShrunk),
        ("empty-accepted", Self::EmptyAccepted),
    ];
}

/// From now on everything of this thread makes this mistake.
pub fn plant(planted: Option<Planted>) {
    PLANTED.set(planted);
}

pub(crate) fn is(planted: Planted) -> bool {
    PLANTED.get() == Some(planted)
}

pub(crate) fn config(mut config: Config) -> Config {
    if is(Planted::BudgetOff) {
        config.budget = None;
    }
    config.unstamped = is(Planted::EpochOff);
    config
}
