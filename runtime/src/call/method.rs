//! What the runtime knows of one method: generated code makes one of these per method, at compile time.

use std::time::Duration;

use sinew_core::codes::Criticality;

use super::{http::Binding, options::Hedge};

/// Which sides of a method stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One request, one answer.
    Unary = 0,
    /// One request, a stream of answers.
    ServerStreaming = 1,
    /// A stream of requests, one answer.
    ClientStreaming = 2,
    /// Both stream.
    Bidirectional = 3,
}

impl Shape {
    /// Whether the requests stream.
    pub fn has_input(self) -> bool {
        matches!(self, Self::ClientStreaming | Self::Bidirectional)
    }

    /// Whether the answers stream.
    pub fn has_output_stream(self) -> bool {
        matches!(self, Self::ServerStreaming | Self::Bidirectional)
    }

    /// Whether either side streams.
    pub fn streams(self) -> bool {
        !matches!(self, Self::Unary)
    }
}

/// The description of one method: its name on the wire and what its attributes say.
#[derive(Debug, Clone, Copy)]
pub struct Method {
    service: &'static str,
    name: &'static str,
    path: &'static str,
    shape: Shape,
    idempotent: bool,
    raw: bool,
    version: Option<u32>,
    trusted: bool,
    timeout: Option<Duration>,
    criticality: Option<Criticality>,
    hedge: Option<Hedge>,
    arguments: &'static [&'static str],
    /// The argument that is a stream, and how many stand before it.
    input: Option<(&'static str, usize)>,
    key: Option<&'static str>,
    http: Option<&'static Binding>,
    doc: &'static str,
    /// What its trait is called, and what is said of that.
    of_trait: (&'static str, &'static str),
}

impl Method {
    /// A method that is not idempotent and has every default.
    ///
    /// `path` is `service/name`: one string, so that nothing has to be put together on the way of a call.
    pub const fn new(
        service: &'static str,
        name: &'static str,
        path: &'static str,
        shape: Shape,
    ) -> Self {
        Self {
            service,
            name,
            path,
            shape,
            idempotent: false,
            raw: false,
            version: None,
            trusted: false,
            timeout: None,
            criticality: None,
            hedge: None,
            arguments: &[],
            input: None,
            key: None,
            http: None,
            doc: "",
            of_trait: (service, ""),
        }
    }

    /// May be repeated: the outcome is the same.
    pub const fn idempotent(mut self) -> Self {
        self.idempotent = true;
        self
    }

    /// Carries `Bytes` untouched.
    pub const fn raw(mut self) -> Self {
        self.raw = true;
        self
    }

    /// Its types are those of every build that says the same version.
    pub const fn with_version(mut self, version: u32) -> Self {
        self.version = Some(version);
        self
    }

    /// Its types are taken to be the same in every build, and to be fit for bincode.
    pub const fn trust_layout(mut self) -> Self {
        self.trusted = true;
        self
    }

    /// How long a call may take when nobody says otherwise, in microseconds.
    pub const fn timeout_us(mut self, us: u64) -> Self {
        self.timeout = Some(Duration::from_micros(us));
        self
    }

    /// How much a call matters when nobody says otherwise.
    pub const fn criticality(mut self, criticality: Criticality) -> Self {
        self.criticality = Some(criticality);
        self
    }

    /// When a second attempt goes beside a slow first when nobody says otherwise: after so many microseconds.
    pub const fn hedge_after_us(mut self, us: u64) -> Self {
        self.hedge = Some(Hedge::After(Duration::from_micros(us)));
        self
    }

    /// The same: after the time that so many of a hundred answers took lately.
    pub const fn hedge_after_percentile(mut self, percent: u8) -> Self {
        self.hedge = Some(Hedge::AfterPercentile(percent));
        self
    }

    /// The names of the arguments, in order, without a streaming one.
    pub const fn arguments(mut self, names: &'static [&'static str]) -> Self {
        self.arguments = names;
        self
    }

    /// The name of the argument that is a stream, and how many stand before it.
    pub const fn with_input(mut self, name: &'static str, at: usize) -> Self {
        self.input = Some((name, at));
        self
    }

    /// The argument that decides which endpoint a call belongs to.
    pub const fn with_key(mut self, name: &'static str) -> Self {
        self.key = Some(name);
        self
    }

    /// What its trait is called, and the trait's doc comment.
    pub const fn within(mut self, name: &'static str, doc: &'static str) -> Self {
        self.of_trait = (name, doc);
        self
    }

    /// How it goes over HTTP.
    pub const fn http(mut self, binding: &'static Binding) -> Self {
        self.http = Some(binding);
        self
    }

    /// The doc comment.
    pub const fn doc(mut self, doc: &'static str) -> Self {
        self.doc = doc;
        self
    }

    /// The service's name on the wire.
    pub const fn service(&self) -> &'static str {
        self.service
    }

    /// The method's name on the wire.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// `service/name`.
    pub const fn path(&self) -> &'static str {
        self.path
    }

    /// Which sides stream.
    pub const fn shape(&self) -> Shape {
        self.shape
    }

    /// Whether the trait says that repeating is harmless.
    pub const fn is_idempotent(&self) -> bool {
        self.idempotent
    }

    /// Whether bytes pass untouched.
    pub const fn is_raw(&self) -> bool {
        self.raw
    }

    /// The version that the trait names.
    pub const fn version(&self) -> Option<u32> {
        self.version
    }

    /// Whether the trait vouches for the layout of the types.
    pub const fn trusts_layout(&self) -> bool {
        self.trusted
    }

    /// The timeout that the trait names.
    pub const fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// The hedge that the trait names.
    pub const fn hedge(&self) -> Option<Hedge> {
        self.hedge
    }

    /// The criticality that the trait names.
    pub const fn default_criticality(&self) -> Option<Criticality> {
        self.criticality
    }

    /// The names of the arguments, in order, without a streaming one.
    pub const fn argument_names(&self) -> &'static [&'static str] {
        self.arguments
    }

    /// The name of the argument that is a stream, and how many stand before it.
    pub const fn input(&self) -> Option<(&'static str, usize)> {
        self.input
    }

    /// The argument that decides which endpoint a call belongs to.
    pub const fn key(&self) -> Option<&'static str> {
        self.key
    }

    /// What its trait is called, and the trait's doc comment.
    pub const fn of_trait(&self) -> (&'static str, &'static str) {
        self.of_trait
    }

    /// How it goes over HTTP, where the trait says it.
    pub const fn http_binding(&self) -> Option<&'static Binding> {
        self.http
    }

    /// The doc comment of the method.
    pub const fn documentation(&self) -> &'static str {
        self.doc
    }
}
