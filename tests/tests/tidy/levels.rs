//! The one-way levels of core, and what core may not reach for.

use crate::{
    paths::{Named, module_of, named},
    tokens::{product_tokens, starts_with},
    tree::{Finding, Tree, is_test_module},
};

const CORE: &str = "runtime/core/src/";

/// The modules of core by level. A module may name lower levels.
const LEVELS: &[(&str, &[&str])] = &[
    ("words", &["codes", "ids", "limits", "rng", "sha256"]),
    (
        "facts",
        &[
            "age", "backoff", "deadline", "digest", "ledger", "metadata", "ramp", "spiffe",
            "window", "wire",
        ],
    ),
    ("policies", &["policy"]),
    ("plans", &["plan"]),
];
const POLICIES: usize = 2;

/// What decides may not reach for, as names and as paths of `std`.
const IMPURE_NAMES: &[&str] = &[
    "HashMap",
    "HashSet",
    "SystemTime",
    "TcpListener",
    "TcpStream",
    "UdpSocket",
    "eprintln",
    "fastrand",
    "println",
    "quinn",
    "tokio",
    "tracing",
];
const IMPURE_STD: &[&str] = &["env", "fs", "process", "thread"];

/// Core keeps to [`LEVELS`]; policies, and plans, do not know each other.
pub(crate) fn core_levels(tree: &Tree) -> Vec<Finding> {
    const REMEDY: &str =
        "use goes words < facts < policies < plans: pass the value in, or move it down";
    let mut findings = Vec::new();
    for (file, text) in tree.rust(CORE).filter(|(file, _)| !is_test_module(file)) {
        let module = module_of(file, CORE);
        let Some(from) = module.first() else { continue };
        let Some(level) = level(from) else {
            let what = format!("`{from}` has no level");
            findings.push(Finding::new(file, 1, what, "give it one in tests/tests/tidy/levels.rs"));
            continue;
        };
        for Named { path, line } in named(&product_tokens(text), &module) {
            let Some(to) = path.first() else { continue };
            let sibling = (level >= POLICIES && from == to)
                .then(|| path.get(1).zip(module.get(1)))
                .flatten()
                .filter(|(theirs, own)| theirs != own && is_module(tree, to, theirs));
            let what = match self::level(to) {
                Some(other) if other > level => format!("`{from}` names `crate::{to}`"),
                Some(_) if sibling.is_some() => {
                    format!("`{}` names its sibling", module.join("::"))
                }
                _ => continue,
            };
            findings.push(Finding::new(file, line, what, REMEDY));
        }
    }
    findings
}

fn level(module: &str) -> Option<usize> {
    LEVELS.iter().position(|(_, modules)| modules.contains(&module))
}

fn is_module(tree: &Tree, parent: &str, name: &str) -> bool {
    tree.has(&format!("{CORE}{parent}/{name}.rs"))
        || tree.has(&format!("{CORE}{parent}/{name}/mod.rs"))
}

/// Core asks for no time and no chance, touches nothing outside and has no order that differs from
/// run to run.
pub(crate) fn core_is_pure(tree: &Tree) -> Vec<Finding> {
    const REMEDY: &str = "pass it in from crate `sinew` (a map: `BTreeMap`)";
    let mut findings = Vec::new();
    for (file, text) in tree.rust(CORE).filter(|(file, _)| !is_test_module(file)) {
        let tokens = product_tokens(text);
        for (at, token) in tokens.iter().enumerate() {
            if IMPURE_NAMES.contains(&token.text.as_str()) {
                findings.push(Finding::new(
                    file,
                    token.line,
                    format!("names `{}`", token.text),
                    REMEDY,
                ));
            }
            if starts_with(&tokens[at..], "Instant :: now") {
                findings.push(Finding::new(file, token.line, "names `Instant::now`", REMEDY));
            }
        }
        for Named { path, line } in named(&tokens, &module_of(file, CORE)) {
            if path[0] == "std" && path.get(1).is_some_and(|name| IMPURE_STD.contains(&&**name)) {
                findings.push(Finding::new(
                    file,
                    line,
                    format!("names `{}`", path.join("::")),
                    REMEDY,
                ));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{assert_none, assert_one};

    fn core(file: &str, source: &str) -> Tree {
        let path = format!("runtime/core/src/{file}");
        Tree::of(&[(&path, source), ("runtime/core/src/policy/budget.rs", "")])
    }

    #[test]
    fn core_levels_are_found_when_they_climb() {
        let check = |file, source, what| {
            let place = format!("runtime/core/src/{file}:1");
            assert_one(&core_levels(&core(file, source)), &place, what);
        };
        check("codes.rs", "use crate::wire::varint;", "`codes` names `crate::wire`");
        check("wire/frame.rs", "use crate::policy::breaker::X;", "`wire` names `crate::policy`");
        check("policy/breaker.rs", "use crate::plan::client;", "`policy` names `crate::plan`");
        check("policy/breaker.rs", "use super::budget::Budget;", "names its sibling");
        check("fresh.rs", "", "`fresh` has no level");
    }

    #[test]
    fn core_levels_hold_when_use_goes_down_or_along() {
        for (file, source) in [
            (
                "wire/frame.rs",
                "use crate::{metadata::Metadata, ids, wire::varint}; use super::kinds;",
            ),
            (
                "policy/breaker.rs",
                "use crate::deadline; use super::Verbs; use crate::policy::breaker::State;",
            ),
            ("plan/client.rs", "use crate::policy::{breaker, budget};"),
            ("limits.rs", "#[cfg(test)] mod tests { use crate::wire::varint; }"),
        ] {
            assert_none(&core_levels(&core(file, source)));
        }
    }

    #[test]
    fn core_is_found_when_it_reaches_outside() {
        let check = |source, what| {
            let found = core_is_pure(&core("age.rs", source));
            assert_one(&found, "runtime/core/src/age.rs:1", what);
        };
        check("use std::collections::HashMap;", "`HashMap`");
        check("fn f() { std::time::Instant::now(); }", "`Instant::now`");
        check("fn f() { println!(\"x\") }", "`println`");
        check("use std::{fs, fmt};", "`std::fs`");
        check("fn f() { tokio::spawn(g()); }", "`tokio`");
        assert_none(&core_is_pure(&core(
            "age.rs",
            "use std::{time::Instant, fmt}; fn f(now: Instant) {}",
        )));
    }
}
