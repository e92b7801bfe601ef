//! Kinds of type that both sides have, by bincode and with named fields.

use super::Case;

pub(super) fn cases() -> Vec<Case> {
    Vec::from([
        same_plain::case(),
        same_scalars::case(),
        same_wide::case(),
        same_floats::case(),
        same_units::case(),
        same_newtype::case(),
        same_tuple::case(),
        same_enum::case(),
        same_options::case(),
        same_nested_options::case(),
        same_lists::case(),
        same_maps::case(),
        same_bytes::case(),
        same_recursive::case(),
        same_recursive_enum::case(),
        same_generic::case(),
        same_one_name::case(),
        same_renamed::case(),
        same_alias::case(),
        same_skip::case(),
        same_transparent::case(),
        same_validated::case(),
        same_non_zero::case(),
        same_addresses::case(),
        same_times::case(),
        same_result::case(),
        same_skip_deserializing::case(),
        same_skip_serializing::case(),
        same_skip_serializing_if::case(),
        same_skipped_by_a_predicate::case(),
        same_skipped_variant::case(),
        same_flatten::case(),
        same_untagged::case(),
        same_tagged::case(),
        same_adjacent::case(),
        same_serialize_with_alone::case(),
    ])
}

same! {
    same_plain "versions.same_plain" Bincode;
    { struct T { a: u32, b: String } } =>
    T { a: 7, b: "x".into() } => sees(T { a: 7, b: "x".into() });
}

same! {
    same_scalars "versions.same_scalars" Bincode;
    { struct T { a: u8, b: i16, c: u64, d: i64, e: bool, f: char } } =>
    T { a: 255, b: -300, c: u64::MAX, d: i64::MIN, e: true, f: 'ß' }
        => sees(T { a: 255, b: -300, c: u64::MAX, d: i64::MIN, e: true, f: 'ß' });
}

same! {
    same_wide "versions.same_wide" Bincode;
    { struct T { a: u128, b: i128 } } =>
    T { a: u128::MAX, b: i128::MIN } => sees(T { a: u128::MAX, b: i128::MIN });
}

same! {
    same_floats "versions.same_floats" Bincode;
    { struct T { a: f32, b: f64, c: f64 } } =>
    T { a: 0.1, b: f64::NAN, c: f64::INFINITY } => sees(T { a: 0.1, b: f64::NAN, c: f64::INFINITY });
}

same! {
    same_units "versions.same_units" Bincode;
    { struct U; struct E {} struct T { a: (), b: U, c: E, d: u8, e: PhantomData<u8> } }
        { use std::marker::PhantomData; } =>
    T { a: (), b: U, c: E {}, d: 1, e: PhantomData } => sees(T { a: (), b: U, c: E {}, d: 1, e: PhantomData });
}

same! {
    same_newtype "versions.same_newtype" Bincode;
    { struct T(u64); } =>
    T(7) => sees(T(7));
}

same! {
    same_tuple "versions.same_tuple" Bincode;
    { struct T(u8, (String, i32), [u16; 3]); } =>
    T(1, ("x".into(), -2), [3, 4, 5]) => sees(T(1, ("x".into(), -2), [3, 4, 5]));
}

same! {
    same_enum "versions.same_enum" Bincode;
    { enum T { A, B(u8), C(u8, String), D { x: Option<u8> } } } =>
    T::A => sees(T::A);
    T::B(1) => sees(T::B(1));
    T::C(1, "x".into()) => sees(T::C(1, "x".into()));
    T::D { x: None } => sees(T::D { x: None });
}

same! {
    same_options "versions.same_options" Bincode;
    { struct T { a: Option<u8>, b: Option<String>, c: Option<Vec<Option<u8>>> } } =>
    T { a: None, b: Some("".into()), c: Some(vec![None, Some(1)]) }
        => sees(T { a: None, b: Some("".into()), c: Some(vec![None, Some(1)]) });
}

by_hand! {
    same_nested_options "versions.same_nested_options";
    v1 {
        #[sinew::service(name = "versions.same_nested_options")]
        trait Api {
            async fn put(&self, value: Option<Option<u8>>) -> String;
        }
        impl Api for Handled {
            async fn put(&self, value: Option<Option<u8>>) -> String {
                self.ran(format!("{value:?}"))
            }
        }
    }
    calls(client) {
        Argument Bincode client.put(Some(None)) => sees("Some(None)");
        Argument Bincode client.put(None) => sees("None");
    }
    v2 {
        #[sinew::service(name = "versions.same_nested_options")]
        trait Api {
            async fn put(&self, value: Option<Option<u8>>) -> String;
        }
        impl Api for Handled {
            async fn put(&self, value: Option<Option<u8>>) -> String {
                self.ran(format!("{value:?}"))
            }
        }
    }
    calls(client) {
        Argument Bincode client.put(Some(Some(1))) => sees("Some(Some(1))");
    }
}

same! {
    same_lists "versions.same_lists" Bincode;
    { struct T { a: Vec<u32>, b: VecDeque<String>, c: BTreeSet<u8> } }
        { use std::collections::{BTreeSet, VecDeque}; } =>
    T { a: vec![], b: ["x".to_owned()].into(), c: [1, 2].into() }
        => sees(T { a: vec![], b: ["x".to_owned()].into(), c: [1, 2].into() });
}

same! {
    same_maps "versions.same_maps" Bincode;
    { #[derive(PartialEq, Eq, PartialOrd, Ord)] enum Key { Red, Tone(u8) }
      struct T { a: BTreeMap<Key, u8>, b: BTreeMap<(u8, u8), String> } }
        { use std::collections::BTreeMap; } =>
    T { a: [(Key::Red, 1), (Key::Tone(2), 3)].into(), b: [((1, 2), "x".to_owned())].into() }
        => sees(T { a: [(Key::Red, 1), (Key::Tone(2), 3)].into(), b: [((1, 2), "x".to_owned())].into() });
}

same! {
    same_bytes "versions.same_bytes" Bincode;
    { struct T { a: bytes::Bytes, b: Vec<u8> } } =>
    T { a: b"\x00\xff"[..].into(), b: vec![0, 255] } => sees(T { a: b"\x00\xff"[..].into(), b: vec![0, 255] });
}

same! {
    same_recursive "versions.same_recursive" Bincode;
    { struct T { value: u8, kids: Vec<T> } } =>
    T { value: 1, kids: vec![T { value: 2, kids: vec![] }] }
        => sees(T { value: 1, kids: vec![T { value: 2, kids: vec![] }] });
}

same! {
    same_recursive_enum "versions.same_recursive_enum" Bincode;
    { enum T { Add(Box<T>, Box<T>), Negate { of: Box<T> }, Literal(i64) } } =>
    T::Add(Box::new(T::Literal(1)), Box::new(T::Negate { of: Box::new(T::Literal(2)) }))
        => sees(T::Add(Box::new(T::Literal(1)), Box::new(T::Negate { of: Box::new(T::Literal(2)) })));
}

same! {
    same_generic "versions.same_generic" Bincode;
    { struct G<X> { x: X, list: Vec<X> } struct T { a: G<u8>, b: G<String> } } =>
    T { a: G { x: 1, list: vec![2] }, b: G { x: "y".into(), list: vec![] } }
        => sees(T { a: G { x: 1, list: vec![2] }, b: G { x: "y".into(), list: vec![] } });
}

same! {
    same_one_name "versions.same_one_name" Bincode;
    { struct Same { a: u8 } struct T { one: Same, other: other::Same } } {
        mod other {
            #[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
            pub(super) struct Same { pub(super) b: String }
        }
    } =>
    T { one: Same { a: 1 }, other: other::Same { b: "x".into() } }
        => sees(T { one: Same { a: 1 }, other: other::Same { b: "x".into() } });
}

same! {
    same_renamed "versions.same_renamed" Bincode;
    { #[serde(rename_all = "camelCase")] struct T { foo_bar: u8, #[serde(rename = "zzz")] other: u8 } } =>
    T { foo_bar: 1, other: 2 } => sees(T { foo_bar: 1, other: 2 });
}

same! {
    same_alias "versions.same_alias" Bincode;
    { enum E { #[serde(alias = "one")] First, Second } struct T { #[serde(alias = "old")] new: u32, e: E } } =>
    T { new: 1, e: E::First } => sees(T { new: 1, e: E::First });
    T { new: 1, e: E::Second } => sees(T { new: 1, e: E::Second });
}

same! {
    same_skip "versions.same_skip" Bincode;
    { struct T { a: u8, #[serde(skip)] _cache: u8, b: u8 } } =>
    T { a: 1, _cache: 9, b: 2 } => sees(T { a: 1, _cache: 0, b: 2 });
}

same! {
    same_transparent "versions.same_transparent" Bincode;
    { #[serde(transparent)] struct T { inner: Vec<u8> } } =>
    T { inner: vec![1] } => sees(T { inner: vec![1] });
}

same! {
    same_validated "versions.same_validated" Bincode;
    { #[serde(try_from = "u8", into = "u8")] struct Even(u8); struct T { even: Even, after: u8 } } {
        impl TryFrom<u8> for Even {
            type Error = &'static str;
            fn try_from(n: u8) -> Result<Self, &'static str> {
                if n.is_multiple_of(2) { Ok(Self(n)) } else { Err("odd") }
            }
        }
        impl From<Even> for u8 {
            fn from(even: Even) -> Self {
                even.0
            }
        }
    } =>
    T { even: Even(4), after: 1 } => sees(T { even: Even(4), after: 1 });
    T { even: Even(3), after: 1 } => refused("odd");
}

same! {
    same_non_zero "versions.same_non_zero" Bincode;
    { struct T { n: NonZeroU32, m: Option<NonZeroU32> } } { use std::num::NonZeroU32; } =>
    T { n: NonZeroU32::MIN, m: None } => sees(T { n: NonZeroU32::MIN, m: None });
}

same! {
    same_addresses "versions.same_addresses" Bincode;
    { struct T { a: IpAddr, b: SocketAddr } } { use std::net::IpAddr; } =>
    T { a: IpAddr::from([127, 0, 0, 1]), b: SocketAddr::from(([0; 16], 80)) }
        => sees(T { a: IpAddr::from([127, 0, 0, 1]), b: SocketAddr::from(([0; 16], 80)) });
}

same! {
    same_times "versions.same_times" Bincode;
    { struct T { d: Duration, at: SystemTime } } { use std::time::{Duration, SystemTime}; } =>
    T { d: Duration::from_millis(1500), at: SystemTime::UNIX_EPOCH }
        => sees(T { d: Duration::from_millis(1500), at: SystemTime::UNIX_EPOCH });
}

same! {
    same_result "versions.same_result" Bincode;
    { struct T { r: Result<u8, String> } } =>
    T { r: Ok(1) } => sees(T { r: Ok(1) });
    T { r: Err("x".into()) } => sees(T { r: Err("x".into()) });
}

same! {
    same_skip_deserializing "versions.same_skip_deserializing" Fallback;
    { struct T { a: u8, #[serde(skip_deserializing)] s: u8, b: u8 } } =>
    T { a: 1, s: 2, b: 3 } => sees(T { a: 1, s: 0, b: 3 });
}

same! {
    same_skip_serializing "versions.same_skip_serializing" Fallback;
    { struct T { a: u8, #[serde(skip_serializing, default)] _s: u8, b: u8 } } =>
    T { a: 1, _s: 2, b: 3 } => sees(T { a: 1, _s: 0, b: 3 });
}

same! {
    same_skip_serializing_if "versions.same_skip_serializing_if" Fallback;
    { struct T { a: u8, #[serde(skip_serializing_if = "Option::is_none")] s: Option<u8>, b: u8 } } =>
    T { a: 1, s: None, b: 3 } => sees(T { a: 1, s: None, b: 3 });
    T { a: 1, s: Some(2), b: 3 } => sees(T { a: 1, s: Some(2), b: 3 });
}

same! {
    same_skipped_variant "versions.same_skipped_variant" Fallback;
    { enum T { A, #[serde(skip)] #[expect(dead_code, reason = "never sent")] B, C(u8) } } =>
    T::A => sees(T::A);
    T::C(1) => sees(T::C(1));
}

same! {
    same_flatten "versions.same_flatten" Fallback;
    { struct In { x: u8 } struct T { a: u8, #[serde(flatten)] inner: In } } =>
    T { a: 1, inner: In { x: 2 } } => sees(T { a: 1, inner: In { x: 2 } });
}

same! {
    same_untagged "versions.same_untagged" Fallback;
    { #[serde(untagged)] enum U { Number(u32), Text(String) } struct T { u: U, after: u8 } } =>
    T { u: U::Text("x".into()), after: 1 } => sees(T { u: U::Text("x".into()), after: 1 });
}

same! {
    same_tagged "versions.same_tagged" Fallback;
    { #[serde(tag = "kind")] enum U { A { x: u8 }, B } struct T { u: U, after: u8 } } =>
    T { u: U::A { x: 1 }, after: 1 } => sees(T { u: U::A { x: 1 }, after: 1 });
    T { u: U::B, after: 1 } => sees(T { u: U::B, after: 1 });
}

same! {
    same_adjacent "versions.same_adjacent" Fallback;
    { #[serde(tag = "t", content = "c")] enum U { A(u8), B } struct T { u: U, after: u8 } } =>
    T { u: U::A(1), after: 1 } => sees(T { u: U::A(1), after: 1 });
    T { u: U::B, after: 1 } => sees(T { u: U::B, after: 1 });
}

// Writes a text and reads a number: no codec carries that, and no call pretends to.
by_hand! {
    same_serialize_with_alone "versions.same_serialize_with_alone";
    v1 {
        #[derive(Debug, Clone, Serialize, Deserialize)]
        struct T { #[serde(serialize_with = "as_text")] a: u32, b: u8 }
        fn as_text<S: serde::Serializer>(n: &u32, to: S) -> Result<S::Ok, S::Error> {
            to.serialize_str(&n.to_string())
        }
        #[sinew::service(name = "versions.same_serialize_with_alone")]
        trait Api {
            async fn put(&self, value: T) -> String;
        }
        impl Api for Handled {
            async fn put(&self, value: T) -> String {
                self.ran(format!("{value:?}"))
            }
        }
    }
    calls(client) {
        Argument Fallback client.put(T { a: 2, b: 3 }) => refused("value.a", "does not read what it writes");
    }
    v2 {
        #[derive(Debug, Clone, Serialize, Deserialize)]
        struct T { #[serde(serialize_with = "as_text")] a: u32, b: u8 }
        fn as_text<S: serde::Serializer>(n: &u32, to: S) -> Result<S::Ok, S::Error> {
            to.serialize_str(&n.to_string())
        }
        #[sinew::service(name = "versions.same_serialize_with_alone")]
        trait Api {
            async fn put(&self, value: T) -> String;
        }
        impl Api for Handled {
            async fn put(&self, value: T) -> String {
                self.ran(format!("{value:?}"))
            }
        }
    }
    calls(client) {
        Argument Fallback client.put(T { a: 2, b: 3 }) => refused("value.a", "does not read what it writes");
    }
}

// No made-up value is 42: the guard sees it when it happens, and that call goes with names.
by_hand! {
    same_skipped_by_a_predicate "versions.same_skipped_by_a_predicate";
    v1 {
        #[derive(Debug, Clone, Serialize, Deserialize)]
        struct T { #[serde(skip_serializing_if = "is_42", default)] a: u32, b: u8 }
        fn is_42(n: &u32) -> bool { *n == 42 }
        #[sinew::service(name = "versions.same_skipped_by_a_predicate")]
        trait Api {
            async fn put(&self, value: T) -> String;
            async fn get(&self, a: u32) -> T;
        }
        impl Api for Handled {
            async fn put(&self, value: T) -> String {
                self.ran(format!("{} {}", value.a, value.b))
            }
            async fn get(&self, a: u32) -> T {
                self.ran(T { a, b: 7 })
            }
        }
    }
    calls(client) {
        Argument Bincode client.put(T { a: 41, b: 1 }) => sees("41 1");
        Argument Fallback client.put(T { a: 42, b: 1 }) => refused("missing field `a`");
        Result Bincode client.get(42) => sees(T { a: 42, b: 7 });
    }
    v2 {
        #[derive(Debug, Clone, Serialize, Deserialize)]
        struct T { a: u32, b: u8 }
        #[sinew::service(name = "versions.same_skipped_by_a_predicate")]
        trait Api {
            async fn put(&self, value: T) -> String;
            async fn get(&self, a: u32) -> T;
        }
        impl Api for Handled {
            async fn put(&self, value: T) -> String {
                self.ran(format!("{} {}", value.a, value.b))
            }
            async fn get(&self, a: u32) -> T {
                self.ran(T { a, b: 7 })
            }
        }
    }
    calls(client) {
        Argument Bincode client.put(T { a: 41, b: 1 }) => sees("41 1");
        Result Bincode client.get(41) => sees(T { a: 41, b: 7 });
        Result Fallback client.get(42) => refused("missing field `a`");
    }
}
