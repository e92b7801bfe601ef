//! Words and files as Rust sees them: the one place here that knows its grammar.

use proc_macro2::{Ident, TokenStream};

/// The identifier that is this word, if it is one and no keyword.
pub(super) fn identifier(word: &str) -> Option<Ident> {
    syn::parse_str(word).ok()
}

/// Code as a person would lay it out.
pub(super) fn formatted(code: &TokenStream) -> String {
    match syn::parse2(code.clone()) {
        Ok(file) => prettyplease::unparse(&file),
        // What is put together here is Rust; if it ever is not, the text shows where.
        Err(why) => format!("compile_error!({:?});\n{code}\n", why.to_string()),
    }
}
