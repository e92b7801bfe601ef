//! What looks after a connection while calls wait on it: it nudges those that have waited for a while, and notices
//! silence.
//!
//! # Why
//! Most calls are over in less than a millisecond and need neither a timer nor a watch. So one task per connection looks
//! at all that are older, every 10 ms at first, and sleeps while none are.

use std::{
    sync::{Arc, OnceLock},
    task::Poll,
    time::Duration,
};

use sinew_core::{
    limits,
    policy::silence::{Life, Silence},
};
use tokio::time::Instant;

use super::{
    super::{Observer, Turned},
    client::Shared,
    io::wake_all,
};

/// How often calls that have been nudged are looked at, and a peer that is silent.
const LATER: Duration = Duration::from_millis(25);

/// Who is told what the session turns to.
#[derive(Default)]
pub(super) struct Watcher(OnceLock<Observer>);

impl Watcher {
    /// The first one stays.
    pub(super) fn set(&self, observer: Observer) {
        let _ = self.0.set(observer);
    }

    pub(super) fn tell(&self, turned: Turned) {
        if let Some(observer) = self.0.get() {
            observer(turned);
        }
    }
}

/// Looks after a connection until it is closed.
pub(super) async fn watch(shared: Arc<Shared>) {
    let mut silence = Silence::new();
    let mut looked = Instant::now();
    while let Some(young) = shared.work(silence.life()).await {
        tokio::time::sleep(if young { limits::NUDGE_AFTER } else { LATER }).await;
        let wakers = shared.lock().slots.nudge();
        wake_all(wakers);
        listen(&shared, &mut silence).await;
        if silence.life() >= Life::Suspect && looked.elapsed() >= limits::LOOK_AGAIN {
            looked = Instant::now();
            let wakers = shared.lock().slots.wake_waiting();
            wake_all(wakers);
        }
    }
}

/// Hears whether the peer is alive, and tells whoever has to know.
async fn listen(shared: &Arc<Shared>, silence: &mut Silence) {
    let Some((packets, pto)) = shared.link.heard() else { return };
    let before = silence.life();
    let calls_out = shared.lock().slots.waiting() > 0;
    let look = silence.look(packets, calls_out, pto, Instant::now().into_std());
    if look.ask {
        shared.ask.notify_one();
    }
    let mut life = look.life;
    if life == before {
        return;
    }
    if life == Life::Quiet && shared.link.is_refused().await {
        let heard = shared.link.heard().is_some_and(|(now, _)| now != packets);
        if !heard {
            silence.refused();
            life = silence.life();
            shared.watcher.tell(Turned::Refused);
        }
    }
    if life.max(before) >= Life::Suspect {
        shared.watcher.tell(Turned::Life(life));
        if life > before {
            let wakers = shared.lock().slots.wake_waiting();
            wake_all(wakers);
        }
    }
}

impl Shared {
    /// Waits until there is something to look after; whether any of it is young. `None` once closed.
    async fn work(&self, life: Life) -> Option<bool> {
        std::future::poll_fn(|cx| {
            let mut state = self.lock();
            if state.closed.is_some() {
                return Poll::Ready(None);
            }
            if state.slots.young() {
                return Poll::Ready(Some(true));
            }
            if state.slots.waiting() > 0 || life > Life::Alive {
                return Poll::Ready(Some(false));
            }
            state.nudger = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }
}
