//! What the public API promises in its docs, and what generated code may rely on.

use crate::{
    tokens::{Token, closing, starts_with, tokens},
    tree::{Finding, Tree},
};

/// What generated code may name of crate `sinew` besides `private`: things that users write
/// themselves.
const PUBLIC_NAMES: &[&str] =
    &["CallError", "CallOptions", "Criticality", "ServiceClient", "Status", "Streaming"];

/// What generated code calls is public and hidden: nobody reads its docs, the generated method has
/// its own.
const HIDDEN: &str = "runtime/src/private";

/// Every public asynchronous function of the runtime says how it fails and what dropping it does.
pub(crate) fn async_docs(tree: &Tree) -> Vec<Finding> {
    const REMEDY: &str =
        "write that section, after the description and in the order of CONTRIBUTING.md";
    let mut findings = Vec::new();
    for (file, text) in tree.rust("runtime/src/").filter(|(file, _)| !file.starts_with(HIDDEN)) {
        let lines: Vec<&str> = text.lines().collect();
        for Asynchronous { name, line, is_fallible } in public_async(&tokens(text)) {
            let doc = doc_above(&lines, line);
            let mut wanted = vec!["# Cancel safety"];
            if is_fallible {
                wanted.push("# Errors");
            }
            for section in wanted {
                if !doc.contains(&section) {
                    let what = format!("`{name}` has no section `{section}`");
                    findings.push(Finding::new(file, line, what, REMEDY));
                }
            }
        }
    }
    findings
}

struct Asynchronous {
    name: String,
    line: usize,
    is_fallible: bool,
}

/// `pub async fn`, and `pub fn` that returns `impl Future`.
fn public_async(tokens: &[Token]) -> Vec<Asynchronous> {
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let rest = &tokens[at..];
        let is_async = starts_with(rest, "pub async fn");
        if !is_async && !starts_with(rest, "pub fn") {
            continue;
        }
        let Some(name) = rest.get(if is_async { 3 } else { 2 }) else {
            continue;
        };
        let returns = return_type(rest);
        let is_future = returns.windows(2).any(|pair| pair[0].is("impl") && pair[1].is("Future"));
        if is_async || is_future {
            let is_fallible = returns.iter().any(|token| token.is("Result"));
            found.push(Asynchronous { name: name.text.clone(), line: token.line, is_fallible });
        }
    }
    found
}

fn return_type(tokens: &[Token]) -> &[Token] {
    let Some(open) = tokens.iter().position(|token| token.is("(")) else {
        return &[];
    };
    let start = (closing(tokens, open) + 1).min(tokens.len());
    let length =
        tokens[start..].iter().position(|t| ["{", ";", "where"].contains(&t.text.as_str()));
    &tokens[start..length.map_or(tokens.len(), |length| start + length)]
}

/// The doc lines over the item at `line`, through its attributes.
fn doc_above<'a>(lines: &[&'a str], line: usize) -> Vec<&'a str> {
    let mut doc = Vec::new();
    let mut in_attribute = false;
    for full in lines[..line - 1].iter().rev() {
        let full = full.trim();
        if let Some(text) = full.strip_prefix("///") {
            doc.push(text.trim());
        } else if full.starts_with("#[") || full.starts_with("//") {
            in_attribute = false;
        } else if full.ends_with(']') {
            in_attribute = true;
        } else if !in_attribute {
            break;
        }
    }
    doc
}

/// Generated code names nothing of `sinew` but `private` and what users name themselves.
pub(crate) fn generated_code(tree: &Tree) -> Vec<Finding> {
    const REMEDY: &str = "re-export it from `sinew::private`";
    let mut findings = Vec::new();
    // What writes it, and what it wrote: the second sees through any interpolation.
    let places = ["codegen/src/expand", "codegen/tests/snapshots/"];
    for (file, text) in places.iter().flat_map(|place| tree.rust(place)) {
        for (line, name) in sinew_names(&tokens(text)) {
            if name != "private" && !PUBLIC_NAMES.contains(&name.as_str()) {
                findings.push(Finding::new(
                    file,
                    line,
                    format!("generates `sinew::{name}`"),
                    REMEDY,
                ));
            }
        }
    }
    for place in places.iter().filter(|place| tree.rust(place).next().is_none()) {
        let what = format!("there is no {place}");
        findings.push(Finding::new("tests/tests/tidy/api.rs", 1, what, "rename it here too"));
    }
    findings
}

/// What follows `sinew ::`; in `quote!` that is `#sinew ::`, the crate by whatever name the user
/// has it.
fn sinew_names(tokens: &[Token]) -> Vec<(usize, String)> {
    let starts = tokens.windows(3).filter(|three| starts_with(three, "sinew ::"));
    starts.map(|three| (three[0].line, three[2].text.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{assert_none, assert_one};

    const FILE: &str = "runtime/src/client/x.rs";

    #[test]
    fn a_missing_section_is_found() {
        let check = |source, place, what| {
            assert_one(&async_docs(&Tree::of(&[(FILE, source)])), &format!("{FILE}:{place}"), what);
        };
        check("/// # Cancel safety\npub async fn f() -> Result<u8, E> {}", 2, "`# Errors`");
        check("/// # Errors\npub async fn f() -> io::Result<()> {}", 2, "`# Cancel safety`");
        check("/// Text.\n\npub async fn f() {}", 3, "`# Cancel safety`");
        check("/// # Errors\npub fn f() -> impl Future<Output = Result<u8, E>> {}", 2, "Cancel");
        // The section belongs to the function before.
        check("/// # Cancel safety\npub async fn f() {}\npub async fn g() {}", 3, "`g`");
    }

    #[test]
    fn sections_are_seen_through_attributes() {
        let source = "
            /// Does.
            ///
            /// # Errors
            /// Some.
            ///
            /// # Cancel safety
            /// Good.
            // A note between them.
            #[must_use]
            #[expect(
                clippy::x,
                reason = \"y\"
            )]
            pub async fn f() -> Result<u8, E> where X: Y {}
            pub(crate) async fn g() -> Result<u8, E> {}
            pub fn h() -> Result<u8, E> {}
            pub fn i() -> impl Iterator<Item = Future> {}
        ";
        let hidden = ("runtime/src/private.rs", "pub async fn f() {}");
        assert_none(&async_docs(&Tree::of(&[(FILE, source), hidden])));
    }

    #[test]
    fn generated_code_is_found_when_it_leaves_private() {
        let fine =
            "quote!(::sinew::private::X, #sinew::private::Y, ::sinew::Streaming<T>) // sinew::x";
        let expand = ("codegen/src/expand/mod.rs", fine);
        let snapshot = ("codegen/tests/snapshots/unary.rs", fine);
        assert_none(&generated_code(&Tree::of(&[expand, snapshot])));
        let check = |file, source, what| {
            let tree = Tree::of(&[expand, snapshot, (file, source)]);
            assert_one(&generated_code(&tree), &format!("{file}:1"), what);
        };
        check(
            "codegen/src/expand/client.rs",
            "quote!(#sinew::transport::Link)",
            "`sinew::transport`",
        );
        check("codegen/tests/snapshots/x.rs", "::sinew::codec::encode()", "`sinew::codec`");
        let bare = Tree::of(&[snapshot]);
        assert_one(&generated_code(&bare), "tests/tests/tidy/api.rs:1", "no codegen/src/expand");
    }
}
