//! The repository as a map from path to text, read from disk or written down in a test.
//!
//! # Why
//! A rule that can only look at the real tree is a check that nobody has seen fail. Every rule
//! takes a [`Tree`], so that its own tests hand it a small one with the mistake in it.

use std::{collections::BTreeMap, fmt, fs, io, path::Path};

/// Everything below the root but `.git` and build output. Paths are relative, with `/`.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    files: BTreeMap<String, String>,
}

impl Tree {
    /// Reads the tree below `root`.
    ///
    /// Directories that Cargo marks as its output (`CACHEDIR.TAG`) are left out. A file that is not
    /// UTF-8 is there with an empty text.
    pub(crate) fn read(root: &Path) -> io::Result<Self> {
        let mut tree = Self::default();
        tree.read_below(root, "")?;
        Ok(tree)
    }

    fn read_below(&mut self, directory: &Path, prefix: &str) -> io::Result<()> {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let (path, kind) = (entry.path(), entry.file_type()?);
            let relative = format!("{prefix}{name}");
            if kind.is_dir() {
                let skipped = [".git", "target", "node_modules", "__pycache__"]
                    .contains(&name.as_str())
                    || path.join("CACHEDIR.TAG").exists();
                if !skipped {
                    self.read_below(&path, &format!("{relative}/"))?;
                }
            } else if kind.is_file() && name != ".git" {
                let text = String::from_utf8(fs::read(&path)?).unwrap_or_default();
                self.files.insert(relative, text);
            }
        }
        Ok(())
    }

    /// A tree of these files and no others.
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let owned = |&(path, text): &(&str, &str)| (path.to_owned(), text.to_owned());
        Self { files: files.iter().map(owned).collect() }
    }

    /// The text of one file.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// Whether there is such a file or directory. A `*` stands for any run of characters without
    /// `/`.
    pub(crate) fn has(&self, path: &str) -> bool {
        let wanted = path.trim_end_matches('/');
        self.files.keys().any(|file| {
            let ends = file.match_indices('/').map(|(at, _)| at).chain([file.len()]);
            ends.into_iter().any(|end| matches(wanted, &file[..end]))
        })
    }

    /// All files, in the order of their paths.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// The Rust files below `prefix` (`""`: all).
    pub(crate) fn rust<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.files().filter(move |(path, _)| path.starts_with(prefix) && path.ends_with(".rs"))
    }
}

/// Whether a Rust file is a test module of its own (`src/x/tests/mod.rs`, `src/x/tests.rs`).
pub(crate) fn is_test_module(file: &str) -> bool {
    file.contains("/src/") && (file.contains("/tests/") || file.ends_with("/tests.rs"))
}

/// Whether a Rust file is input or output of a test: as a user would write it, or as a macro wrote
/// it.
pub(crate) fn is_fixture(file: &str) -> bool {
    ["/ui/", "/snapshots/"].iter().any(|folder| file.contains(folder))
}

fn matches(pattern: &str, path: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == path,
        Some((before, after)) => path
            .strip_prefix(before)
            .and_then(|rest| rest.strip_suffix(after))
            .is_some_and(|middle| !middle.contains('/')),
    }
}

/// A place that breaks a rule.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    path: String,
    line: usize,
    what: String,
    remedy: &'static str,
}

impl Finding {
    /// `line` counts from 1; `remedy` says what to do instead.
    pub(crate) fn new(
        path: &str,
        line: usize,
        what: impl Into<String>,
        remedy: &'static str,
    ) -> Self {
        Self { path: path.to_owned(), line, what: what.into(), remedy }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}; {}", self.path, self.line, self.what, self.remedy)
    }
}

/// Fails with one line per finding.
#[track_caller]
pub(crate) fn assert_none(findings: &[Finding]) {
    let lines: Vec<String> = findings.iter().map(Finding::to_string).collect();
    assert!(findings.is_empty(), "{} found:\n{}", findings.len(), lines.join("\n"));
}

/// Fails unless there is exactly one finding, at `place` (`path:line`), whose text holds `what`.
#[track_caller]
pub(crate) fn assert_one(findings: &[Finding], place: &str, what: &str) {
    let lines: Vec<String> = findings.iter().map(Finding::to_string).collect();
    assert!(
        matches!(&*lines, [only] if only.starts_with(&format!("{place}: ")) && only.contains(what)),
        "expected one finding at {place} about `{what}`, got {lines:#?}",
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_exists_when_a_file_or_a_directory_has_it() {
        let tree = Tree::of(&[("runtime/src/client/stack.rs", ""), ("LICENSE-MIT", "")]);
        for path in ["runtime/src/client/stack.rs", "runtime/src/client/", "runtime", "LICENSE-*"] {
            assert!(tree.has(path), "{path}");
        }
        for path in ["runtime/src/cli", "stack.rs", "runtime/*.rs", "LICENCE-*"] {
            assert!(!tree.has(path), "{path}");
        }
    }

    #[test]
    fn build_output_and_git_are_left_out_when_the_disk_is_read() {
        let root = std::env::temp_dir().join(format!("sinew-tidy-{}", std::process::id()));
        for (path, text) in [
            (".git/HEAD", "x"),
            ("target/debug/x.rs", "x"),
            ("benches/peers/target/release/x.rs", "x"),
            ("elsewhere/CACHEDIR.TAG", "x"),
            ("elsewhere/x.rs", "x"),
            ("src/lib.rs", "//! Kept."),
        ] {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        fs::write(root.join("logo.png"), [0xff, 0xfe]).unwrap();
        let tree = Tree::read(&root);
        fs::remove_dir_all(&root).unwrap();
        let tree = tree.unwrap();
        let found: Vec<_> = tree.files().collect();
        assert_eq!(found, [("logo.png", ""), ("src/lib.rs", "//! Kept.")]);
    }
}
