//! Which types are fit for bincode, why others are not, and what a fingerprint sees.

mod changes;
mod described;
mod fit;
mod unfit;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{MethodTypes, TypeFacts, facts};

/// An enum behind whatever is tested: learning must go on after it.
#[derive(Serialize, Deserialize, Debug, PartialEq, Clone, Copy)]
enum After {
    A,
    B,
    C,
}

#[derive(Serialize, Deserialize)]
struct Wrapped<T> {
    it: T,
    after: After,
}

/// Why bincode must not carry the type.
fn obstacle<T: Serialize + DeserializeOwned + 'static>() -> Option<String> {
    facts::<T>().bincode.as_ref().err().map(ToString::to_string)
}

fn named_obstacle<T: Serialize + DeserializeOwned + 'static>() -> Option<String> {
    facts::<T>().named.as_ref().err().map(ToString::to_string)
}

fn canonical<T: Serialize + DeserializeOwned + 'static>() -> Vec<u8> {
    let facts = facts::<T>();
    assert_eq!(facts.bincode, Ok(()), "{}", facts.name);
    facts.canonical.to_vec()
}

/// The fingerprint of a method that answers with the type and takes nothing.
fn fingerprint(value: &TypeFacts) -> Option<sinew_core::ids::Fingerprint> {
    let nothing = super::argument_facts::<()>(&[]);
    let types = MethodTypes { shape: 0, arguments: &nothing, input: None, value, error: None };
    types.fingerprint()
}
