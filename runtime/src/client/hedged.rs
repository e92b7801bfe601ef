//! A call of a hedged method: a second attempt goes beside a first that is slow, and the first answer is the call's.
//!
//! ```text
//!   first  ──────────────┬───────────────── answers: the hedge is dropped, and its handler
//!                        │ slow; the plan says whether, and where
//!   hedge                └───────────────── answers: the first is dropped, and its handler
//!                                           fails: the other is waited for
//! ```
//! When both fail, what follows is one retry, of what the two have left of attempts and budget.
//!
//! # Why
//! Two attempts at a time are two futures that own what they need, so each is boxed. A call that is not hedged pays for
//! none of it: `stack.rs` comes here by one pointer.
//!
//! # Invariants
//! 1. Who loses is dropped before the answer is handed out; its endpoint is blamed for nothing.
//! 2. Only the first attempt of a call is hedged.

use std::sync::Arc;

use sinew_core::{
    codes::{Code, Directive, Disposition, Reason},
    limits::{HEDGE_PERCENT_MAX, HEDGE_PERCENT_MIN},
    plan::client::{After, End, Hedging, Turn, is_answer},
};
use tokio::time::{Instant, sleep_until};

use super::{
    ClientCore,
    attempt::{self, Flight},
    call::Call,
    route::Booked,
    stack::facts,
};
use crate::{
    call::options::Hedge,
    codec::Encode,
    error::Status,
    metrics::Happened,
    transport::{Answer, dropped::drop_lost},
};

/// What the plan keeps of a call that may be hedged. Told once how it ended; dropped, nobody waits for it any more.
struct Watch {
    core: Arc<ClientCore>,
    hedging: Option<Hedging>,
}

impl Watch {
    /// Resolves when a second attempt is to be asked for.
    async fn due(&self) {
        match self.hedging.as_ref().and_then(Hedging::next_wakeup) {
            Some(due) => sleep_until(Instant::from_std(due)).await,
            None => std::future::pending().await,
        }
    }

    /// The second attempt did not go out: the call and its budget are as before.
    fn unsent(&mut self, turn: &mut Turn) {
        if let Some(hedging) = &mut self.hedging {
            self.core.plan().hedge_unsent(turn, hedging, Instant::now().into_std());
        }
    }

    /// One of the two failed.
    fn one_failed(&mut self) {
        if let Some(hedging) = &mut self.hedging {
            self.core.plan().hedge_one_failed(hedging);
        }
    }

    fn ended(&mut self, end: End) {
        if let Some(hedging) = self.hedging.take() {
            self.core.plan().hedge_settle(hedging, end, Instant::now().into_std());
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.ended(End::Abandoned);
    }
}

impl Call {
    /// How long the first attempt is waited for alone; `None` where the call is not hedged.
    pub(super) fn hedge(&self) -> Option<After> {
        // What is said of a whole service is said of those of its methods that can have it.
        let fit = self.head.idempotent && !self.method.shape().streams();
        let ruled = |hedge: Option<Hedge>| hedge.filter(|_| fit);
        let own = self.options().hedge.or(ruled(self.rules.own_hedge)).or(self.method.hedge());
        match own.or(ruled(self.rules.hedge))? {
            Hedge::Off => None,
            Hedge::AfterPercentile(percent) => {
                Some(After::Percentile(percent.clamp(HEDGE_PERCENT_MIN, HEDGE_PERCENT_MAX)))
            }
            Hedge::After(delay) => Some(After::Delay(delay)),
        }
    }

    /// What the caller asks for must be something that the method can have. The trait's own wish was checked with it.
    pub(super) fn may_be_hedged(&self) -> Result<(), Status> {
        let asked = self.options().hedge.is_some_and(|hedge| hedge != Hedge::Off);
        let why = match self.method {
            _ if !asked => return Ok(()),
            method if !method.is_idempotent() => {
                "a hedge runs the call twice, and nothing says that this is harmless; where it is, write \
                 `#[rpc(idempotent)]` on the method of the trait, else leave out `CallOptions::hedge`"
            }
            method if method.shape().streams() => {
                "a stream is not hedged: leave out `CallOptions::hedge`"
            }
            _ => return Ok(()),
        };
        Err(Status::not_sent(Code::InvalidArgument, Reason::None, why))
    }

    /// 5 to 7 for a hedged call: attempts until one answers, or none may follow.
    pub(super) async fn attempts_hedged(
        &mut self,
        mut turn: Turn,
        after: After,
        arguments: &mut dyn Encode,
    ) -> Result<Box<Answer>, Status> {
        let core = Arc::clone(&self.channel.core);
        loop {
            let booked = core.book(&mut turn, self.now(), self.deadline)?;
            self.picked(&booked);
            let after = (self.head.attempt == 0).then_some(after);
            let status = match self.attempt_hedged(booked, &mut turn, after, arguments).await {
                Ok(answer) => return Ok(answer),
                Err(status) => status,
            };
            if !self.goes_with_names(&status) {
                self.may_follow(&mut turn, status).await?;
            }
        }
    }

    /// One attempt, and the one beside it if there is one.
    async fn attempt_hedged(
        &mut self,
        mut booked: Booked,
        turn: &mut Turn,
        after: Option<After>,
        arguments: &mut dyn Encode,
    ) -> Result<Box<Answer>, Status> {
        let session = match booked.ready() {
            Some(session) => Ok(session),
            None => booked.session().await,
        };
        let session = match session {
            Ok(session) => session,
            Err(status) => {
                booked.failed(&facts(&status));
                return Err(status);
            }
        };
        let mut first = attempt::launch(self, booked, session, turn, arguments)?;
        if self.may_be_copied() {
            first.landing = Box::pin(self.with_copy(first.landing, turn, arguments)).await;
        }
        let core = Arc::clone(&self.channel.core);
        let method = self.types.id().0;
        let hedging =
            after.map(|after| core.plan().hedge_admit(method, after, Instant::now().into_std()));
        let mut watch = Watch { core, hedging };
        let done = tokio::select! {
            biased;
            done = &mut first.landing => done,
            () = watch.due() => match self.second(&mut watch, turn, arguments) {
                Some(second) => return self.race(watch, turn, first, second).await,
                None => (&mut first.landing).await,
            },
        };
        let answer = attempt::landed(self, &first, done);
        let answered = answer.as_ref().err().is_none_or(|status| is_answer(&facts(status)));
        watch.ended(if answered { End::First } else { End::Failed });
        answer
    }

    /// The second attempt, if the plan has one and its endpoint takes it.
    fn second(
        &mut self,
        watch: &mut Watch,
        turn: &mut Turn,
        arguments: &mut dyn Encode,
    ) -> Option<Flight> {
        self.waited = true;
        let hedging = watch.hedging.as_mut()?;
        let booked = watch.core.book_hedge((turn, hedging), Instant::now(), self.deadline);
        let booked = match booked {
            Ok(booked) => booked,
            Err(why) => {
                tracing::trace!(method = self.method.path(), ?why, "a slow call is not hedged");
                return None;
            }
        };
        self.picked(&booked);
        let before = self.head.clone();
        self.head.attempt += 1;
        self.head.hedge = true;
        let session = booked.endpoint().ready();
        let second = session
            .and_then(|session| attempt::launch(self, booked, session, turn, arguments).ok());
        match &second {
            Some(_) => {
                self.head.hedge = false;
                self.note(Happened::Hedged);
            }
            None => {
                self.head = before;
                watch.unsent(turn);
            }
        }
        second
    }

    /// The first answer of the two. One that failed leaves the other, unless it is what the other would say too.
    async fn race(
        &mut self,
        mut watch: Watch,
        turn: &mut Turn,
        mut first: Flight,
        mut second: Flight,
    ) -> Result<Box<Answer>, Status> {
        let (done, ended, mut other, by_hedge) = tokio::select! {
            biased;
            done = &mut first.landing => (done, first, second, false),
            done = &mut second.landing => (done, second, first, true),
        };
        let end = |by_hedge| if by_hedge { End::Hedge } else { End::First };
        let failure = match attempt::landed(self, &ended, done) {
            Err(status) if !is_answer(&facts(&status)) => status,
            answer => {
                watch.ended(end(by_hedge));
                self.note(Happened::HedgeWasted);
                if by_hedge {
                    self.note(Happened::HedgeWon);
                }
                self.record.attempt_lost(other.endpoint.name(), Instant::now());
                self.record.resume(ended.endpoint.name());
                drop_lost(other);
                return answer;
            }
        };
        self.one_missed(&ended.endpoint, &failure);
        self.came = self.came.max(failure.disposition());
        if by_hedge && failure.disposition() == Disposition::NotSent {
            self.head.attempt -= 1;
            watch.unsent(turn);
        } else {
            watch.one_failed();
        }
        let done = (&mut other.landing).await;
        match attempt::landed(self, &other, done) {
            Err(status) if !is_answer(&facts(&status)) => {
                watch.ended(End::Failed);
                // What one server asks for goes before what the other leaves open.
                let asks = |status: &Status| status.directive() != Directive::Default;
                if asks(&failure) && !asks(&status) {
                    self.record.resume(ended.endpoint.name());
                    return Err(failure);
                }
                Err(status)
            }
            answer => {
                watch.ended(end(!by_hedge));
                if !by_hedge {
                    self.note(Happened::HedgeWon);
                }
                answer
            }
        }
    }
}
