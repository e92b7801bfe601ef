//! How a method goes over HTTP: `#[http(..)]` as a constant.
//!
//! # Why
//! The same trait is called on endpoints that speak sinew and on endpoints that speak HTTP, so what a binding says
//! belongs to the method, like its timeout. Nothing here knows HTTP: a transport that does reads it.
//!
//! Arguments are named by their place among those that are values; a streaming one is not among them.

/// What a request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// `GET`.
    Get,
    /// `HEAD`.
    Head,
    /// `OPTIONS`.
    Options,
    /// `PUT`.
    Put,
    /// `DELETE`.
    Delete,
    /// `POST`.
    Post,
    /// `PATCH`.
    Patch,
}

/// A piece of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathPart {
    /// As it is.
    Text(&'static str),
    /// An argument, which stays within its segment.
    Argument(usize),
}

/// What the body of a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// There is none.
    None,
    /// One argument, as JSON.
    Json(usize),
    /// The fields of one argument, as HTML forms send them.
    Form(usize),
    /// One argument, which is bytes.
    Bytes(usize),
    /// A JSON object of these arguments.
    Named(&'static [usize]),
    /// The items of the input stream, as JSON: one per line.
    Items,
    /// The items of the input stream, which are bytes.
    Chunks,
}

/// What of an answer is the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Its body, as JSON.
    Json,
    /// Its body: a string of JSON where it says that it is JSON, else plain text.
    Text,
    /// Its body, as it is.
    Bytes,
    /// Nothing: whatever its body says is read and passed over.
    Nothing,
    /// This header of it.
    Header(&'static str),
}

/// The statuses that carry the value, unless the trait says others.
pub const VALUE: &[(u16, u16)] = &[(200, 299)];

/// Those that carry the method's own error: what a client can do something about, without what the mesh does it about.
pub const ERROR: &[(u16, u16)] = &[(400, 407), (409, 424), (426, 428), (430, 499)];

/// How a method goes over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding {
    /// What the request does.
    pub verb: Verb,
    /// Where it goes: from the first `/` on, without the query.
    pub path: &'static [PathPart],
    /// Parameters of the query, and the arguments that they carry.
    pub query: &'static [(&'static str, usize)],
    /// Headers, and the arguments that they carry.
    pub headers: &'static [(&'static str, usize)],
    /// The body of the request.
    pub body: Body,
    /// Statuses that carry the value: from the first to the last of each pair.
    pub value: &'static [(u16, u16)],
    /// Statuses that carry the method's own error, where the body is one.
    pub error: &'static [(u16, u16)],
    /// Statuses that mean `None`.
    pub none: &'static [(u16, u16)],
    /// What of the answer is the value.
    pub content: Content,
}
