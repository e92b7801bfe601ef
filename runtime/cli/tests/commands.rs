//! The program as a person meets it: each command against a server of this process, and what is wrong with a command line.
#![expect(clippy::unwrap_used, reason = "a test ends where something is not there")]

use std::{
    collections::BTreeMap,
    io::Write as _,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use serde::{Deserialize, Serialize};
use sinew::{Bytes, Mesh, Server, Status, Streaming};

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

/// A server, and where descriptors and generated files go.
struct Scene {
    server: Server,
    directory: PathBuf,
}

impl Scene {
    async fn new(name: &str) -> Self {
        let mesh = Mesh::builder().without_local_discovery().build().await.unwrap();
        let server = mesh.server().serve(InventoryServer::new(Shop)).bind("127.0.0.1:0").await;
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(&directory).unwrap();
        Self { server: server.unwrap(), directory }
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
        run(&[&["call", &method, arguments, "--at", &at], more].concat(), "").await
    }
}

/// Runs the program with a text as its standard input.
async fn run(arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sinew"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let input = input.to_owned();
    let done = tokio::task::spawn_blocking(move || {
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn methods_are_called_with_json() {
    let scene = Scene::new("call").await;
    let call = async |method, arguments| printed(&scene.call(method, arguments, &[]).await);
    assert_eq!(call("stock", r#"{"sku":"abc"}"#).await, "3");
    let lines = r#"{"lines":[{"sku":"a","count":2}],"pay":"Cash"}"#;
    assert_eq!(call("order", lines).await, format!("\"{}\"", u128::MAX - 2));
    let card = r#"{"lines":[],"pay":{"Card":{"number":"1234"}},"gift":"x"}"#;
    assert_eq!(call("order", card).await, "\"5\"");
    assert_eq!(call("prices", "{}").await, "{\n  \"7\": 0.5,\n  \"9\": 1.0\n}");
    assert_eq!(call("watch", r#"{"up_to":3}"#).await, "0\n1\n2");
    assert_eq!(call("mirror", r#""as it is""#).await, "as it is");
    let at = scene.at();
    let total = run(&["call", "shop.Inventory/total", "--at", &at], "1\n\n2\n39\n").await;
    assert_eq!(printed(&total), "42");
    let repeated = scene.call("stock", r#"{"sku":"x"}"#, &["--repeat", "20", "--json"]).await;
    let repeated: serde_json::Value = serde_json::from_str(&printed(&repeated)).unwrap();
    assert_eq!((&repeated["calls"], &repeated["failed"]), (&20.into(), &0.into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_told_with_its_place() {
    let scene = Scene::new("wrong").await;
    for (method, arguments, code, words) in [
        ("stock", r#"{"sku":7}"#, 2, "sku: a text is expected, and 7 is there"),
        ("stock", "{}", 2, "the argument `sku` is missing"),
        ("stock", r#"{"sku":"x","y":1}"#, 2, "there is no argument `y`; there is `sku`"),
        ("stock", "{", 2, "no JSON"),
        (
            "order",
            r#"{"lines":[{"sku":"a"}],"pay":"Cash"}"#,
            2,
            "lines[0]: the field `count` is missing",
        ),
        (
            "order",
            r#"{"lines":[],"pay":"Gold"}"#,
            2,
            "pay: there is no `Gold`; there is \"Cash\", \"Card\"",
        ),
        (
            "order",
            r#"{"lines":[{"sku":"a","count":-1}],"pay":"Cash"}"#,
            2,
            "lines[0].count: a whole number from 0",
        ),
        (
            "order",
            r#"{"lines":[{"sku":"a","count":99}],"pay":"Cash"}"#,
            1,
            r#"its error: {"missing":99}"#,
        ),
        ("refuse", "{}", 1, "not today"),
        ("nothing", "{}", 3, "has no method `nothing`; it has stock, order"),
    ] {
        failed(&scene.call(method, arguments, &[]).await, code, words);
    }
    let at = scene.at();
    let total = run(&["call", "shop.Inventory/total", "--at", &at], "1\nx\n").await;
    failed(&total, 2, "line 2 is no JSON");
    failed(&run(&["call", "stock"], "").await, 2, "is not SERVICE/METHOD");
    failed(&run(&["describe", "shop.Inventory@nowhere"], "").await, 2, "nowhere");
    failed(&run(&["describe", "none.json"], "").await, 3, "none.json");
    failed(&run(&["cal"], "").await, 2, "call");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_server_says_is_generated_from_and_compared() {
    let scene = Scene::new("generate").await;
    let (source, file) = (scene.source(), scene.path("inventory.json"));
    let described = printed(&run(&["describe", &source], "").await);
    for words in [
        "service shop.Inventory",
        "stock(sku: String) -> u64",
        "enum Payment { Cash, Card { number: String } }",
        "notes?: Vec<String>",
    ] {
        assert!(described.contains(words), "{described}");
    }
    let json = printed(&run(&["describe", &source, "--json"], "").await);
    std::fs::write(&file, &json).unwrap();
    assert_eq!(printed(&run(&["check", &file, &source], "").await), "the same");
    let module = scene.path("inventory.rs");
    printed(&run(&["generate", &file, "--output", &module], "").await);
    let code = std::fs::read_to_string(&module).unwrap();
    assert!(code.contains("async fn stock(&self, sku: String) -> Result<u64, Status>;"), "{code}");
    printed(&run(&["generate", &source, "--output", &module, "--check"], "").await);
    std::fs::write(&module, code.replace("u64", "u32")).unwrap();
    failed(
        &run(&["generate", &file, "--output", &module, "--check"], "").await,
        1,
        "otherwise now",
    );
    // A field more that the server needs, and one that it does not.
    let newer = scene.path("newer.json");
    let changed = json.replace("\"name\": \"number\",", "\"name\": \"digits\",");
    std::fs::write(&newer, &changed).unwrap();
    let words = "methods[1].fingerprint: it is not that of these types";
    failed(&run(&["check", &file, &newer], "").await, 3, words);
    let mut changed: serde_json::Value = serde_json::from_str(&changed).unwrap();
    for method in changed["services"][0]["methods"].as_array_mut().unwrap() {
        method.as_object_mut().unwrap().remove("fingerprint");
    }
    std::fs::write(&newer, changed.to_string()).unwrap();
    let broken = run(&["check", &file, &newer], "").await;
    assert_eq!(broken.status.code(), Some(1));
    let words = String::from_utf8_lossy(&broken.stdout);
    assert!(
        words.contains("argument pay.Card.digits: it is not written")
            && words.ends_with("breaking\n"),
        "{words}"
    );
    let package = scene.path("inventory-client");
    printed(
        &run(&["generate", &file, "--package", &package, "--sinew-path", "/somewhere"], "").await,
    );
    let manifest = std::fs::read_to_string(scene.path("inventory-client/Cargo.toml")).unwrap();
    assert!(
        manifest.contains("name = \"inventory-client\"") && manifest.contains("/somewhere"),
        "{manifest}"
    );
}

#[tokio::test]
async fn shells_are_told_what_there_is() {
    for shell in ["bash", "zsh", "fish"] {
        let script = printed(&run(&["completions", shell], "").await);
        assert!(script.contains("describe") && script.contains("generate"), "{script}");
    }
    let help = printed(&run(&["call", "--help"], "").await);
    assert!(help.contains("Examples:") && help.contains("--repeat"), "{help}");
}
