//! The program that calls what was generated, and tells what became of each call.

use serde::Deserialize;
use serde_json::{Map, Value};
use sinew::descriptor::{Argument, Descriptor, Method, Service, Type};
use sinew_codegen::generate::{method_name, module_name};

use super::samples::sample;

/// A call that the program makes.
#[derive(Debug, Clone)]
pub(super) struct Call {
    /// The names on the wire.
    pub(super) service: String,
    pub(super) method: String,
    /// Arguments by their names.
    pub(super) given: Map<String, Value>,
    /// Whether optional arguments that are not given are made up, like the others; else they are left out.
    pub(super) is_full: bool,
}

impl Call {
    /// `Service/method`
    pub(super) fn path(&self) -> String {
        format!("{}/{}", self.service, self.method)
    }
}

/// What the program tells of a call.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Told {
    /// Which of the calls.
    pub(super) call: usize,
    pub(super) outcome: Outcome,
    /// What the generated client says of the method.
    pub(super) fingerprint: Option<String>,
    /// Whether it was sent in bincode.
    pub(super) bincode: bool,
}

/// What became of a call.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    /// The value, or the first items.
    Value(Value),
    /// The method's own error.
    Own(Value),
    /// A status: its code, where it comes from, and all of it in words.
    Status(String, String, String),
}

/// How the program gets its mesh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    /// sinew's own protocol.
    Quic,
    /// Plain HTTP.
    Http,
}

/// The program, and which of the calls it does not make because nobody can make up an argument.
///
/// It finds servers in `DRIVER_SERVERS`: a JSON object with an address for each service.
pub(super) fn program(described: &Descriptor, calls: &[Call], over: Over) -> (String, Vec<usize>) {
    let mesh = match over {
        Over::Quic => "sinew::Mesh::from_env().await",
        Over::Http => "sinew::Mesh::builder().transport(sinew_bridge::http()).build().await",
    };
    let (mut code, mut opaque) = (HEAD.to_owned(), Vec::new());
    for service in &described.services {
        let client = format!("generated::{}::{}Client", module_name(service), service.trait_name);
        code.push_str(&format!(
            "    if let Some(server) = servers.get({:?}) {{\n        \
             let mesh = {mesh}.expect(\"a mesh\");\n        \
             let client: {client} = mesh.client_at(&server.at).expect(\"a client\");\n        \
             let client = client.with(server.options());\n        \
             let described = sinew::describe::<{client}>();\n",
            service.name,
        ));
        for (index, call) in calls.iter().enumerate() {
            let method = service.methods.iter().find(|method| method.name == call.method);
            let Some(method) = method.filter(|_| call.service == service.name) else { continue };
            match written(service, method, index, call) {
                Some(call) => code.push_str(&call),
                None => opaque.push(index),
            }
        }
        code.push_str("    }\n");
    }
    code.push_str("}\n");
    (code, opaque)
}

const HEAD: &str = r#"//! Calls what was generated, and tells what became of each call.
#[allow(dead_code, reason = "not every method is called, and servers are made elsewhere")]
mod generated;

use std::{collections::BTreeMap, time::Duration};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use sinew::{CallError, CallOptions, Status, Streaming, descriptor::Descriptor};

#[derive(serde::Deserialize)]
struct Server { at: String, millis: u64, authorization: Option<String> }

impl Server {
    fn options(&self) -> CallOptions {
        let options = CallOptions::new().timeout(Duration::from_millis(self.millis));
        match &self.authorization {
            Some(said) => options.metadata("authorization", said.as_str()).expect("metadata"),
            None => options,
        }
    }
}

#[allow(dead_code, reason = "not every program has a method with arguments")]
fn of<T: DeserializeOwned>(json: &str) -> T {
    serde_json::from_str(json).expect(json)
}

/// A value for whoever reads this; what JSON has no form for is null.
fn shown<T: Serialize>(value: T) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

trait Failed { fn told(self) -> Value; }
impl Failed for Status {
    fn told(self) -> Value {
        json!({ "status": [format!("{:?}", self.code()), format!("{:?}", self.origin()), self.to_string()] })
    }
}
impl<E: Serialize> Failed for CallError<E> {
    fn told(self) -> Value {
        match self { Self::App(error) => json!({ "own": shown(error) }), Self::Status(status) => status.told() }
    }
}

fn outcome<T: Serialize, E: Failed>(answer: Result<T, E>) -> Value {
    match answer { Ok(value) => json!({ "value": shown(value) }), Err(error) => error.told() }
}

fn tell(described: &Descriptor, call: usize, name: &str, outcome: Value, before: sinew::CodecCounts) {
    let method = described.services.iter().flat_map(|service| &service.methods).find(|method| method.name == name);
    let fingerprint = method.and_then(|method| method.fingerprint.clone());
    let after = sinew::codec_counts();
    let bincode = after.bincode > before.bincode && after.messagepack == before.messagepack;
    println!("{}", json!({ "call": call, "outcome": outcome, "fingerprint": fingerprint, "bincode": bincode }));
}

#[allow(dead_code, reason = "not every program has a method that streams")]
async fn drained<T, E: sinew::private::MethodError>(mut items: Streaming<T, E>) -> Result<Vec<T>, E::Caller>
where T: DeserializeOwned + Send + 'static {
    // The first few: some never end.
    let mut first = Vec::new();
    for _ in 0..3 {
        match items.next().await { Some(item) => first.push(item?), None => break }
    }
    Ok(first)
}

#[tokio::main]
async fn main() {
    let servers = std::env::var("DRIVER_SERVERS").expect("servers");
    let servers: BTreeMap<String, Server> = of(&servers);
"#;

/// Where a service is, as the program reads it.
pub(super) fn server(at: &str, millis: u64, authorization: Option<&str>) -> Value {
    serde_json::json!({ "at": at, "millis": millis, "authorization": authorization })
}

/// One call; `None` where an argument cannot be made up.
fn written(service: &Service, method: &Method, index: usize, call: &Call) -> Option<String> {
    let mut arguments = Vec::new();
    for argument in &method.arguments {
        arguments.push(format!("of({:?})", value(argument, service, call)?.to_string()));
    }
    if let Some(input) = &method.input {
        let item = sample(&input.item, &service.types)?.to_string();
        let items = format!("Streaming::iter([of({item:?}), of({item:?})])");
        arguments.insert(input.at, items);
    }
    let then = if method.streams.output() {
        "match answer { Ok(items) => outcome(drained(items).await), Err(error) => error.told() }"
    } else {
        "outcome(answer)"
    };
    Some(format!(
        "        let before = sinew::codec_counts();\n        \
         let answer = client.{}({}).await;\n        let told = {then};\n        \
         tell(&described, {index}, {:?}, told, before);\n",
        method_name(method),
        arguments.join(", "),
        method.name
    ))
}

fn value(argument: &Argument, service: &Service, call: &Call) -> Option<Value> {
    if let Some(given) = call.given.get(&argument.name) {
        return Some(given.clone());
    }
    // Whatever it is, without it is one of the things that it can be.
    if !call.is_full && matches!(argument.ty, Type::Option(_) | Type::Opaque(_)) {
        return argument.optional.then_some(Value::Null);
    }
    sample(&argument.ty, &service.types)
}

/// One line of what the program printed.
pub(super) fn told(line: &str) -> Result<Told, String> {
    serde_json::from_str(line).map_err(|why| format!("{why}: {line}"))
}
