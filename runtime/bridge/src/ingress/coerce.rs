//! Text as a value: what stands in a path, a query, a form or a header, as the JSON that its type is read from.
//!
//! ```text
//!   true, false       bool               any text          String, char, an enum without content, what cannot be seen
//!   digits            whole numbers      several values    a list; fields by their names: a struct
//!   a number          f32, f64           none              None
//! ```

use std::{borrow::Cow, collections::BTreeMap};

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use sinew::descriptor::{Body, Field, Named, Type, Types as _};

use crate::words::cut;

/// A value as JSON.
pub(super) type Json = Box<RawValue>;

/// Parameters of a query or a form, in order.
#[derive(Debug, Default)]
pub(super) struct Parameters<'t>(Vec<(Cow<'t, str>, Cow<'t, str>)>);

impl<'t> Parameters<'t> {
    /// As forms are written (WHATWG URL, 5.1): `+` is a space.
    pub(super) fn parse(text: &'t str) -> Result<Self, String> {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((form_text(name)?, form_text(value)?))
        });
        pairs.collect::<Result<_, String>>().map(Self)
    }

    fn all(&self, name: &str) -> Vec<&str> {
        let of = self.0.iter().filter(|(known, _)| known == name);
        of.map(|(_, value)| &**value).collect()
    }

    /// The value of this type under this name; of a struct its fields, each under its own.
    pub(super) fn value(
        &self,
        name: &str,
        ty: &Type,
        types: &[Named],
    ) -> Result<Option<Json>, String> {
        if let Some(fields) = fields(ty, types) {
            let is_there =
                fields.iter().any(|field| self.0.iter().any(|(name, _)| *name == field.name));
            return match is_optional(ty) && !is_there {
                true => Ok(None),
                false => self.fields(fields, types).map(Some),
            };
        }
        let values = self.all(name);
        if let Some(item) = list(ty, types) {
            let items = values.iter().map(|text| value(text, item, types));
            let items = items.collect::<Result<Vec<_>, _>>().map_err(|why| at(name, &why))?;
            return match items.is_empty() && is_optional(ty) {
                true => Ok(None),
                false => json(&items).map(Some),
            };
        }
        match &*values {
            [] => Ok(None),
            [one] => value(one, ty, types).map(Some).map_err(|why| at(name, &why)),
            more => Err(format!("`{name}` stands there {} times, and is one value", more.len())),
        }
    }

    fn fields(&self, fields: &[Field], types: &[Named]) -> Result<Json, String> {
        let mut object = BTreeMap::new();
        for field in fields.iter().filter(|field| !field.alias) {
            // Fields of a field would stand beside those around it, and one that holds itself would have no end.
            if self::fields(&field.ty, types).is_some() {
                return Err(format!(
                    "`{}` has no place in a text: it belongs into a body of JSON",
                    field.name
                ));
            }
            if let Some(value) = self.value(&field.name, &field.ty, types)? {
                object.insert(&*field.name, value);
            } else if !field.optional {
                return Err(format!("`{}` is missing", field.name));
            }
        }
        json(&object)
    }
}

fn at(name: &str, why: &str) -> String {
    format!("`{name}`: {why}")
}

fn form_text(text: &str) -> Result<Cow<'_, str>, String> {
    if text.contains('+') {
        let spaced = text.replace('+', " ");
        return decoded(&spaced).map(|text| Cow::Owned(text.into_owned()));
    }
    decoded(text)
}

/// Without what is written in percent.
pub(super) fn decoded(text: &str) -> Result<Cow<'_, str>, String> {
    percent_encoding::percent_decode_str(text)
        .decode_utf8()
        .map_err(|_| format!("`{}` is not UTF-8 in percent encoding", short(text)))
}

/// The type without newtypes and options around it.
fn bare<'t>(mut ty: &'t Type, types: &'t [Named]) -> &'t Type {
    for _ in 0..=types.len() {
        ty = match ty {
            Type::Option(inner) => inner,
            Type::Named(name) => match types.named(name).map(|named| &named.body) {
                Some(Body::Newtype(inner)) => inner,
                _ => return ty,
            },
            other => return other,
        };
    }
    ty
}

fn fields<'t>(ty: &'t Type, types: &'t [Named]) -> Option<&'t [Field]> {
    match bare(ty, types) {
        Type::Named(name) => match types.named(name).map(|named| &named.body) {
            Some(Body::Struct(fields)) => Some(fields),
            _ => None,
        },
        _ => None,
    }
}

fn list<'t>(ty: &'t Type, types: &'t [Named]) -> Option<&'t Type> {
    match bare(ty, types) {
        Type::List(item) => Some(item),
        _ => None,
    }
}

/// Whether a call without it can be read.
pub(super) fn is_optional(ty: &Type) -> bool {
    matches!(ty, Type::Option(_) | Type::Unit)
}

/// One text as a value of this type.
///
/// # Errors
/// What is expected, without a name.
pub(super) fn value(text: &str, ty: &Type, types: &[Named]) -> Result<Json, String> {
    let wrong =
        |expected: &str| Err(format!("{expected} is expected, and `{}` is there", short(text)));
    match bare(ty, types) {
        Type::Bool => match text {
            "true" | "false" => json(&(text == "true")),
            _ => wrong("`true` or `false`"),
        },
        Type::U8 | Type::U16 | Type::U32 | Type::U64 | Type::U128 => match whole(text) {
            Some(number) if !text.starts_with('-') => Ok(number),
            _ => wrong("a whole number that is not negative"),
        },
        Type::I8 | Type::I16 | Type::I32 | Type::I64 | Type::I128 => {
            whole(text).map_or_else(|| wrong("a whole number"), Ok)
        }
        Type::F32 | Type::F64 => match text.parse::<f64>() {
            Ok(number) if number.is_finite() => json(&number),
            _ => wrong("a number"),
        },
        Type::Unit => json(&()),
        // What is written as a text, or cannot be seen: most of that is.
        Type::Text | Type::Char | Type::Opaque(_) => json(text),
        Type::Named(name) => match types.named(name).map(|named| &named.body) {
            Some(Body::Enum(variants)) => {
                let is_plain = |body: &Body| matches!(body, Body::Unit);
                if variants.iter().any(|one| one.name == text && is_plain(&one.body)) {
                    return json(text);
                }
                let known = variants.iter().filter(|one| !one.alias && is_plain(&one.body));
                let known: Vec<_> = known.map(|one| format!("`{}`", one.name)).collect();
                wrong(&format!("one of {}", known.join(", ")))
            }
            Some(Body::Unit) => json(&()),
            _ => Err("this has no place in a text: it belongs into a body of JSON".to_owned()),
        },
        Type::Bytes | Type::Option(_) | Type::List(_) | Type::Map(..) | Type::Tuple(_) => {
            Err("this has no place in a text: it belongs into a body of JSON".to_owned())
        }
    }
}

/// A whole number with all of its digits, however many.
fn whole(text: &str) -> Option<Json> {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    let is_whole = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    // JSON knows no zeros in front.
    let digits = digits.trim_start_matches('0');
    let digits = if digits.is_empty() { "0" } else { digits };
    RawValue::from_string(format!("{sign}{digits}")).ok().filter(|_| is_whole)
}

/// A stranger's text, as much of it as a message needs.
pub(super) fn short(text: &str) -> String {
    const MOST: usize = 40;
    cut(text, MOST).into_owned()
}

fn json<T: Serialize + ?Sized>(value: &T) -> Result<Json, String> {
    to_raw_value(value).map_err(|why| why.to_string())
}

#[cfg(test)]
mod tests {
    use sinew::descriptor::Variant;

    use super::*;

    fn named(name: &str, body: Body) -> Named {
        Named { name: name.to_owned(), body, closed: false, open: false }
    }

    fn field(name: &str, ty: Type, optional: bool) -> Field {
        Field { name: name.to_owned(), ty, optional, alias: false, omitted: false }
    }

    fn types() -> Vec<Named> {
        let variant = |name: &str, body| Variant { name: name.to_owned(), alias: false, body };
        vec![
            named("Id", Body::Newtype(Type::U64)),
            named(
                "Kind",
                Body::Enum(vec![
                    variant("near", Body::Unit),
                    variant("far", Body::Newtype(Type::U8)),
                ]),
            ),
            named(
                "Page",
                Body::Struct(vec![
                    field("from", Type::U32, false),
                    field("tags", Type::List(Box::new(Type::Text)), true),
                ]),
            ),
        ]
    }

    #[test]
    fn a_text_is_what_its_type_says() {
        let id = Type::Named("Id".to_owned());
        let kind = Type::Option(Box::new(Type::Named("Kind".to_owned())));
        for (text, ty, expected) in [
            ("7", &id, "7"),
            ("007", &Type::U8, "7"),
            ("-0", &Type::I8, "-0"),
            (
                "340282366920938463463374607431768211455",
                &Type::U128,
                "340282366920938463463374607431768211455",
            ),
            ("7", &Type::Text, "\"7\""),
            ("a\"b", &Type::Text, "\"a\\\"b\""),
            ("true", &Type::Bool, "true"),
            ("1.50", &Type::F64, "1.5"),
            ("near", &kind, "\"near\""),
        ] {
            let json = value(text, ty, &types()).unwrap();
            assert_eq!(json.get(), expected, "{text} as {ty:?}");
        }
    }

    #[test]
    fn what_is_none_says_what_is_expected() {
        let kind = Type::Named("Kind".to_owned());
        for (text, ty, word) in [
            ("-1", &Type::U8, "not negative"),
            ("1.0", &Type::I64, "a whole number"),
            ("+1", &Type::I64, "a whole number"),
            ("", &Type::I64, "a whole number"),
            ("NaN", &Type::F64, "a number"),
            ("inf", &Type::F32, "a number"),
            ("TRUE", &Type::Bool, "`true` or `false`"),
            ("far", &kind, "one of `near`"),
            ("x", &Type::Named("Page".to_owned()), "a body of JSON"),
        ] {
            let why = value(text, ty, &types()).unwrap_err();
            assert!(why.contains(word), "{text}: {why}");
        }
    }

    #[test]
    fn parameters_are_lists_fields_and_values() {
        let all = Parameters::parse("from=3&tags=a+b&tags=%26&q=1&q=2&e=").unwrap();
        let page = Type::Named("Page".to_owned());
        let of = |name: &str, ty: &Type| {
            let value = all.value(name, ty, &types());
            value.map(|value| value.map(|json| json.get().to_owned()))
        };
        assert_eq!(of("page", &page), Ok(Some("{\"from\":3,\"tags\":[\"a b\",\"&\"]}".to_owned())));
        assert_eq!(of("q", &Type::List(Box::new(Type::U8))), Ok(Some("[1,2]".to_owned())));
        assert_eq!(of("none", &Type::Option(Box::new(Type::U8))), Ok(None));
        assert_eq!(of("none", &Type::List(Box::new(Type::U8))), Ok(Some("[]".to_owned())));
        assert_eq!(of("e", &Type::Text), Ok(Some("\"\"".to_owned())));
        assert!(of("q", &Type::U8).unwrap_err().contains("2 times"));
        assert!(Parameters::parse("a=%ff").unwrap_err().contains("UTF-8"));
        let page = Type::Option(Box::new(page));
        let none = Parameters::parse("q=1").unwrap();
        assert!(none.value("page", &page, &types()).unwrap().is_none());
        let endless = [named(
            "Endless",
            Body::Struct(vec![
                field("v", Type::U8, false),
                field("and", Type::Option(Box::new(Type::Named("Endless".to_owned()))), true),
            ]),
        )];
        let v = Parameters::parse("v=1").unwrap();
        let why = v.value("x", &Type::Named("Endless".to_owned()), &endless).unwrap_err();
        assert!(why.contains("a body of JSON"), "{why}");
    }
}
