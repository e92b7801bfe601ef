//! Who may import whom inside the shell.
//!
//! # Why
//! Inside a crate every module can name every other, and so the module graphs of even admired
//! crates grow into knots. Cargo refuses circles between crates and nothing else; this table
//! refuses the rest.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    paths::{Named, module_of, named, use_tree},
    tokens::{product_tokens, tokens},
    tree::{Finding, Tree, is_test_module},
};

const SHELL: &str = "runtime/src/";
const TABLE: &str = "tests/tests/tidy/imports.rs";

/// Folder of the shell, folder that it must not name, and where what it wanted belongs.
const FORBIDDEN: &[(&str, &str, &str)] = &[
    ("client", "server", "client and server are mirrors: move what both need to `call` or core"),
    ("server", "client", "client and server are mirrors: move what both need to `call` or core"),
    ("transport", "client", "a transport carries calls for whoever: let the client hand it in"),
    ("transport", "server", "a transport carries calls for whoever: let the server hand it in"),
];

/// Shell folders of which the first may still name the second, in a circle. Only ever to be
/// shortened.
const KNOTS: &[(&str, &str)] = &[];

/// The shell keeps to [`FORBIDDEN`].
pub(crate) fn shell_imports(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for folder in FORBIDDEN.iter().flat_map(|&(from, to, _)| [from, to]).collect::<BTreeSet<_>>() {
        let path = format!("{SHELL}{folder}");
        if !tree.has(&path) && !tree.has(&format!("{path}.rs")) {
            findings.push(Finding::new(
                TABLE,
                1,
                format!("there is no {path}"),
                "rename it here too",
            ));
        }
    }
    for (file, from, to, line) in shell_edges(tree) {
        for &(importer, imported, remedy) in FORBIDDEN {
            if (importer, imported) == (from.as_str(), to.as_str()) {
                let what = format!("`{from}` names `crate::{to}`");
                findings.push(Finding::new(file, line, what, remedy));
            }
        }
    }
    findings
}

/// No two top-level modules of the shell name each other, directly or around a corner.
pub(crate) fn shell_has_no_circle(tree: &Tree) -> Vec<Finding> {
    excuse_circles(tree, KNOTS)
}

fn excuse_circles(tree: &Tree, knots: &[(&str, &str)]) -> Vec<Finding> {
    const REMEDY: &str = "move what both need into a simpler module";
    let edges = shell_edges(tree);
    let mut graph: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (_, from, to, _) in &edges {
        graph.entry(from).or_default().insert(to);
    }
    let reaches = |from: &str, to: &str| {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
        while let Some(at) = next.pop() {
            if at == to {
                return true;
            }
            if seen.insert(at) {
                next.extend(graph.get(at).into_iter().flatten());
            }
        }
        false
    };
    let mut seen = BTreeSet::new();
    let mut findings = Vec::new();
    for (file, from, to, line) in &edges {
        if from == to || !reaches(to, from) || !seen.insert((from.as_str(), to.as_str())) {
            continue;
        }
        if !knots.contains(&(from, to)) {
            let what = format!("`{from}` names `crate::{to}`, which leads back to `{from}`");
            findings.push(Finding::new(file, *line, what, REMEDY));
        }
    }
    for (from, to) in knots.iter().filter(|knot| !seen.contains(*knot)) {
        let what = format!("`{from}` and `{to}` are no knot any more");
        findings.push(Finding::new(TABLE, 1, what, "strike them from `KNOTS`"));
    }
    findings
}

/// Every path between top-level modules of the shell: file, from, to, line. The root file may name
/// everything.
fn shell_edges(tree: &Tree) -> Vec<(&str, String, String, usize)> {
    let exports = root_exports(tree.text("runtime/src/lib.rs").unwrap_or_default());
    let mut edges = Vec::new();
    for (file, text) in tree.rust(SHELL).filter(|(file, _)| !is_test_module(file)) {
        let module = module_of(file, SHELL);
        let Some(from) = module.first() else { continue };
        for Named { path, line } in named(&product_tokens(text), &module) {
            let Some(first) = path.first().filter(|&first| first != "std") else {
                continue;
            };
            let to = exports.get(first).unwrap_or(first);
            edges.push((file, from.clone(), to.clone(), line));
        }
    }
    edges
}

/// What the root file re-exports from its modules, so that `crate::Client` counts as `client`.
fn root_exports(root: &str) -> BTreeMap<String, String> {
    let tokens = tokens(root);
    let mut leaves = Vec::new();
    for at in 1..tokens.len() {
        if tokens[at - 1].is("use") {
            use_tree(&tokens[at..], Vec::new(), &mut leaves);
        }
    }
    let mut exports = BTreeMap::new();
    for Named { mut path, .. } in leaves {
        path.retain(|name| name != "crate");
        if let [module, .., leaf] = &*path {
            exports.insert(leaf.clone(), module.clone());
        }
    }
    exports
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{assert_none, assert_one};

    const FOLDERS: [(&str, &str); 4] = [
        ("runtime/src/client/mod.rs", ""),
        ("runtime/src/server/mod.rs", ""),
        ("runtime/src/transport/quic/mod.rs", "use quinn::Connection;"),
        ("runtime/src/lib.rs", "mod client; pub use client::{Client, stack::{Stack as Tower}};"),
    ];

    fn shell(extra: &[(&str, &str)]) -> Tree {
        Tree::of(&[&FOLDERS, extra].concat())
    }

    #[test]
    fn shell_imports_are_found_when_they_go_the_wrong_way() {
        let check = |file, source, what| {
            let path = format!("runtime/src/{file}");
            assert_one(&shell_imports(&shell(&[(&path, source)])), &format!("{path}:2"), what);
        };
        check(
            "client/stack.rs",
            "\nuse crate::{call, server::accept};",
            "`client` names `crate::server`",
        );
        check("server/stack.rs", "\nfn f(c: crate::Client) {}", "`server` names `crate::client`");
        check(
            "server/accept.rs",
            "\nuse super::super::client::stack;",
            "`server` names `crate::client`",
        );
        check("transport/link.rs", "\nuse crate::client;", "`transport` names `crate::client`");
        check(
            "transport/quic/x.rs",
            "\nuse crate::server::*;",
            "`transport` names `crate::server`",
        );
    }

    #[test]
    fn shell_imports_hold_when_they_go_down_or_stand_in_a_test() {
        let down = "use crate::{transport::link, client::attempt}; use super::session;
                    #[cfg(test)] mod tests { use crate::server; }";
        let of_tests = ("runtime/src/client/tests/mod.rs", "use crate::server;");
        let stack = ("runtime/src/client/stack.rs", down);
        assert_none(&shell_imports(&shell(&[stack, of_tests])));
    }

    #[test]
    fn a_table_that_names_a_missing_folder_is_found() {
        let tree = Tree::of(&[FOLDERS[0], FOLDERS[2]]);
        assert_one(&shell_imports(&tree), "tests/tests/tidy/imports.rs:1", "no runtime/src/server");
    }

    #[test]
    fn a_circle_of_the_shell_is_found_at_every_step() {
        let circle = shell(&[
            ("runtime/src/call/mod.rs", "use crate::codec::X;"),
            ("runtime/src/codec.rs", "use crate::error::X;"),
            ("runtime/src/error.rs", "use crate::call::X;"),
            ("runtime/src/server/x.rs", "use crate::call::X;"),
        ]);
        assert_eq!(shell_has_no_circle(&circle).len(), 3);
        let excused = [("call", "codec"), ("codec", "error")];
        assert_one(&excuse_circles(&circle, &excused), "runtime/src/error.rs:1", "`error` names");
        let straight = shell(&[
            ("runtime/src/call/mod.rs", "use crate::codec::X; use super::call::Y;"),
            ("runtime/src/client/x.rs", "use crate::call::X; use crate::codec::X;"),
        ]);
        assert_none(&shell_has_no_circle(&straight));
        let stale = excuse_circles(&straight, &[("client", "call")]);
        assert_one(&stale, "tests/tests/tidy/imports.rs:1", "no knot any more");
    }
}
