//! What a call tells whoever asked for an account of it, and its own caller's ledger.

use sinew_core::codes::Code;
use tokio::time::Instant;

use super::{Endpoint, call::Call, route::Booked};
use crate::error::{Account, Pick, Status};

impl Call {
    /// Who wants to know.
    #[inline]
    fn account(&self) -> Option<&Account> {
        self.channel.options.as_deref()?.account.as_ref()
    }

    /// Whether anybody will look at the record of a call that went well.
    #[inline]
    pub(super) fn is_observed(&self) -> bool {
        self.context.is_some() || self.account().is_some()
    }

    /// An attempt has its endpoint.
    #[inline]
    pub(super) fn picked(&self, booked: &Booked) {
        if let Some(account) = self.account() {
            self.tell_pick(account, booked);
        }
    }

    #[cold]
    fn tell_pick(&self, account: &Account, booked: &Booked) {
        let (now, began) = (Instant::now(), self.record.started());
        let pick = Pick {
            endpoint: booked.endpoint().name().clone(),
            after: now.saturating_duration_since(began),
            chosen: booked.why(),
            known: self.channel.core.known_before(booked.endpoint(), now),
            failed: None,
        };
        account.picked(began.into_std(), pick);
    }

    /// What was picked last came to nothing.
    pub(super) fn missed(&self, status: &Status) {
        if let Some(account) = self.account() {
            account.missed(self.record.started().into_std(), None, status);
        }
    }

    /// One of two attempts that are out came to nothing.
    pub(super) fn one_missed(&self, endpoint: &Endpoint, status: &Status) {
        if let Some(account) = self.account() {
            account.missed(self.record.started().into_std(), Some(endpoint.name()), status);
        }
    }

    /// The call has an answer, and somebody wants to know how.
    pub(super) fn note_answered(&mut self) {
        let now = Instant::now();
        self.record.ended(Code::Ok, now);
        let (began, record) = (self.record.started(), self.take_record());
        let Some(account) = self.account() else {
            if let Some(context) = &self.context {
                context.note_call(record);
            }
            return;
        };
        let ledger = record.into_ledger(now);
        if let Some(context) = &self.context {
            context.note_ledger(ledger.clone());
        }
        account.ended(began.into_std(), ledger, self.channel.core.explain(now));
    }

    /// The call has failed, with this status.
    pub(super) fn note_failed(&self, began: Instant, status: &Status) {
        if let (Some(account), Some(ledger)) = (self.account(), status.ledger()) {
            self.missed(status);
            let explanation = self.channel.core.explain(Instant::now());
            account.ended(began.into_std(), ledger.clone(), explanation);
        }
    }
}
