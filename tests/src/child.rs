//! The probe's server in a process of its own, that a test can freeze, kill and weigh.

use std::{net::SocketAddr, path::Path, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

use crate::{
    Must as _,
    authority::Issued,
    scene::Scene,
    wait::{soon, until},
};

/// Says where it listens with this in front of the address.
pub const LISTENING: &str = "listening on ";

/// A process. It is killed when this is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    address: SocketAddr,
}

/// How a process is started.
#[derive(Debug)]
pub struct Start {
    command: Command,
}

impl Start {
    /// The program at `path` (a test names it with `env!("CARGO_BIN_EXE_probe")`), at a port that the system picks,
    /// with the identity of the scene.
    pub fn new(path: &str, scene: &Scene) -> Self {
        let mut command = Command::new(path);
        for variable in [
            "SINEW_CONFIG",
            "SINEW_CERT",
            "SINEW_KEY",
            "SINEW_BUNDLE",
            "SINEW_ZONE",
            "SINEW_DISCOVERY",
        ] {
            command.env_remove(variable);
        }
        command
            .env("XDG_RUNTIME_DIR", scene.runtime_dir())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        Self { command }
    }

    /// At this address.
    pub fn at(mut self, address: SocketAddr) -> Self {
        self.command.env("PROBE_ADDRESS", address.to_string());
        self
    }

    /// With this grace for its drain.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.command.env("PROBE_GRACE_MS", grace.as_millis().to_string());
        self
    }

    /// With a journal at `path`, which it appends to: the text of each echo, a line each, answered after a `delay`.
    pub fn journal(mut self, path: &Path, delay: Duration) -> Self {
        let delay = delay.as_millis().to_string();
        self.command.env("PROBE_JOURNAL", path).env("PROBE_DELAY_MS", delay);
        self
    }

    /// With an identity of files instead, written below `directory`.
    pub fn identity(mut self, directory: &Path, issued: &Issued, bundle: &str) -> Self {
        for (variable, name, text) in [
            ("SINEW_CERT", "cert.pem", issued.pem.as_str()),
            ("SINEW_KEY", "key.pem", issued.key_pem.as_str()),
            ("SINEW_BUNDLE", "bundle.pem", bundle),
        ] {
            let path = directory.join(name);
            std::fs::write(&path, text).must("a file");
            self.command.env(variable, path);
        }
        self
    }

    /// With this in its environment.
    pub fn env(mut self, key: &str, value: &str) -> Self {
        self.command.env(key, value);
        self
    }

    /// Starts it and waits until it listens.
    pub async fn run(mut self) -> Process {
        let mut child = self.command.spawn().must("a process");
        let output = child.stdout.take().must("its output");
        let mut lines = BufReader::new(output).lines();
        let line = soon("the process listens", lines.next_line()).await.must("its output");
        let line = line.must("a line of it: what it printed instead is above");
        let address = line.strip_prefix(LISTENING).must("an address");
        Process { address: address.parse().must("an address"), child }
    }
}

impl Process {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops it where it stands: it neither reads nor computes until [`thaw`](Self::thaw).
    ///
    /// The signal alone does not do that: the other threads go on until the one that got it has had a turn on a
    /// processor, so this waits until every thread stands.
    pub async fn freeze(&self) {
        self.signal("STOP").await;
        until("every thread stands", || self.stands()).await;
    }

    /// Lets it go on.
    pub async fn thaw(&self) {
        self.signal("CONT").await;
    }

    /// Asks it to stop, as an orchestrator does.
    pub async fn terminate(&self) {
        self.signal("TERM").await;
    }

    /// Kills it; it has no time to say anything.
    pub async fn kill(mut self) {
        self.child.kill().await.must("killed");
    }

    /// Kills it, and does not wait for its end: it stays what Unix calls a zombie until this is dropped.
    pub async fn kill_unwaited(&self) {
        self.signal("KILL").await;
        let id = self.child.id().must("a process that was not waited for");
        until("it is a zombie", || {
            let status = std::fs::read_to_string(format!("/proc/{id}/stat"));
            status.map_or(true, |status| status.contains(") Z "))
        })
        .await;
    }

    /// Waits for its end; whether it was a success.
    pub async fn ended(&mut self) -> bool {
        soon("the process ends", self.child.wait()).await.must("its status").success()
    }

    /// Its number, as long as it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// The most memory that it has had, in KiB; `None` where the system does not tell.
    pub fn peak_kib(&self) -> Option<u64> {
        self.status_kib("VmHWM:")
    }

    /// The memory that it has now, in KiB.
    pub fn resident_kib(&self) -> Option<u64> {
        self.status_kib("VmRSS:")
    }

    /// The most address space that it has had, in KiB, used or not.
    pub fn claimed_kib(&self) -> Option<u64> {
        self.status_kib("VmPeak:")
    }

    fn status_kib(&self, key: &str) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()?)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix(key))?;
        line.split_whitespace().next()?.parse().ok()
    }

    /// Whether all its threads are stopped; as good as true where the system does not tell.
    fn stands(&self) -> bool {
        let id = self.child.id().must("a process that runs");
        let Ok(threads) = std::fs::read_dir(format!("/proc/{id}/task")) else { return true };
        threads.flatten().all(|thread| {
            // "number (name) state ..."; a name may hold anything. A thread that ended does not count.
            let stat = std::fs::read_to_string(thread.path().join("stat"));
            stat.map_or(true, |stat| {
                stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T'))
            })
        })
    }

    async fn signal(&self, name: &str) {
        let id = self.child.id().must("a process that runs");
        // The shell has a `kill` of its own wherever there is a shell.
        let mut kill = Command::new("sh");
        let status = kill.arg("-c").arg(format!("kill -{name} {id}")).status().await;
        assert!(status.must("a shell").success(), "kill -{name} {id}");
    }
}
