//! The command line.

use std::{path::PathBuf, time::Duration};

use clap::{Args as Group, Parser, Subcommand};

/// sinew at a shell: what services look like, calls without their crate, generated clients, and what changed.
#[derive(Debug, Parser)]
#[command(name = "sinew", version, about, arg_required_else_help = true, after_help = EXIT_CODES)]
pub(crate) struct Args {
    /// Print JSON, for programs; the default on anything but a terminal is plain text.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "\
Identity: SINEW_CERT, SINEW_KEY and SINEW_BUNDLE name the files; with none of them set, the development CA of this
user, on loopback alone.

Exit codes: 0 done; 1 the answer is no (a call failed, a change breaks, output is stale); 2 a wrong command line;
3 what was named cannot be had.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Shows a service: its methods, their types, what its attributes say.
    #[command(after_help = "\
Examples:
  sinew describe shop.Inventory                    a running server, found on this machine
  sinew describe shop.Inventory@static:10.0.0.7:7001
  sinew describe inventory.json                    a descriptor that was checked in
  sinew describe shop.Inventory --json > inventory.json")]
    Describe(Describe),
    /// Calls a method, with JSON for its arguments.
    #[command(after_help = "\
Examples:
  sinew call shop.Inventory/stock '{\"sku\":\"a1\"}'
  sinew call shop.Inventory/stock '{\"sku\":\"a1\"}' --at static:10.0.0.7:7001 --timeout 500ms
  sinew call shop.Inventory/stock '{\"sku\":\"a1\"}' --repeat 1000     prints how long calls took
  seq 3 | sinew call calc.Sums/total                  a line of JSON for each item of the input stream")]
    Call(Call),
    /// Writes Rust: the trait and the types of services whose crate is not at hand.
    #[command(after_help = "\
Examples:
  sinew generate shop.Inventory --output src/inventory.rs     a module, from a running server
  sinew generate inventory.json --package ../inventory-client  a whole crate, from a descriptor
  sinew generate inventory.json --output src/inventory.rs --check   exit code 1 where it is stale
  sinew generate openapi.json --output src/pets.rs             from an OpenAPI document, for sinew-bridge")]
    Generate(Generate),
    /// Compares two versions: which roll-out works, and why not.
    #[command(after_help = "\
Examples:
  sinew check old.json new.json
  sinew check inventory.json shop.Inventory        what is checked in, with what runs")]
    Check(Check),
    /// Prints completions for a shell.
    #[command(after_help = "\
Example:
  sinew completions bash > ~/.local/share/bash-completion/completions/sinew")]
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Group)]
pub(crate) struct Describe {
    /// A descriptor file, `-` for standard input, or `SERVICE`, or `SERVICE@TARGET`.
    pub(crate) source: String,
    /// Only what is called so.
    #[arg(long)]
    pub(crate) method: Option<String>,
}

#[derive(Debug, Group)]
pub(crate) struct Call {
    /// `SERVICE/METHOD`.
    pub(crate) method: String,
    /// The arguments: a JSON object with their names. Without it, none.
    pub(crate) arguments: Option<String>,
    /// Where the service is, for instance `static:127.0.0.1:7001`. Default: who announced it on this machine.
    #[arg(long)]
    pub(crate) at: Option<String>,
    /// How long the call may take: `500ms`, `2s`, `1m`.
    #[arg(long, value_parser = time)]
    pub(crate) timeout: Option<Duration>,
    /// Goes beside the call: `key=value`. May be given several times.
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    pub(crate) metadata: Vec<(String, String)>,
    /// Calls so often, one after the other, and prints how long that took. Not for streams.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) repeat: Option<u64>,
    /// Where the call fails, prints where each attempt went, and why.
    #[arg(long)]
    pub(crate) explain: bool,
}

#[derive(Debug, Group)]
pub(crate) struct Generate {
    /// A descriptor file, an OpenAPI document, `-` for standard input, or `SERVICE`, or `SERVICE@TARGET`.
    pub(crate) source: String,
    /// The file to write; default: standard output.
    #[arg(long, short, conflicts_with = "package")]
    pub(crate) output: Option<PathBuf>,
    /// The directory of a whole crate to write.
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) package: Option<PathBuf>,
    /// Where that crate has `sinew` from: a directory. Default: crates.io.
    #[arg(long, value_name = "DIRECTORY", requires = "package")]
    pub(crate) sinew_path: Option<String>,
    /// Writes nothing; exit code 1 where what is there differs from what would be written.
    #[arg(long)]
    pub(crate) check: bool,
}

#[derive(Debug, Group)]
pub(crate) struct Check {
    /// What was: a descriptor file, or `SERVICE`, or `SERVICE@TARGET`.
    pub(crate) old: String,
    /// What is to be.
    pub(crate) new: String,
}

fn time(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let number: u64 = digits.parse().map_err(|_| format!("`{text}` is no time: `500ms`, `2s`"))?;
    match &text[digits.len()..] {
        "us" => Ok(Duration::from_micros(number)),
        "ms" => Ok(Duration::from_millis(number)),
        "s" => Ok(Duration::from_secs(number)),
        "m" => Ok(Duration::from_secs(number * 60)),
        unit => Err(format!("`{unit}` is no unit of time; those are us, ms, s, m")),
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| format!("`{text}` has no `=`"))?;
    Ok((key.to_owned(), value.to_owned()))
}
