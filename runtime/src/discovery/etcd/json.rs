//! What etcd's JSON gateway is asked, and what its answers say: text and values, nothing else.
//!
//! # Why
//! The gateway is gRPC written as JSON: numbers of 64 bits are strings, bytes are base64, and what is zero or empty is
//! left out. So a missing field is its zero here, and a number may be written either way.
//!
//! # Invariants
//! 1. Whatever the text is, the answer is a value or words: nothing here panics, and nothing is larger than its text.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeOwned},
};
use serde_json::{Value, json};

/// Of which store an answer is, and of when: each write makes the revision larger by one, each new leader the term.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Header {
    #[serde(deserialize_with = "number")]
    pub(super) cluster_id: u64,
    #[serde(deserialize_with = "number")]
    pub(super) revision: u64,
    #[serde(deserialize_with = "number")]
    pub(super) raft_term: u64,
}

/// A key and what it holds. What is no text (UTF-8) has other characters in place of it, and so means nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Item {
    #[serde(deserialize_with = "text")]
    pub(super) key: String,
    #[serde(deserialize_with = "text")]
    pub(super) value: String,
    #[serde(rename = "create_revision", deserialize_with = "number")]
    pub(super) created: u64,
    #[serde(rename = "mod_revision", deserialize_with = "number")]
    pub(super) modified: u64,
}

/// The keys of a range.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Range {
    pub(super) header: Header,
    #[serde(rename = "kvs")]
    pub(super) items: Vec<Item>,
    /// How many there are, also where fewer were asked for.
    #[serde(deserialize_with = "number")]
    pub(super) count: u64,
}

/// What became of a lease.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Lease {
    #[serde(rename = "ID", deserialize_with = "number")]
    pub(super) id: u64,
    /// In seconds; 0 where it has ended.
    #[serde(rename = "TTL", deserialize_with = "number")]
    pub(super) ttl: u64,
}

/// One message of a watch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct News {
    pub(super) header: Header,
    pub(super) canceled: bool,
    pub(super) cancel_reason: String,
    /// What was asked for is forgotten: it begins here.
    #[serde(deserialize_with = "number")]
    pub(super) compact_revision: u64,
    pub(super) events: Vec<Event>,
}

/// A key was written, or is gone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Event {
    #[serde(rename = "type", deserialize_with = "is_delete")]
    pub(super) is_gone: bool,
    #[serde(rename = "kv")]
    pub(super) item: Item,
}

/// etcd says no: the code is one of gRPC.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: u64,
    pub(super) words: String,
}

/// A part of a stream: a message, or why there are no more.
#[derive(Deserialize)]
struct Streamed<T> {
    result: Option<T>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Token {
    token: String,
}

/// Reads an answer; otherwise what is wrong with it.
pub(super) fn read<T: DeserializeOwned>(text: &[u8]) -> Result<T, String> {
    serde_json::from_slice(text).map_err(|why| format!("an answer that is not etcd's: {why}"))
}

/// Reads one message of a stream.
pub(super) fn read_streamed<T: DeserializeOwned>(text: &[u8]) -> Result<T, String> {
    let Streamed { result, error } = read::<Streamed<T>>(text)?;
    match (result, error) {
        (_, Some(error)) => Err(refusal_of(&error).words),
        (Some(result), None) => Ok(result),
        (None, None) => Err("an answer that is not etcd's: it has no `result`".to_owned()),
    }
}

/// The token of a login.
pub(super) fn read_token(text: &[u8]) -> Result<String, String> {
    let Token { token } = read(text)?;
    // It goes into a header.
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("an answer that is not etcd's: its token cannot be sent back".to_owned());
    }
    Ok(token)
}

/// Why it says no; where it says nothing that can be read, the code is 2 (unknown).
pub(super) fn read_refusal(text: &[u8]) -> Refusal {
    match serde_json::from_slice::<Value>(text) {
        Ok(said) => refusal_of(&said),
        Err(_) => Refusal { code: UNKNOWN, words: cut(&String::from_utf8_lossy(text)) },
    }
}

const UNKNOWN: u64 = 2;

/// Versions differ: `error` is the words, or an object with `message` in it, or missing beside `message`.
fn refusal_of(said: &Value) -> Refusal {
    let inner = said.get("error").filter(|error| error.is_object()).unwrap_or(said);
    let code = [inner.get("code"), inner.get("grpc_code")].into_iter().flatten();
    let code = code.filter_map(Value::as_u64).next().unwrap_or(UNKNOWN);
    let words = [inner.get("message"), inner.get("error"), Some(inner)].into_iter().flatten();
    let words = words.filter_map(Value::as_str).next().unwrap_or("it does not say why");
    Refusal { code, words: cut(words) }
}

/// What somebody else says, on one line and not too long.
fn cut(words: &str) -> String {
    const LONGEST: usize = 200;
    words.chars().take(LONGEST).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    struct Visitor;

    impl de::Visitor<'_> for Visitor {
        type Value = u64;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a number, or one as text")
        }

        fn visit_u64<E: de::Error>(self, number: u64) -> Result<u64, E> {
            Ok(number)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<u64, E> {
            text.parse().map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
        }
    }

    deserializer.deserialize_any(Visitor)
}

fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let encoded = String::deserialize(deserializer)?;
    let bytes = STANDARD.decode(encoded).map_err(de::Error::custom)?;
    Ok(String::from_utf8(bytes)
        .unwrap_or_else(|bytes| String::from_utf8_lossy(bytes.as_bytes()).into_owned()))
}

fn is_delete<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let kind = Value::deserialize(deserializer)?;
    Ok(kind == "DELETE" || kind == 1)
}

fn encoded(text: &str) -> String {
    STANDARD.encode(text)
}

/// Keys from one to another, or one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Keys {
    from: String,
    /// Before this; one key alone where there is none.
    to: Option<String>,
}

impl Keys {
    /// All that begin with this, which ends with `/`.
    pub(super) fn below(prefix: &str) -> Self {
        let to = prefix.strip_suffix('/').map(|prefix| format!("{prefix}0"));
        Self { from: prefix.to_owned(), to }
    }

    /// This one.
    pub(super) fn one(key: &str) -> Self {
        Self { from: key.to_owned(), to: None }
    }

    fn question(&self) -> Value {
        let mut question = json!({ "key": encoded(&self.from) });
        if let Some(to) = &self.to {
            question["range_end"] = encoded(to).into();
        }
        question
    }

    /// Asks for so many of them.
    pub(super) fn range(&self, most: usize) -> String {
        let mut question = self.question();
        question["limit"] = most.to_string().into();
        question.to_string()
    }

    /// Asks for the one that was written last, without what it holds, and for how many there are.
    pub(super) fn latest(&self) -> String {
        let mut question = self.question();
        question["limit"] = "1".into();
        question["keys_only"] = true.into();
        question["sort_target"] = "MOD".into();
        question["sort_order"] = "DESCEND".into();
        question.to_string()
    }

    /// Asks to be told what happens to them from this revision on.
    pub(super) fn watch(&self, from: u64) -> String {
        let mut question = self.question();
        question["start_revision"] = from.to_string().into();
        question["progress_notify"] = true.into();
        json!({ "create_request": question }).to_string()
    }
}

/// Asks for a lease of so many seconds.
pub(super) fn grant(seconds: u64) -> String {
    json!({ "TTL": seconds.to_string() }).to_string()
}

/// Keeps a lease, or gives it back.
pub(super) fn lease(id: u64) -> String {
    json!({ "ID": id.to_string() }).to_string()
}

/// Sees to it that a key holds this under a lease; where it does already, nothing is written.
pub(super) fn keep(key: &str, value: &str, lease: u64) -> String {
    let (key, value, lease) = (encoded(key), encoded(value), lease.to_string());
    json!({
        "compare": [
            { "key": key, "target": "VALUE", "result": "EQUAL", "value": value },
            { "key": key, "target": "LEASE", "result": "EQUAL", "lease": lease },
        ],
        "failure": [{ "request_put": { "key": key, "value": value, "lease": lease } }],
    })
    .to_string()
}

/// Asks for a token.
pub(super) fn login(user: &str, password: &str) -> String {
    json!({ "name": user, "password": password }).to_string()
}

#[cfg(test)]
mod tests;
