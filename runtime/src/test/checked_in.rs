//! A descriptor in the repository, beside the service that it is of.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use sinew_descriptor::{Descriptor, compare};

use crate::mesh::{ServiceClient, describe};

/// Which variable of the environment has [`checked_in`] write.
const BLESS: &str = "SINEW_BLESS";

/// Holds what a service is against the descriptor that is checked in beside it, so that a change of its types is seen in
/// review, and others can generate clients from the repository.
///
/// A path that is not absolute begins at the package whose test this is. With `SINEW_BLESS=1` in the environment the file
/// is written instead. Needs the feature `json`, which a `dev-dependency` can have alone.
///
/// ```
/// # use sinew::service;
/// # #[service] pub trait Greeter { async fn greet(&self, name: String) -> String; }
/// # let directory = std::env::temp_dir().join("sinew-doc-checked-in");
/// # std::fs::create_dir_all(&directory).unwrap();
/// # let file = directory.join(format!("{}.json", std::process::id()));
/// # std::fs::write(&file, sinew::describe::<GreeterClient>().to_json().unwrap()).unwrap();
/// // In a unit test, with "greeter.json":
/// sinew::test::checked_in::<GreeterClient>(&file).unwrap();
/// # std::fs::remove_file(&file).unwrap();
/// ```
///
/// # Errors
/// [`Outdated`]: there is no such file, it is no descriptor, or it is of another service; what changed since, and whom that
/// breaks.
pub fn checked_in<C: ServiceClient>(file: impl AsRef<Path>) -> Result<(), Outdated> {
    let path = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default();
    let path = path.join(file);
    let bless = std::env::var_os(BLESS).is_some_and(|value| value != "0" && !value.is_empty());
    held_against(&path, &describe::<C>(), bless).map_err(|why| Outdated { path, why })
}

/// The descriptor in this file, held against one, or written.
fn held_against(path: &Path, described: &Descriptor, bless: bool) -> Result<(), String> {
    let text = described.to_json().map_err(|why| why.to_string())?;
    let found = match fs::read_to_string(path) {
        // Where its lines end is the version control's matter.
        Ok(found) => found.replace("\r\n", "\n"),
        Err(why) if why.kind() == io::ErrorKind::NotFound => String::new(),
        Err(why) => return Err(why.to_string()),
    };
    if found == text {
        return Ok(());
    }
    if bless {
        return fs::write(path, text).map_err(|why| why.to_string());
    }
    if found.is_empty() {
        return Err("there is none yet".to_owned());
    }
    let old = Descriptor::from_json(&found).map_err(|why| why.to_string())?;
    let comparison = compare(&old, described);
    if comparison.changes.is_empty() {
        return Err("it has other words".to_owned());
    }
    let changes: Vec<_> = comparison.changes.iter().map(|change| format!("\n  {change}")).collect();
    Err(format!("what changed is {}:{}", comparison.verdict, changes.concat()))
}

/// A descriptor that is checked in, and is not what the service is.
#[derive(Clone, PartialEq, Eq)]
pub struct Outdated {
    path: PathBuf,
    why: String,
}

impl fmt::Display for Outdated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, why } = self;
        writeln!(f, "the descriptor {} is out of date: {why}", path.display())?;
        write!(f, "run the test with {BLESS}=1 to write what the service is now")
    }
}

/// As [`Display`](fmt::Display): it is read in the output of a failed test.
impl fmt::Debug for Outdated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Outdated {}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(argument: &str) -> Descriptor {
        let arguments = format!(r#"[{{"name":"sku","type":"{argument}"}}]"#);
        let methods = format!(r#"[{{"name":"stock","arguments":{arguments}}}]"#);
        let service =
            format!(r#"{{"name":"shop.Inventory","trait":"Inventory","methods":{methods}}}"#);
        let text = format!(r#"{{"sinew_descriptor":1,"services":[{service}]}}"#);
        Descriptor::from_json(&text).unwrap()
    }

    #[test]
    fn a_descriptor_that_is_checked_in_is_held_against_the_service_and_written_when_asked() {
        let name = format!("sinew-checked-in-{}.json", std::process::id());
        let path = std::env::temp_dir().join(name);
        let (old, new) = (described("text"), described("u64"));
        assert!(held_against(&path, &old, false).unwrap_err().contains("there is none yet"));
        held_against(&path, &old, true).unwrap();
        held_against(&path, &old, false).unwrap();
        let why = held_against(&path, &new, false).unwrap_err();
        assert!(why.contains("what changed is") && why.contains("shop.Inventory/stock"), "{why}");
        let crlf = fs::read_to_string(&path).unwrap().replace('\n', "\r\n");
        fs::write(&path, crlf).unwrap();
        held_against(&path, &old, false).unwrap();
        fs::write(&path, "{").unwrap();
        assert!(held_against(&path, &old, false).unwrap_err().contains("line 1"));
        fs::remove_file(&path).unwrap();
    }
}
