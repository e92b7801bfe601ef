//! Where the processes find each other: a directory of this machine, or an etcd of this run's own.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::{
    Problem,
    keeper::{Kept, find, unused_port},
};

/// Where servers announce themselves. One etcd, which is killed and comes back.
#[derive(Debug)]
pub(crate) struct Etcd {
    program: PathBuf,
    directory: PathBuf,
    port: u16,
    peers: u16,
    running: Option<Kept>,
}

impl Etcd {
    /// Starts one that keeps its data below `directory`.
    pub(crate) async fn start(directory: &Path) -> Result<Self, Problem> {
        let program = find("etcd").ok_or(
            "`--discovery etcd` starts an etcd, and this machine has none: Debian has it as `etcd-server`",
        )?;
        let (port, peers) = (unused_port()?, unused_port()?);
        let mut etcd =
            Self { program, directory: directory.to_owned(), port, peers, running: None };
        etcd.rise().await?;
        Ok(etcd)
    }

    /// Where it is, as `SINEW_DISCOVERY` says it.
    pub(crate) fn target(&self) -> String {
        format!("etcd://127.0.0.1:{}", self.port)
    }

    /// Ends it at once, without a word.
    pub(crate) async fn kill(&mut self) -> Result<(), Problem> {
        match self.running.take() {
            Some(running) => running.kill().await,
            None => Ok(()),
        }
    }

    /// Starts it where it was, with what it knew.
    pub(crate) async fn rise(&mut self) -> Result<(), Problem> {
        let (own, peers) =
            (format!("http://127.0.0.1:{}", self.port), format!("http://127.0.0.1:{}", self.peers));
        let arguments = [
            ("--data-dir", "etcd"),
            ("--listen-client-urls", &own),
            ("--advertise-client-urls", &own),
            ("--listen-peer-urls", &peers),
            ("--initial-advertise-peer-urls", &peers),
            ("--initial-cluster", &format!("default={peers}")),
        ];
        let arguments =
            arguments.into_iter().flat_map(|(name, value)| [name.to_owned(), value.to_owned()]);
        self.running =
            Some(Kept::start(&self.directory, &self.program, arguments, self.port).await?);
        Ok(())
    }
}

/// Has a child find the others there.
pub(crate) fn tell(board: Option<&Etcd>, child: &mut Command) {
    match board {
        Some(etcd) => child.env("SINEW_DISCOVERY", etcd.target()),
        None => child.env_remove("SINEW_DISCOVERY"),
    };
}
