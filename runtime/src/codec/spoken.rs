//! Which codecs this build speaks, and what they are called.

use sinew_core::wire::settings::Settings;

use super::{BINCODE, JSON, MESSAGEPACK, RAW};

/// What this build says of itself, without services.
pub(crate) fn settings() -> Settings {
    let codecs = [RAW, BINCODE, MESSAGEPACK].map(u64::from).to_vec();
    Settings { codecs, ..Settings::default() }
}

/// The name of a codec, for spans and messages.
pub(crate) fn name(codec: u8) -> &'static str {
    match codec {
        RAW => "raw",
        BINCODE => "bincode",
        MESSAGEPACK => "messagepack",
        JSON => "json",
        _ => "an unknown codec",
    }
}
