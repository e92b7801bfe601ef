//! What a service is, once its syntax has been read: names, flags, and types as tokens.
//!
//! # Invariants
//! 1. Nothing here comes from a syntax tree: whatever prints a service (Rust, a schema, a diff of two
//!    versions) needs this file alone.
//! 2. Tokens keep the spans of the user's source, so that what the compiler says about them is said
//!    there.

use proc_macro2::{Ident, TokenStream};

use crate::report::Spot;

/// A trait that is a service.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) ident: Ident,
    /// The name in discovery, policy, metrics, tools and on the wire.
    pub(crate) name: WireName,
    /// The path of the crate `sinew` as generated code writes it.
    pub(crate) version: Option<u32>,
    pub(crate) sinew: TokenStream,
    pub(crate) visibility: TokenStream,
    pub(crate) attributes: Attributes,
    /// What the implementation must be besides: the bounds after the colon, without the colon.
    pub(crate) supertraits: TokenStream,
    pub(crate) methods: Vec<Method>,
    /// What cannot be in a service but is in the trait: kept as written, so that only our own
    /// message is printed about it.
    pub(crate) strangers: Vec<TokenStream>,
    /// Parameters of a trait that must not have any. They leave no types to make calls with.
    pub(crate) generics: Option<Generics>,
}

/// Generic parameters and their `where` clause, as written.
#[derive(Debug)]
pub(crate) struct Generics {
    pub(crate) parameters: TokenStream,
    pub(crate) conditions: TokenStream,
}

/// A name that both sides must agree on.
#[derive(Clone, Debug)]
pub(crate) struct WireName {
    pub(crate) text: String,
    pub(crate) at: Spot,
    /// Whether it was given by `name = ".."`; otherwise it is the identifier.
    pub(crate) given: bool,
}

/// Attributes of the trait or of a method, sorted by where they belong.
#[derive(Debug, Default)]
pub(crate) struct Attributes {
    /// `#[doc]`, in order.
    pub(crate) docs: TokenStream,
    /// The text of the doc comments; empty without any.
    pub(crate) doc_text: String,
    /// `#[cfg]`: everything generated for the item exists under them only.
    pub(crate) conditions: TokenStream,
    /// `#[deprecated]`: said of the trait's item and of the client's.
    pub(crate) deprecated: TokenStream,
    /// All others stay on the trait.
    pub(crate) others: TokenStream,
}

/// One method of a service.
#[derive(Debug)]
pub(crate) struct Method {
    pub(crate) ident: Ident,
    /// The identifier without `r#`.
    pub(crate) plain_name: String,
    pub(crate) name: WireName,
    pub(crate) attributes: Attributes,
    pub(crate) options: Options,
    /// What `#[http(..)]` says, as written.
    pub(crate) http: Option<HttpAttribute>,
    /// What it comes to, if it is sound.
    pub(crate) binding: Option<Binding>,
    pub(crate) arguments: Vec<Argument>,
    pub(crate) output: Output,
    pub(crate) signature: Signature,
    /// How much of the method is emitted: less than all of it after a mistake.
    pub(crate) extent: Extent,
}

/// The method as the trait repeats it.
#[derive(Debug)]
pub(crate) struct Signature {
    /// From `fn`, or what stands before it, to the closing parenthesis; without `async`.
    pub(crate) head: TokenStream,
    pub(crate) is_async: bool,
    /// Empty unless there is a mistake.
    pub(crate) generics: Generics,
    /// The provided body, in its braces.
    pub(crate) body: Option<TokenStream>,
}

/// How much of a method is emitted. Ordered: a later mistake can only take away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Extent {
    /// All of it.
    Whole,
    /// The trait's method, and one on the client that type-checks but does nothing.
    Stub,
    /// The trait's method only: the client has another of this name.
    TraitOnly,
    /// Nothing: the trait has another of this name.
    Nothing,
}

/// What `#[rpc(..)]` says.
#[derive(Debug, Default)]
pub(crate) struct Options {
    /// `None`: nothing is said, and the verb of a binding decides.
    pub(crate) idempotent: Option<bool>,
    pub(crate) timeout_us: Option<u64>,
    pub(crate) criticality: Option<Criticality>,
    /// When a hedge goes out, and where that stands.
    pub(crate) hedge: Option<(Hedge, Spot)>,
    /// The argument that decides which endpoint a call belongs to, and where it is named.
    pub(crate) key: Option<(String, Spot)>,
    /// The types are vouched for.
    pub(crate) trust_layout: bool,
    /// Where `raw` stands.
    pub(crate) raw: Option<Spot>,
}

/// The importance of a call, from the most to the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Criticality {
    CriticalPlus,
    Critical,
    SheddablePlus,
    Sheddable,
}

/// When a second attempt goes beside a first that is slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hedge {
    /// After the time in which so many of a hundred answers came.
    AfterPercentile(u8),
    /// After so many microseconds.
    AfterUs(u64),
}

/// `#[http(..)]` as it is written: names of arguments are not looked up yet.
#[derive(Debug)]
pub(crate) struct HttpAttribute {
    pub(crate) at: Spot,
    /// The verb, its template, and where that stands. The first one of several.
    pub(crate) route: Option<(Verb, String, Spot)>,
    /// The names of parameters, and of the arguments that they carry.
    pub(crate) query: Vec<Carried>,
    pub(crate) headers: Vec<Carried>,
    /// The argument that is the body.
    pub(crate) body: Option<(BodyKind, String, Spot)>,
    /// Which statuses carry the value; none for the default.
    pub(crate) value: Vec<Statuses>,
    /// Which carry the method's own error.
    pub(crate) error: Vec<Statuses>,
    /// Which mean `None`, and where that stands.
    pub(crate) none: Option<(Vec<Statuses>, Spot)>,
    /// The header that is the value.
    pub(crate) from_header: Option<(String, Spot)>,
}

/// A parameter or a header, and the argument that it carries.
#[derive(Debug)]
pub(crate) struct Carried {
    pub(crate) name: String,
    pub(crate) name_at: Spot,
    pub(crate) argument: String,
    pub(crate) at: Spot,
}

/// Statuses from one to another, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Statuses(pub(crate) u16, pub(crate) u16);

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Head,
    Options,
    Put,
    Delete,
    Post,
    Patch,
}

/// How an argument that is the body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyKind {
    Json,
    Form,
    Bytes,
}

/// How a method goes over HTTP: arguments by their places among those that are values.
#[derive(Debug)]
pub(crate) struct Binding {
    pub(crate) verb: Verb,
    pub(crate) path: Vec<PathPart>,
    pub(crate) query: Vec<(String, usize)>,
    pub(crate) headers: Vec<(String, usize)>,
    pub(crate) body: Body,
    /// None of these two: what is usual.
    pub(crate) value: Vec<Statuses>,
    pub(crate) error: Vec<Statuses>,
    pub(crate) none: Vec<Statuses>,
    pub(crate) from_header: Option<String>,
}

/// A piece of a path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PathPart {
    Text(String),
    Argument(usize),
}

/// What the body of a request is.
#[derive(Debug)]
pub(crate) enum Body {
    None,
    /// One argument.
    One(BodyKind, usize),
    /// A JSON object of these arguments.
    Named(Vec<usize>),
    /// The input stream, of items that look like this.
    Stream(Form),
}

/// One argument after `&self`.
#[derive(Debug)]
pub(crate) struct Argument {
    pub(crate) ident: Ident,
    /// The identifier without `r#`.
    pub(crate) plain_name: String,
    pub(crate) at: Spot,
    /// As written.
    pub(crate) ty: TokenStream,
    pub(crate) kind: ArgumentKind,
}

/// How an argument travels.
#[derive(Debug)]
pub(crate) enum ArgumentKind {
    /// In the body of the request.
    Value { form: Form },
    /// As the input stream of items of this type.
    Stream { item: TokenStream, form: Form },
}

/// What a method returns.
#[derive(Debug)]
pub(crate) struct Output {
    /// As written; `()` where nothing is.
    pub(crate) written: TokenStream,
    pub(crate) value: Value,
    pub(crate) failure: Failure,
}

/// What a method returns when all goes well.
#[derive(Debug)]
pub(crate) enum Value {
    /// One value of this type.
    One { ty: TokenStream, form: Form },
    /// A stream of items of this type.
    Stream { item: TokenStream, form: Form },
    /// One value of the type that an alias of `Result` hides.
    Aliased { form: Form },
    /// A type that cannot be written down again; there is a mistake.
    Unknown,
}

/// What is seen of a type by its name, and matters where bodies are not ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// `Bytes`.
    Bytes,
    /// `String`.
    Text,
    /// `Option`.
    Optional,
    /// `()`.
    Unit,
    Other,
}

/// How a method says that something went wrong.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It cannot: it returns a plain value.
    Never,
    /// With this type, `Status` or `CallError<E>`, which callers see as it is.
    Mesh(TokenStream),
    /// With the service's own type, which callers see in a `CallError`.
    Own(TokenStream),
    /// With the type that an alias of `Result` hides.
    Aliased,
}

impl Value {
    /// What is seen of the value's or the items' type.
    pub(crate) fn form(&self) -> Form {
        match self {
            Self::One { form, .. } | Self::Aliased { form } | Self::Stream { form, .. } => *form,
            Self::Unknown => Form::Other,
        }
    }
}

impl Verb {
    /// Whether the same request twice is as good as once (RFC 9110, 9.2.2).
    pub(crate) fn is_idempotent(self) -> bool {
        !matches!(self, Self::Post | Self::Patch)
    }

    /// Whether a request carries a body of which servers know what it means (RFC 9110, 9.3).
    pub(crate) fn has_body(self) -> bool {
        matches!(self, Self::Post | Self::Put | Self::Patch)
    }
}

impl Method {
    /// Emits no more than `extent` of the method.
    pub(crate) fn limit(&mut self, extent: Extent) {
        self.extent = self.extent.max(extent);
    }

    /// Whether it exists under `#[cfg]` only.
    pub(crate) fn is_conditional(&self) -> bool {
        !self.attributes.conditions.is_empty()
    }

    /// The input stream: the argument and the type of its items.
    pub(crate) fn input_stream(&self) -> Option<(&Argument, &TokenStream)> {
        self.arguments.iter().find_map(|argument| match &argument.kind {
            ArgumentKind::Stream { item, .. } => Some((argument, item)),
            ArgumentKind::Value { .. } => None,
        })
    }

    /// What is seen of the type of the input stream's items.
    pub(crate) fn input_form(&self) -> Option<Form> {
        self.arguments.iter().find_map(|argument| match &argument.kind {
            ArgumentKind::Stream { form, .. } => Some(*form),
            ArgumentKind::Value { .. } => None,
        })
    }

    /// The arguments that travel in the body of the request, in order.
    pub(crate) fn values(&self) -> impl Iterator<Item = &Argument> {
        self.arguments.iter().filter(|argument| matches!(argument.kind, ArgumentKind::Value { .. }))
    }
}
