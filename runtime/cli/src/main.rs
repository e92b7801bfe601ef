//! `sinew`: services at a shell. Where they are and what they look like, calls without their crate and why those went where
//! they went, clients generated from them, what changed between two versions, a package to begin with, and the development
//! CA.
//!
//! # Exit codes
//! ```text
//!   0   done
//!   1   it was asked and the answer is no: a call failed, a change breaks, checked-in output is stale
//!   2   the command line is like none of these
//!   3   what was named cannot be had: no such file, no such service, nobody answers
//! ```

mod args;
mod commands;
mod output;
mod source;

use std::process::ExitCode;

use clap::Parser as _;

use crate::{
    args::{Args, Command},
    output::Failure,
};

fn main() -> ExitCode {
    let args = Args::parse();
    // Most commands make a call or two; a gateway makes those of others.
    let mut runtime = match args.command {
        Command::Gateway(_) => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = match runtime.enable_all().build() {
        Ok(runtime) => runtime,
        Err(why) => return Failure::cannot(format!("no runtime: {why}")).exit(),
    };
    match runtime.block_on(run(args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.exit(),
    }
}

async fn run(args: Args) -> Result<(), Failure> {
    let json = args.json;
    match args.command {
        Command::New(new) => commands::new::run(&new, json),
        Command::Describe(describe) => commands::describe::run(describe, json).await,
        Command::List(list) => commands::list::run(list, json).await,
        Command::Call(call) => commands::call::run(call, json).await,
        Command::Explain(explain) => commands::explain::run(explain, json).await,
        Command::Generate(generate) => commands::generate::run(generate).await,
        Command::Check(check) => commands::check::run(check, json).await,
        Command::Gateway(gateway) => commands::gateway::run(gateway).await,
        Command::Policy(policy) => commands::policy::run(policy, json),
        Command::Ca(ca) => commands::ca::run(ca, json),
        Command::Completions { shell } => commands::completions(shell),
    }
}
