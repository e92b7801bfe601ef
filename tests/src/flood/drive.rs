//! Calls that come as they come, and what became of them.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sinew::{CallOptions, Code, Criticality, Reason, Status};
use tokio::time::{Instant, sleep_until};

use super::WorkClient;

/// How one of them calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// As everybody does: a deadline of 500 ms, everything else by default.
    Plain,
    /// A batch that comes again by itself: it may be shed, and is not repeated.
    Batch,
    /// With a loop of its own: up to three attempts one after the other, each of 500 ms.
    Looping,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// With an answer.
    Well,
    /// It was told that there is too much to do, for this reason.
    Refused(Reason),
    /// In another way.
    Failed,
}

/// One call.
#[derive(Debug, Clone, Copy)]
pub struct Record {
    /// When it began, since the callers did.
    pub at: Duration,
    /// What it took.
    pub took: Duration,
    /// Who made it.
    pub caller: Caller,
    /// What came of it.
    pub ended: Ended,
}

/// What the calls of one second came to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Second {
    /// How many there were.
    pub calls: u32,
    /// Those with an answer.
    pub well: u32,
}

const PATIENCE: Duration = Duration::from_millis(500);

/// Those that call.
#[derive(Debug, Clone)]
pub struct Callers {
    client: WorkClient,
    began: Instant,
    records: Arc<Mutex<Vec<Record>>>,
}

impl Callers {
    /// With this client.
    pub fn new(client: WorkClient) -> Self {
        Self { client, began: Instant::now(), records: Arc::default() }
    }

    /// So many calls a second by each of these, evenly, for this long. Returns when the last of them has begun.
    pub async fn call(&self, each: &[(Caller, u32)], time: Duration) {
        let all: u32 = each.iter().map(|(_, rate)| rate).sum();
        let (began, mut given) = (Instant::now(), vec![0_u32; each.len()]);
        let calls = (f64::from(all) * time.as_secs_f64()) as u32;
        for call in 0..calls {
            sleep_until(began + Duration::from_secs(1) * call / all).await;
            // Whoever is most behind its share.
            let behind = |at: &usize| {
                let share = f64::from(each[*at].1) / f64::from(all);
                ((f64::from(call + 1) * share - f64::from(given[*at])) * 1e6) as i64
            };
            let at = (0..each.len()).max_by_key(behind).unwrap_or(0);
            given[at] += 1;
            self.one(each[at].0);
        }
    }

    fn one(&self, caller: Caller) {
        let callers = self.clone();
        tokio::spawn(async move {
            let began = Instant::now();
            let outcome = callers.made_by(caller).await;
            let ended = match outcome {
                Ok(()) => Ended::Well,
                Err(status) if status.code() == Code::ResourceExhausted => {
                    Ended::Refused(status.reason())
                }
                Err(_) => Ended::Failed,
            };
            let record = Record { at: began - callers.began, took: began.elapsed(), caller, ended };
            callers.records.lock().unwrap_or_else(PoisonError::into_inner).push(record);
        });
    }

    async fn made_by(&self, caller: Caller) -> Result<(), Status> {
        let options = CallOptions::new().timeout(PATIENCE);
        match caller {
            Caller::Plain => self.client.with(options).work().await,
            Caller::Batch => {
                let options = options.criticality(Criticality::Sheddable).attempts(1);
                self.client.with(options).work().await
            }
            Caller::Looping => {
                let client = self.client.with(options.attempts(1));
                let mut outcome = client.work().await;
                for _ in 0..2 {
                    if outcome.is_ok() {
                        break;
                    }
                    outcome = client.work().await;
                }
                outcome
            }
        }
    }

    /// How long they have been calling.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// What has become of their calls so far.
    pub fn records(&self) -> Vec<Record> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The calls that began in each half of a second.
    pub fn halves(&self) -> Vec<Second> {
        let mut halves: Vec<Second> = Vec::new();
        for record in self.records() {
            let at = (record.at.as_millis() / 500) as usize;
            if halves.len() <= at {
                halves.resize(at + 1, Second::default());
            }
            halves[at].calls += 1;
            halves[at].well += u32::from(record.ended == Ended::Well);
        }
        halves
    }
}
