//! The answers of a method: its value, `None`, its own error, and what any call may fail with.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sinew::descriptor::{Http, HttpContent, Method, Statuses, Type};

use super::schema::Scope;

/// What the component is called that says why a call failed, as a schema and as a response.
pub(super) const PROBLEM: &str = "Problem";

/// Statuses that carry a value where a binding names none, and those of the method's own error.
const VALUE: &[Statuses] = &[(200, 299)];
const ERROR: &[Statuses] = &[(422, 422), (400, 407), (409, 424), (426, 428), (430, 499)];

/// The responses of a method.
pub(super) fn responses<'d>(scope: &mut Scope<'_, 'd>, method: &'d Method) -> Value {
    let http = method.http.as_ref();
    let (none, value) = (none(http, method), said(http, |http| &http.value, VALUE));
    let mut all: BTreeMap<String, Value> = BTreeMap::new();
    let status = first(value, none, &all);
    all.insert(status.unwrap_or(200).to_string(), answer(scope, method));
    for &(from, to) in none.iter().filter(|(from, _)| is_status(*from)) {
        let words = match from == to {
            true => "There is none: the value is `None`.".to_owned(),
            false => {
                format!("There is none, as with all from {from} to {to}: the value is `None`.")
            }
        };
        all.entry(from.to_string()).or_insert_with(|| json!({"description": words}));
    }
    if let Some(error) = &method.error
        && let Some(status) = first(said(http, |http| &http.error, ERROR), none, &all)
    {
        let mut response = json!({"description": "The method's own error."});
        if !is_head(http) {
            response["content"] = json!({"application/json": {"schema": scope.schema(error)}});
        }
        all.insert(status.to_string(), response);
    }
    all.insert("default".to_owned(), json!({"$ref": format!("#/components/responses/{PROBLEM}")}));
    all.into_iter().collect()
}

/// The statuses that a binding names, or the usual ones.
fn said<'h>(
    http: Option<&'h Http>,
    of: impl Fn(&'h Http) -> &'h Vec<Statuses>,
    usual: &'static [Statuses],
) -> &'h [Statuses] {
    http.map(of).filter(|said| !said.is_empty()).map_or(usual, Vec::as_slice)
}

/// Those that mean `None`.
fn none<'h>(http: Option<&'h Http>, method: &Method) -> &'h [Statuses] {
    match (http, &method.output) {
        (Some(http), Type::Option(_)) if http.none.is_empty() => &[(404, 404)],
        (Some(http), _) => &http.none,
        // It is `null` then, as any other value.
        (None, _) => &[],
    }
}

/// The first of these statuses that means nothing else.
fn first(of: &[Statuses], none: &[Statuses], taken: &BTreeMap<String, Value>) -> Option<u16> {
    let is_none = |status: &u16| none.iter().any(|(from, to)| (from..=to).contains(&status));
    let mut all = of.iter().flat_map(|(from, to)| *from..=*to);
    all.find(|status| {
        is_status(*status) && !is_none(status) && !taken.contains_key(&status.to_string())
    })
}

fn is_status(status: u16) -> bool {
    (100..=599).contains(&status)
}

fn is_head(http: Option<&Http>) -> bool {
    http.is_some_and(|http| http.verb == "head")
}

/// The answer that carries the value.
fn answer<'d>(scope: &mut Scope<'_, 'd>, method: &'d Method) -> Value {
    let http = method.http.as_ref();
    let content = http.map_or(&HttpContent::Json, |http| &http.content);
    let bytes =
        || json!({"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}});
    let words = match (method.streams.output(), content) {
        _ if is_head(http) && !matches!(content, HttpContent::Header(_)) => {
            return json!({"description": "It is done."});
        }
        (_, HttpContent::Nothing) => return json!({"description": "It is done."}),
        (true, HttpContent::Bytes) => "The bytes, in pieces as they come.",
        (true, _) => "The items as they come: each is the data of an event, or a line.",
        (false, _) => "The value.",
    };
    // With a status of its own `None` is no value. Where a binding leaves that status to what is usual, it may have none.
    let is_elsewhere = http.is_some_and(|http| !http.none.is_empty());
    let ty = match &method.output {
        Type::Option(inner) if is_elsewhere => inner,
        other => other,
    };
    if let HttpContent::Header(name) = content {
        let is_needed = !matches!(scope.bare(ty), Type::Option(_));
        let header = json!({"required": is_needed, "schema": scope.schema(ty)});
        return json!({"description": "The value is a header.", "headers": {name: header}});
    }
    let content = match content {
        _ if method.raw => bytes(),
        HttpContent::Bytes => bytes(),
        _ if method.streams.output() => {
            let schema = scope.schema(ty);
            json!({
                "text/event-stream": {"schema": schema}, "application/x-ndjson": {"schema": schema},
            })
        }
        HttpContent::Text => json!({"text/plain": {"schema": scope.schema(ty)}}),
        _ => json!({"application/json": {"schema": scope.schema(ty)}}),
    };
    json!({"description": words, "content": content})
}

/// What any call may fail with, as every operation refers to it.
pub(super) fn problem_response() -> Value {
    json!({
        "description": "The call failed: who refused or broke it, and whether it was processed.",
        "headers": {
            "retry-after": {
                "description": "In so many seconds it may be tried again.",
                "schema": {"type": "integer", "minimum": 0},
            },
        },
        "content": {
            "application/problem+json": {
                "schema": {"$ref": format!("#/components/schemas/{PROBLEM}")},
            },
        },
    })
}

/// Its body (RFC 9457).
pub(super) fn problem_schema() -> Value {
    let text = |words: &str| json!({"type": "string", "description": words});
    json!({
        "type": "object",
        "description": "Why a call failed (RFC 9457).",
        "properties": {
            "type": {"type": "string", "format": "uri-reference", "description": "What kind of problem it is."},
            "title": text("The kind in words."),
            "status": {"type": "integer", "format": "int32", "minimum": 100, "maximum": 599},
            "detail": text("What happened this time."),
            "code": text("The status of the call, as `NotFound` or `Unavailable`."),
            "reason": text("What refined the code: a limit that was hit, for example."),
            "processed": text("Whether the call was processed, and so whether it may be repeated."),
        },
    })
}
