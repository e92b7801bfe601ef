//! What the types of a method allow on the wire: found out once per process, at registration or at the first call.
//!
//! # Why
//! bincode carries no names, so a client and a server may only speak it when their types have the same structure. Each
//! method gets one fingerprint over everything that crosses the wire for it: arguments, input items, results, errors.
//! A method without one travels as MessagePack with named fields, which builds that differ can read.
//!
//! # Not here
//! How a type is learnt: `schema`. What two ends make of two fingerprints: the client's `call.rs`, the server's `stack.rs`.

use std::{
    any::type_name,
    collections::BTreeSet,
    fmt,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use serde::{Serialize, de::DeserializeOwned};
use sinew_core::{
    codes::{Code, Disposition, Origin, Reason},
    ids::{Fingerprint, MethodId},
};
use sinew_descriptor::{Argument, Type, canonical};

use super::method::Method;
use crate::{
    codec::{self, CodecError},
    error::Status,
    schema::{self, Collector, Described, MethodTypes, TypeFacts},
};

/// What was learnt of one method, kept beside its generated code.
#[derive(Debug)]
pub struct Types {
    method: &'static Method,
    /// What frames carry. Not a constant of generated code: a compiler takes 16 ms for a hash that takes 1 us here.
    id: MethodId,
    fingerprint: Option<Fingerprint>,
    obstacles: Vec<String>,
    /// Why MessagePack cannot carry it either.
    unnamed: Option<String>,
    /// Its types as data; learnt anew each time.
    describe: fn(&mut Collector) -> Described,
    /// Its answers as JSON, where its types are at hand.
    #[cfg(feature = "foreign")]
    neutral: Option<Neutral>,
}

/// An answer in this codec as JSON: the value, or where that is said, the method's own error.
#[cfg(feature = "foreign")]
pub(crate) type Neutral = fn(u8, &bytes::Bytes, bool) -> Result<Vec<u8>, String>;

/// Where the [`Types`] of one method are kept.
#[derive(Debug, Default)]
pub struct TypesCell(OnceLock<Types>);

impl TypesCell {
    /// Nothing is learnt yet.
    pub const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// What is known, learnt now if this is the first question.
    pub(crate) fn get_or_learn(&self, learn: impl FnOnce() -> Types) -> &Types {
        self.0.get_or_init(learn)
    }
}

/// What was learnt of one type.
pub struct Facts(Arc<TypeFacts>);

impl Facts {
    pub(crate) fn of<T: Serialize + DeserializeOwned + 'static>() -> Self {
        Self(schema::facts::<T>())
    }

    pub(crate) fn of_arguments<A>(method: &Method) -> Self
    where
        A: Serialize + DeserializeOwned + 'static,
    {
        Self(schema::argument_facts::<A>(method.argument_names()))
    }
}

impl fmt::Debug for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Facts").field(&self.0.name).finish()
    }
}

/// The types of a method, one by one.
pub(crate) struct Parts {
    pub(crate) arguments: Facts,
    pub(crate) input: Option<Facts>,
    pub(crate) value: Facts,
    pub(crate) error: Option<Facts>,
}

impl Types {
    /// The attributes decide alone: nothing is probed.
    pub(crate) fn vouched(
        method: &'static Method,
        describe: fn(&mut Collector) -> Described,
    ) -> Self {
        Self { fingerprint: Some(vouched(method)), ..Self::nothing_known(method, describe) }
    }

    fn nothing_known(method: &'static Method, describe: fn(&mut Collector) -> Described) -> Self {
        let id = MethodId::of(method.service(), method.name());
        Self {
            method,
            id,
            fingerprint: None,
            obstacles: Vec::new(),
            unnamed: None,
            describe,
            #[cfg(feature = "foreign")]
            neutral: None,
        }
    }

    /// The same, with its answers as JSON.
    #[cfg(feature = "foreign")]
    pub(crate) fn with_neutral(self, neutral: Neutral) -> Self {
        Self { neutral: Some(neutral), ..self }
    }

    /// An answer as JSON.
    #[cfg(feature = "foreign")]
    pub(crate) fn json(
        &self,
        codec: u8,
        body: &bytes::Bytes,
        is_error: bool,
    ) -> Result<Vec<u8>, String> {
        match self.neutral {
            Some(neutral) => neutral(codec, body, is_error),
            None => Err("its types are not at hand".to_owned()),
        }
    }

    /// Bytes have no structure.
    pub(crate) fn raw(method: &'static Method) -> Self {
        Self::nothing_known(method, |_| Described {
            arguments: Vec::new(),
            input: None,
            output: Type::Bytes,
            error: None,
        })
    }

    /// Nothing is known of its types here: it goes with names.
    pub(crate) fn untyped(method: &'static Method) -> Self {
        Self::nothing_known(method, |_| Described {
            arguments: Vec::new(),
            input: None,
            output: Type::Opaque("nothing is known of it here".to_owned()),
            error: None,
        })
    }

    /// What the structure of its types says.
    pub(crate) fn of(
        method: &'static Method,
        parts: &Parts,
        describe: fn(&mut Collector) -> Described,
    ) -> Self {
        let types = MethodTypes {
            shape: method.shape() as u8,
            arguments: &parts.arguments.0,
            input: parts.input.as_ref().map(|facts| &*facts.0),
            value: &parts.value.0,
            error: parts.error.as_ref().map(|facts| &*facts.0),
        };
        let obstacles: Vec<String> =
            types.obstacles().map(|(part, obstacle)| format!("{part}: {obstacle}")).collect();
        for obstacle in &obstacles {
            tracing::info!(
                method = method.path(),
                obstacle,
                "not carried by bincode, but by MessagePack with named fields"
            );
        }
        let structure = types.fingerprint();
        let fingerprint = match method.version() {
            Some(_) => structure.map(|_| vouched(method)),
            None => structure,
        };
        let mut unnamed = types.named_obstacles();
        let unnamed = unnamed.next().map(|(part, obstacle)| format!("{part}: {obstacle}"));
        if let (None, Some(obstacle)) = (fingerprint, &unnamed) {
            tracing::error!(method = method.path(), obstacle, "no codec can carry this method");
        }
        Self { fingerprint, obstacles, unnamed, ..Self::nothing_known(method, describe) }
    }

    /// Its types as data. The names of a raw method's argument are all that there is of it.
    pub(crate) fn describe(&self, collector: &mut Collector) -> Described {
        let mut described = (self.describe)(collector);
        if self.method.is_raw() {
            described.arguments = self
                .method
                .argument_names()
                .iter()
                .map(|name| Argument { name: (*name).to_owned(), ty: Type::Bytes, optional: false })
                .collect();
        }
        described
    }

    /// The method.
    pub(crate) fn method(&self) -> &'static Method {
        self.method
    }

    /// The id that frames carry.
    pub(crate) fn id(&self) -> MethodId {
        self.id
    }

    /// What both ends compare; `None` where bincode must not carry the method.
    pub(crate) fn fingerprint(&self) -> Option<Fingerprint> {
        self.fingerprint
    }

    /// That MessagePack would carry values of this method as others.
    pub(crate) fn can_be_named(&self) -> Result<(), String> {
        match &self.unnamed {
            None => Ok(()),
            Some(obstacle) => Err(format!(
                "`{}` can only go between builds with the same types: MessagePack cannot carry {obstacle}",
                self.method.path()
            )),
        }
    }

    /// Why MessagePack cannot carry it.
    pub(crate) fn unnamed(&self) -> Option<&str> {
        self.unnamed.as_deref()
    }

    /// Why bincode must not carry it, one sentence for each type that is in the way.
    pub(crate) fn obstacles(&self) -> &[String] {
        &self.obstacles
    }

    /// The codec of a call before anything is known of the other side.
    pub(crate) fn codec(&self) -> u8 {
        match self.fingerprint {
            _ if self.method.is_raw() => codec::RAW,
            Some(_) => codec::BINCODE,
            None => codec::MESSAGEPACK,
        }
    }
}

/// Who answered: for what is said of an answer that cannot be read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answerer {
    /// Its idea of the method's types, where it was heard.
    pub(crate) theirs: Option<Fingerprint>,
    pub(crate) endpoint: Option<Arc<str>>,
}

/// Two builds that met over one method: what a message about something unreadable must name.
#[derive(Clone, Debug)]
pub(crate) struct Meeting {
    pub(crate) types: &'static Types,
    pub(crate) by: Answerer,
}

impl Meeting {
    /// The status of a value that this build cannot read. The handler has run, or runs.
    pub(crate) fn undecodable<T>(&self, what: &str, codec: u8, error: &CodecError) -> Status {
        let mut words = format!("the {what} is not a `{}`: {error}", type_name::<T>());
        // An endpoint of another protocol was built from no types of ours.
        if codec != codec::JSON {
            let ours = ("this build", self.types.fingerprint);
            words.push_str("; ");
            words.push_str(&sides(ours, ("the other side's", self.by.theirs)));
        }
        self.at(undecodable(words))
    }

    /// A status, with where it came about.
    pub(crate) fn at(&self, status: Status) -> Status {
        status.at(self.types.method.path(), self.by.endpoint.as_ref(), 0)
    }
}

/// The status of a value that this build cannot read. The handler has run, or runs.
pub(crate) fn undecodable(words: String) -> Status {
    Status::runtime(Code::Internal, Reason::Malformed, Disposition::Processed, Origin::Local, words)
}

/// Which two builds met, for the message of what did not fit.
pub(crate) fn sides(
    (one, ones): (&str, Option<Fingerprint>),
    (other, others): (&str, Option<Fingerprint>),
) -> String {
    let text = |print: Option<Fingerprint>| {
        print.map_or_else(|| "types not known".to_owned(), |print| format!("types {print}"))
    };
    if ones.is_some() && ones == others {
        return format!("{one} and {other} agree about the types ({})", text(ones));
    }
    format!("{one} ({}) and {other} ({}) differ in a type", text(ones), text(others))
}

/// The fingerprint that the user wrote down: the same name and version is the same structure.
fn vouched(method: &Method) -> Fingerprint {
    canonical::vouched(method.path(), method.version().unwrap_or_default())
}

/// Tells once per method and peer's build that the types differ.
pub(crate) fn note_difference(types: &'static Types, theirs: Fingerprint) {
    /// More than these are not told: a fleet has few builds at a time.
    const TOLD_MAX: usize = 1024;
    static TOLD: Mutex<BTreeSet<(MethodId, Fingerprint)>> = Mutex::new(BTreeSet::new());
    let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    if told.len() >= TOLD_MAX || !told.insert((types.id, theirs)) {
        return;
    }
    drop(told);
    tracing::warn!(
        method = types.method.path(),
        ours = ?types.fingerprint.map(|ours| ours.to_string()),
        theirs = %theirs,
        "the other side was built from other types: calls go as MessagePack with named fields"
    );
}

static USED: [AtomicU64; 4] = [const { AtomicU64::new(0) }; 4];

/// How many attempts this process has sent, and requests it has served, in each codec.
///
/// Calls in MessagePack are calls whose two ends were built from types that differ, or whose types bincode cannot
/// carry: in a fleet that is not being rolled they should not grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct CodecCounts {
    /// Untouched bytes.
    pub raw: u64,
    /// bincode.
    pub bincode: u64,
    /// MessagePack with named fields.
    pub messagepack: u64,
    /// JSON, to endpoints of another protocol.
    pub json: u64,
}

/// The counts of this process so far.
pub fn codec_counts() -> CodecCounts {
    let [raw, bincode, messagepack, json] = &USED;
    let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
    CodecCounts {
        raw: read(raw),
        bincode: read(bincode),
        messagepack: read(messagepack),
        json: read(json),
    }
}

/// Counts one.
pub(crate) fn used(codec: u8) {
    if let Some(count) = USED.get(usize::from(codec)) {
        count.fetch_add(1, Ordering::Relaxed);
    }
}
