//! What types, operations and paths are called, where several want one name.

use serde_json::{Value, json};

use super::{document, services};

fn named(name: &str, of: &str) -> Value {
    json!({"name": name, "body": {"struct": [{"name": "of", "type": {"option": {"named": of}}, "optional": true}]}})
}

/// A service that returns the type `Outer`.
fn service(name: &str, types: &[Value]) -> Value {
    let method = json!({"name": "m", "output": {"named": "Outer"}});
    json!({"name": name, "trait": name, "methods": [method], "types": types})
}

/// What the types of these services are called.
fn components(of: &[Value]) -> Vec<String> {
    let made = document(&services(&json!(of)), "x");
    made["components"]["schemas"].as_object().unwrap().keys().cloned().collect()
}

#[test]
fn a_type_that_is_the_same_in_two_services_is_one() {
    let types = [named("Outer", "Inner"), named("Inner", "Outer")];
    let found = components(&[service("a", &types), service("b", &types)]);
    assert_eq!(found, ["Inner", "Outer", "Problem"]);
}

#[test]
fn what_holds_a_type_that_differs_differs_too() {
    let other = json!({"name": "Inner", "body": {"enum": [{"name": "A"}]}});
    let a = service("a", &[named("Outer", "Inner"), named("Inner", "Outer")]);
    let b = service("b.c", &[named("Outer", "Inner"), other]);
    let expected = ["Problem", "a.Inner", "a.Outer", "b.c.Inner", "b.c.Outer"];
    assert_eq!(components(&[a.clone(), b.clone()]), expected);
    assert_eq!(components(&[b, a]), expected);
}

#[test]
fn names_that_are_not_legal_or_not_free_are_changed() {
    let types =
        [named("Outer", "Problem"), named("Problem", "Page<é>"), named("Page<é>", "Page_é_")];
    let types = [&types[..], &[named("Page_é_", "Page___"), named("Page___", "")]].concat();
    let found = components(&[service("a", &types)]);
    assert_eq!(found, ["Outer", "Page___", "Page___2", "Page___3", "Problem", "a.Problem"]);
}

#[test]
fn a_variant_that_holds_something_has_a_name_of_its_own() {
    let outer = json!({"name": "Outer", "body": {"enum": [
        {"name": "none"}, {"name": "one/two", "body": {"newtype": "u8"}}, {"name": "one two", "body": {"struct": []}}]}});
    let types = [outer];
    let found = components(&[service("a", &types), service("b", &types)]);
    assert_eq!(
        found,
        ["Outer", "Outer.one_two", "Outer.one_two.content", "Outer.one_two2", "Problem"]
    );
}

#[test]
fn each_operation_has_a_name_of_its_own() {
    let methods = json!([{"name": "c"}, {"name": "b_c"}]);
    let made = document(
        &services(&json!([
            {"name": "a", "trait": "A", "methods": methods}, {"name": "a.b", "trait": "B", "methods": methods},
        ])),
        "x",
    );
    let ids: Vec<_> = made["paths"].as_object().unwrap().iter().collect();
    let ids: Vec<_> = ids
        .into_iter()
        .map(|(path, item)| (&**path, item["post"]["operationId"].as_str().unwrap()))
        .collect();
    assert_eq!(
        ids,
        [("/a.b/b_c", "a_b_b_c"), ("/a.b/c", "a_b_c2"), ("/a/b_c", "a_b_c"), ("/a/c", "a_c")]
    );
}

#[test]
fn paths_that_differ_in_their_braces_alone_are_one() {
    let method = |name: &str, verb: &str, of: &str, key: &str| {
        json!({"name": name, "http": {"verb": verb, "path": format!("/x/{{{of}}}/y/{{{key}}}"), "query": [[of, "q"]]},
            "arguments": [{"name": of, "type": "u8"}, {"name": key, "type": "text"}, {"name": "q", "type": "text"}]})
    };
    let all = json!([{"name": "s", "trait": "S", "methods": [
        method("get", "get", "id", "key"), method("put", "put", "key", "id"), method("again", "get", "x", "y")]}]);
    let made = document(&services(&all), "x");
    let paths = made["paths"].as_object().unwrap();
    assert_eq!(paths.keys().collect::<Vec<_>>(), ["/x/{id}/y/{key}"]);
    let item = &paths["/x/{id}/y/{key}"];
    let names = |verb: &str| {
        let all = item[verb]["parameters"].as_array().unwrap().iter();
        all.map(|one| {
            format!(
                "{} {} {}",
                one["in"].as_str().unwrap(),
                one["name"].as_str().unwrap(),
                one["schema"]["type"].as_str().unwrap()
            )
        })
        .collect::<Vec<_>>()
    };
    assert_eq!(names("get"), ["path id integer", "path key string", "query id string"]);
    assert_eq!(names("put"), ["path id integer", "path key string", "query key string"]);
    let words = item["get"]["description"].as_str().unwrap();
    assert!(words.contains("`s/again` has the same verb and path, and is not reached"), "{words}");
}
