//! Which etcd, and how to get in: what a user says of it, and what is wrong with that.
//!
//! # Why
//! What is announced says where one may try, and never who may answer: that is up to certificates. Whoever can write
//! there can still send callers astray, and whoever listens learns where everything is. So an etcd that is not on this
//! machine is spoken to over TLS, unless somebody says in so many words that it is not.
//!
//! # Invariants
//! 1. A password and a key are never printed.

use std::{fmt, path::PathBuf};

use sinew_core::limits;

use super::{
    super::entry::{check_address, is_word},
    tls::Tls,
};

/// Keys begin with this unless something else is said.
const PREFIX: &str = "/sinew";

/// An etcd in which servers announce themselves and clients look for them.
///
/// ```
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use sinew::{Etcd, Mesh};
///
/// let etcd = Etcd::new(["10.0.0.1:2379", "10.0.0.2:2379"])
///     .tls(std::fs::read("etcd-ca.pem")?)
///     .credentials("shop", std::fs::read_to_string("etcd-password")?.trim());
/// let mesh = Mesh::builder().discovery(etcd).build().await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Etcd {
    members: Vec<String>,
    prefix: String,
    roots: Option<Vec<u8>>,
    /// PEM of our own chain and key.
    own: Option<(Vec<u8>, Vec<u8>)>,
    credentials: Option<(String, String)>,
    is_plain_elsewhere: bool,
}

impl Etcd {
    /// The members of one etcd, 16 at most, as `host:port`: one is asked, and the next where that one does not answer.
    pub fn new<I>(members: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        Self {
            members: members.into_iter().map(Into::into).collect(),
            prefix: PREFIX.to_owned(),
            roots: None,
            own: None,
            credentials: None,
            is_plain_elsewhere: false,
        }
    }

    /// What its keys begin with: meshes with different ones do not see each other. It begins with `/`; up to 64 of
    /// `a-z A-Z 0-9 . - _ / :`. Default: `/sinew`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Over TLS, with a certificate for the host's name that one of these authorities (PEM) signed. It has to be said
    /// unless all members are on this machine's loopback.
    pub fn tls(mut self, authorities: impl Into<Vec<u8>>) -> Self {
        self.roots = Some(authorities.into());
        self
    }

    /// Our own certificate chain and key (PEM), for an etcd that asks for one. With [`tls`](Self::tls) alone.
    pub fn certificate(mut self, chain: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.own = Some((chain.into(), key.into()));
        self
    }

    /// A user of etcd and his password, for one with authentication: a token is asked for, and again when it has ended. What
    /// the user needs is to read and write what begins with the prefix.
    pub fn credentials(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.credentials = Some((user.into(), password.into()));
        self
    }

    /// Speaks to members beyond loopback with no TLS: whoever is on the way reads and changes what is announced, and reads
    /// the password. He lets nobody answer calls who has no certificate, but he can send callers where nobody answers.
    pub fn without_tls_at_my_own_risk(mut self) -> Self {
        self.is_plain_elsewhere = true;
        self
    }

    /// As text: `etcd://host:port,host:port`, `etcds://..` over TLS; the rest by what `variable` says.
    pub(crate) fn parse(
        text: &str,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, String> {
        let (scheme, members) = text.split_once("://").ok_or_else(|| unknown(text))?;
        let mut etcd = Self::new(members.split(',').map(str::trim));
        if let Some(prefix) = variable("SINEW_ETCD_PREFIX") {
            etcd.prefix = prefix;
        }
        let read = |name: &str| {
            let path = variable(name).map(PathBuf::from);
            let read = |path: PathBuf| {
                std::fs::read(&path).map_err(|why| format!("{name}: `{}`: {why}", path.display()))
            };
            path.map(read).transpose()
        };
        match scheme {
            "etcd" => {}
            "etcds" => {
                let roots = read("SINEW_ETCD_CA")?;
                etcd.roots = Some(roots.ok_or(
                    "`etcds:` needs whom to trust: name a file of PEM in `SINEW_ETCD_CA`",
                )?);
            }
            "etcd-without-tls-at-my-own-risk" => etcd.is_plain_elsewhere = true,
            _ => return Err(unknown(text)),
        }
        etcd.own = match (read("SINEW_ETCD_CERT")?, read("SINEW_ETCD_KEY")?) {
            (Some(chain), Some(key)) => Some((chain, key)),
            (None, None) => None,
            _ => return Err("`SINEW_ETCD_CERT` and `SINEW_ETCD_KEY` go together".to_owned()),
        };
        etcd.credentials = match (variable("SINEW_ETCD_USER"), variable("SINEW_ETCD_PASSWORD")) {
            (Some(user), Some(password)) => Some((user, password)),
            (None, None) => None,
            _ => return Err("`SINEW_ETCD_USER` and `SINEW_ETCD_PASSWORD` go together".to_owned()),
        };
        Ok(etcd)
    }

    /// What can be used of it; otherwise what is wrong.
    pub(crate) fn check(&self) -> Result<Settings, String> {
        let most = limits::ETCD_MEMBERS_MAX;
        if self.members.is_empty() || self.members.len() > most {
            let count = self.members.len();
            return Err(format!("{count} members, where 1 to {most} may be (ETCD_MEMBERS_MAX)"));
        }
        let members: Vec<Member> =
            self.members.iter().map(|member| Member::parse(member)).collect::<Result<_, _>>()?;
        let prefix = &self.prefix;
        let is_sound = is_word(prefix, limits::ETCD_PREFIX_MAX);
        if !is_sound || !prefix.starts_with('/') || prefix.ends_with('/') {
            let most = limits::ETCD_PREFIX_MAX;
            return Err(format!(
                "the prefix `{prefix}` is not `/` and up to {most} (ETCD_PREFIX_MAX) of `a-z A-Z 0-9 . - _ / :`, the last \
                 no `/`"
            ));
        }
        let tls = match (&self.roots, &self.own) {
            (Some(roots), own) => Some(Tls::new(roots, own.as_ref())?),
            (None, Some(_)) => {
                return Err(
                    "there is a certificate and no TLS: say whom to trust, `Etcd::tls`".to_owned()
                );
            }
            (None, None) => None,
        };
        let far = members.iter().find(|member| !member.is_loopback());
        if let Some(far) = far.filter(|_| tls.is_none() && !self.is_plain_elsewhere) {
            return Err(format!(
                "`{}` is not on loopback, and is to be spoken to with no TLS; write `etcds://` and `SINEW_ETCD_CA`, or \
                 `Etcd::tls`",
                far.name
            ));
        }
        Ok(Settings { members, prefix: prefix.clone(), tls, credentials: self.credentials.clone() })
    }
}

fn unknown(text: &str) -> String {
    format!("`{text}` is not `etcd://host:port`, several with commas, or `etcds://host:port`")
}

/// Prints neither passwords nor keys.
impl fmt::Debug for Etcd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Etcd")
            .field("members", &self.members)
            .field("prefix", &self.prefix)
            .field("tls", &self.roots.is_some())
            .field("user", &self.credentials.as_ref().map(|(user, _)| user))
            .finish_non_exhaustive()
    }
}

/// What was checked.
pub(crate) struct Settings {
    pub(super) members: Vec<Member>,
    pub(super) prefix: String,
    pub(super) tls: Option<Tls>,
    /// User and password.
    pub(super) credentials: Option<(String, String)>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("members", &self.members).finish_non_exhaustive()
    }
}

/// Where a member of etcd listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    /// `host:port`
    pub(super) name: String,
    /// Without the brackets of an IPv6 address.
    pub(super) host: String,
    pub(super) port: u16,
}

impl Member {
    fn parse(name: &str) -> Result<Self, String> {
        if name.contains('/') {
            return Err(format!("`{name}` is not `host:port`"));
        }
        check_address(name)?;
        let not_one = || format!("`{name}` is not `host:port`");
        let (host, port) = name.rsplit_once(':').ok_or_else(not_one)?;
        let port = port.parse().map_err(|_| not_one())?;
        let host = host.trim_matches(['[', ']']).to_owned();
        Ok(Self { name: name.to_owned(), host, port })
    }

    fn is_loopback(&self) -> bool {
        let ip = self.host.parse::<std::net::IpAddr>();
        ip.map_or(self.host == "localhost", |ip| ip.to_canonical().is_loopback())
    }
}

/// What the environment says.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str, variables: &[(&'static str, &str)]) -> Result<Settings, String> {
        let said = |name: &str| {
            let (_, value) = variables.iter().find(|(known, _)| *known == name)?;
            Some((*value).to_owned())
        };
        Etcd::parse(text, said)?.check()
    }

    #[test]
    fn members_are_read_with_what_the_environment_says_of_them() {
        let settings = checked(
            "etcd://127.0.0.1:2379, [::1]:2380,localhost:1",
            &[
                ("SINEW_ETCD_USER", "u"),
                ("SINEW_ETCD_PASSWORD", "p"),
                ("SINEW_ETCD_PREFIX", "/a/b"),
            ],
        )
        .unwrap();
        let hosts: Vec<_> = settings.members.iter().map(|m| (&*m.host, m.port)).collect();
        assert_eq!(hosts, [("127.0.0.1", 2379), ("::1", 2380), ("localhost", 1)]);
        assert_eq!(
            (&*settings.prefix, settings.credentials),
            ("/a/b", Some(("u".into(), "p".into())))
        );
        assert_eq!(checked("etcd://127.0.0.1:2379", &[]).unwrap().prefix, PREFIX);
        let risky = "etcd-without-tls-at-my-own-risk://10.0.0.1:2379";
        assert!(checked(risky, &[]).unwrap().tls.is_none());
    }

    #[test]
    fn what_cannot_be_used_says_why() {
        let many = format!("etcd://{}", ["127.0.0.1:1"; 17].join(","));
        for (text, variables, word) in [
            ("etcd", &[][..], "`etcd://host:port`"),
            ("http://127.0.0.1:2379", &[], "`etcd://host:port`"),
            ("etcd://", &[], "is not `host:port`"),
            ("etcd://127.0.0.1", &[], "is not `host:port`"),
            ("etcd://127.0.0.1:2379/x", &[], "is not `host:port`"),
            ("etcd://http://a:1", &[], "is not `host:port`"),
            (&*many, &[], "ETCD_MEMBERS_MAX"),
            ("etcd://10.0.0.1:2379", &[], "is not on loopback"),
            ("etcd://127.0.0.1:1,etcd.example:2379", &[], "`etcd.example:2379` is not on loopback"),
            ("etcds://10.0.0.1:2379", &[], "`SINEW_ETCD_CA`"),
            ("etcds://a:1", &[("SINEW_ETCD_CA", "/nowhere")], "`/nowhere`"),
            ("etcd://127.0.0.1:1", &[("SINEW_ETCD_USER", "u")], "go together"),
            ("etcd://127.0.0.1:1", &[("SINEW_ETCD_PREFIX", "sinew")], "the prefix `sinew`"),
            ("etcd://127.0.0.1:1", &[("SINEW_ETCD_PREFIX", "/a b")], "ETCD_PREFIX_MAX"),
            ("etcd://127.0.0.1:1", &[("SINEW_ETCD_PREFIX", "/a/")], "the prefix `/a/`"),
        ] {
            let why = checked(text, variables).unwrap_err();
            assert!(why.contains(word), "{text}: {why}");
        }
        let none = Etcd::new(Vec::<String>::new()).check().unwrap_err();
        assert!(none.contains("0 members"), "{none}");
        let own = Etcd::new(["127.0.0.1:1"]).certificate("a", "b").check().unwrap_err();
        assert!(own.contains("`Etcd::tls`"), "{own}");
        let roots = Etcd::new(["127.0.0.1:1"]).tls("no PEM").check().unwrap_err();
        assert!(roots.contains("no certificate"), "{roots}");
    }

    #[test]
    fn a_password_is_never_printed() {
        let etcd = Etcd::new(["127.0.0.1:1"]).credentials("user", "hunter2");
        let printed = format!("{etcd:?} {:?}", etcd.check().unwrap());
        assert!(printed.contains("user") && !printed.contains("hunter2"), "{printed}");
    }
}
