//! A real name server, dnsmasq, on a port of its own, with the records that a test wants.

use std::{
    io::{self, Write as _},
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::{Must as _, port, scratch::Scratch, wait::until};

/// Names that end so are the server's own; it knows no others.
pub const DOMAIN: &str = "sinew.test";

/// A name server. It is killed when this is dropped.
#[derive(Debug)]
pub struct NameServer {
    program: &'static str,
    address: SocketAddr,
    scratch: Scratch,
    process: Option<Child>,
}

impl NameServer {
    /// One that has no records yet; `None`, with a line that says so, where the machine has no dnsmasq.
    pub async fn start() -> Option<Self> {
        let runs = |program: &&str| {
            let mut command = Command::new(program);
            command.arg("--version").stdout(Stdio::null()).status().is_ok()
        };
        let Some(program) = ["dnsmasq", "/usr/sbin/dnsmasq"].into_iter().find(runs) else {
            // `tests/run` looks for these words.
            let _ =
                writeln!(io::stdout(), "cannot run here: dnsmasq is missing: install dnsmasq-base");
            return None;
        };
        let address = (Ipv4Addr::LOCALHOST, port::unused()).into();
        let mut server = Self { program, address, scratch: Scratch::new(), process: None };
        server.says(&[]).await;
        Some(server)
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// It has these records from now on, and no others: lines of its configuration, as `host-record=a.sinew.test,127.0.0.1`.
    /// Its answers hold for a second, if a record does not say otherwise.
    pub async fn says(&mut self, records: &[&str]) {
        self.stop();
        let port = self.address.port();
        let log = self.log();
        let mut text = format!(
            "port={port}\nlisten-address=127.0.0.1\nbind-interfaces\nno-resolv\nno-hosts\nlocal-ttl=1\n\
             local=/{DOMAIN}/\nlog-queries\nlog-facility={}\npid-file=\nuser=\nkeep-in-foreground\n",
            log.display()
        );
        for record in records {
            text.push_str(record);
            text.push('\n');
        }
        let path = self.scratch.join("dnsmasq.conf");
        std::fs::write(&path, text).must("its configuration");
        let conf = format!("--conf-file={}", path.display());
        let mut command = Command::new(self.program);
        command.arg(conf).stdin(Stdio::null());
        self.process = Some(command.spawn().must("a name server"));
        until("the name server answers", || self.answers()).await;
    }

    /// It has these addresses for a name.
    pub async fn has(&mut self, name: &str, addresses: &[SocketAddr]) {
        let records: Vec<_> = addresses
            .iter()
            .map(|address| format!("host-record={name}.{DOMAIN},{}", address.ip()))
            .collect();
        self.says(&records.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }

    /// Kills it: nobody answers any more.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// How often it was asked for a name since it started first.
    pub fn asked(&self, name: &str) -> usize {
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        let asked = format!("] {name}.{DOMAIN} from ");
        log.lines().filter(|line| line.contains(" query[") && line.contains(&asked)).count()
    }

    /// Waits until it was asked for a name so many times more.
    pub async fn is_asked(&self, name: &str, times: usize) {
        let goal = self.asked(name) + times;
        until("the name server is asked", || self.asked(name) >= goal).await;
    }

    fn log(&self) -> PathBuf {
        self.scratch.join("dnsmasq.log")
    }

    /// Whether it answers to a question for the root.
    fn answers(&self) -> bool {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).must("a socket");
        socket.set_read_timeout(Some(Duration::from_millis(50))).must("a timeout");
        // One question for the A record of `.`.
        let question = [7, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1];
        let asked = socket.send_to(&question, self.address);
        asked.is_ok() && socket.recv(&mut [0; 512]).is_ok()
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A name server behind another one that answers to everything that it has failed (SERVFAIL).
#[derive(Debug)]
pub struct Failing {
    address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl Failing {
    /// One at a port of its own.
    pub async fn start() -> Self {
        let socket = tokio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.must("a port");
        let address = socket.local_addr().must("its address");
        let task = tokio::spawn(async move {
            let mut packet = [0; 512];
            while let Ok((len, from)) = socket.recv_from(&mut packet).await {
                // An answer, and the code for a failure of the server.
                packet[2] |= 0x80;
                packet[3] = (packet[3] & 0xf0) | 2;
                let _ = socket.send_to(&packet[..len], from).await;
            }
        });
        Self { address, task }
    }

    /// A record that has a name server ask this one.
    pub fn record(&self, name: &str) -> String {
        format!("server=/{name}.{DOMAIN}/{}#{}", self.address.ip(), self.address.port())
    }
}

impl Drop for Failing {
    fn drop(&mut self) {
        self.task.abort();
    }
}
