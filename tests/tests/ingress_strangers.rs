//! Clients that nobody here wrote, at the ingress: curl, Python's requests, and Chromium at the page to try it.

use std::{net::SocketAddr, path::PathBuf, process::Output};

use serde::{Deserialize, Serialize};
use sinew::{Context, Mesh, Server, Status, Streaming};
use sinew_bridge::{Ingress, ingress::Listening};
use sinew_tests::{
    Must as _,
    authority::Authority,
    legacy::programs::{program, python},
    scene::mesh_of,
    scratch::Scratch,
};
use tokio::process::Command;

#[derive(Debug, Serialize, Deserialize)]
struct Item {
    name: String,
    count: u8,
}

/// A shop.
#[sinew::service(name = "shop.Shop")]
trait Shop {
    /// One item.
    #[http(get = "/items/{id}")]
    async fn item(&self, id: u32) -> Option<Item>;

    #[http(post = "/items", body = "item")]
    async fn add(&self, item: Item) -> Result<u64, Status>;

    #[http(get = "/numbers/{to}")]
    async fn numbers(&self, to: u32) -> Streaming<u32>;

    #[http(post = "/total")]
    async fn total(&self, counts: Streaming<u64>) -> u64;

    #[http(put = "/pictures/{name}", bytes = "picture")]
    async fn picture(&self, name: String, picture: bytes::Bytes) -> u64;

    /// Who calls.
    async fn who(&self) -> String;
}

struct Here;

impl Shop for Here {
    async fn item(&self, id: u32) -> Option<Item> {
        (id == 7).then(|| Item { name: "one".to_owned(), count: 1 })
    }

    async fn add(&self, item: Item) -> Result<u64, Status> {
        Ok(u64::from(item.count))
    }

    async fn numbers(&self, to: u32) -> Streaming<u32> {
        Streaming::iter(0..to)
    }

    async fn total(&self, mut counts: Streaming<u64>) -> u64 {
        let mut total = 0;
        while let Some(Ok(count)) = counts.next().await {
            total += count;
        }
        total
    }

    async fn picture(&self, _: String, picture: bytes::Bytes) -> u64 {
        picture.len() as u64
    }

    async fn who(&self) -> String {
        Context::current().must("a context").peer().must("a peer").identity().to_string()
    }
}

struct Open {
    address: SocketAddr,
    authority: Authority,
    _http: Listening,
    _server: Server,
    _mesh: Mesh,
}

async fn open(set: impl FnOnce(&Authority, Ingress) -> Ingress) -> Open {
    let authority = Authority::new("root");
    let mesh = mesh_of(authority.identity("spiffe://prod.example/shop"), |builder| builder).await;
    let server = mesh.server().serve(ShopServer::new(Here)).bind("127.0.0.1:0").await;
    let server = server.must("a server");
    let ingress = sinew_bridge::ingress(&server).title("The shop");
    let http = set(&authority, ingress).bind("127.0.0.1:0").await.must("an ingress");
    Open { address: http.local_addr(), authority, _http: http, _server: server, _mesh: mesh }
}

async fn run(program: &PathBuf, arguments: &[&str]) -> Output {
    let output = Command::new(program).args(arguments).output().await.must("it runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {error}");
    output
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn curl() {
    let Some(curl) = program("curl") else { return };
    let shop = open(|_, ingress| ingress).await;
    let at = |path: &str| format!("http://{}{path}", shop.address);
    let with = async |arguments: &[&str]| text(&run(&curl, &[&["-s"], arguments].concat()).await);
    assert_eq!(with(&[&at("/items/7")]).await, r#"{"name":"one","count":1}"#);
    let status = ["-o", "/dev/null", "-w", "%{http_code} %{content_type}"];
    assert_eq!(with(&[&status[..], &[&at("/items/8")]].concat()).await, "404 application/json");
    assert_eq!(with(&["--json", r#"{"name":"x","count":3}"#, &at("/items")]).await, "3");
    let form = with(&[&status[..], &["-d", "name=x", &at("/items")]].concat()).await;
    assert_eq!(form, "415 application/problem+json");
    assert_eq!(with(&["-N", &at("/numbers/3")]).await, "0\n1\n2\n");
    let events = with(&["-N", "-H", "accept: text/event-stream", &at("/numbers/2")]).await;
    assert_eq!(events, "data: 0\n\ndata: 1\n\n");
    let lines = ["-H", "content-type: application/x-ndjson", "-H", "transfer-encoding: chunked"];
    assert_eq!(with(&[&lines[..], &["-d", "1\n2\n3", &at("/total")]].concat()).await, "6");
    let scratch = Scratch::new();
    let file = scratch.join("picture");
    std::fs::write(&file, vec![7; 1_000_000]).must("a file");
    assert_eq!(with(&["-T", &file.display().to_string(), &at("/pictures/a")]).await, "1000000");
    let two = with(&["--http2-prior-knowledge", "-w", " %{http_version}", &at("/items/8")]).await;
    assert_eq!(two, "null 2");
    let both = with(&[&at("/items/8"), &at("/items/8"), "-w", "%{num_connects}"]).await;
    assert_eq!(both, "null1null0", "one connection for both");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn curl_with_a_certificate() {
    let Some(curl) = program("curl") else { return };
    let server = rcgen::generate_simple_self_signed(["localhost".to_owned()]).must("a certificate");
    let (pem, key) = (server.cert.pem(), server.signing_key.serialize_pem());
    let tls = (pem.clone(), key);
    let shop =
        open(move |authority, ingress| ingress.tls(tls.0, tls.1).client_roots(authority.pem()))
            .await;
    let scratch = Scratch::new();
    let partner = shop.authority.issue("spiffe://prod.example/http/partner");
    let file = |name: &str, text: &str| {
        std::fs::write(scratch.join(name), text).must("a file");
        scratch.join(name).display().to_string()
    };
    let (root, chain) = (file("root.pem", &pem), file("chain.pem", &partner.pem));
    let key = file("key.pem", &partner.key_pem);
    let at = format!("https://localhost:{}/shop.Shop/who", shop.address.port());
    let shown = ["-s", "--cacert", &root, "--cert", &chain, "--key", &key, "--json", "{}"];
    let version = ["-w", " %{http_version}", &at];
    let who = text(&run(&curl, &[&shown[..], &version].concat()).await);
    assert_eq!(who, "\"spiffe://prod.example/http/partner\" 2");
    let shows_none = ["-s", "--cacert", &root, "--json", "{}", &at];
    let refused = Command::new(&curl).args(shows_none).output().await.must("it runs");
    assert!(!refused.status.success(), "who shows no certificate is refused in the handshake");
}

const REQUESTS: &str = r#"
import json, sys, requests
at, seen = sys.argv[1], {}
with requests.Session() as session:
    seen["item"] = session.get(at + "/items/7").json()
    seen["none"] = session.get(at + "/items/8").status_code
    seen["added"] = session.post(at + "/items", json={"name": "x", "count": 3}).json()
    wrong = session.post(at + "/items", json={"name": "x"})
    seen["wrong"] = [wrong.status_code, wrong.headers["content-type"], wrong.headers["x-sinew-processed"]]
    with session.get(at + "/numbers/3", stream=True) as lines:
        seen["lines"] = [json.loads(line) for line in lines.iter_lines()]
    seen["total"] = session.post(at + "/total", data=(f"{n}\n".encode() for n in range(1000)), headers={"content-type": "application/x-ndjson"}).json()
    seen["deleted"] = [session.delete(at + "/items/7").status_code, session.delete(at + "/items/7").headers["allow"]]
print(json.dumps(seen))
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_of_python() {
    let Some(python) = python() else { return };
    let shop = open(|_, ingress| ingress).await;
    let at = format!("http://{}", shop.address);
    let seen = text(&run(&python, &["-c", REQUESTS, &at]).await);
    let seen: serde_json::Value = serde_json::from_str(&seen).must("JSON");
    let expected = serde_json::json!({
        "item": { "name": "one", "count": 1 },
        "none": 404,
        "added": 3,
        "wrong": [400, "application/problem+json", "no"],
        "lines": [0, 1, 2],
        "total": 499_500,
        "deleted": [405, "GET, HEAD, OPTIONS"],
    });
    assert_eq!(seen, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_at_the_page_to_try_it() {
    let (Some(python), Some(chromium)) = (python(), program("chromium")) else { return };
    let shop = open(|_, ingress| ingress).await;
    let at = format!("http://{}", shop.address);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/browser.py");
    let seen = text(&run(&python, &[script, &chromium.display().to_string(), &at]).await);
    let seen: serde_json::Value = serde_json::from_str(&seen).must("JSON");
    assert_eq!(seen["title"], "The shop");
    assert_eq!(seen["fetched"], serde_json::json!({ "name": "one", "count": 1 }));
    assert_eq!(seen["posted"], serde_json::json!([200, "3"]));
    assert_eq!(seen["refused"][0], 400);
    assert_eq!(seen["events"], serde_json::json!(["0", "1", "2"]));
    assert_eq!(seen["tried"][0], "200 OK");
    assert!(seen["tried"][1].as_str().must("a text").contains("\"name\": \"one\""), "{seen}");
}

const GENERATED: &str = r#"
import json, sys, importlib
at, where = sys.argv[1:]
sys.path.insert(0, where)
from the_shop_client import Client
from the_shop_client.models import Item
client = Client(base_url=at)
def call(operation, **arguments):
    module = importlib.import_module("the_shop_client.api." + operation)
    return module.sync_detailed(client=client, **arguments)
found = call("shop_shop.shop_shop_item", id=7)
none = call("shop_shop.shop_shop_item", id=8)
added = call("shop_shop.shop_shop_add", body=Item(name="x", count=3))
who = call("shop_shop.shop_shop_who")
print(json.dumps([found.parsed.to_dict(), int(none.status_code), added.parsed, who.parsed]))
"#;

/// A client that a public generator makes of the document calls the service.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_others_generate() {
    let Some(python) = python() else { return };
    let shop = open(|_, ingress| ingress).await;
    let at = format!("http://{}", shop.address);
    let scratch = Scratch::new();
    let made = scratch.join("made").display().to_string();
    let url = format!("{at}/openapi.json");
    let generate = [
        "-m",
        "openapi_python_client",
        "generate",
        "--url",
        &url,
        "--meta",
        "none",
        "--output-path",
    ];
    let package = scratch.join("the_shop_client").display().to_string();
    run(&python, &[&generate[..], &[&package]].concat()).await;
    let seen =
        text(&run(&python, &["-c", GENERATED, &at, &scratch.path().display().to_string()]).await);
    let seen: serde_json::Value = serde_json::from_str(&seen).must("JSON");
    let expected = serde_json::json!([
        { "name": "one", "count": 1 },
        404,
        3,
        "spiffe://prod.example/http/anonymous",
    ]);
    assert_eq!(seen, expected);
    drop(made);
}
