//! Which codec the last call rode, as the span of its attempt tells.
//!
//! # Why
//! The public API shows the codec in the span and nowhere in a value. So a subscriber of a few lines listens to the
//! spans of attempts and to nothing else.
//!
//! # Invariants
//! 1. One subscriber per process, and calls one after the other: the last attempt is the last call's.

use std::{
    fmt,
    sync::{
        OnceLock,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

use super::Codec;

const TARGET: &str = "sinew::attempt";
const FIELD: &str = "codec";

static LAST: AtomicU8 = AtomicU8::new(0);
static STARTED: OnceLock<bool> = OnceLock::new();

/// Listens from now on. False where another subscriber was there first.
pub(super) fn start() -> bool {
    *STARTED.get_or_init(|| {
        let observer = Observer { ids: AtomicU64::new(1) };
        tracing::subscriber::set_global_default(observer).is_ok()
    })
}

/// Forgets the last call.
pub(super) fn forget() {
    LAST.store(0, Ordering::SeqCst);
}

/// The codec of the last attempt since [`forget`]; `None` where no span told it.
pub(super) fn codec_of_last_call() -> Option<Codec> {
    match LAST.load(Ordering::SeqCst) {
        1 => Some(Codec::Bincode),
        2 => Some(Codec::Fallback),
        3 => Some(Codec::Raw),
        _ => None,
    }
}

struct Observer {
    ids: AtomicU64,
}

impl Subscriber for Observer {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == TARGET
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut Listener);
        Id::from_u64(self.ids.fetch_add(1, Ordering::Relaxed))
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut Listener);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Listener;

impl Listener {
    fn hear(field: &Field, text: &str) {
        if field.name() != FIELD {
            return;
        }
        let codec = match text.trim_matches('"') {
            "bincode" => 1,
            "messagepack" => 2,
            "raw" => 3,
            _ => 0,
        };
        LAST.store(codec, Ordering::SeqCst);
    }
}

impl Visit for Listener {
    fn record_str(&mut self, field: &Field, value: &str) {
        Self::hear(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        Self::hear(field, &format!("{value:?}"));
    }
}
