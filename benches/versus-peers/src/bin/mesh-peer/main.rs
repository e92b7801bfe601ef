//! One process of `benches/mesh-versus`: a replica that can be told to misbehave, or the caller of three of them.
//!
//! # Why
//! Whoever is killed and frozen must be a process, and all contenders share the handler, the load and the clock: what
//! differs between two columns of the table is who decides where a call goes.
//!
//! # How the parts talk
//! ```text
//! replica   out: ready, then a line per execution: CALL AT_US          in: ok | slow | fail
//! caller    out: ready, then a line per call that is over:
//!                CALL BEGUN_US TOOK_US REPLICA ATTEMPTS CODE           in: nothing
//! ```
//! Times are microseconds of the wall clock, which all processes of a machine share. Who says nothing of what
//! executed cannot flatter itself: replicas count, and a line is written before the handler does anything, so that
//! what a killed one did is known too. Each ends when its standard input does.

mod args;
mod caller;
mod handler;
mod load;
mod sinew_work;
mod stdin;
mod tonic_work;

use std::{
    process::ExitCode,
    time::{SystemTime, UNIX_EPOCH},
};

use args::{Args, Contender, Role};
use versus_peers::{Failure, tls};

fn main() -> ExitCode {
    let args = match Args::from_command_line(std::env::args().skip(1)) {
        Ok(args) => args,
        Err(why) => {
            eprintln!("mesh-peer: {why}");
            return ExitCode::from(2);
        }
    };
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("mesh-peer: {}: {why}", args.contender.name());
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), Failure> {
    tls::install_cipher()?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let args = args.clone();
    let done = runtime.block_on(async { tokio::spawn(dispatch(args)).await? });
    // What still runs then has nobody to tell.
    runtime.shutdown_background();
    done
}

async fn dispatch(args: Args) -> Result<(), Failure> {
    match (args.role, args.contender) {
        (Role::Replica { .. }, Contender::Sinew) => sinew_work::serve(&args).await,
        (Role::Replica { .. }, _) => tonic_work::serve(&args).await,
        (Role::Caller, _) => {
            let caller = caller::Caller::new(&args).await?;
            load::run(caller, args.rate).await
        }
    }
}

/// Microseconds of the wall clock.
fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_micros() as u64)
}
