//! Services of sinew for whoever speaks plain HTTP: what the way in says of them, and a page to try them.

#[cfg_attr(
    not(any(test, feature = "fuzzing")),
    expect(dead_code, reason = "the router is what serves it")
)]
pub(crate) mod openapi;
#[cfg_attr(not(test), expect(dead_code, reason = "the router is what serves it"))]
pub(crate) mod page;
