//! Crates of generated code: written beside everything else that is built, then checked or run.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use tokio::process::Command;

use crate::legacy::programs::target;

/// What a crate may need beside `sinew` and serde.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// It is only compiled.
    Nothing,
    /// It runs.
    Tokio,
    /// It runs, and calls plain HTTP.
    Bridge,
}

/// A crate below `generated` of the target directory.
#[derive(Debug)]
pub(super) struct Package {
    name: String,
    directory: PathBuf,
}

impl Package {
    /// Writes the crate of these files below `src`. What is the same is not written, and not built again; what another
    /// run left there and this one has not is gone.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn write(
        name: &str,
        needs: Needs,
        files: &BTreeMap<String, String>,
    ) -> Result<Self, String> {
        let directory = home().join(name);
        let cannot = |why: std::io::Error| format!("{}: {why}", directory.display());
        let source = directory.join("src");
        std::fs::create_dir_all(&source).map_err(cannot)?;
        // The versions of everything else are the ones that are built already.
        let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
        std::fs::copy(lock, directory.join("Cargo.lock")).map_err(cannot)?;
        put(&directory.join("Cargo.toml"), &manifest(name, needs)).map_err(cannot)?;
        for (file, text) in files {
            put(&source.join(file), text).map_err(cannot)?;
        }
        for entry in std::fs::read_dir(&source).map_err(cannot)?.flatten() {
            let is_ours = entry.file_name().to_str().is_some_and(|name| files.contains_key(name));
            if !is_ours {
                std::fs::remove_file(entry.path()).map_err(cannot)?;
            }
        }
        Ok(Self { name: name.to_owned(), directory })
    }

    /// Lets the compiler check it, warnings included.
    ///
    /// # Errors
    /// What the compiler says against it.
    pub(super) async fn check(&self) -> Result<(), String> {
        self.succeeds(self.cargo("check")).await.map(drop)
    }

    /// Builds it.
    ///
    /// # Errors
    /// What the compiler says against it.
    pub(super) async fn build(&self) -> Result<(), String> {
        self.succeeds(self.cargo("build")).await.map(drop)
    }

    /// Builds and runs it with these variables. What it printed, line by line.
    ///
    /// # Errors
    /// It does not compile, or it failed: what was said about that.
    pub(super) async fn run(&self, variables: &[(&str, &str)]) -> Result<Vec<String>, String> {
        let mut command = self.cargo("run");
        command.envs(variables.iter().copied());
        let output = self.succeeds(command).await?;
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(text.lines().map(str::to_owned).collect())
    }

    fn cargo(&self, subcommand: &str) -> Command {
        let mut command = Command::new(env!("CARGO"));
        command
            .args([subcommand, "--quiet", "--offline", "--manifest-path"])
            .arg(self.directory.join("Cargo.toml"))
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    async fn succeeds(&self, mut command: Command) -> Result<Output, String> {
        let output = command.output().await.map_err(|why| why.to_string())?;
        match output.status.success() {
            true => Ok(output),
            false => {
                let words = String::from_utf8_lossy(&output.stderr);
                Err(format!("the generated crate `{}`:\n{words}", self.name))
            }
        }
    }
}

/// Where generated crates, and what is told of them, are.
pub(super) fn home() -> PathBuf {
    target().join("generated")
}

/// Writes a file that is not there already as it should be.
pub(super) fn put(path: &Path, text: &str) -> std::io::Result<()> {
    match std::fs::read_to_string(path).ok().as_deref() == Some(text) {
        true => Ok(()),
        false => std::fs::write(path, text),
    }
}

fn manifest(name: &str, needs: Needs) -> String {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (sinew, bridge) = (here.join("../runtime"), here.join("../runtime/bridge"));
    let tokio =
        "tokio = { version = \"1\", features = [\"rt-multi-thread\", \"macros\", \"time\"] }\n";
    let more = match needs {
        Needs::Nothing => String::new(),
        Needs::Tokio => tokio.to_owned(),
        Needs::Bridge => format!("{tokio}sinew-bridge = {{ path = {bridge:?} }}\n"),
    };
    format!(
        "[package]\nname = {name:?}\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
         [dependencies]\nserde = {{ version = \"1\", features = [\"derive\"] }}\nserde_json = \"1\"\n\
         sinew = {{ path = {sinew:?} }}\n{more}\n[lints.rust]\nwarnings = \"deny\"\n"
    )
}
