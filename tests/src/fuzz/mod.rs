//! What fuzzing runs: each target takes any bytes and panics where a promise about them is broken.
//!
//! # Why
//! The targets are plain functions, so that the inputs which were found worth keeping run with every `cargo test`
//! (`tests/tests/corpus.rs`), and the programs of `tests/fuzz` add nothing but libFuzzer. `tests/fuzz/README.md` says
//! how to run them.
//!
//! ```text
//!   script   the bytes of an input as numbers and choices      wire     frames, settings, metadata, heads
//!   codecs   values under the guard                            server   a client that does anything
//!   service  what is served and called                         client   a server that does anything
//!   stream   bodies of HTTP that are streams
//! ```
//!
//! # Invariants
//! 1. A target depends on its input alone: time is virtual, and nothing is random that a check depends on.

mod client;
mod codecs;
mod peer;
mod script;
mod server;
mod service;
mod stream;
mod wire;

use sinew_core::limits;

/// A target: its name, which is that of its program and of its corpus, and what it does with an input.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: &[Target] = &[
    ("frame", wire::frame),
    ("settings", wire::settings),
    ("metadata", wire::metadata),
    ("heads", wire::heads),
    ("bincode", codecs::bincode),
    ("messagepack", codecs::messagepack),
    ("server", server::run),
    ("client", client::run),
    ("discovery", discovery),
    ("policy", policy),
    ("stream", stream::run),
];

/// Files that say where servers are.
fn discovery(input: &[u8]) {
    sinew::fuzzing::discovery(&String::from_utf8_lossy(input));
}

/// What operators say of calls.
fn policy(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let Err(error) = sinew::check_policy(&text) else { return };
    let lines = text.matches('\n').count() + 1;
    assert!((1..=limits::POLICY_PROBLEMS_MAX).contains(&error.problems().len()), "{error}");
    for problem in error.problems() {
        assert!((1..=lines).contains(&problem.line), "{problem:?} of {lines} lines");
        assert!(!problem.what.is_empty(), "{problem:?}");
    }
}

/// Serves what is attacked.
pub(crate) fn serve_subject(server: sinew::ServerBuilder) -> sinew::ServerBuilder {
    server.serve(service::SubjectServer::new(service::Counted::default()))
}

/// Runs one input through the target of this name.
///
/// # Panics
/// Where a promise is broken, or where there is no such target.
pub fn run(target: &str, input: &[u8]) {
    match TARGETS.iter().find(|(name, _)| *name == target) {
        Some((_, run)) => run(input),
        None => panic!("there is no target `{target}`"),
    }
}
