//! One call on its way: what it inherits, what it asks for, and what is noted of it.

use std::{sync::Arc, time::Duration};

use sinew_core::{
    codes::{Code, Disposition, Reason},
    deadline,
    ids::Fingerprint,
    limits,
    wire::{answer::AnswerHead, request::RequestHead},
};
use tokio::{sync::oneshot, time::Instant};

use super::{Channel, Endpoint};
use crate::{
    call::{
        context::{Context, Inner, note_lost_context},
        method::Method,
        options::CallOptions,
        record::Record,
        types::{self, Answerer, Types},
    },
    codec::{self, Encode},
    error::{Status, millis},
    metrics::Happened,
    mirrored::MirroredAnswer,
    policy::terms::{CallRules, Later},
    transport::{Outgoing, Session, Theirs},
};

/// One call on its way.
pub(crate) struct Call {
    pub(super) channel: Channel,
    pub(super) method: &'static Method,
    pub(super) types: &'static Types,
    /// What its endpoint is found by, if its method has a key.
    pub(super) key: Option<u64>,
    pub(super) context: Option<Context>,
    pub(super) deadline: Option<Instant>,
    /// What the caller allowed, for the message.
    pub(super) limit: Option<Duration>,
    pub(super) head: RequestHead,
    /// What the policy says of it, as it was when the call began.
    pub(super) rules: Later,
    pub(super) record: Record,
    /// It had to wait for an endpoint, or is at a later attempt.
    pub(super) waited: bool,
    pub(super) over: bool,
    /// How far an attempt of it has come that was followed by another.
    pub(super) came: Disposition,
    /// The server's idea of the types, where it was heard.
    theirs: Option<Fingerprint>,
    /// Who is told what it comes to, if it was copied and somebody compares.
    pub(super) twin: Option<oneshot::Sender<MirroredAnswer>>,
    /// It goes with names from here on, whatever was heard.
    named: bool,
}

/// What an attempt goes out in, and what its server had said of the types then.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spoken {
    codec: u8,
    fingerprint: Option<Fingerprint>,
    theirs: Option<Fingerprint>,
}

impl Call {
    /// 1: what the call inherits, and what it asks for.
    pub(super) fn begin(
        channel: Channel,
        types: &'static Types,
        key: Option<u64>,
        context: Option<Context>,
    ) -> Self {
        let now = Instant::now();
        let method = types.method();
        let options = channel.options.as_deref();
        if context.is_none() {
            note_lost_context(method.path());
        }
        let inherited = context.as_ref().map(Context::inner);
        let rules = channel.core.rules(types.id());
        let limit = own_limit(method, options, &rules);
        let parent = inherited.and_then(|parent| parent.deadline);
        let deadline = match limit {
            // The reserve leaves the caller time to answer its own caller.
            Some(limit) => Some(child(now, limit, inherited)),
            None => parent.and(Some(child(now, Duration::MAX, inherited))),
        };
        let mut head = RequestHead::new(types.id(), types.codec());
        head.idempotent = method.is_idempotent() && !rules.once;
        let own = options.and_then(|options| options.criticality);
        let own =
            own.or(rules.own_criticality).or(method.default_criticality()).or(rules.criticality);
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
        head.trace = options
            .and_then(|options| options.trace)
            .or_else(|| inherited.and_then(|parent| parent.trace));
        head.shadow = inherited.is_some_and(|parent| parent.shadow);
        if let Some(options) = options {
            head.metadata = options.metadata.clone();
        }
        if let Some(parent) = inherited {
            hand_on_baggage(&mut head, parent);
        }
        Self {
            channel,
            method,
            types,
            key,
            context,
            deadline,
            limit,
            head,
            rules: rules.later,
            record: Record::new(method.path(), now),
            waited: false,
            over: false,
            came: Disposition::NotSent,
            theirs: None,
            twin: None,
            named: false,
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

    /// The next attempt, with these arguments.
    pub(super) fn outgoing<'a>(&'a self, arguments: &'a mut dyn Encode) -> Outgoing<'a> {
        Outgoing {
            #[cfg(feature = "foreign")]
            method: self.method,
            head: &self.head,
            deadline: self.deadline,
            #[cfg(feature = "foreign")]
            wants_metadata: self.options().answer.is_some() || !self.interceptors().is_empty(),
            arguments,
        }
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

    /// 6: the codec that this session and we both understand.
    ///
    /// A call that is not `repeatable` cannot be told to come again in another codec. Without a fingerprint in the head,
    /// bincode says: compared with your settings, and equal.
    pub(super) fn speak(&mut self, session: &dyn Session, repeatable: bool) -> Result<(), Status> {
        #[cfg(feature = "foreign")]
        if session.is_foreign() {
            (self.head.codec, self.head.fingerprint, self.theirs) = (codec::JSON, None, None);
            return Ok(());
        }
        if self.method.is_raw() {
            // It may have gone to an endpoint of another protocol before.
            self.head.codec = codec::RAW;
            return Ok(());
        }
        let ours = self.types.fingerprint();
        let theirs = session.theirs(self.head.method);
        self.theirs = match theirs {
            Theirs::Known(theirs) => Some(theirs),
            Theirs::Unheard | Theirs::Unlisted | Theirs::Named => None,
        };
        (self.head.codec, self.head.fingerprint) = match (ours, theirs) {
            _ if self.named => (codec::MESSAGEPACK, ours),
            (Some(ours), Theirs::Known(theirs)) if ours == theirs => (codec::BINCODE, None),
            (Some(ours), Theirs::Unheard | Theirs::Unlisted) if repeatable => {
                (codec::BINCODE, Some(ours))
            }
            _ => (codec::MESSAGEPACK, ours),
        };
        if let (Some(ours), Some(theirs)) = (ours, self.theirs)
            && ours != theirs
        {
            types::note_difference(self.types, theirs);
        }
        if self.head.codec != codec::MESSAGEPACK {
            return Ok(());
        }
        self.types.can_be_named().map_err(|why| {
            Status::not_sent(Code::FailedPrecondition, Reason::WrongFingerprint, why)
        })
    }

    pub(super) fn spoken(&self) -> Spoken {
        let RequestHead { codec, fingerprint, .. } = self.head;
        Spoken { codec, fingerprint, theirs: self.theirs }
    }

    /// It is this attempt's turn to be looked at.
    pub(super) fn speaks(&mut self, Spoken { codec, fingerprint, theirs }: Spoken) {
        (self.head.codec, self.head.fingerprint, self.theirs) = (codec, fingerprint, theirs);
    }

    /// Whether a failed attempt goes again at once, in the codec that carries names: the server's types differ, or
    /// bincode would have corrupted a value. Once per call, and at no cost to its attempts.
    pub(super) fn goes_with_names(&mut self, status: &Status) -> bool {
        let refused = status.reason() == Reason::WrongFingerprint
            && status.disposition() == Disposition::Rejected;
        let unwritten =
            status.reason() == Reason::Malformed && status.disposition() == Disposition::NotSent;
        let again = self.head.codec == codec::BINCODE && (refused || unwritten);
        self.named |= again;
        if again {
            self.note(Happened::RetryCodec);
            self.missed(status);
        }
        again
    }

    pub(super) fn answerer(&self, endpoint: &Endpoint) -> Answerer {
        Answerer { theirs: self.theirs, endpoint: Some(Arc::clone(endpoint.name())) }
    }

    /// An attempt goes out: what serves a repeated call must not repeat below it.
    pub(super) fn sending(&mut self) {
        self.head.no_retry |= self.head.attempt > 0;
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        self.count_dropped();
        if let Some(context) = self.context.take() {
            context.note_call(self.take_record());
        }
    }
}

/// The timeout of the call itself: its options', what the policy says of its method, its method's, its service's; `None` for
/// a call without one.
fn own_limit(
    method: &Method,
    options: Option<&CallOptions>,
    rules: &CallRules,
) -> Option<Duration> {
    let asked = options.and_then(|options| options.timeout);
    if asked.is_none() && options.is_some_and(|options| options.unbounded) {
        return None;
    }
    let own = asked.or(rules.own_timeout).or(method.timeout());
    let limit = match own {
        Some(limit) => limit,
        None if method.shape().streams() => return None,
        None => rules.timeout,
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
    #[cfg(feature = "fuzzing")]
    let deadline =
        deadline.filter(|_| !crate::planted::is(crate::planted::Planted::DeadlineNotShrunk));
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
