//! Ids that travel: which method, and of which shape.
//!
//! # Why
//! A method is named on the wire by a number that both sides compute from the same words, so that
//! nobody parses a path and authorization sees exactly what dispatch resolved. Structure is a
//! second number: where the two sides disagree about it, a compact codec would misread, and they
//! find out before decoding.

use std::fmt;

use crate::sha256::Sha256;

/// Names one method of one service: the first 64 bits (big endian) of SHA-256 of `service/method`.
///
/// Two methods of one server with the same id are refused where they are declared, never on the
/// wire.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MethodId(pub u64);

impl MethodId {
    /// The id of `method` in `service`, both as they are written on the wire.
    pub const fn of(service: &str, method: &str) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(service.as_bytes());
        hasher.update(b"/");
        hasher.update(method.as_bytes());
        let [a, b, c, d, e, f, g, h, ..] = hasher.finish();
        Self(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
    }
}

/// The structure of a method's argument and result types, in 64 bits.
///
/// Equal fingerprints mean that both sides may use the compact codec.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub u64);

macro_rules! as_hex {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:016x}", self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:016x})"), self.0)
            }
        }
    };
}

as_hex!(MethodId);
as_hex!(Fingerprint);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_is_the_head_of_the_digest() {
        const ID: MethodId = MethodId::of("shop.Inventory", "stock");
        let digest = crate::sha256::digest(b"shop.Inventory/stock");
        assert_eq!(ID.0.to_be_bytes(), digest[..8]);
        assert_ne!(ID, MethodId::of("shop.Inventory", "reserve"));
    }

    #[test]
    fn ids_print_as_sixteen_digits() {
        assert_eq!(MethodId(0xab).to_string(), "00000000000000ab");
        assert_eq!(format!("{:?}", Fingerprint(1)), "Fingerprint(0000000000000001)");
    }
}
