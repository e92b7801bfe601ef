//! A policy in etcd, beside the servers that announce themselves there: one text for all processes of a mesh.
//!
//! # Invariants
//! 1. Whatever becomes of etcd, what was in force stays. A key that is gone, or was set back with its store, changes nothing.
//! 2. A process that is to go by it and starts while it cannot be read goes on with what it went by last, or not at all.

use std::sync::{Arc, Weak};

use sinew_core::limits;
use tokio::time::timeout;

use super::{PolicyError, kept::Kept, live::Live};
use crate::discovery::{KeyWatch, Store};

/// The name of the key, after the prefix of the store.
const KEY: &str = "policy";

/// The policy of a mesh, in its etcd.
pub(crate) struct PolicyKey {
    key: KeyWatch,
    kept: Kept,
    /// The whole of its name.
    name: String,
    source: String,
}

impl PolicyKey {
    pub(crate) fn new(store: &Store, runtime: Option<&std::path::Path>) -> Self {
        let name = store.path(KEY);
        let source = format!("`etcd:{name}`");
        let kept = Kept::new(source.as_bytes(), runtime);
        Self { key: store.watched(KEY), kept, name, source }
    }

    /// Puts in force what it holds, or else what was in force last, and follows it from here on.
    ///
    /// # Errors
    /// Neither can be used; why not.
    pub(crate) async fn begin(mut self, live: &Arc<Live>) -> Result<(), PolicyError> {
        let first = timeout(limits::POLICY_KEY_WAIT, self.key.next()).await;
        let silent =
            || format!("etcd did not say what it holds within {:?}", limits::POLICY_KEY_WAIT);
        let said = first.unwrap_or_else(|_| Err(silent()));
        if let Err(why) = self.heard(said, live) {
            self.kept.restore(live, why)?;
        }
        tokio::spawn(self.follow(Arc::downgrade(live)));
        Ok(())
    }

    /// What it holds now.
    fn heard(&self, said: Result<Option<String>, String>, live: &Live) -> Result<(), PolicyError> {
        let put = format!("`etcdctl put {} -- \"$(cat sinew.toml)\"`", self.name);
        let none = || format!("there is no such key: {put}");
        match said.and_then(|value| value.ok_or_else(none)) {
            Ok(text) => live.apply(&text, &self.source).map(|_| self.kept.save(&text)),
            Err(why) => Err(live.unreadable(&self.source, why)),
        }
    }

    async fn follow(mut self, live: Weak<Live>) {
        while live.strong_count() > 0 {
            let Ok(said) = timeout(limits::POLICY_KEY_WAIT, self.key.next()).await else {
                continue;
            };
            let Some(live) = live.upgrade() else { return };
            let heard = tokio::task::spawn_blocking(move || {
                let _ = self.heard(said, &live);
                self
            });
            // The runtime shuts down.
            let Ok(still) = heard.await else { return };
            self = still;
        }
    }
}
