//! Operations as methods: where each argument goes, and what an answer means.

use std::collections::BTreeSet;

use serde_json::Value;
use sinew_descriptor::{Argument, Body, Field, Http, HttpBody, HttpContent, Method, Streams, Type};

use super::{
    super::{
        Refusal,
        names::{self, Case},
    },
    Document, Version,
    schema::{Schemas, optional},
};
use crate::check::http::RESERVED;

/// What a method can have; optional parameters of the query beyond that are one argument.
const ARGUMENTS_MAX: usize = 12;

/// Headers that no call gives: a credential or a kind of content is said otherwise.
const SAID_OTHERWISE: &[&str] = &["accept", "authorization", "content-type"];

/// Everything that is made of a document's operations.
pub(super) struct Operations<'d> {
    pub(super) document: Document<'d>,
    pub(super) version: Version,
    pub(super) schemas: Schemas<'d>,
    pub(super) refused: Vec<Refusal>,
}

/// A parameter, of the operation or of its path.
struct Parameter<'d> {
    name: &'d str,
    place: &'d str,
    required: bool,
    schema: &'d Value,
}

/// The arguments of a method as they are found.
struct Arguments {
    required: Vec<Argument>,
    optional: Vec<Argument>,
    taken: BTreeSet<String>,
}

impl Arguments {
    /// The name of the argument for this.
    fn add(&mut self, name: &str, ty: Type, required: bool) -> String {
        let ident = names::plain(&names::ident(name, Case::Value, &mut self.taken));
        let ty = if required { ty } else { optional(ty) };
        let argument = Argument { name: ident.clone(), ty, optional: !required };
        if required {
            self.required.push(argument)
        } else {
            self.optional.push(argument)
        }
        ident
    }
}

impl<'d> Operations<'d> {
    /// The method of an operation; without one it is refused.
    pub(super) fn method(
        &mut self,
        path: &'d str,
        verb: &str,
        item: &'d Value,
        operation: &'d Value,
        taken: &mut BTreeSet<String>,
    ) -> Option<Method> {
        let id = operation.get("operationId").and_then(Value::as_str);
        let name = id.map_or_else(|| format!("{verb}_{path}"), str::to_owned);
        match self.made(path, verb, item, operation, &name) {
            Ok(mut method) => {
                method.name = names::plain(&names::ident(&name, Case::Value, taken));
                Some(method)
            }
            Err(why) => {
                let element = format!("{} {path}", verb.to_uppercase());
                self.refused.push(Refusal { element, why });
                None
            }
        }
    }

    fn made(
        &mut self,
        path: &'d str,
        verb: &str,
        item: &'d Value,
        operation: &'d Value,
        name: &str,
    ) -> Result<Method, String> {
        if verb == "trace" {
            return Err("TRACE sends a request back as it came, and is not spoken".to_owned());
        }
        let mut arguments =
            Arguments { required: Vec::new(), optional: Vec::new(), taken: BTreeSet::new() };
        let mut http = Http {
            verb: verb.to_owned(),
            path: path.to_owned(),
            query: Vec::new(),
            headers: Vec::new(),
            body: HttpBody::None,
            value: Vec::new(),
            error: Vec::new(),
            none: Vec::new(),
            content: HttpContent::Json,
        };
        let parameters = self.parameters(item, operation)?;
        self.places(path, &parameters, name, &mut http, &mut arguments)?;
        self.body(operation, &parameters, name, &mut http, &mut arguments)?;
        self.folded(name, &mut http, &mut arguments);
        let (mut output, error) = self.answers(operation, name, &mut http);
        if verb == "head" {
            // Its answer is the one of GET without the body.
            (output, http.content, http.none) = (Type::Unit, HttpContent::Nothing, Vec::new());
        }
        let mut all = arguments.required;
        all.extend(arguments.optional);
        if all.len() > ARGUMENTS_MAX {
            return Err(format!(
                "it needs {} arguments, and a method has at most {ARGUMENTS_MAX}",
                all.len()
            ));
        }
        Ok(Method {
            name: String::new(),
            doc: words(operation),
            streams: Streams::None,
            idempotent: !matches!(verb, "post" | "patch"),
            raw: false,
            trust_layout: false,
            timeout_us: None,
            criticality: None,
            hedge: None,
            key: None,
            arguments: all,
            input: None,
            output,
            error,
            http: Some(http),
            fingerprint: None,
            not_bincode: Vec::new(),
            not_named: None,
        })
    }

    /// Those of the operation, and those of its path that it does not say anew.
    fn parameters(
        &self,
        item: &'d Value,
        operation: &'d Value,
    ) -> Result<Vec<Parameter<'d>>, String> {
        let mut all: Vec<Parameter<'d>> = Vec::new();
        let listed = [operation, item].map(|of| of.get("parameters").and_then(Value::as_array));
        for parameter in listed.into_iter().flatten().flatten() {
            let parameter = self
                .document
                .resolved(parameter)
                .ok_or("the reference of a parameter leads nowhere in this document")?;
            let text = |key| parameter.get(key).and_then(Value::as_str);
            let (Some(name), Some(place)) = (text("name"), text("in")) else {
                return Err("a parameter has no `name` or no `in`".to_owned());
            };
            if all.iter().any(|known| known.name == name && known.place == place) {
                continue;
            }
            let required = parameter.get("required").and_then(Value::as_bool).unwrap_or_default();
            // In 3.x the schema stands for itself or for a kind of content; in 2.0 the parameter is one.
            let content = parameter.get("content").and_then(Value::as_object);
            let content = content.and_then(|content| content.values().next());
            let schema = parameter.get("schema").or_else(|| content?.get("schema"));
            all.push(Parameter { name, place, required, schema: schema.unwrap_or(parameter) });
        }
        Ok(all)
    }

    /// Parameters of the path, the query and the headers.
    fn places(
        &mut self,
        path: &str,
        parameters: &[Parameter<'d>],
        name: &str,
        http: &mut Http,
        arguments: &mut Arguments,
    ) -> Result<(), String> {
        let mut template = path.to_owned();
        for parameter in parameters {
            let hint = format!("{name}_{}", parameter.name);
            match parameter.place {
                "path" => {
                    let placeholder = format!("{{{}}}", parameter.name);
                    if !template.contains(&placeholder) {
                        return Err(format!("the path has no `{placeholder}`"));
                    }
                    let ty = self.scalar(parameter, &hint)?;
                    let ident = arguments.add(parameter.name, ty, true);
                    template = template.replace(&placeholder, &format!("{{{ident}}}"));
                }
                "query" => {
                    let ty = self.schemas.ty(parameter.schema, &hint);
                    let ident = arguments.add(parameter.name, ty, parameter.required);
                    http.query.push((parameter.name.trim_end_matches("[]").to_owned(), ident));
                }
                "header" => {
                    let header = parameter.name.to_ascii_lowercase();
                    let is_ours = RESERVED.contains(&&*header);
                    if SAID_OTHERWISE.contains(&&*header) || is_ours && !parameter.required {
                        continue;
                    }
                    if is_ours {
                        return Err(format!("the header `{header}` is the bridge's own"));
                    }
                    let ty = self.scalar(parameter, &hint)?;
                    let ident = arguments.add(parameter.name, ty, parameter.required);
                    http.headers.push((header, ident));
                }
                "cookie" if parameter.required => {
                    return Err(format!(
                        "the cookie `{}` is needed; give it as metadata `cookie`",
                        parameter.name
                    ));
                }
                _ => {}
            }
        }
        http.path = template.split(['?', '#']).next().unwrap_or_default().to_owned();
        let named = |name: &str| arguments.required.iter().any(|argument| argument.name == name);
        let mut placeholders =
            http.path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
        match placeholders.find(|name| !named(name)) {
            Some(name) => Err(format!("`{{{name}}}` in its path is no parameter of it")),
            None => Ok(()),
        }
    }

    /// The type of what has one place: a text, a number.
    fn scalar(&mut self, parameter: &Parameter<'d>, hint: &str) -> Result<Type, String> {
        Ok(match self.schemas.ty(parameter.schema, hint) {
            // A list in one place is a text with commas, as it has always been.
            Type::List(_) | Type::Opaque(_) => Type::Text,
            other => other,
        })
    }

    fn body(
        &mut self,
        operation: &'d Value,
        parameters: &[Parameter<'d>],
        name: &str,
        http: &mut Http,
        arguments: &mut Arguments,
    ) -> Result<(), String> {
        let found = match self.version {
            Version::Two => self.body_of_two(operation, parameters, name)?,
            Version::Three => self.body_of_three(operation, name)?,
        };
        let Some((kind, ty)) = found else { return Ok(()) };
        if !matches!(&*http.verb, "post" | "put" | "patch") {
            return Err(format!(
                "{} has a body, of which HTTP does not say what it means",
                http.verb.to_uppercase()
            ));
        }
        // Without a body there would be `null`, which is another thing.
        let ident = arguments.add("body", ty, true);
        http.body = match kind {
            "form" => HttpBody::Form(ident),
            "bytes" => HttpBody::Bytes(ident),
            _ => HttpBody::Json(ident),
        };
        Ok(())
    }

    fn body_of_two(
        &mut self,
        operation: &'d Value,
        parameters: &[Parameter<'d>],
        name: &str,
    ) -> Result<Option<(&'static str, Type)>, String> {
        if let Some(body) = parameters.iter().find(|parameter| parameter.place == "body") {
            let ty = self.schemas.ty(body.schema, &format!("{name}_body"));
            return Ok(Some(("json", ty)));
        }
        let form: Vec<_> =
            parameters.iter().filter(|parameter| parameter.place == "formData").collect();
        if form.is_empty() {
            return Ok(None);
        }
        let kinds = operation.get("consumes").and_then(Value::as_array).into_iter().flatten();
        let is_parts = kinds.filter_map(Value::as_str).any(|kind| kind.starts_with("multipart/"));
        let has_file = form
            .iter()
            .any(|parameter| parameter.schema.get("type").and_then(Value::as_str) == Some("file"));
        if has_file
            || is_parts && form.iter().any(|parameter| parameter.schema.get("items").is_some())
        {
            return Err(
                "it takes a form of several parts (multipart), which is not written".to_owned()
            );
        }
        let fields = form.iter().map(|parameter| {
            let ty = self.schemas.ty(parameter.schema, &format!("{name}_{}", parameter.name));
            field(parameter.name, ty, parameter.required)
        });
        let fields = fields.collect();
        Ok(Some(("form", self.schemas.own(&format!("{name}_form"), Body::Struct(fields)))))
    }

    fn body_of_three(
        &mut self,
        operation: &'d Value,
        name: &str,
    ) -> Result<Option<(&'static str, Type)>, String> {
        let Some(body) = operation.get("requestBody") else { return Ok(None) };
        let body = self
            .document
            .resolved(body)
            .ok_or("the reference of its body leads nowhere in this document")?;
        let Some(content) = body.get("content").and_then(Value::as_object) else { return Ok(None) };
        let schema_of = |is: &dyn Fn(&str) -> bool| {
            let found = content.iter().find(|(kind, _)| is(kind));
            found.map(|(_, content)| content.get("schema"))
        };
        let hint = format!("{name}_body");
        if let Some(schema) = schema_of(&is_json) {
            let ty = schema.map_or_else(any, |schema| self.schemas.ty(schema, &hint));
            return Ok(Some(("json", ty)));
        }
        if let Some(schema) =
            schema_of(&|kind| kind.starts_with("application/x-www-form-urlencoded"))
        {
            let ty = schema.map_or_else(any, |schema| self.schemas.ty(schema, &hint));
            return Ok(Some(("form", ty)));
        }
        match content.keys().find(|kind| !kind.starts_with("multipart/")) {
            Some(_) => Ok(Some(("bytes", Type::Bytes))),
            None if content.is_empty() => Ok(None),
            None => {
                Err("it takes a form of several parts (multipart), which is not written".to_owned())
            }
        }
    }

    /// More optional parameters of the query than a method has arguments are the fields of one.
    fn folded(&mut self, name: &str, http: &mut Http, arguments: &mut Arguments) {
        if arguments.required.len() + arguments.optional.len() <= ARGUMENTS_MAX {
            return;
        }
        let in_query =
            |argument: &Argument| http.query.iter().find(|(_, ident)| *ident == argument.name);
        let mut fields = Vec::new();
        let mut rest = Vec::new();
        for argument in std::mem::take(&mut arguments.optional) {
            match in_query(&argument) {
                Some((parameter, _)) => fields.push(field(parameter, argument.ty.clone(), false)),
                None => rest.push(argument),
            }
        }
        http.query.retain(|(_, ident)| arguments.required.iter().any(|one| one.name == *ident));
        arguments.optional = rest;
        let ty = self.schemas.own(&format!("{name}_query"), Body::Struct(fields));
        let ident = arguments.add("query", ty, true);
        http.query.push((ident.clone(), ident));
    }

    /// What it answers with when all goes well, and when it does not.
    fn answers(
        &mut self,
        operation: &'d Value,
        name: &str,
        http: &mut Http,
    ) -> (Type, Option<Type>) {
        let answers = operation.get("responses").and_then(Value::as_object);
        let (mut output, mut error, mut is_empty) = (None, None, false);
        for (status, answer) in answers.into_iter().flatten() {
            let Some(answer) = self.document.resolved(answer) else { continue };
            let is_good = status.starts_with('2');
            let content = self.content(answer, name, is_good);
            match (is_good, content) {
                (true, Some(ty)) if output.is_none() => output = Some(ty),
                (true, None) => is_empty |= status == "204",
                (false, Some(ty @ Type::Named(_)))
                    if error.is_none() && !status.starts_with(['1', '3']) =>
                {
                    error = Some(ty);
                }
                _ => {}
            }
        }
        let output = match output {
            Some(ty @ (Type::Bytes | Type::Text | Type::Unit | Type::Opaque(_))) => ty,
            // Both are answers: one with a value, one without.
            Some(ty) if is_empty => {
                http.none = vec![(204, 204)];
                optional(ty)
            }
            Some(ty) => ty,
            None => Type::Unit,
        };
        http.content = match output {
            Type::Bytes => HttpContent::Bytes,
            Type::Text => HttpContent::Text,
            Type::Unit => HttpContent::Nothing,
            _ => HttpContent::Json,
        };
        (output, error)
    }

    /// The type of an answer's body, if it has one.
    fn content(&mut self, answer: &'d Value, name: &str, is_good: bool) -> Option<Type> {
        let hint = if is_good { format!("{name}_answer") } else { format!("{name}_error") };
        if self.version == Version::Two {
            let schema = answer.get("schema")?;
            if schema.get("type").and_then(Value::as_str) == Some("file") {
                return Some(Type::Bytes);
            }
            return Some(self.schemas.ty(schema, &hint));
        }
        let content = answer.get("content").and_then(Value::as_object)?;
        let json = content.iter().find(|(kind, _)| is_json(kind));
        if let Some((_, content)) = json {
            let schema = content.get("schema");
            return Some(schema.map_or_else(any, |schema| self.schemas.ty(schema, &hint)));
        }
        let (kind, _) = content.iter().next()?;
        Some(if kind.starts_with("text/") { Type::Text } else { Type::Bytes })
    }
}

fn any() -> Type {
    super::schema::opaque("it can be anything")
}

fn field(name: &str, ty: Type, required: bool) -> Field {
    let ty = if required { ty } else { optional(ty) };
    Field { name: name.to_owned(), ty, optional: !required, alias: false, omitted: !required }
}

fn is_json(kind: &str) -> bool {
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind == "application/json" || kind.ends_with("+json") || kind == "*/*"
}

/// What the document says of an operation.
fn words(operation: &Value) -> String {
    let text = |key| operation.get(key).and_then(Value::as_str).unwrap_or_default().trim();
    let (summary, description) = (text("summary"), text("description"));
    match (summary, description) {
        ("", one) | (one, "") => one.to_owned(),
        (summary, description) if summary == description => summary.to_owned(),
        (summary, description) => format!("{summary}\n\n{description}"),
    }
}
