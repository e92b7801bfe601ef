//! `sinew new`: a package to begin with. Its files are in the directory `template`, as they are written but for names.

use std::{
    fs,
    path::{Component, Path, PathBuf},
};

use serde_json::json;
use sinew_codegen::generate::Dependency;

use super::{CrateName, crate_name};
use crate::{
    args::New,
    output::{self, Failure},
};

/// Each file of the package and what is in it, for a package `new-service`.
const TEMPLATE: [(&str, &str); 8] = [
    ("Cargo.toml", include_str!("../../template/Cargo.toml.in")),
    (".gitignore", "/target\n"),
    ("README.md", include_str!("../../template/README.md")),
    ("src/lib.rs", include_str!("../../template/lib.rs")),
    ("src/bin/server.rs", include_str!("../../template/server.rs")),
    ("src/bin/client.rs", include_str!("../../template/client.rs")),
    ("src/bin/descriptor.rs", include_str!("../../template/descriptor.rs")),
    ("tests/greeter.rs", include_str!("../../template/test.rs")),
];

/// What follows the manifest where a directory above is a package: Cargo would take it for a part of that.
const APART: &str = "\n# A workspace of its own. To be a member of the one above, delete this and name the package there.\n[workspace]\n";

pub(crate) fn run(args: &New, json: bool) -> Result<(), Failure> {
    let name = crate_name(&args.directory)?;
    let sinew = sinew(args)?;
    let cannot =
        |path: &Path, why: std::io::Error| Failure::cannot(format!("{}: {why}", path.display()));
    if !is_free(&args.directory).map_err(|why| cannot(&args.directory, why))? {
        return Err(Failure::cannot(format!(
            "{} is there already and not empty: name another directory",
            args.directory.display()
        )));
    }
    let apart = has_package_above(&args.directory);
    let mut written = Vec::new();
    for (path, text) in TEMPLATE {
        let mut text = filled(text, &name).replace("= SINEW", &format!("= {sinew}"));
        if path == "Cargo.toml" && apart {
            text.push_str(APART);
        }
        let path = args.directory.join(path);
        let directory = path.parent().unwrap_or(&args.directory);
        fs::create_dir_all(directory).map_err(|why| cannot(directory, why))?;
        fs::write(&path, text).map_err(|why| cannot(&path, why))?;
        written.push(path);
    }
    if json {
        return output::json(&json!({"package": name.package, "files": written}));
    }
    for path in &written {
        output::note(&format!("wrote {}", path.display()));
    }
    output::note(&format!(
        "\nnext:\n  cd {}\n  cargo run --bin server      in one terminal\n  cargo run --bin client      in another",
        args.directory.display()
    ));
    Ok(())
}

/// Whether there is nothing yet.
fn is_free(directory: &Path) -> std::io::Result<bool> {
    match fs::read_dir(directory) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => Ok(true),
        Err(why) => Err(why),
    }
}

fn filled(text: &str, name: &CrateName) -> String {
    text.replace("new-service", &name.package).replace("new_service", &name.module)
}

/// Where the package has `sinew` from: a path counts from here when it is typed, and from the package when it is read.
fn sinew(args: &New) -> Result<Dependency, Failure> {
    let Some(path) = &args.sinew_path else {
        return Ok(Dependency::Version(env!("CARGO_PKG_VERSION").to_owned()));
    };
    if !path.join("Cargo.toml").is_file() {
        return Err(Failure::cannot(format!(
            "{} has no Cargo.toml: name the directory of the crate `sinew`, `runtime` of its repository",
            path.display()
        )));
    }
    let is_plain = |component: Component<'_>| matches!(component, Component::Normal(_));
    let path = if path.is_relative() && args.directory.components().all(is_plain) {
        let up: PathBuf = args.directory.components().map(|_| "..").collect();
        up.join(path)
    } else {
        fs::canonicalize(path)
            .map_err(|why| Failure::cannot(format!("{}: {why}", path.display())))?
    };
    Ok(Dependency::Path(path.display().to_string()))
}

/// Whether a directory above has a manifest.
fn has_package_above(directory: &Path) -> bool {
    let whole = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
    whole.ancestors().skip(1).any(|above| above.join("Cargo.toml").is_file())
}
