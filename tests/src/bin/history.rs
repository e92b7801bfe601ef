//! A history of servers that come and go through a real etcd, judged: whether anybody was listed who was gone, or missing
//! who lived.
//!
//! `cargo run --release -p sinew-tests --bin history -- [--seconds N] [--seed N]`
//!
//! Ends with 0 where nothing is wrong, 1 where something is or no etcd is installed, 2 on a wrong command line.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use sinew_tests::history::{Plan, report};

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let Some(plan) = plan(std::env::args().skip(1)) else {
        let _ = writeln!(io::stderr(), "usage: history [--seconds N] [--seed N]");
        return ExitCode::from(2);
    };
    let Some(history) = report(plan).await else { return ExitCode::FAILURE };
    let _ = writeln!(io::stdout(), "{history}");
    if history.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn plan(mut arguments: impl Iterator<Item = String>) -> Option<Plan> {
    let mut plan = Plan { seconds: 600, seed: 1 };
    while let Some(option) = arguments.next() {
        let value = arguments.next()?.parse().ok()?;
        match &*option {
            "--seconds" => plan.seconds = value,
            "--seed" => plan.seed = value,
            _ => return None,
        }
    }
    Some(plan)
}
