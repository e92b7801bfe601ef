//! Round trips: a server says what it is, a client is generated from that, compiled without any crate of the server, and
//! calls every method of the original.
//!
//! # Invariants
//! 1. What the generated client says of itself has the fingerprints that the server's own descriptor has.
//! 2. A method that has one is called over bincode.

mod driver;
mod samples;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Stdio,
};

use serde::Deserialize;
use sinew::{ServerBuilder, descriptor::Descriptor};
use tokio::process::Command;

use crate::{
    Must as _,
    errand::errand,
    feed::{FeedServer, Feeding},
    probe::Counting,
    scene::Scene,
    versions,
};

/// What became of the round trips.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Methods that were generated from a server's own words and called.
    pub round_trips: usize,
    /// One line for each that failed.
    pub failed: Vec<String>,
    /// Methods of which an argument cannot be seen, so that nobody can make one up.
    pub opaque: usize,
}

/// What the driver prints of one method.
#[derive(Debug, Deserialize)]
struct Called {
    method: String,
    /// Nothing where it was answered, by a value or by the method's own error.
    problem: Option<String>,
    fingerprint: Option<String>,
    /// Whether it was sent in bincode.
    bincode: bool,
}

/// Every service here: what it is called in the report does not matter.
fn services(mut server: ServerBuilder) -> ServerBuilder {
    server = server
        .serve(Counting::new().server())
        .serve(FeedServer::new(Feeding::default()))
        .serve(errand(|| async { Ok(7) }));
    versions::serve_kinds(server)
}

/// Makes all round trips.
///
/// # Errors
/// What was generated does not compile, or its program does not run: what it printed.
///
/// # Cancel safety
/// Dropping the future ends the servers; a build that goes on is ended with it.
pub async fn round_trips() -> Result<Report, String> {
    let scene = Scene::new();
    let server = scene.serve(services).await;
    let mesh = scene.mesh().await;
    let at = format!("static:{}", server.address());
    let client = mesh.dynamic_at("test.Probe", &at).must("a client");
    let described = client.describe().await.map_err(|status| status.to_string())?;
    let directory = directory();
    let (code, opaque) = driver::write(&described);
    write_crate(&directory, &described, &code)?;
    let build = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--offline", "--manifest-path"])
        .arg(directory.join("Cargo.toml"))
        .env("DRIVER_SERVER", &at)
        .env("XDG_RUNTIME_DIR", scene.runtime_dir())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = build.await.map_err(|why| why.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let mut report = Report { opaque, ..Report::default() };
    let text = String::from_utf8_lossy(&output.stdout);
    let mut called = BTreeMap::new();
    for line in text.lines() {
        let one: Called = serde_json::from_str(line).map_err(|why| format!("{why}: {line}"))?;
        called.insert(one.method.clone(), one);
    }
    for service in &described.services {
        for method in &service.methods {
            let path = format!("{}/{}", service.name, method.name);
            if let Some(problem) = judge(called.get(&path), method) {
                report.failed.push(format!("{path}: {problem}"));
            }
        }
        report.round_trips += service.methods.len();
    }
    Ok(report)
}

/// What is wrong with what became of a method.
fn judge(called: Option<&Called>, method: &sinew::descriptor::Method) -> Option<String> {
    let Some(called) = called else { return Some("it was not generated".to_owned()) };
    // A type that does not read what it writes is one that does, once it is generated: the server still refuses bincode.
    if method.fingerprint.is_some() && called.fingerprint != method.fingerprint {
        return Some(format!(
            "the fingerprint is {:?}, and the server's is {:?}",
            called.fingerprint, method.fingerprint
        ));
    }
    if let Some(problem) = &called.problem {
        return (problem != driver::OPAQUE).then(|| problem.clone());
    }
    (method.fingerprint.is_some() && !called.bincode).then(|| "it did not go in bincode".to_owned())
}

/// Where generated crates are built: beside everything else that is built.
fn directory() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"));
    target.join("generated").join("round-trip")
}

fn write_crate(directory: &Path, described: &Descriptor, driver: &str) -> Result<(), String> {
    let sinew = Path::new(env!("CARGO_MANIFEST_DIR")).join("../runtime");
    let generated = sinew_codegen::generate::module(described);
    let manifest = format!(
        "[package]\nname = \"round-trip\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
         [dependencies]\nserde = {{ version = \"1\", features = [\"derive\"] }}\nserde_json = \"1\"\n\
         sinew = {{ path = {sinew:?} }}\n\
         tokio = {{ version = \"1\", features = [\"rt-multi-thread\", \"macros\", \"time\"] }}\n\n\
         [lints.rust]\nwarnings = \"deny\"\n"
    );
    let files = [
        ("Cargo.toml", manifest),
        ("src/generated.rs", generated.code),
        ("src/main.rs", driver.to_owned()),
    ];
    let cannot = |why: std::io::Error| format!("{}: {why}", directory.display());
    std::fs::create_dir_all(directory.join("src")).map_err(cannot)?;
    // The versions of everything else are the ones that are built already.
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
    std::fs::copy(lock, directory.join("Cargo.lock")).map_err(cannot)?;
    for (path, text) in files {
        let path = directory.join(path);
        // What is the same is not written, and not built again.
        if std::fs::read_to_string(&path).ok().as_deref() != Some(&*text) {
            std::fs::write(&path, text).map_err(cannot)?;
        }
    }
    if generated.refused.is_empty() {
        return Ok(());
    }
    let refused: Vec<String> = generated.refused.iter().map(ToString::to_string).collect();
    Err(refused.join("\n"))
}
