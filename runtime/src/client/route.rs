//! Where an attempt goes: the plan's answer, and what becomes of it.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use sinew_core::{
    codes::{Code, Directive, Disposition, Origin, Reason},
    limits,
    plan::client::{
        Chosen, ClientPlan, Failed, Hedging, Out, Outcome, Picked, Ticket, Turn, Unhedged,
    },
};
use tokio::time::{Instant, sleep};

use super::{ClientCore, Endpoint, bulkhead::Places};
use crate::{
    chance::Chance,
    error::{Status, millis},
    metrics::At,
    stripe,
    transport::{Answer, Session},
};

/// An attempt that has its endpoint. What becomes of it is told to the plan once; dropped, it was given up.
pub(super) struct Booked {
    core: Arc<ClientCore>,
    endpoint: Endpoint,
    /// The session that there was.
    ready: Option<Arc<dyn Session>>,
    ticket: Option<Ticket>,
    booked_at: Instant,
    /// The endpoint's connection then.
    connection: u64,
    /// The call's.
    deadline: Option<Instant>,
    why: Chosen,
}

impl Booked {
    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Why this endpoint.
    pub(super) fn why(&self) -> Chosen {
        self.why
    }

    /// The session that there is.
    pub(super) fn ready(&mut self) -> Option<Arc<dyn Session>> {
        self.ready.take().or_else(|| self.endpoint.ready())
    }

    /// A session, which is made if need be. What that takes is not the endpoint's latency.
    pub(super) async fn session(&mut self) -> Result<Arc<dyn Session>, Status> {
        let session = self.endpoint.session().await;
        let session = session.map_err(|status| status.tried_at(self.endpoint.name()))?;
        if let Some(ticket) = &mut self.ticket {
            self.endpoint.member().begins(ticket, Instant::now().into_std());
        }
        self.connection = self.endpoint.connection();
        Ok(session)
    }

    /// The service answered, with a value or an error of its own, and said what it has to do.
    pub(super) fn answered(mut self, answer: &Answer) {
        let now = answer.at.unwrap_or_else(Instant::now).into_std();
        if let Some(load) = &answer.head.load {
            // This call is over now.
            let at_work = load.in_flight.saturating_sub(1);
            self.endpoint.member().report(stripe::own(), at_work, now);
        }
        self.settle(Outcome::Answered, now);
    }

    /// A stream has begun: what it takes says nothing of the endpoint's speed.
    pub(super) fn began(mut self) {
        self.settle(Outcome::Abandoned, Instant::now().into_std());
    }

    /// There is no answer but a status.
    pub(super) fn failed(mut self, failed: &Failed) {
        let had = self.had();
        // Silence keeps calls away for as long as it lasts, and not a moment longer: it is no failure beside.
        let silent = failed.reason == Reason::ConnectionLost && self.is_lost();
        if let Some(discovery) = &self.core.discovery {
            discovery.doubt(failed.reason);
        }
        let failed = if silent {
            self.endpoint.counts().note(At::Silence);
            &NEVER_SENT
        } else {
            failed
        };
        self.settle(Outcome::Failed { failed, had }, Instant::now().into_std());
    }

    /// The output of an attempt, unless its endpoint falls silent and the call is better off elsewhere: one that may be
    /// repeated as soon as the endpoint is suspect, any other when it is given up. A lone endpoint is waited for.
    ///
    /// A call on a lane is woken when the endpoint falls silent, so this looks only when it is polled.
    pub(super) fn unless_silent<F, T>(
        &self,
        mut attempt: Pin<&mut F>,
        turn: &Turn,
    ) -> impl Future<Output = Result<T, Status>>
    where
        F: Future<Output = Result<T, Status>> + ?Sized,
    {
        poll_fn(move |cx| match attempt.as_mut().poll(cx) {
            Poll::Pending if self.is_lost() => match self.leaves(turn) {
                Some(status) => Poll::Ready(Err(status)),
                None => Poll::Pending,
            },
            polled => polled,
        })
    }

    /// The same for an attempt that nobody wakes: it has a stream of its own, or interceptors around it.
    pub(super) async fn unless_silent_alone<F, T>(
        &self,
        attempt: Pin<&mut F>,
        turn: &Turn,
    ) -> Result<T, Status>
    where
        F: Future<Output = Result<T, Status>> + ?Sized,
    {
        let mut attempt = pin!(self.unless_silent(attempt, turn));
        loop {
            let again = async {
                match self.is_lost() {
                    true => sleep(limits::LOOK_AGAIN).await,
                    false => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                output = &mut attempt => return output,
                // It looks again when it is polled again.
                () = self.endpoint.changed() => {}
                () = again => {}
            }
        }
    }

    /// Whether the endpoint is silent, or lives on another connection than this attempt's.
    fn is_lost(&self) -> bool {
        self.endpoint.is_suspect() || self.endpoint.has_replaced(self.connection)
    }

    #[cold]
    fn leaves(&self, turn: &Turn) -> Option<Status> {
        let replaced = self.endpoint.has_replaced(self.connection);
        let dead = self.endpoint.is_dead();
        let another = self.has_another();
        let may = self.core.may_repeat(turn);
        // What must not run twice stays where it is if there is only this endpoint: the old connection may yet speak.
        ((dead && another) || (may && (replaced || another))).then(|| silent(dead || replaced))
    }

    /// Whether another endpoint could have the call now. If none could, those that are not connected are, for the next
    /// look: where every call waits, no call asks for it.
    fn has_another(&self) -> bool {
        let endpoints = self.core.endpoints.load();
        let others = || {
            let own = self.endpoint.member();
            endpoints.iter().filter(move |other| !std::ptr::eq(other.member(), own))
        };
        if others().any(|other| other.member().out().is_none() && !other.member().is_cold()) {
            return true;
        }
        for other in others() {
            if other.member().is_cold()
                && matches!(other.member().out(), None | Some(Out::Unreachable))
            {
                other.warm();
            }
        }
        false
    }

    /// The time that the call had left when it was booked.
    fn had(&self) -> Option<Duration> {
        let left = |deadline: Instant| deadline.saturating_duration_since(self.booked_at);
        self.deadline.map(left)
    }

    fn settle(&mut self, outcome: Outcome<'_>, now: std::time::Instant) {
        let Some(ticket) = self.ticket.take() else { return };
        let core = &self.core;
        let member = self.endpoint.member();
        if matches!(outcome, Outcome::Answered) && core.plan.answered(member, &ticket, now) {
            return;
        }
        let endpoints = core.endpoints.load();
        if let Outcome::Failed { .. } = outcome {
            self.endpoint.note_failure(outcome);
        }
        let settled = (ticket, outcome);
        #[cfg(feature = "fuzzing")]
        if crate::planted::is(crate::planted::Planted::SettledTwice) {
            let _ = core.plan.settle(&endpoints, member, settled, now, &mut Chance);
        }
        let event = core.plan.settle_news(&endpoints, member, settled, now, &mut Chance);
        if let Some(event) = event {
            core.note_event(&self.endpoint, event, now);
        }
    }
}

impl Drop for Booked {
    fn drop(&mut self) {
        if self.ticket.is_none() {
            return;
        }
        let now = Instant::now();
        // Who drops it has run out of time, or does not want it any more.
        match self.deadline {
            Some(deadline) if now >= deadline => {
                let had = self.had();
                self.settle(Outcome::Failed { failed: &OUT_OF_TIME, had }, now.into_std());
            }
            _ => self.settle(Outcome::Abandoned, now.into_std()),
        }
    }
}

impl ClientCore {
    pub(super) fn plan(&self) -> &ClientPlan {
        &self.plan
    }

    pub(super) fn places(&self) -> &Places {
        &self.places
    }

    pub(super) fn endpoints(&self) -> Arc<Vec<Endpoint>> {
        self.endpoints.load_full()
    }

    /// Whether a call may be made again that may have run: there are attempts and a budget for it.
    pub(super) fn may_repeat(&self, turn: &Turn) -> bool {
        self.plan.may_repeat(turn, Instant::now().into_std())
    }

    /// Books an endpoint for the next attempt of a call.
    pub(super) fn book(
        self: &Arc<Self>,
        turn: &mut Turn,
        now: Instant,
        deadline: Option<Instant>,
    ) -> Result<Booked, Status> {
        if !self.plan.throttle(turn.class(), now.into_std(), &mut Chance) {
            self.note_held_back();
            return Err(self.held_back());
        }
        self.note_let_through();
        if turn.has_key() {
            self.knows_all();
        }
        let endpoints = self.endpoints.load();
        for left in (0..=endpoints.len()).rev() {
            let picked = self.plan.pick(&endpoints, turn, now.into_std(), &mut Chance);
            let Some(picked) = picked else { break };
            if let Some(cold) = picked.cold {
                endpoints[cold].warm();
            }
            let mut booked = self.booked(&endpoints, &picked, (now, deadline));
            if picked.sheds {
                let had = booked.had();
                booked.settle(Outcome::Failed { failed: &NEVER_SENT, had }, now.into_std());
                self.note_held_back();
                return Err(self.sheds(turn));
            }
            // It lost its connection and nobody has noticed: another may have one.
            booked.ready = booked.endpoint.ready();
            if left > 0 && !booked.endpoint.member().is_cold() && booked.ready.is_none() {
                booked.endpoint.member().set_connected(false);
                let had = booked.had();
                booked.settle(Outcome::Failed { failed: &NEVER_SENT, had }, now.into_std());
                continue;
            }
            return Ok(booked);
        }
        let found = match &self.discovery {
            Some(discovery) => discovery.why_none(),
            None => "name one with `MeshBuilder::endpoints`, or start a server on this machine"
                .to_owned(),
        };
        Err(Status::not_sent(
            Code::Unavailable,
            Reason::NoEndpoints,
            format!("no endpoint of `{}` is known: {found}", self.service()),
        ))
    }

    /// Books another endpoint for a second attempt beside one that is slow.
    pub(super) fn book_hedge(
        self: &Arc<Self>,
        call: (&mut Turn, &mut Hedging),
        now: Instant,
        deadline: Option<Instant>,
    ) -> Result<Booked, Unhedged> {
        let endpoints = self.endpoints.load();
        let left = deadline.map(|deadline| deadline.saturating_duration_since(now));
        let picked = self.plan.hedge_wake(&endpoints, call, left, now.into_std(), &mut Chance)?;
        Ok(self.booked(&endpoints, &picked, (now, deadline)))
    }

    fn booked(
        self: &Arc<Self>,
        endpoints: &[Endpoint],
        picked: &Picked,
        (now, deadline): (Instant, Option<Instant>),
    ) -> Booked {
        let endpoint = endpoints[picked.at].clone();
        Booked {
            core: Arc::clone(self),
            ticket: Some(picked.ticket),
            booked_at: now,
            connection: endpoint.connection(),
            deadline,
            why: picked.why,
            ready: None,
            endpoint,
        }
    }

    fn sheds(&self, turn: &Turn) -> Status {
        let status = Status::not_sent(
            Code::ResourceExhausted,
            Reason::Shed,
            format!(
                "the servers of `{}` have more to do than they can, and shed calls as {} as this one, or of its shed key, \
                 at present: it was not sent",
                self.service(),
                turn.class()
            ),
        );
        status.with_directive(Directive::DoNotRetry)
    }

    fn held_back(&self) -> Status {
        let status = Status::not_sent(
            Code::ResourceExhausted,
            Reason::Overloaded,
            format!(
                "the servers of `{}` refuse most calls of this client, so it holds this one back (THROTTLE_K)",
                self.service()
            ),
        );
        status.with_directive(Directive::DoNotRetry)
    }
}

/// An attempt that says nothing of its endpoint.
const NEVER_SENT: Failed = Failed {
    code: Code::Unavailable,
    reason: Reason::None,
    disposition: Disposition::NotSent,
    directive: Directive::Default,
    origin: Origin::Local,
};

/// An attempt whose time was over before it was answered.
const OUT_OF_TIME: Failed = Failed {
    code: Code::DeadlineExceeded,
    reason: Reason::Expired,
    disposition: Disposition::Unknown,
    directive: Directive::Default,
    origin: Origin::Local,
};

/// The silence that an attempt ends for.
fn silent(dead: bool) -> Status {
    let silence = if dead { limits::DEAD_AFTER } else { limits::SUSPECT_AFTER };
    Status::runtime(
        Code::Unavailable,
        Reason::ConnectionLost,
        Disposition::Unknown,
        Origin::Transport,
        format!(
            "nothing was heard from the endpoint for up to {} while calls were out; it is left alone until it is heard",
            millis(silence)
        ),
    )
}
