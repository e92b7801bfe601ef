//! The rules of a binding to HTTP: each argument has one place in the request, and the request is one.

use crate::{
    messages,
    model::{
        ArgumentKind, Binding, Body, BodyKind, Carried, Form, HttpAttribute, Method, PathPart,
        Statuses, Value, Verb,
    },
    report::{Report, Spot},
    suggest,
};

/// What the bridge writes itself, or what belongs to a connection (RFC 9110, 7.6.1). The bridge has the same list for
/// metadata; a macro cannot depend on it, and a test compares the two.
pub(crate) const RESERVED: &[&str] = &[
    "accept-encoding",
    "baggage",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "grpc-timeout",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-request-timeout-ms",
    "x-sinew-attempt",
    "x-sinew-shadow",
];

/// The header by which servers know a request that comes again.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Finds each argument its place, and says of repeating what the verb says.
pub(super) fn binding(method: &mut Method, report: &mut Report) {
    let Some(http) = method.http.take() else { return };
    let before = report.len();
    let Some((verb, template, at)) = &http.route else {
        report.push(http.at, messages::NO_VERB);
        return;
    };
    let mut places = Places { method, used: Vec::new(), report };
    let path = match template_parts(template) {
        Ok(parts) => places.path(&parts, *at),
        Err(what) => {
            places.report.push(*at, messages::bad_template(&what));
            return;
        }
    };
    let query = places.all(&http.query);
    let headers = places.all(&http.headers);
    let body = places.body(&http, *verb, *at);
    headers_are_sound(&http, report);
    answer_is_sound(method, &http, report);
    if report.len() > before {
        return;
    }
    let has_key = headers.iter().any(|(name, _)| name == IDEMPOTENCY_KEY);
    method.options.idempotent.get_or_insert(verb.is_idempotent() || has_key);
    let is_optional = method.output.value.form() == Form::Optional;
    method.binding = Some(Binding {
        verb: *verb,
        path,
        query,
        headers,
        body,
        none: match http.none {
            Some((none, _)) => none,
            None if is_optional => vec![Statuses(404, 404)],
            None => Vec::new(),
        },
        value: http.value,
        error: http.error,
        from_header: http.from_header.map(|(name, _)| name),
    });
}

/// The arguments of a method, and which of them have their place.
struct Places<'m> {
    method: &'m Method,
    used: Vec<usize>,
    report: &'m mut Report,
}

impl Places<'_> {
    /// The place of an argument among the values, taken for this; reported where there is none to be had.
    fn take(&mut self, written: &str, at: Spot) -> Option<usize> {
        let message = match self.method.values().position(|value| value.plain_name == written) {
            Some(found) if self.used.contains(&found) => messages::carried_twice(written),
            Some(found) => {
                self.used.push(found);
                return Some(found);
            }
            None if self.is_stream(written) => messages::stream_has_no_other_place(written),
            None => {
                let names: Vec<_> = self.method.values().map(|value| &*value.plain_name).collect();
                messages::no_such_argument(written, suggest::nearest(written, &names), &names)
            }
        };
        self.report.push(at, message);
        None
    }

    fn is_stream(&self, written: &str) -> bool {
        self.method.input_stream().is_some_and(|(stream, _)| stream.plain_name == written)
    }

    fn path(&mut self, parts: &[Part<'_>], at: Spot) -> Vec<PathPart> {
        let part = |part: &Part<'_>| match part {
            Part::Text(text) => Some(PathPart::Text((*text).to_owned())),
            Part::Name(name) => self.take(name, at).map(PathPart::Argument),
        };
        parts.iter().filter_map(part).collect()
    }

    fn all(&mut self, carried: &[Carried]) -> Vec<(String, usize)> {
        let one = |one: &Carried| Some((one.name.clone(), self.take(&one.argument, one.at)?));
        carried.iter().filter_map(one).collect()
    }

    fn body(&mut self, http: &HttpAttribute, verb: Verb, at: Spot) -> Body {
        let stream = self.method.input_form();
        if let Some((kind, written, at)) = &http.body {
            if matches!(verb, Verb::Get | Verb::Head | Verb::Options) {
                self.report.push(*at, messages::body_of(name(verb)));
                return Body::None;
            }
            if let Some(form) = stream {
                self.report.push(*at, messages::STREAM_AND_BODY);
                return Body::Stream(form);
            }
            let Some(found) = self.take(written, *at) else { return Body::None };
            let is_bytes = self.method.values().nth(found).is_some_and(|argument| {
                matches!(argument.kind, ArgumentKind::Value { form: Form::Bytes })
            });
            if *kind == BodyKind::Bytes && !is_bytes {
                self.report.push(*at, messages::BYTES_BODY);
            }
            self.nothing_is_left(*at, messages::no_place_beside_the_body);
            return Body::One(*kind, found);
        }
        if let Some(form) = stream {
            if !verb.has_body() {
                self.report.push(at, messages::body_of(name(verb)));
            }
            self.nothing_is_left(at, messages::no_place_beside_the_body);
            return Body::Stream(form);
        }
        if !verb.has_body() {
            self.nothing_is_left(at, |argument| messages::has_no_place(argument, name(verb)));
            return Body::None;
        }
        let rest = self.left();
        if rest.is_empty() {
            Body::None
        } else if self.method.options.raw.is_some() {
            Body::One(BodyKind::Bytes, rest[0])
        } else {
            Body::Named(rest)
        }
    }

    fn left(&self) -> Vec<usize> {
        (0..self.method.values().count()).filter(|index| !self.used.contains(index)).collect()
    }

    /// Each argument without a place is a mistake, at the argument.
    fn nothing_is_left(&mut self, at: Spot, message: impl Fn(&str) -> messages::Message) {
        for index in self.left() {
            let argument = self.method.values().nth(index);
            let (name, at) = argument.map_or(("", at), |value| (&*value.plain_name, value.at));
            self.report.push(at, message(name));
        }
    }
}

fn headers_are_sound(http: &HttpAttribute, report: &mut Report) {
    for (index, header) in http.headers.iter().enumerate() {
        let name = &*header.name;
        let message = if !is_header(name) {
            messages::bad_header(name)
        } else if RESERVED.contains(&name) {
            messages::reserved_header(name)
        } else if http.headers[..index].iter().any(|other| other.name == name) {
            messages::header_twice(name)
        } else {
            continue;
        };
        report.push(header.name_at, message);
    }
    if let Some((name, at)) = &http.from_header
        && !is_header(name)
    {
        report.push(*at, messages::bad_header(name));
    }
}

fn answer_is_sound(method: &Method, http: &HttpAttribute, report: &mut Report) {
    if let Some((_, at)) = &http.none
        && method.output.value.form() != Form::Optional
    {
        report.push(*at, messages::NONE_WITHOUT_OPTION);
    }
    if let Some((_, at)) = &http.from_header
        && matches!(method.output.value, Value::Stream { .. })
    {
        report.push(*at, messages::HEADER_OF_A_STREAM);
    }
}

/// A name of a header in lower case.
pub(crate) fn is_header(name: &str) -> bool {
    let sound = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    !name.is_empty() && name.bytes().all(sound)
}

fn name(verb: Verb) -> &'static str {
    match verb {
        Verb::Get => "get",
        Verb::Head => "head",
        Verb::Options => "options",
        Verb::Put => "put",
        Verb::Delete => "delete",
        Verb::Post => "post",
        Verb::Patch => "patch",
    }
}

/// A piece of a template.
#[derive(Debug, PartialEq, Eq)]
enum Part<'t> {
    Text(&'t str),
    Name(&'t str),
}

/// `/users/{id}/orders` in its pieces; otherwise what is wrong with it.
fn template_parts(template: &str) -> Result<Vec<Part<'_>>, String> {
    if !template.starts_with('/') {
        return Err("it does not begin with `/`".to_owned());
    }
    // What RFC 3986 lets stand in a path, and a percent sign before two digits.
    let sound = |c: char| c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@%/{}".contains(c);
    if let Some(other) = template.chars().find(|c| !sound(*c)) {
        return Err(match other {
            '?' => "`?` begins the query: write `query = [..]`".to_owned(),
            '#' => "`#` begins what is never sent".to_owned(),
            other => format!("`{}` must be written in percent", other.escape_debug()),
        });
    }
    if template.split('/').skip(1).any(|segment| matches!(segment, "." | "..")) {
        return Err("`.` and `..` are taken away on the way".to_owned());
    }
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some((text, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else {
            return Err("a brace is not closed".to_owned());
        };
        if text.contains('}') || name.is_empty() || name.contains(['{', '/', '%']) {
            return Err("braces hold the name of an argument".to_owned());
        }
        if matches!(parts.last(), Some(Part::Name(_))) && text.is_empty() {
            return Err("two arguments stand side by side: nobody can tell them apart".to_owned());
        }
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        parts.push(Part::Name(name));
        rest = after;
    }
    if rest.contains('}') {
        return Err("a brace is not opened".to_owned());
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest));
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_taken_apart() {
        use Part::{Name, Text};
        for (template, parts) in [
            ("/", vec![Text("/")]),
            ("/users/{id}", vec![Text("/users/"), Name("id")]),
            (
                "/a/{x}.json/{y}/z",
                vec![Text("/a/"), Name("x"), Text(".json/"), Name("y"), Text("/z")],
            ),
            ("/v1/{a}:cancel", vec![Text("/v1/"), Name("a"), Text(":cancel")]),
        ] {
            assert_eq!(template_parts(template), Ok(parts), "{template}");
        }
    }

    #[test]
    fn what_is_no_template_says_why() {
        for (template, word) in [
            ("users", "begin with `/`"),
            ("", "begin with `/`"),
            ("/a?b={c}", "`?`"),
            ("/a#b", "`#`"),
            ("/a b", "` `"),
            ("/ä", "in percent"),
            ("/a/../b", "`..`"),
            ("/a/./b", "`.`"),
            ("/{a", "not closed"),
            ("/a}", "not opened"),
            ("/{a}{b}", "side by side"),
            ("/{}", "the name of an argument"),
            ("/{a{b}}", "the name of an argument"),
            ("/{a/b}", "the name of an argument"),
        ] {
            let problem = template_parts(template).unwrap_err();
            assert!(problem.contains(word), "{template}: {problem}");
        }
    }
}
