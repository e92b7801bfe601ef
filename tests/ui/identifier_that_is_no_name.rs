//! Identifiers that are Rust but no names for the wire.

#[sinew::service]
pub trait Bestände {
    async fn zählen(&self) -> u64;
}

fn main() {}
