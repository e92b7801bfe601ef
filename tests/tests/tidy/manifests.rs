//! What the manifests have in common: one version, one edition, one set of lints, stated once in
//! the root.

use crate::tree::{Finding, Tree};

/// What each member takes over from the workspace.
const INHERITED: &[&str] = &["version", "edition", "rust-version", "license"];

/// Every member inherits the lints and the version numbers of the workspace.
pub(crate) fn members_inherit(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let members = member_dirs(tree);
    if members.is_empty() {
        findings.push(Finding::new(
            "Cargo.toml",
            1,
            "has no members",
            "list them on one line or more",
        ));
    }
    for directory in members {
        let file = format!("{directory}/Cargo.toml");
        if tree.text(&file).is_none() {
            findings.push(Finding::new(&file, 1, "is missing", "write it, or strike the member"));
            continue;
        }
        let is_true = |section: &str, key: &str| {
            setting(tree, &file, section, key).as_deref() == Some("true")
        };
        if !is_true("lints", "workspace") {
            let remedy = "add `[lints]` with `workspace = true`";
            findings.push(Finding::new(&file, 1, "has lints of its own, or none", remedy));
        }
        for key in INHERITED {
            if !is_true("package", &format!("{key}.workspace")) {
                let what = format!("does not inherit `{key}`");
                findings.push(Finding::new(&file, 1, what, "say `.workspace = true` for it"));
            }
        }
    }
    findings
}

/// The members name each other in the version that they all have.
pub(crate) fn own_versions_agree(tree: &Tree) -> Vec<Finding> {
    const REMEDY: &str = "say the version of `[workspace.package]`";
    let version = setting(tree, "Cargo.toml", "workspace.package", "version").unwrap_or_default();
    let mut findings = Vec::new();
    let text = tree.text("Cargo.toml").unwrap_or_default();
    for (line, key, value) in settings(text, "workspace.dependencies") {
        let is_ours = key == "sinew" || key.starts_with("sinew-");
        if is_ours && !value.contains(&format!("version = \"{version}\"")) {
            let what = format!("`{key}` is not wanted in version {version}");
            findings.push(Finding::new("Cargo.toml", line, what, REMEDY));
        }
    }
    findings
}

/// The directories of the members of the workspace.
pub(crate) fn member_dirs(tree: &Tree) -> Vec<String> {
    let text = tree.text("Cargo.toml").unwrap_or_default();
    let list = text.split_once("members = [").and_then(|(_, rest)| rest.split_once(']'));
    let list = list.map_or("", |(list, _)| list);
    list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The value of one key in a manifest, without its quotes.
pub(crate) fn setting(tree: &Tree, file: &str, section: &str, key: &str) -> Option<String> {
    settings(tree.text(file)?, section)
        .find(|&(_, found, _)| found == key)
        .map(|(_, _, value)| value.trim_matches('"').to_owned())
}

/// Line, key and value of the settings in `[section]`, as far as they stand on one line each.
fn settings<'a>(
    text: &'a str,
    section: &'a str,
) -> impl Iterator<Item = (usize, &'a str, &'a str)> {
    let mut inside = false;
    text.lines().enumerate().filter_map(move |(at, line)| {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[') {
            inside = name.trim_end_matches(']') == section;
        }
        let (key, value) = line.split_once('=').filter(|_| inside)?;
        Some((at + 1, key.trim(), value.trim()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{assert_none, assert_one};

    const ROOT: &str =
        "[workspace]\nmembers = [\n  \"macros\",\n]\n[workspace.package]\nversion = \"0.1.0\"\n";
    const SOUND: &str = "[package]\nversion.workspace = true\nedition.workspace = true\n\
                         rust-version.workspace = true\nlicense.workspace = true\n\n\
                         [lints]\nworkspace = true\n";

    fn with(manifest: &str) -> Tree {
        Tree::of(&[("Cargo.toml", ROOT), ("macros/Cargo.toml", manifest)])
    }

    #[test]
    fn a_member_is_found_when_it_goes_its_own_way() {
        assert_none(&members_inherit(&with(SOUND)));
        let check = |from: &str, to: &str, what| {
            let manifest = SOUND.replace(from, to);
            assert_ne!(manifest, SOUND);
            assert_one(&members_inherit(&with(&manifest)), "macros/Cargo.toml:1", what);
        };
        check("[lints]\nworkspace = true", "", "lints");
        check("[lints]\nworkspace = true", "[lints]\nworkspace = false", "lints");
        check("[lints]", "[elsewhere]", "lints");
        check("version.workspace = true\nedition", "version = \"0.2.0\"\nedition", "`version`");
        check("rust-version.workspace = true", "", "`rust-version`");
        check("license.workspace", "licence.workspace", "`license`");
    }

    #[test]
    fn a_member_is_found_when_it_is_missing() {
        assert_one(
            &members_inherit(&Tree::of(&[("Cargo.toml", ROOT)])),
            "macros/Cargo.toml:1",
            "missing",
        );
        assert_one(&members_inherit(&Tree::default()), "Cargo.toml:1", "no members");
    }

    #[test]
    fn a_dependency_of_ours_is_found_when_its_version_is_old() {
        let with = |line: &str| {
            let root = format!("{ROOT}[workspace.dependencies]\n{line}\n");
            own_versions_agree(&Tree::of(&[("Cargo.toml", &root)]))
        };
        assert_none(&with("sinew-core = { path = \"runtime/core\", version = \"0.1.0\" }"));
        assert_none(&with("tokio = \"1\""));
        assert_one(
            &with("sinew-core = { path = \"x\", version = \"0.0.9\" }"),
            "Cargo.toml:8",
            "sinew-core",
        );
        assert_one(&with("sinew = { path = \"x\" }"), "Cargo.toml:8", "`sinew`");
    }
}
