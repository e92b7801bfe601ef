//! What a target says: `static:127.0.0.1:7001,127.0.0.1:7002`, `sinew:shop.Inventory`, `file:endpoints.toml`,
//! `dns:shop.example:7000`, `etcd:shop.Inventory`.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use sinew_core::spiffe::is_service_name;

use super::{
    board::{VARIABLE, without_etcd},
    entry::check_address,
};

/// Where the port of a name server is, unless it is said.
const DNS_PORT: u16 = 53;

/// Where endpoints are to be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// These addresses.
    Static(Vec<String>),
    /// Whoever announced this name where the mesh looks for others.
    Name(String),
    /// A file that lists them.
    File(PathBuf),
    /// What name servers say.
    Dns(DnsName),
    /// Whoever announced this name in the etcd of the mesh.
    Etcd(String),
}

/// A name to be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DnsName {
    /// Whom to ask; those of the system where nobody is named.
    pub(crate) server: Option<SocketAddr>,
    pub(crate) host: String,
    /// The port of each address; `None` where the records (SRV) say it.
    pub(crate) port: Option<u16>,
}

impl Place {
    /// Reads a target; otherwise what is wrong with it, and what to write instead.
    pub(crate) fn parse(target: &str) -> Result<Self, String> {
        let Some((scheme, rest)) = target.split_once(':') else {
            return Err(unknown(target));
        };
        match scheme {
            "static" => {
                let addresses = rest.split(',').map(|address| {
                    let address = address.trim();
                    check_address(address).map(|()| address.to_owned())
                });
                addresses.collect::<Result<_, _>>().map(Self::Static)
            }
            "sinew" if is_service_name(rest) => Ok(Self::Name(rest.to_owned())),
            "sinew" => Err(format!("`{rest}` is not the name of a service")),
            "file" if rest.is_empty() => {
                Err("there is no path; write `file:endpoints.toml`".into())
            }
            "file" => Ok(Self::File(rest.into())),
            "dns" => {
                with_dns(cfg!(feature = "dns")).and_then(|()| DnsName::parse(rest)).map(Self::Dns)
            }
            "etcd" => with_etcd(cfg!(feature = "etcd"), rest),
            _ if rest.starts_with("//") => {
                check_address(target).map(|()| Self::Static(vec![target.to_owned()]))
            }
            _ => Err(unknown(scheme)),
        }
    }
}

fn unknown(scheme: &str) -> String {
    format!(
        "`{scheme}:` is not known to this build; write `static:host:port`, several with commas, `sinew:name`, \
         `file:path`, `dns:host:port`, `etcd:name` or `http://host:port`"
    )
}

/// Whether this build can ask name servers.
fn with_dns(is_on: bool) -> Result<(), String> {
    if is_on {
        return Ok(());
    }
    Err("this build does not ask name servers: switch on the feature `dns` of the crate `sinew`"
        .into())
}

/// Whether this build can ask etcd, and for this name. Which etcd is said of the mesh, and nowhere else.
fn with_etcd(is_on: bool, name: &str) -> Result<Place, String> {
    if !is_on {
        return Err(without_etcd());
    }
    if is_service_name(name) {
        return Ok(Place::Etcd(name.to_owned()));
    }
    Err(format!(
        "`{name}` is not the name of a service; which etcd is asked is said by `MeshBuilder::discovery` or `{VARIABLE}`"
    ))
}

impl DnsName {
    /// What follows `dns:`, as gRPC writes it: `host:port`, or `//server/host:port`. A host that begins with `_` and has
    /// no port is one of SRV records.
    fn parse(rest: &str) -> Result<Self, String> {
        let (server, name) = match rest.strip_prefix("//") {
            None => (None, rest),
            Some(rest) => {
                let (server, name) =
                    rest.split_once('/').ok_or("there is no name after the server")?;
                (Some(server_at(server)?), name)
            }
        };
        let (host, port) = match name.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (name, None),
        };
        let sound = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if !(1..=254).contains(&host.len()) || !host.chars().all(sound) {
            return Err(format!("`{host}` is not the name of a host"));
        }
        let port = match port.map(str::parse::<u16>) {
            Some(Ok(port @ 1..)) => Some(port),
            None if host.starts_with('_') => None,
            _ => {
                return Err(format!(
                    "`{name}` has no port; write `dns:{host}:7000`, or name SRV records, as in `dns:_sinew._udp.{host}`"
                ));
            }
        };
        Ok(Self { server, host: host.to_owned(), port })
    }
}

fn server_at(server: &str) -> Result<SocketAddr, String> {
    let at = server.parse::<SocketAddr>();
    let at = at.or_else(|_| {
        server.trim_matches(['[', ']']).parse::<IpAddr>().map(|ip| SocketAddr::new(ip, DNS_PORT))
    });
    at.map_err(|_| format!("`{server}` is not the address of a name server"))
}

impl std::fmt::Display for DnsName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("dns:")?;
        if let Some(server) = self.server {
            write!(f, "//{server}/")?;
        }
        f.write_str(&self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_that_is_not_understood_says_what_to_write() {
        for (target, word) in [
            ("nowhere", "`static:host:port`"),
            ("zookeeper:shop", "`dns:host:port`"),
            ("static:", "`host:port`"),
            ("static:127.0.0.1", "`host:port`"),
            ("static:a:1,b", "`b` is not `host:port`"),
            ("static::7000", "`host:port`"),
            ("static:a:0", "`host:port`"),
            ("static:a:99999", "`host:port`"),
            ("static:a\nb:1", "`host:port`"),
            ("http://", "`scheme://host:port`"),
            ("HTTP://legacy.internal", "`scheme://host:port`"),
            ("sinew:", "not the name of a service"),
            ("sinew:../x", "not the name of a service"),
            ("file:", "`file:endpoints.toml`"),
        ] {
            let problem = Place::parse(target).unwrap_err();
            assert!(problem.contains(word), "{target}: {problem}");
        }
        let two = Place::Static(vec!["[::1]:7".into(), "b:8".into()]);
        assert_eq!(Place::parse("static:[::1]:7, b:8"), Ok(two));
        let legacy = |url: &str| Place::Static(vec![url.to_owned()]);
        for url in ["http://legacy.internal:8080", "https://legacy.internal/base"] {
            assert_eq!(Place::parse(url), Ok(legacy(url)));
        }
        assert_eq!(
            Place::parse("static:http://a:1,b:2"),
            Ok(Place::Static(vec!["http://a:1".into(), "b:2".into()]))
        );
        assert_eq!(Place::parse("sinew:shop.Inventory"), Ok(Place::Name("shop.Inventory".into())));
        assert_eq!(Place::parse("file:/a/b.toml"), Ok(Place::File("/a/b.toml".into())));
    }

    #[test]
    fn a_build_without_dns_says_which_feature_to_switch_on() {
        assert!(with_dns(false).unwrap_err().contains("feature `dns`"));
        let place = Place::parse("dns:shop.example:7000");
        assert_eq!(place.is_ok(), cfg!(feature = "dns"), "{place:?}");
    }

    #[test]
    fn a_build_without_etcd_says_which_feature_to_switch_on() {
        assert!(with_etcd(false, "shop").unwrap_err().contains("feature `etcd`"));
        assert_eq!(with_etcd(true, "shop.Inventory"), Ok(Place::Etcd("shop.Inventory".into())));
        let why = with_etcd(true, "//127.0.0.1:2379/shop").unwrap_err();
        assert!(why.contains("`SINEW_DISCOVERY`"), "{why}");
    }

    #[test]
    fn a_name_is_read_with_its_server_and_its_port() {
        for (target, server, host, port) in [
            ("shop.example:7000", None, "shop.example", Some(7000)),
            ("//127.0.0.1:5353/shop:1", Some("127.0.0.1:5353"), "shop", Some(1)),
            ("//[::1]/shop:1", Some("[::1]:53"), "shop", Some(1)),
            ("//10.0.0.1/_sinew._udp.shop.", Some("10.0.0.1:53"), "_sinew._udp.shop.", None),
        ] {
            let name = DnsName::parse(target).unwrap();
            let server = server.map(|server| server.parse().unwrap());
            assert_eq!(name, DnsName { server, host: host.into(), port });
            assert_eq!(DnsName::parse(&name.to_string()["dns:".len()..]), Ok(name));
        }
        for (target, word) in [
            ("", "not the name of a host"),
            ("shop", "`dns:shop:7000`"),
            ("shop:0", "has no port"),
            ("shop:x", "has no port"),
            ("//127.0.0.1:5353", "no name after the server"),
            ("//dns.example/shop:1", "`dns.example` is not the address"),
            ("a b:1", "not the name of a host"),
        ] {
            let problem = DnsName::parse(target).unwrap_err();
            assert!(problem.contains(word), "{target}: {problem}");
        }
    }
}
