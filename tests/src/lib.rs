//! What the tests of whole programs share: servers and clients in one line, a server in a process of its own, an
//! authority for certificates, and peers that speak the wire by hand.
//!
//! # Why
//! A test should say what it is about and nothing else. So each part of the API that a test needs for its set-up is
//! touched in one place here, and a hundred tests do not change when it does.
//!
//! ```text
//!   scene       servers, clients and an authority of this test alone     probe   the service that most tests call
//!   child       the probe's server in a process that can be stopped      raw     both sides of docs/wire.md by hand
//!   authority   certificates for production identities                   hops    three services that call each other
//!   errand      a service whose handler is a closure                     feed    a service that streams
//!   flood       a service of a known capacity, and callers that do not wait for it
//!   versions    builds that differ, and what each understands of the other
//!   wait        conditions with a generous limit                     hostile peers that mean harm
//!   load        calls beside a test, of which none may fail          dns     a real name server
//!   relay       a bad network between two of them
//!   legacy      a server of HTTP, by hand
//!   generated   clients made of what services say of themselves          port    for servers of other programs
//!   fuzz        what fuzzing runs                                        scrape  what a mesh counts, read strictly
//!   history     comings and goings through etcd, judged
//!   etcd        a real one                                               gate    a network of TCP that is slow, holds or refuses
//!   whole       everything, on a network in memory and in virtual time   sim     decisions alone, in virtual time
//! ```
//!
//! # Invariants
//! 1. No test meets another: each has its own authority and its own ports.
//! 2. Waiting is for a condition, never for a length of time; the limits only end what hangs.

pub mod authority;
pub mod certified;
pub mod child;
pub mod dns;
pub mod errand;
pub mod etcd;
pub mod feed;
pub mod flood;
pub mod fuzz;
pub mod gate;
pub mod generated;
pub mod history;
pub mod hops;
pub mod hostile;
pub mod legacy;
pub mod load;
pub mod plain;
pub mod port;
pub mod probe;
pub mod raw;
pub mod relay;
pub mod ruled;
pub mod scene;
pub mod scrape;
pub mod scratch;
pub mod sim;
pub mod versions;
pub mod wait;
pub mod whole;

use std::{
    fmt,
    future::Future,
    io::{self, Write as _},
    pin::Pin,
    process::ExitCode,
};

/// Whether a program was called with `--json`, for those that take nothing else.
///
/// # Errors
/// Another command line, which it has told about: the exit code.
pub fn asks_for_json(program: &str) -> Result<bool, ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &*arguments {
        [] => Ok(false),
        [one] if one == "--json" => Ok(true),
        _ => {
            let _ = writeln!(io::stderr(), "usage: {program} [--json]");
            Err(ExitCode::from(2))
        }
    }
}

/// A future whose type has no name, as interceptors of a test return it.
pub type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Unwraps what a test cannot do without.
pub trait Must<T> {
    /// The value; without one the test fails, saying what was wanted.
    #[track_caller]
    fn must(self, what: &str) -> T;
}

impl<T, E: fmt::Debug> Must<T> for Result<T, E> {
    #[track_caller]
    fn must(self, what: &str) -> T {
        match self {
            Ok(value) => value,
            Err(error) => panic!("{what}: {error:?}"),
        }
    }
}

/// Unwraps the failure that a test wants to see.
pub trait MustFail<E> {
    /// The error; a value fails the test.
    #[track_caller]
    fn must_err(self) -> E;
}

impl<T: fmt::Debug, E> MustFail<E> for Result<T, E> {
    #[track_caller]
    fn must_err(self) -> E {
        match self {
            Ok(value) => panic!("a failure was expected, not {value:?}"),
            Err(error) => error,
        }
    }
}

impl<T> Must<T> for Option<T> {
    #[track_caller]
    fn must(self, what: &str) -> T {
        match self {
            Some(value) => value,
            None => panic!("{what}: nothing is there"),
        }
    }
}

/// Fails unless `text` has each of the words.
#[track_caller]
pub fn assert_says(text: impl fmt::Display, words: &[&str]) {
    let text = text.to_string();
    for word in words {
        assert!(text.contains(word), "`{word}` is missing from: {text}");
    }
}
