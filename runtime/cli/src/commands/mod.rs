//! What each command does.

mod asked;
pub(crate) mod ca;
pub(crate) mod call;
pub(crate) mod check;
pub(crate) mod describe;
pub(crate) mod explain;
pub(crate) mod gateway;
pub(crate) mod generate;
pub(crate) mod list;
pub(crate) mod new;
pub(crate) mod policy;

use std::path::Path;

use clap::CommandFactory as _;

use crate::{args::Args, output::Failure};

/// Prints what a shell completes the command line with.
pub(crate) fn completions(shell: clap_complete::Shell) -> Result<(), Failure> {
    clap_complete::generate(shell, &mut Args::command(), "sinew", &mut std::io::stdout());
    Ok(())
}

/// What a package is called, and what code calls it.
struct CrateName {
    package: String,
    module: String,
}

/// The name of a package in this directory.
fn crate_name(directory: &Path) -> Result<CrateName, Failure> {
    /// crates.io takes no longer ones.
    const LONGEST: usize = 64;
    let wrong = |why: &str| {
        Err(Failure::usage(format!(
            "`{}` does not end in the name of a crate: {why}",
            directory.display()
        )))
    };
    let Some(name) = directory.file_name().and_then(|name| name.to_str()) else {
        return wrong("there is no name");
    };
    let sound = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) || !name.chars().all(sound) {
        return wrong("that is a letter, then letters, digits, `-` and `_`");
    }
    if name.len() > LONGEST {
        return wrong("it is longer than 64 characters");
    }
    let module = name.replace('-', "_");
    if RESERVED.contains(&&*module) {
        return wrong("the language or a crate that it needs is called so");
    }
    Ok(CrateName { package: name.to_owned(), module })
}

/// Names that mean something else in code, or to Cargo.
const RESERVED: &[&str] = &[
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "build",
    "const",
    "continue",
    "core",
    "crate",
    "deps",
    "do",
    "dyn",
    "else",
    "enum",
    "examples",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "incremental",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc_macro",
    "pub",
    "ref",
    "return",
    "self",
    "Self",
    "serde",
    "serde_json",
    "sinew",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "tokio",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "yield",
];
