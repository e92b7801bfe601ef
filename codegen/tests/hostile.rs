//! Documents and descriptors that mean harm, or that nobody has read before: what comes of them is code or words with a
//! place, soon, and never a panic.
#![cfg(feature = "tools")]
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "tests, which say how long they took"
)]

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use sinew_codegen::generate::{Generated, module, openapi, read};

/// What none of them takes, however busy the machine is and however little the code is optimised. What it takes alone on
/// a machine is a second or less.
const LIMIT: Duration = Duration::from_secs(20);

#[track_caller]
fn soon<T>(what: &str, run: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let done = run();
    let took = began.elapsed();
    println!("{what}: {took:?}");
    assert!(took < LIMIT, "{what}: {took:?}");
    done
}

/// Whatever a document is: words, or a descriptor that makes sense and code that is Rust.
#[track_caller]
fn imported(document: &str) -> Result<(openapi::Imported, Generated), String> {
    let imported = openapi::import(document, None).map_err(|why| why.to_string())?;
    let problems = imported.descriptor.check();
    assert_eq!(problems, [], "{document}");
    let generated = generated(&imported.descriptor);
    for refusal in imported.refused.iter().chain(&generated.refused) {
        assert!(!refusal.element.is_empty() && !refusal.why.is_empty(), "{refusal:?}");
    }
    Ok((imported, generated))
}

#[track_caller]
fn generated(descriptor: &sinew_descriptor::Descriptor) -> Generated {
    let generated = module(descriptor);
    assert!(!generated.code.contains("compile_error"), "{}", generated.code);
    generated
}

/// A document of these paths and schemas.
fn document(paths: &Value, schemas: &Value) -> String {
    json!({"openapi": "3.1.0", "info": {"title": "Hostile"}, "paths": paths, "components": {"schemas": schemas}})
        .to_string()
}

/// A document of one operation that answers with this schema.
fn answering(schema: &Value, schemas: &Value) -> String {
    let answer = json!({"200": {"content": {"application/json": {"schema": schema}}}});
    document(&json!({"/": {"get": {"operationId": "get", "responses": answer}}}), schemas)
}

fn to(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// What a document becomes, and what is refused of it.
#[track_caller]
fn code(document: &str) -> (String, Vec<String>) {
    let (imported, generated) = imported(document).unwrap_or_else(|why| panic!("{why}"));
    let refused = imported.refused.iter().chain(&generated.refused);
    (generated.code.clone(), refused.map(ToString::to_string).collect())
}

/// A little of everything.
fn small() -> Value {
    json!({
        "openapi": "3.0.1", "info": {"title": "Small"}, "servers": [{"url": "http://x"}],
        "paths": {"/a/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "integer"}}],
            "post": {
                "operationId": "a", "summary": "A.",
                "parameters": [
                    {"name": "q", "in": "query", "schema": {"type": "array", "items": {"type": "string"}}},
                    {"name": "x-h", "in": "header", "schema": {"$ref": "#/components/schemas/E"}}
                ],
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/T"}}}},
                "responses": {
                    "200": {"content": {"application/json": {"schema": {"allOf": [{"$ref": "#/components/schemas/T"}]}}}},
                    "204": {}, "default": {"$ref": "#/components/responses/R"}
                }
            }
        }},
        "components": {
            "responses": {"R": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/T"}}}}},
            "schemas": {
                "E": {"type": "string", "enum": ["a", "b"]},
                "T": {"type": "object", "required": ["t"], "properties": {
                    "t": {"$ref": "#/components/schemas/T"}, "n": {"type": ["integer", "null"]},
                    "m": {"additionalProperties": {"oneOf": [{"type": "null"}, {"type": "number"}]}, "type": "object"}
                }}
            }
        }
    })
}

/// The same of the own format.
fn descriptor() -> Value {
    json!({"sinew_descriptor": 1, "services": [{
        "name": "a.B", "trait": "B", "version": 1, "doc": "B.",
        "methods": [{
            "name": "m", "streams": "input", "key": "k", "hedge": {"after_us": 5}, "idempotent": true, "timeout_us": 9,
            "arguments": [{"name": "k", "type": {"map": ["text", {"option": "u8"}]}, "optional": true}],
            "input": {"name": "i", "at": 1, "item": {"named": "T"}}, "output": {"tuple": ["u8", {"list": "bytes"}]},
            "error": {"named": "E"}
        }, {"name": "h", "arguments": [{"name": "id", "type": "text"}],
            "http": {"verb": "get", "path": "/{id}", "none": [[404, 404]]}, "output": {"option": "u8"}}],
        "types": [
            {"name": "T", "body": {"struct": [{"name": "f", "type": {"opaque": "x"}, "optional": true}]}},
            {"name": "E", "body": {"enum": [{"name": "V", "body": {"newtype": "u8"}}, {"name": "W", "alias": true}]}}
        ]
    }]})
}

#[test]
fn what_is_cut_off_is_told_with_its_place() {
    let (document, descriptor) = (small().to_string(), descriptor().to_string());
    assert!(imported(&document).is_ok());
    generated(&read(&descriptor).unwrap_or_else(|why| panic!("{why}")));
    for at in 0..document.len() {
        let why = openapi::import(&document[..at], None).unwrap_err().to_string();
        assert!(why.contains("line 1 column"), "{at}: {why}");
        assert!(!openapi::is_openapi(&document[..at]));
    }
    for at in 0..descriptor.len() {
        let why = read(&descriptor[..at]).unwrap_err().to_string();
        assert!(why.contains("line 1 column"), "{at}: {why}");
    }
}

/// Each place in a value, as a pointer.
fn places(value: &Value, at: String, all: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let name = name.replace('~', "~0").replace('/', "~1");
                places(member, format!("{at}/{name}"), all);
            }
        }
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                places(item, format!("{at}/{n}"), all);
            }
        }
        _ => {}
    }
    all.push(at);
}

/// The value with something else at each of its places.
fn mangled(value: &Value) -> Vec<Value> {
    let others = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1e300),
        json!("x"),
        json!(""),
        json!([]),
        json!({}),
        json!([{}]),
        json!({"$ref": "#/components/schemas/T"}),
        json!({"$ref": 7}),
    ];
    let mut all = Vec::new();
    places(value, String::new(), &mut all);
    let mut mangled = Vec::new();
    for place in all {
        for other in &others {
            let mut value = value.clone();
            *value.pointer_mut(&place).unwrap() = other.clone();
            mangled.push(value);
        }
    }
    mangled
}

#[test]
fn values_of_the_wrong_kind_are_words_or_code() {
    let documents = mangled(&small());
    assert!(documents.len() > 700, "{}", documents.len());
    let mut made = 0;
    for document in documents {
        made += usize::from(imported(&document.to_string()).is_ok());
    }
    assert!(made > 500, "{made} became something");
    let mut made = 0;
    for value in mangled(&descriptor()) {
        match read(&value.to_string()) {
            Ok(descriptor) => {
                generated(&descriptor);
                made += 1;
            }
            Err(why) => assert!(why.problems().iter().all(|why| !why.is_empty())),
        }
    }
    assert!(made > 20, "{made} became something");
}

#[test]
fn references_that_lead_nowhere_are_any_value() {
    let schemas = json!({
        "Me": to("Me"), "One": to("Two"), "Two": to("One"),
        "List": {"type": "array", "items": to("List")},
        "Map": {"type": "object", "additionalProperties": to("Map")},
        "Made": {"allOf": [to("Made"), to("Made"), to("Made")]},
        "Both": {"allOf": [to("Both"), {"properties": {"x": {"type": "string"}, "me": to("Both")}}]},
    });
    for (target, expected) in [
        ("#/components/schemas/Nowhere", "Result<Value, Status>"),
        ("other.json#/X", "Result<Value, Status>"),
        ("http://127.0.0.1:1/x.json", "Result<Value, Status>"),
        ("", "Result<Value, Status>"),
        ("#", "Result<Value, Status>"),
        ("#/", "Result<Value, Status>"),
        ("#/paths/~1/get/responses/200/content/application~1json/schema", "Result<Value, Status>"),
        ("#/components/schemas/Me", "Result<Value, Status>"),
        ("#/components/schemas/One", "Result<Value, Status>"),
        ("#/components/schemas/List", "Result<Vec<Value>, Status>"),
        ("#/components/schemas/Map", "Result<BTreeMap<String, Value>, Status>"),
        ("#/components/schemas/Made", "Result<Value, Status>"),
        ("#/components/schemas/Both", "pub me: Option<Box<Both>>"),
    ] {
        let (code, refused) = code(&answering(&json!({"$ref": target}), &schemas));
        assert!(code.contains(expected) && refused.is_empty(), "{target}: {refused:?}\n{code}");
    }
    for (paths, words) in [
        (json!({"/": {"$ref": "#/nowhere"}}), "/: it is no object"),
        (json!({"/": {"$ref": "paths.json"}}), "/: it is no object"),
        (json!({"/": {"$ref": "#/paths/~1"}}), "/: it is no object"),
        (json!({"/": {"get": {"parameters": [{"$ref": "x"}]}}}), "GET /: the reference"),
        (json!({"/": {"post": {"requestBody": {"$ref": "x"}}}}), "POST /: the reference"),
    ] {
        let (_, refused) = code(&document(&paths, &json!({})));
        assert!(refused.len() == 1 && refused[0].starts_with(words), "{refused:?}");
    }
}

/// Words that are no names in Rust, or that something there is called already.
const WORDS: &[&str] = &[
    "type",
    "self",
    "Self",
    "crate",
    "super",
    "_",
    "__",
    "async",
    "gen",
    "try",
    "dyn",
    "fn",
    "1st",
    "",
    " ",
    "a b",
    "a-b",
    "a.b",
    "a/b",
    "a{b}",
    "\"",
    "\\",
    "\n",
    "\0",
    "\u{202E}x",
    "été",
    "名前",
    "½",
    "🦀",
    "e\u{301}",
    "with",
    "local",
    "clone",
    "from_channel",
    "client",
    "server",
    "Option",
    "String",
    "Vec",
    "Result",
    "Value",
    "Ok",
    "Hostile",
    "HostileClient",
    "r#type",
    "'a",
    "$x",
    "#",
    "//",
    "*/",
    "get",
    "channel",
    "this",
    "answer",
    "service",
    "Box",
    "Default",
    "Serialize",
    "std",
    "sinew",
    "serde",
];

#[test]
fn names_of_any_kind_become_names_of_rust() {
    let mut paths = Map::new();
    let mut schemas = Map::new();
    for (n, word) in WORDS.iter().enumerate() {
        let variants: Vec<_> = WORDS[..=n].iter().chain(["x"].iter()).collect();
        let properties: Map<_, _> =
            WORDS.iter().map(|word| ((*word).to_owned(), json!({"type": "string"}))).collect();
        schemas.insert((*word).to_owned(), json!({"properties": properties, "description": word}));
        let operation = json!({
            "operationId": word, "summary": word, "description": format!("```\n{word}"),
            "parameters": [
                {"name": word, "in": "query", "schema": {"enum": variants}},
                {"name": word, "in": "header", "schema": {"type": "string"}},
            ],
            "requestBody": {"content": {"application/json": {"schema": {"properties": properties}}}},
            "responses": {"200": {"content": {"application/json": {"schema": to(&word.replace('~', "~0").replace('/', "~1"))}}}}
        });
        let path: String = word.chars().filter(|c| !"{}?#".contains(*c)).collect();
        paths.insert(format!("/{n}/{path}"), json!({"post": operation}));
    }
    // Some segments cannot be in a path: `.` and `..` are not among them, so that none is refused.
    let (code, refused) = code(&document(&Value::Object(paths), &Value::Object(schemas)));
    assert!(refused.is_empty(), "{refused:?}");
    assert_eq!(code.matches("async fn ").count(), WORDS.len());
    assert!(!code.contains('\u{202E}') && !code.contains('\0'), "{code}");
    for line in [
        "async fn r#type(",
        "async fn r#gen(",
        "async fn self_(",
        "async fn with2(",
        "fn post_",
        "\"\\u{202e}x\"",
    ] {
        assert!(code.contains(line), "{line}\n{code}");
    }
}

#[test]
fn what_the_macro_refuses_is_refused_by_name() {
    let get = json!({"operationId": "get", "responses": {}});
    let with = |parameters: Value| json!({"operationId": "get", "parameters": parameters, "responses": {}});
    let id = |name: &str| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}});
    for (path, operation, words) in [
        ("no-slash", &get, "its path does not begin with `/`"),
        ("/a/../b", &get, "`.` and `..` are taken away"),
        ("/{a}{b}", &with(json!([id("a"), id("b")])), "two arguments stand side by side"),
        ("/{a}/{a}", &with(json!([id("a")])), "has two places"),
        ("/{a", &with(json!([])), "a brace in its path is not closed"),
        ("/?x=1", &get, "its path says `?x=1`"),
        (
            "/",
            &with(json!([{"name": "ä", "in": "header", "required": true}])),
            "`ä` is no name of a header",
        ),
        (
            "/",
            &with(json!([{"name": "Host", "in": "header", "required": true}])),
            "the header `host` is the bridge's own",
        ),
    ] {
        let (code, refused) = code(&document(&json!({path: {"get": operation}}), &json!({})));
        let is_told = refused.len() == 1 && refused[0].contains(words);
        assert!(is_told && !code.contains("async fn"), "{path}: {words}: {refused:?}\n{code}");
    }
    let mut own = descriptor();
    own["services"][0]["name"] = json!("a b");
    let refused = generated(&read(&own.to_string()).unwrap()).refused;
    assert!(refused.len() == 1 && refused[0].element == "a b", "{refused:?}");
    let mut own = descriptor();
    own["services"][0]["methods"][0]["name"] = json!("名前");
    let refused = generated(&read(&own.to_string()).unwrap()).refused;
    assert!(refused.len() == 1 && refused[0].element == "a.B/名前", "{refused:?}");
}

#[test]
fn what_is_there_twice_is_told_apart() {
    let id = |name: &str| json!([{"name": name, "in": "path", "required": true, "schema": {"type": "string"}}]);
    let operation =
        |name: &str| json!({"operationId": "same", "parameters": id(name), "responses": {}});
    let query = json!([
        {"name": "q", "in": "query", "schema": {"type": "string"}}, {"name": "q[]", "in": "query", "schema": {"type": "string"}},
        {"name": "Q", "in": "query", "schema": {"type": "string"}}, {"name": "X", "in": "header", "schema": {"type": "string"}},
        {"name": "x", "in": "header", "schema": {"type": "string"}}, {"name": "q", "in": "query", "schema": {"type": "integer"}}
    ]);
    let paths = json!({
        "/a/{x}": {"get": operation("x"), "delete": operation("x")}, "/a/{y}": {"get": operation("y")},
        "/q": {"get": {"operationId": "q", "parameters": query, "responses": {}}}
    });
    let (code, refused) = code(&document(&paths, &json!({})));
    assert_eq!(refused, [""; 0]);
    for line in [
        "fn same(",
        "fn same2(",
        "fn same3(",
        "q: Option<String>",
        "q2: ",
        "q3: ",
        "x: Option<String>",
    ] {
        assert!(code.contains(line), "{line}\n{code}");
    }
    assert!(!code.contains("x2") && !code.contains("Option<i64>"), "{code}");
}

#[test]
fn very_many_of_anything_are_no_trouble() {
    let many = 10_000;
    let operations: Map<_, _> = (0..many)
        .map(|n| (format!("/{n}"), json!({"get": {"operationId": "same", "responses": {}}})))
        .collect();
    let text = document(&Value::Object(operations), &json!({}));
    let (all, _) = soon("operations of one name", || imported(&text)).unwrap();
    assert_eq!((all.operations, all.refused.len()), (many, 0));

    let next =
        |n: usize| json!({"required": ["next"], "properties": {"next": to(&format!("T{n}"))}});
    let chain: Map<_, _> = (0..many).map(|n| (format!("T{n}"), next(n + 1))).collect();
    let text = answering(&to("T0"), &Value::Object(chain));
    let (_, one) = soon("types in a chain", || imported(&text)).unwrap();
    assert_eq!(one.code.matches("pub struct T").count(), many);

    let properties: Map<_, _> =
        (0..many).map(|n| (format!("-{n}-"), json!({"type": "string"}))).collect();
    let text = answering(&json!({"properties": properties}), &json!({}));
    let (_, one) = soon("properties", || imported(&text)).unwrap();
    assert_eq!(one.code.matches("Option<String>").count(), many);

    let texts: Vec<_> = (0..many * 10).map(|n| format!("+{n}")).collect();
    let text = answering(&json!({"enum": texts}), &json!({}));
    let (_, one) = soon("texts", || imported(&text)).unwrap();
    assert!(one.code.contains("Result<String, Status>"), "{}", one.code);
    let text = answering(&json!({"enum": vec!["+"; many]}), &json!({}));
    assert!(soon("the same text", || imported(&text)).unwrap().1.code.contains("enum GetAnswer"));

    for place in ["query", "path", "header", "cookie"] {
        let parameters: Vec<_> = (0..many)
            .map(|n| json!({"name": format!("p{n}"), "in": place, "required": place == "path"}))
            .collect();
        let path: String = (0..many).map(|n| format!("/{{p{n}}}")).collect();
        let path = if place == "path" { &*path } else { "/" };
        let operation = json!({"get": {"parameters": parameters, "responses": {}}});
        let text = document(&json!({path: operation}), &json!({}));
        soon(place, || imported(&text)).unwrap();
    }
    let parts: Vec<_> = (0..many).map(|_| to("T")).collect();
    let text = answering(&to("T"), &json!({"T": {"allOf": parts}}));
    soon("what is made of itself", || imported(&text)).unwrap();
}

#[test]
fn what_is_deep_is_told_or_any_value() {
    let mut deep = json!({"type": "string"});
    let mut object = json!({"type": "string"});
    for n in 0..40 {
        deep = json!({"type": "array", "items": deep});
        object = json!({"properties": {format!("p{n}"): object}});
    }
    let (list, refused) = code(&answering(&deep, &json!({})));
    assert!(list.contains("Vec<Vec<Value>>") && refused.is_empty(), "{list}");
    let (objects, refused) = code(&answering(&object, &json!({})));
    assert!(objects.matches("pub struct").count() == 40 && refused.is_empty(), "{objects}");
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let text = format!(
            "{{\"openapi\":\"3.0.0\",\"paths\":{}1{}}}",
            open.repeat(100_000),
            close.repeat(100_000)
        );
        let why = soon("deep", || imported(&text)).unwrap_err();
        assert!(why.contains("recursion limit exceeded at line 1 column"), "{why}");
        let text = format!(
            "{{\"sinew_descriptor\":1,\"services\":{}1{}}}",
            open.repeat(100_000),
            close.repeat(100_000)
        );
        let why = soon("deep", || read(&text)).unwrap_err().to_string();
        assert!(why.contains("line 1 column"), "{why}");
    }
}

/// A descriptor of these methods and types.
fn described(methods: &Value, types: &Value) -> String {
    json!({"sinew_descriptor": 1, "services": [{"name": "Many", "trait": "Many", "methods": methods, "types": types}]})
        .to_string()
}

#[test]
fn descriptors_of_very_many_types_are_no_trouble() {
    let many = 10_000;
    let types = |body: &dyn Fn(usize) -> Value| -> Value {
        (0..many).map(|n| json!({"name": format!("T{n}"), "body": body(n)})).collect()
    };
    let method =
        |n: usize| json!({"name": format!("get_{n}"), "output": {"named": format!("T{n}")}});
    let methods: Value = (0..many).map(method).collect();
    let few: Value = (0..20).map(method).collect();
    let named = |n: usize| json!({"named": format!("T{}", n % many)});

    // Each holds the next by value, the last a float: no type is a key, and each has a default.
    let chain = types(&|n| {
        let next = if n + 1 < many { named(n + 1) } else { json!("f64") };
        json!({"struct": [{"name": "next", "type": next}]})
    });
    let text = described(&few, &chain);
    let one = soon("a chain", || generated(&read(&text).unwrap()));
    assert_eq!(one.code.matches("Default,").count(), many, "{}", &one.code[..2000]);

    let newtypes =
        types(&|n| if n + 1 < many { json!({"newtype": named(n + 1)}) } else { json!("unit") });
    let text = described(&few, &newtypes);
    soon("newtypes in a chain", || read(&text)).unwrap();
    let circle = types(&|n| json!({"newtype": named(n + 1)}));
    let text = described(&few, &circle);
    let problems = soon("newtypes in a circle", || read(&text)).unwrap_err();
    assert_eq!(problems.problems().len(), many);
    assert_eq!(problems.problems()[0], "services[0].types[0].body: `T0` is nothing but itself");

    // One type that cannot be written, below all others, and maps whose keys are all of them.
    let refused = types(&|n| match n + 1 < many {
        true => {
            json!({"struct": [{"name": "n", "type": {"list": named(n + 1)}}, {"name": "m", "type": {"map": [named(n + 1), "u8"]}}]})
        }
        false => {
            json!({"struct": [{"name": "n", "type": "f64"}, {"name": "m", "type": {"tuple": vec!["u8"; 40]}}]})
        }
    });
    let text = described(&methods, &refused);
    let one = soon("types that hold one which is refused", || generated(&read(&text).unwrap()));
    assert_eq!(one.refused.len(), many, "{:?}", one.refused.first());

    let fingerprints: Value = (0..many)
        .map(|n| json!({"name": format!("get_{n}"), "output": named(n), "fingerprint": "0000000000000001"}))
        .collect();
    // Two of the next, and so on: what is written for a fingerprint has no end.
    let twice = types(&|n| json!({"tuple": [named(n + 1), {"list": named(n + 1)}]}));
    let text = described(&fingerprints, &twice);
    let problems = soon("fingerprints that take long", || read(&text)).unwrap_err();
    assert!(problems.to_string().contains("too large for so many to be compared"), "{problems}");
    let opaque = types(&|n| match n + 1 < many {
        true => json!({"struct": [{"name": "n", "type": named(n + 1)}]}),
        false => json!({"newtype": {"opaque": "so"}}),
    });
    let text = described(&fingerprints, &opaque);
    soon("types of which one cannot be seen", || read(&text)).unwrap();

    let names: Value = (0..many)
        .map(|n| json!({"name": "+".repeat(n % 100 + 1) + &"-".repeat(n / 100), "type": "u8"}))
        .collect();
    let text = described(
        &json!([{"name": "get", "output": {"named": "T"}}]),
        &json!([{"name": "T", "body": {"struct": names}}]),
    );
    let one = soon("fields whose names are none", || generated(&read(&text).unwrap()));
    assert_eq!(one.code.matches(": u8").count(), many);
}
