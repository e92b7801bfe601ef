//! A contestant's process: lines in, lines out, and never left behind.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, sync_channel},
    thread,
    time::Duration,
};

use crate::Failure;

/// A running contestant; dropping it kills it.
pub(crate) struct Peer {
    child: Child,
    /// Closed to ask a server to end.
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Peer {
    /// # Errors
    /// The program does not start.
    pub(crate) fn start(words: &[String]) -> Result<Self, Failure> {
        let (program, words) = words.split_first().ok_or("no program")?;
        let mut child = Command::new(program)
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|why| format!("{program}: {why}"))?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().ok_or("no standard output")?;
        let (send, lines) = sync_channel(16);
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self { child, stdin, lines })
    }

    /// The next line that it prints.
    ///
    /// # Errors
    /// It ended instead (with its last words), or `patience` did.
    pub(crate) fn line(&mut self, patience: Duration) -> Result<String, Failure> {
        match self.lines.recv_timeout(patience) {
            Ok(line) => Ok(line),
            Err(RecvTimeoutError::Timeout) => {
                Err(format!("nothing from it for {} s", patience.as_secs()).into())
            }
            Err(RecvTimeoutError::Disconnected) => Err(self.last_words().into()),
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

    /// What an ended one had to say.
    fn last_words(&mut self) -> String {
        let mut words = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            // Whatever of it can be read is better than nothing.
            let _ = stderr.read_to_string(&mut words);
        }
        let ended =
            self.child.wait().map_or_else(|why| why.to_string(), |status| status.to_string());
        words.lines().last().map_or(ended, str::to_owned)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended by itself, which is just as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
