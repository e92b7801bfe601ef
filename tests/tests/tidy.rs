//! The house rules that neither Cargo nor clippy can hold, as ordinary tests over the files of the
//! repository.
//!
//! # Why
//! A rule that only reviewers know is broken in the first week that they are tired. Here each rule
//! is one test, whose failure names the line and what to do instead.
//!
//! # How it is built
//! A rule is a function from a `Tree` to its findings. The tests below give it the real tree;
//! beside each rule, tests give it a small tree with the mistake in it, so that no rule is a check
//! that cannot fail. Lists of exceptions are next to their rule, and an exception that nothing
//! needs any more is a finding too: they only ever get shorter.

#[path = "tidy/api.rs"]
mod api;
#[path = "tidy/homes.rs"]
mod homes;
#[path = "tidy/imports.rs"]
mod imports;
#[path = "tidy/levels.rs"]
mod levels;
#[path = "tidy/manifests.rs"]
mod manifests;
#[path = "tidy/papers.rs"]
mod papers;
#[path = "tidy/paths.rs"]
mod paths;
#[path = "tidy/sizes.rs"]
mod sizes;
#[path = "tidy/text.rs"]
mod text;
#[path = "tidy/tokens.rs"]
mod tokens;
#[path = "tidy/tree.rs"]
mod tree;

use std::{path::Path, sync::LazyLock};

use tree::{Tree, assert_none};

/// The repository, read once.
static REPOSITORY: LazyLock<Tree> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    match Tree::read(&root) {
        Ok(tree) => tree,
        Err(why) => panic!("cannot read {}: {why}", root.display()),
    }
});

#[test]
fn the_real_tree_is_what_the_rules_see() {
    for path in ["Cargo.toml", "runtime/src/lib.rs", "runtime/core/src/lib.rs", "tests/run"] {
        assert!(REPOSITORY.has(path), "{path} was not read");
    }
}

#[test]
fn the_shell_imports_only_what_its_table_allows() {
    assert_none(&imports::shell_imports(&REPOSITORY));
}

#[test]
fn the_modules_of_the_shell_form_no_circle() {
    assert_none(&imports::shell_has_no_circle(&REPOSITORY));
}

#[test]
fn core_names_only_lower_levels() {
    assert_none(&levels::core_levels(&REPOSITORY));
}

#[test]
fn core_reaches_nothing_outside() {
    assert_none(&levels::core_is_pure(&REPOSITORY));
}

#[test]
fn foreign_crates_are_named_in_their_homes_only() {
    assert_none(&homes::foreign_names(&REPOSITORY));
}

#[test]
fn every_file_says_what_it_is_for() {
    assert_none(&text::headers(&REPOSITORY));
}

#[test]
fn nothing_is_unfinished() {
    assert_none(&text::nothing_is_unfinished(&REPOSITORY));
}

#[test]
fn every_example_of_the_docs_is_compiled() {
    assert_none(&text::doc_examples_run(&REPOSITORY));
}

#[test]
fn no_file_names_a_place_on_one_machine() {
    assert_none(&text::no_machine_paths(&REPOSITORY));
}

#[test]
fn files_fit_into_a_head() {
    assert_none(&sizes::file_sizes(&REPOSITORY));
}

#[test]
fn functions_fit_on_a_screen() {
    assert_none(&sizes::function_sizes(&REPOSITORY));
}

#[test]
fn public_async_functions_say_how_they_fail_and_end() {
    assert_none(&api::async_docs(&REPOSITORY));
}

#[test]
fn generated_code_touches_only_what_is_private_to_it() {
    assert_none(&api::generated_code(&REPOSITORY));
}

#[test]
fn every_path_of_the_map_exists() {
    assert_none(&papers::architecture_paths(&REPOSITORY));
}

#[test]
fn every_page_can_be_reached() {
    assert_none(&papers::docs_are_linked(&REPOSITORY));
}

#[test]
fn the_changelog_is_open() {
    assert_none(&papers::changelog_is_open(&REPOSITORY));
}

#[test]
fn the_readme_states_the_versions_of_the_manifests() {
    assert_none(&papers::readme_versions(&REPOSITORY));
}

#[test]
fn published_crates_are_described() {
    assert_none(&papers::published_crates_are_described(&REPOSITORY));
}

#[test]
fn members_inherit_from_the_workspace() {
    assert_none(&manifests::members_inherit(&REPOSITORY));
}

#[test]
fn the_members_agree_on_their_version() {
    assert_none(&manifests::own_versions_agree(&REPOSITORY));
}
