//! `sinew generate`: Rust out of a descriptor.

use std::path::{Path, PathBuf};

use sinew_codegen::generate::{Dependency, Generated, Package, module, package};

use super::crate_name;
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
                package(&descriptor, &Package { name: crate_name(directory)?.package, sinew });
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
