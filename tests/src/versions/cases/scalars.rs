//! Types that become others: numbers, texts, bytes, tuples, maps, and what validates them.

use super::Case;

pub(super) fn cases() -> Vec<Case> {
    Vec::from([
        integer_widened::case(),
        integer_signed::case(),
        integer_made_float::case(),
        float_narrowed::case(),
        number_made_text::case(),
        bool_made_number::case(),
        char_made_text::case(),
        text_made_bytes::case(),
        list_made_bytes::case(),
        list_made_option::case(),
        tuple_made_struct::case(),
        struct_made_tuple_struct::case(),
        tuple_lengthened::case(),
        array_lengthened::case(),
        array_made_list::case(),
        map_key_changed::case(),
        map_made_struct::case(),
        map_made_pairs::case(),
        non_zero::case(),
        address_made_text::case(),
        with_changed::case(),
        generic_parameter_changed::case(),
        types_of_one_name_exchanged::case(),
        unit_made_value::case(),
        duration_made_number::case(),
        wide_integer::case(),
    ])
}

change! {
    integer_widened "versions.integer_widened" Fallback;
    v1 { struct T { n: u32 } }
    v2 { struct T { n: u64 } }
    up { T { n: u32::MAX } => sees(T { n: u64::from(u32::MAX) }); }
    down { T { n: 7 } => sees(T { n: 7 }); T { n: 1 << 40 } => refused("`", "n`", "1099511627776"); }
}

change! {
    integer_signed "versions.integer_signed" Fallback;
    v1 { struct T { n: u32 } }
    v2 { struct T { n: i32 } }
    up { T { n: 7 } => sees(T { n: 7 }); T { n: u32::MAX } => refused("4294967295"); }
    down { T { n: 7 } => sees(T { n: 7 }); T { n: -4 } => refused("-4"); }
}

change! {
    integer_made_float "versions.integer_made_float" Fallback;
    v1 { struct T { n: u64 } }
    v2 { struct T { n: f64 } }
    up { T { n: 7 } => sees(T { n: 7.0 }); T { n: u64::MAX } => refused("f64"); }
    down { T { n: 7.0 } => refused("u64"); T { n: 0.5 } => refused("n"); }
}

change! {
    float_narrowed "versions.float_narrowed" Fallback;
    v1 { struct T { n: f64 } }
    v2 { struct T { n: f32 } }
    up { T { n: 0.5 } => sees(T { n: 0.5 }); T { n: 0.1 } => refused("without loss"); }
    down { T { n: 0.5 } => sees(T { n: 0.5 }); }
}

change! {
    number_made_text "versions.number_made_text" Fallback;
    v1 { struct T { n: u32 } }
    v2 { struct T { n: String } }
    up { T { n: 7 } => refused("n", "text"); }
    down { T { n: "7".into() } => refused("n", "u32"); }
}

change! {
    bool_made_number "versions.bool_made_number" Fallback;
    v1 { struct T { n: bool } }
    v2 { struct T { n: u8 } }
    up { T { n: true } => refused("u8"); }
    down { T { n: 1 } => refused("boolean"); }
}

change! {
    char_made_text "versions.char_made_text" Fallback;
    v1 { struct T { c: char } }
    v2 { struct T { c: String } }
    up { T { c: 'x' } => sees(T { c: "x".into() }); }
    down { T { c: "x".into() } => sees(T { c: 'x' }); T { c: "xy".into() } => refused("character"); }
}

change! {
    text_made_bytes "versions.text_made_bytes" Fallback;
    v1 { struct T { s: String } }
    v2 { struct T { s: bytes::Bytes } }
    up { T { s: "hi".into() } => refused("bytes"); }
    down { T { s: b"hi"[..].into() } => refused("text"); }
}

change! {
    list_made_bytes "versions.list_made_bytes" Fallback;
    v1 { struct T { s: Vec<u8> } }
    v2 { struct T { s: bytes::Bytes } }
    up { T { s: vec![1, 200] } => sees(T { s: b"\x01\xc8"[..].into() }); }
    down { T { s: b"\x01\xc8"[..].into() } => sees(T { s: vec![1, 200] }); }
}

change! {
    list_made_option "versions.list_made_option" Fallback;
    v1 { struct T { s: Vec<u8> } }
    v2 { struct T { s: Option<u8> } }
    up { T { s: vec![] } => refused("s"); T { s: vec![1] } => refused("u8"); }
    down { T { s: None } => refused("sequence"); T { s: Some(1) } => refused("sequence"); }
}

change! {
    tuple_made_struct "versions.tuple_made_struct" Fallback;
    v1 { struct T { at: (f64, f64) } }
    v2 { struct At { lon: f64, lat: f64 } struct T { at: At } }
    up { T { at: (1.0, 2.0) } => refused("at", "fields by their names"); }
    down { T { at: At { lon: 1.0, lat: 2.0 } } => refused("a tuple of 2"); }
}

change! {
    struct_made_tuple_struct "versions.struct_made_tuple_struct" Fallback;
    v1 { struct T { lat: f64, lon: f64 } }
    v2 { struct T(f64, f64); }
    up { T { lat: 1.0, lon: 2.0 } => refused("a tuple of 2"); }
    down { T(2.0, 1.0) => refused("fields by their names"); }
}

change! {
    tuple_lengthened "versions.tuple_lengthened" Fallback;
    v1 { struct T(u32, u16); }
    v2 { struct T(u32, u16, Option<u8>); }
    up { T(1, 2) => refused("a tuple of 3"); }
    down { T(1, 2, None) => refused("a tuple of 2"); T(1, 2, Some(3)) => refused("a tuple of 2"); }
}

change! {
    array_lengthened "versions.array_lengthened" Fallback;
    v1 { struct T { a: [u8; 2], b: u8 } }
    v2 { struct T { a: [u8; 3] } }
    up { T { a: [1, 2], b: 3 } => refused("a tuple of 3"); }
    down { T { a: [1, 2, 3] } => refused("a tuple of 2"); }
}

change! {
    array_made_list "versions.array_made_list" Fallback;
    v1 { struct T { a: [u8; 2] } }
    v2 { struct T { a: Vec<u8> } }
    up { T { a: [1, 2] } => sees(T { a: vec![1, 2] }); }
    down { T { a: vec![1, 2] } => sees(T { a: [1, 2] }); T { a: vec![1] } => refused("a tuple of 2"); }
}

change! {
    map_key_changed "versions.map_key_changed" Fallback;
    v1 { struct T { m: BTreeMap<u32, u8> } } with { use std::collections::BTreeMap; }
    v2 { struct T { m: BTreeMap<String, u8> } } with { use std::collections::BTreeMap; }
    up { T { m: [(1, 2)].into() } => refused("m", "text"); T { m: [].into() } => sees(T { m: [].into() }); }
    down { T { m: [("1".to_owned(), 2)].into() } => refused("m", "u32"); }
}

change! {
    map_made_struct "versions.map_made_struct" Fallback;
    v1 { struct T { m: BTreeMap<String, u8> } } with { use std::collections::BTreeMap; }
    v2 { struct M { a: u8 } struct T { m: M } }
    up {
        T { m: [("a".to_owned(), 2)].into() } => sees(T { m: M { a: 2 } });
        T { m: [].into() } => refused("missing field `a`");
    }
    down { T { m: M { a: 2 } } => sees(T { m: [("a".to_owned(), 2)].into() }); }
}

change! {
    map_made_pairs "versions.map_made_pairs" Fallback;
    v1 { struct T { m: BTreeMap<u8, u8> } } with { use std::collections::BTreeMap; }
    v2 { struct T { m: Vec<(u8, u8)> } }
    up { T { m: [(1, 2)].into() } => refused("sequence"); }
    down { T { m: vec![(1, 2)] } => refused("a map"); }
}

change! {
    non_zero "versions.non_zero" Bincode;
    v1 { struct T { n: u32 } }
    v2 { struct T { n: NonZeroU32 } } with { use std::num::NonZeroU32; }
    up { T { n: 7 } => sees(T { n: NonZeroU32::MIN.saturating_add(6) }); T { n: 0 } => refused("nonzero"); }
    down { T { n: NonZeroU32::MIN } => sees(T { n: 1 }); }
}

change! {
    address_made_text "versions.address_made_text" Fallback;
    v1 { struct T { a: IpAddr } } with { use std::net::IpAddr; }
    v2 { struct T { a: String } }
    up { T { a: IpAddr::from([127, 0, 0, 1]) } => refused("text"); }
    down { T { a: "127.0.0.1".into() } => refused("a"); }
}

change! {
    with_changed "versions.with_changed" Fallback;
    v1 { struct T { n: u32 } }
    v2 { struct T { #[serde(with = "as_text")] n: u32 } } with {
        mod as_text {
            use serde::{Deserialize as _, de::Error as _};
            pub(super) fn serialize<S: serde::Serializer>(n: &u32, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(&n.to_string())
            }
            pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
                String::deserialize(from)?.parse().map_err(D::Error::custom)
            }
        }
    }
    up { T { n: 7 } => refused("text"); }
    down { T { n: 7 } => refused("u32"); }
}

change! {
    generic_parameter_changed "versions.generic_parameter_changed" Fallback;
    v1 { struct G<X> { x: X } struct T { a: G<u8>, b: G<String> } }
    v2 { struct G<X> { x: X } struct T { a: G<String>, b: G<u8> } }
    up { T { a: G { x: 1 }, b: G { x: "s".into() } } => refused("a.x"); }
    down { T { a: G { x: "s".into() }, b: G { x: 1 } } => refused("a.x"); }
}

change! {
    types_of_one_name_exchanged "versions.types_of_one_name_exchanged" Fallback;
    v1 { struct T { s: one::Same, n: u8 } } with {
        mod one {
            #[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
            pub(super) struct Same { pub(super) a: u32 }
        }
    }
    v2 { struct T { s: two::Same, n: u8 } } with {
        mod two {
            #[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
            pub(super) struct Same { pub(super) b: Option<u8>, pub(super) a: u32 }
        }
    }
    up { T { s: one::Same { a: 7 }, n: 1 } => sees(T { s: two::Same { b: None, a: 7 }, n: 1 }); }
    down { T { s: two::Same { b: Some(1), a: 7 }, n: 1 } => sees(T { s: one::Same { a: 7 }, n: 1 }); }
}

change! {
    unit_made_value "versions.unit_made_value" Fallback;
    v1 { struct T { u: () } }
    v2 { struct T { u: u8 } }
    up { T { u: () } => refused("u8"); }
    down { T { u: 1 } => refused("nothing"); }
}

change! {
    duration_made_number "versions.duration_made_number" Fallback;
    v1 { struct T { d: Duration } } with { use std::time::Duration; }
    v2 { struct T { d: u64 } }
    up { T { d: Duration::from_secs(3) } => refused("u64"); }
    down { T { d: 3 } => refused("fields by their names"); }
}

change! {
    wide_integer "versions.wide_integer" Fallback;
    v1 { struct T { n: u64 } }
    v2 { struct T { n: u128 } }
    up { T { n: 7 } => refused("u128"); }
    down { T { n: 7 } => refused("u64"); }
}
