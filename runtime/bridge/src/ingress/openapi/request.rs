//! The request of a method: its verb and path, its parameters, its body.
//!
//! # Invariants
//! 1. No operation has two parameters of one name in one place: the first has it.
//! 2. What a caller may leave out is not required: an option, and a list, of which an empty one is nothing in a query.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sinew::descriptor::{Argument, Http, HttpBody, Method, Service, Type};

use super::{braces, schema::Scope};

/// A request, as OpenAPI says it.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) verb: String,
    pub(super) path: String,
    pub(super) parameters: Vec<Value>,
    pub(super) body: Option<Value>,
    /// What else there is to say.
    pub(super) notes: Vec<String>,
}

pub(super) fn request<'d>(
    scope: &mut Scope<'_, 'd>,
    service: &'d Service,
    method: &'d Method,
) -> Request {
    let mut notes = Vec::new();
    match &method.http {
        Some(http) => {
            let mut parameters = Parameters { scope, seen: BTreeSet::new(), all: Vec::new() };
            parameters.bound(http, method);
            let parameters = parameters.all;
            Request {
                verb: http.verb.clone(),
                path: http.path.clone(),
                parameters,
                body: bound_body(scope, http, method, &mut notes),
                notes,
            }
        }
        None => Request {
            verb: "post".to_owned(),
            path: format!("/{}/{}", service.name, method.name),
            parameters: Vec::new(),
            body: usual_body(scope, method, &mut notes),
            notes,
        },
    }
}

/// The parameters of an operation as they are found.
struct Parameters<'p, 's, 'd> {
    scope: &'p mut Scope<'s, 'd>,
    seen: BTreeSet<(&'static str, String)>,
    all: Vec<Value>,
}

impl<'d> Parameters<'_, '_, 'd> {
    fn bound(&mut self, http: &'d Http, method: &'d Method) {
        for name in braces(&http.path) {
            match argument(method, name) {
                Some(argument) => self.add("path", name, &argument.ty, true),
                None => self.add("path", name, &Type::Text, true),
            }
        }
        for (name, of) in &http.query {
            if let Some(argument) = argument(method, of) {
                self.query(name, argument);
            }
        }
        for (name, of) in &http.headers {
            if let Some(argument) = argument(method, of) {
                self.add("header", name, &argument.ty, !argument.optional);
            }
        }
    }

    /// An argument in the query: a struct is its fields.
    fn query(&mut self, name: &str, argument: &'d Argument) {
        let ty = self.some(&argument.ty);
        let Some(fields) = self.scope.fields(ty) else {
            return self.add("query", name, &argument.ty, !argument.optional);
        };
        let is_option = matches!(self.scope.bare(&argument.ty), Type::Option(_));
        let is_needed = !argument.optional && !is_option;
        for field in fields.iter().filter(|field| !field.alias) {
            self.add("query", &field.name, &field.ty, is_needed && !field.optional);
        }
    }

    fn add(&mut self, place: &'static str, name: &str, ty: &'d Type, is_needed: bool) {
        let inner = self.some(ty);
        // Nothing is sent for it, unless it stands in the path, which is whole.
        let is_nothing = *inner == Type::Unit && place != "path";
        if is_nothing || !self.seen.insert((place, name.to_owned())) {
            return;
        }
        let is_list = matches!(inner, Type::List(_));
        let is_option = matches!(self.scope.bare(ty), Type::Option(_));
        let is_needed = place == "path" || is_needed && !is_option && !is_list;
        // Without its option a type is written as it is: one that may be missing is never `null` here.
        let schema = self.scope.schema(if is_option { inner } else { ty });
        let mut parameter =
            json!({"name": name, "in": place, "required": is_needed, "schema": schema});
        if place == "query" && (is_list || matches!(inner, Type::Map(..) | Type::Tuple(_))) {
            parameter["style"] = json!("form");
            parameter["explode"] = json!(true);
        }
        self.all.push(parameter);
    }

    /// What is written of a type where there is something to write.
    fn some(&self, ty: &'d Type) -> &'d Type {
        self.scope.some(ty).unwrap_or(&Type::Unit)
    }
}

fn argument<'d>(method: &'d Method, name: &str) -> Option<&'d Argument> {
    method.arguments.iter().find(|argument| argument.name == name)
}

/// The body that a binding says.
fn bound_body<'d>(
    scope: &mut Scope<'_, 'd>,
    http: &'d Http,
    method: &'d Method,
    notes: &mut Vec<String>,
) -> Option<Value> {
    let mut of = |kind: &str, name: &str| {
        let argument = argument(method, name)?;
        let is_needed = !argument.optional;
        Some(content(kind, scope.schema(&argument.ty), is_needed))
    };
    match &http.body {
        HttpBody::None => None,
        HttpBody::Json(name) => of("application/json", name),
        HttpBody::Form(name) => of("application/x-www-form-urlencoded", name),
        HttpBody::Bytes(_) => Some(bytes()),
        HttpBody::Named(names) => {
            let named = names.iter().filter_map(|name| argument(method, name));
            arguments(scope, named)
        }
        HttpBody::Items => items(scope, method, notes),
        HttpBody::Chunks => Some(bytes()),
    }
}

/// The body of a method whose trait says nothing of HTTP.
fn usual_body<'d>(
    scope: &mut Scope<'_, 'd>,
    method: &'d Method,
    notes: &mut Vec<String>,
) -> Option<Value> {
    if method.raw {
        return Some(bytes());
    }
    let Some(input) = &method.input else { return arguments(scope, &method.arguments) };
    if method.arguments.is_empty() {
        return items(scope, method, notes);
    }
    notes.push(format!(
        "The body is lines of JSON: the first is an object of the arguments, each one after it an item of `{}`.",
        input.name
    ));
    let first = object(scope, &method.arguments);
    let schema = json!({
        "anyOf": [first, scope.schema(&input.item)], "description": "The arguments, then the items: one in a line.",
    });
    Some(content("application/x-ndjson", schema, true))
}

/// A JSON object of these; nothing where there are none.
fn arguments<'d>(
    scope: &mut Scope<'_, 'd>,
    arguments: impl IntoIterator<Item = &'d Argument>,
) -> Option<Value> {
    let mut arguments = arguments.into_iter().peekable();
    arguments.peek()?;
    Some(content("application/json", object(scope, arguments), true))
}

fn object<'d>(
    scope: &mut Scope<'_, 'd>,
    arguments: impl IntoIterator<Item = &'d Argument>,
) -> Value {
    let parts = arguments.into_iter();
    scope.object(parts.map(|argument| (&*argument.name, &argument.ty, !argument.optional)))
}

fn items<'d>(
    scope: &mut Scope<'_, 'd>,
    method: &'d Method,
    notes: &mut Vec<String>,
) -> Option<Value> {
    let input = method.input.as_ref()?;
    notes.push(format!("The body is lines of JSON, each an item of `{}`.", input.name));
    Some(content("application/x-ndjson", scope.schema(&input.item), true))
}

fn bytes() -> Value {
    content("application/octet-stream", json!({"type": "string", "format": "binary"}), true)
}

fn content(kind: &str, schema: Value, is_needed: bool) -> Value {
    json!({"required": is_needed, "content": {kind: {"schema": schema}}})
}
