//! Builds that differ, and what each understands of the other: a table of changes, each run over a real connection in
//! both directions.
//!
//! # Why
//! Two versions of a service meet in each deployment. What then happens is a promise, and a promise about many types
//! is kept by running each of them: a value that is sent by one version is seen by the other as the table says, or it
//! is refused with the words that the table says. A value that is seen as something else is a misread.
//!
//! ```text
//!   table     the macros that make a change, and a kind of type, a few lines      cases/    the table itself
//!   run       runs a change, judges each call                                     observe   which codec a call rode
//! ```
//!
//! # Invariants
//! 1. Both versions of a change have one name on the wire, and types of their own.
//! 2. What is expected is written in the types of the receiver: nothing is converted on the way to the comparison.
//!
//! # Not here
//! What no structure can tell: [`UNDETECTABLE`] says it.

#[macro_use]
mod table;
mod cases;
mod observe;
mod run;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use sinew::{CallError, Mesh, ServerBuilder, Status, descriptor::Descriptor};

pub use run::{Report, run};

/// Serves every kind of type of the table.
pub fn serve_kinds(mut server: ServerBuilder) -> ServerBuilder {
    for case in cases::all().iter().filter(|case| case.kind == Kind::Same) {
        if let Some(pair) = case.pairs.first() {
            server = (pair.server.serve)(server, Handled::default());
        }
    }
    server
}

use crate::Boxed;

/// What two builds can disagree about without any type that differs, so that no case of the table can tell.
pub const UNDETECTABLE: &[&str] = &[
    "one shape with another meaning: seconds that were milliseconds",
    "an optional field that is renamed: it is one that was removed, and another that was added",
];

/// What a call rides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// Both builds agree.
    Bincode,
    /// They do not, or the type does not ride bincode: named fields.
    Fallback,
    /// Bytes untouched.
    Raw,
}

/// What must become of one value.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    /// The receiver sees this.
    Sees(String),
    /// The caller is told why not, with these words.
    Refused(&'static [&'static str]),
}

/// Where in a call the value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Position {
    /// Refused before the handler runs.
    Argument,
    /// Refused when it has run.
    Result,
}

/// What the caller was told: what the receiver saw, or a status.
type Told = Result<String, Status>;

/// One call, what it should ride and what should become of it.
struct Exchange {
    what: String,
    position: Position,
    codec: Codec,
    wanted: Outcome,
    run: Box<dyn FnOnce() -> Boxed<Told> + Send>,
}

/// One version of a service.
#[derive(Clone, Copy)]
struct Side {
    serve: fn(ServerBuilder, Handled) -> ServerBuilder,
    /// The calls of a client of this version, to a server of the other one.
    calls: fn(&Mesh, SocketAddr) -> Vec<Exchange>,
    /// What it is as data.
    describe: fn() -> Descriptor,
}

/// One line of the table.
struct Case {
    name: &'static str,
    kind: Kind,
    pairs: Vec<Pair>,
}

/// A client of one version and a server of another.
struct Pair {
    label: &'static str,
    client: Side,
    server: Side,
    /// Whether the methods differ though the types do not.
    must_fall_back: bool,
}

impl Case {
    fn change(name: &'static str, v1: Side, v2: Side) -> Self {
        let up = Pair { label: "v1 to v2", client: v1, server: v2, must_fall_back: false };
        let down = Pair { label: "v2 to v1", client: v2, server: v1, must_fall_back: false };
        Self { name, kind: Kind::Change, pairs: Vec::from([up, down]) }
    }

    fn same(name: &'static str, plain: Side, wider: Side) -> Self {
        let same = Pair { label: "same", client: plain, server: plain, must_fall_back: false };
        let up = Pair { label: "to wider", client: plain, server: wider, must_fall_back: true };
        let down = Pair { label: "from wider", client: wider, server: plain, must_fall_back: true };
        Self { name, kind: Kind::Same, pairs: Vec::from([same, up, down]) }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Two versions that differ.
    Change,
    /// A kind of type that both sides have.
    Same,
}

/// Counts the handlers that ran.
#[derive(Debug, Clone, Default)]
struct Handled(Arc<AtomicU64>);

impl Handled {
    fn ran<T>(&self, value: T) -> T {
        self.0.fetch_add(1, Ordering::SeqCst);
        value
    }

    fn count(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// A failure as the table sees it: the service's own error is a value that arrived.
trait Failed {
    fn told(self) -> Told;
}

impl Failed for Status {
    fn told(self) -> Told {
        Err(self)
    }
}

impl<E: std::fmt::Debug> Failed for CallError<E> {
    fn told(self) -> Told {
        match self {
            Self::App(error) => Ok(format!("{error:?}")),
            Self::Status(status) => Err(status),
        }
    }
}

fn told<V: std::fmt::Debug, E: Failed>(answer: Result<V, E>) -> Told {
    match answer {
        Ok(value) => Ok(format!("{value:?}")),
        Err(error) => error.told(),
    }
}

/// What the modules of the table name.
mod prelude {
    pub(super) use std::net::SocketAddr;

    pub(super) use serde::{Deserialize, Serialize};
    pub(super) use sinew::Mesh;

    pub(super) use super::{Codec, Exchange, Handled, Outcome, Position, Side, told};
    pub(super) use crate::scene::client_at;
}
