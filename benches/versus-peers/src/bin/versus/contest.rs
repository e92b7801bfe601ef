//! One repetition of one contestant in one cell.

use std::{collections::HashMap, path::PathBuf, time::Duration};

use serde::Deserialize;

use crate::{
    Failure,
    cells::{Cell, Network, Work},
    child::Peer,
    contestants::{Contestant, Part},
};

/// For a start, a handshake, the end of a run: far longer than any takes.
const PATIENCE: Duration = Duration::from_secs(10);
/// For thousands of connections; whoever makes them gives up before.
const PATIENCE_IDLE: Duration = Duration::from_secs(90);

/// What all repetitions have in common.
pub(crate) struct Contest<'a> {
    pub(crate) peer: &'a PathBuf,
    /// The same from a tree that lacks something.
    pub(crate) without: &'a HashMap<Part, PathBuf>,
    /// What is measured of each repetition.
    pub(crate) window: Duration,
    /// What the names of the two network namespaces begin with, where there are such.
    pub(crate) namespaces: Option<&'a str>,
}

/// What one repetition came to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    pub(crate) calls_per_second: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    /// User and system time of both processes.
    pub(crate) cpu_us_per_call: f64,
    /// Of these, the client's.
    pub(crate) client_cpu_us: f64,
    pub(crate) client_allocations: f64,
    pub(crate) server_allocations: f64,
    /// What the server's memory has grown by.
    pub(crate) server_kib_per_call: f64,
}

#[derive(Deserialize)]
struct Spent {
    seconds: f64,
    cpu_seconds: f64,
    allocations: u64,
    /// Servers alone.
    #[serde(default)]
    resident_kib: f64,
}

#[derive(Deserialize)]
struct Called {
    calls: u64,
    window_seconds: f64,
    p50_us: f64,
    p99_us: f64,
    #[serde(flatten)]
    spent: Spent,
}

impl Contest<'_> {
    /// Whether there is a program for it.
    pub(crate) fn has(&self, contestant: Contestant) -> bool {
        match contestant {
            Contestant::Without(part) => self.without.contains_key(&part),
            _ => true,
        }
    }

    fn program(&self, contestant: Contestant) -> &PathBuf {
        match contestant {
            Contestant::Without(part) => self.without.get(&part).unwrap_or(self.peer),
            _ => self.peer,
        }
    }

    /// # Errors
    /// Which end failed, and its words.
    pub(crate) fn run(&self, cell: Cell, contestant: Contestant) -> Result<Sample, Failure> {
        let mut of_server = self.words(cell, contestant, "server");
        if let Some(listen) = server_address(cell.network) {
            of_server.extend(["--listen".to_owned(), listen.to_owned()]);
        }
        let mut server = self.start(cell.network, "server", &of_server)?;
        let ready = server.line(PATIENCE).map_err(|why| format!("server: {why}"))?;
        let mut parts = ready.split_ascii_whitespace().skip(1);
        let (Some(addr), Some(certificate)) = (parts.next(), parts.next()) else {
            return Err(format!("server: `{ready}` is not where it is").into());
        };
        let mut of_client = self.words(cell, contestant, "client");
        of_client.extend(["--addr".to_owned(), addr.to_owned()]);
        of_client.extend(["--cert".to_owned(), certificate.to_owned()]);
        let mut client = self.start(cell.network, "client", &of_client)?;

        let patience = if cell.work == Work::Idle { PATIENCE_IDLE } else { PATIENCE };
        let (spent, called) = self.relay(patience, &mut server, &mut client)?;
        let spent: Spent = serde_json::from_str(&spent)?;
        let called: Called = serde_json::from_str(&called)?;
        Ok(sample(&called, &spent))
    }

    /// The program of a contestant, and what it is told by its command line.
    fn words(&self, cell: Cell, contestant: Contestant, role: &str) -> Vec<String> {
        let of_cell = [
            ("--work", cell.work.name().to_owned()),
            ("--flavour", cell.flavour.short().to_owned()),
            ("--payload", cell.payload.to_string()),
            ("--in-flight", cell.in_flight.to_string()),
            ("--connections", cell.connections.to_string()),
            ("--seconds", self.window.as_secs_f64().to_string()),
        ];
        let program = self.program(contestant).to_string_lossy().into_owned();
        let mut words = vec![program, contestant.name().to_owned(), role.to_owned()];
        words.extend(of_cell.into_iter().flat_map(|(name, value)| [name.to_owned(), value]));
        words
    }

    /// Starts a program in its place of the network.
    fn start(&self, network: Network, role: &str, words: &[String]) -> Result<Peer, Failure> {
        if network == Network::Loopback {
            return Peer::start(words);
        }
        let prefix = self.namespaces.ok_or("there is no such network: no `--namespaces`")?;
        let mut inside = ["ip", "netns", "exec"].map(str::to_owned).to_vec();
        inside.push(format!("{prefix}-{role}"));
        inside.extend_from_slice(words);
        Peer::start(&inside)
    }

    /// Passes the client's `begin` and `end` on, and returns what both then say of the time between.
    fn relay(
        &self,
        patience: Duration,
        server: &mut Peer,
        client: &mut Peer,
    ) -> Result<(String, String), Failure> {
        for (word, patience) in [("begin", PATIENCE), ("end", patience + self.window)] {
            let line = client.line(patience).map_err(|why| format!("client: {why}"))?;
            if line != word {
                return Err(format!("client: `{line}` instead of `{word}`").into());
            }
            server.say(word).map_err(|why| format!("server: {why}"))?;
        }
        let spent = server.line(PATIENCE).map_err(|why| format!("server: {why}"))?;
        let called = client.line(PATIENCE).map_err(|why| format!("client: {why}"))?;
        Ok((spent, called))
    }
}

/// Where a server is in its namespace, as `benches/network.sh` has set it up.
const fn server_address(network: Network) -> Option<&'static str> {
    match network {
        Network::Loopback => None,
        Network::Ethernet => Some("198.18.0.1"),
        Network::Lossy => Some("198.19.0.1"),
    }
}

/// Each end counted its own window: rates, not sums, are what can be set against each other.
fn sample(called: &Called, server: &Spent) -> Sample {
    let calls_per_second = called.calls as f64 / called.window_seconds;
    let per_call = |spent: &Spent, used: f64| used / spent.seconds / calls_per_second;
    let client = &called.spent;
    Sample {
        calls_per_second,
        p50_us: called.p50_us,
        p99_us: called.p99_us,
        client_cpu_us: 1e6 * per_call(client, client.cpu_seconds),
        cpu_us_per_call: 1e6
            * (per_call(client, client.cpu_seconds) + per_call(server, server.cpu_seconds)),
        client_allocations: per_call(client, client.allocations as f64),
        server_allocations: per_call(server, server.allocations as f64),
        server_kib_per_call: server.resident_kib / called.calls as f64,
    }
}
