//! Documents of OpenAPI that the bridge makes of services: valid to a validator that nobody here wrote, and read back into
//! what they were made of, as far as OpenAPI can say it.

use std::{
    collections::BTreeMap,
    io::Write as _,
    process::{Command, Stdio},
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sinew::{
    Status, Streaming,
    descriptor::{
        Argument, Body, Descriptor, HttpBody, HttpContent, Method, Named, Service, Type, Types as _,
    },
};
use sinew_codegen::generate::openapi;
use sinew_tests::{
    Must as _,
    errand::errand,
    feed::{FeedServer, Feeding},
    legacy::programs,
    probe::{Counting, PROBE},
    scene::Scene,
    scratch::Scratch,
    versions,
};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct User {
    id: u64,
    name: Name,
    #[serde(default)]
    age: u8,
    kind: Kind,
    boss: Option<Box<User>>,
    notes: BTreeMap<String, Note>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Name(String);

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Staff,
    Guest,
}

#[derive(Debug, Serialize, Deserialize)]
enum Note {
    Told(String),
    Short { by: i64, because: Option<Reason> },
    Seen,
}

/// Comes behind what holds it, by the alphabet.
#[derive(Debug, Serialize, Deserialize)]
enum Reason {
    Words { all: BTreeMap<String, Name> },
    Nothing,
}

#[derive(Debug, Serialize, Deserialize)]
struct Filter {
    tags: Vec<String>,
    since: Option<u32>,
    exact: bool,
}

/// Named like what every document has.
#[derive(Debug, Serialize, Deserialize)]
struct Problem {
    field: i32,
}

/// Everything that a binding can say.
#[sinew::service(name = "doc.Users")]
trait Users {
    /// One of them.
    ///
    /// Or nobody.
    #[http(get = "/users/{id}")]
    async fn user(&self, id: u64) -> Result<Option<User>, Problem>;

    #[http(get = "/users/{id}/boss", none = [204, 404], error = [409, 410])]
    async fn boss(&self, id: u128) -> Result<Option<User>, Problem>;

    #[http(get = "/users/{area}/of/{year}.json", query("page" = "page", "sort" = "sort"), header("x-tenant" = "tenant"))]
    async fn search(
        &self,
        area: Kind,
        year: u16,
        page: Option<u32>,
        sort: Vec<Kind>,
        tenant: String,
    ) -> Result<Vec<User>, Status>;

    #[http(get = "/find", query("filter" = "by", "q" = "text"), header("x-more" = "more"))]
    async fn find(&self, by: Filter, text: String, more: Option<char>) -> Result<String, Status>;

    /// Makes one.
    #[http(post = "/users", body = "user", value = 201)]
    async fn create(&self, user: User) -> Result<User, Problem>;

    #[http(put = "/users/{id}")]
    async fn rename(&self, id: u64, name: Name, nick: Option<String>) -> Result<(), Status>;

    #[http(patch = "/users/{who}", form = "change")]
    async fn change(&self, who: u64, change: Filter) -> Result<(f32, bool), Problem>;

    #[http(head = "/users/{id}")]
    async fn exists(&self, id: u64) -> Result<(), Status>;

    #[http(options = "/users", from_header = "allow")]
    async fn options(&self) -> Result<String, Status>;

    #[http(put = "/users/{id}/picture", bytes = "picture")]
    async fn picture(&self, id: i64, picture: Bytes) -> Result<Bytes, Status>;

    #[http(post = "/users/import", query = ["dry"])]
    async fn import(&self, dry: bool, users: Streaming<User>) -> Result<u64, Problem>;

    #[http(post = "/users/raw")]
    async fn upload(&self, pieces: Streaming<Bytes>) -> Result<Streaming<Bytes>, Status>;

    #[http(get = "/users/events")]
    async fn events(&self) -> Result<Streaming<User>, Status>;

    async fn unbound(&self, name: String, count: u8, data: Bytes) -> Result<Note, Note>;

    async fn both(&self, name: String, users: Streaming<User>) -> Result<Streaming<u8>, Status>;

    #[rpc(raw)]
    async fn raw(&self, bytes: Bytes) -> Result<Bytes, Status>;
}

/// Another, which means something else by `User`.
mod other {
    use super::*;

    #[derive(Debug, Serialize, Deserialize)]
    pub(super) struct User(pub(super) (u8, Kind));

    #[sinew::service(name = "doc.Others")]
    pub(super) trait Others {
        async fn user(&self, user: User) -> Result<User, Status>;
    }
}

/// Servers' services of every kind that the tests have.
async fn described() -> Descriptor {
    let scene = Scene::new();
    let server = scene
        .serve(|server| {
            let server = server
                .serve(Counting::new().server())
                .serve(FeedServer::new(Feeding::default()))
                .serve(errand(|| async { Ok(7) }));
            versions::serve_kinds(server)
        })
        .await;
    let mesh = scene.mesh().await;
    let client = mesh.dynamic_at(PROBE, format!("static:{}", server.address())).must("a client");
    client.describe().await.must("a description")
}

fn own() -> Vec<Service> {
    let users = sinew::describe::<UsersClient>().services;
    users.into_iter().chain(sinew::describe::<other::OthersClient>().services).collect()
}

/// For each line of JSON, a line with what is wrong with it: as a document, and each schema in it by itself.
const VALIDATE: &str = r#"
import json, sys
try:
    from openapi_spec_validator import OpenAPIV31SpecValidator as Document
    from jsonschema import Draft202012Validator as Schema
except ImportError as missing:
    print("cannot run here:", missing, "(pip install openapi-spec-validator jsonschema)")
    sys.exit()
for line in sys.stdin:
    document = json.loads(line)
    wrong = [str(error)[:300] for error in Document(document).iter_errors()]
    for name, schema in document.get("components", {}).get("schemas", {}).items():
        try:
            Schema.check_schema(schema)
        except Exception as error:
            wrong.append(f"{name}: {error}"[:300])
    print(json.dumps(wrong))
"#;

/// What is wrong with each of these; `None` where there is no validator.
fn problems(documents: &[Value]) -> Option<Vec<Vec<String>>> {
    let mut command = Command::new(programs::python()?);
    command.args(["-c", VALIDATE]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().must("a validator");
    let mut input = child.stdin.take().must("its input");
    let lines: String = documents.iter().map(|one| format!("{one}\n")).collect();
    // It reads and writes by turns: who only writes would wait for it.
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = child.wait_with_output().must("its end");
    assert!(output.status.success());
    let written = writer.join();
    let text = String::from_utf8(output.stdout).must("text");
    if text.starts_with("cannot run here") {
        // `tests/run` looks for these words.
        let _ = write!(std::io::stdout(), "{text}");
        return None;
    }
    written.ok().must("a writer").must("it reads");
    Some(text.lines().map(|line| serde_json::from_str(line).must(line)).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_document_is_valid() {
    let described = described().await;
    assert!(described.services.len() > 20);
    let own = own();
    let all: Vec<_> = described.services.iter().cloned().chain(own.iter().cloned()).collect();
    let mut documents = vec![document(&all), document(&own), document(&[])];
    documents.extend(all.iter().map(|one| document(std::slice::from_ref(one))));
    // A validator that takes anything would be none.
    let mut wrong = document(&own);
    wrong["paths"]["/users/{id}"]["get"]["parameters"] = json!([{"name": "id", "in": "nowhere"}]);
    let mut twice = document(&own);
    twice["paths"]["/find"]["get"]["operationId"] = json!("doc_Users_user");
    let mut schema = document(&own);
    schema["components"]["schemas"]["Kind"]["type"] = json!("word");
    documents.extend([wrong, twice, schema]);
    let Some(problems) = problems(&documents) else { return };
    let (sound, unsound) = problems.split_at(problems.len() - 3);
    assert_eq!(problems.len(), documents.len());
    for (document, problems) in documents.iter().zip(sound) {
        assert_eq!(problems, &Vec::<String>::new(), "{document}");
    }
    assert!(unsound.iter().all(|problems| !problems.is_empty()), "{unsound:?}");
}

/// Makes a client of the document in the first argument, in the second, and imports all of it.
const GENERATE: &str = r#"
import importlib, os, pkgutil, subprocess, sys
try:
    import openapi_python_client
except ImportError as missing:
    print("cannot run here:", missing, "(pip install openapi-python-client)")
    sys.exit()
document, home = sys.argv[1:]
# What it formats with stands beside Python.
os.environ["PATH"] = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
generate = [sys.executable, "-m", "openapi_python_client", "generate", "--fail-on-warning"]
done = subprocess.run(generate + ["--path", document, "--output-path", home], capture_output=True, text=True)
if done.returncode != 0:
    print(done.stdout, done.stderr)
    sys.exit()
sys.path.insert(0, home)
client = importlib.import_module("documents_client")
print(sum(1 for one in pkgutil.walk_packages(client.__path__, "documents_client.") if importlib.import_module(one.name)))
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_makes_a_client_of_it_without_a_warning() {
    let Some(python) = programs::python() else { return };
    let mut services: Vec<_> = described().await.services.into_iter().chain(own()).collect();
    for service in &mut services {
        // Streams that go in are none of what it knows.
        service.methods.retain(|method| method.input.is_none());
    }
    let scratch = Scratch::new();
    let path = scratch.join("document.json");
    std::fs::write(&path, document(&services).to_string()).must("a file");
    let mut command = Command::new(python);
    command.args(["-c", GENERATE]).arg(path).arg(scratch.join("client"));
    let output = command.output().must("a generator");
    let said = String::from_utf8_lossy(&output.stdout);
    if said.starts_with("cannot run here") {
        let _ = write!(std::io::stdout(), "{said}");
        return;
    }
    let modules: usize = said.trim().parse().unwrap_or_default();
    assert!(modules > 200, "{said}{}", String::from_utf8_lossy(&output.stderr));
}

fn document(services: &[Service]) -> Value {
    sinew_bridge::fuzzing::openapi(services, "Documents")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_is_read_back_as_what_it_was_made_of() {
    let all = described().await.services.into_iter().chain(own());
    for service in all {
        let document = document(std::slice::from_ref(&service));
        let read = openapi::import(&document.to_string(), None).must("it is read");
        assert_eq!(read.refused, [], "{}", service.name);
        assert_eq!(read.descriptor.check(), [], "{}", service.name);
        assert_eq!(read.operations, service.methods.len(), "{}", service.name);
        let read = &read.descriptor.services[0];
        for method in &service.methods {
            let expected = Said::written(method, &service.types);
            let found = read.methods.iter().find(|found| is_same(found, method, &service.name));
            let found = found.unwrap_or_else(|| panic!("{} is gone", method.name));
            assert!(found.name.ends_with(&method.name), "{} {}", found.name, method.name);
            assert_eq!(Said::read(found, &read.types), expected, "{}", service.name);
            assert!(found.doc.contains(&*method.doc), "{}", found.doc);
        }
    }
}

/// Whether a method that was read is this one: by its verb and path.
fn is_same(read: &Method, method: &Method, service: &str) -> bool {
    read.http
        .as_ref()
        .is_some_and(|http| place(&http.verb, &http.path) == place_of(method, service))
}

fn place(verb: &str, path: &str) -> String {
    let parts = path.split('{').map(|part| part.split_once('}').map_or(part, |(_, after)| after));
    format!("{verb} {}", parts.collect::<Vec<_>>().join("{}"))
}

fn place_of(method: &Method, service: &str) -> String {
    match &method.http {
        Some(http) => place(&http.verb, &http.path),
        None => place("post", &format!("/{service}/{}", method.name)),
    }
}

/// What of a method OpenAPI can say and our reader understands.
#[derive(Debug, PartialEq)]
struct Said {
    path: Vec<Value>,
    query: Vec<(String, Value)>,
    headers: Vec<(String, Value)>,
    body: Option<(&'static str, Value)>,
    output: Value,
    error: Value,
}

/// As it is said of what is not seen.
const ANY: &str = "any";

impl Said {
    /// What a method should be read as.
    fn written(method: &Method, types: &[Named]) -> Self {
        let shape = |ty: &Type| Shape { types, is_lossy: true }.of(ty);
        let (path, query, headers) = match &method.http {
            Some(_) => parameters(method, types, true),
            None => Default::default(),
        };
        let object = |names: &[String]| {
            let own = method.arguments.iter().filter(|argument| names.contains(&argument.name));
            let own = own.map(|one| (one.name.clone(), optional(shape(&one.ty), one.optional)));
            let fields: BTreeMap<_, _> = own.collect();
            (!fields.is_empty()).then(|| ("json", json!({"struct": fields})))
        };
        let of = |name: &str| method.arguments.iter().find(|one| one.name == name).must(name);
        let bytes = Some(("bytes", json!("bytes")));
        let body = match method.http.as_ref().map(|http| &http.body) {
            _ if method.raw || method.input.is_some() => bytes,
            None => {
                object(&method.arguments.iter().map(|one| one.name.clone()).collect::<Vec<_>>())
            }
            Some(HttpBody::None) => None,
            Some(HttpBody::Json(name)) => Some(("json", shape(&of(name).ty))),
            Some(HttpBody::Form(name)) => Some(("form", shape(&of(name).ty))),
            Some(HttpBody::Named(names)) => object(names),
            Some(HttpBody::Bytes(_) | HttpBody::Items | HttpBody::Chunks) => bytes,
        };
        let error = method.error.as_ref().map(shape).filter(is_type);
        Self {
            path,
            query,
            headers,
            body,
            output: output(method, types),
            error: error.unwrap_or_else(problem),
        }
    }

    /// What it was read as.
    fn read(method: &Method, types: &[Named]) -> Self {
        let shape = |ty: &Type| Shape { types, is_lossy: false }.of(ty);
        let (path, query, headers) = parameters(method, types, false);
        let of = |name: &str| method.arguments.iter().find(|one| one.name == name).must(name);
        let body = match &method.http.as_ref().must("a binding").body {
            HttpBody::Json(name) => Some(("json", shape(&of(name).ty))),
            HttpBody::Form(name) => Some(("form", shape(&of(name).ty))),
            HttpBody::Bytes(name) => Some(("bytes", shape(&of(name).ty))),
            _ => None,
        };
        let error = method.error.as_ref().map(shape).unwrap_or_default();
        let output = shape(&method.output);
        Self { path, query, headers, body, output, error }
    }
}

type Parameters = (Vec<Value>, Vec<(String, Value)>, Vec<(String, Value)>);

/// Those of the path, the query and the headers, by their names on the wire.
fn parameters(method: &Method, types: &[Named], is_lossy: bool) -> Parameters {
    let http = method.http.as_ref().must("a binding");
    let shapes = Shape { types, is_lossy };
    let of = |name: &str| method.arguments.iter().find(|one| one.name == name).must(name);
    // In one place there is one text.
    let scalar = |ty: &Type| match shapes.of(ty) {
        Value::String(any) if any == ANY => json!("text"),
        Value::Object(one) if one.contains_key("list") => json!("text"),
        other => other,
    };
    let names = http.path.split('{').skip(1).filter_map(|part| part.split('}').next());
    let path = names.map(|name| scalar(&of(name).ty)).collect();
    let mut query = Vec::new();
    for (name, argument) in &http.query {
        let Argument { ty, optional: may_miss, .. } = of(argument);
        match shapes.of(ty) {
            Value::Object(one) if is_lossy && one.contains_key("struct") => {
                let fields = one["struct"].as_object().into_iter().flatten();
                // An empty list is no parameter.
                let field = |of: &Value| optional(of.clone(), of.get("list").is_some());
                query.extend(fields.map(|(name, of)| (name.clone(), field(of))));
            }
            shape => {
                let may_miss = *may_miss || is_lossy && shape.get("list").is_some();
                query.push((name.clone(), optional(shape, may_miss)));
            }
        }
    }
    // Fields have no order here.
    query.sort_by(|one, other| one.0.cmp(&other.0));
    let header = |(name, argument): &(String, String)| {
        let Argument { ty, optional: may_miss, .. } = of(argument);
        (name.clone(), optional(scalar(ty), *may_miss))
    };
    (path, query, http.headers.iter().map(header).collect())
}

/// What the value of a method should be read as.
fn output(method: &Method, types: &[Named]) -> Value {
    let shapes = Shape { types, is_lossy: true };
    let Some(http) = &method.http else {
        let is_bytes = method.raw || method.streams.output();
        return if is_bytes { json!("bytes") } else { shapes.of(&method.output) };
    };
    let inner = match &method.output {
        Type::Option(inner) => inner,
        other => other,
    };
    match &http.content {
        _ if http.verb == "head" => json!("unit"),
        _ if method.streams.output() => json!("bytes"),
        HttpContent::Nothing | HttpContent::Header(_) => json!("unit"),
        HttpContent::Bytes => json!("bytes"),
        HttpContent::Text => json!("text"),
        HttpContent::Json if http.none.contains(&(204, 204)) => optional(shapes.of(inner), true),
        HttpContent::Json => shapes.of(inner),
    }
}

/// An option of this, unless nothing in it can be told apart from null.
fn optional(shape: Value, is: bool) -> Value {
    let has_null = shape == ANY || shape == "unit" || shape.get("option").is_some();
    if is && !has_null { json!({"option": shape}) } else { shape }
}

/// Whether a shape has a name of its own in Rust: it can be an error then.
fn is_type(shape: &Value) -> bool {
    shape.get("struct").is_some() || shape.get("enum").is_some()
}

/// What any call may fail with, which is read as the error of a method without one.
fn problem() -> Value {
    let texts = ["type", "title", "detail", "code", "reason", "processed"];
    let texts = texts.map(|name| (name, json!({"option": "text"})));
    let all = texts.into_iter().chain([("status", json!({"option": "i32"}))]);
    json!({"struct": all.collect::<BTreeMap<_, _>>()})
}

/// Types without what they are called.
struct Shape<'t> {
    types: &'t [Named],
    /// Without what is lost on the way, too.
    is_lossy: bool,
}

impl Shape<'_> {
    fn of(&self, ty: &Type) -> Value {
        self.within(ty, &mut Vec::new())
    }

    fn within<'s>(&'s self, ty: &'s Type, open: &mut Vec<&'s str>) -> Value {
        if self.is_lossy {
            match ty {
                Type::U8 | Type::U16 | Type::I8 | Type::I16 => return json!("i64"),
                Type::U128 | Type::I128 => return json!(ANY),
                Type::Char => return json!("text"),
                Type::Bytes => return json!({"list": "i64"}),
                Type::Tuple(_) => return json!({"list": ANY}),
                _ => {}
            }
        }
        match ty {
            Type::Opaque(_) => json!(ANY),
            Type::Option(inner) => optional(self.within(inner, open), true),
            Type::List(item) => json!({"list": self.within(item, open)}),
            Type::Map(_, value) => json!({"map": self.within(value, open)}),
            Type::Named(name) => self.named(self.types.named(name).must(name), open),
            other => serde_json::to_value(other).must("a word"),
        }
    }

    fn named<'s>(&'s self, named: &'s Named, open: &mut Vec<&'s str>) -> Value {
        match &named.body {
            Body::Unit => json!("unit"),
            Body::Newtype(inner) => self.within(inner, open),
            Body::Tuple(_) => json!({"list": ANY}),
            Body::Enum(variants) if variants.iter().all(|one| one.body == Body::Unit) => {
                let names: Vec<_> = variants.iter().map(|one| &one.name).collect();
                if names.is_empty() { json!(ANY) } else { json!({"enum": names}) }
            }
            Body::Enum(_) => json!(ANY),
            Body::Struct(fields) => {
                // How far out it is that it stands in itself.
                if let Some(at) = open.iter().rev().position(|name| *name == named.name) {
                    return json!({"again": at});
                }
                open.push(&named.name);
                let own = fields.iter().filter(|field| !field.alias);
                let own = own.map(|field| {
                    (&field.name, optional(self.within(&field.ty, open), field.optional))
                });
                let fields: BTreeMap<_, _> = own.collect();
                open.pop();
                if fields.is_empty() { json!(ANY) } else { json!({"struct": fields}) }
            }
        }
    }
}
