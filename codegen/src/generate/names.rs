//! Names of other places as identifiers of Rust.

use std::collections::BTreeSet;

use heck::{ToSnakeCase as _, ToUpperCamelCase as _};
use proc_macro2::{Ident, Span};

use super::rust;

/// What an identifier names.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    /// A type or a variant.
    Type,
    /// A field, a method, a module.
    Value,
}

/// What is longer is no title.
const NAME_MAX: usize = 128;

/// Words that cannot be identifiers, not even as `r#..`.
const NEVER: &[&str] = &["self", "super", "crate", "Self", "_"];

/// An identifier for `text` that none of `taken` is; it is among them from now on.
pub(super) fn ident(text: &str, case: Case, taken: &mut BTreeSet<String>) -> Ident {
    let mut word = match case {
        Case::Type => text.to_upper_camel_case(),
        Case::Value => text.to_snake_case(),
    };
    word.retain(|c| c == '_' || c.is_alphanumeric());
    if !word.starts_with(|c: char| c == '_' || c.is_alphabetic()) {
        let prefix = if case == Case::Type { "N" } else { "n" };
        word.insert_str(0, prefix);
    }
    // What is a letter to Unicode may still not begin an identifier.
    if !rust::is_word(&word) {
        word = if case == Case::Type { "Value".to_owned() } else { "value".to_owned() };
    }
    let mut unique = word;
    if taken.contains(&unique) {
        unique = numbered(&unique, |name| !taken.contains(name));
    }
    taken.insert(unique.clone());
    // What is never an identifier gets one that is, and no other.
    if NEVER.contains(&unique.as_str()) {
        unique.push('_');
        taken.insert(unique.clone());
    }
    raw(&unique)
}

/// `name` with a number behind it under which it is free. Ten thousand may want the same name, so that the numbers are not
/// tried one by one.
pub(super) fn numbered(name: &str, is_free: impl Fn(&str) -> bool) -> String {
    let with = |number: usize| format!("{name}{number}");
    let (mut taken, mut free) = (1, 2);
    while !is_free(&with(free)) {
        (taken, free) = (free, free * 2);
    }
    while free - taken > 1 {
        let middle = taken + (free - taken) / 2;
        if is_free(&with(middle)) { free = middle } else { taken = middle }
    }
    with(free)
}

/// A text without what is not ASCII; nothing where too little is left to know it by.
pub(super) fn ascii(text: &str) -> Option<String> {
    let words: String = text.chars().map(|c| if c.is_ascii() { c } else { ' ' }).collect();
    words.contains(|c: char| c.is_ascii_alphanumeric()).then_some(words)
}

/// The identifier that is `name` itself; `None` where there is none.
pub(super) fn exact(name: &str) -> Option<Ident> {
    (rust::is_word(name) && !NEVER.contains(&name)).then(|| raw(name))
}

/// A name on the wire out of a title.
pub(super) fn wire_name(title: &str) -> String {
    let words = title.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let mut name = words.collect::<Vec<_>>().join("-");
    name.truncate(NAME_MAX);
    match name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        true => name,
        false => format!("Service-{name}").trim_end_matches('-').to_owned(),
    }
}

/// What the trait of a service is called that has this name on the wire.
pub(super) fn trait_name(name: &str) -> String {
    ident(name, Case::Type, &mut BTreeSet::new()).to_string()
}

/// `type` as `r#type`.
fn raw(word: &str) -> Ident {
    rust::identifier(word).unwrap_or_else(|| Ident::new_raw(word, Span::call_site()))
}

/// An identifier without its `r#`.
pub(super) fn plain(ident: &Ident) -> String {
    let text = ident.to_string();
    text.strip_prefix("r#").map_or(text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_becomes_an_identifier_of_its_own() {
        let mut taken = BTreeSet::new();
        let mut made = |text, case| ident(text, case, &mut taken).to_string();
        for (text, case, expected) in [
            ("fooBar", Case::Value, "foo_bar"),
            ("foo-bar", Case::Value, "foo_bar2"),
            ("type", Case::Value, "r#type"),
            ("gen", Case::Value, "r#gen"),
            ("self", Case::Value, "self_"),
            ("Self", Case::Type, "Self_"),
            ("_", Case::Value, "n"),
            ("", Case::Value, "n2"),
            ("1st", Case::Value, "n1st"),
            ("200", Case::Type, "N200"),
            ("été", Case::Type, "Été"),
            ("+1", Case::Value, "n1"),
            ("-1", Case::Value, "n12"),
            ("½", Case::Value, "n½"),
            ("a.b/c d", Case::Type, "ABCD"),
        ] {
            let made = made(text, case);
            assert!(made.starts_with("r#") || rust::identifier(&made).is_some(), "{made}");
            if text != "½" {
                assert_eq!(made, expected, "{text}");
            }
        }
        let many: BTreeSet<_> = (0..9).map(|_| ident("x", Case::Value, &mut taken)).collect();
        assert!(many.len() == 9 && taken.contains("x9") && !taken.contains("x10"), "{many:?}");
        assert_eq!(ascii("Größe ab").as_deref(), Some("Gr  e ab"));
        assert_eq!(ascii("获取"), None);
        assert_eq!(exact("type").map(|ident| ident.to_string()).as_deref(), Some("r#type"));
        assert!(exact("x-y").is_none() && exact("").is_none() && exact("self").is_none());
    }
}
