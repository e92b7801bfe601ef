//! Endpoints from name servers: A and AAAA records behind one port, or SRV records with ports of their own.
//!
//! # Why
//! It is the one directory that every platform has. It is also one that fails by answering: empty, with NXDOMAIN, with
//! an error of the server. None of that empties a list; see [`roster`](sinew_core::policy::roster).
//!
//! # When it is asked
//! When the time to live of what it said is over, and when an endpoint cannot be reached; not more often than every
//! [`DNS_AGAIN_MIN`](limits::DNS_AGAIN_MIN), by chance up to a fifth later, so that clients do not ask in step.
//!
//! # SRV (RFC 2782)
//! Of several priorities the best one counts. Weights become the endpoints', in relation to their mean.
//!
//! # Not here
//! A cache: each client keeps its own answer for as long as it holds. Trust: names say where one may try, certificates
//! who answers.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig},
    lookup::Lookup,
    net::{NetError, runtime::TokioRuntimeProvider},
    proto::rr::{RData, rdata::SRV},
};
use sinew_core::{
    limits,
    policy::roster::{Snapshot, Withdrawn},
    rng::unit_f64,
};
use tokio::time::{Instant, sleep_until, timeout};

use super::{Doubts, Entry, Hearing, Source, target::DnsName};
use crate::chance::Chance;

/// `dns:host:port`.
pub(crate) struct Dns {
    name: DnsName,
    /// Made when it is asked first, and again after a failure: the system's settings may have changed.
    resolver: Option<TokioResolver>,
    /// When it was asked last, and until when what it said holds.
    asked: Option<(Instant, Duration)>,
    /// The addresses of each host behind SRV records, as they were known last.
    hosts: BTreeMap<String, BTreeSet<IpAddr>>,
}

/// What records say, and for how long.
struct Answer {
    endpoints: Vec<Entry>,
    ttl: Duration,
}

impl Dns {
    pub(crate) fn new(name: DnsName) -> Self {
        Self { name, resolver: None, asked: None, hosts: BTreeMap::new() }
    }

    /// Until it is time to ask again.
    async fn due(&self, doubts: &mut Doubts) {
        let Some((asked, holds)) = self.asked else { return };
        let spread = 1.0 + unit_f64(&mut Chance) / 5.0;
        let soonest = asked + limits::DNS_AGAIN_MIN.mul_f64(spread);
        let due = asked + holds.clamp(limits::DNS_AGAIN_MIN, limits::DNS_AGAIN_MAX);
        tokio::select! {
            () = sleep_until(due.max(soonest)) => {}
            () = doubts.raised() => sleep_until(soonest).await,
        }
    }

    async fn ask(&mut self) -> Result<Answer, String> {
        let resolver = match &self.resolver {
            Some(resolver) => resolver.clone(),
            None => self.resolver.insert(resolver(self.name.server)?).clone(),
        };
        match self.name.port {
            Some(port) => {
                let (addresses, ttl) = addresses(&resolver, &self.name.host).await?;
                let at = |ip| Entry::at(SocketAddr::new(ip, port).to_string());
                Ok(Answer { endpoints: addresses.into_iter().map(at).collect(), ttl })
            }
            None => self.ask_srv(&resolver).await,
        }
    }

    async fn ask_srv(&mut self, resolver: &TokioResolver) -> Result<Answer, String> {
        let host = &self.name.host;
        let lookup = resolver.srv_lookup(host.as_str()).await.map_err(|why| words(host, &why))?;
        let mut ttl = ttl_of(&lookup);
        let records = best(lookup.answers().iter().filter_map(|record| match &record.data {
            RData::SRV(srv) => Some(srv),
            _ => None,
        }));
        let mean = mean_weight(&records);
        let mut hosts = BTreeMap::new();
        let mut endpoints = Vec::new();
        for srv in records.into_iter().take(limits::DNS_HOSTS_MAX) {
            let host = srv.target.to_ascii();
            if !hosts.contains_key(&host) {
                let known = self.hosts.get(&host).cloned().unwrap_or_default();
                let found = addresses(resolver, &host).await;
                // One host that cannot be asked for now is where it was.
                let (found, holds) = found.unwrap_or((known, limits::DNS_AGAIN_MIN));
                ttl = ttl.min(holds);
                hosts.insert(host.clone(), found);
            }
            for ip in hosts.get(&host).into_iter().flatten() {
                let mut entry = Entry::at(SocketAddr::new(*ip, srv.port).to_string());
                entry.about.weight = weight(srv.weight, mean);
                endpoints.push(entry);
            }
        }
        self.hosts = hosts;
        Ok(Answer { endpoints, ttl })
    }
}

impl Source for Dns {
    fn name(&self) -> String {
        self.name.to_string()
    }

    fn is_kept(&self) -> bool {
        true
    }

    fn next<'a>(&'a mut self, doubts: &'a mut Doubts) -> Hearing<'a> {
        Box::pin(async move {
            self.due(doubts).await;
            let asked = Instant::now();
            let answer = timeout(limits::DNS_TIMEOUT, self.ask()).await;
            let answer =
                answer.unwrap_or_else(|_| Err("no answer from the name server".to_owned()));
            let holds = answer.as_ref().map_or(Duration::ZERO, |answer| answer.ttl);
            self.asked = Some((asked, holds));
            if answer.is_err() {
                self.resolver = None;
            }
            let endpoints = answer?.endpoints;
            if endpoints.is_empty() {
                return Err("it has no address".to_owned());
            }
            Ok(Snapshot { endpoints, withdrawn: Withdrawn::NONE })
        })
    }
}

fn resolver(server: Option<SocketAddr>) -> Result<TokioResolver, String> {
    let unusable = |why: NetError| format!("no name server can be asked: {why}");
    let mut builder = match server {
        None => TokioResolver::builder_tokio().map_err(unusable)?,
        Some(server) => {
            let ways = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut way| {
                way.port = server.port();
                way
            });
            let server = NameServerConfig::new(server.ip(), true, ways.into());
            let config = ResolverConfig::from_name_servers(vec![server]);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        }
    };
    let options = builder.options_mut();
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.cache_size = 0;
    if server.is_some() {
        options.use_hosts_file = ResolveHosts::Never;
    }
    builder.build().map_err(unusable)
}

async fn addresses(
    resolver: &TokioResolver,
    host: &str,
) -> Result<(BTreeSet<IpAddr>, Duration), String> {
    let found = resolver.lookup_ip(host).await.map_err(|why| words(host, &why))?;
    Ok((found.iter().take(limits::ENDPOINTS_MAX).collect(), ttl_of(found.as_lookup())))
}

fn ttl_of(lookup: &Lookup) -> Duration {
    let ttl = lookup.answers().iter().map(|record| record.ttl).min();
    Duration::from_secs(u64::from(ttl.unwrap_or_default()))
}

/// What is wrong, without the names of other people's types.
fn words(host: &str, why: &NetError) -> String {
    if why.is_nx_domain() {
        format!("there is no name `{host}` (NXDOMAIN)")
    } else if why.is_no_records_found() {
        format!("`{host}` has no records of that kind")
    } else {
        format!("`{host}`: {why}")
    }
}

/// The records of the best priority.
fn best<'a>(records: impl Iterator<Item = &'a SRV> + Clone) -> Vec<&'a SRV> {
    let first = records.clone().map(|srv| srv.priority).min();
    // A lone dot says that there is no such service.
    records.filter(|srv| Some(srv.priority) == first && !srv.target.is_root()).collect()
}

fn mean_weight(records: &[&SRV]) -> f64 {
    let sum: u32 = records.iter().map(|srv| u32::from(srv.weight)).sum();
    f64::from(sum) / records.len().max(1) as f64
}

/// A record's weight in relation to the mean; those of no weight have next to none, if others have.
fn weight(weight: u16, mean: f64) -> f64 {
    if mean == 0.0 {
        return 1.0;
    }
    (f64::from(weight) / mean).clamp(limits::WEIGHT_MIN, f64::from(limits::WEIGHT_MAX))
}

#[cfg(test)]
mod tests {
    use hickory_resolver::proto::rr::Name;

    use super::*;

    fn srv(priority: u16, weight: u16, target: &str) -> SRV {
        SRV::new(priority, weight, 7000, Name::from_ascii(target).unwrap())
    }

    #[test]
    fn the_best_priority_counts_and_a_dot_is_nobody() {
        let records = [srv(20, 1, "c."), srv(10, 1, "a."), srv(10, 3, "b."), srv(10, 1, ".")];
        let best = best(records.iter());
        let targets: Vec<_> = best.iter().map(|srv| srv.target.to_ascii()).collect();
        assert_eq!(targets, ["a.", "b."]);
        assert_eq!(best.iter().map(|srv| weight(srv.weight, mean_weight(&best))).sum::<f64>(), 2.0);
    }

    #[test]
    fn weights_are_in_relation_to_their_mean() {
        assert_eq!(weight(0, 0.0), 1.0, "nobody has one");
        assert_eq!(weight(30, 20.0), 1.5);
        assert_eq!(weight(0, 20.0), limits::WEIGHT_MIN);
        assert_eq!(mean_weight(&[]), 0.0);
    }

    #[tokio::test]
    async fn a_name_server_that_is_not_there_is_a_problem_and_no_list() {
        // A port that was free a moment ago.
        let server = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let name = DnsName { server: Some(server), host: "shop.test".into(), port: Some(7000) };
        let (doubt, mut dns) = (super::super::Doubt::new(), Dns::new(name));
        let why = dns.next(&mut doubt.heard()).await.unwrap_err();
        assert!(!why.is_empty());
    }
}
