//! The program as a person meets it: each command against a server of this process, and what is wrong with a command line.
#![expect(clippy::unwrap_used, reason = "a test ends where something is not there")]

mod ca;
mod calls;
mod explain;
mod gateway;
mod list;
mod new;
mod policy;
mod start;
mod terminal;

use std::{
    collections::BTreeMap,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde::{Deserialize, Serialize};
use sinew::{Bytes, Identity, Mesh, Server, ServerBuilder, Status, Streaming};

/// Lines of an order.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Line {
    sku: String,
    count: u32,
    #[serde(default)]
    notes: Vec<String>,
}

/// How an order is paid.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Payment {
    Cash,
    Card { number: String },
}

/// Why there is none.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Shortage {
    missing: u32,
}

/// Stock, and orders.
#[sinew::service(name = "shop.Inventory")]
trait Inventory {
    /// How many there are.
    #[rpc(idempotent)]
    async fn stock(&self, sku: String) -> u64;
    /// Takes them.
    async fn order(
        &self,
        lines: Vec<Line>,
        pay: Payment,
        gift: Option<String>,
    ) -> Result<u128, Shortage>;
    async fn prices(&self) -> BTreeMap<u16, f64>;
    async fn watch(&self, up_to: u8) -> Streaming<u8>;
    async fn total(&self, counts: Streaming<u32>) -> u64;
    #[rpc(raw)]
    async fn mirror(&self, bytes: Bytes) -> Bytes;
    async fn refuse(&self) -> Result<(), Status>;
}

struct Shop;

impl Inventory for Shop {
    async fn stock(&self, sku: String) -> u64 {
        sku.len() as u64
    }

    async fn order(
        &self,
        lines: Vec<Line>,
        pay: Payment,
        gift: Option<String>,
    ) -> Result<u128, Shortage> {
        let count: u32 = lines.iter().map(|line| line.count + line.notes.len() as u32).sum();
        match (count, pay, gift) {
            (0..=9, Payment::Cash, None) => Ok(u128::MAX - u128::from(count)),
            (0..=9, Payment::Card { number }, Some(gift)) => {
                Ok((number.len() + gift.len()) as u128)
            }
            _ => Err(Shortage { missing: count }),
        }
    }

    async fn prices(&self) -> BTreeMap<u16, f64> {
        BTreeMap::from([(7, 0.5), (9, 1.0)])
    }

    async fn watch(&self, up_to: u8) -> Streaming<u8> {
        Streaming::iter(0..up_to)
    }

    async fn total(&self, mut counts: Streaming<u32>) -> u64 {
        let mut total = 0;
        while let Some(Ok(count)) = counts.next().await {
            total += u64::from(count);
        }
        total
    }

    async fn mirror(&self, bytes: Bytes) -> Bytes {
        bytes
    }

    async fn refuse(&self) -> Result<(), Status> {
        Err(Status::new(sinew::Code::PermissionDenied, "not today"))
    }
}

/// A server, and a directory that is the user's runtime directory for all that belongs to it.
struct Scene {
    server: Server,
    directory: PathBuf,
}

impl Scene {
    async fn new(name: &str) -> Self {
        Self::with(name, |server| server).await
    }

    /// A scene whose server has something set.
    async fn with(name: &str, set: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        let directory = scratch(name);
        let identity = Identity::development_in(directory.join("sinew")).unwrap();
        let mesh = Mesh::builder().identity(identity).build().await.unwrap();
        let server = set(mesh.server().serve(InventoryServer::new(Shop)));
        Self { server: server.bind("127.0.0.1:0").await.unwrap(), directory }
    }

    fn at(&self) -> String {
        format!("static:{}", self.server.local_addr())
    }

    fn source(&self) -> String {
        format!("shop.Inventory@{}", self.at())
    }

    fn path(&self, name: &str) -> String {
        self.directory.join(name).display().to_string()
    }

    /// Calls a method; what was printed.
    async fn call(&self, method: &str, arguments: &str, more: &[&str]) -> Output {
        let method = format!("shop.Inventory/{method}");
        let at = self.at();
        self.run(&[&["call", &method, arguments, "--at", &at], more].concat()).await
    }

    /// Runs the program as the same user.
    async fn run(&self, arguments: &[&str]) -> Output {
        self.run_with(arguments, "").await
    }

    /// The same, with a text as its standard input.
    async fn run_with(&self, arguments: &[&str], input: &str) -> Output {
        run(sinew(&self.directory).args(arguments), input).await
    }
}

/// An empty directory for one test.
fn scratch(name: &str) -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).unwrap();
    directory
}

/// The program, of a user with this runtime directory.
fn sinew(runtime: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sinew"));
    clean(&mut command).env("XDG_RUNTIME_DIR", runtime);
    command
}

/// Without what somebody has configured.
fn clean(command: &mut Command) -> &mut Command {
    let of_sinew = [
        "SINEW_CERT",
        "SINEW_KEY",
        "SINEW_BUNDLE",
        "SINEW_ZONE",
        "SINEW_CONFIG",
        "SINEW_DISCOVERY",
    ];
    for variable in of_sinew.into_iter().chain(["NO_COLOR"]) {
        command.env_remove(variable);
    }
    command
}

/// Runs a program with a text as its standard input.
async fn run(command: &mut Command, input: &str) -> Output {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let input = input.to_owned();
    let done = tokio::task::spawn_blocking(move || {
        // Who does not read is gone by now.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    });
    done.await.unwrap()
}

#[track_caller]
fn printed(output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{error}");
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

#[track_caller]
fn failed(output: &Output, code: i32, words: &str) {
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{error}");
    assert!(error.contains(words), "{error}");
}
