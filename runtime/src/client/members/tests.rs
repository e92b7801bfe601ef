//! What becomes of an endpoint when the list changes.

use sinew_core::spiffe::SpiffeId;

use super::*;
use crate::{
    discovery::{About, Fixed},
    error::Status,
    interceptor::Interceptors,
    metrics::Service,
    transport::{BoxFuture, Connector, Session},
};

/// Leads nowhere.
#[derive(Debug)]
struct Nowhere;

impl Connector for Nowhere {
    fn connect(&self) -> BoxFuture<'_, Result<Arc<dyn Session>, Status>> {
        Box::pin(std::future::pending())
    }
}

fn core(zone: &str, addresses: &[&str]) -> Arc<ClientCore> {
    let addresses = addresses.iter().map(|&address| address.to_owned()).collect();
    let sources = Sources {
        all: vec![Box::new(Fixed::new(addresses))],
        expected: SpiffeId::new("spiffe://a.example/a").unwrap(),
        last_good: None,
    };
    let reach = |entry: &Entry| Target {
        name: entry.address.clone(),
        connector: Box::new(Nowhere),
        age: sinew_core::limits::CONNECTION_AGE,
    };
    let discovery = Discovery::new(sources, Some(zone.to_owned()), Box::new(reach));
    Arc::new(ClientCore::discovered(Service::alone("a"), discovery, Interceptors::default()))
}

fn entry(id: &str, address: &str, zone: &str, weight: f64) -> Entry {
    let about = About { zone: Some(zone.to_owned()), weight, ..About::default() };
    Entry { id: id.to_owned(), address: address.to_owned(), about }
}

fn replace(core: &ClientCore, entries: &[Entry]) -> Vec<Endpoint> {
    core.list(entries.to_vec(), core.discovery.as_ref().unwrap());
    core.endpoints.load().to_vec()
}

/// Whether they are one, with one connection.
fn is_same(one: &Endpoint, other: &Endpoint) -> bool {
    std::ptr::eq(one.member(), other.member())
}

#[test]
fn an_endpoint_of_which_something_else_is_said_keeps_its_connection() {
    let core = core("z", &[]);
    let before = replace(&core, &[entry("1", "a:1", "z", 1.0), entry("2", "b:1", "z", 1.0)]);
    let after = replace(&core, &[entry("2", "b:1", "y", 3.0), entry("1", "a:1", "z", 1.0)]);
    // Who is near comes first.
    assert!(is_same(&before[0], &after[0]) && is_same(&before[1], &after[1]));
    let placement = after[1].member().placement();
    assert_eq!((placement.weight, placement.near), (3.0, false));
    assert_eq!(after[1].entry().about.zone.as_deref(), Some("y"));
    assert!(after[0].member().placement().near);
    let now = Instant::now().into_std();
    assert_eq!(after[1].member().view(now).weight, 3.0);
}

#[test]
fn an_address_of_another_id_and_an_id_at_another_address_are_new() {
    let core = core("z", &[]);
    let before = replace(&core, &[entry("1", "a:1", "z", 1.0)]);
    let after = replace(&core, &[entry("2", "a:1", "z", 1.0), entry("1", "b:1", "z", 1.0)]);
    assert!(after.iter().all(|endpoint| !is_same(endpoint, &before[0])));
    assert_ne!(after[0].member().placement().hash, after[1].member().placement().hash);
    assert_eq!(after[0].member().placement().hash, before[0].member().placement().hash);
    let now = Instant::now().into_std();
    assert!(after[0].member().view(now).weight < 0.2, "it joins others, and begins small");
}

#[tokio::test]
async fn a_call_waits_for_the_first_list_and_nothing_looks_on_when_the_client_is_gone() {
    let core = core("z", &["a:1"]);
    assert!(!core.is_found());
    core.found(Instant::now() + std::time::Duration::from_secs(30)).await;
    assert!(core.is_found());
    let following = core.discovery.as_ref().unwrap().lock().following.clone().unwrap();
    assert!(!following.is_finished());
    drop(core);
    while !following.is_finished() {
        tokio::task::yield_now().await;
    }
}

fn many(of: std::ops::Range<usize>) -> Vec<Entry> {
    of.map(|at| entry(&at.to_string(), &format!("10.0.0.{at}:1"), "z", 1.0)).collect()
}

#[test]
fn a_client_has_the_endpoints_of_its_aperture_and_a_change_replaces_one() {
    let core = core("z", &[]);
    let size = sinew_core::limits::APERTURE;
    assert_eq!(replace(&core, &many(0..size)).len(), size);
    let before = replace(&core, &many(0..3 * size));
    assert_eq!(before.len(), size);
    let mut fewer = many(0..3 * size);
    fewer.retain(|entry| *entry != *before[7].entry());
    let after = replace(&core, &fewer);
    let stay = after.iter().filter(|one| before.iter().any(|other| is_same(one, other)));
    assert_eq!((after.len(), stay.count()), (size, size - 1));
}

#[test]
fn a_call_with_a_key_makes_all_endpoints_known_and_the_aperture_stays_what_it_is() {
    let core = core("z", &[]);
    let size = sinew_core::limits::APERTURE;
    let before = replace(&core, &many(0..3 * size));
    core.knows_all();
    let all = core.endpoints.load();
    assert_eq!(all.len(), 3 * size);
    assert!(all[..size].iter().all(|one| before.iter().any(|other| is_same(one, other))));
    assert!(all[size..].iter().all(|one| !one.member().placement().inside));
    core.knows_all();
    assert!(is_same(&core.endpoints.load()[0], &all[0]), "once is enough");
    // What is listed later is known too.
    assert_eq!(replace(&core, &many(0..2 * size)).len(), 2 * size);
}

#[test]
fn two_clients_have_two_apertures() {
    let listed = many(0..500);
    let of = |core: &ClientCore| {
        let endpoints = replace(core, &listed);
        endpoints
            .iter()
            .map(|one| one.name().to_string())
            .collect::<std::collections::BTreeSet<_>>()
    };
    let (one, other) = (of(&core("z", &[])), of(&core("z", &[])));
    let common = one.intersection(&other).count();
    assert!((2..50).contains(&common), "{common} of 100, where 20 are to be expected");
}
