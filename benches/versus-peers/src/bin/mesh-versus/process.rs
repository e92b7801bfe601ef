//! A process of the contest, and never one that is left behind.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::mpsc::{RecvTimeoutError, sync_channel},
    thread,
    time::{Duration, Instant},
};

use versus_peers::Failure;

/// From its start to `ready`; most of it is for a machine that is busy with something else.
const START: Duration = Duration::from_secs(10);
/// Between two looks at whether it has ended.
const LOOK: Duration = Duration::from_millis(2);

/// A running process; dropping it kills it, frozen or not.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    words: PathBuf,
}

/// What a process has used.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    pub(crate) cpu_s: f64,
    pub(crate) memory_mib: f64,
}

impl Process {
    /// Starts it; its standard error goes to `words`.
    ///
    /// # Errors
    /// It does not start.
    pub(crate) fn start(command: &mut Command, words: PathBuf) -> Result<Self, Failure> {
        let mut child = command
            .stdin(Stdio::piped())
            .stderr(File::create(&words)?)
            .spawn()
            .map_err(|why| format!("{}: {why}", command.get_program().display()))?;
        let stdin = child.stdin.take();
        Ok(Self { child, stdin, words })
    }

    /// Starts it and waits until it says `ready`; every line after that is handed over.
    ///
    /// # Errors
    /// It ends before, or says nothing for long.
    pub(crate) fn start_ready(
        command: &mut Command,
        words: PathBuf,
        each: impl Fn(&str) + Send + 'static,
    ) -> Result<Self, Failure> {
        let mut process = Self::start(command.stdout(Stdio::piped()), words)?;
        let stdout = process.child.stdout.take().ok_or("no standard output")?;
        let (ready, is_ready) = sync_channel(1);
        thread::spawn(move || {
            let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
            if lines.next().as_deref() == Some("ready") {
                // Nobody waits for it any more: then it is being killed.
                let _ = ready.send(());
                lines.for_each(|line| each(&line));
            }
        });
        match is_ready.recv_timeout(START) {
            Ok(()) => Ok(process),
            Err(RecvTimeoutError::Timeout) => Err("it does not get ready".into()),
            Err(RecvTimeoutError::Disconnected) => {
                let status = process.child.wait()?;
                let words = process.words();
                Err(format!("it ended ({status}): {}", words.unwrap_or_default()).into())
            }
        }
    }

    /// Says one line to it.
    ///
    /// # Errors
    /// It has ended.
    pub(crate) fn say(&mut self, line: &str) -> Result<(), Failure> {
        let stdin = self.stdin.as_mut().ok_or("its standard input is closed")?;
        Ok(writeln!(stdin, "{line}")?)
    }

    /// Sends a signal by its name, without `SIG`.
    ///
    /// # Errors
    /// There is no `kill`, or no process.
    pub(crate) fn signal(&self, name: &str) -> Result<(), Failure> {
        let pid = self.child.id().to_string();
        let sent =
            Command::new("kill").args([format!("-{name}"), pid]).stderr(Stdio::null()).status()?;
        if sent.success() {
            return Ok(());
        }
        Err(format!("`kill -{name}`: {sent}").into())
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// It goes on longer than that.
    pub(crate) fn ended_within(&mut self, patience: Duration) -> Result<ExitStatus, Failure> {
        let until = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() >= until {
                return Err(format!("it has not ended after {} s", patience.as_secs()).into());
            }
            pause(LOOK);
        }
    }

    /// The first line of what it said to its standard error.
    pub(crate) fn words(&self) -> Option<String> {
        let words = fs::read_to_string(&self.words).ok()?;
        words.lines().next().map(str::to_owned)
    }

    /// CPU time so far, and memory now.
    ///
    /// # Errors
    /// `/proc` is not Linux's, or the process is gone.
    pub(crate) fn usage(&self) -> Result<Usage, Failure> {
        let proc = PathBuf::from(format!("/proc/{}", self.child.id()));
        Ok(Usage { cpu_s: cpu_seconds(&proc)?, memory_mib: resident_mib(&proc)? })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself, which is just as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Usage {
    /// Of both.
    pub(crate) fn and(self, other: Self) -> Self {
        Self { cpu_s: self.cpu_s + other.cpu_s, memory_mib: self.memory_mib + other.memory_mib }
    }
}

/// Waits.
#[expect(
    clippy::disallowed_methods,
    reason = "the referee is one thread, which has nothing else to do"
)]
pub(crate) fn pause(length: Duration) {
    thread::sleep(length);
}

/// User and system time of all threads, in the ticks of `stat`: over seconds, 10 ms are exact enough.
fn cpu_seconds(proc: &Path) -> Result<f64, Failure> {
    let stat = fs::read_to_string(proc.join("stat"))?;
    let (_, rest) = stat.rsplit_once(')').ok_or("`stat` has no name")?;
    let fields = rest.split_ascii_whitespace().skip(11).take(2);
    let ticks = fields.map(str::parse::<u64>).sum::<Result<u64, _>>()?;
    Ok(ticks as f64 / 100.0)
}

fn resident_mib(proc: &Path) -> Result<f64, Failure> {
    let status = fs::read_to_string(proc.join("status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_ascii_whitespace().next());
    Ok(kib.ok_or("no `VmRSS`")?.parse::<f64>()? / 1024.0)
}
