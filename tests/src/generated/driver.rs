//! The program that calls what was generated: each method once, with values that were made up from the descriptor.

use sinew::descriptor::{Descriptor, Method, Service};
use sinew_codegen::generate::module_name;

use super::samples::sample;

/// What is told of a method that was not called.
pub(super) const OPAQUE: &str = "nobody can make up an argument";

/// The program, and how many methods it cannot call because nobody can make up an argument.
pub(super) fn write(described: &Descriptor) -> (String, usize) {
    let (mut calls, mut opaque) = (String::new(), 0);
    for service in &described.services {
        let client = format!("generated::{}::{}Client", module_name(service), service.trait_name);
        calls.push_str(&format!(
            "    {{\n        let mesh = sinew::Mesh::from_env().await.expect(\"a mesh\");\n        \
             let client: {client} = mesh.client_at(&at).expect(\"a client\");\n        \
             let client = client.with(sinew::CallOptions::new().timeout(std::time::Duration::from_millis(500)));\n        \
             let described = sinew::describe::<{client}>();\n"
        ));
        for method in &service.methods {
            match call(service, method) {
                Some(call) => calls.push_str(&call),
                None => {
                    opaque += 1;
                    calls.push_str(&told(service, method, &format!("Some({OPAQUE:?}.to_owned())")));
                }
            }
        }
        calls.push_str("    }\n");
    }
    (format!("{HEAD}{calls}}}\n"), opaque)
}

const HEAD: &str = r#"//! Calls every method once.
mod generated;

use sinew::{CallError, Status, Streaming, descriptor::Descriptor};

fn of<T: serde::de::DeserializeOwned>(json: &str) -> T {
    serde_json::from_str(json).expect(json)
}

trait Problem { fn problem(self) -> Option<String>; }
impl Problem for Status {
    fn problem(self) -> Option<String> {
        // What the mesh or a codec says; a handler may fail as it likes, and one that never ends is ended.
        let words = self.to_string();
        let is_ours = self.origin() != sinew::Origin::PeerHandler && self.code() != sinew::Code::DeadlineExceeded;
        (is_ours && !words.contains("panicked")).then_some(words)
    }
}
impl<E> Problem for CallError<E> {
    fn problem(self) -> Option<String> {
        match self { Self::App(_) => None, Self::Status(status) => status.problem() }
    }
}

fn tell(described: &Descriptor, service: &str, name: &str, problem: Option<String>, before: sinew::CodecCounts) {
    let method = described.services.iter().flat_map(|service| &service.methods).find(|method| method.name == name);
    let fingerprint = method.and_then(|method| method.fingerprint.clone());
    let after = sinew::codec_counts();
    let bincode = after.bincode > before.bincode && after.messagepack == before.messagepack;
    println!("{}", serde_json::json!({
        "method": format!("{service}/{name}"), "problem": problem, "fingerprint": fingerprint, "bincode": bincode,
    }));
}

async fn drained<T, E: sinew::private::MethodError>(mut items: Streaming<T, E>) -> Result<(), E::Caller>
where T: serde::de::DeserializeOwned + Send + 'static {
    // The first few: some never end.
    for _ in 0..3 {
        match items.next().await { Some(item) => { item?; } None => break }
    }
    Ok(())
}

#[tokio::main]
async fn main() {
    let at = std::env::var("DRIVER_SERVER").expect("a server");
"#;

fn told(service: &Service, method: &Method, problem: &str) -> String {
    format!(
        "        tell(&described, {:?}, {:?}, {problem}, sinew::codec_counts());\n",
        service.name, method.name
    )
}

/// One call; `None` where an argument cannot be made up.
fn call(service: &Service, method: &Method) -> Option<String> {
    let types = &service.types;
    let mut arguments = Vec::new();
    for argument in &method.arguments {
        let value = sample(&argument.ty, types)?;
        arguments.push(format!("of({:?})", value.to_string()));
    }
    if let Some(input) = &method.input {
        let item = sample(&input.item, types)?.to_string();
        let items = format!("Streaming::iter([of({item:?}), of({item:?})])");
        arguments.insert(input.at, items);
    }
    let then = if method.streams.output() {
        "match answer { Ok(items) => drained(items).await.err().and_then(Problem::problem), Err(error) => error.problem() }"
    } else {
        "answer.err().and_then(Problem::problem)"
    };
    let name = sinew_codegen::generate::method_name(method);
    Some(format!(
        "        let before = sinew::codec_counts();\n        \
         let answer = client.{name}({}).await;\n        let problem = {then};\n        \
         tell(&described, {:?}, {:?}, problem, before);\n",
        arguments.join(", "),
        service.name,
        method.name
    ))
}
