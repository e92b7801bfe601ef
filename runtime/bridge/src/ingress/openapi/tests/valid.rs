//! Whether a value of JSON is valid under a schema: as much of JSON Schema as a document here says.

use serde_json::Value;

/// Where a value is not valid, and why.
pub(super) fn problem(value: &Value, schema: &Value, root: &Value) -> Option<String> {
    check(value, schema, root).err()
}

fn check(value: &Value, schema: &Value, root: &Value) -> Result<(), String> {
    if schema == &Value::Bool(false) {
        return Err(format!("{value}: nothing is allowed"));
    }
    let words = schema.as_object().unwrap();
    for (word, of) in words {
        let holds = match &**word {
            "$ref" => {
                let pointer = of.as_str().and_then(|of| of.strip_prefix('#')).unwrap();
                let target = root.pointer(pointer).unwrap_or_else(|| panic!("{of} leads nowhere"));
                check(value, target, root)?;
                true
            }
            "anyOf" => of.as_array().unwrap().iter().any(|one| check(value, one, root).is_ok()),
            "oneOf" => {
                of.as_array().unwrap().iter().filter(|one| check(value, one, root).is_ok()).count()
                    == 1
            }
            "not" => check(value, of, root).is_err(),
            "enum" => of.as_array().unwrap().contains(value),
            "type" => is_of(value, of.as_str().unwrap()),
            "pattern" => value.as_str().is_none_or(|text| is_number(text, of.as_str().unwrap())),
            "minLength" | "maxLength" | "minItems" | "maxItems" => within(value, word, of),
            "minimum" => value.as_f64().is_none_or(|number| number >= of.as_f64().unwrap()),
            "maximum" => value.as_f64().is_none_or(|number| number <= of.as_f64().unwrap()),
            "format" | "description" => true,
            "properties" | "required" | "additionalProperties" | "propertyNames" => {
                object(value, schema, root)?;
                true
            }
            "items" | "prefixItems" => {
                list(value, schema, root)?;
                true
            }
            other => panic!("nobody says what `{other}` means"),
        };
        if !holds {
            return Err(format!("{value}: {word} {of}"));
        }
    }
    Ok(())
}

fn is_of(value: &Value, kind: &str) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => {
            value.is_u64()
                || value.is_i64()
                || value.as_f64().is_some_and(|number| number.fract() == 0.0)
        }
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("there is no type `{other}`"),
    }
}

/// Patterns here are of whole numbers.
fn is_number(text: &str, pattern: &str) -> bool {
    let digits =
        if pattern.starts_with("^-?") { text.strip_prefix('-').unwrap_or(text) } else { text };
    let most = if pattern.contains("{1,39}") { 39 } else { usize::MAX };
    !digits.is_empty() && digits.len() <= most && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn within(value: &Value, word: &str, of: &Value) -> bool {
    let count = match value {
        Value::String(text) if word.ends_with("Length") => text.chars().count() as u64,
        Value::Array(items) if word.ends_with("Items") => items.len() as u64,
        _ => return true,
    };
    if word.starts_with("min") {
        count >= of.as_u64().unwrap()
    } else {
        count <= of.as_u64().unwrap()
    }
}

fn object(value: &Value, schema: &Value, root: &Value) -> Result<(), String> {
    let Some(entries) = value.as_object() else { return Ok(()) };
    let needed = schema["required"].as_array().into_iter().flatten();
    for name in needed.filter_map(Value::as_str) {
        entries.get(name).ok_or_else(|| format!("{value}: `{name}` is missing"))?;
    }
    for (name, of) in entries {
        if let Some(names) = schema.get("propertyNames") {
            check(&Value::from(name.as_str()), names, root)?;
        }
        let own = schema["properties"].get(name).or_else(|| schema.get("additionalProperties"));
        own.map_or(Ok(()), |own| check(of, own, root))?;
    }
    Ok(())
}

fn list(value: &Value, schema: &Value, root: &Value) -> Result<(), String> {
    let Some(items) = value.as_array() else { return Ok(()) };
    let first = schema["prefixItems"].as_array().map(Vec::as_slice).unwrap_or_default();
    for (at, item) in items.iter().enumerate() {
        let own = first.get(at).or_else(|| schema.get("items"));
        own.map_or(Ok(()), |own| check(item, own, root))?;
    }
    Ok(())
}
