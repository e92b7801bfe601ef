//! `sinew explain`: why a call went where it went, whatever became of it.

use serde_json::Value;

use super::{Scene, failed, printed};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_succeeds_says_why_it_went_there() {
    let scene = Scene::new("explain").await;
    let at = scene.server.local_addr().to_string();
    let arguments = ["explain", "shop.Inventory/stock", r#"{"sku":"abc"}"#];
    let text = printed(&scene.run(&arguments).await);
    for words in [
        "shop.Inventory/stock answered 3 after ",
        &format!("{at}, because it is the only endpoint"),
        "1 endpoints, 1 in use;",
        &format!("attempt 1 at {at}"),
        "(queue ",
        "endpoints: 1 came",
        "connected",
    ] {
        assert!(text.contains(words), "no {words:?}: {text}");
    }
    assert!(!text.contains('\x1b'), "{text:?}");
    let json = printed(&scene.run(&[&arguments[..], &["--json"]].concat()).await);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["answer"], &json["picks"][0]["endpoint"]), (&3.into(), &at.into()));
    assert_eq!(json["ledger"]["attempts"].as_array().unwrap().len(), 1, "{json}");
    assert!(json["ledger"]["attempts"][0]["server"]["work_us"].is_u64(), "{json}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_is_not_there_is_in_the_story() {
    let scene = Scene::new("explain-gone").await;
    // Held, so that nobody else gets it; not served.
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let gone = silent.local_addr().unwrap().to_string();
    let at = format!("{},{gone}", scene.at());
    let arguments = ["explain", "shop.Inventory/stock", r#"{"sku":"abc"}"#, "--at", &at, "--json"];
    let json: Value = serde_json::from_str(&printed(&scene.run(&arguments).await)).unwrap();
    let picks = json["picks"].as_array().unwrap();
    assert_eq!(json["answer"], 3);
    assert!(picks.iter().all(|pick| pick["known"] == 2), "{json}");
    let last = picks.last().unwrap();
    assert_eq!(last["endpoint"], scene.server.local_addr().to_string(), "{json}");
    let endpoints = last["endpoints"].as_array().unwrap();
    assert!(endpoints.iter().any(|one| one["endpoint"] == gone), "{json}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_fails_explains_itself_too() {
    let scene = Scene::new("explain-failed").await;
    let explain = async |method: &str, arguments: &str, more: &[&str]| {
        let method = format!("shop.Inventory/{method}");
        scene.run(&[&["explain", &method, arguments], more].concat()).await
    };
    let refused = explain("refuse", "{}", &[]).await;
    failed(&refused, 1, "not today");
    let text = String::from_utf8_lossy(&refused.stdout).into_owned();
    assert!(text.contains("refuse failed after") && text.contains("PermissionDenied"), "{text}");
    assert!(text.contains("came to nothing:"), "{text}");
    let short = explain("order", r#"{"lines":[{"sku":"a","count":99}],"pay":"Cash"}"#, &["--json"]);
    let short = short.await;
    failed(&short, 1, "its error");
    let json: Value = serde_json::from_slice(&short.stdout).unwrap();
    assert_eq!(
        (&json["error"]["missing"], &json["picks"][0]["failed"]),
        (&99.into(), &Value::Null)
    );
    let stream = printed(&explain("watch", r#"{"up_to":3}"#, &[]).await);
    assert!(stream.contains("answered with a stream of 3"), "{stream}");
    let bytes = printed(&explain("mirror", r#""four""#, &[]).await);
    assert!(bytes.contains("answered 4 bytes"), "{bytes}");
    // What is no call says nothing of one.
    let wrong = explain("stock", "{}", &[]).await;
    failed(&wrong, 2, "the argument `sku` is missing");
    assert!(wrong.stdout.is_empty());
}
