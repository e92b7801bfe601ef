//! Types that bincode carries between equal builds: each is learnt to its end, also in front of something else.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque},
    marker::PhantomData,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    num::{NonZeroI128, NonZeroU8, NonZeroU32},
    ops::{Bound, Range},
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Deserializer, Serialize, de};

use super::{Wrapped, named_obstacle, obstacle};

macro_rules! fit {
    ($($name:ident: $ty:ty;)*) => {$(
        #[test]
        fn $name() {
            assert_eq!(obstacle::<$ty>(), None);
            assert_eq!(obstacle::<Wrapped<$ty>>(), None, "in front of an enum");
            assert_eq!(obstacle::<(Vec<$ty>, u8)>(), None, "in a sequence");
            assert_eq!(named_obstacle::<Wrapped<$ty>>(), None, "with names");
        }
    )*};
}

#[derive(Serialize, Deserialize, Clone)]
struct Plain {
    a: u32,
    b: String,
    c: bool,
    d: f32,
    e: f64,
    f: char,
}

#[derive(Serialize, Deserialize)]
struct Unit;

#[derive(Serialize, Deserialize)]
struct Empty {}

#[derive(Serialize, Deserialize)]
struct Newtype(u64);

#[derive(Serialize, Deserialize)]
struct Tuple(u8, String, i16);

#[derive(Serialize, Deserialize)]
enum Simple {
    A,
    B,
    C,
}

#[derive(Serialize, Deserialize)]
enum Mixed {
    Unit,
    Newtype(u32),
    Tuple(u8, String),
    Struct { x: i64, y: Option<Simple> },
    Nested(Simple),
}

#[derive(Serialize, Deserialize)]
struct ManyEnums {
    mixed: Mixed,
    maybe: Option<Mixed>,
    list: Vec<Simple>,
    result: Result<Mixed, Simple>,
}

#[derive(Serialize, Deserialize)]
struct Generic<T> {
    value: T,
    list: Vec<T>,
}

#[derive(Serialize, Deserialize)]
struct Generics {
    bytes: Generic<u8>,
    texts: Generic<String>,
}

mod one {
    #[derive(serde::Serialize, serde::Deserialize)]
    pub(super) struct Same {
        a: u8,
    }
}

mod other {
    #[derive(serde::Serialize, serde::Deserialize)]
    pub(super) struct Same {
        a: String,
        b: u8,
    }
}

#[derive(Serialize, Deserialize)]
struct TwoOfOneName {
    one: one::Same,
    other: other::Same,
}

#[derive(Serialize, Deserialize)]
struct Tree {
    value: u32,
    left: Option<Box<Tree>>,
    right: Option<Box<Tree>>,
    tail: u8,
}

#[derive(Serialize, Deserialize)]
struct Children {
    kids: Vec<Children>,
    name: String,
}

#[derive(Serialize, Deserialize)]
struct NewtypeOfItself(Vec<NewtypeOfItself>);

#[derive(Serialize, Deserialize)]
enum RecursiveFirst {
    Add(Box<RecursiveFirst>, Box<RecursiveFirst>),
    Negate { of: Box<RecursiveFirst>, note: String },
    Literal(i64),
}

#[derive(Serialize, Deserialize)]
struct Pointers {
    cow: Cow<'static, str>,
    text: Box<str>,
    shared: Arc<Plain>,
    slice: Box<[u16]>,
}

#[derive(Serialize, Deserialize, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Key {
    Red,
    Green(u8),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Renamed {
    foo_bar: u8,
    #[serde(rename = "zzz")]
    other: u8,
}

#[derive(Serialize, Deserialize)]
struct Aliased {
    #[serde(alias = "old", alias = "older")]
    new: u32,
    b: String,
}

#[derive(Serialize, Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Defaults {
    a: u32,
    b: Option<u8>,
    c: String,
}

#[derive(Serialize, Deserialize)]
struct Skipped {
    a: u8,
    #[serde(skip)]
    _cache: u32,
    b: u8,
}

#[derive(Serialize, Deserialize)]
struct With {
    #[serde(with = "as_text")]
    a: u32,
    b: u8,
}

mod as_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(value: &u32, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&value.to_string())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Transparent {
    inner: Plain,
}

/// Only even numbers.
#[derive(Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
#[derive(Clone)]
struct Even(u8);

impl TryFrom<u8> for Even {
    type Error = &'static str;

    fn try_from(value: u8) -> Result<Self, &'static str> {
        if value.is_multiple_of(2) { Ok(Self(value)) } else { Err("odd") }
    }
}

impl From<Even> for u8 {
    fn from(even: Even) -> Self {
        even.0
    }
}

/// Two fields that depend on each other.
#[derive(Serialize, Deserialize, Clone)]
#[serde(try_from = "RawSpan")]
struct Span {
    low: u8,
    high: u8,
}

#[derive(Deserialize)]
struct RawSpan {
    low: u8,
    high: u8,
}

impl TryFrom<RawSpan> for Span {
    type Error = &'static str;

    fn try_from(raw: RawSpan) -> Result<Self, &'static str> {
        if raw.low < raw.high {
            Ok(Self { low: raw.low, high: raw.high })
        } else {
            Err("low is not below high")
        }
    }
}

#[derive(Serialize, Deserialize)]
enum WithOther {
    A,
    B,
    #[serde(other)]
    Unknown,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Closed {
    a: u8,
}

#[derive(Serialize, Deserialize)]
enum RenamedVariants {
    #[serde(rename = "one", alias = "uno")]
    First,
    Second(u8),
    Third,
}

/// Panics at the first thing that is made up.
struct Panics(u32);

impl Serialize for Panics {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Panics {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = u32::deserialize(deserializer)?;
        assert!(value >= 10, "made to panic");
        Ok(Self(value))
    }
}

/// By hand, and only in order.
struct InOrder {
    a: u8,
    b: u16,
}

impl Serialize for InOrder {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.a, self.b).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for InOrder {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pair;
        impl<'de> de::Visitor<'de> for Pair {
            type Value = InOrder;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a pair")
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<InOrder, A::Error> {
                let missing = || de::Error::custom("too short");
                let a = seq.next_element()?.ok_or_else(missing)?;
                let b = seq.next_element()?.ok_or_else(missing)?;
                Ok(InOrder { a, b })
            }
        }
        deserializer.deserialize_tuple(2, Pair)
    }
}

macro_rules! hundred_and_thirty {
    ($($hundreds:ident)*) => {
        #[derive(Serialize, Deserialize)]
        enum Huge { $($hundreds),* }
    };
}

hundred_and_thirty! {
    V0 V1 V2 V3 V4 V5 V6 V7 V8 V9 V10 V11 V12 V13 V14 V15 V16 V17 V18 V19 V20 V21 V22 V23 V24 V25 V26 V27 V28 V29
    V30 V31 V32 V33 V34 V35 V36 V37 V38 V39 V40 V41 V42 V43 V44 V45 V46 V47 V48 V49 V50 V51 V52 V53 V54 V55 V56
    V57 V58 V59 V60 V61 V62 V63 V64 V65 V66 V67 V68 V69 V70 V71 V72 V73 V74 V75 V76 V77 V78 V79 V80 V81 V82 V83
    V84 V85 V86 V87 V88 V89 V90 V91 V92 V93 V94 V95 V96 V97 V98 V99 V100 V101 V102 V103 V104 V105 V106 V107 V108
    V109 V110 V111 V112 V113 V114 V115 V116 V117 V118 V119 V120 V121 V122 V123 V124 V125 V126 V127 V128 V129
}

macro_rules! doubling {
    ($($name:ident of $inner:ty;)*) => {$(
        #[derive(Serialize, Deserialize)]
        struct $name { a: $inner, b: $inner }
    )*};
}

doubling! {
    Two of u8; Four of Two; Eight of Four; Sixteen of Eight; D5 of Sixteen; D6 of D5; D7 of D6; D8 of D7; D9 of D8;
    D10 of D9; D11 of D10; D12 of D11;
}

fit! {
    scalars_in_a_struct: Plain;
    a_unit_struct: Unit;
    an_empty_struct: Empty;
    a_newtype: Newtype;
    a_tuple_struct: Tuple;
    a_simple_enum: Simple;
    a_mixed_enum: Mixed;
    enums_in_options_lists_and_results: ManyEnums;
    one_generic: Generic<u8>;
    a_generic_with_two_parameters_in_one_type: Generics;
    two_types_of_one_name: TwoOfOneName;
    a_recursive_struct: Tree;
    a_struct_in_a_list_of_itself: Children;
    a_newtype_of_itself: NewtypeOfItself;
    an_enum_whose_first_variant_is_recursive: RecursiveFirst;
    pointers: Pointers;
    phantom_data: PhantomData<String>;
    wide_integers: (u128, i128);
    arrays: ([u8; 32], [[u16; 2]; 3]);
    maps_and_sets: (BTreeMap<Key, u32>, HashMap<String, Vec<u8>>, BTreeSet<u64>, HashSet<i8>, VecDeque<u8>);
    tuples: ((u8, String, (bool, i32)), u8);
    uuids: uuid::Uuid;
    urls: url::Url;
    non_zero_integers: (NonZeroU32, NonZeroU8, NonZeroI128);
    socket_addresses: SocketAddr;
    ip_addresses: (IpAddr, Ipv4Addr, Ipv6Addr);
    chrono_times: (chrono::DateTime<chrono::Utc>, chrono::NaiveDate, chrono::NaiveDateTime);
    a_weekday: chrono::Weekday;
    time_times: (time::OffsetDateTime, time::Date);
    bytes: bytes::Bytes;
    serde_bytes: serde_bytes::ByteBuf;
    versions: semver::Version;
    paths: PathBuf;
    standard_times: (Duration, SystemTime, Range<u32>, Bound<u8>);
    index_maps: indexmap::IndexMap<String, Plain>;
    a_map_of_uuids: HashMap<uuid::Uuid, Simple>;
    lists_and_options_of_validated_types: (Vec<url::Url>, Option<url::Url>, NonZeroU8);
    renamed_fields: Renamed;
    aliases: Aliased;
    defaults: Defaults;
    a_skipped_field: Skipped;
    a_field_with_functions_of_its_own: With;
    transparent: Transparent;
    a_validated_newtype: Even;
    fields_that_depend_on_each_other: Span;
    an_enum_with_other: WithOther;
    unknown_fields_denied: Closed;
    renamed_and_aliased_variants: RenamedVariants;
    a_type_that_panics_at_odd_values: Panics;
    a_type_by_hand_that_reads_in_order: InOrder;
    many_variants: Huge;
    parts_that_double_twelve_times: D12;
    cells: (std::cell::Cell<u8>, std::cmp::Reverse<u16>, std::num::Wrapping<u8>);
    twelve: (u8, u16, u32, u64, i8, i16, i32, i64, f32, f64, char, bool);
}

#[test]
fn every_case_is_of_use() {
    // The fields of types that are only ever made by a probe.
    let made = (Plain { a: 1, b: String::new(), c: true, d: 0.0, e: 0.0, f: 'f' }, Even(2));
    assert!(
        made.0.a == 1 && made.1.0 == 2 && Unit.serialize(serde_json::value::Serializer).is_ok()
    );
    let span = Span { low: 1, high: 2 };
    assert!(span.low < span.high);
}
