//! A small airline in sixteen processes: the whole library at work, with books that must balance.
//!
//! ```text
//!   300 travellers ──> Gateway ──> Search ──┬──> Schedule   a stream of flights
//!   (this process)        │                 └──> Fares      asked at the same time
//!                         └──────> Seats                    exact books, never sold twice
//! ```
//!
//! Each box is three processes: this program, started again with `--serve`. They find each other by
//! the names of their services, on this machine or in an etcd ([`board`]). Every arrow is a call over QUIC with mutual TLS, and the deadline that
//! a traveller sets is the one that all processes below keep. Two of the servers of fares are older
//! than all of this: static files over plain HTTP ([`legacy`]), called by the same client.
//!
//! Meanwhile one of them is killed, one frozen, one slowed down, one made to fail, one cut off from
//! its callers ([`forwarder`]), and the gateways are replaced in turn ([`chaos`]). The travellers do
//! not notice. Nor do they notice that the policy of all changes twice a second, and the authority of their
//! certificates now and then ([`operators`]). How fast the callers leave a bad server, and come back, is measured ([`watch`]).
//!
//! # What to read
//! [`api`] has the services as traits; [`gateway`], [`search`], [`schedule`], [`fares`] and
//! [`seats`] implement them, the last with its books in a [`store`]. [`child`] is all that it takes to serve one. [`travellers`] calls.

mod api;
mod arguments;
mod attempts;
mod board;
mod books;
mod chaos;
mod child;
mod counters;
mod curl;
mod drive;
mod fares;
mod fleet;
mod forwarder;
mod gateway;
mod keeper;
mod legacy;
mod operators;
mod overload;
mod probes;
mod report;
mod schedule;
mod search;
mod seats;
mod store;
mod tally;
mod travellers;
mod watch;
mod world;

use std::{
    io::{Write, stderr, stdout},
    process::ExitCode,
};

use arguments::{Arguments, USAGE};

/// What ends the program with status 1 and a line on stderr.
type Problem = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Arguments::parse(std::env::args().skip(1)) {
        Ok(Arguments::Help) => stdout().write_all(USAGE.as_bytes()).map_err(Problem::from),
        Ok(Arguments::Serve(child)) => child::run(child).await,
        Ok(Arguments::Drive(options)) => drive::run(options).await,
        Err(problem) => {
            complain(&format!("{problem}\n\n{USAGE}"));
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            complain(&format!("{problem}\n"));
            ExitCode::FAILURE
        }
    }
}

fn complain(text: &str) {
    // With stderr closed there is nobody left to tell.
    let _ = write!(stderr(), "airline: {text}");
}
