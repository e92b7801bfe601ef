//! Rust out of descriptors: names that are no names, types that hold themselves, and descriptors that make no sense.
#![cfg(feature = "tools")]

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sinew_codegen::generate::{Generated, module, read};
use sinew_descriptor::Descriptor;

/// A descriptor of one service with one method, `output` what it answers with, and these types.
fn described(output: &Value, types: &Value) -> String {
    json!({"sinew_descriptor": 1, "services": [{
        "name": "shop.Thing", "trait": "Thing",
        "methods": [{"name": "get", "output": output}],
        "types": types,
    }]})
    .to_string()
}

#[track_caller]
fn generated(json: &str) -> Generated {
    let descriptor: Descriptor = read(json).unwrap_or_else(|why| panic!("{why}"));
    let generated = module(&descriptor);
    assert!(!generated.code.contains("compile_error"), "{}", generated.code);
    assert_eq!(module(&descriptor), generated, "the same descriptor, the same text");
    generated
}

/// What is written of one type.
#[track_caller]
fn code(body: &Value) -> String {
    let generated =
        generated(&described(&json!({"named": "T"}), &json!([{"name": "T", "body": body}])));
    assert_eq!(generated.refused, [], "{}", generated.code);
    generated.code
}

#[test]
fn names_of_others_become_identifiers_and_keep_their_names() {
    let fields = ["type", "fooBar", "foo-bar", "1st", "self", "", " "]
        .map(|name| json!({"name": name, "type": "u8"}));
    let code = code(&json!({"struct": fields[..5]}));
    for line in [
        "pub r#type: u8",
        "#[serde(rename = \"fooBar\")]",
        "pub foo_bar: u8",
        "#[serde(rename = \"foo-bar\")]",
        "pub foo_bar2: u8",
        "#[serde(rename = \"1st\")]",
        "pub n1st: u8",
        "pub self_: u8",
    ] {
        assert!(code.contains(line), "{line}: {code}");
    }
    assert!(!code.contains("rename = \"type\""), "{code}");
}

#[test]
fn types_that_hold_themselves_are_boxed_where_they_must_be() {
    let code = code(&json!({"struct": [
        {"name": "next", "type": {"option": {"named": "T"}}},
        {"name": "many", "type": {"list": {"named": "T"}}},
        {"name": "pair", "type": {"tuple": [{"named": "T"}, "u8"]}},
    ]}));
    for line in ["next: Option<Box<T>>", "many: Vec<T>", "pair: (Box<T>, u8)"] {
        assert!(code.contains(line), "{line}: {code}");
    }
}

#[test]
fn no_type_takes_the_name_of_what_generated_code_needs() {
    for name in
        ["Option", "String", "Status", "Streaming", "Thing", "ThingClient", "Bytes", "Value"]
    {
        let types = json!([{"name": name, "body": {"struct": [
            {"name": "a", "type": {"option": "text"}}, {"name": "b", "type": "bytes"},
            {"name": "c", "type": {"opaque": "because"}},
        ]}}]);
        let generated = generated(&described(&json!({"named": name}), &types));
        let renamed = format!("pub struct {name}2");
        assert!(generated.code.contains(&renamed) && generated.needs_json, "{}", generated.code);
    }
}

#[test]
fn what_is_optional_has_a_default_where_it_can() {
    let code = code(&json!({"struct": [
        {"name": "a", "type": "u8", "optional": true},
        {"name": "b", "type": {"option": "u8"}, "optional": true},
        {"name": "c", "type": "u8"},
    ]}));
    assert_eq!(code.matches("#[serde(default)]").count(), 1, "{code}");
}

#[test]
fn variants_keep_their_other_names() {
    let code = code(&json!({"enum": [
        {"name": "A"}, {"name": "old-a", "alias": true},
        {"name": "b_c", "body": {"newtype": "u8"}},
        {"name": "D", "body": {"struct": [{"name": "x", "type": "u8"}]}},
        {"name": "E", "body": {"tuple": ["u8", "text"]}},
    ]}));
    for line in
        ["#[serde(alias = \"old-a\")]", "#[serde(rename = \"b_c\")]", "BC(u8)", "E(u8, String)"]
    {
        assert!(code.contains(line), "{line}: {code}");
    }
}

#[test]
fn what_rust_cannot_say_is_refused_by_name() {
    for (output, word) in [
        (json!({"map": ["f64", "u8"]}), "a floating-point number has no order"),
        (json!({"tuple": vec!["u8"; 33]}), "an array of 33 parts"),
        (
            json!({"tuple": ["u8", "u16", "u8", "u8", "u8", "u8", "u8", "u8", "u8", "u8", "u8", "u8", "u8"]}),
            "a tuple of 13 parts",
        ),
        (json!({"named": "T"}), "the type `T`: the field `k`: a map's key"),
    ] {
        let types = json!([{"name": "T", "body": {"struct": [{"name": "k", "type": {"map": ["f32", "u8"]}}]}}]);
        let generated = generated(&described(&output, &types));
        let refused = generated.refused.first().map(ToString::to_string).unwrap_or_default();
        assert!(
            refused.starts_with("shop.Thing/get: the output: ") && refused.contains(word),
            "{refused}"
        );
    }
}

#[test]
fn what_makes_no_sense_is_told_with_its_place() {
    let good = described(&json!("u8"), &json!([]));
    let deep = format!("{}\"u8\"{}", "{\"option\":".repeat(500), "}".repeat(500));
    let shallow = format!("{}\"u8\"{}", "{\"option\":".repeat(30), "}".repeat(30));
    let method = |more: Value| {
        let mut value: Value = serde_json::from_str(&good).unwrap();
        value["services"][0]["methods"][0]
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        value.to_string()
    };
    let circle = json!([{"name": "A", "body": {"newtype": {"named": "B"}}}, {"name": "B", "body": {"newtype": {"named": "A"}}}]);
    let twice = json!([{"name": "A", "body": "unit"}, {"name": "A", "body": "unit"}]);
    for (json, word) in [
        (good[..good.len() / 2].to_owned(), "at line 1 column"),
        ("[]".to_owned(), "line 1"),
        (
            "{\"sinew_descriptor\":2,\"services\":[]}".to_owned(),
            "sinew_descriptor: format 2 is not known; this build reads 1",
        ),
        (good.replace("\"u8\"", "\"u9\""), "unknown variant `u9`"),
        (good.replace("\"u8\"", &deep), "recursion limit"),
        (good.replace("\"u8\"", &shallow), "more than 24 types in each other"),
        (
            good.replace("\"u8\"", "{\"named\":\"X\"}"),
            "services[0].methods[0].output: there is no type `X`",
        ),
        (
            described(&json!({"named": "A"}), &circle),
            "services[0].types[0].body: `A` is nothing but itself",
        ),
        (described(&json!("u8"), &twice), "services[0].types[1].name: `A` is there twice"),
        (method(json!({"streams": "input"})), "services[0].methods[0].streams"),
        (method(json!({"key": "x"})), "services[0].methods[0].key: there is no argument `x`"),
        (method(json!({"fingerprint": "0000000000000001"})), "services[0].methods[0].fingerprint"),
        (method(json!({"http": {"verb": "fetch", "path": "/"}})), "http.verb: `fetch` is no verb"),
        (
            method(json!({"http": {"verb": "get", "path": "/{id}"}})),
            "http.path: there is no argument `id`",
        ),
    ] {
        let problem = read(&json).expect_err(&json).to_string();
        assert!(problem.contains(word), "{word}: {problem}");
    }
}

#[test]
fn ten_thousand_methods_and_types_are_no_trouble() {
    let methods: Vec<_> = (0..10_000)
        .map(|n| json!({"name": format!("get_{n}"), "output": {"named": format!("T{n}")}}))
        .collect();
    let types: Vec<_> = (0..10_000)
        .map(|n| json!({"name": format!("T{n}"), "body": {"struct": [{"name": "next", "type": {"option": {"named": format!("T{}", (n + 1) % 10_000)}}}]}}))
        .collect();
    let json = json!({"sinew_descriptor": 1, "services": [{"name": "Many", "trait": "Many", "methods": methods[..20], "types": types}]});
    let began = Instant::now();
    let small = generated(&json.to_string());
    assert_eq!(small.code.matches("pub struct").count(), 10_000);
    let json = json!({"sinew_descriptor": 1, "services": [{"name": "Many", "trait": "Many", "methods": methods, "types": types[..0]}]});
    assert!(read(&json.to_string()).is_err(), "types are missing");
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}
