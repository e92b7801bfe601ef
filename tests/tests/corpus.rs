//! Every input that fuzzing found worth keeping, through the target that it was found for: `tests/fuzz/corpus/TARGET/`.

use std::{
    fs,
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

use sinew_tests::{Must as _, fuzz};

/// Panics anywhere in this process, those of tasks that nobody joins included.
static PANICS: AtomicUsize = AtomicUsize::new(0);

fn corpus(target: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let entries = fs::read_dir(&directory).must(&format!("the corpus {}", directory.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.must("a file").path()).collect();
    files.sort();
    files
}

#[test]
fn every_kept_input_passes_its_target() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        PANICS.fetch_add(1, Ordering::SeqCst);
        before(info);
    }));
    let mut failed = Vec::new();
    for (target, run) in fuzz::TARGETS {
        let files = corpus(target);
        assert!(files.len() >= 10, "the corpus of `{target}` has only {} inputs", files.len());
        for file in files {
            let input = fs::read(&file).must("a readable input");
            let panics = PANICS.load(Ordering::SeqCst);
            let outcome = panic::catch_unwind(AssertUnwindSafe(|| run(&input)));
            if outcome.is_err() || PANICS.load(Ordering::SeqCst) != panics {
                failed.push(file);
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

/// A target without a program is never fuzzed, and a program of no target fails when it starts.
#[test]
fn every_target_is_a_program() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = fs::read_to_string(directory.join("Cargo.toml")).must("its manifest");
    for (target, _) in fuzz::TARGETS {
        assert!(manifest.contains(&format!("name = \"{target}\"\n")), "`{target}` has no [[bin]]");
        let program = directory.join(format!("fuzz_targets/{target}.rs"));
        let program = fs::read_to_string(program).must("its program");
        assert!(program.contains(&format!("run(\"{target}\", input)")), "{program}");
    }
    let programs = fs::read_dir(directory.join("fuzz_targets")).must("the programs").count();
    assert_eq!(programs, fuzz::TARGETS.len());
}
