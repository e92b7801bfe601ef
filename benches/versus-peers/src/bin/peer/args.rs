//! The command line of one contestant.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

/// `peer FRAMEWORK server|client --work echo|cold|down|up|idle --flavour mt|ct --payload N --in-flight N --connections N
/// --seconds S [--listen IP] [--addr A --cert HEX]`.
#[derive(Clone, Debug)]
pub(crate) struct Args {
    pub(crate) framework: Framework,
    pub(crate) role: Role,
    pub(crate) work: Work,
    pub(crate) flavour: Flavour,
    /// Bytes each way.
    pub(crate) payload: usize,
    /// Callers, each with one call at a time.
    pub(crate) in_flight: usize,
    /// Of the client, with each an equal share of the callers.
    pub(crate) connections: usize,
    /// How long the measured window is; the warm-up comes on top.
    pub(crate) window: Duration,
    /// Where to listen; servers only.
    listen: IpAddr,
    /// Where the server is; clients only.
    pub(crate) addr: Option<SocketAddr>,
    /// The server's certificate as it said it on its `ready` line; clients only.
    pub(crate) cert: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framework {
    Sinew,
    Lane,
    /// The lane over TLS and TCP.
    TlsLane,
    TonicTls,
    Tonic,
    TarpcTls,
    Tarpc,
    /// hyper, used directly.
    Hyper,
    /// The same through sinew's typed client.
    Bridge,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Server,
    Client,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Calls that are answered with what they said.
    Echo,
    /// The same, each on a new connection.
    Cold,
    /// One stream from the server.
    Down,
    /// One stream from the client.
    Up,
    /// Many connections, each with one call.
    Idle,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavour {
    /// `multi_thread` with two workers.
    MultiThread,
    /// `current_thread`.
    CurrentThread,
}

impl Framework {
    const ALL: [Self; 9] = [
        Self::Sinew,
        Self::Lane,
        Self::TlsLane,
        Self::TonicTls,
        Self::Tonic,
        Self::TarpcTls,
        Self::Tarpc,
        Self::Hyper,
        Self::Bridge,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sinew => "sinew",
            Self::Lane => "lane",
            Self::TlsLane => "tls-lane",
            Self::TonicTls => "tonic-tls",
            Self::Tonic => "tonic",
            Self::TarpcTls => "tarpc-tls",
            Self::Tarpc => "tarpc",
            Self::Hyper => "hyper",
            Self::Bridge => "bridge",
        }
    }

    /// Whether this contestant encrypts by TLS over TCP.
    pub(crate) const fn has_tls(self) -> bool {
        matches!(self, Self::TonicTls | Self::TarpcTls)
    }
}

impl Role {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
        }
    }
}

impl Args {
    /// # Errors
    /// What is missing or unknown.
    pub(crate) fn from_command_line(words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut words = words;
        let framework = words.next().ok_or("which framework?")?;
        let framework = Framework::ALL
            .into_iter()
            .find(|known| known.name() == framework)
            .ok_or_else(|| format!("no framework `{framework}`"))?;
        let role = match words.next().as_deref() {
            Some("server") => Role::Server,
            Some("client") => Role::Client,
            _ => return Err("`server` or `client`?".to_owned()),
        };
        let mut args = Self {
            framework,
            role,
            work: Work::Echo,
            flavour: Flavour::MultiThread,
            payload: 32,
            in_flight: 64,
            connections: 1,
            window: Duration::from_secs(1),
            listen: Ipv4Addr::LOCALHOST.into(),
            addr: None,
            cert: None,
        };
        while let Some(name) = words.next() {
            let value = words.next().ok_or_else(|| format!("`{name}` needs a value"))?;
            args.set(&name, value).map_err(|why| format!("`{name}`: {why}"))?;
        }
        if role == Role::Client && args.addr.is_none() {
            return Err("a client needs `--addr`".to_owned());
        }
        Ok(args)
    }

    fn set(&mut self, name: &str, value: String) -> Result<(), Box<dyn std::error::Error>> {
        match name {
            "--work" => {
                self.work = match value.as_str() {
                    "echo" => Work::Echo,
                    "cold" => Work::Cold,
                    "down" => Work::Down,
                    "up" => Work::Up,
                    "idle" => Work::Idle,
                    _ => return Err("no such work".into()),
                }
            }
            "--flavour" => {
                self.flavour = match value.as_str() {
                    "mt" => Flavour::MultiThread,
                    "ct" => Flavour::CurrentThread,
                    _ => return Err("`mt` or `ct`".into()),
                }
            }
            "--payload" => self.payload = value.parse()?,
            "--in-flight" => self.in_flight = value.parse()?,
            "--connections" => self.connections = value.parse()?,
            "--listen" => self.listen = value.parse()?,
            "--seconds" => self.window = Duration::try_from_secs_f64(value.parse()?)?,
            "--addr" => self.addr = Some(value.parse()?),
            "--cert" => self.cert = Some(value),
            _ => return Err("unknown".into()),
        }
        Ok(())
    }

    /// The server's address.
    ///
    /// # Errors
    /// None was given.
    pub(crate) fn addr(&self) -> Result<SocketAddr, &'static str> {
        self.addr.ok_or("no `--addr`")
    }

    /// Where a server is to listen: at any port.
    pub(crate) fn bind(&self) -> SocketAddr {
        (self.listen, 0).into()
    }

    /// Whether the two ends talk over something else than loopback.
    pub(crate) fn is_afar(&self) -> bool {
        !self.addr.map_or(self.listen, |addr| addr.ip()).is_loopback()
    }

    /// For work that a contestant does not do.
    pub(crate) fn is_not_done(&self) -> crate::Failure {
        format!("{} does not do `{:?}`", self.framework.name(), self.work).into()
    }
}
