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
    core.replace(entries, core.discovery.as_ref().unwrap());
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
