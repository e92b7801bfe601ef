//! A whole crate around a generated module.

use std::fmt;

use sinew_descriptor::Descriptor;

use super::{Generated, module};

/// Where a generated crate has `sinew` from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dependency {
    /// A version of crates.io.
    Version(String),
    /// A directory.
    Path(String),
}

impl fmt::Display for Dependency {
    /// As a manifest has it behind `sinew =`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => write!(f, "{version:?}"),
            Self::Path(path) => write!(f, "{{ path = {path:?} }}"),
        }
    }
}

/// What a generated crate is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Where it has `sinew` from.
    pub sinew: Dependency,
}

/// The files of a crate, by their paths in it, and what was written into them.
pub fn package(descriptor: &Descriptor, package: &Package) -> (Vec<(String, String)>, Generated) {
    let generated = module(descriptor);
    let names: Vec<String> =
        descriptor.services.iter().map(|service| format!("`{}`", service.name)).collect();
    let about = format!("Clients of {}, written by `sinew generate`", names.join(", "));
    let json = if generated.needs_json { "serde_json = \"1\"\n" } else { "" };
    let manifest = format!(
        "[package]\nname = {name:?}\nversion = \"0.1.0\"\nedition = \"2024\"\nrust-version = \"1.88\"\ndescription = {about:?}\n\n\
         [dependencies]\nserde = {{ version = \"1\", features = [\"derive\"] }}\n{json}sinew = {sinew}\n",
        name = package.name,
        sinew = package.sinew,
    );
    let library = format!("//! {about}.\n\n{}", generated.code);
    let files = vec![("Cargo.toml".to_owned(), manifest), ("src/lib.rs".to_owned(), library)];
    (files, generated)
}
