//! Descriptors held against the schema that is published for them, by a validator that nobody here wrote.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use sinew_codegen::generate::openapi;
use sinew_tests::{
    Must as _,
    errand::errand,
    feed::{FeedServer, Feeding},
    legacy::programs,
    probe::{Counting, PROBE},
    scene::Scene,
    versions,
};

/// For each line of JSON, a line with what is wrong with it. What the schema does not name is wrong too, here: whatever is
/// written must be in it.
const VALIDATE: &str = r#"
import json, sys
from jsonschema import Draft202012Validator as Validator

def close(part):
    if isinstance(part, dict):
        if "properties" in part and part.get("type") == "object":
            part["additionalProperties"] = False
        for value in part.values():
            close(value)
    elif isinstance(part, list):
        for value in part:
            close(value)

schema = json.load(open(sys.argv[1]))
Validator.check_schema(schema)
close(schema)
for line in sys.stdin:
    wrong = Validator(schema).iter_errors(json.loads(line))
    print(json.dumps([f"{error.json_path}: {error.message[:200]}" for error in wrong]))
"#;

/// What is wrong with each of these; `None` where there is no validator.
fn problems(descriptors: &[Value]) -> Option<Vec<Vec<String>>> {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../runtime/descriptor/schema.json");
    let mut command = Command::new(programs::python()?);
    command.args(["-c", VALIDATE]).arg(schema).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().must("a validator");
    let lines: String = descriptors.iter().map(|one| format!("{one}\n")).collect();
    child.stdin.take().must("its input").write_all(lines.as_bytes()).must("it reads");
    let output = child.wait_with_output().must("its end");
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).must("text");
    Some(text.lines().map(|line| serde_json::from_str(line).must(line)).collect())
}

/// A service whose methods have bindings to HTTP of every kind.
const DOCUMENT: &str = r##"{"openapi":"3.1.0","info":{"title":"Pets","version":"1"},"paths":{
    "/pets/{id}":{"put":{"operationId":"keep","parameters":[
        {"name":"id","in":"path","required":true,"schema":{"type":"integer"}},
        {"name":"tag","in":"query","schema":{"type":"array","items":{"type":"string"}}},
        {"name":"if-match","in":"header","schema":{"type":"string"}}],
      "requestBody":{"required":true,"content":{"application/json":{"schema":{"$ref":"#/components/schemas/Pet"}}}},
      "responses":{"200":{"description":"kept","content":{"application/json":{"schema":{"$ref":"#/components/schemas/Pet"}}}},
        "409":{"description":"another","content":{"application/json":{"schema":{"$ref":"#/components/schemas/Pet"}}}}}},
      "get":{"operationId":"text","parameters":[{"name":"id","in":"path","required":true,"schema":{"type":"integer"}}],
        "responses":{"200":{"description":"it","content":{"text/plain":{"schema":{"type":"string"}}}}}}},
    "/form":{"post":{"operationId":"form","requestBody":{"required":true,"content":{
        "application/x-www-form-urlencoded":{"schema":{"$ref":"#/components/schemas/Pet"}}}},
      "responses":{"204":{"description":"done"}}}}},
    "components":{"schemas":{"Pet":{"type":"object","required":["name"],"properties":{"name":{"type":"string"},
      "kind":{"type":"string","enum":["cat","dog"]},"age":{"type":"integer"},"more":{}}}}}}"##;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_servers_and_documents_say_is_what_the_schema_of_descriptors_says() {
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
    let described = client.describe().await.must("a description");
    assert!(described.services.len() > 20);
    let imported = openapi::import(DOCUMENT, None).must("a document").descriptor;
    let wrong = [
        json!({"sinew_descriptor": 2, "services": []}),
        json!({"services": []}),
        service(&json!({"streams": "none"})),
        service(&json!({"name": "m", "output": "f16"})),
        service(&json!({"name": "m", "output": {"option": "u8", "list": "u8"}})),
        service(&json!({"name": "m", "fingerprint": "7"})),
        service(&json!({"name": "m", "http": {"verb": "get", "path": "/", "value": [[200]]}})),
        service(&json!({"name": "m", "unknown": 1})),
    ];
    let sound = [&described, &imported].map(|one| serde_json::to_value(one).must("JSON"));
    let both: Vec<Value> = sound.into_iter().chain(wrong).collect();
    let Some(problems) = problems(&both) else { return };
    assert_eq!(problems.len(), both.len());
    assert_eq!(problems[..2], [Vec::<String>::new(), Vec::new()]);
    for (descriptor, problems) in both.iter().zip(&problems).skip(2) {
        assert!(!problems.is_empty(), "{descriptor} is taken for a descriptor");
    }
}

fn service(method: &Value) -> Value {
    json!({"sinew_descriptor": 1, "services": [{"name": "s", "trait": "S", "methods": [method]}]})
}
