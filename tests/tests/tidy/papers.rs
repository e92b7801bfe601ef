//! What the Markdown files say about the tree, checked against the tree.

use crate::{
    manifests::{member_dirs, setting},
    tree::{Finding, Tree},
};

/// Where a path in ARCHITECTURE.md may begin, besides at the root: a map says `client/stack.rs`.
const BASES: &[&str] = &["", "runtime/src/", "runtime/core/src/", "codegen/src/"];

/// What looks like a path there and is none: the protocol's name, method names.
const NO_PATHS: &[&str] = &["sinew/1", "service/method", "Service/method"];

/// Every path that ARCHITECTURE.md names exists.
pub(crate) fn architecture_paths(tree: &Tree) -> Vec<Finding> {
    const FILE: &str = "ARCHITECTURE.md";
    let Some(text) = tree.text(FILE) else {
        return vec![Finding::new(FILE, 1, "is missing", "write the map of the house")];
    };
    let mut findings = Vec::new();
    let mut count = 0;
    let mut in_fence = false;
    for (at, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_fence = !in_fence;
            continue;
        }
        let candidates: Vec<&str> = if in_fence {
            line.split_whitespace()
                .filter(|word| word.contains('/') && word.ends_with(".rs"))
                .collect()
        } else {
            line.split('`').skip(1).step_by(2).filter(|&span| is_path(span)).collect()
        };
        for path in candidates {
            count += 1;
            let anywhere = format!("/{path}");
            let found = BASES.iter().any(|base| tree.has(&format!("{base}{path}")))
                || !path.contains('/') && tree.files().any(|(file, _)| file.ends_with(&anywhere));
            if !found {
                let what = format!("there is no `{path}`");
                findings.push(Finding::new(
                    FILE,
                    at + 1,
                    what,
                    "correct the map, or build the room",
                ));
            }
        }
    }
    if count == 0 {
        findings.push(Finding::new(FILE, 1, "names no path in backticks", "say where things are"));
    }
    findings
}

fn is_path(span: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./*".contains(c);
    let ends =
        [".rs", ".md", ".toml"].iter().any(|end| span.ends_with(end) && span.len() > end.len());
    span.chars().all(is_plain) && (span.contains('/') || ends) && !NO_PATHS.contains(&span)
}

/// Every page of docs/ can be reached from README.md or ARCHITECTURE.md.
pub(crate) fn docs_are_linked(tree: &Tree) -> Vec<Finding> {
    const REMEDY: &str = "link it from README.md or ARCHITECTURE.md";
    let entrances =
        ["README.md", "ARCHITECTURE.md"].map(|file| tree.text(file).unwrap_or_default());
    let mut findings = Vec::new();
    for (file, _) in tree.files() {
        let is_page = file.starts_with("docs/") && file.ends_with(".md");
        if is_page && !entrances.iter().any(|text| text.contains(file)) {
            findings.push(Finding::new(file, 1, "no entrance links to this page", REMEDY));
        }
    }
    findings
}

/// CHANGELOG.md has a section for what is not released, or for the version at hand.
pub(crate) fn changelog_is_open(tree: &Tree) -> Vec<Finding> {
    const FILE: &str = "CHANGELOG.md";
    let version = setting(tree, "Cargo.toml", "workspace.package", "version").unwrap_or_default();
    let is_open = tree.text(FILE).unwrap_or_default().lines().any(|line| {
        let name = line.strip_prefix("## ").unwrap_or_default().trim_start_matches('[');
        let name = name.split([']', ' ']).next().unwrap_or_default();
        name == "Unreleased" || !version.is_empty() && name == version
    });
    let what = format!("has neither `## Unreleased` nor `## {version}`");
    let finding =
        Finding::new(FILE, 1, what, "add the section, and a line for each visible change");
    if is_open { Vec::new() } else { vec![finding] }
}

/// README.md states the minimum Rust version, and it and every version of ours there are those of
/// the manifests.
pub(crate) fn readme_versions(tree: &Tree) -> Vec<Finding> {
    const FILE: &str = "README.md";
    const REMEDY: &str = "take over what Cargo.toml says";
    let of = |key| setting(tree, "Cargo.toml", "workspace.package", key).unwrap_or_default();
    let (version, rust) = (of("version"), of("rust-version"));
    let mut findings = Vec::new();
    let mut states_rust = false;
    for (at, line) in tree.text(FILE).unwrap_or_default().lines().enumerate() {
        let mut differs = |what: &str, found: &str, expected: &str| {
            if found != expected && !expected.starts_with(&format!("{found}.")) {
                let what = format!("says {what} {found}, where Cargo.toml says {expected}");
                findings.push(Finding::new(FILE, at + 1, what, REMEDY));
            }
        };
        for found in numbers_after(line, &["Rust ", "MSRV ", "MSRV: ", "rustc "]) {
            states_rust = true;
            differs("Rust", found, &rust);
        }
        if let Some(found) = own_requirement(line) {
            differs("version", found, &version);
        }
    }
    if !states_rust {
        findings.push(Finding::new(
            FILE,
            1,
            "does not say `Rust 1.x`",
            "state the minimum version",
        ));
    }
    findings
}

/// The version numbers right behind one of `words`.
fn numbers_after<'a>(line: &'a str, words: &[&str]) -> Vec<&'a str> {
    let mut found = Vec::new();
    for word in words {
        for (at, _) in line.match_indices(word) {
            let number = leading_number(&line[at + word.len()..]);
            if number.contains('.') {
                found.push(number);
            }
        }
    }
    found
}

/// The `0.1` of `sinew = "0.1"` and of `sinew-bridge = { version = "0.1", .. }`.
fn own_requirement(line: &str) -> Option<&str> {
    let (name, value) = line.trim().split_once('=')?;
    let is_ours = name.trim() == "sinew" || name.trim().starts_with("sinew-");
    let value = value.trim();
    let quoted = match value.split_once("version = \"") {
        Some((_, rest)) => rest,
        None => value.strip_prefix('"')?,
    };
    let number = leading_number(quoted);
    (is_ours && !number.is_empty()).then_some(number)
}

fn leading_number(text: &str) -> &str {
    let end = text.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].trim_end_matches('.')
}

/// Every crate that is published has what a registry shows.
pub(crate) fn published_crates_are_described(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for directory in member_dirs(tree) {
        let file = format!("{directory}/Cargo.toml");
        let is_private = setting(tree, &file, "package", "publish").as_deref() == Some("false");
        let is_described = ["description", "description.workspace"]
            .iter()
            .any(|key| setting(tree, &file, "package", key).is_some());
        if !is_private && !is_described {
            let remedy = "write one, or say `publish = false`";
            findings.push(Finding::new(&file, 1, "has no description", remedy));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{assert_none, assert_one};

    const ROOT: (&str, &str) = (
        "Cargo.toml",
        "[workspace]\nmembers = [\"runtime\"]\n[workspace.package]\nversion = \"0.1.0\"\n\
         rust-version = \"1.88\"\n",
    );

    fn check(rule: fn(&Tree) -> Vec<Finding>, file: &str, text: &str, place: &str, what: &str) {
        assert_one(&rule(&Tree::of(&[ROOT, (file, text)])), place, what);
    }

    #[test]
    fn a_path_of_the_map_is_found_when_the_tree_lacks_it() {
        let with = |text: &str| {
            architecture_paths(&Tree::of(&[
                ("ARCHITECTURE.md", text),
                ("runtime/src/client/stack.rs", ""),
                ("runtime/core/src/limits.rs", ""),
                ("runtime/core/src/wire/frame.rs", ""),
                ("LICENSE-MIT", ""),
            ]))
        };
        let sound = "`client/stack.rs`, `runtime/src/client/`, `limits.rs`, `frame.rs`, \
                     `.rs`, `LICENSE-*`, `a < b`, `and so on`\n```text\n  \
                     runtime/src/client/stack.rs   the path\n  no/path here\n\
                     ```\n`x::y`, `sinew/1`";
        // `LICENSE-*` alone is no path by its form; the others are.
        assert_none(&with(sound));
        assert_one(&with("`limits.rs`\n`client/gone.rs`"), "ARCHITECTURE.md:2", "`client/gone.rs`");
        assert_one(&with("`limits.rs` `runtime/cli/`"), "ARCHITECTURE.md:1", "`runtime/cli/`");
        assert_one(&with("`limits.rs` `bounds.rs`"), "ARCHITECTURE.md:1", "`bounds.rs`");
        assert_one(&with("`limits.rs`\n```\nclient/gone.rs\n```"), "ARCHITECTURE.md:3", "gone");
        assert_one(&with("a map of nothing"), "ARCHITECTURE.md:1", "names no path");
        assert_one(&architecture_paths(&Tree::default()), "ARCHITECTURE.md:1", "missing");
    }

    #[test]
    fn a_page_is_found_when_nothing_links_to_it() {
        let tree = Tree::of(&[
            ("README.md", "[wire](docs/wire.md)"),
            ("docs/wire.md", ""),
            ("docs/lost.md", ""),
            ("docs/img/x.svg", ""),
        ]);
        assert_one(&docs_are_linked(&tree), "docs/lost.md:1", "no entrance");
    }

    #[test]
    fn a_changelog_is_found_when_it_has_no_open_section() {
        for text in ["", "## 0.0.9", "# Unreleased", "## Unreleasedish", "Unreleased"] {
            check(changelog_is_open, "CHANGELOG.md", text, "CHANGELOG.md:1", "neither");
        }
        assert_one(&changelog_is_open(&Tree::of(&[ROOT])), "CHANGELOG.md:1", "neither");
        for text in ["## Unreleased", "## [Unreleased]", "## [0.1.0] - 2026-12-01", "## 0.1.0"] {
            assert_none(&changelog_is_open(&Tree::of(&[ROOT, ("CHANGELOG.md", text)])));
        }
    }

    #[test]
    fn a_version_of_the_readme_is_found_when_it_differs() {
        let check = |text, line, what| {
            check(readme_versions, "README.md", text, &format!("README.md:{line}"), what);
        };
        check("Needs Rust 1.85.", 1, "says Rust 1.85");
        check("MSRV: 1.88\n\nsinew = \"0.2\"", 3, "says version 0.2");
        check(
            "Rust 1.88 and\nsinew-bridge = { version = \"1\", path = \"x\" }",
            2,
            "says version 1,",
        );
        check("Needs Rust.", 1, "does not say");
        let fine = "Rust 1.88 or newer, in Rust. MSRV 1.88\nsinew = \"0.1\"\n\
                    sinew = { version = \"0.1.0\" }\n\
                    tokio = \"1.54\"\nsinew = { path = \"x\" }";
        assert_none(&readme_versions(&Tree::of(&[ROOT, ("README.md", fine)])));
    }

    #[test]
    fn a_published_crate_is_found_when_it_has_no_description() {
        let path = "runtime/Cargo.toml";
        let rule = published_crates_are_described;
        check(rule, path, "[package]\nname = \"x\"", "runtime/Cargo.toml:1", "no description");
        for line in ["publish = false", "description = \"x\"", "description.workspace = true"] {
            let text = format!("[package]\n{line}");
            assert_none(&rule(&Tree::of(&[ROOT, (path, &text)])));
        }
    }
}
