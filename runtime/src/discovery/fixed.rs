//! Addresses that were named: they are there, for good.

use sinew_core::policy::roster::{Snapshot, Withdrawn};

use super::{Doubts, Entry, Hearing, Source, forever};

/// `static:host:port,host:port`.
#[derive(Debug)]
pub(crate) struct Fixed {
    addresses: Vec<String>,
    said: bool,
}

impl Fixed {
    pub(crate) fn new(addresses: Vec<String>) -> Self {
        Self { addresses, said: false }
    }
}

impl Source for Fixed {
    fn name(&self) -> String {
        format!("static:{}", self.addresses.join(","))
    }

    fn next<'a>(&'a mut self, _doubts: &'a mut Doubts) -> Hearing<'a> {
        Box::pin(async move {
            if std::mem::replace(&mut self.said, true) {
                forever().await;
            }
            let endpoints = self.addresses.iter().map(Entry::at).collect();
            Ok(Snapshot { endpoints, withdrawn: Withdrawn::NONE })
        })
    }
}
