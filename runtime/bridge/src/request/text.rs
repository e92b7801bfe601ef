//! Arguments as the text of paths, queries, forms and headers: out of the JSON that they are.
//!
//! ```text
//!   a string           its characters          a list      each element, with the same name
//!   a number, a bool   as JSON writes it       an object   each field, with its own name
//!   null               nothing is sent
//! ```
//! Numbers are never read as numbers: a `u128` has all of its digits.

use std::{borrow::Cow, collections::BTreeMap};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::value::RawValue;

/// Everything but what RFC 3986, 2.3 leaves unreserved: nothing that an argument holds means anything in a URL.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Appends `text`, in percent where it must be.
pub(super) fn push(out: &mut String, text: &str) {
    out.extend(utf8_percent_encode(text, RESERVED));
}

/// The text of a value that is one; `None` for null.
pub(super) fn scalar(json: &[u8]) -> Result<Option<Cow<'_, str>>, String> {
    let text = std::str::from_utf8(json).map_err(|why| why.to_string())?.trim();
    match text.as_bytes().first() {
        Some(b'"') => {
            let text = serde_json::from_str::<Cow<'_, str>>(text).map_err(|why| why.to_string())?;
            Ok(Some(text))
        }
        Some(b'n') => Ok(None),
        Some(b'[') => Err("is a list, where one value has its place".to_owned()),
        Some(b'{') => Err("is an object, where one value has its place".to_owned()),
        Some(_) => Ok(Some(Cow::Borrowed(text))),
        None => Err("is empty".to_owned()),
    }
}

/// Appends `name=value` as often as the value asks for, with `&` in between.
pub(super) fn parameters(out: &mut String, name: &str, json: &[u8]) -> Result<(), String> {
    match json.trim_ascii_start().first() {
        Some(b'[') => list(out, name, json),
        Some(b'{') => {
            let fields: BTreeMap<Cow<'_, str>, &RawValue> =
                serde_json::from_slice(json).map_err(|why| why.to_string())?;
            for (field, value) in fields {
                let value = value.get().as_bytes();
                if value.first() == Some(&b'[') {
                    list(out, &field, value)?;
                } else {
                    one(out, &field, value).map_err(|why| format!("has `{field}`, which {why}"))?;
                }
            }
            Ok(())
        }
        _ => one(out, name, json),
    }
}

fn list(out: &mut String, name: &str, json: &[u8]) -> Result<(), String> {
    let elements: Vec<&RawValue> = serde_json::from_slice(json).map_err(|why| why.to_string())?;
    for element in elements {
        one(out, name, element.get().as_bytes())
            .map_err(|why| format!("has an element that {why}"))?;
    }
    Ok(())
}

fn one(out: &mut String, name: &str, json: &[u8]) -> Result<(), String> {
    if let Some(text) = scalar(json)? {
        if !out.is_empty() {
            out.push('&');
        }
        push(out, name);
        out.push('=');
        push(out, &text);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(json: &str) -> Result<String, String> {
        let mut out = String::new();
        parameters(&mut out, "q", json.as_bytes()).map(|()| out)
    }

    #[test]
    fn values_become_parameters() {
        for (json, expected) in [
            ("\"a b&c=d#?/é\"", "q=a%20b%26c%3Dd%23%3F%2F%C3%A9"),
            ("\"a\\\"\\n\"", "q=a%22%0A"),
            (
                "340282366920938463463374607431768211455",
                "q=340282366920938463463374607431768211455",
            ),
            ("-1.5e300", "q=-1.5e300"),
            ("true", "q=true"),
            ("null", ""),
            ("[]", ""),
            ("[1,null,\"x\"]", "q=1&q=x"),
            ("{\"b\":[1,2],\"a\":\"&\",\"c\":null}", "a=%26&b=1&b=2"),
        ] {
            assert_eq!(query(json).as_deref(), Ok(expected), "{json}");
        }
    }

    #[test]
    fn what_has_no_text_says_so() {
        for (json, word) in [
            ("[[1]]", "an element that is a list"),
            ("[{}]", "an element that is an object"),
            ("{\"a\":{}}", "has `a`, which is an object"),
        ] {
            let problem = query(json).unwrap_err();
            assert!(problem.contains(word), "{json}: {problem}");
        }
        assert!(scalar(b"[1]").unwrap_err().contains("a list"));
    }
}
