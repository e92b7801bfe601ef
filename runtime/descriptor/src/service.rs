//! A service and its methods: names, attributes, types by reference.

use serde::{Deserialize, Serialize};

use crate::types::{Named, Type};

/// A service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Its name on the wire.
    pub name: String,
    /// The name of its trait.
    #[serde(rename = "trait")]
    pub trait_name: String,
    /// The version under which its types are taken to be the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// The doc comment of its trait.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub doc: String,
    /// Its methods, in the order of the trait.
    pub methods: Vec<Method>,
    /// The named types of its methods.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<Named>,
}

/// A method.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Method {
    /// Its name on the wire.
    pub name: String,
    /// The doc comment.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub doc: String,
    /// Which sides stream.
    #[serde(default, skip_serializing_if = "Streams::is_none")]
    pub streams: Streams,
    /// Whether repeating is harmless.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub idempotent: bool,
    /// Whether it carries `Bytes` untouched. Its types say nothing then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub raw: bool,
    /// Whether its types are vouched for (`trust_layout`), and not compared.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub trust_layout: bool,
    /// How long a call may take when nobody says otherwise, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_us: Option<u64>,
    /// How much a call matters when nobody says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub criticality: Option<Criticality>,
    /// When a second attempt goes beside a slow first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hedge: Option<Hedge>,
    /// The argument that decides which endpoint a call belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The arguments in order, without a streaming one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<Argument>,
    /// The argument that is a stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Input>,
    /// The value, or the items of the output stream.
    #[serde(default = "unit", skip_serializing_if = "is_unit")]
    pub output: Type,
    /// Its own error; without one it fails with a status alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Type>,
    /// How it goes over HTTP, where the trait says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<Http>,
    /// The fingerprint of its types in hexadecimal; none where bincode must not carry them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// Why bincode must not carry them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_bincode: Vec<String>,
    /// Why MessagePack with named fields cannot carry them either: calls between builds that differ fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_named: Option<String>,
}

fn unit() -> Type {
    Type::Unit
}

fn is_unit(ty: &Type) -> bool {
    *ty == Type::Unit
}

/// Which sides of a method stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Streams {
    /// One request, one answer.
    #[default]
    None,
    /// One request, a stream of answers.
    Output,
    /// A stream of requests, one answer.
    Input,
    /// Both stream.
    Both,
}

impl Streams {
    fn is_none(&self) -> bool {
        *self == Self::None
    }

    /// The number that fingerprints and frames have for it.
    pub fn number(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Output => 1,
            Self::Input => 2,
            Self::Both => 3,
        }
    }

    /// Whether the requests stream.
    pub fn input(self) -> bool {
        matches!(self, Self::Input | Self::Both)
    }

    /// Whether the answers stream.
    pub fn output(self) -> bool {
        matches!(self, Self::Output | Self::Both)
    }
}

/// The importance of a call, from the most to the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Criticality {
    /// Before everything else.
    CriticalPlus,
    /// The default.
    Critical,
    /// May wait.
    SheddablePlus,
    /// May be left out.
    Sheddable,
}

/// When a second attempt goes beside a slow first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hedge {
    /// After so many microseconds.
    AfterUs(u64),
    /// After the time that so many of a hundred answers took lately.
    AfterPercentile(u8),
}

/// An argument.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Argument {
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub ty: Type,
    /// Whether a call without it can be read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
}

/// The argument that is a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// How many arguments stand before it.
    pub at: usize,
    /// The type of its items.
    pub item: Type,
}

/// Statuses of HTTP from one to another, both included.
pub type Statuses = (u16, u16);

/// How a method goes over HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Http {
    /// The verb, in lower case.
    pub verb: String,
    /// The path: `{name}` stands for an argument.
    pub path: String,
    /// Parameters of the query, and the arguments that they carry.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub query: Vec<(String, String)>,
    /// Headers, and the arguments that they carry.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// The body of the request.
    #[serde(default, skip_serializing_if = "HttpBody::is_none")]
    pub body: HttpBody,
    /// Statuses that carry the value; none for what is usual.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub value: Vec<Statuses>,
    /// Statuses that carry the method's own error; none for what is usual.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub error: Vec<Statuses>,
    /// Statuses that mean `None`; none for what is usual.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub none: Vec<Statuses>,
    /// What of an answer is the value.
    #[serde(default, skip_serializing_if = "HttpContent::is_json")]
    pub content: HttpContent,
}

/// What the body of a request is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HttpBody {
    /// There is none.
    #[default]
    None,
    /// This argument, as JSON.
    Json(String),
    /// The fields of this argument, as HTML forms send them.
    Form(String),
    /// This argument, which is bytes.
    Bytes(String),
    /// A JSON object of these arguments.
    Named(Vec<String>),
    /// The items of the input stream, as JSON: one per line.
    Items,
    /// The items of the input stream, which are bytes.
    Chunks,
}

impl HttpBody {
    fn is_none(&self) -> bool {
        *self == Self::None
    }
}

/// What of an answer is the value.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HttpContent {
    /// Its body, as JSON.
    #[default]
    Json,
    /// Its body: a string of JSON where it says that it is JSON, else plain text.
    Text,
    /// Its body, as it is.
    Bytes,
    /// Nothing.
    Nothing,
    /// This header.
    Header(String),
}

impl HttpContent {
    fn is_json(&self) -> bool {
        *self == Self::Json
    }
}
