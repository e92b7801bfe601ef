//! Questions to a gateway that answers what a test says: too much, too late, nothing, and no.

use std::time::Instant;

use super::*;
use crate::discovery::etcd::{
    gateway::{Gateway, says, streams},
    json::{Keys, News},
};

const RANGE: &str = "/v3/kv/range";
const LOGIN: &str = "/v3/auth/authenticate";

async fn range(client: &Client) -> Result<Range, String> {
    client.range(Keys::below("/a/").range(9)).await.map_err(Failure::into_words)
}

#[tokio::test]
async fn one_connection_is_used_again_and_a_dead_one_is_replaced() {
    let good = says("200 OK", r#"{"header":{"revision":"7"}}"#);
    let gateway = Gateway::of(&[(RANGE, &[good])]).await;
    let client = gateway.client();
    for _ in 0..3 {
        assert_eq!(range(&client).await.unwrap().header.revision, 7);
    }
    assert_eq!(gateway.connections(), 1);
    assert_eq!(client.own_address(), Some(gateway.address().ip()));
    // As if it had been closed by then.
    let idle = client.lock().idle.as_ref().map(|idle| idle.driven.0.abort_handle());
    idle.unwrap().abort();
    tokio::task::yield_now().await;
    assert_eq!(range(&client).await.unwrap().header.revision, 7);
    assert_eq!(gateway.connections(), 2);
}

#[tokio::test]
async fn what_is_no_answer_says_why() {
    let large = says("200 OK", &format!(r#"{{"x":"{}"}}"#, "x".repeat(limits::ETCD_ANSWER_MAX)));
    for (answer, word) in [
        (says("200 OK", "<html>"), "not etcd's"),
        (says("200 OK", "{}"), "it has no revision"),
        (says("200 OK", "[]"), "it has no revision"),
        (says("200 OK", ""), "not etcd's"),
        (large, "limit exceeded"),
        (says("404 Not Found", "Not Found"), "`Not Found`"),
        (says("403 Forbidden", r#"{"code":7,"message":"permission denied"}"#), "permission denied"),
        (says("503 Unavailable", r#"{"code":14,"message":"no leader"}"#), "no leader"),
        ("what is this\r\n\r\n".to_owned(), "invalid HTTP"),
        (format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "x".repeat(100_000)), "too large"),
    ] {
        let gateway = Gateway::of(&[(RANGE, &[answer])]).await;
        let why = range(&gateway.client()).await.unwrap_err();
        assert!(why.contains(word), "{word}: {why}");
    }
}

#[tokio::test]
async fn who_says_nothing_is_waited_for_no_longer_than_may_be() {
    let gateway = Gateway::of(&[(RANGE, &["HTTP/1.1 200 OK\r\n".to_owned()])]).await;
    let began = Instant::now();
    let why = range(&gateway.client()).await.unwrap_err();
    assert!(why.contains("ETCD_TIMEOUT"), "{why}");
    assert!(began.elapsed() < 2 * limits::ETCD_TIMEOUT);
}

#[tokio::test]
async fn a_token_is_asked_for_and_again_when_it_is_refused() {
    let old = r#"{"error":"etcdserver: invalid auth token","code":16}"#;
    let good = says("200 OK", r#"{"header":{"revision":"7"}}"#);
    let tokens = ["one", "two"].map(|name| says("200 OK", &format!(r#"{{"token":"{name}"}}"#)));
    let answers = [good.clone(), says("401 Unauthorized", old), good.clone()];
    let gateway = Gateway::of(&[(RANGE, &answers), (LOGIN, &tokens)]).await;
    let client = gateway.known_to();
    for _ in 0..3 {
        range(&client).await.unwrap();
    }
    let expected = [
        format!("{LOGIN} "),
        format!("{RANGE} one"),
        format!("{RANGE} one"),
        format!("{LOGIN} "),
        format!("{RANGE} two"),
        format!("{RANGE} two"),
    ];
    assert_eq!(gateway.asked(), expected);
    // Where there are no users, nobody has to be one.
    let none = says("412 Precondition Failed", r#"{"code":9,"message":"not enabled"}"#);
    let gateway = Gateway::of(&[(RANGE, std::slice::from_ref(&good)), (LOGIN, &[none])]).await;
    range(&gateway.known_to()).await.unwrap();
    // And a refusal that stays is one: it is not asked for ever.
    let wrong = says("400 Bad Request", r#"{"code":3,"message":"authentication failed"}"#);
    let gateway = Gateway::of(&[(RANGE, &[good]), (LOGIN, &[wrong])]).await;
    let why = range(&gateway.known_to()).await.unwrap_err();
    assert!(why.contains("authentication failed") && !why.contains("hunter2"), "{why}");
    assert_eq!(gateway.asked().len(), 1);
}

#[tokio::test]
async fn messages_are_read_however_they_are_cut_and_not_when_they_are_too_large() {
    let cut = streams(&[
        "{\"result\":{\"header\":{\"rev",
        "ision\":\"1\"}}}\n\n{\"result\":{\"header\":{\"revision\":\"2\"}}}\n{\"res",
        "ult\":{\"header\":{\"revision\":\"3\"}}}\n{\"error\":{\"message\":\"no leader\"}}\n",
    ]) + "0\r\n\r\n";
    let endless = streams(&[&"x".repeat(limits::ETCD_ANSWER_MAX + 1)]);
    let gateway = Gateway::of(&[("/v3/watch", &[cut, endless])]).await;
    let client = gateway.client();
    let mut messages = client.watch(Keys::below("/a/").watch(1)).await.unwrap();
    for revision in 1..=3 {
        let news: News = messages.next().await.unwrap();
        assert_eq!(news.header.revision, revision);
    }
    assert_eq!(messages.next::<News>().await, Err("no leader".to_owned()));
    assert_eq!(messages.next::<News>().await, Err("it ended the watch".to_owned()));
    let mut messages = client.watch(Keys::below("/a/").watch(1)).await.unwrap();
    let why = messages.next::<News>().await.unwrap_err();
    assert!(why.contains("ETCD_ANSWER_MAX"), "{why}");
}
