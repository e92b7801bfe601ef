//! A source that says what a test wants, when it wants it.

use std::collections::BTreeSet;

use sinew_core::policy::roster::{Snapshot, Withdrawn};
use tokio::sync::mpsc;

use super::{Doubts, Entry, Hearing, Source, forever};

/// What may be said before the client listens; what is more is not said.
const SAID_MAX: usize = 256;

/// What such a source is to say.
#[derive(Debug, Clone)]
pub struct Script(mpsc::Sender<Result<Snapshot<Entry>, String>>);

/// `script:`.
#[derive(Debug)]
pub(crate) struct Scripted(mpsc::Receiver<Result<Snapshot<Entry>, String>>);

impl Script {
    /// A source that has said nothing yet.
    pub(crate) fn new() -> (Self, Scripted) {
        let (say, said) = mpsc::channel(SAID_MAX);
        (Self(say), Scripted(said))
    }

    /// It lists these, each by an id and an address, and takes back those of the ids.
    pub fn lists(&self, listed: &[(String, String)], withdrawn: BTreeSet<String>) {
        let entry =
            |(id, address): &(String, String)| Entry { id: id.clone(), ..Entry::at(address) };
        let endpoints = listed.iter().map(entry).collect();
        let _ = self.0.try_send(Ok(Snapshot { endpoints, withdrawn: Withdrawn::Ids(withdrawn) }));
    }

    /// It cannot be asked.
    pub fn fails(&self, why: &str) {
        let _ = self.0.try_send(Err(why.to_owned()));
    }
}

impl Source for Scripted {
    fn name(&self) -> String {
        "script:".to_owned()
    }

    fn next<'a>(&'a mut self, _doubts: &'a mut Doubts) -> Hearing<'a> {
        Box::pin(async move {
            match self.0.recv().await {
                Some(said) => said,
                None => forever().await,
            }
        })
    }
}
