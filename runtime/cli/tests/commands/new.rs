//! `sinew new`: what is written, and where nothing is. That it builds and runs is in `start.rs`.

use std::{path::Path, process::Command};

use super::{failed, printed, run, scratch, sinew};

/// Every file below a directory.
fn files(directory: &Path) -> Vec<String> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.push(path.display().to_string());
        }
    }
    all.sort();
    all
}

#[tokio::test]
async fn a_package_is_written_as_rustfmt_would() {
    // Outside of this repository: its settings of rustfmt are not those of others.
    let place = tempdir("new");
    let longest = "a23456789-123456789-123456789-123456789-123456789-123456789-1234";
    for name in ["hello", "my-shop", longest] {
        printed(&run(sinew(&place).current_dir(&place).args(["new", name]), "").await);
        let package = place.join(name);
        let rust: Vec<_> =
            files(&package).into_iter().filter(|file| file.ends_with(".rs")).collect();
        assert_eq!(rust.len(), 5, "{rust:?}");
        let rustfmt =
            Command::new("rustfmt").args(["--edition", "2024", "--check"]).args(&rust).output();
        let rustfmt = rustfmt.unwrap();
        assert!(rustfmt.status.success(), "{}", String::from_utf8_lossy(&rustfmt.stdout));
        for file in files(&package) {
            let text = std::fs::read_to_string(&file).unwrap();
            assert!(
                !text.contains("new_service") && !text.contains("new-service"),
                "{file}: {text}"
            );
            let trailing = text.lines().any(|line| line.ends_with(' '));
            assert!(text.ends_with('\n') && !trailing, "{file}");
        }
        let manifest = std::fs::read_to_string(package.join("Cargo.toml")).unwrap();
        let version = env!("CARGO_PKG_VERSION");
        assert!(manifest.contains(&format!("\nsinew = \"{version}\"\n")), "{manifest}");
        // What lies above of the directory for temporary files is not ours to say.
        let above = place.ancestors().any(|above| above.join("Cargo.toml").is_file());
        assert_eq!(manifest.contains("[workspace]"), above, "{manifest}");
    }
    std::fs::remove_dir_all(place).unwrap();
}

#[tokio::test]
async fn the_library_is_found_from_the_package_and_a_package_above_is_left_alone() {
    let place = scratch("new-path");
    std::fs::create_dir_all(place.join("lib/runtime")).unwrap();
    for manifest in ["Cargo.toml", "lib/runtime/Cargo.toml"] {
        std::fs::write(place.join(manifest), "").unwrap();
    }
    let new = async |arguments: &[&str]| {
        run(sinew(&place).current_dir(&place).arg("new").args(arguments), "").await
    };
    printed(&new(&["deep/hello", "--sinew-path", "lib/runtime"]).await);
    let manifest = std::fs::read_to_string(place.join("deep/hello/Cargo.toml")).unwrap();
    assert!(manifest.contains("sinew = { path = \"../../lib/runtime\" }"), "{manifest}");
    assert!(manifest.contains("\n[workspace]\n"), "{manifest}");
    let whole = place.join("whole").display().to_string();
    printed(&new(&[&whole, "--sinew-path", "lib/runtime"]).await);
    let manifest = std::fs::read_to_string(place.join("whole/Cargo.toml")).unwrap();
    assert!(manifest.contains(&format!("{}/lib/runtime\" }}", place.display())), "{manifest}");
    failed(&new(&["other", "--sinew-path", "lib"]).await, 3, "lib has no Cargo.toml");
    assert!(!place.join("other").exists());
}

#[tokio::test]
async fn nothing_is_written_where_it_would_not_do() {
    let place = scratch("new-wrong");
    std::fs::create_dir(place.join("full")).unwrap();
    std::fs::write(place.join("full/kept"), "").unwrap();
    std::fs::write(place.join("file"), "").unwrap();
    let long = "a".repeat(65);
    for (name, code, words) in [
        ("full", 3, "not empty"),
        ("file", 3, "file: "),
        ("7up", 2, "a letter, then"),
        ("a b", 2, "a letter, then"),
        ("..", 2, "there is no name"),
        ("async", 2, "is called so"),
        ("serde-json", 2, "is called so"),
        (&long, 2, "longer than 64"),
    ] {
        let refused = run(sinew(&place).current_dir(&place).args(["new", name]), "").await;
        failed(&refused, code, words);
    }
    assert_eq!(files(&place).len(), 2);
}

/// A directory outside of this repository.
fn tempdir(name: &str) -> std::path::PathBuf {
    let place = std::env::temp_dir().join(format!("sinew-cli-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&place);
    std::fs::create_dir_all(&place).unwrap();
    place
}
