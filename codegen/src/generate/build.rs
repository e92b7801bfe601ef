//! The same from a build script: a module in `OUT_DIR`, written again when what it is made of changes.

use std::{
    fmt, fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use super::{Generated, module, openapi, read};

/// Writes the module of a descriptor or an OpenAPI document into `OUT_DIR`, under the name of its file: `shop.rs` for
/// `api/shop.json`. What cannot be written is a warning of the build.
///
/// ```no_run
/// // In the `main` of build.rs:
/// sinew_codegen::generate::build("inventory.json").expect("the client of the inventory");
/// ```
///
/// `include!(concat!(env!("OUT_DIR"), "/inventory.rs"));` stands where the module is to be, in a package that depends on
/// `sinew` and `serde`, and on `serde_json` where something has no type of its own.
///
/// # Errors
/// [`NotBuilt`]: the file cannot be read, is neither a descriptor nor an OpenAPI document, or holds nothing that can be
/// written; or this is no build script, which cargo tells its `OUT_DIR`.
pub fn build(source: impl AsRef<Path>) -> Result<PathBuf, NotBuilt> {
    let source = source.as_ref();
    let failed = |why: String| NotBuilt { source: source.to_owned(), why };
    let directory = std::env::var_os("OUT_DIR")
        .ok_or_else(|| failed("OUT_DIR is not set: this is for build scripts".to_owned()))?;
    let (path, refused) = into(source, Path::new(&directory)).map_err(failed)?;
    let mut out = io::stdout().lock();
    let mut tell = |line: String| {
        writeln!(out, "{line}").map_err(|why| failed(format!("standard output: {why}")))
    };
    tell(format!("cargo::rerun-if-changed={}", source.display()))?;
    for element in refused {
        tell(format!("cargo::warning={}", element.replace('\n', " ")))?;
    }
    Ok(path)
}

/// Where the module was written, and what is not in it.
fn into(source: &Path, directory: &Path) -> Result<(PathBuf, Vec<String>), String> {
    let text = fs::read_to_string(source).map_err(|why| why.to_string())?;
    let mut refused = Vec::new();
    let descriptor = if openapi::is_openapi(&text) {
        let imported = openapi::import(&text, None).map_err(|why| why.to_string())?;
        refused.extend(imported.refused.iter().map(ToString::to_string));
        imported.descriptor
    } else {
        read(&text).map_err(|why| why.to_string())?
    };
    let Generated { code, refused: more, .. } = module(&descriptor);
    refused.extend(more.iter().map(ToString::to_string));
    if !code.contains("pub trait") {
        return Err(format!("nothing of it can be written: {}", refused.join("; ")));
    }
    let name = source.file_stem().ok_or("it has no name of a file")?;
    let path = directory.join(name).with_extension("rs");
    // What is the same is not compiled again.
    if fs::read_to_string(&path).ok().as_deref() != Some(&*code) {
        fs::write(&path, code).map_err(|why| format!("{}: {why}", path.display()))?;
    }
    Ok((path, refused))
}

/// Why a build script has no module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotBuilt {
    source: PathBuf,
    why: String,
}

impl fmt::Display for NotBuilt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no client from {}: {}", self.source.display(), self.why)
    }
}

impl std::error::Error for NotBuilt {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_script_has_a_module_of_a_descriptor_and_of_a_document_of_openapi() {
        let directory = std::env::temp_dir().join(format!("sinew-build-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let source = |name: &str, text: &str| {
            let path = directory.join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let described = r#"{"sinew_descriptor":1,"services":[{"name":"a.Greeter","trait":"Greeter",
            "methods":[{"name":"greet","output":"text"}]}]}"#;
        let (path, refused) = into(&source("greeter.json", described), &directory).unwrap();
        assert_eq!((path.file_name().unwrap().to_str().unwrap(), refused.len()), ("greeter.rs", 0));
        let code = fs::read_to_string(&path).unwrap();
        assert!(code.contains("async fn greet(&self) -> Result<String, Status>"), "{code}");
        let document = r#"{"openapi":"3.1.0","info":{"title":"Pets","version":"1"},
            "paths":{"/pets":{"get":{"operationId":"pets","responses":{"204":{"description":"none"}}}}}}"#;
        let (path, _) = into(&source("pets.json", document), &directory).unwrap();
        assert!(fs::read_to_string(path).unwrap().contains("#[http(get = \"/pets\""));
        for (text, words) in [
            ("{", "line 1"),
            (r#"{"sinew_descriptor":1,"services":[]}"#, "nothing of it can be written"),
        ] {
            let why = into(&source("wrong.json", text), &directory).unwrap_err();
            assert!(why.contains(words), "{why}");
        }
        fs::remove_dir_all(&directory).unwrap();
    }
}
