//! Types that bincode would corrupt or cannot carry: each is found, with the field and the cause.

use serde::{Deserialize, Serialize};

use super::{Wrapped, named_obstacle, obstacle};

macro_rules! unfit {
    ($($name:ident: $ty:ty, $($word:literal),+;)*) => {$(
        #[test]
        fn $name() {
            for obstacle in [obstacle::<$ty>(), obstacle::<Wrapped<$ty>>()] {
                let obstacle = obstacle.expect("bincode must not carry it");
                $(assert!(obstacle.contains($word), "`{}` is not in: {obstacle}", $word);)+
            }
        }
    )*};
}

#[derive(Serialize, Deserialize)]
struct SkipDeserializing {
    a: u8,
    #[serde(skip_deserializing)]
    skipped: u32,
    b: u8,
}

#[derive(Serialize, Deserialize)]
struct SkipSerializing {
    a: u8,
    #[serde(skip_serializing, default)]
    _skipped: u32,
    b: u8,
}

#[derive(Serialize, Deserialize)]
struct SkipIfNone {
    a: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    maybe: Option<u32>,
    b: u8,
}

#[derive(Serialize, Deserialize)]
enum SkipVariant {
    A,
    #[serde(skip)]
    _B,
    C(u8),
}

fn as_text<S: serde::Serializer>(value: &u32, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&value.to_string())
}

#[derive(Serialize, Deserialize)]
struct OneWay {
    #[serde(serialize_with = "as_text")]
    a: u32,
    b: u8,
}

#[derive(Serialize, Deserialize)]
struct Inner {
    x: u8,
}

#[derive(Serialize, Deserialize)]
struct Flattened {
    a: u8,
    #[serde(flatten)]
    inner: Inner,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(u32),
    Text(String),
}

#[derive(Serialize, Deserialize)]
struct HoldsUntagged {
    before: u8,
    value: Vec<Untagged>,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type")]
enum Tagged {
    A { x: u8 },
    B { y: String },
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "t", content = "c")]
enum Adjacent {
    A(u8),
    B(String),
}

#[derive(Serialize, Deserialize)]
enum UntaggedVariant {
    A,
    #[serde(untagged)]
    Any(u32),
}

#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct EndlessList(Vec<EndlessList>);

/// Accepts nothing that anybody would make up.
#[derive(Serialize, Deserialize, Clone)]
#[serde(try_from = "String", into = "String")]
struct Password(String);

impl TryFrom<String> for Password {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        if text == "correct horse battery staple" { Ok(Self(text)) } else { Err("wrong") }
    }
}

impl From<Password> for String {
    fn from(password: Password) -> Self {
        password.0
    }
}

#[derive(Serialize, Deserialize)]
struct Account {
    name: String,
    password: Option<Password>,
}

unfit! {
    skip_deserializing: SkipDeserializing, "SkipDeserializing", "does not read what it writes";
    skip_serializing: SkipSerializing, "does not read what it writes";
    skip_serializing_if: SkipIfNone, "does not read what it writes", "`maybe`";
    a_skipped_variant: SkipVariant, "does not read what it writes";
    serialize_with_alone: OneWay, "does not read what it writes";
    flatten: Flattened, "`flatten`";
    untagged: Untagged, "any value";
    untagged_deep_inside: HoldsUntagged, "value[]", "any value";
    internally_tagged: Tagged, "any value";
    adjacently_tagged: Adjacent, "asks";
    an_untagged_variant: UntaggedVariant, "any value";
    json: serde_json::Value, "any value";
    os_strings: std::ffi::OsString, "accepted none";
    decimals: rust_decimal::Decimal, "any value";
    endless: EndlessList, "transparent";
    nothing_is_accepted: Account, "password", "accepted none";
}

#[test]
fn a_predicate_that_skips_one_value_is_seen_when_it_happens() {
    #[derive(Serialize, Deserialize, Debug)]
    struct Odd {
        #[serde(skip_serializing_if = "is_forty_two", default)]
        n: u32,
        after: u8,
    }
    fn is_forty_two(n: &u32) -> bool {
        *n == 42
    }
    // No value that was made up is 42.
    assert_eq!(obstacle::<Odd>(), None);
    let mut out = Vec::new();
    let odd = Odd { n: 42, after: 1 };
    let refused = crate::codec::encode(crate::codec::BINCODE, &odd, &mut out).unwrap_err();
    assert!(refused.to_string().contains("`n`"), "{refused}");
}

#[test]
fn an_option_in_an_option_has_no_form_with_names() {
    #[derive(Serialize, Deserialize)]
    struct Update {
        id: u32,
        nickname: Option<Option<String>>,
    }
    #[derive(Serialize, Deserialize)]
    struct Maybe(Option<u8>);
    assert_eq!(obstacle::<Update>(), None);
    let refused = named_obstacle::<Update>().expect("refused");
    assert!(refused.contains("nickname") && refused.contains("enum"), "{refused}");
    for refused in [
        named_obstacle::<Option<()>>(),
        named_obstacle::<Vec<Option<Maybe>>>(),
        named_obstacle::<Option<Option<u8>>>(),
    ] {
        assert!(refused.is_some());
    }
    assert_eq!(named_obstacle::<Option<Vec<Option<u8>>>>(), None);
}

#[test]
fn effort_is_bounded() {
    macro_rules! doubling {
        ($($name:ident of $inner:ty;)*) => {$(
            #[derive(Serialize, Deserialize)]
            struct $name { a: $inner, b: $inner }
        )*};
    }
    doubling! {
        D1 of (); D2 of D1; D3 of D2; D4 of D3; D5 of D4; D6 of D5; D7 of D6; D8 of D7; D9 of D8; D10 of D9;
        D11 of D10; D12 of D11; D13 of D12; D14 of D13; D15 of D14; D16 of D15; D17 of D16; D18 of D17; D19 of D18;
    }
    let refused = obstacle::<D19>().expect("half a million places");
    assert!(refused.contains("effort") || refused.contains("too large"), "{refused}");
}
