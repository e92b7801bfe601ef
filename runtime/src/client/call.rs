//! One call on its way: what it inherits, what it asks for, and what is noted of it.

use std::time::Duration;

use sinew_core::{
    deadline, limits,
    wire::{answer::AnswerHead, request::RequestHead},
};
use tokio::time::Instant;

use super::Channel;
use crate::{
    call::{
        context::{Context, Inner, note_lost_context},
        method::Method,
        options::CallOptions,
        record::Record,
    },
    error::millis,
};

/// One call on its way.
pub(crate) struct Call {
    pub(super) channel: Channel,
    pub(super) method: &'static Method,
    pub(super) context: Option<Context>,
    pub(super) deadline: Option<Instant>,
    /// What the caller allowed, for the message.
    pub(super) limit: Option<Duration>,
    pub(super) head: RequestHead,
    pub(super) record: Record,
    /// It had to wait for an endpoint, or is at a later attempt.
    pub(super) waited: bool,
    pub(super) over: bool,
}

impl Call {
    /// 1: what the call inherits, and what it asks for.
    pub(super) fn begin(
        channel: Channel,
        method: &'static Method,
        context: Option<Context>,
    ) -> Self {
        let now = Instant::now();
        let options = channel.options.as_deref();
        if context.is_none() {
            note_lost_context(method.path());
        }
        let inherited = context.as_ref().map(Context::inner);
        let limit = own_limit(method, options);
        let parent = inherited.and_then(|parent| parent.deadline);
        let deadline = match limit {
            // The reserve leaves the caller time to answer its own caller.
            Some(limit) => Some(child(now, limit, inherited)),
            None => parent.and(Some(child(now, Duration::MAX, inherited))),
        };
        let mut head = RequestHead::new(method.id(), method.codec());
        head.idempotent = method.is_idempotent();
        let own = options.and_then(|options| options.criticality).or(method.default_criticality());
        head.criticality = match (own, inherited.and_then(|parent| parent.criticality)) {
            (Some(own), Some(parent)) => parent.lowered_to(own),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => head.criticality,
        };
        head.no_retry = options.is_some_and(|options| options.no_retry)
            || inherited.is_some_and(|parent| parent.no_retry);
        head.shed_key = options
            .and_then(|options| options.shed_key)
            .or_else(|| inherited.and_then(|parent| parent.shed_key));
        head.trace = inherited.and_then(|parent| parent.trace);
        if let Some(options) = options {
            head.metadata = options.metadata.clone();
        }
        if let Some(parent) = inherited {
            hand_on_baggage(&mut head, parent);
        }
        Self {
            channel,
            method,
            context,
            deadline,
            limit,
            head,
            record: Record::new(method.path(), now),
            waited: false,
            over: false,
        }
    }

    /// 2: disabled, it costs a comparison.
    pub(super) fn span(&self) -> Option<tracing::Span> {
        if !tracing::enabled!(target: "sinew::call", tracing::Level::INFO) {
            return None;
        }
        Some(tracing::info_span!(
            target: "sinew::call",
            "call",
            service = self.method.service(),
            method = self.method.name(),
        ))
    }

    pub(super) fn take_record(&mut self) -> Record {
        let started = self.record.started();
        std::mem::replace(&mut self.record, Record::new(self.method.path(), started))
    }

    /// The metadata of an answer, to whoever asked for it.
    pub(super) fn keep_metadata(&self, head: &AnswerHead) {
        if let Some(into) = &self.options().answer {
            into.set(head.metadata.clone());
        }
    }

    pub(super) fn options(&self) -> &CallOptions {
        static DEFAULTS: std::sync::LazyLock<CallOptions> =
            std::sync::LazyLock::new(CallOptions::default);
        self.channel.options.as_deref().unwrap_or(&DEFAULTS)
    }

    pub(super) fn head(&self) -> &RequestHead {
        &self.head
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    pub(super) fn idle(&self) -> Duration {
        self.options().idle.unwrap_or(limits::STREAM_FRAME_GAP)
    }

    pub(super) fn waited(&self) -> bool {
        self.waited
    }

    pub(super) fn record(&mut self) -> &mut Record {
        &mut self.record
    }

    /// Whether anybody will look at the record of a call that went well.
    pub(super) fn is_observed(&self) -> bool {
        self.context.is_some()
    }

    /// An attempt goes out: what serves a repeated call must not repeat below it.
    pub(super) fn sending(&mut self) {
        self.head.no_retry |= self.head.attempt > 0;
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.over
            && let Some(context) = self.context.take()
        {
            context.note_call(self.take_record());
        }
    }
}

/// The timeout of the call itself: its options', its method's, the default; `None` for a call without one.
fn own_limit(method: &Method, options: Option<&CallOptions>) -> Option<Duration> {
    let asked = options.and_then(|options| options.timeout);
    if asked.is_none() && options.is_some_and(|options| options.unbounded) {
        return None;
    }
    let limit = match (asked, method.timeout(), method.shape().streams()) {
        (Some(limit), _, _) | (None, Some(limit), _) => limit,
        (None, None, true) => return None,
        (None, None, false) => limits::DEADLINE_DEFAULT,
    };
    let (limit, clamped) = deadline::clamp_to_default(limit);
    if clamped {
        tracing::debug!(method = method.path(), limit = %millis(limit), "a longer timeout was clamped");
    }
    Some(limit)
}

/// min(own, inherited less what an answer to our caller takes).
fn child(now: Instant, limit: Duration, parent: Option<&Inner>) -> Instant {
    let deadline = parent.and_then(|parent| parent.deadline).map(Instant::into_std);
    let rtt = parent.map_or(Duration::ZERO, |parent| parent.caller_rtt);
    Instant::from_std(deadline::child_deadline(now.into_std(), limit, deadline, rtt))
}

/// What the request that is being served said to everybody below it.
fn hand_on_baggage(head: &mut RequestHead, parent: &Inner) {
    for (key, value) in parent.metadata.iter() {
        if key.starts_with("baggage.") && head.metadata.get(key).is_none() {
            // It fitted once; where the call's own entries leave no room, those come first.
            let _ = head.metadata.insert(key, value.clone());
        }
    }
}
