//! The processes: this program, started again for each server.
//!
//! # Invariants
//! 1. No child outlives this process, however it ends: each reads its stdin, which ends with us.
//! 2. A child that ends before it was told to is a fault, whatever the calls looked like.

use std::{net::SocketAddr, path::PathBuf, process::Stdio, time::Duration};

use sinew::{Identity, Mesh, MeshBuilder};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{ChildStdout, Command},
    time::timeout,
};

use crate::{
    Problem,
    api::{Attempt, CountersClient, Counts, Mood},
    arguments::{REPLICAS, Role},
    attempts::Attempts,
    board::{self, Etcd},
    legacy::Legacy,
    operators,
    store::Store,
    world::World,
};

/// From its start to its address. Most of it is for a machine that is busy with something else.
const START: Duration = Duration::from_secs(20);
/// From the end of its stdin to its own end: a goodbye to its callers, and the grace.
const STOP: Duration = Duration::from_secs(10);

/// The servers that run, and the directory in which they find each other: their own, so that two
/// airlines of one user do not meet.
#[derive(Debug)]
pub(crate) struct Fleet {
    running: Vec<Running>,
    /// What those counted that were replaced.
    replaced: Vec<(Role, Counts)>,
    /// Servers of fares over plain HTTP, where this machine has a program for that.
    legacy: Option<Legacy>,
    /// Where they find each other, unless it is the directory.
    etcd: Option<Etcd>,
    /// Where one of the servers of fares was that was killed.
    dead: Option<u16>,
    /// For our questions to the servers, which are no part of the airline.
    control: Mesh,
    directory: Directory,
}

/// A directory that goes with the fleet.
#[derive(Debug)]
struct Directory(PathBuf);

impl Drop for Directory {
    fn drop(&mut self) {
        // What is left of it is in the temporary directory, and of no use to anybody.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[derive(Debug)]
struct Running {
    role: Role,
    counters: CountersClient,
    /// Where its callers find it.
    port: u16,
    process: tokio::process::Child,
    /// Kept open, or the child's next line would end it.
    _stdout: BufReader<ChildStdout>,
}

impl Fleet {
    /// Starts all servers. Who calls whom does not matter: a call waits until there is somebody to call.
    pub(crate) async fn start(world: &World, with_etcd: bool) -> Result<Self, Problem> {
        let path = std::env::temp_dir().join(format!("airline-{}", std::process::id()));
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&path)?;
        let directory = Directory(path);
        std::fs::write(directory.0.join(operators::FILE), operators::policy(0))?;
        let control = directory.mesh()?.build().await?;
        let legacy = Legacy::start(&directory.0, world).await?;
        let etcd = match with_etcd {
            true => Some(Etcd::start(&directory.0).await?),
            false => None,
        };
        let (running, replaced) = (Vec::new(), Vec::new());
        let mut fleet = Self { running, replaced, legacy, etcd, dead: None, control, directory };
        for role in Role::ALL {
            let others = match role {
                Role::Fares => fleet.legacy.as_ref().map_or(0, Legacy::count),
                _ => 0,
            };
            for _ in others..REPLICAS {
                fleet.add(role).await?;
            }
        }
        Ok(fleet)
    }

    /// A mesh that finds the servers of this fleet.
    pub(crate) async fn mesh(&self, attempts: &Attempts) -> Result<Mesh, Problem> {
        let file = self.directory.0.join(operators::FILE);
        let target = self.etcd.as_ref().map_or("local".to_owned(), Etcd::target);
        let mesh = self.directory.mesh()?.discovery(target);
        Ok(attempts.of(mesh).policy_file(file).build().await?)
    }

    /// The books of the seats.
    pub(crate) fn store(&self) -> Result<Store, Problem> {
        Ok(Store::open(self.directory.books())?)
    }

    /// Starts one more server.
    pub(crate) async fn add(&mut self, role: Role) -> Result<(), Problem> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--serve", role.name(), "--books"]).arg(self.directory.books());
        command.env("XDG_RUNTIME_DIR", &self.directory.0);
        command.env("SINEW_CONFIG", self.directory.0.join(operators::FILE));
        board::tell(self.etcd.as_ref(), &mut command);
        if let Some(legacy) = &self.legacy {
            command.args(["--legacy", &legacy.target()]);
        }
        let running = timeout(START, Running::start(role, command, &self.control)).await;
        let running = running.map_err(|_| format!("`{}` did not start", role.name()))??;
        self.running.push(running);
        Ok(())
    }

    /// The port of the server that is going to be killed.
    pub(crate) fn mortal_port(&self) -> Result<u16, Problem> {
        self.legacy.as_ref().map_or_else(|| self.first_port(Role::Fares), Legacy::first_port)
    }

    /// Ends one server of fares at once, without a word.
    pub(crate) async fn kill(&mut self) -> Result<(), Problem> {
        if let Some(legacy) = &mut self.legacy {
            self.dead = Some(legacy.kill().await?);
            return Ok(());
        }
        let at = self.first(Role::Fares)?;
        let mut victim = self.running.remove(at);
        Ok(victim.process.kill().await?)
    }

    /// Starts another in its stead.
    pub(crate) async fn rise(&mut self) -> Result<(), Problem> {
        match (&mut self.legacy, self.dead) {
            (Some(legacy), Some(port)) => legacy.add(port).await,
            _ => self.add(Role::Fares).await,
        }
    }

    /// Ends the etcd that they find each other in.
    pub(crate) async fn kill_etcd(&mut self) -> Result<(), Problem> {
        self.etcd.as_mut().ok_or("no etcd runs")?.kill().await
    }

    /// Starts it again, with what it knew.
    pub(crate) async fn rise_etcd(&mut self) -> Result<(), Problem> {
        self.etcd.as_mut().ok_or("no etcd runs")?.rise().await
    }

    /// Whether they find each other in one.
    pub(crate) fn has_etcd(&self) -> bool {
        self.etcd.is_some()
    }

    /// The port of that one.
    pub(crate) fn risen_port(&self) -> Result<u16, Problem> {
        self.dead.map_or_else(|| self.last_port(Role::Fares), Ok)
    }

    /// What serves fares over plain HTTP.
    pub(crate) fn legacy_name(&self) -> Option<&'static str> {
        self.legacy.as_ref().map(Legacy::name)
    }

    /// Sends a signal to one server.
    pub(crate) async fn signal(&self, role: Role, signal: &str) -> Result<(), Problem> {
        self.running[self.first(role)?].signal(signal).await
    }

    /// Sends a signal to all servers of a service.
    pub(crate) async fn signal_all(&self, role: Role, signal: &str) -> Result<(), Problem> {
        for running in self.of(role) {
            running.signal(signal).await?;
        }
        Ok(())
    }

    /// Where they find each other, and their policy.
    pub(crate) fn directory(&self) -> PathBuf {
        self.directory.0.clone()
    }

    /// Tells one server how to be.
    pub(crate) async fn be(&self, role: Role, mood: Mood) -> Result<(), Problem> {
        Ok(self.running[self.first(role)?].counters.be(mood).await?)
    }

    /// Replaces all servers of a service, one after the other; each says goodbye first.
    pub(crate) async fn replace(&mut self, role: Role) -> Result<(), Problem> {
        for _ in 0..REPLICAS {
            let at = self.first(role)?;
            let mut old = self.running.remove(at);
            self.add(role).await?;
            self.replaced.push((role, old.counters.read().await?));
            drop(old.process.stdin.take());
            let status = timeout(STOP, old.process.wait()).await??;
            if !status.success() {
                return Err(format!("`{}` ended with {status}", role.name()).into());
            }
        }
        Ok(())
    }

    fn first(&self, role: Role) -> Result<usize, Problem> {
        let at = self.running.iter().position(|running| running.role == role);
        Ok(at.ok_or_else(|| format!("no `{}` runs", role.name()))?)
    }

    /// How many processes there are, this one with them.
    pub(crate) fn processes(&self) -> usize {
        self.running.len() + self.legacy.as_ref().map_or(0, Legacy::count) + 1
    }

    /// Where the callers of a service find its oldest server, the one that faults happen to.
    pub(crate) fn first_port(&self, role: Role) -> Result<u16, Problem> {
        Ok(self.running[self.first(role)?].port)
    }

    /// Where they find its newest one.
    fn last_port(&self, role: Role) -> Result<u16, Problem> {
        let newest = self.of(role).last().ok_or_else(|| format!("no `{}` runs", role.name()))?;
        Ok(newest.port)
    }

    fn of(&self, role: Role) -> impl Iterator<Item = &Running> {
        self.running.iter().filter(move |running| running.role == role)
    }

    /// The attempts at the servers of a service since a time, by all that call it and are servers themselves.
    pub(crate) async fn attempts(&self, at: Role, since_us: u64) -> Result<Vec<Attempt>, Problem> {
        let mut all = Vec::new();
        let Some(caller) = at.caller() else { return Ok(all) };
        let ask = |caller: &Running| {
            tokio::spawn(caller.counters.attempts(at.name().to_owned(), since_us))
        };
        for asked in self.of(caller).map(ask).collect::<Vec<_>>() {
            all.extend(asked.await??);
        }
        Ok(all)
    }

    /// How often the servers have tried a call again, so far.
    pub(crate) async fn retries(&self) -> Result<u64, Problem> {
        let mut retries = 0;
        for role in Role::ALL {
            retries += self.counts_of(role).await?.retries;
        }
        Ok(retries)
    }

    /// What the servers of each service have counted together, or why one does not say. Who was killed says nothing.
    pub(crate) async fn counts(&self) -> Vec<(Role, Result<Counts, String>)> {
        let mut all = Vec::new();
        for role in Role::ALL {
            all.push((role, self.counts_of(role).await.map_err(|why| why.to_string())));
        }
        all
    }

    async fn counts_of(&self, role: Role) -> Result<Counts, Problem> {
        let mut sum = Counts::default();
        for (_, counts) in self.replaced.iter().filter(|(of, _)| *of == role) {
            sum.add(counts);
        }
        let ask = |running: &Running| tokio::spawn(running.counters.read());
        for asked in self.of(role).map(ask).collect::<Vec<_>>() {
            sum.add(&asked.await??);
        }
        Ok(sum)
    }

    /// Ends all of them, and says which did not end well.
    pub(crate) async fn stop(self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut stopping = Vec::new();
        for mut running in self.running {
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

impl Directory {
    fn mesh(&self) -> Result<MeshBuilder, Problem> {
        let identity = Identity::development_in(self.0.join("sinew"))?;
        Ok(Mesh::builder().identity(identity).without_policy_file())
    }

    fn books(&self) -> PathBuf {
        self.0.join("books")
    }
}

impl Running {
    async fn signal(&self, signal: &str) -> Result<(), Problem> {
        let pid = self.process.id().ok_or("a server has ended")?.to_string();
        let sent = Command::new("kill").args([format!("-{signal}"), pid]).status().await?;
        if sent.success() { Ok(()) } else { Err(format!("`kill -{signal}` failed").into()) }
    }

    async fn start(role: Role, mut command: Command, control: &Mesh) -> Result<Self, Problem> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        // Ctrl-C is for the parent, which still has questions to its children then.
        #[cfg(unix)]
        command.process_group(0);
        let mut process = command.spawn()?;
        let stdout = process.stdout.take().ok_or("a child has no stdout")?;
        let mut stdout = BufReader::new(stdout);
        let mut addresses = String::new();
        stdout.read_line(&mut addresses).await?;
        let Some((own, found_at)) = addresses.trim().split_once(' ') else {
            return Err(format!("`{}` ended before it listened", role.name()).into());
        };
        let counters = control.client_at(format!("static:{own}"))?;
        let port = found_at.parse::<SocketAddr>()?.port();
        Ok(Self { role, counters, port, process, _stdout: stdout })
    }
}
