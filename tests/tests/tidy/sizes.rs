//! Files and functions that fit into a head.

use crate::{
    tokens::{Token, closing, starts_with, tokens},
    tree::{Finding, Tree, is_fixture},
};

/// Lines of a Rust file. Most have 100 to 300.
const FILE_LINES: usize = 600;
/// Lines of a function, from `fn` to its last brace.
const FUNCTION_LINES: usize = 70;
/// Lines of ARCHITECTURE.md: a map that is longer is not read.
const MAP_LINES: usize = 300;

/// Files that may still be longer. Only ever to be shortened.
const LONG_FILES: &[&str] = &[];
/// Functions that may still be longer, by file and name. Only ever to be shortened.
const LONG_FUNCTIONS: &[(&str, &str)] = &[];

/// No file is too long, but for the listed ones; none is listed without need.
pub(crate) fn file_sizes(tree: &Tree) -> Vec<Finding> {
    excuse_files(tree, LONG_FILES)
}

fn excuse_files(tree: &Tree, excused: &[&str]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for &file in excused {
        if tree.text(file).is_none_or(|text| text.lines().count() <= FILE_LINES) {
            findings.push(Finding::new(
                file,
                1,
                "is no longer too long",
                "strike it from `LONG_FILES`",
            ));
        }
    }
    let map = tree.files().filter(|(file, _)| *file == "ARCHITECTURE.md");
    let rust = tree.rust("").filter(|(file, _)| !is_fixture(file));
    let limits = rust.map(|file| (file, FILE_LINES)).chain(map.map(|file| (file, MAP_LINES)));
    for ((file, text), limit) in limits {
        let lines = text.lines().count();
        if lines > limit && !excused.contains(&file) {
            let what = format!("{lines} lines, where {limit} is the limit");
            findings.push(Finding::new(file, limit + 1, what, "split it by what it is about"));
        }
    }
    findings
}

/// No function is too long, but for the listed ones; none is listed without need.
pub(crate) fn function_sizes(tree: &Tree) -> Vec<Finding> {
    excuse_functions(tree, LONG_FUNCTIONS)
}

fn excuse_functions(tree: &Tree, excused: &[(&str, &str)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut needed = Vec::new();
    for (file, text) in tree.rust("").filter(|(file, _)| !is_fixture(file)) {
        for Function { name, line, lines } in functions(&tokens(text)) {
            if lines <= FUNCTION_LINES {
                continue;
            }
            match excused.iter().find(|&&listed| listed == (file, name.as_str())) {
                Some(listed) => needed.push(*listed),
                None => {
                    let what =
                        format!("`{name}` has {lines} lines, where {FUNCTION_LINES} is the limit");
                    findings.push(Finding::new(file, line, what, "give its steps names"));
                }
            }
        }
    }
    for listed in excused.iter().filter(|listed| !needed.contains(listed)) {
        let what = format!("`{}` is no longer too long", listed.1);
        findings.push(Finding::new(listed.0, 1, what, "strike it from `LONG_FUNCTIONS`"));
    }
    findings
}

struct Function {
    name: String,
    line: usize,
    lines: usize,
}

/// The functions with a body, nested ones too.
fn functions(tokens: &[Token]) -> Vec<Function> {
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let rest = &tokens[at..];
        let is_named = starts_with(rest, "fn") && rest.get(1).is_some_and(Token::is_name);
        let Some(open) = is_named.then(|| body(rest)).flatten() else {
            continue;
        };
        let last = rest.get(closing(rest, open)).or(rest.last());
        let lines = last.map_or(0, |last| last.line - token.line + 1);
        found.push(Function { name: rest[1].text.clone(), line: token.line, lines });
    }
    found
}

/// Where the body of the function at the start of `tokens` opens, if it has one.
fn body(tokens: &[Token]) -> Option<usize> {
    let mut at = 0;
    loop {
        match tokens.get(at)?.text.as_str() {
            "{" => return Some(at),
            ";" | "}" => return None,
            "(" | "[" => at = closing(tokens, at) + 1,
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{assert_none, assert_one};

    #[test]
    fn a_file_is_found_when_it_is_a_line_too_long() {
        let (fits, long) = ("x\n".repeat(600), "x\n".repeat(601));
        let tree = Tree::of(&[("a.rs", &long), ("b.rs", &fits), ("c.md", &long)]);
        assert_one(&file_sizes(&tree), "a.rs:601", "601 lines");
        assert_none(&excuse_files(&tree, &["a.rs"]));
        assert_one(
            &file_sizes(&Tree::of(&[("ARCHITECTURE.md", &fits)])),
            "ARCHITECTURE.md:301",
            "600",
        );
    }

    #[test]
    fn an_excuse_is_found_when_nothing_needs_it() {
        let tree = Tree::of(&[("a.rs", "fn f() {}")]);
        assert_one(&excuse_files(&tree, &["a.rs"]), "a.rs:1", "no longer");
        assert_one(&excuse_files(&tree, &["gone.rs"]), "gone.rs:1", "no longer");
        let fits = Tree::of(&[("b.rs", &"x\n".repeat(600))]);
        assert_one(&excuse_files(&fits, &["b.rs"]), "b.rs:1", "no longer");
        assert_one(&excuse_functions(&tree, &[("a.rs", "f")]), "a.rs:1", "no longer");
    }

    #[test]
    fn a_function_is_found_when_it_is_a_line_too_long() {
        let with = |lines: usize| {
            let inside = "        x({ 1 }); // }\n".repeat(lines - 4);
            format!(
                "impl X {{\n    pub async fn long(\n        a: [u8; 3],\n    ) -> impl Fn() {{\n\
                 {inside}    }}\n}}\n"
            )
        };
        assert_none(&function_sizes(&Tree::of(&[("a.rs", &with(70))])));
        let tree = Tree::of(&[("a.rs", &with(71))]);
        assert_one(&function_sizes(&tree), "a.rs:2", "`long` has 71 lines");
        assert_none(&excuse_functions(&tree, &[("a.rs", "long")]));
    }

    #[test]
    fn only_functions_with_a_body_are_measured() {
        let source = "trait T { fn a(&self); fn b(&self) -> u8 { 1 } } type F = fn(u8) -> u8;
                      quote! { fn #name() {} }";
        let names: Vec<_> = functions(&tokens(source)).into_iter().map(|f| f.name).collect();
        assert_eq!(names, ["b"]);
    }
}
