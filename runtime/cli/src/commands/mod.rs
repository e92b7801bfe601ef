//! What each command does.

pub(crate) mod call;
pub(crate) mod check;
pub(crate) mod describe;
pub(crate) mod generate;

use clap::CommandFactory as _;

use crate::{args::Args, output::Failure};

/// Prints what a shell completes the command line with.
pub(crate) fn completions(shell: clap_complete::Shell) -> Result<(), Failure> {
    clap_complete::generate(shell, &mut Args::command(), "sinew", &mut std::io::stdout());
    Ok(())
}
