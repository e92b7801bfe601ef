//! One method as HTTP sees it: where each argument is found in a request, and what its answer is sent as.

use std::{sync::Arc, time::Duration};

use http::{Method, StatusCode};
use sinew::descriptor::{self, Http, HttpBody, HttpContent, Named, Service, Streams, Type};
use sinew_core::limits;

use super::{IngressError, callee::Callee, coerce};

/// A method, and how it is called over HTTP.
#[derive(Debug)]
pub(super) struct Route {
    /// `Service/method`.
    name: String,
    pub(super) verb: Method,
    /// With `{..}` for arguments.
    pub(super) path: String,
    pub(super) arguments: Vec<Argument>,
    pub(super) types: Arc<[Named]>,
    /// Those in the path, in the order of the path.
    pub(super) in_path: Vec<usize>,
    pub(super) query: Vec<(String, usize)>,
    pub(super) headers: Vec<(String, usize)>,
    pub(super) body: Body,
    pub(super) answers: Answers,
    /// How long a call may take where nobody says otherwise; none where it streams.
    pub(super) timeout: Option<Duration>,
    pub(super) callee: Callee,
}

/// An argument.
#[derive(Debug)]
pub(super) struct Argument {
    pub(super) name: String,
    pub(super) ty: Type,
}

/// What the body of a request is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Body {
    None,
    Json(usize),
    Form(usize),
    Bytes(usize),
    /// An object of these.
    Named(Vec<usize>),
    /// A line of JSON for each item of the input stream; before them a line with an object of these, if there are any.
    Items(Vec<usize>),
    Chunks,
}

/// What an answer is sent as.
#[derive(Debug)]
pub(super) struct Answers {
    pub(super) value: StatusCode,
    pub(super) error: StatusCode,
    /// What `None` is sent as, where it is not a value.
    pub(super) none: Option<StatusCode>,
    pub(super) content: HttpContent,
}

/// Whether what a method says of HTTP can be.
pub(crate) fn check(service: &Service, method: &descriptor::Method) -> Result<(), IngressError> {
    let name = format!("{}/{}", service.name, method.name);
    let arguments = arguments(method);
    match &method.http {
        Some(http) => Places { name: &name, arguments: &arguments }.bound(http).map(drop),
        None => Ok(()),
    }
}

fn arguments(method: &descriptor::Method) -> Vec<Argument> {
    let of = |argument: &descriptor::Argument| Argument {
        name: argument.name.clone(),
        ty: argument.ty.clone(),
    };
    method.arguments.iter().map(of).collect()
}

impl Route {
    pub(super) fn new(
        service: &Service,
        method: &descriptor::Method,
        (types, callee): (Arc<[Named]>, Callee),
    ) -> Result<Self, IngressError> {
        let name = format!("{}/{}", service.name, method.name);
        let arguments = arguments(method);
        let streams = method.streams != Streams::None;
        let usual = (!streams).then_some(limits::DEADLINE_DEFAULT);
        let timeout = method.timeout_us.map(Duration::from_micros).or(usual);
        let places = Places { name: &name, arguments: &arguments };
        let bound = match &method.http {
            Some(http) => places.bound(http)?,
            None => places.unbound(&name, method),
        };
        let Bound { verb, path, in_path, query, headers, body, answers } = bound;
        Ok(Self {
            verb,
            path,
            types,
            in_path,
            query,
            headers,
            body,
            answers,
            timeout,
            callee,
            arguments,
            name,
        })
    }

    /// `Service/method`.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether the value, or the items, of its answer are bytes as they are.
    pub(super) fn gives_bytes(&self) -> bool {
        self.answers.content == HttpContent::Bytes
    }
}

struct Bound {
    verb: Method,
    path: String,
    in_path: Vec<usize>,
    query: Vec<(String, usize)>,
    headers: Vec<(String, usize)>,
    body: Body,
    answers: Answers,
}

/// From the names of arguments to their places.
struct Places<'a> {
    name: &'a str,
    arguments: &'a [Argument],
}

impl Places<'_> {
    fn of(&self, argument: &str) -> Result<usize, IngressError> {
        self.arguments.iter().position(|known| known.name == argument).ok_or_else(|| {
            self.wrong(format!(
                "its path, query, headers or body name an argument `{argument}`, which it has not"
            ))
        })
    }

    fn wrong(&self, problem: String) -> IngressError {
        IngressError::Binding { method: self.name.to_owned(), problem }
    }

    fn pairs(&self, pairs: &[(String, String)]) -> Result<Vec<(String, usize)>, IngressError> {
        pairs.iter().map(|(name, argument)| Ok((name.clone(), self.of(argument)?))).collect()
    }

    fn bound(&self, http: &Http) -> Result<Bound, IngressError> {
        let in_path = http.path.split('{').skip(1).filter_map(|rest| rest.split_once('}'));
        let in_path = in_path.map(|(argument, _)| self.of(argument)).collect::<Result<_, _>>()?;
        let verb = Method::from_bytes(http.verb.to_ascii_uppercase().as_bytes())
            .map_err(|_| self.wrong(format!("`{}` is no verb", http.verb)))?;
        let body = match &http.body {
            HttpBody::None => Body::None,
            HttpBody::Json(argument) => Body::Json(self.of(argument)?),
            HttpBody::Form(argument) => Body::Form(self.of(argument)?),
            HttpBody::Bytes(argument) => Body::Bytes(self.of(argument)?),
            HttpBody::Named(names) => {
                Body::Named(names.iter().map(|name| self.of(name)).collect::<Result<_, _>>()?)
            }
            HttpBody::Items => Body::Items(Vec::new()),
            HttpBody::Chunks => Body::Chunks,
        };
        let first = |ranges: &[(u16, u16)], usual: StatusCode| match ranges.first() {
            Some((first, _)) => StatusCode::from_u16(*first)
                .map_err(|_| self.wrong(format!("{first} is no status of HTTP"))),
            None => Ok(usual),
        };
        let usual = match http.content {
            HttpContent::Nothing => StatusCode::NO_CONTENT,
            _ => StatusCode::OK,
        };
        Ok(Bound {
            verb,
            path: http.path.clone(),
            in_path,
            query: self.pairs(&http.query)?,
            headers: self.pairs(&http.headers)?,
            body,
            answers: Answers {
                value: first(&http.value, usual)?,
                error: first(&http.error, StatusCode::UNPROCESSABLE_ENTITY)?,
                none: match http.none.is_empty() {
                    true => None,
                    false => Some(first(&http.none, StatusCode::NOT_FOUND)?),
                },
                content: http.content.clone(),
            },
        })
    }

    /// `POST /{service}/{method}`: an object of the arguments, or bytes where the method is raw.
    fn unbound(&self, name: &str, method: &descriptor::Method) -> Bound {
        let all = || (0..self.arguments.len()).collect();
        let body = match (method.raw, method.streams.input()) {
            (true, _) => Body::Bytes(0),
            (false, true) => Body::Items(all()),
            (false, false) => Body::Named(all()),
        };
        let content = if method.raw { HttpContent::Bytes } else { HttpContent::Json };
        Bound {
            verb: Method::POST,
            path: format!("/{name}"),
            in_path: Vec::new(),
            query: Vec::new(),
            headers: Vec::new(),
            body,
            answers: Answers {
                value: StatusCode::OK,
                error: StatusCode::UNPROCESSABLE_ENTITY,
                none: None,
                content,
            },
        }
    }
}

impl Argument {
    /// Whether a call without it can be read.
    pub(super) fn is_optional(&self) -> bool {
        coerce::is_optional(&self.ty)
    }
}
