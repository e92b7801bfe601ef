//! The scenarios: each a situation that is known to break naive clients, what it does to them, and to ours.
//!
//! The figures without a mechanism are computed here too, by switching it off: a scenario that hurts nobody shows
//! nothing. docs/scenarios.md has the sources, and argues where a bar is not the literature's.

mod balancing;
mod breaking;
mod budgets;
mod calls;
mod crowds;
mod hedging;
mod overload;
mod places;

use super::Figure;

/// A scenario: its number, and what plays it under a seed.
pub type Scenario = (u32, fn(u64) -> Vec<Figure>);

/// All of them, in order.
pub const SCENARIOS: &[Scenario] = &[
    (1, overload::metastable),
    (2, overload::steady),
    (3, budgets::cap),
    (4, budgets::layers),
    (5, budgets::directives),
    (6, balancing::one_slow),
    (7, balancing::two_slow),
    (8, crowds::antagonists),
    (9, balancing::sinkhole),
    (10, breaking::caps),
    (11, breaking::panic),
    (12, breaking::dead_replica),
    (13, calls::rolling_restart),
    (14, balancing::slow_start),
    (15, overload::expired),
    (16, calls::shrinking_deadline),
    (17, calls::bulkhead),
    (18, hedging::tail),
    (19, places::spill),
    (20, places::labels),
    (21, calls::executions),
    (22, overload::adaptive),
    (23, places::keys),
    (24, crowds::scale),
];
