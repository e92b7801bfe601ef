//! Words and files as Rust sees them: the one place here that knows its grammar.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};

/// The identifier that is this word, if it is one and no keyword.
pub(super) fn identifier(word: &str) -> Option<Ident> {
    // Only the lexer knows every word, and it is slow where most are of one kind.
    if !is_usual(word) {
        return syn::parse_str(word).ok();
    }
    // A keyword since the edition of 2024, which the parser does not know.
    if word == "gen" {
        return None;
    }
    let word = TokenTree::Ident(Ident::new(word, Span::call_site()));
    syn::parse2(word.into()).ok()
}

/// Whether this word is an identifier or a keyword.
pub(super) fn is_word(word: &str) -> bool {
    is_usual(word) || syn::parse_str::<Ident>(&format!("{word}_")).is_ok()
}

fn is_usual(word: &str) -> bool {
    let begins = word.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic());
    begins && word != "_" && word.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric())
}

/// Code as a person would lay it out.
pub(super) fn formatted(code: &TokenStream) -> String {
    match syn::parse2(code.clone()) {
        Ok(file) => prettyplease::unparse(&file),
        // What is put together here is Rust; if it ever is not, the text shows where.
        Err(why) => format!("compile_error!({:?});\n{code}\n", why.to_string()),
    }
}
