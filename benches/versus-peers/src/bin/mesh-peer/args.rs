//! The command line of one process.

use std::{net::SocketAddr, path::PathBuf};

/// `mesh-peer CONTENDER replica --index N --at ADDRESS --pem DIRECTORY`, or
/// `mesh-peer CONTENDER caller --at ADDRESS,.. --rate N --pem DIRECTORY`.
#[derive(Clone, Debug)]
pub(crate) struct Args {
    pub(crate) contender: Contender,
    pub(crate) role: Role,
    /// Where a replica listens; whom a caller calls: all replicas, or the sidecar.
    pub(crate) at: Vec<SocketAddr>,
    /// Calls per second.
    pub(crate) rate: u32,
    /// Has `cert.pem` and `key.pem`.
    pub(crate) pem: PathBuf,
}

/// Who decides where a call goes, and what follows a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contender {
    /// sinew's client.
    Sinew,
    /// tonic's `Channel::balance_list`.
    Tonic,
    /// The same, and a loop around each call.
    TonicRetry,
    /// An Envoy beside the caller, which only tonic's plain channel speaks to.
    Envoy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Replica { index: u8 },
    Caller,
}

impl Contender {
    const ALL: [Self; 4] = [Self::Sinew, Self::Tonic, Self::TonicRetry, Self::Envoy];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sinew => "sinew",
            Self::Tonic => "tonic",
            Self::TonicRetry => "tonic_retry",
            Self::Envoy => "envoy",
        }
    }
}

impl Args {
    /// # Errors
    /// What is missing or unknown.
    pub(crate) fn from_command_line(words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut words = words;
        let name = words.next().ok_or("which contender?")?;
        let contender = Contender::ALL
            .into_iter()
            .find(|known| known.name() == name)
            .ok_or_else(|| format!("no contender `{name}`"))?;
        let role = match words.next().as_deref() {
            Some("replica") => Role::Replica { index: 0 },
            Some("caller") => Role::Caller,
            _ => return Err("`replica` or `caller`?".to_owned()),
        };
        let mut args = Self { contender, role, at: Vec::new(), rate: 500, pem: PathBuf::new() };
        while let Some(name) = words.next() {
            let value = words.next().ok_or_else(|| format!("`{name}` needs a value"))?;
            args.set(&name, &value).map_err(|why| format!("`{name}`: {why}"))?;
        }
        if args.at.is_empty() {
            return Err("no `--at`".to_owned());
        }
        Ok(args)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), Box<dyn std::error::Error>> {
        match name {
            "--index" => self.role = Role::Replica { index: value.parse()? },
            "--at" => self.at = value.split(',').map(str::parse).collect::<Result<_, _>>()?,
            "--rate" => self.rate = value.parse()?,
            "--pem" => self.pem = PathBuf::from(value),
            _ => return Err("unknown".into()),
        }
        Ok(())
    }
}
