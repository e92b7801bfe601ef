//! Values of many types under the guard: refused, or the same value again after another round.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::{IpAddr, SocketAddr},
    num::NonZeroU32,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

const BINCODE: u8 = 1;
const MESSAGEPACK: u8 = 2;

/// Structs of all forms.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    id: u64,
    name: String,
    tags: Vec<String>,
    price: Option<f64>,
    unit: (),
    pair: (i8, i128),
    letter: char,
    nested: Inner,
    #[serde(default)]
    note: Option<Box<str>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Inner(u16, Bytes);

#[derive(Debug, Serialize, Deserialize)]
struct Empty;

/// Enum variants of all forms.
#[derive(Debug, Serialize, Deserialize)]
enum Shape {
    Nothing,
    One(u32),
    Two(bool, f32),
    Named { width: u16, height: Option<i64> },
    Deeper(Box<Shape>),
    Many(Vec<Shape>),
}

/// A type that contains itself.
#[derive(Debug, Serialize, Deserialize)]
struct Tree {
    leaf: Option<u8>,
    below: Vec<Tree>,
}

/// Tags and flattening: only the codec with names knows what to do with these.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Tagged {
    Circle { radius: u32 },
    Square(Side),
}

#[derive(Debug, Serialize, Deserialize)]
struct Side {
    side: i32,
    #[serde(flatten)]
    rest: BTreeMap<String, u64>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(i64),
    Text(String),
    List(Vec<Untagged>),
}

/// One message of every type in turn: the first byte says which.
pub(super) fn bincode(input: &[u8]) {
    let Some((&which, message)) = input.split_first() else { return };
    common(BINCODE, which % 16, message);
}

/// As [`bincode`], and the types that only names can carry.
pub(super) fn messagepack(input: &[u8]) {
    let Some((&which, message)) = input.split_first() else { return };
    match which % 20 {
        16 => round::<Tagged>(MESSAGEPACK, message),
        17 => round::<Side>(MESSAGEPACK, message),
        18 => round::<Untagged>(MESSAGEPACK, message),
        19 => round::<Vec<Tagged>>(MESSAGEPACK, message),
        common_type => common(MESSAGEPACK, common_type, message),
    }
}

fn common(codec: u8, which: u8, message: &[u8]) {
    match which {
        0 => round::<Record>(codec, message),
        1 => round::<Shape>(codec, message),
        2 => round::<Tree>(codec, message),
        3 => round::<Vec<()>>(codec, message),
        4 => round::<Vec<[u64; 16]>>(codec, message),
        5 => round::<BTreeMap<String, Vec<Option<u8>>>>(codec, message),
        6 => round::<BTreeSet<(u8, String)>>(codec, message),
        7 => round::<(String, Bytes, Cow<'static, str>)>(codec, message),
        8 => round::<(IpAddr, SocketAddr, NonZeroU32)>(codec, message),
        9 => round::<(Duration, SystemTime)>(codec, message),
        10 => round::<Result<Option<u128>, String>>(codec, message),
        11 => round::<Vec<Vec<Vec<u8>>>>(codec, message),
        12 => round::<VecDeque<Empty>>(codec, message),
        13 => round::<(u8, i16, u32, i64, f32, f64, bool, char)>(codec, message),
        14 => round::<Option<Box<Record>>>(codec, message),
        _ => round::<()>(codec, message),
    }
}

/// What is read is written and read again to the same bytes; the bytes may differ from the first ones, which need not
/// have been the shortest. Where they are fewer they allow for less, and that alone may keep them from being read.
fn round<T: Serialize + DeserializeOwned + 'static>(codec: u8, message: &[u8]) {
    let Ok(value) = sinew::fuzzing::decode::<T>(codec, message) else { return };
    let written = match sinew::fuzzing::encode(codec, &value) {
        Ok(written) => written,
        Err(why) => panic!("what was read cannot be written: {why}"),
    };
    match sinew::fuzzing::decode::<T>(codec, &written) {
        Ok(again) => assert_eq!(sinew::fuzzing::encode(codec, &again), Ok(written)),
        Err(why) => assert!(
            written.len() < message.len() && why.contains("(DECODE_"),
            "what was written cannot be read: {why}"
        ),
    }
}
