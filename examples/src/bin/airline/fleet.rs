//! The processes: this program, started again for each service.
//!
//! # Invariants
//! 1. No child outlives this process, however it ends: each reads its stdin, which ends with us.
//! 2. A child that ends before it was told to is a fault, whatever the calls looked like.

use std::{process::Stdio, time::Duration};

use sinew::Mesh;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{ChildStdout, Command},
    time::timeout,
};

use crate::{
    Problem,
    api::{CountersClient, Counts},
    arguments::Role,
};

/// From its start to its address. Most of it is for a machine that is busy with something else.
const START: Duration = Duration::from_secs(20);
/// From the end of its stdin to its own end: a goodbye to its callers, and the grace.
const STOP: Duration = Duration::from_secs(10);

/// The services that run.
#[derive(Debug, Default)]
pub(crate) struct Fleet(Vec<Running>);

#[derive(Debug)]
struct Running {
    role: Role,
    target: String,
    process: tokio::process::Child,
    /// Kept open, or the child's next line would end it.
    _stdout: BufReader<ChildStdout>,
}

impl Fleet {
    /// Starts all services, each once those run that it calls.
    pub(crate) async fn start() -> Result<Self, Problem> {
        let mut fleet = Self::default();
        for role in Role::ALL {
            let mut command = Command::new(std::env::current_exe()?);
            command.args(["--serve", role.name()]);
            for callee in role.calls() {
                command.arg("--at").arg(format!("{}={}", callee.name(), fleet.target(*callee)));
            }
            let running = timeout(START, Running::start(role, command)).await;
            let running = running.map_err(|_| format!("`{}` did not start", role.name()))??;
            fleet.0.push(running);
        }
        Ok(fleet)
    }

    /// How many processes there are, this one with them.
    pub(crate) fn processes(&self) -> usize {
        self.0.len() + 1
    }

    /// Where a service is.
    pub(crate) fn target(&self, role: Role) -> &str {
        let running = self.0.iter().find(|running| running.role == role);
        running.map_or("", |running| &running.target)
    }

    /// What each process has counted, or why it does not say.
    pub(crate) async fn counts(&self, mesh: &Mesh) -> Vec<(Role, Result<Counts, String>)> {
        let mut all = Vec::new();
        for running in &self.0 {
            all.push((running.role, running.counts(mesh).await.map_err(|why| why.to_string())));
        }
        all
    }

    /// Ends all of them, and says which did not end well.
    pub(crate) async fn stop(self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut stopping = Vec::new();
        for mut running in self.0 {
            let name = running.role.name();
            if let Ok(Some(status)) = running.process.try_wait() {
                faults.push(format!("`{name}` ended before its time ({status})"));
                continue;
            }
            drop(running.process.stdin.take());
            stopping.push(running);
        }
        for mut running in stopping {
            let name = running.role.name();
            match timeout(STOP, running.process.wait()).await {
                Ok(Ok(status)) if status.success() => {}
                Ok(Ok(status)) => faults.push(format!("`{name}` ended with {status}")),
                Ok(Err(why)) => faults.push(format!("`{name}` cannot be waited for: {why}")),
                Err(_) => faults.push(format!("`{name}` had to be killed")),
            }
        }
        faults
    }
}

impl Running {
    async fn start(role: Role, mut command: Command) -> Result<Self, Problem> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        // Ctrl-C is for the parent, which still has questions to its children then.
        #[cfg(unix)]
        command.process_group(0);
        let mut process = command.spawn()?;
        let stdout = process.stdout.take().ok_or("a child has no stdout")?;
        let mut stdout = BufReader::new(stdout);
        let mut address = String::new();
        stdout.read_line(&mut address).await?;
        if address.is_empty() {
            return Err(format!("`{}` ended before it listened", role.name()).into());
        }
        let target = format!("static:{}", address.trim());
        Ok(Self { role, target, process, _stdout: stdout })
    }

    async fn counts(&self, mesh: &Mesh) -> Result<Counts, Problem> {
        let counters: CountersClient = mesh.client_at(&self.target)?;
        Ok(counters.read().await?)
    }
}
