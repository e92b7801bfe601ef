//! Which folder may name which foreign crate.
//!
//! # Why
//! What is named in one folder can be replaced in one folder: another QUIC, another codec, another
//! parser.

use crate::{
    tokens::{Token, product_tokens},
    tree::{Finding, Tree, is_test_module},
};

const TABLE: &str = "tests/tests/tidy/homes.rs";

/// Foreign crates that have one home each: what they are called, and where they may be named.
const HOMES: &[(&str, &[&str])] = &[
    ("quinn", &["runtime/src/transport/quic"]),
    ("rcgen", &["runtime/src/identity"]),
    (
        "rustls",
        &[
            "runtime/src/identity",
            "runtime/src/transport/quic",
            "runtime/src/discovery/etcd",
            "runtime/bridge/src/connection",
            "runtime/bridge/src/ingress",
        ],
    ),
    (
        "webpki",
        &["runtime/src/identity", "runtime/src/transport/quic", "runtime/bridge/src/connection"],
    ),
    ("syn", &["codegen/src/parse", "codegen/src/generate"]),
    ("bincode", &["runtime/src/codec"]),
    ("rmp_serde", &["runtime/src/codec"]),
    ("hickory", &["runtime/src/discovery"]),
    ("hyper", &["runtime/bridge/src", "runtime/src/discovery/etcd"]),
    (
        "tokio_rustls",
        &[
            "runtime/bridge/src/connection",
            "runtime/bridge/src/ingress",
            "runtime/src/discovery/etcd",
        ],
    ),
    ("base64", &["runtime/src/discovery/etcd"]),
    ("flate2", &["runtime/bridge/src/answer"]),
];

/// The code that the homes are for: the product and the examples. Tests may speak to a peer with
/// the bare crate.
const HOMES_APPLY: &[&str] = &["runtime/", "macros/src/", "codegen/src/", "examples/"];

/// A foreign crate is named in its home and nowhere else.
pub(crate) fn foreign_names(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for home in HOMES.iter().flat_map(|(_, homes)| *homes) {
        if !tree.has(home) {
            findings.push(Finding::new(
                TABLE,
                1,
                format!("there is no {home}"),
                "rename it here too",
            ));
        }
    }
    for (file, text) in tree.rust("") {
        if is_test_module(file) || !HOMES_APPLY.iter().any(|prefix| file.starts_with(prefix)) {
            continue;
        }
        let tokens = product_tokens(text);
        for &(name, homes) in HOMES {
            let at_home = homes.iter().any(|home| {
                file.strip_prefix(home).is_some_and(|rest| rest.starts_with(['/', '.']))
            });
            if at_home {
                continue;
            }
            for line in crate_mentions(&tokens, name) {
                let what = match homes {
                    [] => format!("names `{name}`, which has no home yet"),
                    _ => format!("names `{name}`, whose home is {}", homes.join(" and ")),
                };
                findings.push(Finding::new(file, line, what, "go through what its home offers"));
            }
        }
    }
    findings
}

/// The lines that name the crate `name` or one of its family (`hyper_util`), by a path or a `use`.
fn crate_mentions(tokens: &[Token], name: &str) -> Vec<usize> {
    let mut lines = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| tokens[before].text.as_str());
        let next = tokens.get(at + 1).map(|next| next.text.as_str());
        let family =
            token.text.strip_prefix(name).is_some_and(|s| s.is_empty() || s.starts_with('_'));
        // `::quinn` is the crate where what stands before the colons is no path.
        let rooted = before == Some("::") && (at < 2 || !ends_path(&tokens[at - 2]));
        let first = before != Some("::") || rooted;
        if family
            && first
            && (next == Some("::") || matches!(before, Some("use" | "crate")) || rooted)
        {
            lines.push(token.line);
        }
    }
    lines
}

fn ends_path(token: &Token) -> bool {
    let is_keyword =
        ["as", "dyn", "for", "impl", "in", "mut", "return", "use"].contains(&&*token.text);
    token.is(">") || token.is_name() && !is_keyword
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        tokens::tokens,
        tree::{assert_none, assert_one},
    };

    #[test]
    fn a_foreign_name_is_found_when_it_leaves_its_home() {
        let homes = Tree::of(&[
            ("runtime/src/transport/quic/mod.rs", "use quinn::Connection;"),
            ("runtime/src/identity/mod.rs", "use rustls::X; use rcgen::X;"),
            ("runtime/src/codec/mod.rs", "use bincode::config;"),
            ("codegen/src/parse/mod.rs", "use syn::ItemTrait;"),
            ("codegen/src/generate/rust.rs", "use syn::File;"),
            ("runtime/src/discovery/dns.rs", "use hickory_resolver::X;"),
            ("runtime/src/discovery/etcd/client.rs", "use hyper::X; use tokio_rustls::X;"),
            ("runtime/bridge/src/connection/tls.rs", "use tokio_rustls::X;"),
            ("runtime/bridge/src/ingress/tls.rs", "use rustls::X; use tokio_rustls::X;"),
            ("runtime/bridge/src/answer/content.rs", "use flate2::X; use hyper::X;"),
            ("runtime/src/transport/link.rs", "#[cfg(test)] mod tests { use rcgen::X; }"),
            ("runtime/src/client/tests/mod.rs", "use rcgen::X;"),
        ]);
        assert_none(&foreign_names(&homes));
        let check = |file, source, what| {
            let mut files: Vec<_> = homes.files().collect();
            files.push((file, source));
            assert_one(&foreign_names(&Tree::of(&files)), &format!("{file}:1"), what);
        };
        check("runtime/src/transport/memory.rs", "fn f(c: quinn::Connection) {}", "whose home is");
        check("runtime/src/transport/quicker.rs", "use ::quinn;", "names `quinn`");
        check("runtime/src/client/x.rs", "use rustls_pki_types::X;", "names `rustls`");
        check("runtime/src/client/y.rs", "extern crate bincode;", "names `bincode`");
        check("macros/src/lib.rs", "fn f(i: syn::Item) {}", "names `syn`");
        check("codegen/src/expand/mod.rs", "fn f(i: syn::Item) {}", "names `syn`");
        check("runtime/src/server/x.rs", "use hyper::Request;", "names `hyper`");
        check("runtime/src/discovery/board.rs", "use base64::X;", "names `base64`");
        check("examples/src/bin/x.rs", "use rcgen::X;", "names `rcgen`");
    }

    #[test]
    fn a_foreign_name_holds_when_it_is_a_module_of_ours() {
        assert!(
            crate_mentions(&tokens("mod bincode; use super::bincode::Codec;"), "bincode")
                .is_empty()
        );
        assert!(
            crate_mentions(&tokens("use crate::bincode::Codec; let syn = 1;"), "bincode")
                .is_empty()
        );
        assert_eq!(crate_mentions(&tokens("use ::quinn::X; x::<::quinn::Y>()"), "quinn").len(), 2);
    }
}
