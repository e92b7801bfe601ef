//! Programs that nobody here wrote, started and killed beside ours.
//!
//! # Invariants
//! 1. None of them outlives this process: the shell that starts one ends it when its stdin ends, and that ends with us.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpStream,
    process::Command,
    time::{sleep, timeout},
};

use crate::Problem;

/// From its start until it listens.
const START: Duration = Duration::from_secs(10);
/// Starts a program, says its number, and kills it when stdin ends.
const KEEPER: &str = "\"$@\" >/dev/null 2>&1 & echo $!; read _; kill -9 $! 2>/dev/null";

/// A program that listens at a port of this machine.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) port: u16,
    pid: String,
    _keeper: tokio::process::Child,
}

impl Kept {
    /// Starts a program in `directory` with these arguments, and waits until it listens at `port`.
    pub(crate) async fn start(
        directory: &Path,
        program: &Path,
        arguments: impl IntoIterator<Item = String>,
        port: u16,
    ) -> Result<Self, Problem> {
        let mut command = Command::new("sh");
        command.args(["-c", KEEPER, "sh"]).arg(program).args(arguments);
        command.current_dir(directory).stdin(Stdio::piped()).stdout(Stdio::piped());
        // Ctrl-C is for the parent, and the keeper has its own way to end.
        #[cfg(unix)]
        command.process_group(0);
        let mut keeper = command.spawn()?;
        let stdout = keeper.stdout.take().ok_or("a keeper has no stdout")?;
        let mut pid = String::new();
        BufReader::new(stdout).read_line(&mut pid).await?;
        let kept = Self { port, pid: pid.trim().to_owned(), _keeper: keeper };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let listens = async {
            while TcpStream::connect(address).await.is_err() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        let started = timeout(START, listens).await;
        started.map_err(|_| format!("{} did not start at port {port}", program.display()))?;
        Ok(kept)
    }

    /// Ends it at once, without a word.
    pub(crate) async fn kill(self) -> Result<(), Problem> {
        let status = Command::new("kill").args(["-9", &self.pid]).status().await?;
        if status.success() { Ok(()) } else { Err(format!("`kill -9 {}` failed", self.pid).into()) }
    }
}

/// Where a program is, if this machine has it.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Debian keeps some where users do not look.
    let mut places = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    places.find_map(|at| Some(at.join(name)).filter(|program| program.is_file()))
}

/// A port that is free now.
pub(crate) fn unused_port() -> Result<u16, Problem> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
