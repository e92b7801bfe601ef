//! `sinew ca`: certificates as files, and what becomes of them when there is a new CA.

use std::{
    path::{Path, PathBuf},
    process::Output,
};

use serde_json::Value;
use sinew::{Identity, Mesh, Server};

use super::{InventoryServer, Shop, failed, printed, run, scratch, sinew};

/// A user with a development CA and a directory for files.
struct User(PathBuf);

impl User {
    fn new(name: &str) -> Self {
        Self(scratch(name))
    }

    async fn ca(&self, arguments: &[&str]) -> Output {
        run(sinew(&self.0).arg("ca").args(arguments), "").await
    }

    /// Has certificates written into a directory of this name.
    async fn leaf(&self, id: &str, name: &str) -> Leaf {
        let directory = self.0.join(name);
        let out = directory.display().to_string();
        let printed = printed(&self.ca(&["leaf", id, "--out", &out]).await);
        let files = ["cert.pem", "key.pem", "bundle.pem"].map(|name| directory.join(name));
        let variables = ["SINEW_CERT", "SINEW_KEY", "SINEW_BUNDLE"];
        let export =
            |(variable, file): (_, &PathBuf)| format!("export {variable}={}", file.display());
        let expected: Vec<_> = variables.into_iter().zip(&files).map(export).collect();
        assert_eq!(printed.lines().collect::<Vec<_>>(), expected);
        Leaf(files)
    }

    /// Calls a server as somebody, or as a process without files.
    async fn call(&self, server: &Server, leaf: Option<&Leaf>) -> Output {
        let mut command = sinew(&self.0);
        if let Some(Leaf([certificate, key, bundle])) = leaf {
            command
                .env("SINEW_CERT", certificate)
                .env("SINEW_KEY", key)
                .env("SINEW_BUNDLE", bundle);
        }
        let at = format!("static:{}", server.local_addr());
        let call = ["call", "shop.Inventory/stock", r#"{"sku":"abc"}"#, "--at", &at];
        run(command.args(call).args(["--timeout", "5s"]), "").await
    }
}

/// Certificate, key and bundle.
struct Leaf([PathBuf; 3]);

impl Leaf {
    async fn server(&self) -> Server {
        let [certificate, key, bundle] = &self.0;
        let identity = Identity::from_files(certificate, key, bundle).unwrap();
        let mesh = Mesh::builder().identity(identity).without_local_discovery().build().await;
        let server = mesh.unwrap().server().serve(InventoryServer::new(Shop));
        server.bind("127.0.0.1:0").await.unwrap()
    }
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_with_files_call_each_other_before_and_after_a_rotation() {
    let user = User::new("ca-leaf");
    let (shop, caller) =
        (user.leaf("shop.Inventory", "shop").await, user.leaf("client/a", "a").await);
    assert_eq!((mode(&shop.0[1]), mode(&user.0.join("shop"))), (0o600, 0o700));
    let old = shop.server().await;
    assert_eq!(printed(&user.call(&old, Some(&caller)).await), "3");
    assert_eq!(printed(&user.call(&old, None).await), "3");

    let rotated = user.ca(&["rotate"]).await;
    let said = printed(&rotated);
    assert!(said.contains("issues now:") && said.contains("still trusted:"), "{said}");
    assert!(String::from_utf8_lossy(&rotated.stderr).contains("sinew ca bundle"));
    // What was issued before goes on.
    assert_eq!(printed(&user.call(&old, Some(&caller)).await), "3");
    let new = user.leaf("shop.Inventory", "new-shop").await.server().await;
    let new_caller = user.leaf("client/b", "b").await;
    assert_eq!(printed(&user.call(&new, Some(&new_caller)).await), "3");
    assert_eq!(printed(&user.call(&new, None).await), "3");
    // Who has the old bundle does not trust what the new one issues, until it has the new one.
    failed(&user.call(&new, Some(&caller)).await, 3, "not trusted here");
    failed(&user.call(&old, Some(&new_caller)).await, 3, "");
    let bundle = user.ca(&["bundle"]).await;
    std::fs::write(&caller.0[2], printed(&bundle)).unwrap();
    assert_eq!(printed(&user.call(&new, Some(&caller)).await), "3");
    assert_eq!(printed(&user.call(&old, Some(&caller)).await), "3");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_of_another_ca_is_refused() {
    let (user, other) = (User::new("ca-own"), User::new("ca-other"));
    let server = user.leaf("shop.Inventory", "shop").await.server().await;
    let stranger = other.leaf("client/a", "a").await;
    failed(&user.call(&server, Some(&stranger)).await, 3, "not trusted here");
    // Nor is one of this CA that is somebody else.
    let bank = user.leaf("Bank", "bank").await.server().await;
    failed(&user.call(&bank, None).await, 3, "expected `spiffe://dev.local/shop.Inventory`");
}

#[tokio::test]
async fn the_ca_is_shown_as_it_is() {
    let user = User::new("ca-show");
    let none = printed(&user.ca(&["show"]).await);
    assert!(none.contains("dev.local") && none.contains("there is none yet"), "{none}");
    printed(&user.ca(&["bundle"]).await);
    printed(&user.ca(&["rotate"]).await);
    std::fs::write(user.0.join("sinew/dev-ca.3.pem"), "nonsense").unwrap();
    let text = printed(&user.ca(&["show"]).await);
    let rows: Vec<_> = text.lines().skip(1).collect();
    assert_eq!(rows.len(), 4, "{text}");
    assert!(rows[1].contains("passed over:") && rows[1].contains("missing"), "{text}");
    let json: Value = serde_json::from_str(&printed(&user.ca(&["show", "--json"]).await)).unwrap();
    assert_eq!((&json["trust_domain"], &json["in_use"]), (&"dev.local".into(), &true.into()));
    let known = json["authorities"].as_array().unwrap();
    assert!(known[1]["has_key"] == true && known[2]["standing"] == "trusted", "{json}");
}

#[tokio::test]
async fn nothing_is_written_over_and_nobody_elsewhere_is_named() {
    let user = User::new("ca-wrong");
    let out = user.0.join("x").display().to_string();
    for (id, words) in
        [("spiffe://prod.example/a", "alone"), ("a b", "can be no identity"), ("", "can be")]
    {
        failed(&user.ca(&["leaf", id, "--out", &out]).await, 2, words);
    }
    user.leaf("shop.Inventory", "x").await;
    let key = std::fs::read(user.0.join("x/key.pem")).unwrap();
    failed(&user.ca(&["leaf", "Bank", "--out", &out]).await, 2, "--replace");
    assert_eq!(std::fs::read(user.0.join("x/key.pem")).unwrap(), key);
    printed(&user.ca(&["leaf", "Bank", "--out", &out, "--replace"]).await);
    assert_ne!(std::fs::read(user.0.join("x/key.pem")).unwrap(), key);
}
