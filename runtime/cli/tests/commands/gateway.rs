//! `sinew gateway`: services of the mesh over plain HTTP, and legacy services as ones of ours.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use sinew::{Bytes, CallError, Code, Identity, Mesh, Streaming};

use super::{InventoryClient, InventoryServer, Line, Payment, Scene, Shop, failed, sinew};

/// A gateway at work.
struct Gateway {
    child: Child,
    /// Where it listens, as it says.
    addresses: Vec<(String, SocketAddr)>,
}

impl Gateway {
    /// Starts one with this file; it has said so many addresses.
    fn start(scene: &Scene, file: &str, addresses: usize) -> Self {
        let path = scene.path("gateway.toml");
        std::fs::write(&path, file).unwrap();
        let mut command = sinew(&scene.directory);
        let command = command.args(["gateway", &path]).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let said = lines.take(addresses).map(|line| {
            let line = line.unwrap();
            let (what, rest) = line.split_once(" at ").unwrap();
            let address = rest.split(": ").next().unwrap();
            (what.to_owned(), address.parse().unwrap())
        });
        let addresses = said.collect();
        Self { child, addresses }
    }

    fn at(&self, what: &str) -> SocketAddr {
        self.addresses.iter().find(|(known, _)| known == what).unwrap().1
    }

    /// Asks it to stop; how it ended.
    fn stop(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        let kill = std::process::Command::new("kill").args(["-TERM", &pid]).status();
        assert!(kill.unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The status and the body of what is answered to this request.
fn asked(address: SocketAddr, head: &str, body: &str) -> (u16, String) {
    let mut connection = TcpStream::connect(address).unwrap();
    let length = body.len();
    let request = format!(
        "{head} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: \
         {length}\r\n\r\n{body}"
    );
    connection.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

async fn post(address: SocketAddr, path: &str, body: Value) -> (u16, String) {
    let head = format!("POST {path}");
    let asking = tokio::task::spawn_blocking(move || asked(address, &head, &body.to_string()));
    asking.await.unwrap()
}

async fn title(address: SocketAddr) -> String {
    let asking = tokio::task::spawn_blocking(move || asked(address, "GET /openapi.json", ""));
    let (status, body) = asking.await.unwrap();
    assert_eq!(status, 200);
    let document: Value = serde_json::from_str(&body).unwrap();
    document["info"]["title"].as_str().unwrap().to_owned()
}

async fn until<F: Future<Output = bool>>(what: &str, mut done: impl FnMut() -> F) {
    let begun = Instant::now();
    while !done().await {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what} does not come true");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_over_http_reach_a_service_without_its_types() {
    let scene = Scene::new("gateway-in").await;
    let file = |title: &str| {
        format!(
            "[http]\nlisten = \"127.0.0.1:0\"\ntitle = \"{title}\"\n[[service]]\nname = \"shop.Inventory\"\nat = \"{}\"\n",
            scene.at()
        )
    };
    let with_metrics = file("Stock") + "[metrics]\nlisten = \"127.0.0.1:0\"\n";
    let gateway = Gateway::start(&scene, &with_metrics, 2);
    let at = gateway.at("http");
    let call = |method: &str, body| {
        let path = format!("/shop.Inventory/{method}");
        async move { post(at, &path, body).await }
    };
    assert_eq!(call("stock", json!({ "sku": "abc" })).await, (200, "3".to_owned()));
    let lines = json!([{ "sku": "a", "count": 2, "notes": ["x"] }]);
    let order = call("order", json!({ "lines": lines, "pay": "Cash" })).await;
    assert_eq!(order, (200, (u128::MAX - 3).to_string()), "128 bits, with all of their digits");
    let pay = json!({ "Card": { "number": "12345" } });
    let order = call("order", json!({ "lines": [], "pay": pay, "gift": "cat" })).await;
    assert_eq!(order, (200, "8".to_owned()));
    let short =
        call("order", json!({ "lines": [{ "sku": "a", "count": 77 }], "pay": "Cash" })).await;
    assert_eq!(short, (422, r#"{"missing":77}"#.to_owned()));
    assert_eq!(call("prices", json!({})).await, (200, r#"{"7":0.5,"9":1.0}"#.to_owned()));
    assert_eq!(call("refuse", json!({})).await.0, 403);
    let wrong = call("order", json!({ "lines": [{ "sku": 1, "count": 1 }], "pay": "Cash" })).await;
    assert!(wrong.0 == 400 && wrong.1.contains("lines[0].sku: a text is expected"), "{wrong:?}");
    assert_eq!(call("nothing", json!({})).await.0, 404);
    let watched = call("watch", json!({ "up_to": 3 })).await;
    assert!(watched.0 == 200 && watched.1.contains("0\n"), "{watched:?}");

    let counted = tokio::task::spawn_blocking({
        let at = gateway.at("metrics");
        move || asked(at, "GET /metrics", "")
    });
    let (status, counted) = counted.await.unwrap();
    let calls = "sinew_client_calls_total{service=\"shop.Inventory\",method=\"stock\"";
    assert!(status == 200 && counted.contains(calls), "{counted}");

    // The file is followed, and one that is wrong changes nothing.
    assert_eq!(title(at).await, "Stock");
    let path = scene.path("gateway.toml");
    std::fs::write(&path, file("Shelf")).unwrap();
    until("a new title", async || title(at).await == "Shelf").await;
    std::fs::write(&path, file("Bad").replace("title", "titel")).unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(title(at).await, "Shelf");
    assert_eq!(call("stock", json!({ "sku": "abcd" })).await, (200, "4".to_owned()));
    std::fs::write(&path, file("Mended")).unwrap();
    until("the mended one", async || title(at).await == "Mended").await;
    assert_eq!(gateway.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_comes_later_is_waited_for() {
    let scene = Scene::new("gateway-later").await;
    let file = "[http]\nlisten = \"127.0.0.1:0\"\n[[service]]\nname = \"shop.Inventory\"\n";
    // Nobody has announced it to whoever looks here.
    let elsewhere = Scene::new("gateway-elsewhere").await;
    let gateway = Gateway::start(&elsewhere, &file.replace("shop.Inventory", "shop.Later"), 1);
    let at = gateway.at("http");
    assert_eq!(post(at, "/shop.Later/stock", json!({ "sku": "a" })).await.0, 404);
    drop(gateway);
    let gateway = Gateway::start(&scene, file, 1);
    let at = gateway.at("http");
    until("the service", async || {
        post(at, "/shop.Inventory/stock", json!({ "sku": "a" })).await == (200, "1".to_owned())
    })
    .await;
}

#[sinew::service(name = "same.First")]
trait First {
    #[http(get = "/same")]
    async fn first(&self) -> u8;
}

#[sinew::service(name = "same.Second")]
trait Second {
    #[http(get = "/same")]
    async fn second(&self) -> u8;

    #[http(get = "/other")]
    async fn other(&self) -> u8;
}

/// A service that takes the path of another is left out as a whole, said once, and keeps nobody from changes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_with_a_path_that_is_taken_is_left_out_alone() {
    let scene = Scene::new("gateway-same").await;
    let described = [
        ("first.json", sinew::describe::<FirstClient>().to_json().unwrap()),
        ("second.json", sinew::describe::<SecondClient>().to_json().unwrap()),
    ];
    for (name, text) in described {
        std::fs::write(scene.path(name), text).unwrap();
    }
    let file = |title: &str| {
        format!(
            "[http]\nlisten = \"127.0.0.1:0\"\ntitle = \"{title}\"\n[[service]]\nname = \"same.First\"\ndescriptor = \
             \"first.json\"\n[[service]]\nname = \"same.Second\"\ndescriptor = \"second.json\"\n[[service]]\nname = \
             \"shop.Inventory\"\nat = \"{}\"\n",
            scene.at()
        )
    };
    let gateway = Gateway::start(&scene, &file("One"), 1);
    let at = gateway.at("http");
    let paths = || async {
        let asking = tokio::task::spawn_blocking(move || asked(at, "GET /openapi.json", ""));
        let document: Value = serde_json::from_str(&asking.await.unwrap().1).unwrap();
        document["paths"].clone()
    };
    let stock = || post(at, "/shop.Inventory/stock", json!({ "sku": "abc" }));
    for title_of in ["One", "Two", "Three"] {
        std::fs::write(scene.path("gateway.toml"), file(title_of)).unwrap();
        until("it is replaced", async || title(at).await == title_of).await;
        let paths = paths().await;
        assert!(paths["/same"]["get"].to_string().contains("same.First"), "{paths}");
        assert!(paths.get("/other").is_none(), "{paths}");
        assert_eq!(stock().await, (200, "3".to_owned()));
    }
    assert_eq!(gateway.stop(), Some(0));
}

/// A typed client of ours, the gateway, plain HTTP, and a server behind it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_legacy_service_is_called_as_if_it_were_one_of_ours() {
    let scene = Scene::new("gateway-out").await;
    // What speaks nothing but HTTP: another way into the same code.
    let legacy = sinew_bridge::ingress(&scene.server).trusted().bind("127.0.0.1:0").await.unwrap();
    let described = sinew::describe::<InventoryClient>().to_json().unwrap();
    std::fs::write(scene.path("inventory.json"), described).unwrap();
    let file = format!(
        "[[legacy]]\nname = \"shop.Inventory\"\nat = \"http://{}\"\ndescriptor = \"inventory.json\"\n",
        legacy.local_addr()
    );
    let gateway = Gateway::start(&scene, &file, 1);
    let identity = Identity::development_in(scene.directory.join("sinew")).unwrap();
    let mesh = Mesh::builder().identity(identity).build().await.unwrap();
    let at = format!("static:{}", gateway.at("legacy shop.Inventory"));
    let client: InventoryClient = mesh.client_at(at).unwrap();
    assert_eq!(client.stock("abc".to_owned()).await.unwrap(), 3);
    let line = |count| Line { sku: "a".to_owned(), count, notes: vec!["x".to_owned()] };
    let order = client.order(vec![line(2)], Payment::Cash, None).await;
    // A number of more than 64 bits is none that JSON readers agree on: it is an error, and never another number.
    assert!(
        matches!(&order, Err(CallError::Status(status)) if status.code() == Code::Internal),
        "{order:?}"
    );
    let card = Payment::Card { number: "12345".to_owned() };
    assert_eq!(client.order(vec![], card, Some("cat".to_owned())).await.unwrap(), 8);
    let short = client.order(vec![line(76)], Payment::Cash, None).await.unwrap_err();
    assert!(matches!(short, CallError::App(shortage) if shortage.missing == 77));
    assert_eq!(client.prices().await.unwrap()[&9], 1.0);
    assert_eq!(client.refuse().await.unwrap_err().code(), Code::PermissionDenied);
    let watched = client.watch(5).await.unwrap().collect().await.unwrap();
    assert_eq!(watched, [0, 1, 2, 3, 4]);
    assert_eq!(client.total(Streaming::iter([1, 2, 3])).await.unwrap(), 6);
    let bytes = Bytes::from_static(b"\x00\xff");
    assert_eq!(client.mirror(bytes.clone()).await.unwrap(), bytes);
    assert_eq!(gateway.stop(), Some(0));
    drop((InventoryServer::new(Shop), legacy));
}

#[tokio::test]
async fn a_file_that_is_wrong_says_where() {
    let scene = Scene::new("gateway-wrong").await;
    let check = async |text: &str| {
        std::fs::write(scene.path("gateway.toml"), text).unwrap();
        scene.run(&["gateway", &scene.path("gateway.toml"), "--check"]).await
    };
    failed(&check("[http]\nlisten = \"127.0.0.1:0\"\nlissten = 1\n").await, 1, "lissten");
    failed(&check("[[service]]\nname = \"a\"\n").await, 1, "no `[http]`");
    failed(&check("").await, 1, "nothing to do");
    assert_eq!(
        check("[http]\nlisten = \"127.0.0.1:0\"\n[[service]]\nname = \"a\"\n").await.status.code(),
        Some(0)
    );
    let open = "[http]\nlisten = \"0.0.0.0:0\"\n[[service]]\nname = \"a\"\n";
    std::fs::write(scene.path("gateway.toml"), open).unwrap();
    let started = scene.run(&["gateway", &scene.path("gateway.toml")]).await;
    failed(&started, 3, "let_in_anybody");
    failed(&scene.run(&["gateway", "nowhere.toml"]).await, 3, "nowhere.toml");
}
