//! An answer of HTTP as what a call came to: the value, the method's own error, a stream, or a status.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sinew::{AnswerMetadata, CallError, CallOptions, Code, Fault, Ran, Status, Streaming};
use sinew_tests::{
    Must as _, MustFail as _,
    legacy::{Asked, Legacy, Reply},
    scene::Scene,
    wait::until,
};

#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
struct User {
    id: u64,
    name: String,
}

/// What the server says is wrong.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
struct Problem {
    title: String,
}

/// A service of somebody else.
#[sinew::service(name = "legacy.Users")]
trait Users {
    #[http(get = "/user")]
    async fn user(&self) -> Result<User, Problem>;

    #[http(get = "/maybe")]
    async fn maybe(&self) -> Result<Option<User>, Problem>;

    #[http(get = "/gone", none = [404, 410], value = 203, error = [200, 400..=499])]
    async fn odd(&self) -> Result<Option<String>, Problem>;

    #[http(get = "/plain")]
    async fn plain(&self) -> Result<User, Status>;

    #[http(get = "/text")]
    async fn text(&self) -> Result<String, Status>;

    #[http(get = "/bytes")]
    async fn bytes(&self) -> Result<Bytes, Status>;

    #[http(post = "/made", from_header = "location")]
    async fn made(&self) -> Result<String, Status>;

    #[http(delete = "/user")]
    async fn removed(&self) -> Result<(), Problem>;

    #[http(post = "/act")]
    async fn act(&self) -> Result<(), Status>;

    #[http(get = "/users")]
    async fn all(&self) -> Result<Streaming<User>, Problem>;

    #[http(get = "/lines")]
    async fn lines(&self) -> Result<Streaming<String>, Status>;

    #[http(get = "/pieces")]
    async fn pieces(&self) -> Result<Streaming<Bytes>, Status>;
}

async fn client(legacy: &Legacy) -> (Scene, UsersClient) {
    let scene = Scene::new();
    let mesh = scene.mesh_with(|builder| builder.transport(sinew_bridge::http())).await;
    (scene, mesh.client_at(legacy.url()).must("a client"))
}

/// A server with one answer to everything, and a client of it.
async fn answering(reply: Reply) -> (Legacy, Scene, UsersClient) {
    let legacy = Legacy::start(move |_| reply.clone()).await;
    let (scene, client) = client(&legacy).await;
    (legacy, scene, client)
}

const ADA: &str = r#"{"id":1,"name":"ada","and":"more"}"#;

fn ada() -> User {
    User { id: 1, name: "ada".to_owned() }
}

fn problem(title: &str) -> String {
    format!(r#"{{"title":"{title}"}}"#)
}

#[tokio::test]
async fn a_value_is_in_the_body_or_in_a_header() {
    let paths = |asked: &Asked| match asked.line.split(' ').nth(1) {
        Some("/user" | "/plain" | "/maybe") => Reply::json("200 OK", ADA),
        Some("/text") => {
            Reply::with("200 OK", "content-type: text/plain\r\n", "a \"ü\"".as_bytes())
        }
        Some("/bytes") => Reply::with("200 OK", "", b"\x00\xff"),
        Some("/made") => Reply::with("201 Created", "location: /users/7\r\n", b""),
        _ => Reply::with("204 No Content", "", b""),
    };
    let legacy = Legacy::start(paths).await;
    let (_scene, users) = client(&legacy).await;
    assert_eq!(users.user().await.must("user"), ada());
    assert_eq!(users.maybe().await.must("maybe"), Some(ada()));
    assert_eq!(users.plain().await.must("plain"), ada());
    assert_eq!(users.text().await.must("text"), "a \"ü\"");
    assert_eq!(&*users.bytes().await.must("bytes"), b"\x00\xff");
    assert_eq!(users.made().await.must("made"), "/users/7");
    users.removed().await.must("removed");
    // One after the other, and all over one connection.
    assert_eq!(legacy.connections(), 1);
}

#[tokio::test]
async fn the_methods_own_error_is_read_where_the_body_is_one() {
    let (_legacy, _scene, users) = answering(Reply::json("409 Conflict", &problem("taken"))).await;
    match users.user().await.must_err() {
        CallError::App(error) => assert_eq!(error, Problem { title: "taken".to_owned() }),
        CallError::Status(status) => panic!("{status}"),
    }
    // A method that has none gets the status, with what the server said.
    let status = users.plain().await.must_err();
    assert_eq!((status.code(), status.ran()), (Code::Aborted, Ran::Yes));
    assert!(status.message().contains("HTTP 409 Conflict: {\"title\":\"taken\"}"), "{status}");
    assert_eq!(status.method(), Some("legacy.Users/plain"));
    assert!(status.endpoint().must("an endpoint").starts_with("http://127.0.0.1:"));
    assert_eq!(status.fault(), Fault::Service);
}

#[tokio::test]
async fn an_error_in_other_words_is_a_status() {
    let page =
        Reply::with("403 Forbidden", "content-type: text/html\r\n", b"<h1>\r\nNo\x1b[31m</h1>");
    let (_legacy, _scene, users) = answering(page).await;
    let error = users.user().await.must_err();
    let status = error.status().must("a status");
    assert_eq!(status.code(), Code::PermissionDenied);
    assert!(status.message().ends_with("HTTP 403 Forbidden: <h1> No [31m</h1>"), "{status}");
}

#[tokio::test]
async fn not_found_is_none_where_the_method_may_have_none() {
    let (_legacy, _scene, users) = answering(Reply::json("404 Not Found", &problem("gone"))).await;
    assert_eq!(users.maybe().await.must("none"), None);
    assert!(users.user().await.must_err().app().is_some());
    assert_eq!(users.plain().await.must_err().code(), Code::NotFound);
}

#[tokio::test]
async fn a_trait_may_say_what_each_status_means() {
    let statuses = Arc::new(AtomicUsize::new(0));
    let next = Arc::clone(&statuses);
    let legacy = Legacy::start(move |_| match next.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::json("410 Gone", "{}"),
        1 => Reply::with("203 Other", "content-type: application/json\r\n", b"\"x\""),
        2 => Reply::json("200 OK", &problem("not what you think")),
        _ => Reply::json("204 No Content", ""),
    })
    .await;
    let (_scene, users) = client(&legacy).await;
    assert_eq!(users.odd().await.must("none"), None);
    assert_eq!(users.odd().await.must("some"), Some("x".to_owned()));
    assert!(users.odd().await.must_err().app().is_some());
    assert!(users.odd().await.must_err().status().is_some());
}

#[tokio::test]
async fn what_is_no_json_says_what_it_is() {
    let page = Reply::with("200 OK", "content-type: text/html\r\n", b"<h1>Welcome</h1>");
    let (_legacy, _scene, users) = answering(page).await;
    let status = users.plain().await.must_err();
    assert!(
        status.message().contains("text/html, where JSON was expected: <h1>Welcome</h1>"),
        "{status}"
    );
    let (_legacy, _scene, users) = answering(Reply::json("200 OK", "{\"id\":1}")).await;
    let status = users.plain().await.must_err();
    assert!(status.message().contains("missing field `name`"), "{status}");
    assert_eq!((status.code(), status.ran()), (Code::Internal, Ran::Yes));
}

/// How often a server that answers so was asked, and what came of it.
async fn asked_of(reply: Reply, act: bool) -> (usize, Status) {
    let (legacy, _scene, users) = answering(reply).await;
    let users = users.with(CallOptions::new().timeout(Duration::from_secs(5)));
    let status = if act { users.act().await.must_err() } else { users.plain().await.must_err() };
    (legacy.asked().len(), status)
}

#[tokio::test]
async fn only_what_is_safe_goes_again() {
    let unavailable = || Reply::json("503 Service Unavailable", "{}");
    let with = |status: &str, headers: &str| Reply::with(status, headers, b"");
    for (reply, act, asked, code, ran) in [
        // A GET may run twice, a POST may not, unless the server says that nothing was done.
        (unavailable(), false, 3, Code::Unavailable, Ran::Maybe),
        (unavailable(), true, 1, Code::Unavailable, Ran::Maybe),
        (with("503 Wait", "retry-after: 0\r\n"), true, 3, Code::Unavailable, Ran::No),
        (with("425 Too Early", ""), true, 3, Code::Unavailable, Ran::No),
        (with("502 Bad Gateway", ""), true, 1, Code::Unavailable, Ran::Maybe),
        (with("504 Gateway Timeout", ""), false, 1, Code::DeadlineExceeded, Ran::Maybe),
        (with("500 Oops", ""), false, 1, Code::Internal, Ran::Yes),
        (with("404 Not Found", ""), false, 1, Code::NotFound, Ran::Yes),
        (
            with("302 Found", "location: http://127.0.0.1:1/\r\n"),
            false,
            1,
            Code::FailedPrecondition,
            Ran::Yes,
        ),
    ] {
        let what = format!("{reply:?}, {act}");
        let (count, status) = asked_of(reply, act).await;
        assert_eq!((count, status.code(), status.ran()), (asked, code, ran), "{what}: {status}");
    }
}

#[tokio::test]
async fn who_asks_to_be_left_alone_is() {
    let started = std::time::Instant::now();
    let reply = Reply::with("503 Wait", "retry-after: 1\r\n", b"");
    let (asked, status) = asked_of(reply, true).await;
    // Twice a second at least: with up to a half more each.
    assert!(started.elapsed() >= Duration::from_secs(2), "{:?}", started.elapsed());
    assert_eq!((asked, status.code()), (3, Code::Unavailable));
}

#[tokio::test]
async fn headers_of_an_answer_are_metadata_for_whoever_asks() {
    let reply = Reply::with("200 OK", "etag: \"7\"\r\nconnection: keep-alive\r\n", ADA.as_bytes());
    let (_legacy, _scene, users) = answering(reply).await;
    let metadata = AnswerMetadata::new();
    users.with(CallOptions::new().answer_metadata(&metadata)).plain().await.must("a user");
    let metadata = metadata.get();
    assert_eq!(metadata.get_str("etag"), Some("\"7\""));
    assert_eq!(metadata.get_str("connection"), None);
}

#[tokio::test]
async fn a_stream_is_events_lines_or_pieces() {
    let users_of = |reply: Reply| async move {
        let (_legacy, _scene, users) = answering(reply).await;
        users.all().await.must("a stream").collect().await
    };
    let bob = r#"{"id":2,"name":"bob"}"#;
    let both = vec![ada(), User { id: 2, name: "bob".to_owned() }];
    for (kind, chunks) in [
        ("application/x-ndjson", vec![format!("{ADA}\n{}", &bob[..5]), format!("{}\n", &bob[5..])]),
        ("application/json", vec![format!("\n{ADA}\r\n\r\n{bob}")]),
        (
            "text/event-stream",
            vec![format!(": hi\nid: 1\ndata: {ADA}\n\n"), format!("data:{bob}\r\n\r\n")],
        ),
        (
            "text/event-stream; charset=utf-8",
            vec![
                "\u{feff}event: user\r".to_owned(),
                format!("data: {}\rdata: {}\r\r", &ADA[..8], &ADA[8..]),
                format!("data: {bob}\n"),
                "\n\ndata: {\"never\": \"ended\"".to_owned(),
            ],
        ),
    ] {
        let chunks: Vec<_> = chunks.iter().map(|chunk| &**chunk).collect();
        let reply = Reply::chunks(&format!("content-type: {kind}\r\n"), &chunks);
        let items = users_of(reply).await;
        assert_eq!(items.must(kind), both, "{kind}");
    }
    let text = Reply::chunks("content-type: text/plain\r\n", &["a\nb", " \"c\"\n\nd"]);
    let (_legacy, _scene, users) = answering(text).await;
    let lines = users.lines().await.must("lines").collect().await.must("lines");
    assert_eq!(lines, ["a", "b \"c\"", "", "d"]);
    let (_legacy, _scene, users) = answering(Reply::chunks("", &["one", "\n", "two"])).await;
    let pieces = users.pieces().await.must("pieces").collect().await.must("pieces");
    assert_eq!(pieces.concat(), b"one\ntwo");
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_not_at_its_end() {
    let cut = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n24\r\n{\"id\":1,\"name\":\"ada\",\"and\":\"more\"}\n\n\r\n";
    let (_legacy, _scene, users) = answering(Reply::Close(cut.to_vec())).await;
    let mut stream = users.all().await.must("a stream");
    assert_eq!(stream.next().await.must("one").must("ada"), ada());
    let error = stream.next().await.must("an end").must_err();
    let status = error.status().must("a status");
    assert_eq!((status.code(), status.ran()), (Code::Unavailable, Ran::Maybe), "{status}");
    assert!(stream.next().await.is_none());
    // An error before the stream is the method's own.
    let (_legacy, _scene, users) = answering(Reply::json("400 Bad", &problem("no"))).await;
    assert!(users.all().await.must_err().app().is_some());
}

#[tokio::test]
async fn a_stream_that_falls_silent_ends_with_what_to_set() {
    let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    let (_legacy, _scene, users) = answering(Reply::Open(head)).await;
    let options = CallOptions::new().stream_idle(Duration::from_millis(50));
    let mut stream = users.with(options).all().await.must("a stream");
    let error = stream.next().await.must("an end").must_err();
    assert!(error.status().must("a status").message().contains("stream_idle"), "{error:?}");
}

/// A service of somebody else, whose slow answers are hedged.
#[sinew::service(name = "legacy.Hedged")]
trait Hedged {
    #[rpc(hedge = "500ms")]
    #[http(get = "/user")]
    async fn user(&self) -> Result<User, Status>;
}

#[tokio::test]
async fn a_slow_answer_is_hedged_as_anywhere() {
    let is_slow = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let slow = Arc::clone(&is_slow);
    let one = Legacy::start(move |_| match slow.load(Ordering::Relaxed) {
        true => Reply::Silence,
        false => Reply::json("200 OK", ADA),
    })
    .await;
    let other = Legacy::start(|_| Reply::json("200 OK", ADA)).await;
    let scene = Scene::new();
    let mesh = scene.mesh_with(|builder| builder.transport(sinew_bridge::http())).await;
    let both = format!("static:{},{}", one.url(), other.url());
    let hedged: HedgedClient = mesh.client_at(both).must("a client");
    while one.asked().len() < 100 || other.asked().is_empty() {
        hedged.user().await.must("an answer");
    }
    is_slow.store(true, Ordering::Relaxed);
    let asked = one.asked().len();
    // Alone it would not be answered before its deadline.
    while one.asked().len() == asked {
        assert_eq!(hedged.user().await.must("an answer"), ada());
    }
}

#[tokio::test]
async fn a_connection_that_nobody_uses_is_closed_before_its_server_does_it() {
    let reply = Reply::with("200 OK", "keep-alive: timeout=2\r\n", ADA.as_bytes());
    let (legacy, _scene, users) = answering(reply).await;
    users.plain().await.must("a user");
    assert_eq!(legacy.open(), 1);
    // A second less than its server would wait.
    until("it is closed", || legacy.open() == 0).await;
    users.plain().await.must("a user");
    assert_eq!(legacy.connections(), 2);
}
