//! Which paths a file names: `use` trees and paths in the middle of code, resolved to the root of
//! their crate.

use crate::tokens::{Token, starts_with};

/// One path that a file names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Named {
    /// From the root: of the own crate (without `crate`), or of `std` (with it).
    pub(crate) path: Vec<String>,
    pub(crate) line: usize,
}

/// The module of a file: `runtime/src/client/stack.rs` below `runtime/src/` is `client::stack`.
pub(crate) fn module_of(file: &str, src: &str) -> Vec<String> {
    let inside = file.strip_prefix(src).unwrap_or(file).trim_end_matches(".rs");
    let mut module: Vec<String> = inside.split('/').map(str::to_owned).collect();
    let is_root = module.len() == 1 && ["lib", "main"].contains(&module[0].as_str());
    if is_root || module.last().is_some_and(|last| last == "mod") {
        module.pop();
    }
    module
}

/// All paths that begin with `crate`, `super` or `std` in the file that holds `module`.
pub(crate) fn named(tokens: &[Token], module: &[String]) -> Vec<Named> {
    let mut found = Vec::new();
    // The inline modules around the token, each with the brace depth at which it began.
    let mut inline: Vec<(String, usize)> = Vec::new();
    let mut depth = 0;
    for at in 0..tokens.len() {
        let rest = &tokens[at..];
        match rest[0].text.as_str() {
            "{" => depth += 1,
            "}" => {
                depth = usize::saturating_sub(depth, 1);
                inline.retain(|&(_, began)| began < depth);
            }
            "mod" if rest.get(2).is_some_and(|token| token.is("{")) => {
                inline.push((rest[1].text.clone(), depth));
            }
            _ => {}
        }
        if at > 0 && (tokens[at - 1].is("::") || tokens[at - 1].is("in")) {
            continue;
        }
        let here = module.iter().chain(inline.iter().map(|(name, _)| name));
        if let Some((base, length)) = beginning(rest, here.cloned().collect()) {
            use_tree(&rest[length..], base, &mut found);
        }
    }
    found
}

/// What `crate::`, `super::super::` or `std::` stands for, and how many tokens that takes.
fn beginning(tokens: &[Token], mut here: Vec<String>) -> Option<(Vec<String>, usize)> {
    if starts_with(tokens, "crate ::") {
        return Some((Vec::new(), 2));
    }
    if starts_with(tokens, "std ::") {
        return Some((vec!["std".to_owned()], 2));
    }
    let mut length = 0;
    while starts_with(&tokens[length..], "super ::") {
        here.pop();
        length += 2;
    }
    (length > 0).then_some((here, length))
}

/// Adds the paths of the `use` tree (or the one path) that `tokens` begin with; returns how long it
/// is.
pub(crate) fn use_tree(tokens: &[Token], mut base: Vec<String>, found: &mut Vec<Named>) -> usize {
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        if token.is("{") {
            at += 1;
            while tokens.get(at).is_some_and(|token| !token.is("}")) {
                let length = use_tree(&tokens[at..], base.clone(), found);
                // Whatever is no tree (`,`, `as name`) is stepped over.
                at += length.max(1);
            }
            return at + 1;
        }
        if !token.is_name() && !token.is("*") {
            return at;
        }
        if !token.is("self") {
            base.push(token.text.clone());
        }
        at += 1;
        let goes_on = tokens.get(at).is_some_and(|token| token.is("::"))
            && tokens.get(at + 1).is_some_and(|t| t.is_name() || t.is("*") || t.is("{"));
        if !goes_on {
            found.push(Named { path: base, line: token.line });
            if tokens.get(at).is_some_and(|token| token.is("as")) {
                at += 2;
            }
            return at;
        }
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::tokens;

    fn check(source: &str, expected: &[&str]) {
        let module = ["client".to_owned(), "stack".to_owned()];
        let paths = named(&tokens(source), &module);
        let paths: Vec<String> = paths.iter().map(|named| named.path.join("::")).collect();
        assert_eq!(paths, expected, "{source}");
    }

    #[test]
    fn every_leaf_of_a_use_tree_is_named() {
        check("use crate::{a::{self, B}, c as d, e::*};", &["a", "a::B", "c", "e::*"]);
        check("use crate::server;", &["server"]);
        check("use std::{fs, io::{self, Read}};", &["std::fs", "std::io", "std::io::Read"]);
    }

    #[test]
    fn a_path_in_the_middle_of_code_is_named() {
        check("let x: crate::server::Y<crate::z::Z> = 1;", &["server::Y", "z::Z"]);
        check("crate::call::f::<u8>();", &["call::f"]);
    }

    #[test]
    fn super_is_resolved_when_modules_nest() {
        check("use super::attempt::X;", &["client::attempt::X"]);
        check("use super::super::server::X;", &["server::X"]);
        check("mod inner { use super::X; } use super::Y;", &["client::stack::X", "client::Y"]);
        check("fn f() { mod m { fn g() {} } } use super::Y;", &["client::Y"]);
    }

    #[test]
    fn a_visibility_names_nothing() {
        check("pub(in crate::client) fn f() {} pub(crate) fn g() {} pub(super) fn h() {}", &[]);
    }

    #[test]
    fn a_file_has_its_module() {
        for (file, expected) in [
            ("runtime/src/lib.rs", ""),
            ("runtime/src/task.rs", "task"),
            ("runtime/src/client/mod.rs", "client"),
            ("runtime/src/transport/quic/socket.rs", "transport::quic::socket"),
        ] {
            assert_eq!(module_of(file, "runtime/src/").join("::"), expected);
        }
    }
}
