//! A fault: what happened, to which method at which endpoint, whether the handler ran, and where the time went.

use std::{borrow::Cow, error::Error, fmt, sync::Arc, time::Duration};

use sinew_core::{
    codes::{Code, Directive, Disposition, Origin, Ran, Reason},
    ledger::LedgerCall,
    wire::answer::WireStatus,
};

use super::Explanation;

/// Who has to act on a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The caller: give more time, send less, send something valid.
    Caller,
    /// Whoever runs the fleet: nobody could take the call.
    Fleet,
    /// Whoever owns the service: it took the call and failed.
    Service,
}

/// The mesh saying why there is no answer.
///
/// One pointer wide. [`Display`](fmt::Display) is one line for an operator; [`ledger`](Self::ledger) prints where the
/// time went, hop by hop.
#[derive(Clone)]
pub struct Status(Box<Inner>);

#[derive(Clone)]
struct Inner {
    code: Code,
    reason: Reason,
    disposition: Disposition,
    directive: Directive,
    origin: Origin,
    attempts: u8,
    message: Cow<'static, str>,
    method: Option<Arc<str>>,
    endpoint: Option<Arc<str>>,
    ledger: Option<LedgerCall>,
    explanation: Option<Arc<Explanation>>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl Status {
    /// A status that a handler returns: the handler ran, the code and the words are its own.
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            code,
            reason: Reason::None,
            disposition: Disposition::Processed,
            directive: Directive::Default,
            origin: Origin::PeerHandler,
            attempts: 0,
            message: message.into(),
            method: None,
            endpoint: None,
            ledger: None,
            explanation: None,
            source: None,
        }))
    }

    /// A status that the runtime makes, with how far the call came.
    pub(crate) fn runtime(
        code: Code,
        reason: Reason,
        disposition: Disposition,
        origin: Origin,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        let mut status = Self::new(code, message);
        status.0.reason = reason;
        status.0.disposition = disposition;
        status.0.origin = origin;
        status
    }

    /// A call that never left this process.
    pub(crate) fn not_sent(
        code: Code,
        reason: Reason,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::runtime(code, reason, Disposition::NotSent, Origin::Local, message)
    }

    /// A call that a server's runtime turned away before the handler.
    pub(crate) fn rejected(
        code: Code,
        reason: Reason,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::runtime(code, reason, Disposition::Rejected, Origin::PeerRuntime, message)
    }

    pub(crate) fn from_wire(mut wire: WireStatus, directive: Directive) -> Self {
        // What was not sent cannot have been answered: a peer that says so knows less than it says.
        if wire.disposition == Disposition::NotSent {
            wire.disposition = Disposition::Unknown;
        }
        let mut status =
            Self::runtime(wire.code, wire.reason, wire.disposition, wire.origin, wire.message);
        status.0.directive = directive;
        status
    }

    pub(crate) fn to_wire(&self) -> WireStatus {
        WireStatus {
            code: self.0.code,
            reason: self.0.reason,
            disposition: self.0.disposition,
            origin: self.0.origin,
            message: clip(&self.0.message, sinew_core::limits::STATUS_MESSAGE_MAX).to_owned(),
        }
    }

    /// The canonical code.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// What exactly the runtime ran into; [`Reason::None`] for a handler's own status.
    pub fn reason(&self) -> Reason {
        self.0.reason
    }

    /// What happened, without the code, the method and the endpoint.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Whether the handler may have run: no, maybe, yes. Repeating is safe after `No`.
    pub fn ran(&self) -> Ran {
        self.0.disposition.ran()
    }

    /// How far the call came, as the wire says it.
    pub fn disposition(&self) -> Disposition {
        self.0.disposition
    }

    /// What the server asks of a caller that would repeat the call.
    pub fn directive(&self) -> Directive {
        self.0.directive
    }

    /// Which part of the system made this status.
    pub fn origin(&self) -> Origin {
        self.0.origin
    }

    /// `Service/method`, where known.
    pub fn method(&self) -> Option<&str> {
        self.0.method.as_deref()
    }

    /// The endpoint of the last attempt, where one was reached or tried.
    pub fn endpoint(&self) -> Option<&str> {
        self.0.endpoint.as_deref()
    }

    /// How many attempts were made.
    pub fn attempts(&self) -> u8 {
        self.0.attempts
    }

    /// Where the time of this call went: each attempt, the server's queue and work, and the calls that it made in turn.
    pub fn ledger(&self) -> Option<&LedgerCall> {
        self.0.ledger.as_ref()
    }

    /// What the client knew of the service's endpoints when the call failed: which there were, which were left alone
    /// and why, and what the budget for retries held. `None` for what the service itself answered, and in a handler
    /// that was relayed to.
    pub fn explain(&self) -> Option<&Explanation> {
        self.0.explanation.as_deref()
    }

    /// Who has to act.
    pub fn fault(&self) -> Fault {
        match (self.0.origin, self.0.code) {
            (_, Code::Cancelled | Code::InvalidArgument | Code::OutOfRange) => Fault::Caller,
            (_, Code::Unauthenticated | Code::PermissionDenied | Code::Unimplemented) => {
                Fault::Caller
            }
            (Origin::Local, Code::DeadlineExceeded) if self.0.attempts == 0 => Fault::Fleet,
            (Origin::PeerHandler | Origin::Relayed, _) => Fault::Service,
            (_, Code::DeadlineExceeded | Code::Internal | Code::DataLoss) => Fault::Service,
            _ => Fault::Fleet,
        }
    }

    /// The same status with the error that caused it, kept for [`Error::source`].
    pub fn with_source(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.0.source = Some(Arc::new(source));
        self
    }

    /// The same status with what a caller that would repeat the call should do.
    pub fn with_directive(mut self, directive: Directive) -> Self {
        self.0.directive = directive;
        self
    }

    pub(crate) fn at(mut self, method: &str, endpoint: Option<&Arc<str>>, attempts: u8) -> Self {
        self.0.method = Some(Arc::from(method));
        if let Some(endpoint) = endpoint {
            self.0.endpoint = Some(Arc::clone(endpoint));
        }
        self.0.attempts = attempts;
        self
    }

    /// Where the call would have gone.
    pub(crate) fn tried_at(mut self, endpoint: &Arc<str>) -> Self {
        self.0.endpoint = Some(Arc::clone(endpoint));
        self
    }

    /// The same, with more to say.
    pub(crate) fn noting(mut self, words: &str) -> Self {
        self.0.message = format!("{}; {words}", self.0.message).into();
        self
    }

    pub(crate) fn with_explanation(mut self, explanation: Option<Explanation>) -> Self {
        self.0.explanation = explanation.map(Arc::new);
        self
    }

    /// The same of a call that has come so far, or further.
    pub(crate) fn came(mut self, so_far: Disposition) -> Self {
        self.0.disposition = self.0.disposition.max(so_far);
        self
    }

    pub(crate) fn with_ledger(mut self, ledger: LedgerCall) -> Self {
        self.0.ledger = Some(ledger);
        self
    }

    /// This status as a handler returns it: the handler ran, whatever became of a call that it made and whose status
    /// it passes on as it is.
    pub(crate) fn of_handler(self) -> Self {
        match self.0.disposition {
            Disposition::NotSent | Disposition::Rejected => self.relayed(),
            Disposition::Unknown | Disposition::Processed => self,
        }
    }

    /// This status as the answer of a handler that made the failed call: it ran, and repeating helps only where the
    /// inner call was not already repeated or out of time.
    pub(crate) fn relayed(mut self) -> Self {
        let inner = &mut *self.0;
        let spent = inner.attempts > 1 || inner.code == Code::DeadlineExceeded;
        if spent {
            inner.directive = Directive::DoNotRetry;
        }
        inner.disposition = Disposition::Processed;
        inner.origin = Origin::Relayed;
        if let Some(method) = &inner.method {
            let at = inner.endpoint.as_deref().map(|at| format!(" at {at}")).unwrap_or_default();
            inner.message = Cow::Owned(format!("`{method}`{at}: {}", inner.message));
        }
        self
    }
}

/// Cuts at a character boundary.
pub(super) fn clip(text: &str, max: usize) -> &str {
    if text.len() <= max {
        return text;
    }
    let mut end = max;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        write!(f, "{}: ", inner.code)?;
        if let Some(method) = &inner.method {
            write!(f, "`{method}`")?;
            if let Some(endpoint) = &inner.endpoint {
                write!(f, " at {endpoint}")?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&inner.message)?;
        match inner.disposition.ran() {
            Ran::No => f.write_str("; not processed")?,
            Ran::Maybe => f.write_str("; maybe processed")?,
            Ran::Yes => {}
        }
        if inner.attempts > 1 {
            write!(f, "; {} attempts", inner.attempts)?;
        }
        // Where the time went matters when there was none left, or when it went somewhere else.
        if let Some(culprit) = inner.ledger.as_ref().and_then(LedgerCall::culprit)
            && (inner.code == Code::DeadlineExceeded
                || inner.method.as_deref() != Some(culprit.method))
        {
            write!(f, "; {culprit}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        f.debug_struct("Status")
            .field("code", &inner.code)
            .field("reason", &inner.reason)
            .field("disposition", &inner.disposition)
            .field("directive", &inner.directive)
            .field("origin", &inner.origin)
            .field("message", &inner.message)
            .field("method", &inner.method)
            .field("endpoint", &inner.endpoint)
            .field("attempts", &inner.attempts)
            .field("source", &inner.source)
            .finish_non_exhaustive()
    }
}

impl Error for Status {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

/// `12.3 ms`, the way every message of this crate prints a span of time.
pub(crate) fn millis(span: Duration) -> impl fmt::Display {
    struct Millis(Duration);
    impl fmt::Display for Millis {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let ms = self.0.as_secs_f64() * 1e3;
            if ms >= 100.0 || (ms - ms.round()).abs() < 1e-6 {
                write!(f, "{ms:.0} ms")
            } else {
                write!(f, "{ms:.1} ms")
            }
        }
    }
    Millis(span)
}
