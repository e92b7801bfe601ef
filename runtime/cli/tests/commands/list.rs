//! `sinew list`: who announces what, and what a target leads to.

use serde_json::Value;
use sinew::Server;

use super::{Scene, failed, printed, run, scratch, sinew};

/// Cells of each row, by their columns.
fn cells(table: &str) -> Vec<Vec<&str>> {
    table.lines().map(|line| line.split_whitespace().collect()).collect()
}

fn address(server: &Server) -> String {
    server.local_addr().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_announced_server_is_a_row() {
    let scene = Scene::with("list", |server| {
        server.zone("eu-1").label("version", "2").label("tier", "a").weight(2.5)
    });
    let scene = scene.await;
    let (at, process) = (address(&scene.server), std::process::id().to_string());
    let identity = "spiffe://dev.local/shop.Inventory";
    let row = ["shop.Inventory", &at, &process, "2.5", "eu-1", "tier=a,version=2", identity];
    let names = ["SERVICE", "ENDPOINT", "PROCESS", "WEIGHT", "ZONE", "LABELS", "IDENTITY"];
    for arguments in [&["list"][..], &["list", "shop.Inventory"]] {
        let table = printed(&scene.run(arguments).await);
        assert_eq!(cells(&table), [&names[..], &row[..]]);
    }
    let json: Value =
        serde_json::from_str(&printed(&scene.run(&["list", "--json"]).await)).unwrap();
    assert_eq!(json.as_array().unwrap().len(), 1);
    assert_eq!((&json[0]["endpoint"], &json[0]["labels"]["tier"]), (&at.into(), &"a".into()));
    failed(&scene.run(&["list", "shop.Nothing"]).await, 3, "nobody announces `shop.Nothing`");
}

#[tokio::test]
async fn nobody_is_a_list_too() {
    let directory = scratch("list-nobody");
    let nobody = run(sinew(&directory).arg("list"), "").await;
    assert_eq!(printed(&nobody), "");
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("no server of this user"));
    assert_eq!(printed(&run(sinew(&directory).args(["list", "--json"]), "").await), "[]");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_of_a_target_say_what_they_serve() {
    let scene = Scene::new("list-at").await;
    let at = address(&scene.server);
    let plain = printed(&scene.run(&["list", "shop.Inventory", "--at", &scene.at()]).await);
    let dashes = ["shop.Inventory", &at, "-", "1", "-", "-", "-", "shop.Inventory"];
    assert_eq!(cells(&plain)[1], dashes);
    let named = printed(&scene.run(&["list", "--at", "sinew:shop.Inventory"]).await);
    assert_eq!(cells(&named)[1].last(), Some(&"shop.Inventory"));
    // A file, with somebody who is gone: the others are listed all the same.
    let file = scene.path("endpoints.toml");
    let gone = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let rows = [(&*at, "eu-1"), (&*gone.to_string(), "eu-2")].map(|(address, zone)| {
        format!("[[endpoint]]\naddress = \"{address}\"\nzone = \"{zone}\"\n")
    });
    std::fs::write(&file, rows.concat()).unwrap();
    let target = format!("file:{file}");
    let arguments = ["list", "shop.Inventory", "--at", &target, "--json"];
    let json: Value = serde_json::from_str(&printed(&scene.run(&arguments).await)).unwrap();
    assert_eq!(
        (&json[0]["zone"], &json[0]["serves"][0]),
        (&"eu-1".into(), &"shop.Inventory".into())
    );
    assert_eq!(json[1]["zone"], "eu-2");
    assert!(json[1]["problem"].is_string() && json[1]["serves"].is_null(), "{json}");
    failed(&scene.run(&["list", "--at", &scene.at()]).await, 2, "name one: `sinew list SERVICE");
    failed(&scene.run(&["list", "a.B", "--at", "nowhere"]).await, 2, "is no target");
    failed(&scene.run(&["list", "a.B", "--at", "file:none.toml"]).await, 3, "lists nothing");
    failed(&scene.run(&["list", "a.B", "--at", "sinew:a.B"]).await, 3, "lists no server of `a.B`");
}
