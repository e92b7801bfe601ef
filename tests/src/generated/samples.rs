//! A value of any described type, as JSON: the plainest one that most types take.

use serde_json::{Map, Value, json};
use sinew::descriptor::{Body, Named, Type, Types as _};

/// How far a type may hold itself before what may be absent is.
const DEPTH: usize = 4;

/// A value; `None` where the type cannot be seen, or does not end.
pub(super) fn sample(ty: &Type, types: &[Named]) -> Option<Value> {
    value(ty, types, 0)
}

fn value(ty: &Type, types: &[Named], depth: usize) -> Option<Value> {
    if depth > 2 * DEPTH {
        return None;
    }
    let deeper = depth + 1;
    Some(match ty {
        Type::Bool => json!(true),
        Type::F32 | Type::F64 => json!(0.5),
        Type::Char => json!("x"),
        Type::Text | Type::Bytes => json!("x"),
        Type::Unit => Value::Null,
        Type::Opaque(_) => return None,
        Type::Option(_) | Type::List(_) if depth > DEPTH => {
            if matches!(ty, Type::List(_)) {
                json!([])
            } else {
                Value::Null
            }
        }
        Type::Option(inner) => value(inner, types, deeper)?,
        Type::List(item) => json!([value(item, types, deeper)?]),
        Type::Map(key, of) => {
            let key = match value(key, types, deeper)? {
                Value::String(text) => text,
                Value::Number(number) => number.to_string(),
                Value::Bool(is) => is.to_string(),
                // JSON has no other keys.
                _ => return Some(json!({})),
            };
            Value::Object(Map::from_iter([(key, value(of, types, deeper)?)]))
        }
        Type::Tuple(parts) => {
            parts.iter().map(|part| value(part, types, deeper)).collect::<Option<Value>>()?
        }
        Type::Named(name) => body(&types.named(name)?.body, types, deeper)?,
        // Most types that refuse some numbers take this one.
        _ => json!(2),
    })
}

fn body(of: &Body, types: &[Named], depth: usize) -> Option<Value> {
    Some(match of {
        Body::Unit => Value::Null,
        Body::Newtype(inner) => value(inner, types, depth)?,
        Body::Tuple(parts) => {
            parts.iter().map(|part| value(part, types, depth)).collect::<Option<Value>>()?
        }
        Body::Struct(fields) => {
            let mut object = Map::new();
            for field in fields.iter().filter(|field| !field.alias) {
                object.insert(field.name.clone(), value(&field.ty, types, depth)?);
            }
            Value::Object(object)
        }
        Body::Enum(variants) => variants.iter().find_map(|variant| match &variant.body {
            Body::Unit => Some(json!(variant.name)),
            held => body(held, types, depth).map(|held| json!({ &variant.name: held })),
        })?,
    })
}
