//! The command line of one contestant.

use std::{net::SocketAddr, time::Duration};

/// `peer FRAMEWORK server|client --flavour mt|ct --payload N --in-flight N --seconds S [--addr A --cert HEX]`.
#[derive(Clone, Debug)]
pub(crate) struct Args {
    pub(crate) framework: Framework,
    pub(crate) role: Role,
    pub(crate) flavour: Flavour,
    /// Bytes each way.
    pub(crate) payload: usize,
    /// Callers, each with one call at a time.
    pub(crate) in_flight: usize,
    /// How long the measured window is; the warm-up comes on top.
    pub(crate) window: Duration,
    /// Where the server is; clients only.
    pub(crate) addr: Option<SocketAddr>,
    /// The server's certificate as it said it on its `ready` line; clients only.
    pub(crate) cert: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framework {
    Sinew,
    Lane,
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
pub(crate) enum Flavour {
    /// `multi_thread` with two workers.
    MultiThread,
    /// `current_thread`.
    CurrentThread,
}

impl Framework {
    const ALL: [Self; 8] = [
        Self::Sinew,
        Self::Lane,
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
            flavour: Flavour::MultiThread,
            payload: 32,
            in_flight: 64,
            window: Duration::from_secs(1),
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
            "--flavour" => {
                self.flavour = match value.as_str() {
                    "mt" => Flavour::MultiThread,
                    "ct" => Flavour::CurrentThread,
                    _ => return Err("`mt` or `ct`".into()),
                }
            }
            "--payload" => self.payload = value.parse()?,
            "--in-flight" => self.in_flight = value.parse()?,
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
}
