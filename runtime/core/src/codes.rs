//! What an outcome is called: code, reason, disposition, directive, origin, criticality, cancel
//! reason.
//!
//! # Why
//! Peers answer "may I try again?" with one ambiguous `UNAVAILABLE`. Here three facts stay apart:
//! the *code* says what is wrong, the *disposition* whether the handler may have run, the
//! *directive* what the answering side asks for. `Reason` refines a code for metrics and messages
//! without growing the set of codes.
//!
//! # Invariants
//! 1. The numbers are frozen: they are on the wire. A new one is appended, and an old peer reads it
//!    as `Other`.
//! 2. Only a runtime says `NotSent`, `Rejected` or `Unknown`; what a handler returns is
//!    `Processed`.

use std::{fmt, time::Duration};

/// The canonical status codes, numbered as gRPC numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Code {
    /// Not an error.
    Ok = 0,
    /// The caller went away.
    Cancelled = 1,
    /// An error that nobody mapped to a code.
    Unknown = 2,
    /// The argument is wrong whatever the state of the system.
    InvalidArgument = 3,
    /// The time given by the caller ran out.
    DeadlineExceeded = 4,
    /// The thing asked for does not exist.
    NotFound = 5,
    /// The thing to create exists.
    AlreadyExists = 6,
    /// The caller is known and not allowed.
    PermissionDenied = 7,
    /// A quota, a queue or a limit is used up.
    ResourceExhausted = 8,
    /// The system is in a state that does not permit it.
    FailedPrecondition = 9,
    /// Lost a race with another change; start over at a higher level.
    Aborted = 10,
    /// Beyond the valid range.
    OutOfRange = 11,
    /// No such method here.
    Unimplemented = 12,
    /// An invariant is broken: a bug, a panic, bytes that cannot be read.
    Internal = 13,
    /// Nobody can take the call at present.
    Unavailable = 14,
    /// Data is lost or corrupted.
    DataLoss = 15,
    /// The caller is not known.
    Unauthenticated = 16,
}

impl Code {
    /// All codes in the order of their numbers.
    pub const ALL: [Self; 17] = [
        Self::Ok,
        Self::Cancelled,
        Self::Unknown,
        Self::InvalidArgument,
        Self::DeadlineExceeded,
        Self::NotFound,
        Self::AlreadyExists,
        Self::PermissionDenied,
        Self::ResourceExhausted,
        Self::FailedPrecondition,
        Self::Aborted,
        Self::OutOfRange,
        Self::Unimplemented,
        Self::Internal,
        Self::Unavailable,
        Self::DataLoss,
        Self::Unauthenticated,
    ];

    /// The code with this number; the set is closed, so others are `None`.
    #[inline]
    pub fn from_u8(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// The canonical name, e.g. `DeadlineExceeded`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "Ok",
            Self::Cancelled => "Cancelled",
            Self::Unknown => "Unknown",
            Self::InvalidArgument => "InvalidArgument",
            Self::DeadlineExceeded => "DeadlineExceeded",
            Self::NotFound => "NotFound",
            Self::AlreadyExists => "AlreadyExists",
            Self::PermissionDenied => "PermissionDenied",
            Self::ResourceExhausted => "ResourceExhausted",
            Self::FailedPrecondition => "FailedPrecondition",
            Self::Aborted => "Aborted",
            Self::OutOfRange => "OutOfRange",
            Self::Unimplemented => "Unimplemented",
            Self::Internal => "Internal",
            Self::Unavailable => "Unavailable",
            Self::DataLoss => "DataLoss",
            Self::Unauthenticated => "Unauthenticated",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Some of the codes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Codes(u32);

impl Codes {
    /// None of them.
    pub const NONE: Self = Self(0);

    /// Whether this is one of them.
    pub const fn contains(self, code: Code) -> bool {
        self.0 & 1 << code as u8 != 0
    }
}

impl FromIterator<Code> for Codes {
    fn from_iter<I: IntoIterator<Item = Code>>(codes: I) -> Self {
        Self(codes.into_iter().fold(0, |all, code| all | 1 << code as u8))
    }
}

/// How far a call got, as the side that reports it knows. The further, the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Disposition {
    /// No byte of it left this process.
    NotSent = 0,
    /// The other runtime had it, and its handler never started.
    Rejected = 1,
    /// The handler may have run.
    Unknown = 2,
    /// The handler ran and returned this.
    Processed = 3,
}

/// Whether the handler ran: what a user asks before repeating a call by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ran {
    /// It did not: repeating is safe.
    No,
    /// Nobody knows.
    Maybe,
    /// It did.
    Yes,
}

impl Disposition {
    /// The disposition with this number.
    #[inline]
    pub const fn from_u8(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::NotSent),
            1 => Some(Self::Rejected),
            2 => Some(Self::Unknown),
            3 => Some(Self::Processed),
            _ => None,
        }
    }

    /// Whether the handler ran.
    #[inline]
    pub const fn ran(self) -> Ran {
        match self {
            Self::NotSent | Self::Rejected => Ran::No,
            Self::Unknown => Ran::Maybe,
            Self::Processed => Ran::Yes,
        }
    }
}

impl fmt::Display for Disposition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NotSent => "not sent",
            Self::Rejected => "rejected",
            Self::Unknown => "maybe processed",
            Self::Processed => "processed",
        })
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::No => "no",
            Self::Maybe => "maybe",
            Self::Yes => "yes",
        })
    }
}

/// What the answering side asks of whoever may repeat the call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Directive {
    /// Nothing: the caller's own rules apply.
    #[default]
    Default,
    /// Do not repeat it; somebody below has tried already, or it is pointless.
    DoNotRetry,
    /// Here again, but not before this long.
    RetryAfter(Duration),
    /// At another endpoint, not before this long; here not at all.
    RetryElsewhere(Duration),
}

/// Who noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Origin {
    /// This process, before or without sending.
    Local = 0,
    /// The connection under the call.
    Transport = 1,
    /// The runtime at the other end.
    PeerRuntime = 2,
    /// The handler at the other end.
    PeerHandler = 3,
    /// A handler that passed on the failure of a call of its own.
    Relayed = 4,
}

impl Origin {
    /// The origin with this number.
    #[inline]
    pub const fn from_u8(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Local),
            1 => Some(Self::Transport),
            2 => Some(Self::PeerRuntime),
            3 => Some(Self::PeerHandler),
            4 => Some(Self::Relayed),
            _ => None,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Local => "local",
            Self::Transport => "transport",
            Self::PeerRuntime => "peer runtime",
            Self::PeerHandler => "peer handler",
            Self::Relayed => "relayed",
        })
    }
}

/// What matters less is shed first. Smaller is more critical: a call is only ever lowered on its
/// way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Criticality {
    /// Somebody is hurt at once without it. Needs to be asked for.
    CriticalPlus = 0,
    /// A user waits for it: what a call is unless somebody says otherwise.
    #[default]
    Critical = 1,
    /// May fail for minutes: batches that repeat themselves.
    SheddablePlus = 2,
    /// May fail for hours.
    Sheddable = 3,
}

impl Criticality {
    /// All classes, the most critical first.
    pub const ALL: [Self; 4] =
        [Self::CriticalPlus, Self::Critical, Self::SheddablePlus, Self::Sheddable];

    /// The class with this number.
    #[inline]
    pub const fn from_u8(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::CriticalPlus),
            1 => Some(Self::Critical),
            2 => Some(Self::SheddablePlus),
            3 => Some(Self::Sheddable),
            _ => None,
        }
    }

    /// The less critical of the two: what a call made on behalf of another one gets.
    #[must_use]
    #[inline]
    pub fn lowered_to(self, other: Self) -> Self {
        self.max(other)
    }
}

impl fmt::Display for Criticality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::CriticalPlus => "critical-plus",
            Self::Critical => "critical",
            Self::SheddablePlus => "sheddable-plus",
            Self::Sheddable => "sheddable",
        })
    }
}

/// Declares an enum of numbered words that an old peer may not know all of.
macro_rules! open_words {
    ($(#[$doc:meta])* $name:ident {
        $($(#[$vdoc:meta])* $variant:ident = $number:literal $text:literal,)+
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$vdoc])* $variant,)+
            /// A number that this version has no word for.
            Other(u8),
        }

        impl $name {
            /// Every word that this version knows, in the order of the numbers.
            pub const KNOWN: &[Self] = &[$(Self::$variant,)+];

            /// Reads the number of the wire; never fails.
            #[inline]
            pub const fn from_u8(number: u8) -> Self {
                match number {
                    $($number => Self::$variant,)+
                    other => Self::Other(other),
                }
            }

            /// The number on the wire.
            #[inline]
            pub const fn to_u8(self) -> u8 {
                match self {
                    $(Self::$variant => $number,)+
                    Self::Other(number) => number,
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$variant => f.pad($text),)+
                    Self::Other(number) => write!(f, "number {number}"),
                }
            }
        }
    };
}

open_words! {
    /// Why exactly, where a code alone would not tell an operator what to do.
    Reason {
        /// Nothing to add to the code.
        None = 0 "none",
        /// The endpoint is shutting down and did not start the call.
        Draining = 1 "draining",
        /// The server has more than it can do and its queue is full.
        Overloaded = 2 "overloaded",
        /// The server let go of it in favour of more critical calls.
        Shed = 3 "shed",
        /// The client's breaker refuses this endpoint.
        BreakerOpen = 4 "breaker open",
        /// The client has as many calls out as it may.
        BulkheadFull = 5 "bulkhead full",
        /// No retry token was left.
        BudgetExhausted = 6 "retry budget exhausted",
        /// Discovery knows no endpoint.
        NoEndpoints = 7 "no endpoints",
        /// No connection could be set up.
        HandshakeFailed = 8 "handshake failed",
        /// The two sides disagree about the method's types; the body was not decoded.
        WrongFingerprint = 9 "wrong fingerprint",
        /// The frame or the body could not be read.
        Malformed = 10 "malformed",
        /// A message is above the limit.
        TooLarge = 11 "too large",
        /// The connection went away under the call.
        ConnectionLost = 12 "connection lost",
        /// The lane stopped in the middle of a frame.
        LaneStalled = 13 "lane stalled",
        /// The server has no such method.
        UnknownMethod = 14 "unknown method",
        /// The peer is not who may answer for this service.
        WrongIdentity = 15 "wrong identity",
        /// The handler panicked.
        HandlerPanicked = 16 "handler panicked",
        /// The deadline passed while the call waited or ran.
        Expired = 17 "expired",
        /// The deadline had passed when the call arrived.
        ExpiredOnArrival = 18 "expired on arrival",
        /// The time left was zero on the wire.
        InvalidDeadline = 19 "invalid deadline",
        /// The connection or identity has as many calls in flight as it may.
        TooManyInFlight = 20 "too many in flight",
        /// The server does not speak the codec of the body.
        UnknownCodec = 21 "unknown codec",
        /// The server has no time for the call before its deadline: it was not begun.
        CannotFinish = 22 "cannot finish in time",
        /// No rule of the server's policy lets this identity call this method.
        NotAllowed = 23 "not allowed",
        /// An attempt took longer than the policy gives one; the call goes on elsewhere.
        AttemptTimeout = 24 "attempt timeout",
    }
}

open_words! {
    /// Why a call was cancelled. Plus 0x100 it is also the code of the QUIC reset or stop.
    CancelReason {
        /// The caller dropped the call.
        Dropped = 1 "dropped",
        /// The caller's deadline passed.
        Deadline = 2 "deadline",
        /// Another attempt of the same call answered first.
        HedgeLost = 3 "hedge lost",
        /// The caller is shutting down.
        Shutdown = 4 "shutdown",
        /// The reader of a stream dropped it.
        StreamDropped = 5 "stream dropped",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_closed_sets_survive_and_others_are_refused() {
        for number in 0..=u8::MAX {
            assert_eq!(Code::from_u8(number).map(|c| c as u8), (number <= 16).then_some(number));
            assert_eq!(
                Disposition::from_u8(number).map(|c| c as u8),
                (number <= 3).then_some(number)
            );
            assert_eq!(Origin::from_u8(number).map(|c| c as u8), (number <= 4).then_some(number));
            assert_eq!(
                Criticality::from_u8(number).map(|c| c as u8),
                (number <= 3).then_some(number)
            );
        }
    }

    #[test]
    fn numbers_of_open_sets_always_survive() {
        for number in 0..=u8::MAX {
            assert_eq!(Reason::from_u8(number).to_u8(), number);
            assert_eq!(CancelReason::from_u8(number).to_u8(), number);
        }
        assert_eq!(Reason::KNOWN.len(), 25);
        assert_eq!(CancelReason::from_u8(0), CancelReason::Other(0));
    }

    #[test]
    fn disposition_answers_whether_it_ran() {
        assert_eq!(Disposition::NotSent.ran(), Ran::No);
        assert_eq!(Disposition::Rejected.ran(), Ran::No);
        assert_eq!(Disposition::Unknown.ran(), Ran::Maybe);
        assert_eq!(Disposition::Processed.ran(), Ran::Yes);
    }

    #[test]
    fn criticality_is_lowered_and_never_raised() {
        for own in Criticality::ALL {
            for parent in Criticality::ALL {
                let got = own.lowered_to(parent);
                assert!(got >= own && got >= parent);
            }
        }
        assert_eq!(Criticality::default(), Criticality::Critical);
    }

    #[test]
    fn code_prints_its_canonical_name() {
        assert_eq!(Code::DeadlineExceeded.to_string(), "DeadlineExceeded");
        assert_eq!(format!("{:>6}", Code::Ok), "    Ok");
    }
}
