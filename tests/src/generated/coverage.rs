//! How much of documents that nobody here wrote becomes methods, and whether the compiler takes what is written of them.
//!
//! # Invariants
//! 1. Each document is generated, and each descriptor on the way makes sense.
//! 2. An operation is a method or is refused by name: [`REFUSED`] lists all of the latter.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, PoisonError},
};

use sinew_codegen::generate::{Generated, module, openapi};

use super::{
    crates::{Needs, Package, home, put},
    documents::{Document, Documents},
};

/// Below this share of operations the generator is not what it says that it is.
pub(super) const LEAST: f64 = 0.90;

/// Where each operation that is refused is listed, beside the generated crates.
const REFUSED: &str = "refused.txt";

/// Which of the drawn documents the compiler checks when it does not check all: as many of such a size. It checks
/// Kinto's, httpbinx's and a pet store in each run.
const CHECKED: (usize, std::ops::Range<usize>) = (2, 20..60);

/// How many methods a crate has that is checked, unless one document alone has more.
const BATCH: usize = 600;

/// What became of the documents.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) documents: usize,
    pub(super) operations: usize,
    /// How many are no methods, by the reason.
    pub(super) refused: BTreeMap<String, usize>,
    /// Methods that the compiler checked.
    pub(super) checked: usize,
    /// One line for each document that could not be generated.
    pub(super) failed: Vec<String>,
}

impl Report {
    /// How many operations are methods.
    pub(super) fn mapped(&self) -> usize {
        self.operations - self.refused.values().sum::<usize>().min(self.operations)
    }

    /// The share of operations that are methods.
    pub(super) fn coverage(&self) -> f64 {
        self.mapped() as f64 / self.operations.max(1) as f64
    }
}

/// A document as Rust.
struct Written {
    name: String,
    operations: usize,
    refused: Vec<(String, String)>,
    code: String,
}

/// Generates all documents, and has the compiler check five of them, or all.
///
/// # Errors
/// What is generated does not compile.
pub(super) async fn run(documents: &Documents, checks_all: bool) -> Result<Report, String> {
    let mut report = Report::default();
    let mut written = Vec::new();
    for outcome in generated(documents) {
        match outcome {
            Ok(one) => written.push(one),
            Err(why) => report.failed.push(why),
        }
    }
    written.sort_by(|one, other| one.name.cmp(&other.name));
    report.documents = written.len();
    let mut lines = String::new();
    for one in &written {
        report.operations += one.operations;
        for (element, why) in &one.refused {
            lines.push_str(&format!("{}: {element}: {why}\n", one.name));
            *report.refused.entry(kind(why)).or_default() += 1;
        }
    }
    let path = home().join(REFUSED);
    let cannot = |why: std::io::Error| format!("{}: {why}", path.display());
    std::fs::create_dir_all(home()).map_err(cannot)?;
    put(&path, &lines).map_err(cannot)?;
    report.checked = check(&written, checks_all).await?;
    Ok(report)
}

/// A reason without the names and numbers in it.
fn kind(why: &str) -> String {
    let parts = why.split('`').enumerate();
    let parts = parts.map(|(n, words)| if n % 2 == 0 { words } else { ".." });
    let words = parts.collect::<Vec<_>>().join("`");
    let is_number = |word: &str| word.parse::<u64>().is_ok();
    let words = words.split(' ').map(|word| if is_number(word) { ".." } else { word });
    words.collect::<Vec<_>>().join(" ")
}

/// All documents, on as many threads as there are processors: what writes Rust is not quick where it is not optimised.
fn generated(documents: &Documents) -> Vec<Result<Written, String>> {
    let mut all: Vec<_> = documents.all().collect();
    all.sort_by_key(|document| std::cmp::Reverse(document.text.len()));
    let open = Mutex::new(VecDeque::from(all));
    let done = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let next = open.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some(document) = next else { return };
                    let outcome = write(document);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push(outcome);
                }
            });
        }
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn write(document: &Document) -> Result<Written, String> {
    let told = |why: &dyn std::fmt::Display| format!("{}: {why}", document.name);
    let imported = openapi::import(&document.text, None).map_err(|why| told(&why))?;
    if let Some(problem) = imported.descriptor.check().first() {
        return Err(told(problem));
    }
    let Generated { code, refused, .. } = module(&imported.descriptor);
    if code.contains("compile_error!") {
        return Err(told(&"what is written is no Rust"));
    }
    let refused = imported.refused.into_iter().chain(refused);
    Ok(Written {
        name: document.name.clone(),
        operations: imported.operations,
        refused: refused.map(|refusal| (refusal.element, refusal.why)).collect(),
        code,
    })
}

/// Has the compiler check them, warnings included; how many methods those were.
async fn check(written: &[Written], all: bool) -> Result<usize, String> {
    let methods = |one: &Written| one.operations - one.refused.len().min(one.operations);
    let (count, sizes) = CHECKED;
    let drawn = written
        .iter()
        .filter(|one| one.name.starts_with('n') && sizes.contains(&methods(one)))
        .take(count);
    let own = |one: &&Written| ["kinto", "httpbinx", "petstore_3_0"].contains(&&*one.name);
    let chosen: Vec<_> = match all {
        true => written.iter().collect(),
        false => written.iter().filter(own).chain(drawn).collect(),
    };
    let mut checked = 0;
    for (number, batch) in batches(&chosen, methods).into_iter().enumerate() {
        let mut library = "//! Documents that nobody here wrote, as traits.\n".to_owned();
        let mut files = BTreeMap::new();
        for one in batch {
            library.push_str(&format!("pub mod {};\n", one.name));
            files.insert(format!("{}.rs", one.name), one.code.clone());
            checked += methods(one);
        }
        files.insert("lib.rs".to_owned(), library);
        let name = format!("{}-{number}", if all { "all-documents" } else { "documents" });
        Package::write(&name, Needs::Nothing, &files)?.check().await?;
    }
    Ok(checked)
}

/// Crates of so many methods, so that the compiler need not remember all of them at once.
fn batches<'w>(
    chosen: &[&'w Written],
    methods: impl Fn(&Written) -> usize,
) -> Vec<Vec<&'w Written>> {
    let (mut batches, mut size) = (Vec::<Vec<_>>::new(), 0);
    for one in chosen {
        size += methods(one);
        match batches.last_mut() {
            Some(last) if size <= BATCH => last.push(*one),
            _ => {
                size = methods(one);
                batches.push(vec![*one]);
            }
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_counted_without_their_names() {
        assert_eq!(
            kind("the cookie `c` is needed; give it as metadata `cookie`"),
            kind("the cookie `d` is needed; give it as metadata `cookie`")
        );
        assert_eq!(kind("it needs 13 arguments"), "it needs .. arguments");
    }

    #[test]
    fn coverage_is_the_share_of_what_became_methods() {
        let refused = BTreeMap::from([("a".to_owned(), 2), ("b".to_owned(), 1)]);
        let report = Report { operations: 10, refused, ..Report::default() };
        assert_eq!((report.mapped(), report.coverage()), (7, 0.7));
        assert_eq!(Report::default().coverage(), 0.0);
    }
}
