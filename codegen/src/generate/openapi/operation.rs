//! Operations as methods: where each argument goes, and what an answer means.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sinew_descriptor::{Argument, Body, Field, Http, HttpBody, HttpContent, Method, Streams, Type};

use super::{
    super::{
        Refusal,
        names::{self, Case},
    },
    Document, Version,
    schema::{Schemas, optional},
    template::template,
};
use crate::check::http::{RESERVED, is_header};

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
        let name = names::ascii(name).unwrap_or_default();
        let ident = names::plain(&names::ident(&name, Case::Value, &mut self.taken));
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
        // A name travels, and is ASCII there.
        let id = operation.get("operationId").and_then(Value::as_str).and_then(names::ascii);
        let of_path = || names::ascii(&format!("{verb}_{path}")).unwrap_or_default();
        let name = id.unwrap_or_else(of_path);
        match self.made(path, verb, item, operation, &name) {
            Ok(mut method) => {
                method.name = names::plain(&names::ident(&name, Case::Value, taken));
                Some(method)
            }
            Err(why) => {
                self.refuse(&format!("{} {path}", verb.to_uppercase()), &why);
                None
            }
        }
    }

    pub(super) fn refuse(&mut self, element: &str, why: &str) {
        self.refused.push(Refusal { element: element.to_owned(), why: why.to_owned() });
    }

    fn made(
        &mut self,
        path: &'d str,
        verb: &str,
        item: &'d Value,
        operation: &'d Value,
        name: &str,
    ) -> Result<Method, String> {
        if !operation.is_object() {
            return Err("it is no object".to_owned());
        }
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
        let left = left_out(&mut http, &mut arguments);
        let (mut output, error) = self.answers(operation, name, &mut http);
        if verb == "head" {
            // Its answer is the one of GET without the body.
            (output, http.content, http.none) = (Type::Unit, HttpContent::Nothing, Vec::new());
        }
        let mut all = arguments.required;
        all.extend(arguments.optional);
        if all.len() > ARGUMENTS_MAX {
            return Err(too_many(all.len()));
        }
        Ok(Method {
            name: String::new(),
            doc: words(operation, &left),
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
        let (mut all, mut known) = (Vec::new(), BTreeSet::new());
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
            let same = if place == "header" { name.to_ascii_lowercase() } else { name.to_owned() };
            if !known.insert((same, place)) {
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
        let needed = parameters.iter().filter(|parameter| parameter.place == "path").count();
        if needed > ARGUMENTS_MAX {
            return Err(too_many(needed));
        }
        let mut in_path = BTreeMap::new();
        for parameter in parameters {
            let hint = format!("{name}_{}", parameter.name);
            match parameter.place {
                "path" => {
                    let placeholder = format!("{{{}}}", parameter.name);
                    if !path.contains(&placeholder) {
                        return Err(format!("the path has no `{placeholder}`"));
                    }
                    let ty = self.scalar(parameter, &hint)?;
                    in_path.insert(parameter.name, arguments.add(parameter.name, ty, true));
                }
                "query" => {
                    let ty = self.schemas.ty(parameter.schema, &hint);
                    let ident = arguments.add(parameter.name, ty, parameter.required);
                    http.query.push((parameter.name.to_owned(), ident));
                }
                "header" => {
                    let header = parameter.name.to_ascii_lowercase();
                    if !is_sent(&header, parameter.required)? {
                        continue;
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
        let template = template(path, &in_path)?;
        let is_there = |name: &str| http.query.iter().any(|(known, _)| known == name);
        if let Some((name, _)) = template.query.iter().find(|(name, _)| is_there(name)) {
            return Err(format!("`{name}` is a parameter of its query and stands in its path"));
        }
        http.path = template.path;
        // Behind the path first, as it is written.
        http.query.splice(0..0, template.query);
        Ok(())
    }

    /// The type of what has one place: a text, a number.
    fn scalar(&mut self, parameter: &Parameter<'d>, hint: &str) -> Result<Type, String> {
        Ok(match self.schemas.ty(parameter.schema, hint) {
            // A list in one place is a text with commas, as it has always been; an object has no usual form there.
            Type::List(_) | Type::Map(..) | Type::Opaque(_) => Type::Text,
            Type::Named(named) if self.schemas.is_struct(&named) => Type::Text,
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
        // Of a body of DELETE HTTP says no more than of GET's, but it is what many document, and may be sent.
        if !matches!(&*http.verb, "post" | "put" | "patch" | "delete") {
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

    /// More parameters of the query than a method has arguments are the fields of one: those that may be left out first.
    fn folded(&mut self, name: &str, http: &mut Http, arguments: &mut Arguments) {
        let mut fields = Vec::new();
        let mut folded = BTreeSet::new();
        let in_query: BTreeMap<&str, &str> =
            http.query.iter().map(|(parameter, ident)| (&**ident, &**parameter)).collect();
        for needed in [false, true] {
            // One that is the fields of others is an argument as well.
            let count = arguments.required.len() + arguments.optional.len();
            if count + usize::from(!fields.is_empty()) <= ARGUMENTS_MAX {
                break;
            }
            let all = if needed { &mut arguments.required } else { &mut arguments.optional };
            all.retain(|argument| {
                let parameter = in_query.get(&*argument.name);
                if let Some(parameter) = parameter {
                    fields.push(field(parameter, argument.ty.clone(), needed));
                    folded.insert(argument.name.clone());
                }
                parameter.is_none()
            });
        }
        if fields.is_empty() {
            return;
        }
        http.query.retain(|(_, ident)| !folded.contains(ident));
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

/// Whether a call gives this header.
///
/// # Errors
/// It must, and cannot.
fn is_sent(header: &str, is_needed: bool) -> Result<bool, String> {
    if SAID_OTHERWISE.contains(&header) {
        return Ok(false);
    }
    let why = if RESERVED.contains(&header) {
        format!("the header `{header}` is the bridge's own")
    } else if !is_header(header) {
        format!("`{header}` is no name of a header")
    } else {
        return Ok(true);
    };
    if is_needed { Err(why) } else { Ok(false) }
}

fn too_many(arguments: usize) -> String {
    format!("it needs {arguments} arguments, and a method has at most {ARGUMENTS_MAX}")
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

/// Headers that need not be given are metadata of the call, where there would be more arguments than a method has.
fn left_out(http: &mut Http, arguments: &mut Arguments) -> Vec<String> {
    if arguments.required.len() + arguments.optional.len() <= ARGUMENTS_MAX {
        return Vec::new();
    }
    let optional: BTreeSet<_> = arguments.optional.iter().map(|one| one.name.clone()).collect();
    let headers = std::mem::take(&mut http.headers).into_iter();
    let (left, kept): (Vec<_>, _) = headers.partition(|(_, ident)| optional.contains(ident));
    http.headers = kept;
    arguments.optional.retain(|one| !left.iter().any(|(_, ident)| *ident == one.name));
    left.into_iter().map(|(header, _)| header).collect()
}

/// What the document says of an operation, and which headers it may be given as metadata.
fn words(operation: &Value, left: &[String]) -> String {
    let text = |key| operation.get(key).and_then(Value::as_str).unwrap_or_default().trim();
    let (summary, description) = (text("summary"), text("description"));
    let description = if summary == description { "" } else { description };
    let metadata = match left {
        [] => String::new(),
        left => format!("Metadata of the call may be: `{}`.", left.join("`, `")),
    };
    let all = [summary, description, &metadata];
    all.into_iter().filter(|words| !words.is_empty()).collect::<Vec<_>>().join("\n\n")
}
