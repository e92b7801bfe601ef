//! What is called, described, generated from and compared.

use super::{Scene, failed, printed, run, scratch, sinew};

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
    let total =
        scene.run_with(&["call", "shop.Inventory/total", "--at", &at], "1\n\n2\n39\n").await;
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
    let total = scene.run_with(&["call", "shop.Inventory/total", "--at", &at], "1\nx\n").await;
    failed(&total, 2, "line 2 is no JSON");
    failed(&scene.run(&["call", "stock"]).await, 2, "is not SERVICE/METHOD");
    failed(&scene.run(&["describe", "shop.Inventory@nowhere"]).await, 2, "nowhere");
    failed(&scene.run(&["describe", "none.json"]).await, 3, "none.json");
    failed(&scene.run(&["cal"]).await, 2, "call");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_server_says_is_generated_from_and_compared() {
    let scene = Scene::new("generate").await;
    let (source, file) = (scene.source(), scene.path("inventory.json"));
    let described = printed(&scene.run(&["describe", &source]).await);
    for words in [
        "service shop.Inventory",
        "stock(sku: String) -> u64",
        "enum Payment { Cash, Card { number: String } }",
        "notes?: Vec<String>",
    ] {
        assert!(described.contains(words), "{described}");
    }
    let json = printed(&scene.run(&["describe", &source, "--json"]).await);
    std::fs::write(&file, &json).unwrap();
    assert_eq!(printed(&scene.run(&["check", &file, &source]).await), "the same");
    let module = scene.path("inventory.rs");
    printed(&scene.run(&["generate", &file, "--output", &module]).await);
    let code = std::fs::read_to_string(&module).unwrap();
    assert!(code.contains("async fn stock(&self, sku: String) -> Result<u64, Status>;"), "{code}");
    printed(&scene.run(&["generate", &source, "--output", &module, "--check"]).await);
    std::fs::write(&module, code.replace("u64", "u32")).unwrap();
    failed(
        &scene.run(&["generate", &file, "--output", &module, "--check"]).await,
        1,
        "otherwise now",
    );
    // A field more that the server needs, and one that it does not.
    let newer = scene.path("newer.json");
    let changed = json.replace("\"name\": \"number\",", "\"name\": \"digits\",");
    std::fs::write(&newer, &changed).unwrap();
    let words = "methods[1].fingerprint: it is not that of these types";
    failed(&scene.run(&["check", &file, &newer]).await, 3, words);
    let mut changed: serde_json::Value = serde_json::from_str(&changed).unwrap();
    for method in changed["services"][0]["methods"].as_array_mut().unwrap() {
        method.as_object_mut().unwrap().remove("fingerprint");
    }
    std::fs::write(&newer, changed.to_string()).unwrap();
    let broken = scene.run(&["check", &file, &newer]).await;
    assert_eq!(broken.status.code(), Some(1));
    let words = String::from_utf8_lossy(&broken.stdout);
    assert!(
        words.contains("argument pay.Card.digits: it is not written")
            && words.ends_with("breaking\n"),
        "{words}"
    );
    let package = scene.path("inventory-client");
    printed(
        &scene.run(&["generate", &file, "--package", &package, "--sinew-path", "/somewhere"]).await,
    );
    let manifest = std::fs::read_to_string(scene.path("inventory-client/Cargo.toml")).unwrap();
    assert!(
        manifest.contains("name = \"inventory-client\"") && manifest.contains("/somewhere"),
        "{manifest}"
    );
}

#[tokio::test]
async fn shells_are_told_what_there_is() {
    let directory = scratch("shells");
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let script = printed(&run(sinew(&directory).args(["completions", shell]), "").await);
        for word in ["describe", "generate", "explain", "rotate", "repeat"] {
            assert!(script.contains(word), "{shell}: no {word}: {script}");
        }
    }
}

#[tokio::test]
async fn every_command_says_how_it_is_used() {
    let directory = scratch("help");
    let help =
        async |words: &[&str]| printed(&run(sinew(&directory).args(words).arg("--help"), "").await);
    let whole = help(&[]).await;
    assert!(whole.contains("Exit codes: 0") && whole.contains("SINEW_CERT"), "{whole}");
    let commands = ["new", "list", "describe", "call", "explain", "generate", "check", "ca"];
    for command in commands.into_iter().chain(["completions"]) {
        assert!(whole.contains(&format!("\n  {command} ")), "{command}: {whole}");
        let own = help(&[command]).await;
        assert!(own.contains("Examples:") && own.contains(&format!("  sinew {command}")), "{own}");
    }
    let leaf = help(&["ca", "leaf"]).await;
    assert!(leaf.contains("Examples:") && leaf.contains("--replace"), "{leaf}");
    // A flag that is nearly one is told, and what was wrong is no success.
    let wrong = run(sinew(&directory).args(["call", "A/b", "--timout", "1s"]), "").await;
    failed(&wrong, 2, "--timeout");
    failed(
        &run(sinew(&directory).args(["call", "A/b", "--timeout", "1h"]), "").await,
        2,
        "us, ms, s, m",
    );
    failed(&run(sinew(&directory).args(["call", "A/b", "--explain"]), "").await, 2, "--explain");
}
