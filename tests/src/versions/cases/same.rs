//! Kinds of type that both sides have, by bincode and with named fields.

use super::Case;

pub(super) fn cases() -> Vec<Case> {
    Vec::from([same_plain::case()])
}

same! {
    same_plain "versions.same_plain" Bincode;
    { struct T { a: u32, b: String } }
    T { a: 7, b: "x".into() } => sees(T { a: 7, b: "x".into() });
}
