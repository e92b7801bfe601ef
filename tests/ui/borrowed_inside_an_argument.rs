//! A type that borrows.

use std::borrow::Cow;

#[sinew::service]
pub trait Inventory {
    async fn stock(&self, key: Cow<'_, str>, also: Cow<'static, str>) -> u64;
}

fn main() {}
