//! Two single calls that show what a deadline does.

use std::time::Duration;

use sinew::{CallError, CallOptions, Code, LedgerCall, Status};
use tokio::time::Instant;

use crate::{
    api::{GatewayClient, Pricing, Route, Wish},
    tally::{Kind, Tally},
};

/// What the call is given whose deadline is followed down.
pub(crate) const KNOWN: Duration = Duration::from_secs(2);
/// What the call is given that cannot be answered in that time.
pub(crate) const TOO_SHORT: Duration = Duration::from_millis(300);

/// How often it is made, until its ledger reaches down to the fares.
const TRIES: u32 = 5;

/// A call that missed its deadline on purpose.
#[derive(Debug)]
pub(crate) struct Miss {
    /// The operator's line.
    pub(crate) words: String,
    /// Where the time went.
    pub(crate) ledger: Option<LedgerCall>,
}

fn wish(pricing: Pricing) -> Wish {
    let route = Route { from: "JFK".to_owned(), to: "LAX".to_owned() };
    Wish { route, day: 1, pricing }
}

/// The time that a call with 2 s had left at the gateway, at the search and at the fares.
pub(crate) async fn follow_a_deadline(gateway: &GatewayClient, tally: &Tally) -> [u64; 3] {
    let began = Instant::now();
    let gateway = gateway.with(CallOptions::new().timeout(KNOWN));
    let answer = gateway.plan_trip(wish(Pricing::ByPhone)).await;
    tally.took(Kind::Plan, began.elapsed());
    match answer {
        Ok(trip) => {
            let (gateway, search, fares) = trip.left_us;
            [gateway, search, fares.unwrap_or_default()]
        }
        Err(CallError::App(answer)) => {
            tally.wrong("a route has no flights".to_owned(), || format!("{answer:?}"));
            [0; 3]
        }
        Err(CallError::Status(status)) => {
            tally.failed(&status);
            [0; 3]
        }
    }
}

/// A call with 300 ms for a fare that takes 2 s. That it fails is the point: it is in no count,
/// unless it fails in another way.
///
/// Each hop keeps a millisecond back to tell its caller where the time went. On a machine that is
/// busy that is not always enough, and the story ends one hop early; then it is told again.
pub(crate) async fn miss_a_deadline(gateway: &GatewayClient, tally: &Tally) -> Miss {
    let gateway = gateway.with(CallOptions::new().timeout(TOO_SHORT));
    let mut tries = 0;
    loop {
        tries += 1;
        let status = match gateway.plan_trip(wish(Pricing::ByHand)).await {
            Err(CallError::Status(status)) => status,
            other => Status::new(Code::Internal, format!("answered in time: {other:?}")),
        };
        let ledger = status.ledger().cloned();
        let culprit = ledger.as_ref().and_then(LedgerCall::culprit);
        let is_whole = culprit.is_some_and(|culprit| culprit.method == "Clerk/look_up");
        if status.code() != Code::DeadlineExceeded {
            tally.failed(&status);
        } else if !is_whole && tries < TRIES {
            continue;
        }
        return Miss { words: status.to_string(), ledger };
    }
}
