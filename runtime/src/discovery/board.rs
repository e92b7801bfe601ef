//! Where servers announce themselves and clients look for them by name: this machine, or an etcd.
//!
//! # Why
//! Servers and clients have to meet at one place, so it is said once, of a mesh, and never of a server or a client alone.
//! What is announced, taken back and listed means the same at each.

use std::{fmt, net::SocketAddr};

#[cfg(feature = "etcd")]
use super::etcd::{self, Etcd, Store};
use super::{
    About, Listing, Source,
    local::{self, Local},
};

/// The variable of the environment that says where.
pub(crate) const VARIABLE: &str = "SINEW_DISCOVERY";

/// Where servers announce themselves and clients look for them, as it is given to
/// [`MeshBuilder::discovery`](crate::MeshBuilder::discovery): as text, or an `Etcd` with whatever has to be said of it.
///
/// | text | where |
/// |---|---|
/// | `local` | this machine, for this user: the default |
/// | `etcd://127.0.0.1:2379` | an etcd on this machine, several members with commas; needs the feature `etcd` |
/// | `etcds://10.0.0.1:2379` | over TLS, trusting the authorities in the file that `SINEW_ETCD_CA` names |
/// | `etcd-without-tls-at-my-own-risk://10.0.0.1:2379` | elsewhere, and whoever is on the way reads and changes it |
///
/// What else text cannot say comes from the environment: `SINEW_ETCD_CERT` and `SINEW_ETCD_KEY` (files), `SINEW_ETCD_USER`
/// and `SINEW_ETCD_PASSWORD`, `SINEW_ETCD_PREFIX`.
#[derive(Debug, Clone)]
pub struct Directory(Said);

#[derive(Clone)]
enum Said {
    Text(String),
    #[cfg(feature = "etcd")]
    Etcd(Box<Etcd>),
}

impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => text.fmt(f),
            #[cfg(feature = "etcd")]
            Self::Etcd(etcd) => etcd.fmt(f),
        }
    }
}

impl From<&str> for Directory {
    fn from(text: &str) -> Self {
        Self(Said::Text(text.to_owned()))
    }
}

impl From<String> for Directory {
    fn from(text: String) -> Self {
        Self(Said::Text(text))
    }
}

#[cfg(feature = "etcd")]
impl From<Etcd> for Directory {
    fn from(etcd: Etcd) -> Self {
        Self(Said::Etcd(Box::new(etcd)))
    }
}

impl Directory {
    /// What the environment says, if it does.
    pub(crate) fn from_env() -> Option<Self> {
        let said = std::env::var_os(VARIABLE)?;
        Some(said.to_string_lossy().into_owned().into())
    }

    /// An etcd, or nothing where it is this machine; otherwise what is wrong.
    pub(crate) fn elsewhere(self) -> Result<Option<Board>, String> {
        match self.0 {
            Said::Text(text) if text == "local" => Ok(None),
            #[cfg(feature = "etcd")]
            Said::Text(text) => {
                let etcd = Etcd::parse(&text, etcd::variable)?;
                etcd.check().map(|settings| Some(Board::Etcd(Store::new(settings))))
            }
            #[cfg(feature = "etcd")]
            Said::Etcd(etcd) => {
                etcd.check().map(|settings| Some(Board::Etcd(Store::new(settings))))
            }
            #[cfg(not(feature = "etcd"))]
            Said::Text(text) if text.starts_with("etcd") => Err(without_etcd()),
            #[cfg(not(feature = "etcd"))]
            Said::Text(text) => Err(format!("`{text}` is not `local` or `etcd://host:port`")),
        }
    }
}

/// What a build without it says.
pub(super) fn without_etcd() -> String {
    "this build does not ask etcd: switch on the feature `etcd` of the crate `sinew`".to_owned()
}

/// Where servers and clients of a mesh meet.
#[derive(Debug, Clone)]
pub(crate) enum Board {
    /// In a directory of this user and machine.
    Local(Local),
    /// In etcd.
    #[cfg(feature = "etcd")]
    Etcd(Store),
}

impl Board {
    /// Says that a service is at an address, until what is returned is dropped.
    pub(crate) fn announce(&self, service: &str, address: SocketAddr, about: About) -> Announced {
        match self {
            Self::Local(local) => Announced::Local(local.announce(service, address, about)),
            #[cfg(feature = "etcd")]
            Self::Etcd(store) => Announced::Etcd(store.announce(service, address, about)),
        }
    }

    /// Those who announce a service, as they come and go.
    pub(crate) fn source(&self, service: &str) -> Box<dyn Source> {
        match self {
            Self::Local(local) => Box::new(local.source(service)),
            #[cfg(feature = "etcd")]
            Self::Etcd(store) => Box::new(store.source(service)),
        }
    }

    /// Whether it is an etcd.
    pub(crate) fn is_etcd(&self) -> bool {
        match self {
            Self::Local(_) => false,
            #[cfg(feature = "etcd")]
            Self::Etcd(_) => true,
        }
    }

    /// Whoever announces a service now; otherwise why that is not known. Blocks.
    pub(crate) fn announced(&self) -> Result<Vec<Listing>, String> {
        match self {
            Self::Local(local) => local.announced().map_err(|why| why.to_string()),
            #[cfg(feature = "etcd")]
            Self::Etcd(store) => blocking(store.clone()),
        }
    }
}

/// Asks from a thread of its own: a runtime's threads must not wait for a runtime.
#[cfg(feature = "etcd")]
fn blocking(store: Store) -> Result<Vec<Listing>, String> {
    let asking = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(|why| why.to_string())?.block_on(store.announced())
    });
    asking.join().unwrap_or_else(|_| Err("the thread that asked etcd ended".to_owned()))
}

/// An announcement. Dropping it takes it back.
#[derive(Debug)]
pub(crate) enum Announced {
    Local(local::Announced),
    #[cfg(feature = "etcd")]
    Etcd(etcd::Announced),
}

impl Announced {
    /// Says that the server is no longer to be called.
    pub(crate) fn withdraw(&self) {
        match self {
            Self::Local(announced) => announced.withdraw(),
            #[cfg(feature = "etcd")]
            Self::Etcd(announced) => announced.withdraw(),
        }
    }

    /// Waits until that was said, but not for long.
    pub(crate) async fn withdrawn(&self) {
        match self {
            // It is written when `withdraw` returns.
            Self::Local(_) => {}
            #[cfg(feature = "etcd")]
            Self::Etcd(announced) => announced.withdrawn().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_not_understood_says_what_to_write() {
        assert!(Directory::from("local").elsewhere().unwrap().is_none());
        for text in ["", "consul://a:1", "etc"] {
            let why = Directory::from(text).elsewhere().unwrap_err();
            assert!(why.contains("`etcd://host:port`"), "{text}: {why}");
        }
        let etcd = Directory::from("etcd://127.0.0.1:2379").elsewhere();
        assert_eq!(etcd.is_ok(), cfg!(feature = "etcd"), "{etcd:?}");
        assert!(without_etcd().contains("feature `etcd`"));
    }
}
