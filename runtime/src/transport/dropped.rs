//! Why a call that is dropped was dropped: what its CANCEL says.
//!
//! # Why
//! A future that is dropped cannot be told why. Whoever drops an attempt because another one has answered says so around
//! the drop, and whatever ends inside of it, on a lane, on a stream, in an interceptor, finds it here.

use std::cell::Cell;

use sinew_core::codes::CancelReason;
use tokio::time::Instant;

thread_local! {
    static HEDGE_LOST: Cell<bool> = const { Cell::new(false) };
}

/// Drops an attempt that lost to its hedge, or a hedge that lost to the first attempt.
pub(crate) fn drop_lost<T>(loser: T) {
    /// Also if what is dropped panics.
    struct Restore(bool);

    impl Drop for Restore {
        fn drop(&mut self) {
            HEDGE_LOST.set(self.0);
        }
    }

    let _restore = Restore(HEDGE_LOST.replace(true));
    drop(loser);
}

/// The reason for a call that is being dropped.
pub(super) fn why_dropped(deadline: Option<Instant>) -> CancelReason {
    if HEDGE_LOST.get() {
        CancelReason::HedgeLost
    } else if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
        CancelReason::Deadline
    } else {
        CancelReason::Dropped
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, rc::Rc};

    use super::*;

    #[test]
    fn what_ends_inside_of_a_lost_attempt_says_so_and_nothing_after_it() {
        struct Notes(Rc<RefCell<Vec<CancelReason>>>);
        impl Drop for Notes {
            fn drop(&mut self) {
                self.0.borrow_mut().push(why_dropped(None));
            }
        }
        let notes = Rc::new(RefCell::new(Vec::new()));
        drop_lost((Notes(Rc::clone(&notes)), Box::new(Notes(Rc::clone(&notes)))));
        drop(Notes(Rc::clone(&notes)));
        let lost = CancelReason::HedgeLost;
        assert_eq!(*notes.borrow(), [lost, lost, CancelReason::Dropped]);
        assert_eq!(why_dropped(Some(Instant::now())), CancelReason::Deadline);
    }
}
