//! `sinew generate`: Rust out of a descriptor.

use std::path::{Path, PathBuf};

use sinew_codegen::generate::{Dependency, Generated, Package, module, package};

use crate::{
    args::Generate,
    output::{self, Failure},
    source,
};

pub(crate) async fn run(args: Generate) -> Result<(), Failure> {
    let descriptor = source::descriptor(&args.source).await?;
    let (files, generated) = match &args.package {
        Some(directory) => {
            let sinew = match args.sinew_path {
                Some(path) => Dependency::Path(path),
                None => Dependency::Version(env!("CARGO_PKG_VERSION").to_owned()),
            };
            let (files, generated) =
                package(&descriptor, &Package { name: name(directory)?, sinew });
            let files = files.into_iter().map(|(path, text)| (directory.join(path), text));
            (files.collect::<Vec<_>>(), generated)
        }
        None => {
            let generated = module(&descriptor);
            let code = generated.code.clone();
            (args.output.into_iter().map(|path| (path, code.clone())).collect(), generated)
        }
    };
    tell(&generated);
    if files.is_empty() {
        return output::line(generated.code.trim_end());
    }
    if args.check { stale(&files) } else { write(&files) }
}

/// The name of a crate in this directory.
fn name(directory: &Path) -> Result<String, Failure> {
    let name = directory.file_name().map(|name| name.to_string_lossy().into_owned());
    let is_name = |name: &String| {
        name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    name.filter(is_name).ok_or_else(|| {
        Failure::usage(format!(
            "`{}` does not end in the name of a crate: letters, digits, `-` and `_`",
            directory.display()
        ))
    })
}

/// What could not be written, and what the code needs.
fn tell(generated: &Generated) {
    for refusal in &generated.refused {
        output::note(&format!("not generated: {refusal}"));
    }
    if generated.needs_json {
        output::note(
            "something could not be seen and is a `serde_json::Value`: the crate needs `serde_json`",
        );
    }
}

fn stale(files: &[(PathBuf, String)]) -> Result<(), Failure> {
    let differs =
        |path: &Path, text: &str| std::fs::read_to_string(path).ok().as_deref() != Some(text);
    let stale: Vec<String> = files
        .iter()
        .filter(|(path, text)| differs(path, text))
        .map(|(path, _)| path.display().to_string())
        .collect();
    if stale.is_empty() {
        return Ok(());
    }
    Err(Failure::no(format!(
        "{} would be written otherwise now; run the same without `--check`",
        stale.join(" and ")
    )))
}

fn write(files: &[(PathBuf, String)]) -> Result<(), Failure> {
    for (path, text) in files {
        let cannot = |why: std::io::Error| Failure::cannot(format!("{}: {why}", path.display()));
        if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty())
        {
            std::fs::create_dir_all(directory).map_err(cannot)?;
        }
        std::fs::write(path, text).map_err(cannot)?;
        output::note(&format!("wrote {}", path.display()));
    }
    Ok(())
}
