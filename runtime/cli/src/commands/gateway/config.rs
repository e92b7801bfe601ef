//! What `gateway.toml` says.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// A gateway, as its file says it. Paths in it are relative to the file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    /// Plain HTTP in.
    #[serde(default)]
    pub(super) http: Option<Http>,
    /// Where its metrics are read.
    #[serde(default)]
    pub(super) metrics: Option<MetricsAt>,
    /// Services of the mesh that callers over HTTP reach.
    #[serde(default, rename = "service")]
    pub(super) services: Vec<Reached>,
    /// Legacy services that the mesh reaches.
    #[serde(default, rename = "legacy")]
    pub(super) legacy: Vec<Legacy>,
}

/// A listener for metrics alone.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MetricsAt {
    /// Where `GET /metrics` is answered, to anybody.
    pub(super) listen: String,
}

/// A listener.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Http {
    /// Where: `127.0.0.1:8080`.
    pub(super) listen: String,
    /// What `/openapi.json` is called.
    #[serde(default)]
    pub(super) title: Option<String>,
    /// Whether `/openapi.json` and `/try` are served. Default true.
    #[serde(default = "yes")]
    pub(super) pages: bool,
    /// Callers are within, or a proxy in front speaks for them.
    #[serde(default)]
    pub(super) trusted: bool,
    /// Anybody is let in.
    #[serde(default)]
    pub(super) let_in_anybody: bool,
    /// No TLS, whoever reaches it.
    #[serde(default)]
    pub(super) insecure_plain_http: bool,
    /// The certificate chain and the key, in PEM.
    #[serde(default)]
    pub(super) tls: Option<Tls>,
    /// Roots of the certificates that clients show, in PEM.
    #[serde(default)]
    pub(super) client_roots: Option<PathBuf>,
    /// Who calls, by tokens.
    #[serde(default, rename = "token")]
    pub(super) tokens: Vec<Token>,
}

fn yes() -> bool {
    true
}

/// A certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tls {
    /// The chain.
    pub(super) chain: PathBuf,
    /// The key.
    pub(super) key: PathBuf,
}

/// A bearer token.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Token {
    /// The file that holds it.
    pub(super) file: PathBuf,
    /// Whose it is: `spiffe://..`.
    pub(super) identity: String,
}

/// A service of the mesh.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reached {
    /// Its name.
    pub(super) name: String,
    /// Where it is, as a target; default: wherever the mesh finds it.
    #[serde(default)]
    pub(super) at: Option<String>,
    /// Its descriptor in JSON; default: one of its servers is asked.
    #[serde(default)]
    pub(super) descriptor: Option<PathBuf>,
}

/// A legacy service.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Legacy {
    /// The service's name in the mesh.
    pub(super) name: String,
    /// Where it is: `http://10.0.0.1:8080`, or a target that lists several.
    pub(super) at: String,
    /// What it looks like: a descriptor in JSON, or an OpenAPI document.
    pub(super) descriptor: PathBuf,
    /// Where the mesh reaches it. Default: any port of the loopback address.
    #[serde(default = "anywhere")]
    pub(super) listen: String,
}

fn anywhere() -> String {
    "127.0.0.1:0".to_owned()
}

impl Config {
    /// Reads a file as a whole.
    ///
    /// # Errors
    /// What is wrong with it, and on which line.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let config: Self = toml::from_str(text).map_err(|why| why.to_string())?;
        if config.http.is_none() && !config.services.is_empty() {
            return Err(
                "there is a `[[service]]`, and no `[http]` by which callers reach it".to_owned()
            );
        }
        if config.services.is_empty() && config.legacy.is_empty() {
            return Err(
                "it says neither a `[[service]]` nor a `[[legacy]]`: there is nothing to do"
                    .to_owned(),
            );
        }
        Ok(config)
    }

    /// The same with its paths from this directory.
    #[must_use]
    pub(super) fn relative_to(mut self, directory: &Path) -> Self {
        let join = |path: &mut PathBuf| *path = directory.join(&*path);
        if let Some(http) = &mut self.http {
            if let Some(tls) = &mut http.tls {
                join(&mut tls.chain);
                join(&mut tls.key);
            }
            http.client_roots.as_mut().map(join);
            http.tokens.iter_mut().for_each(|token| join(&mut token.file));
        }
        self.services.iter_mut().filter_map(|one| one.descriptor.as_mut()).for_each(join);
        self.legacy.iter_mut().for_each(|one| join(&mut one.descriptor));
        self
    }
}
