//! What every file must have, and what none may hold.

use crate::{
    tokens::{closing, starts_with, tokens},
    tree::{Finding, Tree, is_fixture},
};

/// Generated code may excuse itself: what a user does not call is not dead.
const GENERATES: &str = "codegen/src/expand";

/// Every Rust file begins with a `//!` sentence.
pub(crate) fn headers(tree: &Tree) -> Vec<Finding> {
    const REMEDY: &str = "begin with `//!` and a sentence that says what the file is for";
    let mut findings = Vec::new();
    for (file, text) in tree.rust("").filter(|(file, _)| !is_fixture(file)) {
        let first = text.lines().next().unwrap_or_default();
        let sentence = first.strip_prefix("//! ").unwrap_or_default();
        if sentence.split_whitespace().count() < 3 {
            findings.push(Finding::new(file, 1, "the header says nothing", REMEDY));
        }
    }
    findings
}

/// Nothing is unfinished, left out of a run, or excused from the lint that would find it dead.
pub(crate) fn nothing_is_unfinished(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, text) in tree.rust("").filter(|(file, _)| !is_fixture(file)) {
        let tokens = tokens(text);
        for (at, token) in tokens.iter().enumerate() {
            let rest = &tokens[at..];
            let mut find = |what: &str, remedy| {
                findings.push(Finding::new(file, token.line, format!("`{what}`"), remedy));
            };
            let name = token.text.as_str();
            let is_call = rest.get(1).is_some_and(|next| next.is("!"));
            if is_call && ["todo", "unimplemented", "dbg"].contains(&name) {
                find(&format!("{name}!"), "write it, or take it out");
            }
            if starts_with(rest, "# [ ignore") {
                find(
                    "#[ignore]",
                    "make it run everywhere, or say `cannot run here: <why>` and return",
                );
            }
            if starts_with(rest, "allow (") && !file.starts_with(GENERATES) {
                for name in rest[..closing(rest, 1).min(rest.len())].iter().map(|t| t.text.as_str())
                {
                    if name == "dead_code" || name.starts_with("unused") {
                        find(&format!("allow({name})"), "delete what is unused");
                    }
                }
            }
        }
    }
    findings
}

/// No example in the docs is skipped by the doc tests: a page that is not compiled does not stay
/// true.
pub(crate) fn doc_examples_run(tree: &Tree) -> Vec<Finding> {
    const REMEDY: &str = "let it run, or say `no_run`, `compile_fail` or `text`";
    let mut findings = Vec::new();
    for (file, text) in tree.files() {
        let is_markdown = file.ends_with(".md");
        if !is_markdown && !file.ends_with(".rs") {
            continue;
        }
        for (line, full) in numbered(text) {
            let full = full.trim_start();
            let comment = ["//!", "///"].iter().find_map(|mark| full.strip_prefix(mark));
            let shown = if is_markdown { Some(full) } else { comment.map(str::trim_start) };
            let Some(words) = shown.and_then(|shown| shown.strip_prefix("```")) else {
                continue;
            };
            if words.split([',', ' ']).any(|word| word.starts_with("ignore")) {
                findings.push(Finding::new(file, line, "an example is ignored", REMEDY));
            }
        }
    }
    findings
}

/// No file names a place on the machine that it was written on.
pub(crate) fn no_machine_paths(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    // Put together here, or this file would break its own rule.
    let places = ["work", "root", "home", "Users"].map(|name| format!("/{name}/"));
    for (file, text) in tree.files() {
        for (line, full) in numbered(text) {
            for place in &places {
                let absolute = full.match_indices(place).any(|(at, _)| {
                    !full[..at].ends_with(|c: char| c.is_alphanumeric() || "_-.~}*".contains(c))
                });
                if absolute {
                    let what = format!("names a path below `{place}`");
                    findings.push(Finding::new(
                        file,
                        line,
                        what,
                        "make it relative to the repository",
                    ));
                }
            }
        }
    }
    findings
}

fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(at, line)| (at + 1, line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{assert_none, assert_one};

    #[test]
    fn a_file_without_a_header_is_found() {
        for source in
            ["", "use x;", "// A mere comment.", "//!", "//! Placeholder.", "\n//! Too late here."]
        {
            assert_one(&headers(&Tree::of(&[("a/b.rs", source)])), "a/b.rs:1", "header");
        }
        let fine = [("a.rs", "//! What it is for."), ("tests/ui/no_self.rs", ""), ("a.md", "")];
        assert_none(&headers(&Tree::of(&fine)));
    }

    #[test]
    fn unfinished_work_is_found() {
        for (source, what) in [
            ("fn f() { todo!() }", "`todo!`"),
            ("fn f() { core::unimplemented!(\"x\") }", "`unimplemented!`"),
            ("fn f() { dbg!(1); }", "`dbg!`"),
            ("#[ignore] fn f() {}", "`#[ignore]`"),
            ("#[ignore = \"slow\"] fn f() {}", "`#[ignore]`"),
            ("#![allow(missing_docs, dead_code)]", "`allow(dead_code)`"),
            ("#[allow(unused_variables)] fn f() {}", "`allow(unused_variables)`"),
            ("#[cfg_attr(test, allow(unused))] fn f() {}", "`allow(unused)`"),
        ] {
            let tree = Tree::of(&[("a.rs", &format!("\n{source}"))]);
            assert_one(&nothing_is_unfinished(&tree), "a.rs:2", what);
        }
        let fine = "// todo!()\nfn f() { x.todo(); y!(\"dbg!\"); }
                    #[expect(dead_code, reason = \"x\")] fn g() {}";
        let excused = "quote! { #[allow(dead_code)] fn f() {} }";
        assert_none(&nothing_is_unfinished(&Tree::of(&[
            ("a.rs", fine),
            ("codegen/src/expand/client.rs", excused),
            ("codegen/tests/snapshots/unary.rs", excused),
        ])));
    }

    #[test]
    fn an_ignored_example_is_found() {
        for (file, text) in [
            ("docs/wire.md", "\n```rust,ignore"),
            ("docs/wire.md", "\n```ignore"),
            ("a.rs", "\n//! ```ignore"),
            ("a.rs", "\n    /// ```ignore-windows"),
        ] {
            assert_one(
                &doc_examples_run(&Tree::of(&[(file, text)])),
                &format!("{file}:2"),
                "ignored",
            );
        }
        let fine =
            [("a.md", "```text\nignore\n```"), ("a.rs", "let x = \"```ignore\"; // ```ignore")];
        assert_none(&doc_examples_run(&Tree::of(&fine)));
    }

    #[test]
    fn a_path_of_one_machine_is_found() {
        for (name, before) in [("work", "cd "), ("home", "\""), ("root", "= "), ("Users", "(")] {
            let text = format!("\n{before}/{name}/x");
            assert_one(&no_machine_paths(&Tree::of(&[("justfile", &text)])), "justfile:2", name);
        }
        let fine = "net/work/x  ../root/x  $HOME/x  a network/ /rooted ./home/x ${x}/work/y";
        assert_none(&no_machine_paths(&Tree::of(&[("justfile", fine)])));
    }
}
