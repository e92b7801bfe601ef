//! Every wording of the macro, in one place to be reviewed together.
//!
//! Rules: lower case, no full stop, names in backticks; `what` says what is wrong, `hint` what to
//! write instead.

use std::{borrow::Cow, fmt};

/// What is wrong, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    what: Cow<'static, str>,
    hint: Cow<'static, str>,
}

#[cfg(feature = "tools")]
impl Message {
    /// What is wrong.
    pub(crate) fn what(&self) -> &str {
        &self.what
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\nhelp: {}", self.what, self.hint)
    }
}

const fn fixed(what: &'static str, hint: &'static str) -> Message {
    Message { what: Cow::Borrowed(what), hint: Cow::Borrowed(hint) }
}

fn message(what: impl Into<Cow<'static, str>>, hint: impl Into<Cow<'static, str>>) -> Message {
    Message { what: what.into(), hint: hint.into() }
}

// -- the item --

pub(crate) const ON_AN_IMPL: Message = fixed(
    "`#[service]` goes on the trait, not on what implements it",
    "remove it here: an implementation is an ordinary `impl` with `async fn`s",
);

pub(crate) fn not_a_trait(kind: &str) -> Message {
    message(
        format!("`#[service]` goes on a trait, this is {kind}"),
        "declare the service as `trait Name { async fn method(&self, ..) -> ..; }`",
    )
}

pub(crate) fn syntax(what: String) -> Message {
    message(what, "declare the service as `trait Name { async fn method(&self, ..) -> ..; }`")
}

pub(crate) const SERVICE_TWICE: Message =
    fixed("a trait is a service once", "keep one `#[service(..)]`, with all that the two say");

pub(crate) const RPC_ON_TRAIT: Message = fixed(
    "`#[rpc(..)]` goes on a method",
    "name the service with `#[service(name = \"..\")]`; write the rest on each method",
);

pub(crate) const UNSAFE_TRAIT: Message = fixed(
    "a service trait cannot be `unsafe` or `auto`",
    "remove the word: a caller on another machine can uphold nothing",
);

pub(crate) const GENERIC_TRAIT: Message = fixed(
    "a service trait cannot be generic",
    "name the types: callers and servers are compiled apart and must agree on them",
);

pub(crate) const TRAIT_WHERE: Message = fixed(
    "a service trait cannot have a `where` clause",
    "write bounds on the implementation as supertraits: `trait Name: Bound`",
);

pub(crate) const ASSOCIATED_TYPE: Message = fixed(
    "a service trait cannot have associated types",
    "name the type: callers and servers are compiled apart and must agree on it",
);

pub(crate) const ASSOCIATED_CONST: Message = fixed(
    "a service trait cannot have associated constants",
    "put the constant beside the trait, or make it a method that returns it",
);

pub(crate) const MACRO_IN_TRAIT: Message = fixed(
    "`#[service]` cannot see what a macro inside the trait expands to",
    "write the methods out",
);

pub(crate) const UNKNOWN_ITEM: Message =
    fixed("a service trait holds methods only", "write `async fn name(&self, ..) -> ..;`");

pub(crate) const VISIBILITY: Message =
    fixed("a method of a trait is as visible as its trait", "remove the visibility here");

// -- signatures --

pub(crate) const NOT_ASYNC: Message =
    fixed("a service method must be `async fn`", "write `async` in front of `fn`");

pub(crate) const RETURNS_FUTURE: Message = fixed(
    "a service method must be `async fn`",
    "write `async fn name(&self, ..) -> T` for `impl Future<Output = T> + Send`",
);

pub(crate) const NO_RECEIVER: Message = fixed(
    "a service method must take `&self`",
    "write `&self` as the first argument: the implementation that serves the call",
);

pub(crate) const RECEIVER: Message = fixed(
    "a service method must take `&self`",
    "write `&self`: one implementation serves all calls at once, so what changes in it goes into a \
     lock, an atomic or a channel",
);

pub(crate) fn modifier(word: &str) -> Message {
    message(
        format!("a service method cannot be `{word}`"),
        format!("remove `{word}`: it has no meaning for a caller on another machine"),
    )
}

pub(crate) const VARIADIC: Message =
    fixed("a service method has a fixed list of arguments", "take a `Vec<T>` instead of `...`");

pub(crate) const GENERIC_METHOD: Message = fixed(
    "a service method cannot be generic",
    "name the type, or take an enum of those that it may be",
);

pub(crate) const LIFETIME_PARAMETER: Message = fixed(
    "a service method cannot have lifetime parameters",
    "remove them and take owned values, such as `String` and `Vec<T>`: nothing borrowed can be sent",
);

pub(crate) const METHOD_WHERE: Message = fixed(
    "a service method cannot have a `where` clause",
    "remove it: the types of a service method are concrete",
);

pub(crate) const PATTERN_ARGUMENT: Message = fixed(
    "an argument of a service method must be a plain name",
    "write `name: Type` and take the value apart in the implementation",
);

pub(crate) const UNNAMED_ARGUMENT: Message = fixed(
    "an argument of a service method needs a name",
    "write `name: Type`: tools and other wires know arguments by name",
);

pub(crate) const ARGUMENT_ATTRIBUTE: Message = fixed(
    "an argument of a service method cannot have attributes",
    "remove it; for `#[cfg]`, write the method twice, each with its own `#[cfg]`",
);

pub(crate) fn argument_twice(name: &str) -> Message {
    message(format!("two arguments are named `{name}`"), "give each a name of its own")
}

pub(crate) fn too_many_arguments(count: usize, limit: usize) -> Message {
    message(
        format!("this method has {count} arguments, of at most {limit}"),
        "group them in a struct",
    )
}

// -- types --

pub(crate) fn borrowed(instead: &str) -> Message {
    message("a borrowed value cannot be sent", format!("write `{instead}`"))
}

pub(crate) const BORROWED_OBJECT: Message = fixed(
    "a borrowed value cannot be sent, nor can one of an unknown type",
    "name the type, or take an enum of those that it may be",
);

pub(crate) const BORROWED_INSIDE: Message = fixed(
    "a borrowed value cannot be sent",
    "use a type that owns what it holds; where it must have a lifetime, write `'static`",
);

pub(crate) const IMPL_TRAIT: Message = fixed(
    "`impl Trait` does not say what is sent",
    "name the type, or use an enum of those that it may be",
);

pub(crate) const SELF_TYPE: Message = fixed(
    "`Self` is the implementation, which callers do not have",
    "name a type that both sides share",
);

pub(crate) const STREAM_WITHOUT_ITEM: Message = fixed(
    "`Streaming` needs the type of its items and nothing more",
    "write `Streaming<Item>`: the error of the stream is the method's",
);

pub(crate) const STREAM_INSIDE: Message = fixed(
    "a stream cannot be inside another type",
    "make `Streaming<Item>` an argument of its own, or the whole of what is returned: \
     `Streaming<Item>` or `Result<Streaming<Item>, E>`",
);

pub(crate) const TWO_STREAMS: Message = fixed(
    "a method takes at most one stream",
    "merge them into one `Streaming<Item>`, with an enum as its item",
);

// -- attributes --

pub(crate) fn unknown_key(written: &str, nearest: Option<&str>, known: &str) -> Message {
    let hint = match nearest {
        Some(word) => format!("did you mean `{word}`?"),
        None => format!("these are known: {known}"),
    };
    message(format!("unknown attribute `{written}`"), hint)
}

pub(crate) fn key_twice(key: &str) -> Message {
    message(format!("`{key}` is given twice"), "keep one of the two")
}

pub(crate) fn takes_no_value(key: &str) -> Message {
    message(format!("`{key}` takes no value"), format!("write `{key}` alone, or leave it out"))
}

pub(crate) fn needs_bool(key: &str) -> Message {
    message(
        format!("`{key}` is true or false"),
        format!(
            "write `{key}` alone, or `{key} = false` where a binding to HTTP would say otherwise"
        ),
    )
}

pub(crate) fn needs_text(key: &str, example: &str) -> Message {
    message(format!("`{key}` needs a value in quotes"), format!("write `{key} = \"{example}\"`"))
}

pub(crate) const ATTRIBUTE_SYNTAX: Message =
    fixed("this is no attribute", "write `key` or `key = \"value\"`, separated by commas");

pub(crate) fn attribute_form(name: &str) -> Message {
    message(
        format!("`#[{name}]` takes its attributes in parentheses"),
        format!("write `#[{name}(..)]`"),
    )
}

pub(crate) const CONDITIONAL_RPC: Message = fixed(
    "`#[service]` cannot see through `#[cfg_attr]`",
    "write the method twice, once under `#[cfg(..)]` and once under `#[cfg(not(..))]`",
);

pub(crate) fn bad_time(written: &str) -> Message {
    message(
        format!("`{written}` is not a time"),
        "write a whole number and one of `ns`, `us`, `ms`, `s` and `m`: `timeout = \"500ms\"`",
    )
}

pub(crate) const TIME_TOO_SHORT: Message = fixed(
    "the timeout is below 1 ms, and a call with less time than that is not sent",
    "write at least `timeout = \"1ms\"`, or leave it out for the default",
);

pub(crate) const TIME_TOO_LONG: Message = fixed(
    "the timeout is above 5 minutes, which is the most that any call gets",
    "write at most `timeout = \"5m\"`; for longer work return a `Streaming` of its progress",
);

pub(crate) fn unknown_criticality(written: &str, nearest: Option<&str>, known: &str) -> Message {
    let hint = match nearest {
        Some(word) => format!("did you mean `{word}`?"),
        None => format!("from the most to the least important: {known}"),
    };
    message(format!("unknown criticality `{written}`"), hint)
}

pub(crate) const RETRY: Message = fixed(
    "retries are not asked for: what did not run is repeated, and what is idempotent even if it may have run",
    "write `#[rpc(idempotent)]` where running it twice is as good as once; how many attempts a call may make is its \
     caller's, `CallOptions::attempts`",
);

pub(crate) fn bad_hedge(written: &str) -> Message {
    message(
        format!("`{written}` does not say when a hedge goes out"),
        "write the time in which most calls are answered, `hedge = \"p95\"`, or one of your own, `hedge = \"20ms\"`",
    )
}

pub(crate) fn hedge_percentile(written: &str) -> Message {
    message(
        format!("`{written}` is not between `p95` and `p99`"),
        "write `hedge = \"p95\"`: no more than 5 of 100 calls are hedged, so that a slow service does not get twice \
         the load",
    )
}

pub(crate) const HEDGE_TOO_SOON: Message = fixed(
    "the hedge would go out after less than 1 ms",
    "write at least `hedge = \"1ms\"`, or `hedge = \"p95\"` for a time that fits the method",
);

pub(crate) const HEDGE_TOO_LATE: Message = fixed(
    "the hedge would go out when the call is over: after its timeout",
    "write a time below `timeout`, or `hedge = \"p95\"`",
);

pub(crate) const HEDGE_NOT_IDEMPOTENT: Message = fixed(
    "a hedge runs the call twice, and nothing says that this is harmless",
    "where running it twice is as good as once, write `#[rpc(idempotent, hedge = \"..\")]`; else remove `hedge`",
);

pub(crate) const HEDGED_STREAM: Message = fixed(
    "a method that streams cannot be hedged",
    "remove `hedge`: what was read of a stream cannot be read again, and two answers cannot be one",
);

pub(crate) fn no_such_key(written: &str, nearest: Option<&str>, arguments: &[&str]) -> Message {
    let listed = arguments.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let hint = match (nearest, arguments) {
        (Some(word), _) => format!("did you mean `{word}`?"),
        (None, []) => "remove `key`, or take the value that it is to be as an argument".to_owned(),
        (None, _) => format!("name one of its arguments: {listed}"),
    };
    message(format!("this method has no argument `{written}` to be its key"), hint)
}

pub(crate) fn key_is_a_stream(written: &str) -> Message {
    message(
        format!("`{written}` is a stream, and a key must be known before the call is sent"),
        "take the key as an argument of its own beside the stream",
    )
}

pub(crate) const BAD_PATH: Message = fixed(
    "this is not the path of a crate",
    "write the name that Cargo.toml gives to sinew: `crate = \"rpc\"`",
);

pub(crate) const VERSION: Message = fixed(
    "`version` needs a whole number from 1",
    "write `version = 3`, and raise it with every change of a type that the service sends",
);

pub(crate) const TRUSTED_RAW: Message =
    fixed("a raw method sends bytes, which have no layout to trust", "remove `trust_layout`");

pub(crate) const RAW: Message = fixed(
    "a raw method takes one `Bytes` and returns `Bytes`",
    "write `(&self, body: Bytes) -> Bytes` or `-> Result<Bytes, E>`, or remove `raw`",
);

// -- bindings to HTTP --

pub(crate) const HTTP_TWICE: Message =
    fixed("a method has one binding to HTTP", "keep one `#[http(..)]`, with all that the two say");

pub(crate) const TWO_VERBS: Message =
    fixed("a method is one request, with one verb", "keep one of the two");

pub(crate) const NO_VERB: Message = fixed(
    "the binding does not say which request the method is",
    "begin with a verb and a path: `#[http(get = \"/users/{id}\")]`",
);

pub(crate) const TWO_BODIES: Message = fixed(
    "a request has one body",
    "keep one of `body` (JSON), `form` and `bytes`; without any, the arguments that have no other place are the \
     fields of a JSON object",
);

pub(crate) fn carried_form(key: &str) -> Message {
    let hint = match key {
        "query" => {
            "write the arguments, `query = [\"page\"]`, or each with its name: `query(\"per_page\" = \"size\")`"
        }
        _ => "write each with the argument that it carries: `header(\"x-tenant\" = \"tenant\")`",
    };
    message(format!("`{key}` does not say which arguments it carries"), hint)
}

pub(crate) fn statuses_form(key: &str) -> Message {
    message(
        format!("`{key}` needs statuses from 200 to 599"),
        format!("write `{key} = 404`, `{key} = [404, 410]` or `{key} = 400..=422`"),
    )
}

pub(crate) fn bad_template(what: &str) -> Message {
    message(
        format!("this is no path of a request: {what}"),
        "write it from the first `/` on, with arguments in braces: `\"/users/{id}\"`",
    )
}

pub(crate) fn no_such_argument(
    written: &str,
    nearest: Option<&str>,
    arguments: &[&str],
) -> Message {
    let listed = arguments.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let hint = match (nearest, arguments) {
        (Some(word), _) => format!("did you mean `{word}`?"),
        (None, []) => "it has none: take it as one".to_owned(),
        (None, _) => format!("these are its arguments: {listed}"),
    };
    message(format!("this method has no argument `{written}`"), hint)
}

pub(crate) fn carried_twice(name: &str) -> Message {
    message(
        format!("`{name}` has two places in the request"),
        "keep one of them: what two places say could differ",
    )
}

pub(crate) fn stream_has_no_other_place(name: &str) -> Message {
    message(
        format!("`{name}` is a stream, which is the body of its request"),
        "remove it here: a stream needs no word",
    )
}

pub(crate) const STREAM_AND_BODY: Message = fixed(
    "the body of this request is the stream",
    "give the argument another place: the path, `query` or `header`",
);

pub(crate) fn has_no_place(name: &str, verb: &str) -> Message {
    message(
        format!("`{name}` has no place in the request"),
        format!(
            "a `{verb}` has no body: put it into the path as `{{{name}}}`, or write `query = [\"{name}\"]` or \
             `header(\"x-{}\" = \"{name}\")`",
            name.replace('_', "-")
        ),
    )
}

pub(crate) fn no_place_beside_the_body(name: &str) -> Message {
    message(
        format!("`{name}` has no place in the request"),
        format!(
            "the body is another argument: put it into the path as `{{{name}}}`, or write `query = [\"{name}\"]`"
        ),
    )
}

pub(crate) fn body_of(verb: &str) -> Message {
    message(
        format!("a `{verb}` has no body"),
        "servers ignore or refuse one (RFC 9110, 9.3): put the argument into the path or into `query`, or make it a `post`",
    )
}

pub(crate) const BYTES_BODY: Message = fixed(
    "`bytes` takes an argument of the type `Bytes`",
    "take `Bytes`, or write `body` for a body in JSON",
);

pub(crate) fn bad_header(name: &str) -> Message {
    message(
        format!("`{name}` is not the name of a header"),
        "write lower-case letters, digits and `-`: `\"x-tenant\"`",
    )
}

pub(crate) fn reserved_header(name: &str) -> Message {
    message(
        format!("`{name}` is written by the bridge itself"),
        "remove it: it belongs to the connection, to the body or to the call",
    )
}

pub(crate) fn header_twice(name: &str) -> Message {
    message(format!("`{name}` is given twice"), "keep one of the two")
}

pub(crate) const NONE_WITHOUT_OPTION: Message = fixed(
    "`none` is for a method that returns an `Option`",
    "return `Option<T>` or `Result<Option<T>, E>`, or remove `none`",
);

pub(crate) const HEADER_OF_A_STREAM: Message = fixed(
    "the value of this method is a stream, and no header",
    "remove `from_header`, or return the header's `String`",
);

// -- names --

pub(crate) fn bad_name(name: &str) -> Message {
    message(
        format!("`{name}` is not a name for the wire"),
        "start with a letter or `_`, go on with letters, digits, `_`, `.` and `-`, all ASCII",
    )
}

pub(crate) fn identifier_needs_name(name: &str, attribute: &str) -> Message {
    message(
        format!("`{name}` is not a name for the wire, which is ASCII"),
        format!("give it one beside its identifier: `#[{attribute}(name = \"..\")]`"),
    )
}

pub(crate) fn long_name(bytes: usize, limit: usize) -> Message {
    message(
        format!("the name has {bytes} bytes, of at most {limit}"),
        "shorten it, or give another one with `name = \"..\"`",
    )
}

pub(crate) fn same_method(name: &str) -> Message {
    message(format!("two methods are named `{name}`"), "give each a name of its own")
}

pub(crate) fn same_name(name: &str) -> Message {
    message(
        format!("two methods have the wire name `{name}`"),
        "rename one of them, or give it another name with `#[rpc(name = \"..\")]`",
    )
}

pub(crate) fn reserved(name: &str) -> Message {
    message(
        format!("`{name}` is a method that every client has"),
        format!(
            "rename the method; `#[rpc(name = \"{name}\")]` keeps the name on the wire if it matters"
        ),
    )
}
