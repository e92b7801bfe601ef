//! Somebody's words as doc comments: they may hold anything, and must still be comments that compile and are no tests.
//!
//! # Why
//! Descriptions in documents are written for web pages. A lone carriage return ends a doc comment, characters that change
//! the direction of text are an error in one, and what is indented or fenced is a Rust program to `cargo test --doc`.

use proc_macro2::TokenStream;
use quote::quote;

/// Deeper than this, an indented line is code.
const INDENT_MAX: usize = 3;

/// `#[doc]`s for a text.
pub(super) fn docs(text: &str) -> TokenStream {
    let lines = lines(text).into_iter().map(|line| match &*line {
        "" => quote!(#[doc = ""]),
        line => {
            let line = format!(" {line}");
            quote!(#[doc = #line])
        }
    });
    quote!(#(#lines)*)
}

fn lines(text: &str) -> Vec<String> {
    let text = text.replace("\r\n", "\n");
    // The fence that closes what is fenced, as long as it is open.
    let mut fence: Option<&str> = None;
    let mut lines = Vec::new();
    for line in text.split(['\n', '\r']) {
        let line: String = line.chars().filter(|c| is_plain(*c)).collect();
        let line = line.trim_end();
        let bare = line.trim_start();
        let marks = ["```", "~~~"].into_iter().find(|marks| bare.starts_with(marks));
        let indent = (line.len() - bare.len()).min(INDENT_MAX);
        lines.push(match (fence, marks) {
            (Some(open), _) => {
                if marks == Some(open) {
                    fence = None;
                }
                line.to_owned()
            }
            (None, Some(marks)) => {
                fence = Some(marks);
                format!("{}{}", " ".repeat(indent), opened(bare))
            }
            (None, None) => format!("{}{bare}", " ".repeat(indent)),
        });
    }
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines
}

/// A line that opens a fence; what rustdoc would take for Rust is text.
fn opened(line: &str) -> String {
    let marks = line.len() - line.trim_start_matches(['`', '~']).len();
    let (marks, language) = line.split_at(marks);
    let language = language.trim();
    let is_rust =
        ["", "rust", "ignore", "no_run", "should_panic", "compile_fail", "edition", "test_harness"]
            .iter()
            .any(|word| language == *word || !word.is_empty() && language.starts_with(word));
    let sound = language.chars().all(|c| c.is_ascii_alphanumeric() || "+-_.".contains(c));
    match is_rust || !sound {
        true => format!("{marks}text"),
        false => line.to_owned(),
    }
}

/// Whether a character can stand in a comment: none that controls, or turns text around.
fn is_plain(c: char) -> bool {
    let turns = matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    (c == '\t' || !c.is_control()) && !turns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_comments_that_are_no_programs() {
        for (text, expected) in [
            ("", &[][..]),
            ("one\n\ntwo\n", &["one", "", "two"]),
            ("a\r\nb\rc", &["a", "b", "c"]),
            ("a\u{202E}b\u{0}c\t d", &["abc\t d"]),
            ("list:\n\n        code()", &["list:", "", "   code()"]),
            ("```\n    x()\n```\n    y", &["```text", "    x()", "```", "   y"]),
            ("```json\n{}\n```", &["```json", "{}", "```"]),
            ("~~~rust,no_run\n```\n~~~\nx", &["~~~text", "```", "~~~", "x"]),
            ("````{.js}\n", &["````text"]),
        ] {
            assert_eq!(lines(text), expected, "{text:?}");
        }
    }
}
