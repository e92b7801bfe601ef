//! What a document says of each thing that a descriptor can say.

mod names;
mod shapes;
mod valid;

use serde_json::{Value, json};
use sinew::descriptor::Service;

use super::document;

/// Services as their JSON says.
#[track_caller]
fn services(of: &Value) -> Vec<Service> {
    serde_json::from_value(of.clone()).unwrap()
}

/// The document of a service with this method and these types.
#[track_caller]
fn of_method(mut method: Value, types: &Value) -> Value {
    if method["name"].is_null() {
        method["name"] = json!("m");
    }
    let one =
        json!([{"name": "shop.Stock", "trait": "Stock", "methods": [method], "types": types}]);
    document(&services(&one), "Shop")
}

/// The only operation of a document.
#[track_caller]
fn operation(document: &Value) -> &Value {
    let paths = document["paths"].as_object().unwrap();
    let item = paths.values().next().and_then(Value::as_object).unwrap();
    assert_eq!((paths.len(), item.len()), (1, 1), "{document}");
    item.values().next().unwrap()
}

fn point() -> Value {
    json!([{"name": "Point", "body": {"struct": [
        {"name": "x", "type": "i32"}, {"name": "tags", "type": {"list": "text"}, "optional": true},
        {"name": "y", "type": {"option": "f64"}, "optional": true},
        {"name": "ex", "type": "unit", "alias": true}]}}])
}

#[test]
fn a_document_says_what_it_is_and_of_which_services() {
    let both = json!([
        {"name": "b", "trait": "B", "doc": "All of it.\n\nAnd more.", "version": 3, "methods": [{"name": "m"}]},
        {"name": "a", "trait": "A", "methods": [{"name": "m", "doc": "Does it.\n\nWell,\nmostly."}]},
    ]);
    let made = document(&services(&both), "Shop");
    assert_eq!(made["openapi"], "3.1.0");
    assert_eq!(made["info"], json!({"title": "Shop", "version": "3"}));
    assert_eq!(
        made["tags"],
        json!([{"name": "b", "description": "All of it.\n\nAnd more."}, {"name": "a"}])
    );
    let operation = &made["paths"]["/a/m"]["post"];
    assert_eq!(operation["operationId"], "a_m");
    assert_eq!(operation["tags"], json!(["a"]));
    assert_eq!(operation["summary"], "Does it.");
    assert_eq!(operation["description"], "Well,\nmostly.");
    assert_eq!(operation["x-sinew-method"], "a/m");
    assert!(made.get("servers").is_none());
    let nothing = document(&[], "");
    assert_eq!((&nothing["paths"], &nothing["tags"]), (&json!({}), &json!([])));
}

#[test]
fn words_that_go_on_are_not_torn_apart() {
    let doc = "One sentence that\ngoes on.\n\nMore.";
    let made = of_method(json!({"doc": doc}), &json!([]));
    assert_eq!(operation(&made)["summary"], "One sentence that");
    assert_eq!(operation(&made)["description"], doc);
}

#[test]
fn what_the_trait_says_of_calls_stands_beside() {
    let method =
        json!({"idempotent": true, "timeout_us": 250_000, "criticality": "sheddable_plus"});
    let made = of_method(method, &json!([]));
    let operation = operation(&made);
    assert_eq!(operation["x-sinew-idempotent"], true);
    assert_eq!(operation["x-sinew-timeout-ms"], 250);
    assert_eq!(operation["x-sinew-criticality"], "sheddable_plus");
    let made = of_method(json!({"timeout_us": 1500}), &json!([]));
    assert_eq!(self::operation(&made)["x-sinew-timeout-ms"], 1.5);
    assert!(self::operation(&made).get("x-sinew-idempotent").is_none());
}

#[test]
fn parameters_stand_where_the_binding_has_them() {
    let method = json!({
        "arguments": [
            {"name": "id", "type": "u64"}, {"name": "q", "type": "text"},
            {"name": "page", "type": {"option": "u8"}, "optional": true},
            {"name": "tags", "type": {"list": "text"}}, {"name": "at", "type": {"named": "Point"}},
            {"name": "tenant", "type": {"option": "text"}, "optional": true},
            {"name": "key", "type": "char"}, {"name": "none", "type": "unit"},
            {"name": "more", "type": {"map": ["text", "text"]}},
        ],
        "http": {"verb": "get", "path": "/items/{id}.json", "query": [["q", "q"], ["p", "page"], ["tag", "tags"],
            ["at", "at"], ["none", "none"], ["more", "more"]], "headers": [["x-tenant", "tenant"], ["x-key", "key"]]},
    });
    let made = of_method(method, &point());
    let operation = &made["paths"]["/items/{id}.json"]["get"];
    let all = operation["parameters"].as_array().unwrap();
    let said = all.iter().map(|one| {
        let text = |key: &str| one[key].as_str().unwrap().to_owned();
        (
            text("in"),
            text("name"),
            one["required"].as_bool().unwrap(),
            one["schema"]["type"].as_str().unwrap(),
        )
    });
    let said: Vec<_> = said.collect();
    let expected = [
        ("path", "id", true, "integer"),
        ("query", "q", true, "string"),
        ("query", "p", false, "integer"),
        ("query", "tag", false, "array"),
        // The fields of `at`; the first of one name stays.
        ("query", "x", true, "integer"),
        ("query", "tags", false, "array"),
        ("query", "y", false, "number"),
        ("query", "more", true, "object"),
        ("header", "x-tenant", false, "string"),
        ("header", "x-key", true, "string"),
    ];
    let expected =
        expected.map(|(place, name, is, kind)| (place.to_owned(), name.to_owned(), is, kind));
    assert_eq!(said, expected);
    for index in [3, 5, 7] {
        assert_eq!((&all[index]["style"], &all[index]["explode"]), (&json!("form"), &json!(true)));
    }
    assert!(operation.get("requestBody").is_none());
    // What is taken apart is no component.
    assert!(made["components"]["schemas"].get("Point").is_none());
}

#[test]
fn an_option_of_a_struct_needs_none_of_its_fields() {
    let method = json!({
        "arguments": [{"name": "at", "type": {"option": {"named": "Point"}}, "optional": true}],
        "http": {"verb": "get", "path": "/", "query": [["at", "at"]]},
    });
    let made = of_method(method, &point());
    let all = operation(&made)["parameters"].as_array().unwrap();
    assert_eq!(all.len(), 3);
    assert!(all.iter().all(|one| one["required"] == false), "{all:?}");
}

#[test]
fn bodies_are_of_the_kind_that_the_binding_says() {
    let at = json!({"name": "at", "type": {"named": "Point"}});
    let picture = json!({"name": "picture", "type": "bytes"});
    let maybe = json!({"name": "maybe", "type": {"option": "text"}, "optional": true});
    let to_point = json!({"$ref": "#/components/schemas/Point"});
    let binary = json!({"type": "string", "format": "binary"});
    let (input, streams) = (json!({"name": "items", "at": 0, "item": {"named": "Point"}}), "input");
    for (body, arguments, input, kind, schema) in [
        (json!({"json": "at"}), vec![&at], None, "application/json", &to_point),
        (json!({"form": "at"}), vec![&at], None, "application/x-www-form-urlencoded", &to_point),
        (json!({"bytes": "picture"}), vec![&picture], None, "application/octet-stream", &binary),
        (json!("items"), vec![], Some(&input), "application/x-ndjson", &to_point),
        (json!("chunks"), vec![], Some(&input), "application/octet-stream", &binary),
    ] {
        let mut method =
            json!({"arguments": arguments, "http": {"verb": "post", "path": "/", "body": body}});
        if let Some(input) = input {
            (method["input"], method["streams"]) = (input.clone(), json!(streams));
        }
        let made = of_method(method, &point());
        let said = &operation(&made)["requestBody"];
        assert_eq!(
            *said,
            json!({"required": true, "content": {kind: {"schema": schema}}}),
            "{body}"
        );
    }
    let method = json!({"arguments": [at, maybe], "http": {"verb": "post", "path": "/", "body": {"named": ["at", "maybe"]}}});
    let made = of_method(method, &point());
    assert_eq!(
        operation(&made)["requestBody"]["content"]["application/json"]["schema"],
        json!({"type": "object", "required": ["at"], "properties": {
            "at": to_point, "maybe": {"anyOf": [{"type": "string"}, {"type": "null"}]}}})
    );
    let method = json!({"arguments": [maybe], "http": {"verb": "put", "path": "/", "body": {"json": "maybe"}}});
    assert_eq!(operation(&of_method(method, &point()))["requestBody"]["required"], false);
}

#[test]
fn a_method_without_a_binding_is_a_post_of_its_arguments() {
    let sku = json!({"name": "sku", "type": "text"});
    let input = json!({"name": "changes", "at": 1, "item": "i32"});
    let made = of_method(
        json!({"arguments": [sku], "output": {"option": "u8"}, "error": "text"}),
        &json!([]),
    );
    let operation = &made["paths"]["/shop.Stock/m"]["post"];
    assert_eq!(operation["operationId"], "shop_Stock_m");
    assert_eq!(
        operation["requestBody"]["content"]["application/json"]["schema"],
        json!({"type": "object", "required": ["sku"], "properties": {"sku": {"type": "string"}}})
    );
    // `None` is `null` here.
    let answers = operation["responses"].as_object().unwrap();
    assert_eq!(answers.keys().collect::<Vec<_>>(), ["200", "422", "default"]);
    let value = &answers["200"]["content"]["application/json"]["schema"];
    assert_eq!(value["anyOf"][1], json!({"type": "null"}));

    let made = of_method(json!({}), &json!([]));
    assert!(self::operation(&made).get("requestBody").is_none());
    let unit = json!({"application/json": {"schema": {"type": "null"}}});
    assert_eq!(self::operation(&made)["responses"]["200"]["content"], unit);

    let made =
        of_method(json!({"arguments": [sku], "input": input, "streams": "input"}), &json!([]));
    let operation = self::operation(&made);
    let schema = &operation["requestBody"]["content"]["application/x-ndjson"]["schema"];
    assert_eq!(schema["anyOf"][0]["required"], json!(["sku"]));
    assert_eq!(schema["anyOf"][1]["format"], "int32");
    assert!(
        operation["description"]
            .as_str()
            .unwrap()
            .contains("the first is an object of the arguments")
    );

    let bytes =
        json!({"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}});
    let raw =
        json!({"raw": true, "arguments": [{"name": "body", "type": "bytes"}], "output": "bytes"});
    let made = of_method(raw, &json!([]));
    assert_eq!(self::operation(&made)["requestBody"]["content"], bytes);
    assert_eq!(self::operation(&made)["responses"]["200"]["content"], bytes);
}

/// The responses of a method of this binding, by status: the kind of content, or a word for none.
#[track_caller]
fn statuses(binding: Value, output: Value, error: bool) -> Vec<String> {
    let mut http = json!({"verb": "get", "path": "/"});
    http.as_object_mut().unwrap().extend(binding.as_object().unwrap().clone());
    let mut method = json!({"http": http, "output": output});
    if error {
        method["error"] = json!("text");
    }
    let made = of_method(method, &json!([]));
    let answers = operation(&made)["responses"].as_object().unwrap().iter();
    let said = answers.map(|(status, one)| {
        let kinds =
            one["content"].as_object().map(|kinds| kinds.keys().cloned().collect::<Vec<_>>());
        let kinds = kinds.map_or("nothing".to_owned(), |kinds| kinds.join("+"));
        format!("{status} {}", kinds.replace("application/", ""))
    });
    said.filter(|said| !said.starts_with("default")).collect()
}

#[test]
fn each_status_is_what_the_client_takes_it_for() {
    let maybe = json!({"option": "u8"});
    for (binding, output, error, expected) in [
        (json!({}), json!("u8"), false, &["200 json"][..]),
        (json!({}), json!("u8"), true, &["200 json", "422 json"]),
        (json!({}), maybe.clone(), true, &["200 json", "404 nothing", "422 json"]),
        (
            json!({"none": [[204, 204], [410, 411]]}),
            maybe.clone(),
            false,
            &["200 json", "204 nothing", "410 nothing"],
        ),
        (json!({"none": [[422, 422]]}), maybe, true, &["200 json", "400 json", "422 nothing"]),
        (json!({"value": [[201, 204]]}), json!("u8"), false, &["201 json"]),
        (
            json!({"value": [[201, 201]], "error": [[409, 410]]}),
            json!("u8"),
            true,
            &["201 json", "409 json"],
        ),
        (json!({"error": [[200, 200], [400, 499]]}), json!("u8"), true, &["200 json", "400 json"]),
        (json!({"content": "text"}), json!("text"), false, &["200 text/plain"]),
        (json!({"content": "bytes"}), json!("bytes"), false, &["200 octet-stream"]),
        (json!({"content": "nothing"}), json!("unit"), true, &["200 nothing", "422 json"]),
        (json!({"content": {"header": "location"}}), json!("text"), false, &["200 nothing"]),
        (json!({"verb": "head"}), json!("u8"), true, &["200 nothing", "422 nothing"]),
        // No statuses of HTTP.
        (
            json!({"value": [[0, 1], [600, 999]], "none": [[7, 7]]}),
            json!({"option": "u8"}),
            false,
            &["200 json"],
        ),
    ] {
        assert_eq!(statuses(binding.clone(), output, error), expected, "{binding}");
    }
}

#[test]
fn a_value_with_none_beside_it_is_no_option() {
    for (none, of_value) in [(json!([[404, 404]]), "/format"), (json!([]), "/anyOf/0/format")] {
        let http = json!({"verb": "get", "path": "/", "none": none});
        let made = of_method(json!({"http": http, "output": {"option": "u8"}}), &json!([]));
        let answers = &operation(&made)["responses"];
        let schema = &answers["200"]["content"]["application/json"]["schema"];
        assert_eq!(schema.pointer(of_value), Some(&json!("uint8")), "{schema}");
        assert!(answers["404"].get("content").is_none());
    }
    let method = json!({"http": {"verb": "get", "path": "/", "content": {"header": "etag"}}, "output": "text"});
    let made = of_method(method, &json!([]));
    let header = json!({"etag": {"required": true, "schema": {"type": "string"}}});
    assert_eq!(operation(&made)["responses"]["200"]["headers"], header);
}

#[test]
fn a_stream_is_events_or_lines_or_bytes() {
    let made = of_method(json!({"streams": "output", "output": {"named": "Point"}}), &point());
    let answer = &operation(&made)["responses"]["200"];
    let schema = json!({"schema": {"$ref": "#/components/schemas/Point"}});
    assert_eq!(
        answer["content"],
        json!({"text/event-stream": schema, "application/x-ndjson": schema})
    );
    assert!(
        answer["description"].as_str().unwrap().contains("each is the data of an event, or a line")
    );
    let http = json!({"verb": "get", "path": "/", "content": "bytes"});
    let made = of_method(json!({"streams": "output", "output": "bytes", "http": http}), &json!([]));
    let content = operation(&made)["responses"]["200"]["content"].as_object().unwrap();
    assert_eq!(content.keys().collect::<Vec<_>>(), ["application/octet-stream"]);
}

#[test]
fn what_any_call_may_fail_with_is_said_once() {
    let made = of_method(json!({}), &json!([]));
    let to_it = json!({"$ref": "#/components/responses/Problem"});
    assert_eq!(operation(&made)["responses"]["default"], to_it);
    let content = &made["components"]["responses"]["Problem"]["content"];
    let to_it = json!({"$ref": "#/components/schemas/Problem"});
    assert_eq!(content["application/problem+json"]["schema"], to_it);
    let said = made["components"]["schemas"]["Problem"]["properties"].as_object().unwrap();
    for name in ["type", "title", "status", "detail", "code", "reason", "processed"] {
        assert!(said.contains_key(name), "{name}");
    }
}
