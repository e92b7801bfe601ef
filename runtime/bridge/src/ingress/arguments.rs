//! The arguments of a call, found where its route says.
//!
//! # Invariants
//! 1. Nothing is guessed: an argument that is missing, unknown, said twice or of another type is an error that names it.
//! 2. A body is JSON only if it says so: what a form on a stranger's page can send is none.

use std::{borrow::Cow, fmt};

use bytes::Bytes;
use http::{HeaderMap, header, request};
use serde::{
    Deserializer as _,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    callee::Given,
    coerce::{self, Parameters},
    refusal::Refusal,
    route::{Body, Route},
};

const NULL: Bytes = Bytes::from_static(b"null");

/// Arguments that are found one after the other.
pub(super) struct Arguments<'r> {
    route: &'r Route,
    found: Vec<Option<Given>>,
}

impl<'r> Arguments<'r> {
    /// Those in the path, the query and the headers.
    pub(super) fn of_head(
        route: &'r Route,
        in_path: &[Cow<'_, str>],
        head: &request::Parts,
    ) -> Result<Self, Refusal> {
        let found = route.arguments.iter().map(|_| None).collect();
        let mut arguments = Self { route, found };
        for (value, place) in in_path.iter().zip(&route.in_path) {
            arguments.text(*place, value)?;
        }
        if !route.query.is_empty() {
            let query = Parameters::parse(head.uri.query().unwrap_or_default());
            let query = query.map_err(|why| Refusal::malformed(format!("the query: {why}")))?;
            for (name, place) in &route.query {
                arguments.parameter(&query, name, *place)?;
            }
        }
        for (name, place) in &route.headers {
            if let Some(value) = head.headers.get(name) {
                let text = std::str::from_utf8(value.as_bytes())
                    .map_err(|_| Refusal::malformed(format!("the header `{name}` is not UTF-8")))?;
                arguments.text(*place, text)?;
            }
        }
        Ok(arguments)
    }

    fn text(&mut self, place: usize, text: &str) -> Result<(), Refusal> {
        let argument = &self.route.arguments[place];
        let value = coerce::value(text, &argument.ty, &self.route.types);
        let value = value.map_err(|why| {
            Refusal::malformed(format!("the argument `{}`: {why}", argument.name))
        })?;
        self.found[place] = Some(Given::Json(Bytes::from(Box::<str>::from(value).into_string())));
        Ok(())
    }

    fn parameter(
        &mut self,
        parameters: &Parameters<'_>,
        name: &str,
        place: usize,
    ) -> Result<(), Refusal> {
        let argument = &self.route.arguments[place];
        let value = parameters.value(name, &argument.ty, &self.route.types);
        let value = value.map_err(|why| {
            Refusal::malformed(format!("the argument `{}`: {why}", argument.name))
        })?;
        self.found[place] =
            value.map(|json| Given::Json(Bytes::from(Box::<str>::from(json).into_string())));
        Ok(())
    }

    /// Those in a body that is whole.
    pub(super) fn of_body(&mut self, headers: &HeaderMap, body: Bytes) -> Result<(), Refusal> {
        if self.route.body != Body::None && has_magic(&body) {
            return Err(Refusal::malformed(
                "the body has a key that only means something to a library",
            ));
        }
        match &self.route.body {
            Body::None | Body::Items(_) | Body::Chunks => Ok(()),
            Body::Bytes(place) => {
                self.found[*place] = Some(Given::Bytes(body));
                Ok(())
            }
            Body::Json(place) => {
                is_json(headers)?;
                if !body.trim_ascii().is_empty() {
                    self.found[*place] = Some(Given::Json(body));
                }
                Ok(())
            }
            Body::Form(place) => {
                let kind = kind(headers).unwrap_or_default();
                if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
                    return Err(Refusal::unsupported(
                        "the body is to be `application/x-www-form-urlencoded`, and its `content-type` says \
                         something else",
                    ));
                }
                let text = std::str::from_utf8(&body)
                    .map_err(|_| Refusal::malformed("the body is not UTF-8"))?;
                let form = Parameters::parse(text)
                    .map_err(|why| Refusal::malformed(format!("the body: {why}")))?;
                let name = &self.route.arguments[*place].name;
                self.parameter(&form, name, *place)
            }
            Body::Named(places) => {
                // Nobody has to say that there is nothing to say.
                if body.trim_ascii().is_empty() && places.iter().all(|place| self.may_lack(*place))
                {
                    return Ok(());
                }
                is_json(headers)?;
                self.object(places, &body, "the body")
            }
        }
    }

    fn may_lack(&self, place: usize) -> bool {
        self.route.arguments[place].is_optional()
    }

    /// An object of these arguments.
    pub(super) fn object(
        &mut self,
        places: &[usize],
        json: &Bytes,
        what: &str,
    ) -> Result<(), Refusal> {
        let names = places.iter().map(|place| &*self.route.arguments[*place].name).collect();
        let mut deserializer = serde_json::Deserializer::from_slice(json);
        let values = deserializer
            .deserialize_map(Slots { names })
            .and_then(|values| deserializer.end().map(|()| values))
            .map_err(|why| Refusal::malformed(format!("{what}: {why}")))?;
        for (place, value) in places.iter().zip(values) {
            if let Some(value) = value {
                self.found[*place] = Some(Given::Json(json.slice_ref(value.get().as_bytes())));
            }
        }
        Ok(())
    }

    /// All of them, in order.
    pub(super) fn whole(self) -> Result<Vec<Given>, Refusal> {
        let all = self.found.into_iter().zip(&self.route.arguments);
        all.map(|(found, argument)| match found {
            Some(given) => Ok(given),
            None if argument.is_optional() => Ok(Given::Json(NULL)),
            None => Err(Refusal::malformed(format!("the argument `{}` is missing", argument.name))),
        })
        .collect()
    }
}

/// Whether it holds the key by which serde_json hands JSON through as it is: an object with it would be read once more, past
/// every bound.
pub(super) fn has_magic(body: &[u8]) -> bool {
    const MAGIC: &[u8] = b"$serde_json::private::";
    let mut rest = body;
    while let Some(at) = rest.iter().position(|byte| *byte == MAGIC[0]) {
        if rest[at..].starts_with(MAGIC) {
            return true;
        }
        rest = &rest[at + 1..];
    }
    // Written as an escape it is the same key.
    body.windows(5).any(|five| five == b"\\u002")
        && body.windows(MAGIC.len() - 1).any(|part| part == &MAGIC[1..])
}

/// What a body says that it is, without parameters.
fn kind(headers: &HeaderMap) -> Option<&str> {
    let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(kind.split(';').next().unwrap_or_default().trim())
}

fn is_json(headers: &HeaderMap) -> Result<(), Refusal> {
    let is = kind(headers).is_some_and(|kind| {
        kind.eq_ignore_ascii_case("application/json")
            || kind
                .get(kind.len().saturating_sub(5)..)
                .is_some_and(|end| end.eq_ignore_ascii_case("+json"))
    });
    if is {
        return Ok(());
    }
    Err(Refusal::unsupported(
        "the body is to be JSON: send `content-type: application/json` with it (`curl --json`)",
    ))
}

/// What the body of a stream of items is: no page of a stranger's can send it without being asked.
pub(super) fn is_lines(headers: &HeaderMap) -> Result<(), Refusal> {
    let kind = kind(headers).unwrap_or_default().to_ascii_lowercase();
    if kind.contains("json") {
        return Ok(());
    }
    Err(Refusal::unsupported(
        "the body is to be lines of JSON: send `content-type: application/x-ndjson` with it",
    ))
}

/// The values of an object under these names.
struct Slots<'n> {
    names: Vec<&'n str>,
}

impl<'de> Visitor<'de> for Slots<'_> {
    type Value = Vec<Option<&'de RawValue>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of the arguments")?;
        for (at, name) in self.names.iter().enumerate() {
            write!(f, "{} `{name}`", if at == 0 { "" } else { "," })?;
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut values: Self::Value = vec![None; self.names.len()];
        while let Some(name) = entries.next_key::<Cow<'de, str>>()? {
            let Some(place) = self.names.iter().position(|known| *known == name) else {
                return Err(A::Error::custom(format!(
                    "there is no argument `{}`; there is {}",
                    coerce::short(&name),
                    listed(&self.names)
                )));
            };
            if values[place].is_some() {
                return Err(A::Error::custom(format!("`{name}` stands there twice")));
            }
            values[place] = Some(entries.next_value()?);
        }
        Ok(values)
    }
}

fn listed(names: &[&str]) -> String {
    match names {
        [] => "none".to_owned(),
        names => names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
    }
}
