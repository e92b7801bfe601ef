//! A server's words in etcd: under a lease that it keeps, written again where they are lost, taken back by a word.
//!
//! ```text
//!   lease ---> write ---> kept every 3 s, and looked after ---+--- taken back ---> `withdrawn yes` for a minute, and the
//!     ^                                                       |                    lease of before is given back
//!     +------------------ the lease is gone ------------------+
//! ```
//!
//! # Invariants
//! 1. No server waits for etcd, nor fails because of it.
//! 2. What was taken back is not announced again by a question that was on its way: its lease is gone by then.

use std::{net::SocketAddr, time::Duration};

use sinew_core::{backoff::Backoff, limits, rng::Rng as _};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};

use super::{
    super::{
        About,
        announcement::{Announcement, Process},
    },
    client::{Client, Failure},
    json,
    source::keys_of,
};
use crate::chance::Chance;

/// An announcement. Dropping it takes it back.
#[derive(Debug)]
pub(crate) struct Announced {
    stage: watch::Sender<Stage>,
    /// Whether it was taken back.
    done: watch::Receiver<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Serves,
    Withdrawn,
    /// The server is gone: nobody waits any more.
    Over,
}

impl Announced {
    /// Says that a service is at an address, until what is returned is dropped.
    pub(super) fn new(client: Client, service: &str, address: SocketAddr, about: About) -> Self {
        let id = format!("{:016x}", Chance.next_u64());
        let key = keys_of(&client.settings().prefix, service) + &id;
        let process = Process::own();
        let announcement =
            Announcement { service: service.to_owned(), address, process, about, withdrawn: false };
        let (stage, of_server) = watch::channel(Stage::Serves);
        let (tell, done) = watch::channel(false);
        let speaker = Speaker { client, key, announcement, lease: None, said: false };
        tokio::spawn(async move { tell.send_replace(speaker.speak(of_server).await) });
        Self { stage, done }
    }

    /// Says that the server is no longer to be called.
    pub(crate) fn withdraw(&self) {
        self.stage.send_replace(Stage::Withdrawn);
    }

    /// Waits until that was said, but not for long.
    pub(crate) async fn withdrawn(&self) {
        let mut done = self.done.clone();
        let said = done.wait_for(|is_done| *is_done);
        let _ = timeout(limits::ETCD_TIMEOUT, said).await;
    }
}

impl Drop for Announced {
    fn drop(&mut self) {
        self.stage.send_replace(Stage::Over);
    }
}

/// What speaks for a server.
struct Speaker {
    client: Client,
    key: String,
    announcement: Announcement,
    lease: Option<u64>,
    /// It was told that it cannot.
    said: bool,
}

impl Speaker {
    /// Announces until the server does not want to be called; whether that was said too.
    async fn speak(mut self, mut stage: watch::Receiver<Stage>) -> bool {
        let mut backoff = Backoff::new();
        while *stage.borrow_and_update() == Stage::Serves {
            let spoken = tokio::select! {
                spoken = self.heartbeat() => spoken,
                _ = stage.changed() => continue,
            };
            let pause = match &spoken {
                Ok(()) => {
                    backoff.reset();
                    limits::ANNOUNCE_EVERY
                }
                Err(_) => pause(&mut backoff),
            };
            self.tell(spoken);
            tokio::select! {
                () = sleep(pause) => {}
                _ = stage.changed() => {}
            }
        }
        let mut backoff = Backoff::new();
        let mut over: Option<Instant> = None;
        loop {
            match self.withdraw().await {
                Ok(()) => return true,
                Err(why) => tracing::debug!(why = why.into_words(), "not yet taken back in etcd"),
            }
            if *stage.borrow() == Stage::Over {
                let since = *over.get_or_insert_with(Instant::now);
                if since.elapsed() >= limits::ETCD_TIMEOUT {
                    return false;
                }
            }
            sleep(pause(&mut backoff)).await;
        }
    }

    /// Keeps the lease, and sees to it that what is to be there is.
    async fn heartbeat(&mut self) -> Result<(), Failure> {
        if let Some(lease) = self.lease
            && !self.client.keep_alive(lease).await?
        {
            self.lease = None;
        }
        let lease = match self.lease {
            Some(lease) => lease,
            None => *self.lease.insert(self.client.grant(limits::ANNOUNCE_LEASE.as_secs()).await?),
        };
        let kept = self.keep(&self.announcement, lease).await;
        if kept.as_ref().is_err_and(Failure::is_not_found) {
            self.lease = None;
        }
        kept
    }

    /// Says that the server is no longer to be called, for long enough that all may hear it.
    async fn withdraw(&mut self) -> Result<(), Failure> {
        let withdrawn = Announcement { withdrawn: true, ..self.announcement.clone() };
        let lease = self.client.grant(limits::ETCD_TOMBSTONE.as_secs()).await?;
        self.keep(&withdrawn, lease).await?;
        if let Some(lease) = self.lease {
            // It would end by itself. What is still on its way under it comes to nothing.
            let revoked: Result<json::Lease, _> =
                self.client.ask("/v3/lease/revoke", json::lease(lease)).await;
            if let Err(why) = revoked {
                tracing::debug!(why = why.into_words(), "a lease of etcd is left to end by itself");
            }
        }
        Ok(())
    }

    async fn keep(&self, announcement: &Announcement, lease: u64) -> Result<(), Failure> {
        let mut announcement = announcement.clone();
        // Who listens everywhere is where etcd sees him.
        if announcement.address.ip().is_unspecified()
            && let Some(own) = self.client.own_address()
        {
            announcement.address.set_ip(own);
        }
        let question = json::keep(&self.key, &announcement.to_text(), lease);
        let _: json::Range = self.client.ask("/v3/kv/txn", question).await?;
        Ok(())
    }

    /// A problem is told once, and once when it is over.
    fn tell(&mut self, spoken: Result<(), Failure>) {
        let key = &self.key;
        match (spoken, self.said) {
            (Err(why), false) => {
                let why = why.into_words();
                tracing::warn!(
                    "this server cannot announce itself in etcd at `{key}` ({why}); who was told its address finds it all \
                     the same"
                );
                self.said = true;
            }
            (Ok(()), true) => {
                tracing::info!("this server is announced in etcd at `{key}`");
                self.said = false;
            }
            (Ok(()), false) | (Err(_), true) => {}
        }
    }
}

fn pause(backoff: &mut Backoff) -> Duration {
    backoff.next(&mut Chance).min(limits::ETCD_PAUSE_MAX)
}
