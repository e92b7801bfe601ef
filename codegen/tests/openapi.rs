//! OpenAPI documents as traits: what each thing becomes, what is refused, and documents that make no sense.
#![cfg(feature = "tools")]

use serde_json::{Value, json};
use sinew_codegen::generate::{Generated, module, openapi};

#[track_caller]
fn generated(document: &Value) -> (Generated, openapi::Imported) {
    let imported =
        openapi::import(&document.to_string(), None).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(imported.descriptor.check(), []);
    let generated = module(&imported.descriptor);
    assert!(!generated.code.contains("compile_error"), "{}", generated.code);
    (generated, imported)
}

/// The code without what a formatter decides.
fn flat(code: &str) -> String {
    code.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn pets() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {"title": "Pet store"},
        "servers": [{"url": "https://pets.example/v1"}],
        "paths": {
            "/pets/{pet-id}": {
                "parameters": [{"name": "pet-id", "in": "path", "required": true, "schema": {"type": "integer"}}],
                "get": {
                    "operationId": "showPet", "summary": "One pet.",
                    "responses": {"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}}}, "204": {},
                                  "default": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}}
                },
                "delete": {"responses": {"204": {}}}
            },
            "/pets": {
                "get": {
                    "operationId": "list-pets",
                    "parameters": [
                        {"name": "tags[]", "in": "query", "schema": {"type": "array", "items": {"type": "string"}}},
                        {"name": "limit", "in": "query", "required": true, "schema": {"type": "integer", "format": "int32"}},
                        {"name": "X-Tenant", "in": "header", "schema": {"type": "string"}},
                        {"name": "Authorization", "in": "header", "schema": {"type": "string"}}
                    ],
                    "responses": {"200": {"content": {"application/json": {"schema": {"type": "array", "items": {"$ref": "#/components/schemas/Pet"}}}}}}
                },
                "post": {
                    "operationId": "createPet",
                    "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}}},
                    "responses": {"201": {"content": {"application/json": {"schema": {"type": ["string", "null"]}}}}}
                }
            },
            "/photo": {"put": {
                "operationId": "photo",
                "requestBody": {"content": {"image/png": {}}},
                "responses": {"200": {"content": {"text/plain": {}}}}
            }},
            "/upload": {"post": {"requestBody": {"content": {"multipart/form-data": {}}}, "responses": {}}},
            "/trace": {"trace": {"responses": {}}}
        },
        "components": {"schemas": {
            "Pet": {"type": "object", "required": ["name", "kind"], "properties": {
                "name": {"type": "string"}, "kind": {"enum": ["cat", "dog", "guinea-pig"]},
                "parent": {"$ref": "#/components/schemas/Pet"}, "extra": {"type": "object"},
                "scores": {"type": "object", "additionalProperties": {"type": "number"}},
                "type": {"oneOf": [{"type": "string"}, {"type": "integer"}]}
            }},
            "Error": {"allOf": [{"$ref": "#/components/schemas/Base"}, {"properties": {"detail": {"type": "string", "nullable": true}}}]},
            "Base": {"type": "object", "required": ["code"], "properties": {"code": {"type": "integer", "format": "int32"}}}
        }}
    })
}

#[test]
fn operations_are_methods_and_schemas_are_types() {
    let (generated, imported) = generated(&pets());
    let code = flat(&generated.code);
    for line in [
        "#[http(get = \"/pets/{pet_id}\", none = [204])] async fn show_pet(&self, pet_id: i64) -> Result<Option<Pet>, Error>;",
        "/// One pet.",
        "#[http(delete = \"/pets/{pet_id}\")] async fn delete_pets_pet_id(&self, pet_id: i64) -> Result<(), Status>;",
        "#[http( get = \"/pets\", query(\"tags[]\" = \"tags\", \"limit\" = \"limit\"), header(\"x-tenant\" = \"x_tenant\") )]",
        "limit: i32, tags: Option<Vec<String>>, x_tenant: Option<String>",
        "#[http(post = \"/pets\", body = \"body\")] async fn create_pet(&self, body: Pet) -> Result<Option<String>, Status>;",
        "#[http(put = \"/photo\", bytes = \"body\")] async fn photo(&self, body: Bytes) -> Result<String, Status>;",
        "pub kind: PetKind",
        "#[serde(default, skip_serializing_if = \"Option::is_none\")] pub parent: Option<Box<Pet>>",
        "pub scores: Option<BTreeMap<String, f64>>",
        "#[serde(rename = \"guinea-pig\")] GuineaPig",
        "pub struct Error { pub code: i32,",
        "#[::sinew::service(name = \"Pet-store\")] pub trait PetStore",
    ] {
        assert!(code.contains(line), "{line}\n{}", generated.code);
    }
    let mut refused: Vec<_> = imported.refused.iter().map(ToString::to_string).collect();
    refused.sort();
    assert_eq!(imported.operations, 7);
    assert_eq!(refused.len(), 2, "{refused:?}");
    assert!(
        refused[0].starts_with("POST /upload: ") && refused[0].contains("multipart"),
        "{refused:?}"
    );
}

#[test]
fn swagger_is_read_too() {
    let document = json!({
        "swagger": "2.0", "info": {"title": "2"}, "host": "old.example", "basePath": "/api",
        "paths": {"/login": {"post": {
            "operationId": "login",
            "parameters": [
                {"name": "user", "in": "formData", "type": "string", "required": true},
                {"name": "otp", "in": "formData", "type": "string"}
            ],
            "responses": {"200": {"schema": {"$ref": "#/definitions/Token"}}}
        }}, "/file": {"get": {"responses": {"200": {"schema": {"type": "file"}}}}}},
        "definitions": {"Token": {"properties": {"token": {"type": "string", "x-nullable": true}}}}
    });
    let (generated, _) = generated(&document);
    let code = flat(&generated.code);
    for line in [
        "#[http(post = \"/login\", form = \"body\")] async fn login(&self, body: LoginForm) -> Result<Token, Status>;",
        "async fn get_file(&self) -> Result<Bytes, Status>;",
        "At `old.example/api`, by its own words.",
    ] {
        assert!(code.contains(line), "{line}\n{}", generated.code);
    }
}

#[test]
fn many_parameters_of_the_query_are_one_argument() {
    let parameters: Vec<_> = (0..20)
        .map(|n| json!({"name": format!("p-{n}"), "in": "query", "schema": {"type": "boolean"}}))
        .collect();
    let document = json!({"openapi": "3.0.3", "info": {"title": "Many"},
        "paths": {"/": {"get": {"operationId": "find", "parameters": parameters, "responses": {}}}}});
    let (generated, imported) = generated(&document);
    assert_eq!(imported.refused, []);
    let code = flat(&generated.code);
    assert!(
        code.contains(
            "#[http(get = \"/\", query = [\"query\"])] async fn find(&self, query: FindQuery)"
        ),
        "{code}"
    );
    assert_eq!(code.matches("Option<bool>").count(), 20);
}

#[test]
fn what_does_not_fit_is_folded_or_metadata() {
    let parameter = |place: &str, n: usize, required: bool| json!({"name": format!("{place}-{n}"), "in": place, "required": required, "schema": {"type": "string"}});
    let method = |parameters: Vec<Value>| {
        let document = json!({"openapi": "3.0.3", "info": {"title": "Many"},
            "paths": {"/": {"get": {"operationId": "find", "summary": "Finds.", "parameters": parameters, "responses": {}}}}});
        let (generated, imported) = generated(&document);
        assert_eq!(imported.refused, []);
        flat(&generated.code)
    };
    let headers = |count: usize| (0..count).map(|n| parameter("header", n, n < 2));
    let code = method(headers(13).collect());
    for line in [
        "/// Metadata of the call may be: `header-2`, `header-3`, `header-4`,",
        "async fn find(&self, header_0: String, header_1: String) -> Result<(), Status>;",
        "header(\"header-0\" = \"header_0\", \"header-1\" = \"header_1\")",
    ] {
        assert!(code.contains(line), "{line}\n{code}");
    }
    assert!(method(headers(12).collect()).contains("header_11: Option<String>"));
    let query = (0..13).map(|n| parameter("query", n, true));
    let code = method(query.chain(headers(3)).collect());
    for line in ["query: FindQuery", "header_2: Option<String>", "pub query_12: String"] {
        assert!(code.contains(line), "{line}\n{code}");
    }
}

#[test]
fn documents_that_make_no_sense_are_told_so() {
    for (text, words) in [
        ("{\"openapi\": \"3.0.0\"", "line 1 column"),
        ("[]", "neither `openapi` nor `swagger`"),
        ("{\"openapi\": \"4.0.0\"}", "version 4.0.0 is not known"),
        ("{\"swagger\": \"1.2\"}", "version 1.2 is not known"),
        ("{\"openapi\": \"3.0.0\"}", "#/paths"),
    ] {
        let why = openapi::import(text, None).expect_err(text).to_string();
        assert!(why.contains(words), "{words}: {why}");
    }
    let operation = |operation: Value| json!({"openapi": "3.0.0", "info": {"title": "X"}, "paths": {"/x/{id}": {"get": operation}}});
    let id = json!({"name": "id", "in": "path", "schema": {"type": "string"}});
    for (of, words) in [
        (json!({}), "`{id}` in its path is no parameter"),
        (json!({"parameters": [{"$ref": "#/nowhere"}]}), "leads nowhere"),
        (json!({"parameters": [{"name": "id"}]}), "no `name` or no `in`"),
        (json!({"parameters": [{"name": "y", "in": "path"}]}), "the path has no `{y}`"),
        (
            json!({"parameters": [id], "requestBody": {"content": {"application/json": {}}}}),
            "GET has a body",
        ),
        (
            json!({"parameters": [id, {"name": "c", "in": "cookie", "required": true}]}),
            "the cookie `c`",
        ),
    ] {
        let imported =
            openapi::import(&operation(of).to_string(), None).unwrap_or_else(|why| panic!("{why}"));
        let refused = imported.refused.first().map(ToString::to_string).unwrap_or_default();
        assert!(
            refused.starts_with("GET /x/{id}: ") && refused.contains(words),
            "{words}: {refused}"
        );
    }
}

#[test]
fn schemas_that_never_end_are_anything() {
    let document = json!({
        "openapi": "3.0.0", "info": {"title": "Loops"},
        "paths": {"/": {"get": {"responses": {"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/A"}}}}}}}},
        "components": {"schemas": {
            "A": {"$ref": "#/components/schemas/B"}, "B": {"$ref": "#/components/schemas/A"}
        }}
    });
    let (generated, _) = generated(&document);
    assert!(
        generated.needs_json && generated.code.contains("Result<Value, Status>"),
        "{}",
        generated.code
    );
    let mut deep = json!({"type": "string"});
    for _ in 0..100 {
        deep = json!({"type": "array", "items": deep});
    }
    let document = json!({
        "openapi": "3.0.0", "info": {"title": "Deep"},
        "paths": {"/": {"get": {"responses": {"200": {"content": {"application/json": {"schema": deep}}}}}}}
    });
    match openapi::import(&document.to_string(), None) {
        Ok(imported) => assert!(module(&imported.descriptor).needs_json),
        Err(why) => assert!(why.to_string().contains("recursion limit"), "{why}"),
    }
}
