//! What a server says of its services' health: pushed to every connection when it changes.
//!
//! # Why
//! A server knows first that its database is gone. Clients that ask now and then hear it late, and each asks; here one
//! frame per connection says it, and their next calls go elsewhere. Calls that come all the same are served: health is
//! advice, and where nobody else is better, it is not followed.

use std::{collections::BTreeSet, sync::Arc};

use tokio::sync::watch;

use crate::transport::Unwell;

/// Says which services of a server can do their work. Cheap to clone; at first all can.
///
/// Connected clients hear of a change within a round trip, and send their next calls to other servers, if there are any
/// that say they can. A service that is well again gets its share by and by, over 10 s.
///
/// ```no_run
/// # async fn example(server: sinew::Server, database_answers: bool) -> Result<(), sinew::UnknownService> {
/// let health = server.health();
/// health.set_serving("shop.Inventory", database_answers)?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Health {
    services: Arc<BTreeSet<String>>,
    unwell: Arc<watch::Sender<Unwell>>,
}

/// The server has no such service.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this server has no service `{service}`; it serves {}", .known.join(", "))]
pub struct UnknownService {
    /// As it was given.
    pub service: String,
    /// Those that it has.
    pub known: Vec<String>,
}

impl Health {
    pub(super) fn new(services: impl Iterator<Item = String>) -> Self {
        Self {
            services: Arc::new(services.collect()),
            unwell: Arc::new(watch::Sender::new(Unwell::default())),
        }
    }

    /// Says whether a service, by its name on the wire, can do its work.
    ///
    /// # Errors
    /// [`UnknownService`], which lists those that the server has.
    pub fn set_serving(&self, service: &str, serving: bool) -> Result<(), UnknownService> {
        if !self.services.contains(service) {
            let known = self.services.iter().cloned().collect();
            return Err(UnknownService { service: service.to_owned(), known });
        }
        self.unwell.send_if_modified(|unwell| {
            let all = unwell.contains("");
            if (all || unwell.contains(service)) != serving {
                return false;
            }
            let unwell = Arc::make_mut(unwell);
            if all {
                *unwell = (*self.services).clone();
            }
            if serving { unwell.remove(service) } else { unwell.insert(service.to_owned()) }
        });
        Ok(())
    }

    /// Says whether all services of the server can do their work.
    pub fn set_all_serving(&self, serving: bool) {
        let unwell = (!serving).then(String::new);
        self.unwell.send_replace(Arc::new(unwell.into_iter().collect()));
    }

    /// Whether a service said last that it can.
    pub fn is_serving(&self, service: &str) -> bool {
        let unwell = self.unwell.borrow();
        self.services.contains(service) && !unwell.contains("") && !unwell.contains(service)
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Unwell> {
        self.unwell.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health() -> Health {
        Health::new(["a", "b"].into_iter().map(str::to_owned))
    }

    #[test]
    fn a_service_that_is_not_there_is_an_error_that_lists_those_that_are() {
        let error = health().set_serving("c", false).unwrap_err();
        assert_eq!(error.to_string(), "this server has no service `c`; it serves a, b");
    }

    #[test]
    fn who_listens_hears_of_changes_and_of_nothing_else() {
        let health = health();
        let mut heard = health.subscribe();
        health.set_serving("a", true).unwrap();
        assert!(!heard.has_changed().unwrap());
        health.set_serving("a", false).unwrap();
        assert!(heard.borrow_and_update().contains("a"));
        assert!(!health.is_serving("a") && health.is_serving("b") && !health.is_serving("c"));
        health.set_all_serving(false);
        assert_eq!(heard.borrow_and_update().iter().collect::<Vec<_>>(), [""]);
        assert!(!health.is_serving("b"));
        health.set_serving("b", true).unwrap();
        assert_eq!(heard.borrow_and_update().iter().collect::<Vec<_>>(), ["a"]);
        health.set_all_serving(true);
        assert!(heard.borrow_and_update().is_empty());
    }
}
