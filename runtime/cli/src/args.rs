//! The command line.

use std::{path::PathBuf, time::Duration};

use clap::{Args as Group, Parser, Subcommand};

/// sinew at a shell: begin a service, find servers, call them, know why a call went where it went, and what changed.
#[derive(Debug, Parser)]
#[command(name = "sinew", version, arg_required_else_help = true, after_help = NOTES)]
pub(crate) struct Args {
    /// Prints JSON, for programs; otherwise text, with colours on a terminal alone, and none where NO_COLOR is set.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const NOTES: &str = "\
Targets (--at, SERVICE@TARGET): static:HOST:PORT[,HOST:PORT..], file:PATH, dns:HOST:PORT, dns:_sinew._udp.NAME,
sinew:SERVICE, etcd:SERVICE. Without one: whoever announces the service on this machine, or in the etcd that
SINEW_DISCOVERY names: etcd://HOST:PORT.

Identity: SINEW_CERT, SINEW_KEY and SINEW_BUNDLE name the files; with none of them set, the development CA of this
user, on loopback alone.

Exit codes: 0 done; 1 the answer is no (a call failed, a change breaks, output is stale); 2 a wrong command line;
3 what was named cannot be had.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Writes a package to begin with: a service, its server, its client, its tests.
    #[command(after_help = "\
Examples:
  sinew new hello
  cd hello && cargo run --bin server
  cargo run --bin client                           in another terminal: it finds the server by itself")]
    New(New),
    /// Lists servers: who announces what on this machine, or what a target leads to and what is served there.
    #[command(after_help = "\
Examples:
  sinew list                                       every service that is announced on this machine
  sinew list shop.Inventory                        its servers; exit code 3 where there is none
  sinew list shop.Inventory --at file:endpoints.toml   what the file lists, and what answers there
  sinew list shop.Inventory --at dns:_sinew._udp.shop.example
  sinew list --json | jq -r '.[].endpoint'")]
    List(List),
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
    /// Makes one call and says why each attempt went where it went, and where the time went.
    #[command(after_help = "\
Examples:
  sinew explain shop.Inventory/stock '{\"sku\":\"a1\"}'
  sinew explain shop.Inventory/stock '{\"sku\":\"a1\"}' --at static:10.0.0.7:7001,10.0.0.8:7001
  sinew explain shop.Inventory/stock '{\"sku\":\"a1\"}' --json | jq .ledger

The call is really made. One that fails is explained too, with exit code 1. What its handler called in turn is known only
of a call that failed.")]
    Explain(Explain),
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
    /// Lets callers of plain HTTP reach services of the mesh, and the mesh reach legacy services.
    #[command(after_help = "\
Examples:
  sinew gateway gateway.toml                       until it is told to stop; then it drains
  sinew gateway gateway.toml --check               exit code 1 where something is wrong with the file

docs/gateway.md has the file. It is followed: what changes in it is served by within a second, and a file that is wrong
changes nothing.")]
    Gateway(Gateway),
    /// Checks a file of policy, before it is rolled out.
    #[command(
        subcommand,
        after_help = "\
Examples:
  sinew policy check sinew.toml                    exit code 1 where something is wrong: every problem, with its line
  sinew policy check - < sinew.toml"
    )]
    Policy(Policy),
    /// The development CA: what it is, certificates of it as files, a new one in its stead.
    #[command(
        subcommand,
        after_help = "\
Examples:
  sinew ca show
  eval \"$(sinew ca leaf shop.Inventory --out certs/inventory)\" && ./inventory
  sinew ca rotate"
    )]
    Ca(Ca),
    /// Prints completions for a shell.
    #[command(after_help = "\
Examples:
  source <(sinew completions bash)                  for this shell
  sinew completions bash > ~/.local/share/bash-completion/completions/sinew
  sinew completions zsh > \"${fpath[1]}/_sinew\"
  sinew completions fish > ~/.config/fish/completions/sinew.fish
  sinew completions powershell >> $PROFILE")]
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Group)]
pub(crate) struct New {
    /// The directory to make. Its name is that of the package.
    #[arg(value_name = "NAME")]
    pub(crate) directory: PathBuf,
    /// Where the package has `sinew` from: the directory of that crate. Default: crates.io.
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) sinew_path: Option<PathBuf>,
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
pub(crate) struct List {
    /// Only this service. Needed with `--at`, unless that names one: who may answer follows from it.
    pub(crate) service: Option<String>,
    /// Where to look instead of this machine: `static:HOST:PORT`, `file:PATH`, `dns:HOST:PORT`, `sinew:SERVICE`.
    #[arg(long, value_name = "TARGET")]
    pub(crate) at: Option<String>,
}

#[derive(Debug, Group)]
pub(crate) struct Request {
    /// Which method of which service.
    #[arg(value_name = "SERVICE/METHOD")]
    pub(crate) method: String,
    /// The arguments: a JSON object with their names. Without it, none.
    pub(crate) arguments: Option<String>,
    /// Where the service is, for instance `static:127.0.0.1:7001`. Default: who announced it on this machine.
    #[arg(long, value_name = "TARGET")]
    pub(crate) at: Option<String>,
    /// How long the call may take: `500ms`, `2s`, `1m`.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) timeout: Option<Duration>,
    /// Goes beside the call: `key=value`. May be given several times.
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    pub(crate) metadata: Vec<(String, String)>,
}

#[derive(Debug, Group)]
pub(crate) struct Call {
    #[command(flatten)]
    pub(crate) request: Request,
    /// Calls so often, one after the other, and prints how long that took. Not for streams.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) repeat: Option<u64>,
}

#[derive(Debug, Group)]
pub(crate) struct Explain {
    #[command(flatten)]
    pub(crate) request: Request,
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
    /// Where that crate has `sinew` from: a directory, as its manifest names it. Default: crates.io.
    #[arg(long, value_name = "DIRECTORY", requires = "package")]
    pub(crate) sinew_path: Option<String>,
    /// Writes nothing; exit code 1 where what is there differs from what would be written.
    #[arg(long)]
    pub(crate) check: bool,
}

#[derive(Debug, Group)]
pub(crate) struct Gateway {
    /// What it does, in TOML.
    pub(crate) file: PathBuf,
    /// Checks the file alone.
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

#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// Says everything that is wrong with a file by itself: keys, values, ranges, what does not fit together. Whether it names
    /// methods that a service has, a process finds out that has the service.
    Check {
        /// The file, or `-` for standard input.
        file: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Ca {
    /// Shows which authorities there are, where, for how long, and whether their keys are there. Makes none.
    Show,
    /// Writes certificate, key and bundle for one identity, and prints the variables that name them.
    #[command(after_help = "\
Examples:
  sinew ca leaf shop.Inventory --out certs/inventory      for a server of that service, or a client of others
  sinew ca leaf client/batch --out certs/batch            spiffe://dev.local/client/batch
  eval \"$(sinew ca leaf client/me --out certs/me)\"       what this shell starts from now on is that

It is valid as long as its authority, 24 h at most, and not on loopback alone: whoever has key.pem is that identity to
all who trust this CA.")]
    Leaf(Leaf),
    /// Prints every authority that is valid now, as PEM: what SINEW_BUNDLE names.
    Bundle,
    /// Makes a new authority. What the old one issued stays good until it is over.
    Rotate,
}

#[derive(Debug, Group)]
pub(crate) struct Leaf {
    /// The name of a service, a path, or a whole SPIFFE id of `dev.local`.
    pub(crate) id: String,
    /// The directory for cert.pem, key.pem and bundle.pem; made where it is missing.
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) out: PathBuf,
    /// Writes over files that are there.
    #[arg(long)]
    pub(crate) replace: bool,
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
