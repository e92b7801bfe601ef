//! What a type is as data: what may be missing, what else is read, and names.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sinew_descriptor::{Body, Named, Type};

use super::super::{Collector, describe};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Closed {
    needed: u8,
    option: Option<u8>,
    #[serde(default)]
    defaulted: Vec<u8>,
    #[serde(alias = "former")]
    renamed: String,
    #[serde(with = "text")]
    with: Option<u8>,
    inner: Open,
}

#[derive(Serialize, Deserialize)]
struct Open {
    kind: Kind,
    strict: Strict,
}

#[derive(Serialize, Deserialize)]
enum Kind {
    A,
    #[serde(other)]
    Other,
}

#[derive(Serialize, Deserialize)]
enum Strict {
    A,
    B { x: u8 },
}

/// An option that is always written.
mod text {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &Option<u8>, to: S) -> Result<S::Ok, S::Error> {
        value.unwrap_or_default().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u8>, D::Error> {
        u8::deserialize(from).map(Some)
    }
}

fn types<T: Serialize + DeserializeOwned + 'static>() -> Vec<Named> {
    let mut collector = Collector::default();
    assert!(matches!(describe::<T>(&mut collector), Type::Named(_)));
    collector.into_types()
}

fn named<'t>(types: &'t [Named], name: &str) -> &'t Named {
    types.iter().find(|named| named.name == name).unwrap()
}

#[test]
fn what_may_be_missing_is_known_as_serde_reads_it() {
    let types = types::<Closed>();
    let Body::Struct(fields) = &named(&types, "Closed").body else { panic!("{types:?}") };
    let optional: Vec<_> =
        fields.iter().map(|field| (&*field.name, field.optional, field.alias)).collect();
    // serde lists the names of a field in alphabetical order.
    assert_eq!(
        optional,
        [
            ("needed", false, false),
            ("option", true, false),
            ("defaulted", true, false),
            ("former", false, true),
            ("renamed", false, false),
            ("with", false, false),
            ("inner", false, false),
        ]
    );
}

#[test]
fn what_is_read_that_is_not_known_is_known() {
    let types = types::<Closed>();
    let flags = |name| (named(&types, name).closed, named(&types, name).open);
    assert_eq!(flags("Closed"), (true, false));
    assert_eq!(flags("Open"), (false, false));
    assert_eq!(flags("Kind"), (false, true));
    assert_eq!(flags("Strict"), (false, false));
}

#[test]
fn two_types_of_one_name_have_two() {
    mod other {
        #[derive(serde::Serialize, serde::Deserialize)]
        pub(super) struct Open(pub(super) u8, pub(super) u8);
    }
    #[derive(Serialize, Deserialize)]
    struct Both {
        one: Open,
        other: other::Open,
        again: Option<Box<Both>>,
    }
    let types = types::<Both>();
    let names: Vec<_> = types.iter().map(|named| &*named.name).collect();
    assert_eq!(names, ["Both", "Open", "Kind", "Strict", "Open2"]);
    let Body::Struct(fields) = &named(&types, "Both").body else { panic!("{types:?}") };
    assert_eq!(fields[2].ty, Type::Option(Box::new(Type::Named("Both".to_owned()))));
}
