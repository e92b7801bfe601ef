//! What one call tells of itself where it is asked to: where each attempt went and what was known then, whatever became of
//! the call.
//!
//! # Why
//! A call that fails explains itself. One that succeeds throws away what it knew, for nobody asked: so whoever wants to know
//! why it went where it went asks before. Without an account a call pays a look at one pointer.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use sinew_core::{ledger::LedgerCall, plan::client::Chosen};

use super::{Explanation, Status, millis};

/// Picks that are kept; of more, the first. A call that waits for a server that is away tries many times.
const PICKS: usize = 32;

/// The account of a call: hand one to [`CallOptions::account`](crate::CallOptions::account), look into it afterwards. It is
/// of one call at a time, that which began last.
///
/// Printed, it says where each attempt went and why, and where the time went.
///
/// ```
/// # #[sinew::service] pub trait Greeter { async fn greet(&self, name: String) -> String; }
/// # struct Polite;
/// # impl Greeter for Polite { async fn greet(&self, name: String) -> String { name } }
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use sinew::{Account, CallOptions};
///
/// let greeter = GreeterClient::local(Polite);
/// let account = Account::new();
/// let answer = greeter.with(CallOptions::new().account(&account)).greet("you".into()).await;
/// assert!(answer.is_ok());
/// assert_eq!(&*account.picks()[0].endpoint, "in process");
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Account(Arc<Mutex<Told>>);

/// What is known of the call so far.
#[derive(Debug, Default)]
struct Told {
    /// When it began: a call that began at another time is another.
    began: Option<Instant>,
    picks: Vec<Pick>,
    left_out: usize,
    ledger: Option<LedgerCall>,
    explanation: Option<Explanation>,
}

/// One endpoint that was picked for an attempt.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Pick {
    /// Which.
    pub endpoint: Arc<str>,
    /// How long after the call began.
    pub after: Duration,
    /// By which step of the plan.
    pub(crate) chosen: Chosen,
    /// All endpoints as they were known at that moment, without what this attempt adds.
    pub known: Explanation,
    /// Why another was picked after it, or none: `None` where it answered, and where it was taken back because another
    /// attempt of the call answered first.
    pub failed: Option<Status>,
}

impl Account {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// The endpoints that were picked, in order, 32 at most: also those that could not be reached, which are no attempts.
    pub fn picks(&self) -> Vec<Pick> {
        self.lock().picks.clone()
    }

    /// How many picks there were beyond those.
    pub fn left_out(&self) -> usize {
        self.lock().left_out
    }

    /// Where the time went: `None` while the call runs, and where it was dropped. What the handler called in turn is in it
    /// where the call failed; an answer does not carry it.
    pub fn ledger(&self) -> Option<LedgerCall> {
        self.lock().ledger.clone()
    }

    /// What the client knew, and had decided last, when the call ended.
    pub fn explanation(&self) -> Option<Explanation> {
        self.lock().explanation.clone()
    }

    pub(crate) fn picked(&self, began: Instant, pick: Pick) {
        let mut told = self.of(began);
        if told.picks.len() < PICKS {
            told.picks.push(pick);
        } else {
            told.left_out += 1;
        }
    }

    /// What was picked last, at this endpoint if one is named, came to nothing.
    pub(crate) fn missed(&self, began: Instant, endpoint: Option<&str>, status: &Status) {
        let mut told = self.of(began);
        if told.left_out > 0 {
            return;
        }
        let fits = |pick: &&mut Pick| {
            pick.failed.is_none() && endpoint.is_none_or(|endpoint| *pick.endpoint == *endpoint)
        };
        if let Some(pick) = told.picks.iter_mut().rev().find(fits) {
            pick.failed = Some(status.clone());
        }
    }

    pub(crate) fn ended(&self, began: Instant, ledger: LedgerCall, explanation: Explanation) {
        let mut told = self.of(began);
        told.ledger = Some(ledger);
        told.explanation = Some(explanation);
    }

    /// What is known of the call that began then.
    fn of(&self, began: Instant) -> MutexGuard<'_, Told> {
        let mut told = self.lock();
        if told.began != Some(began) {
            *told = Told { began: Some(began), ..Told::default() };
        }
        told
    }

    fn lock(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pick {
    /// Why this endpoint, in words.
    pub fn why(&self) -> String {
        let (all, ready) = (self.known.known(), self.known.ready());
        match self.chosen {
            Chosen::Key => "the key of the call leads there".to_owned(),
            Chosen::Probe => {
                "it was left alone, and a call has to find out whether it is well".to_owned()
            }
            Chosen::Untouched => "it was not asked for a while, and may have got better".to_owned(),
            Chosen::Best | Chosen::Unfit if all == 1 => "it is the only endpoint".to_owned(),
            Chosen::Best if ready == 1 => format!("it is the only one of {all} that is ready"),
            Chosen::Best => {
                format!("it is the best, by the policy, of the {ready} of {all} that are ready")
            }
            Chosen::Unfit if ready == 0 => format!("none of {all} is ready, and it is the best"),
            Chosen::Unfit => {
                format!("none that was not tried yet is ready, and it is the best of {all}")
            }
        }
    }
}

impl fmt::Display for Account {
    /// Blocks of lines: picks, then the ledger, then what was decided; without a line end behind the last.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = self.lock();
        for (at, pick) in told.picks.iter().enumerate() {
            let Pick { endpoint, after, .. } = pick;
            writeln!(f, "pick {} at {}: {endpoint}, for {}", at + 1, millis(*after), pick.why())?;
            write!(f, "  {}", pick.known)?;
            if let Some(status) = &pick.failed {
                write!(f, "\n  it came to nothing: {status}")?;
            }
            f.write_str("\n")?;
        }
        if told.left_out > 0 {
            writeln!(f, "and {} more picks", told.left_out)?;
        }
        if let Some(ledger) = &told.ledger {
            write!(f, "{ledger}")?;
        }
        if let Some(explanation) = &told.explanation {
            for decision in explanation.decisions() {
                write!(f, "\n{decision}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use sinew_core::{
        codes::Code,
        plan::client::{Out, Phase, View},
    };

    use super::*;

    /// What is known of as many endpoints as there are of these; one that is not there is out of reach.
    fn known(there: &[bool]) -> Explanation {
        let mut known = Explanation::new(there.len(), 1000, false);
        for (at, there) in there.iter().enumerate() {
            let out = (!there).then_some(Out::Unreachable);
            let view = View {
                out,
                breaker: Phase::Closed,
                at_work: 0,
                sent: 0,
                latency: None,
                weight: 1.0,
            };
            known.add(&Arc::from(format!("a:{at}")), *there, view, Instant::now());
        }
        known
    }

    fn pick(chosen: Chosen, there: &[bool]) -> Pick {
        let endpoint = Arc::from("a:0");
        Pick { endpoint, after: Duration::ZERO, chosen, known: known(there), failed: None }
    }

    #[test]
    fn each_step_of_the_plan_has_words() {
        for (chosen, there, words) in [
            (Chosen::Key, &[true, true][..], "key"),
            (Chosen::Probe, &[true, true], "find out"),
            (Chosen::Untouched, &[true, true], "got better"),
            (Chosen::Best, &[true], "the only endpoint"),
            (Chosen::Unfit, &[false], "the only endpoint"),
            (Chosen::Best, &[true, false], "the only one of 2 that is ready"),
            (Chosen::Best, &[true, true, false], "the 2 of 3 that are ready"),
            (Chosen::Unfit, &[false, false], "none of 2 is ready"),
            (Chosen::Unfit, &[true, false], "not tried yet"),
        ] {
            let why = pick(chosen, there).why();
            assert!(why.contains(words), "{chosen:?} {there:?}: {why}");
        }
    }

    #[test]
    fn an_account_is_of_the_call_that_began_last() {
        let account = Account::new();
        let (first, second) = (Instant::now(), Instant::now() + Duration::from_millis(1));
        account.picked(first, pick(Chosen::Best, &[true]));
        account.ended(first, LedgerCall::default(), known(&[true]));
        assert_eq!((account.picks().len(), account.ledger().is_some()), (1, true));
        account.picked(second, pick(Chosen::Best, &[true, false]));
        assert_eq!(account.picks()[0].known.known(), 2);
        assert_eq!((account.ledger(), account.explanation()), (None, None));
    }

    #[test]
    fn a_call_that_tries_for_ever_is_bounded_and_blames_no_other_pick() {
        let (account, began) = (Account::new(), Instant::now());
        for number in 0..PICKS + 5 {
            account.picked(began, pick(Chosen::Unfit, &[false]));
            account.missed(began, None, &Status::new(Code::Unavailable, format!("{number}")));
        }
        let picks = account.picks();
        assert_eq!((picks.len(), account.left_out()), (PICKS, 5));
        let last = picks[PICKS - 1].failed.as_ref().unwrap();
        assert_eq!(last.message(), (PICKS - 1).to_string());
        let text = account.to_string();
        assert!(
            text.contains("and 5 more picks") && text.contains("it came to nothing: "),
            "{text}"
        );
    }
}
