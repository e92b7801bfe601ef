//! Whether a call is copied to endpoints with a label, and which of them gets the copy.
//!
//! ```text
//!   the call is drawn       by its trace, else by chance; one that goes to such an endpoint anyway needs no copy
//!   there is room           servers refuse nothing, none says that it sheds, less than half of the places are taken
//!   it can be had at once   an endpoint with the label that is connected and well
//! ```
//!
//! # Not here
//! What becomes of a copy: it is no ticket, so latency, breakers, throttle and budget hear nothing of it. Who gets copies
//! only would otherwise be judged by calls that nobody waits for, and the judgement would count for those that matter: an
//! open breaker keeps others closed, and ends hedging.

use std::time::Instant;

use super::{ClientPlan, Member, Turn};
use crate::{
    policy::rendezvous::place_of_copy,
    rng::{Rng, below, unit_f64},
};

/// Why a call has no copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmirrored {
    /// It goes to an endpoint with the label itself.
    There,
    /// There is too much to do, here or there.
    Overloaded,
    /// No endpoint with the label can be asked now.
    NoEndpoint,
}

impl Turn {
    /// Whether this call is one of the `share` (0 to 1) that are copied: a trace with all of its calls, or with none.
    pub fn is_mirrored(&self, share: f64, rng: &mut impl Rng) -> bool {
        self.trace.map_or_else(|| unit_f64(rng), place_of_copy) < share
    }
}

impl ClientPlan {
    /// The place of the endpoint that gets the copy of a call, which has been picked for; `is_busy`: many calls are out.
    ///
    /// # Errors
    /// Why it has none.
    pub fn mirror<M: AsRef<Member>>(
        &self,
        members: &[M],
        has_label: impl Fn(&M) -> bool,
        (turn, is_busy): (&Turn, bool),
        now: Instant,
        rng: &mut impl Rng,
    ) -> Result<usize, Unmirrored> {
        let labelled = members.iter().enumerate().filter(|(_, member)| has_label(member));
        let (mut found, mut many) = (Err(Unmirrored::NoEndpoint), 0);
        for (at, member) in labelled {
            let member = member.as_ref();
            if member.id() == turn.at {
                return Err(Unmirrored::There);
            }
            if member.is_usable() && !member.is_cold() {
                many += 1;
                if below(rng, many) == 0 {
                    found = Ok(at);
                }
            }
        }
        if is_busy || self.holds_back() || self.is_cut(self.ms(now)) {
            return Err(Unmirrored::Overloaded);
        }
        found
    }
}
