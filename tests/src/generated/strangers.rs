//! Services that nobody here wrote, called through what their own documents generate: Kinto and httpbinx.
//!
//! # The rule
//! A call must come to a value that its type reads, unless [`KINTO`] or [`HTTPBIN`] says otherwise of it: those say what
//! the service answers with on purpose (a refusal, a redirect), or does wrong. A value where a refusal is listed is a
//! failure too. So is what never got an answer, what the bridge could not send, and what the generated types do not read.

use serde_json::{Map, Value, json};
use sinew::descriptor::{Descriptor, Http, Service};
use sinew_codegen::generate::{module, openapi};

use super::{
    crates::{Needs, Package},
    driver::{self, Call, Outcome, Over, Told},
};
use crate::{legacy::programs::Program, scene::Scene};

/// Longer than anything that httpbinx delays.
const LIMIT_MS: u64 = 10_000;

/// Everybody may do anything, under this name.
const KINTO_USER: &str = "Basic dXNlcjpwYXNz";

/// How much of an outcome is told: it may be a picture.
const WORDS_MAX: usize = 500;

/// What must become of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// A value, with this text of JSON at this place.
    Value(&'static str, &'static str),
    /// The method's own error, the same.
    Own(&'static str, &'static str),
    /// A status with these words.
    Status(&'static str),
}

/// Any value.
const ANY: Wanted = Wanted::Value("", "");

/// A walk through Kinto: operations, their arguments, and what becomes of them.
const KINTO: &[(&str, &str, Wanted)] = &[
    ("server_info", "{}", Wanted::Value("/project_name", "\"kinto\"")),
    ("heartbeat", "{}", Wanted::Value("/storage", "true")),
    ("update_bucket", r#"{"id":"b","body":{}}"#, ANY),
    // Its document lists other fields of a bucket than its id: what is not listed is passed over.
    ("get_buckets", "{}", Wanted::Value("/data/0", "{}")),
    ("update_collection", r#"{"bucket_id":"b","id":"c","body":{}}"#, ANY),
    (
        "create_record",
        r#"{"bucket_id":"b","collection_id":"c","body":{"data":{"text":"one"}}}"#,
        Wanted::Value("/data/text", "\"one\""),
    ),
    (
        "update_record",
        r#"{"bucket_id":"b","collection_id":"c","id":"r","body":{"data":{"text":"two"}}}"#,
        Wanted::Value("/data/id", "\"r\""),
    ),
    (
        "get_record",
        r#"{"bucket_id":"b","collection_id":"c","id":"r"}"#,
        Wanted::Value("/data/text", "\"two\""),
    ),
    (
        "get_records",
        r#"{"bucket_id":"b","collection_id":"c","query":{"_sort":["text"]}}"#,
        Wanted::Value("/data/0/text", "\"one\""),
    ),
    (
        "get_records",
        r#"{"bucket_id":"b","collection_id":"c","query":{"_sort":["-text"],"_limit":1}}"#,
        Wanted::Value("/data/0/text", "\"two\""),
    ),
    (
        "patch_record",
        r#"{"bucket_id":"b","collection_id":"c","id":"r","body":{"data":{"text":"three"}}}"#,
        Wanted::Value("/data/text", "\"three\""),
    ),
    (
        "update_record",
        r#"{"bucket_id":"b","collection_id":"c","id":"r","body":{"data":{}},"if_match":"\"1\""}"#,
        Wanted::Own("/code", "412"),
    ),
    (
        "get_record",
        r#"{"bucket_id":"b","collection_id":"c","id":"nobody"}"#,
        Wanted::Own("/code", "404"),
    ),
    (
        "create_group",
        r#"{"bucket_id":"b","body":{"data":{"members":["me"]}}}"#,
        Wanted::Value("/data/members/0", "\"me\""),
    ),
    (
        "batch",
        r#"{"body":{"requests":[{"path":"/v1/buckets/b","method":"GET"}]}}"#,
        Wanted::Value("/responses/0/status", "200"),
    ),
    (
        "delete_record",
        r#"{"bucket_id":"b","collection_id":"c","id":"r"}"#,
        Wanted::Value("/data/deleted", "true"),
    ),
    ("delete_records", r#"{"bucket_id":"b","collection_id":"c"}"#, ANY),
    (
        "get_records",
        r#"{"bucket_id":"b","collection_id":"c","query":{}}"#,
        Wanted::Value("/data", "[]"),
    ),
    ("delete_collection", r#"{"bucket_id":"b","id":"c"}"#, Wanted::Value("/data/deleted", "true")),
    ("delete_bucket", r#"{"id":"b"}"#, Wanted::Value("/data/deleted", "true")),
    ("get_bucket", r#"{"id":"b"}"#, Wanted::Own("/code", "403")),
];

/// Operations of httpbinx that need an argument which nobody makes up, or that come to no value: verb and path, the
/// arguments, what becomes of the call. Verbs that are not named are all.
const HTTPBIN: &[(&str, &str, &str, Wanted)] = &[
    ("get", "/base64/{value}", r#"{"value":"c2luZXc="}"#, Wanted::Value("", "\"sinew\"")),
    ("get", "/status/{codes}", r#"{"codes":"418"}"#, Wanted::Status("HTTP 418")),
    ("get", "/deny", "{}", Wanted::Status("HTTP 403")),
    // Nobody here understands this, and it does not ask whether anybody does.
    ("get", "/brotli", "{}", Wanted::Status("`br`")),
    ("get", "/bombs/{file}", r#"{"file":"brotli"}"#, Wanted::Status("`br`")),
    ("get", "/deflate", "{}", Wanted::Status("`deflate`")),
    // Redirects are answers.
    ("", "/redirect-to", r#"{"url":"/get"}"#, Wanted::Status("HTTP 302")),
    ("get", "/redirect/{n}", r#"{"n":1}"#, Wanted::Status("HTTP 307")),
    ("get", "/relative-redirect/{n}", "{}", Wanted::Status("HTTP 302")),
    ("get", "/absolute-redirect/{n}", r#"{"n":1}"#, Wanted::Status("HTTP 307")),
    ("get", "/cookies/set", "{}", Wanted::Status("HTTP 307")),
    ("get", "/cookies/set/{name}/{value}", "{}", Wanted::Status("HTTP 307")),
    ("get", "/cookies/delete", "{}", Wanted::Status("HTTP 307")),
    // Mistakes of its own: its document has a field that these answers have not, and it fails whoever asks.
    ("get", "/headers", "{}", Wanted::Status("missing field `url`")),
    ("get", "/ip", "{}", Wanted::Status("missing field `url`")),
    ("get", "/encoding/utf8", "{}", Wanted::Status("HTTP 500")),
    ("get", "/range/{numbytes}", "{}", Wanted::Status("HTTP 500")),
];

/// What became of the calls.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) calls: usize,
    pub(super) failed: Vec<String>,
}

/// A service by its document: what the descriptor has, with what must become of each call.
struct Stranger {
    service: Service,
    calls: Vec<(Call, Wanted)>,
}

/// Generates their clients, compiles them, and calls the services.
///
/// # Errors
/// A service or its document cannot be had, or what is generated does not compile.
pub(super) async fn run(kinto: &str, httpbin: &str) -> Result<Report, String> {
    let kinto = stranger(kinto, "kinto", walk)?;
    let httpbin = stranger(httpbin, "httpbinx", tour)?;
    let described = Descriptor::new(vec![kinto.service, httpbin.service]);
    let (calls, wanted): (Vec<_>, Vec<_>) = kinto.calls.into_iter().chain(httpbin.calls).unzip();
    let generated = module(&described);
    let (program, opaque) = driver::program(&described, &calls, Over::Http);
    let files = [("main.rs", program), ("generated.rs", generated.code)];
    let files = files.map(|(name, text)| (name.to_owned(), text)).into();
    let package = Package::write("strangers", Needs::Bridge, &files)?;
    // Before the services run, so that they need not wait.
    package.build().await?;
    let told = call(&package).await?;
    let mut report = Report { calls: calls.len(), failed: Vec::new() };
    report.failed.extend(generated.refused.iter().map(ToString::to_string));
    for (index, (call, wanted)) in calls.iter().zip(wanted).enumerate() {
        let told = told.iter().find(|told| told.call == index);
        let problem = match told {
            Some(told) => judge(&told.outcome, wanted),
            None if opaque.contains(&index) => Some("nobody can make up an argument".to_owned()),
            None => Some("it was not called".to_owned()),
        };
        report.failed.extend(problem.map(|problem| format!("{}: {problem}", call.path())));
    }
    Ok(report)
}

/// Starts the services and runs the program against them.
async fn call(package: &Package) -> Result<Vec<Told>, String> {
    let missing = || "a service of the tests is missing".to_owned();
    let kinto = Program::kinto().await.ok_or_else(missing)?;
    let httpbin = Program::httpbin().await.ok_or_else(missing)?;
    let kinto = driver::server(&format!("{}/v1", kinto.url()), LIMIT_MS, Some(KINTO_USER));
    let httpbin = driver::server(&httpbin.url(), LIMIT_MS, None);
    let servers = json!({ "kinto": kinto, "httpbinx": httpbin }).to_string();
    let scene = Scene::new();
    let runtime = scene.runtime_dir();
    let runtime = runtime.to_str().ok_or("a directory whose name is no text")?;
    let lines = package.run(&[("DRIVER_SERVERS", &servers), ("XDG_RUNTIME_DIR", runtime)]).await?;
    lines.iter().map(|line| driver::told(line)).collect()
}

type Plan = fn(&Service) -> Result<Vec<(Call, Wanted)>, String>;

fn stranger(document: &str, name: &str, plan: Plan) -> Result<Stranger, String> {
    let imported = openapi::import(document, Some(name)).map_err(|why| format!("{name}: {why}"))?;
    if let Some(refused) = imported.refused.first() {
        return Err(format!("{name}: {refused}"));
    }
    let service = imported.descriptor.services.into_iter().next();
    let service = service.ok_or_else(|| format!("{name}: the document has no operation"))?;
    let calls = plan(&service)?;
    Ok(Stranger { service, calls })
}

fn walk(service: &Service) -> Result<Vec<(Call, Wanted)>, String> {
    let step = |(method, arguments, wanted): &(&str, &str, Wanted)| {
        let known = service.methods.iter().any(|one| one.name == *method);
        match known {
            true => Ok((one(service, method, arguments)?, *wanted)),
            false => Err(format!("{}: there is no operation `{method}`", service.name)),
        }
    };
    KINTO.iter().map(step).collect()
}

/// Each operation once.
fn tour(service: &Service) -> Result<Vec<(Call, Wanted)>, String> {
    let mut unused: Vec<_> = HTTPBIN.iter().collect();
    let mut calls = Vec::new();
    for method in &service.methods {
        let http = method.http.as_ref().ok_or("an operation without a binding")?;
        let known = HTTPBIN.iter().find(|entry| is_of(entry, http));
        unused.retain(|entry| !is_of(entry, http));
        let (arguments, wanted) = known.map_or(("{}", ANY), |entry| (entry.2, entry.3));
        calls.push((one(service, &method.name, arguments)?, wanted));
    }
    match unused.first() {
        Some((verb, path, ..)) => Err(format!("httpbinx has no `{verb} {path}` any more")),
        None => Ok(calls),
    }
}

fn is_of((verb, path, ..): &(&str, &str, &str, Wanted), http: &Http) -> bool {
    (verb.is_empty() || http.verb == *verb) && http.path == *path
}

fn one(service: &Service, method: &str, arguments: &str) -> Result<Call, String> {
    let given: Map<String, Value> =
        serde_json::from_str(arguments).map_err(|why| format!("{method}: {why}"))?;
    Ok(Call { service: service.name.clone(), method: method.to_owned(), given, is_full: false })
}

/// What is wrong with what became of a call.
fn judge(outcome: &Outcome, wanted: Wanted) -> Option<String> {
    let is_at = |value: &Value, pointer: &str, text: &str| {
        let wanted: Option<Value> = serde_json::from_str(text).ok();
        wanted.is_none() || value.pointer(pointer) == wanted.as_ref()
    };
    let is_right = match (outcome, wanted) {
        (Outcome::Value(value), Wanted::Value(pointer, text))
        | (Outcome::Own(value), Wanted::Own(pointer, text)) => is_at(value, pointer, text),
        (Outcome::Status(_, _, said), Wanted::Status(words)) => said.contains(words),
        (Outcome::Value(_) | Outcome::Own(_) | Outcome::Status(..), _) => false,
    };
    let told: String = format!("{outcome:?}").chars().take(WORDS_MAX).collect();
    (!is_right).then(|| format!("{told} is not {wanted:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_becomes_of_a_call_is_held_against_what_must() {
        let value = || Outcome::Value(json!({"a": [1]}));
        let own = || Outcome::Own(json!({"a": [1]}));
        let status = || Outcome::Status("Internal".into(), "Peer".into(), "HTTP 500: no".into());
        for (outcome, wanted, is_right) in [
            (value(), ANY, true),
            (value(), Wanted::Value("/a/0", "1"), true),
            (value(), Wanted::Value("/a/0", "2"), false),
            (value(), Wanted::Value("/b", "null"), false),
            (value(), Wanted::Own("/a/0", "1"), false),
            (value(), Wanted::Status("HTTP"), false),
            (own(), ANY, false),
            (own(), Wanted::Own("/a/0", "1"), true),
            (status(), ANY, false),
            (status(), Wanted::Own("", ""), false),
            (status(), Wanted::Status("HTTP 500"), true),
            (status(), Wanted::Status("HTTP 403"), false),
        ] {
            assert_eq!(judge(&outcome, wanted).is_none(), is_right, "{outcome:?}, {wanted:?}");
        }
    }
}
