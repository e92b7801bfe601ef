//! One contestant of the side-by-side benchmark: either end of an echo, over one framework.
//!
//! # Why
//! Client and server are processes of their own, so that CPU time and allocations belong to somebody and no
//! scheduler is shared. All contestants live in one program and share the load generator, the clock, the
//! histogram and the allocator: what differs between two rows of the table is the framework alone.
//!
//! # How the parts talk
//! ```text
//! server   out: ready ADDRESS CERTIFICATE   in: begin .. end   out: {"seconds": .., "cpu_seconds": .., ..}
//! client   out: begin .. end, then {"calls": .., "p50_us": .., ..}   in: nothing; one that holds connections waits for the end
//! ```
//! `versus` starts both and passes the client's `begin` and `end` on to the server, so that both count the same
//! window and neither counts the warm-up. A server ends when its standard input does.

mod args;
mod counting;
mod http_echo;
mod lane;
mod load;
mod serving;
#[cfg(feature = "sinew")]
mod sinew_echo;
mod tarpc_echo;
mod tonic_echo;
mod usage;

use std::process::ExitCode;

use args::{Args, Flavour, Framework, Role, Work};
use versus_peers::{Failure, tls};

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

fn main() -> ExitCode {
    let args = match Args::from_command_line(std::env::args().skip(1)) {
        Ok(args) => args,
        Err(why) => {
            eprintln!("peer: {why}");
            return ExitCode::from(2);
        }
    };
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("peer: {} {}: {why}", args.framework.name(), args.role.name());
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), Failure> {
    let runtime = match args.flavour {
        Flavour::MultiThread => {
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?
        }
        Flavour::CurrentThread => {
            tokio::runtime::Builder::new_current_thread().enable_all().build()?
        }
    };
    // Spawned, not run on the main thread: under `multi_thread` that one would be a third worker.
    let args = args.clone();
    runtime.block_on(async { tokio::spawn(dispatch(args)).await? })
}

async fn dispatch(args: Args) -> Result<(), Failure> {
    tls::install_cipher()?;
    match (args.framework, args.role) {
        (Framework::TonicTls | Framework::Tonic, Role::Server) => tonic_echo::serve(&args).await,
        (Framework::TonicTls | Framework::Tonic, Role::Client) => tonic_echo::call(&args).await,
        (Framework::TarpcTls | Framework::Tarpc, Role::Server) => tarpc_echo::serve(&args).await,
        (Framework::TarpcTls | Framework::Tarpc, Role::Client) => tarpc_echo::call(&args).await,
        (Framework::Lane, Role::Server) => lane::serve(&args).await,
        (Framework::Lane, Role::Client) => lane::call(&args).await,
        (Framework::TlsLane, Role::Server) => lane::tcp::serve(&args).await,
        (Framework::TlsLane, Role::Client) => lane::tcp::call(&args).await,
        (Framework::Hyper | Framework::Bridge, _) if args.work != Work::Echo => {
            Err(args.is_not_done())
        }
        (Framework::Hyper | Framework::Bridge, Role::Server) => http_echo::serve(&args).await,
        (Framework::Hyper, Role::Client) => http_echo::call_hyper(&args).await,
        #[cfg(feature = "sinew")]
        (Framework::Bridge, Role::Client) => http_echo::call_bridge(&args).await,
        #[cfg(feature = "sinew")]
        (Framework::Sinew, Role::Server) => sinew_echo::serve(&args).await,
        #[cfg(feature = "sinew")]
        (Framework::Sinew, Role::Client) => sinew_echo::call(&args).await,
        #[cfg(not(feature = "sinew"))]
        (Framework::Sinew | Framework::Bridge, _) => {
            Err("built without the feature `sinew`".into())
        }
    }
}
