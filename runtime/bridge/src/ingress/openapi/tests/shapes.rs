//! Types of every shape: what serde writes for them is valid under their schema, and what it would not read is not.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sinew::descriptor::{Body, Field, Named, Service, Type, Variant};
use sinew_core::rng::{Rng as _, SplitMix, below};

use super::{document, of_method, services, valid::problem};

/// The document of a method that returns this, and the schema of that.
#[track_caller]
fn schema(ty: &Value, types: &Value) -> (Value, Value) {
    let made = of_method(json!({"output": ty}), types);
    let schema = made["paths"]["/shop.Stock/m"]["post"]["responses"]["200"]["content"]
        ["application/json"]["schema"]
        .clone();
    (made, schema)
}

/// Each type, values of it, and values that are none.
#[track_caller]
fn check(cases: &[(Value, Value, Value)], types: &Value) {
    for (ty, good, bad) in cases {
        let (root, schema) = schema(ty, types);
        for value in good.as_array().unwrap() {
            assert_eq!(problem(value, &schema, &root), None, "{ty}: {schema}");
        }
        for value in bad.as_array().unwrap() {
            assert!(problem(value, &schema, &root).is_some(), "{ty} takes {value}: {schema}");
        }
    }
}

#[test]
fn a_schema_takes_what_its_type_is_and_nothing_else() {
    let wide = "340282366920938463463374607431768211455";
    let cases = [
        (json!("bool"), json!([true]), json!([0, "true", null])),
        (json!("u8"), json!([0, 255]), json!([-1, 256, 1.5, "1"])),
        (json!("i8"), json!([-128, 127]), json!([-129, 128])),
        (json!("u16"), json!([65_535]), json!([65_536, -1])),
        (json!("i16"), json!([-32_768]), json!([32_768])),
        (json!("u32"), json!([u32::MAX]), json!([1_u64 << 32])),
        (json!("i32"), json!([i32::MIN]), json!([1_u64 << 31])),
        (json!("u64"), json!([0, u64::MAX]), json!([-1, 1e300])),
        (json!("i64"), json!([i64::MIN, i64::MAX]), json!([1e300])),
        (json!("u128"), json!([7, wide, "0"]), json!([-1, "-1", "", "1e3"])),
        (
            json!("i128"),
            json!([-7, "-170141183460469231731687303715884105728"]),
            json!(["--1", 1.5]),
        ),
        (json!("f32"), json!([1, -1.5]), json!(["1", null])),
        (json!("f64"), json!([1e300]), json!([true])),
        (json!("char"), json!(["x", "é", "🦀"]), json!(["", "ab", 1])),
        (json!("text"), json!(["", "abc"]), json!([1, null])),
        (json!("bytes"), json!([[], [0, 255]]), json!(["AA==", [256], [-1]])),
        (json!("unit"), json!([null]), json!([[], {}, ""])),
        (json!({"option": "u8"}), json!([null, 1]), json!(["", 256])),
        (json!({"option": {"option": "u8"}}), json!([null, 1]), json!([""])),
        (json!({"list": "u8"}), json!([[], [1, 2]]), json!([["x"], {}])),
        (json!({"tuple": ["u8", "text"]}), json!([[1, "x"]]), json!([[1], [1, "x", 2], ["x", 1]])),
        (json!({"tuple": []}), json!([[]]), json!([[1], null])),
        (json!({"map": ["text", "u8"]}), json!([{}, {"a": 1}]), json!([{"a": "b"}, []])),
        (json!({"map": ["u8", "u8"]}), json!([{"1": 1}]), json!([{"a": 1}, {"-1": 1}])),
        (json!({"map": ["i8", "u8"]}), json!([{"-1": 1}]), json!([{"1.5": 1}])),
        (json!({"map": ["bool", "u8"]}), json!([{"true": 1}]), json!([{"1": 1}])),
    ];
    check(&cases, &json!([]));
}

#[test]
fn a_named_type_is_taken_as_serde_writes_it() {
    let types = json!([
        {"name": "Id", "body": {"newtype": "u8"}},
        {"name": "Ids", "body": {"newtype": {"named": "Id"}}},
        {"name": "Mark", "body": "unit"},
        {"name": "Pair", "body": {"tuple": ["u8", {"option": "text"}]}},
        {"name": "Node", "closed": true, "body": {"struct": [
            {"name": "of", "type": {"list": {"named": "Node"}}, "optional": true}, {"name": "id", "type": {"named": "Ids"}},
            {"name": "ident", "type": "unit", "alias": true}]}},
        {"name": "Color", "open": true, "body": {"enum": [{"name": "red"}, {"name": "Red", "alias": true}, {"name": "blue"}]}},
        {"name": "Shape", "body": {"enum": [{"name": "none"}, {"name": "circle", "body": {"newtype": "f64"}},
            {"name": "Circle", "alias": true}, {"name": "line", "body": {"tuple": ["u8", "u8"]}},
            {"name": "box", "body": {"struct": [{"name": "w", "type": "u8"}]}}]}},
        {"name": "Nothing", "body": {"enum": []}},
        {"name": "Tree", "body": {"newtype": {"list": {"named": "Tree"}}}},
    ]);
    let cases = [
        (json!({"map": [{"named": "Color"}, "u8"]}), json!([{"red": 1}]), json!([{"green": 1}])),
        (json!({"map": [{"named": "Id"}, "u8"]}), json!([{"7": 1}]), json!([{"x": 1}])),
        (json!({"named": "Id"}), json!([7]), json!([256, [7]])),
        (json!({"named": "Ids"}), json!([7]), json!([256])),
        (json!({"named": "Mark"}), json!([null]), json!(["Mark"])),
        (json!({"named": "Pair"}), json!([[1, null], [1, "x"]]), json!([[1], {}])),
        (
            json!({"named": "Node"}),
            json!([{"id": 1}, {"id": 1, "of": [{"id": 2}]}]),
            json!([{}, {"id": 1, "x": 1}, {"ident": 1}]),
        ),
        (json!({"named": "Color"}), json!(["red", "Red", "blue"]), json!(["green", {"red": null}])),
        (
            json!({"named": "Shape"}),
            json!(["none", {"circle": 1.5}, {"Circle": 1}, {"line": [1, 2]}, {"box": {"w": 1}}]),
            json!(["circle", {"none": null}, {"line": [1]}, {"box": {}}, {"circle": 1, "line": [1, 2]}, {}]),
        ),
        (json!({"named": "Nothing"}), json!([]), json!([null, "x", {}])),
        (json!({"named": "Tree"}), json!([[], [[], [[]]]]), json!([[1], {}])),
        (json!({"opaque": "it asks"}), json!([null, 1, "x", [], {"a": 1}]), json!([])),
        (json!({"named": "Gone"}), json!([null, 1]), json!([])),
    ];
    check(&cases, &types);
}

#[test]
fn what_a_schema_cannot_say_its_words_say() {
    let types = json!([
        {"name": "A", "body": {"struct": [{"name": "a", "type": "u8"}, {"name": "b", "type": "unit", "alias": true}]}},
        {"name": "E", "open": true, "body": {"enum": [{"name": "x"}, {"name": "y", "alias": true}]}},
    ]);
    for (ty, words) in [
        (json!({"named": "A"}), "Read under other names too: `b`."),
        (
            json!({"named": "E"}),
            "Other names of what stands before them: `y`.\n\nTexts that are not among these are read too.",
        ),
        (json!({"opaque": "it asks the format"}), "Any value: it asks the format."),
        (json!({"named": "Gone"}), "Any value: its type is not described."),
        (json!({"map": [{"list": "u8"}, "u8"]}), "Its keys have no form in JSON."),
    ] {
        let (root, schema) = schema(&ty, &types);
        let to = schema["$ref"].as_str().and_then(|to| root.pointer(&to[1..])).unwrap_or(&schema);
        assert_eq!(to["description"], words);
    }
}

#[test]
fn types_that_are_nothing_but_themselves_are_anything() {
    let types = json!([
        {"name": "A", "body": {"newtype": {"named": "B"}}}, {"name": "B", "body": {"newtype": {"named": "A"}}},
        {"name": "C", "body": {"newtype": {"option": {"named": "C"}}}},
    ]);
    for ty in
        [json!({"option": {"named": "A"}}), json!({"named": "C"}), json!({"list": {"named": "C"}})]
    {
        let (root, schema) = schema(&ty, &types);
        assert!(schema.to_string().contains("nothing but itself"), "{schema}");
        assert!(root["components"]["schemas"].as_object().unwrap().len() == 1);
    }
    let method = json!({"arguments": [{"name": "c", "type": {"named": "C"}}],
        "http": {"verb": "get", "path": "/", "query": [["c", "c"]]}});
    let made = of_method(method, &types);
    assert!(made["paths"]["/"]["get"].get("parameters").is_none());
}

/// As serde writes it, against as sinew learns it.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
struct Everything {
    #[serde(alias = "ident")]
    id: Wide,
    letter: char,
    state: State,
    #[serde(default)]
    near: Vec<Everything>,
    by_state: BTreeMap<State, (u8, bool)>,
    maybe: Option<Box<Everything>>,
    bytes: sinew::Bytes,
    nothing: (),
    numbers: [f32; 2],
    any: Value,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq)]
struct Wide(u128);

#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "kebab-case")]
enum State {
    InStock,
    Gone,
}

#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
enum Refusal {
    Closed,
    Short { by: i64 },
    Told(String),
}

/// Has one of each.
#[sinew::service(name = "doc.Real")]
trait Real {
    /// Gives it back.
    async fn echo(&self, all: Everything, times: u8) -> Result<Everything, Refusal>;
}

#[test]
fn what_serde_writes_is_valid() {
    let made = document(&sinew::describe::<RealClient>().services, "Real");
    let operation = &made["paths"]["/doc.Real/echo"]["post"];
    assert_eq!(operation["summary"], "Gives it back.");
    let of = |at: &str| operation.pointer(at).unwrap_or_else(|| panic!("{at}: {operation}"));
    let body = of("/requestBody/content/application~1json/schema");
    let value = of("/responses/200/content/application~1json/schema");
    let error = of("/responses/422/content/application~1json/schema");
    let inner = Everything {
        id: Wide(1),
        letter: 'é',
        state: State::Gone,
        near: Vec::new(),
        by_state: BTreeMap::new(),
        maybe: None,
        bytes: sinew::Bytes::from_static(b"\0\xff"),
        nothing: (),
        numbers: [1.5, -2.0],
        any: json!({"a": [1]}),
    };
    let outer = Everything {
        near: vec![inner.clone()],
        maybe: Some(Box::new(inner.clone())),
        by_state: BTreeMap::from([(State::InStock, (1, true))]),
        ..inner
    };
    let written = serde_json::to_value(&outer).unwrap();
    assert_eq!(problem(&written, value, &made), None);
    assert_eq!(problem(&json!({"all": written, "times": 7}), body, &made), None);
    assert!(problem(&json!({"times": 7}), body, &made).is_some());
    for refusal in [Refusal::Closed, Refusal::Short { by: -1 }, Refusal::Told("no".to_owned())] {
        assert_eq!(problem(&serde_json::to_value(refusal).unwrap(), error, &made), None);
    }
}

/// Types and values by chance.
struct Chance {
    rng: SplitMix,
    types: usize,
}

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(below(&mut self.rng, bound as u64)).unwrap()
    }

    /// A type; directly it holds only types behind `from`, so that its values end.
    fn ty(&mut self, from: usize, depth: usize) -> Type {
        let kinds = if depth > 3 { 17 } else { 22 };
        let inner = |chance: &mut Self, from| Box::new(chance.ty(from, depth + 1));
        match self.below(kinds) {
            0 => Type::Bool,
            1 => Type::U8,
            2 => Type::U16,
            3 => Type::U32,
            4 => Type::U64,
            5 => Type::U128,
            6 => Type::I8,
            7 => Type::I16,
            8 => Type::I32,
            9 => Type::I64,
            10 => Type::I128,
            11 => Type::F32,
            12 => Type::F64,
            13 => Type::Char,
            14 => Type::Bytes,
            15 => Type::Unit,
            16 if from < self.types => {
                Type::Named(format!("T{}", from + self.below(self.types - from)))
            }
            16 => Type::Text,
            17 => Type::Option(inner(self, 0)),
            18 => Type::List(inner(self, 0)),
            19 => Type::Map(
                Box::new(
                    [Type::Text, Type::U32, Type::I64, Type::Char, Type::Bool][self.below(5)]
                        .clone(),
                ),
                inner(self, 0),
            ),
            20 => Type::Tuple((0..self.below(4)).map(|_| self.ty(from, depth + 1)).collect()),
            _ => Type::Opaque("chance".to_owned()),
        }
    }

    fn body(&mut self, from: usize, is_variant: bool) -> Body {
        match self.below(if is_variant { 4 } else { 6 }) {
            0 => Body::Unit,
            1 => Body::Newtype(self.ty(from, 1)),
            2 => Body::Tuple((0..self.below(4)).map(|_| self.ty(from, 1)).collect()),
            3 => Body::Struct((0..self.below(5)).map(|n| self.field(n, from)).collect()),
            _ => {
                let count = 1 + self.below(4);
                let variant = |chance: &mut Self, n: usize| Variant {
                    name: format!("V{n}"),
                    alias: n > 0 && chance.below(5) == 0,
                    body: chance.body(from, true),
                };
                Body::Enum((0..count).map(|n| variant(self, n)).collect())
            }
        }
    }

    fn field(&mut self, n: usize, from: usize) -> Field {
        let (ty, optional, alias) =
            (self.ty(from, 1), self.below(2) == 0, n > 0 && self.below(6) == 0);
        Field { name: format!("f{n}"), ty, optional, alias, omitted: false }
    }

    /// As serde writes one.
    fn value(&mut self, ty: &Type, types: &[Named], depth: usize) -> Value {
        let count = if depth > 4 { 0 } else { self.below(3) };
        match ty {
            Type::Bool => json!(self.below(2) == 0),
            Type::U8 => json!(self.rng.next_u64() as u8),
            Type::U16 => json!(self.rng.next_u64() as u16),
            Type::U32 => json!(self.rng.next_u64() as u32),
            Type::U64 | Type::U128 => json!(self.rng.next_u64()),
            Type::I8 => json!(self.rng.next_u64() as i8),
            Type::I16 => json!(self.rng.next_u64() as i16),
            Type::I32 => json!(self.rng.next_u64() as i32),
            Type::I64 | Type::I128 => json!(self.rng.next_u64() as i64),
            Type::F32 => json!(self.rng.next_u64() as f32),
            Type::F64 => json!(self.rng.next_u64() as f64 / -7.0),
            Type::Char => json!(["a", "é", "🦀"][self.below(3)]),
            Type::Text => json!("text"),
            Type::Bytes => (0..count).map(|_| json!(self.rng.next_u64() as u8)).collect(),
            Type::Unit => Value::Null,
            Type::Opaque(_) => json!([{"any": count}, null]),
            Type::Option(_) if count == 0 => Value::Null,
            Type::Option(inner) => self.value(inner, types, depth + 1),
            Type::List(item) => (0..count).map(|_| self.value(item, types, depth + 1)).collect(),
            Type::Tuple(parts) => {
                parts.iter().map(|part| self.value(part, types, depth + 1)).collect()
            }
            Type::Map(key, of) => {
                let key = match &**key {
                    Type::U32 => "7",
                    Type::I64 => "-7",
                    Type::Bool => "true",
                    _ => "é",
                };
                let entry =
                    |chance: &mut Self| (key.to_owned(), chance.value(of, types, depth + 1));
                (0..count).map(|_| entry(self)).collect::<Map<_, _>>().into()
            }
            Type::Named(name) => {
                let named = types.iter().find(|named| named.name == *name).unwrap();
                self.content(&named.body, types, depth + 1)
            }
        }
    }

    fn content(&mut self, body: &Body, types: &[Named], depth: usize) -> Value {
        match body {
            Body::Unit => Value::Null,
            Body::Newtype(inner) => self.value(inner, types, depth),
            Body::Tuple(parts) => parts.iter().map(|part| self.value(part, types, depth)).collect(),
            Body::Struct(fields) => {
                let mut entries = Map::new();
                for field in fields.iter().filter(|field| !field.alias) {
                    if !field.optional || self.below(3) > 0 {
                        entries.insert(field.name.clone(), self.value(&field.ty, types, depth));
                    }
                }
                entries.into()
            }
            Body::Enum(variants) => {
                let place = self.below(variants.len());
                let held = variants[..=place].iter().rev().find(|variant| !variant.alias).unwrap();
                let name = variants[place].name.clone();
                if held.body == Body::Unit {
                    return json!(name);
                }
                json!({name: self.content(&held.body, types, depth)})
            }
        }
    }
}

/// A service whose methods return each of so many types by chance.
fn by_chance(seed: u64) -> (Chance, Service) {
    let mut chance = Chance { rng: SplitMix::new(seed), types: 6 };
    let types: Vec<_> = (0..chance.types)
        .map(|n| {
            let (name, closed) = (format!("T{n}"), chance.below(2) == 0);
            Named { name, body: chance.body(n + 1, false), closed, open: chance.below(2) == 0 }
        })
        .collect();
    let methods: Vec<_> = (0..chance.types)
        .map(|n| json!({"name": format!("m{n}"), "output": {"named": format!("T{n}")}}))
        .collect();
    let mut made = services(&json!([{"name": "s", "trait": "S", "methods": methods}]));
    let mut service = made.remove(0);
    service.types = types;
    (chance, service)
}

#[test]
fn values_of_any_type_are_valid_and_documents_hold_together() {
    for seed in 0..400 {
        let (mut chance, service) = by_chance(seed);
        let one = [service];
        let made = document(&one, "Chance");
        assert_eq!(made.to_string(), document(&one, "Chance").to_string());
        sound(&made, &made);
        for (n, named) in one[0].types.iter().enumerate() {
            let of =
                format!("/paths/~1s~1m{n}/post/responses/200/content/application~1json/schema");
            let schema = made.pointer(&of).unwrap();
            for _ in 0..8 {
                let value = chance.content(&named.body, &one[0].types, 0);
                let wrong = problem(&value, schema, &made);
                assert_eq!(wrong, None, "seed {seed}: {named:?}: {schema}");
            }
        }
    }
}

/// Each reference leads somewhere, and each component has a legal name and is referred to.
fn sound(part: &Value, root: &Value) {
    if let Some(names) = part.pointer("/components/schemas").and_then(Value::as_object) {
        let text = root.to_string();
        for name in names.keys() {
            assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)), "{name}");
            assert!(text.contains(&format!("\"#/components/schemas/{name}\"")), "{name}");
        }
    }
    if let Some(to) = part.get("$ref").and_then(Value::as_str) {
        assert!(root.pointer(&to[1..]).is_some(), "{to}");
    }
    match part {
        Value::Object(entries) => entries.values().for_each(|one| sound(one, root)),
        Value::Array(items) => items.iter().for_each(|one| sound(one, root)),
        _ => {}
    }
}
