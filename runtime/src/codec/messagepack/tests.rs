//! What survives, what is refused and where, and what hostile bytes cost.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sinew_core::rng::Rng;

use crate::codec::{BINCODE, MESSAGEPACK, decode, decode_arguments, encode, encode_arguments};

#[derive(Serialize, Deserialize, Debug, PartialEq, Clone)]
struct Plain {
    id: u32,
    name: String,
    note: Option<String>,
}

#[derive(Serialize, Deserialize, Debug, PartialEq, Clone)]
enum Shape {
    Point,
    Circle(f64),
    Line(f32, f32),
    Box { width: u64, height: u64 },
    Many(Vec<Shape>),
}

#[derive(Serialize, Deserialize, Debug, PartialEq, Clone)]
struct Unit;

#[derive(Serialize, Deserialize, Debug, PartialEq, Clone)]
struct Empty {}

#[derive(Serialize, Deserialize, Debug, PartialEq, Eq, PartialOrd, Ord, Clone)]
struct Wrap(u64);

fn written<T: Serialize + 'static>(value: &T) -> Bytes {
    let mut out = Vec::new();
    encode(MESSAGEPACK, value, &mut out).unwrap();
    out.into()
}

fn read<T: DeserializeOwned + 'static>(bytes: impl Into<Bytes>) -> Result<T, String> {
    decode(MESSAGEPACK, &bytes.into()).map_err(|error| error.to_string())
}

#[track_caller]
fn assert_survives<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug + 'static>(
    value: T,
) {
    assert_eq!(read::<T>(written(&value)), Ok(value));
}

/// What one type writes and another reads.
fn across<A: Serialize + 'static, B: DeserializeOwned + 'static>(value: &A) -> Result<B, String> {
    read(written(value))
}

#[test]
fn every_kind_of_value_survives() {
    assert_survives((u8::MAX, u16::MAX, u32::MAX, u64::MAX, u128::MAX));
    assert_survives((i8::MIN, i16::MIN, i32::MIN, i64::MIN, i128::MIN));
    assert_survives((0_u8, -1_i8, -33_i8, 127_i8, 128_u8, -32_769_i64));
    assert_survives((true, 'ß', f32::MIN_POSITIVE, f64::MAX, f64::NEG_INFINITY));
    assert_survives((String::new(), "x".repeat(40), "y".repeat(300), "z".repeat(70_000)));
    assert_survives(((), Unit, Empty {}, Wrap(7), Some(Wrap(7)), None::<u8>));
    assert_survives(vec![Shape::Point, Shape::Circle(1.5), Shape::Line(1.0, -2.0)]);
    assert_survives(Shape::Many(vec![Shape::Box { width: 1, height: u64::MAX }, Shape::Point]));
    assert_survives(vec![Some(Shape::Point), None]);
    assert_survives([[1_u8; 4]; 20]);
    assert_survives((0..70_000).collect::<Vec<u32>>());
    assert_survives(BTreeMap::from([((1, Wrap(2)), vec![3]), ((4, Wrap(5)), vec![])]));
    assert_survives(HashMap::from([(Some(1), Shape::Point), (None, Shape::Circle(0.0))]));
    assert_survives(Bytes::from_static(b"\x00\xff"));
    assert_survives(Box::new(Plain { id: 1, name: "n".into(), note: None }));
    let nan: f64 = read(written(&f64::NAN)).unwrap();
    assert!(nan.is_nan());
}

#[test]
fn fields_may_move_come_and_go() {
    #[derive(Serialize)]
    struct Moved {
        name: &'static str,
        extra: Shape,
        id: u64,
    }
    let moved = Moved { name: "n", extra: Shape::Many(vec![Shape::Point; 3]), id: 7 };
    assert_eq!(across::<_, Plain>(&moved), Ok(Plain { id: 7, name: "n".into(), note: None }));
}

#[test]
fn what_does_not_fit_says_where() {
    #[derive(Deserialize, Debug)]
    #[expect(dead_code, reason = "only the error counts")]
    struct Order {
        items: Vec<Item>,
        shape: Shape,
    }
    #[derive(Deserialize, Debug)]
    #[expect(dead_code, reason = "only the error counts")]
    struct Item {
        qty: u8,
    }
    let order = |items: &'static [(&'static str, u32)], shape: &'static str| {
        let items: Vec<_> =
            items.iter().map(|(name, qty)| BTreeMap::from([(*name, *qty)])).collect();
        let mut out = written(&items).to_vec();
        out.splice(0..0, *b"\x82\xa5items");
        out.extend(*b"\xa5shape");
        out.extend(written(&shape.to_owned()));
        read::<Order>(out).unwrap_err()
    };
    for (error, words) in [
        (order(&[("qty", 1), ("qty", 300)], "Point"), ["at `items[1].qty`", "300"]),
        (order(&[("qty", 1), ("quantity", 1)], "Point"), ["at `items[1]`", "missing field `qty`"]),
        (order(&[("qty", 1)], "Star"), ["at `shape`", "unknown variant `Star`"]),
        (order(&[("qty", 1)], "Circle"), ["at `shape`", "without content of `Shape`"]),
    ] {
        for word in words {
            assert!(error.contains(word), "`{word}` is not in: {error}");
        }
    }
}

#[test]
fn positions_and_numbers_never_stand_for_names() {
    #[derive(Deserialize, Debug)]
    #[expect(dead_code, reason = "only the error counts")]
    struct Place {
        lat: f64,
        lon: f64,
    }
    #[derive(Deserialize, Debug)]
    enum Level {
        Low,
    }
    assert!(across::<_, Place>(&(1.0, 2.0)).unwrap_err().contains("fields by their names"));
    assert!(across::<_, Level>(&0_u32).unwrap_err().contains("variant by its name"));
    assert!(across::<_, Level>(&vec!["Low"]).unwrap_err().contains("variant by its name"));
    assert!(across::<_, Place>(&BTreeMap::from([(0, 1.0), (1, 2.0)])).is_err());
    assert!(across::<_, (f64, f64)>(&[1.0, 2.0, 3.0]).unwrap_err().contains("a tuple of 2"));
}

#[test]
fn numbers_change_their_type_only_where_nothing_is_lost() {
    assert_eq!(across(&7_u64), Ok(7_u8));
    assert_eq!(across(&-7_i64), Ok(-7_i8));
    assert_eq!(across(&7_u32), Ok(7_i64));
    assert_eq!(across(&7_u32), Ok(7.0_f64));
    assert_eq!(across(&0.5_f64), Ok(0.5_f32));
    assert!(across::<_, u8>(&256_u32).unwrap_err().contains("256"));
    assert!(across::<_, u32>(&-1_i32).is_err());
    assert!(across::<_, u32>(&1.0_f64).is_err());
    assert!(across::<_, f32>(&0.1_f64).unwrap_err().contains("without loss"));
    assert!(across::<_, f64>(&u64::MAX).is_err());
    assert!(across::<_, f32>(&16_777_217_u32).is_err());
    assert!(across::<_, String>(&7_u32).is_err());
    assert!(across::<_, u32>(&"7").is_err());
    assert!(across::<_, bool>(&1_u8).is_err());
    assert!(across::<_, char>(&"ab").is_err());
    assert!(across::<_, String>(&Bytes::from_static(b"text")).is_err());
    assert_eq!(across(&Bytes::from_static(b"ab")), Ok(vec![97_u8, 98]));
    assert_eq!(across(&vec![97_u8, 98]), Ok(Bytes::from_static(b"ab")));
}

#[test]
fn hostile_bytes_cost_nothing() {
    // Lengths that are not there, of every form.
    for head in [&[0xdd_u8][..], &[0xdf], &[0xdb], &[0xc6]] {
        let bytes = [head, &u32::MAX.to_be_bytes(), b"x"].concat();
        assert!(read::<Vec<u64>>(bytes.clone()).is_err());
        assert!(read::<BTreeMap<u64, u64>>(bytes.clone()).is_err());
        assert!(read::<serde::de::IgnoredAny>(bytes.clone()).is_err());
        assert!(read::<String>(bytes).is_err());
    }
    // Nesting, in types that recurse and in what is passed over.
    let deep = |unit: &[u8], n: usize| [unit.repeat(n), b"\xa5Point".to_vec()].concat();
    assert!(read::<Shape>(deep(b"\x81\xa4Many\x91", 100_000)).unwrap_err().contains("64 levels"));
    assert!(read::<Shape>(deep(b"\x81\xa4Many\x91", 20)).is_ok());
    assert!(read::<serde::de::IgnoredAny>(deep(b"\x91", 100_000)).is_ok());
    // One byte each on the wire, a kilobyte each in memory.
    let nones = [&[0xdd][..], &1_000_000_u32.to_be_bytes(), &vec![0xc0; 1_000_000]].concat();
    assert!(read::<Vec<Option<[u64; 16]>>>(nones).unwrap_err().contains("memory"));
    assert!(read::<u8>(&b"\x01\x01"[..]).unwrap_err().contains("1 byte follows"));
    assert!(read::<u8>(&b"\xd4\x01\x01"[..]).unwrap_err().contains("extension"));
    assert!(read::<Plain>(&b"\x82\xa2id\x01\xa2id\x01"[..]).unwrap_err().contains("duplicate"));
}

type Three = (u32, String, Option<u8>);
const NAMES: [&str; 3] = ["id", "name", "note"];

fn arguments<A: DeserializeOwned + 'static>(
    names: &[&str],
    bytes: impl Into<Bytes>,
) -> Result<A, String> {
    decode_arguments(MESSAGEPACK, names, &bytes.into()).map_err(|error| error.to_string())
}

#[test]
fn arguments_travel_by_their_names() {
    let sent: Three = (7, "n".into(), Some(9));
    let mut out = b"before".to_vec();
    encode_arguments(MESSAGEPACK, &NAMES, &sent, &mut out).unwrap();
    let body = Bytes::from(out.split_off(6));
    assert_eq!(out, b"before");
    assert_eq!(&body[..], b"\x83\xa2id\x07\xa4name\xa1n\xa4note\x09");
    assert_eq!(arguments::<Three>(&NAMES, body.clone()), Ok(sent));
    // Another order, one fewer, one more.
    assert_eq!(arguments(&["name", "id"], body.clone()), Ok(("n".to_owned(), 7_u32)));
    let more = arguments::<(Option<u8>, u32, Option<u8>)>(&["note", "id", "colour"], body.clone());
    assert_eq!(more, Ok((Some(9), 7, None)));
    assert_eq!(arguments::<()>(&[], body), Ok(()));
    let mut out = Vec::new();
    encode_arguments(MESSAGEPACK, &[], &(), &mut out).unwrap();
    assert_eq!(out, [0x80]);
    assert_eq!(arguments::<(Option<u8>,)>(&["added"], out), Ok((None,)));
}

#[test]
fn arguments_that_do_not_fit_are_named() {
    let body = || Bytes::from_static(b"\x82\xa2id\x07\xa4name\xa1n");
    let missing = arguments::<(u32, u32)>(&["id", "count"], body()).unwrap_err();
    assert!(missing.contains("at `count`: it is missing"), "{missing}");
    let wrong = arguments::<(u32, Plain)>(&["id", "name"], body()).unwrap_err();
    assert!(wrong.contains("at `name`"), "{wrong}");
    for bytes in
        [&b"\x92\x07\xa1n"[..], b"\x81\x07\x07", b"\x82\xa2id\x07\xa2id\x07", b"\x81\xa2id\x07\x07"]
    {
        arguments::<(u32,)>(&["id"], bytes).unwrap_err();
    }
    let nested = arguments::<(u32,)>(
        &["id"],
        [&b"\x82\xa2id\x07\xa1x"[..], &vec![0x91; 100_000], b"\x01"].concat(),
    );
    assert_eq!(nested, Ok((7,)), "what is passed over does not recurse");
}

#[test]
fn a_field_that_is_left_out_is_an_error_in_bincode_and_none_with_names() {
    #[derive(Serialize, Deserialize, Debug, PartialEq)]
    struct Sparse {
        a: u8,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        b: Option<u8>,
        c: u8,
    }
    #[derive(Serialize, Deserialize, Debug, PartialEq)]
    enum Deep {
        Struct { inner: Vec<(Option<Sparse>,)> },
    }
    let sparse = |b| Deep::Struct { inner: vec![(Some(Sparse { a: 1, b, c: 3 }),)] };
    let mut out = vec![9];
    let error = encode(BINCODE, &sparse(None), &mut out).unwrap_err().to_string();
    assert!(error.contains("`b`"), "{error}");
    assert_eq!(out, [9], "nothing is left behind");
    encode(BINCODE, &sparse(Some(2)), &mut out).unwrap();
    assert_survives(sparse(None));
}

#[test]
fn random_bytes_are_an_error_or_a_value_and_never_a_panic() {
    type Rich = (Vec<Plain>, BTreeMap<String, Shape>, Option<(Wrap, Unit)>, Bytes);
    struct Seeded(u64);
    impl Rng for Seeded {
        fn next_u64(&mut self) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            self.0 ^ (self.0 >> 29)
        }
    }
    let mut random = Seeded(20_261_123);
    let honest: Rich = (
        vec![Plain { id: 1, name: "a".into(), note: Some("b".into()) }; 3],
        BTreeMap::from([("k".into(), Shape::Many(vec![Shape::Circle(1.0), Shape::Point]))]),
        Some((Wrap(1), Unit)),
        Bytes::from_static(b"bytes"),
    );
    for codec in [BINCODE, MESSAGEPACK] {
        let mut whole = Vec::new();
        encode(codec, &honest, &mut whole).unwrap();
        for _ in 0..20_000 {
            let mut bytes = whole.clone();
            for _ in 0..1 + random.next_u64() % 4 {
                let at = random.next_u64() as usize % bytes.len();
                bytes[at] = random.next_u64() as u8;
            }
            bytes.truncate(1 + random.next_u64() as usize % bytes.len());
            // Whatever it is, what was read can be written and read again.
            if let Ok(value) = decode::<Rich>(codec, &bytes.into()) {
                let mut again = Vec::new();
                encode(codec, &value, &mut again).unwrap();
                decode::<Rich>(codec, &again.into()).unwrap();
            }
        }
    }
}

/// Behind this key serde_json would read the text by itself, whatever the guard says.
#[test]
fn no_key_has_a_library_read_past_the_guard() {
    let with =
        |key: &str, value: &str| written(&BTreeMap::from([(key.to_owned(), value.to_owned())]));
    let raw = with("$serde_json::private::RawValue", "[1]");
    let refused = |why: String| assert!(why.contains("once more"), "{why}");
    refused(decode::<serde_json::Value>(MESSAGEPACK, &raw).unwrap_err().to_string());
    refused(decode::<BTreeMap<String, String>>(MESSAGEPACK, &raw).unwrap_err().to_string());
    let nested = written(&vec![BTreeMap::from([("$serde_json::private::RawValue", "[1]")])]);
    refused(decode::<serde_json::Value>(MESSAGEPACK, &nested).unwrap_err().to_string());
    // A text may say what it likes.
    let text = with("key", "$serde_json::private::RawValue");
    assert_eq!(
        decode::<serde_json::Value>(MESSAGEPACK, &text).unwrap()["key"],
        "$serde_json::private::RawValue"
    );
}
