//! A call as a request of HTTP: where each argument goes, what goes beside it, and what is not sent.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sinew::{CallOptions, Code, Mesh, Ran, Status, Streaming};
use sinew_core::{
    ids::MethodId,
    wire::{AnswerOutcome, RequestHead, trace::TraceContext},
};
use sinew_tests::{
    Must as _, MustFail as _,
    legacy::{Legacy, Reply},
    raw::{Target, frames},
    scene::Scene,
};

#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
struct NewUser {
    name: String,
    age: u8,
}

#[derive(Debug, Serialize, Deserialize)]
struct Filter {
    tags: Vec<String>,
    since: Option<u64>,
    exact: bool,
}

/// A service of somebody else.
#[sinew::service(name = "legacy.Users")]
trait Users {
    #[http(get = "/users/{id}")]
    async fn user(&self, id: String) -> Result<(), Status>;

    #[http(get = "/v1/{area}:search/{year}.json", query = ["page", "sort"], header("x-tenant" = "tenant"))]
    async fn search(
        &self,
        area: String,
        year: u16,
        page: Option<u32>,
        sort: Vec<String>,
        tenant: String,
    ) -> Result<(), Status>;

    #[http(get = "/find", query("filter" = "by", "q" = "text"))]
    async fn find(&self, by: Filter, text: String) -> Result<(), Status>;

    #[http(post = "/users", body = "user")]
    async fn create(&self, user: NewUser) -> Result<(), Status>;

    #[http(put = "/users/{id}")]
    async fn rename(&self, id: u64, name: String, nick: Option<String>) -> Result<(), Status>;

    #[http(patch = "/users/{id}", form = "change")]
    async fn change(&self, id: u64, change: BTreeMap<String, String>) -> Result<(), Status>;

    #[http(delete = "/users/{id}")]
    async fn remove(&self, id: u64) -> Result<(), Status>;

    #[http(head = "/users/{id}")]
    async fn exists(&self, id: u64) -> Result<(), Status>;

    #[http(options = "/users")]
    async fn options(&self) -> Result<(), Status>;

    #[http(put = "/users/{id}/picture", bytes = "picture")]
    async fn picture(&self, id: u64, picture: Bytes) -> Result<(), Status>;

    #[http(post = "/users/import", query = ["dry"])]
    async fn import(&self, dry: bool, users: Streaming<NewUser>) -> Result<(), Status>;

    #[http(post = "/users/raw")]
    async fn upload(&self, pieces: Streaming<Bytes>) -> Result<(), Status>;

    #[http(post = "/pay", header("idempotency-key" = "key"))]
    async fn pay(&self, key: String, cents: u128) -> Result<(), Status>;

    /// Bound to nothing.
    async fn unbound(&self, name: String, count: u8, data: Bytes) -> Result<(), Status>;

    #[rpc(raw)]
    async fn raw(&self, bytes: Bytes) -> Result<Bytes, Status>;
}

async fn mesh(scene: &Scene) -> Mesh {
    scene.mesh_with(|builder| builder.transport(sinew_bridge::http())).await
}

/// A server that answers everything with nothing, and a client of it.
async fn server() -> (Legacy, UsersClient) {
    let legacy = Legacy::start(|_| Reply::json("200 OK", "null")).await;
    let client = mesh(&Scene::new()).await.client_at(legacy.url()).must("a client");
    (legacy, client)
}

fn user(name: &str) -> NewUser {
    NewUser { name: name.to_owned(), age: 7 }
}

#[tokio::test]
async fn each_argument_goes_where_the_trait_says() {
    let (legacy, users) = server().await;
    users.user("a b/c".into()).await.must("user");
    let sort = vec!["name".to_owned(), "a&b".to_owned()];
    users.search("eu".into(), 2026, Some(3), sort, "acme".into()).await.must("search");
    users.search("eu".into(), 1, None, vec![], "x y".into()).await.must("search");
    let by = Filter { tags: vec!["x".into(), "ü".into()], since: None, exact: true };
    users.find(by, "?".into()).await.must("find");
    users.remove(u64::MAX).await.must("remove");
    users.exists(1).await.must("exists");
    users.options().await.must("options");
    let lines: Vec<_> = legacy.asked().iter().map(|asked| asked.line.clone()).collect();
    assert_eq!(
        lines,
        [
            "GET /users/a%20b%2Fc HTTP/1.1",
            "GET /v1/eu:search/2026.json?page=3&sort=name&sort=a%26b HTTP/1.1",
            "GET /v1/eu:search/1.json HTTP/1.1",
            "GET /find?exact=true&tags=x&tags=%C3%BC&q=%3F HTTP/1.1",
            "DELETE /users/18446744073709551615 HTTP/1.1",
            "HEAD /users/1 HTTP/1.1",
            "OPTIONS /users HTTP/1.1",
        ]
    );
    let asked = legacy.asked();
    assert_eq!(asked[1].header("x-tenant"), Some("acme"));
    assert_eq!(asked[2].header("x-tenant"), Some("x y"));
    assert!(
        asked.iter().all(|asked| asked.body.is_empty() && asked.header("content-length").is_none())
    );
}

#[tokio::test]
async fn a_body_is_json_a_form_bytes_or_what_is_left() {
    let (legacy, users) = server().await;
    users.create(user("ada")).await.must("create");
    users.rename(7, "bob".into(), None).await.must("rename");
    let change = [("a b", "1&2"), ("c", "")].map(|(key, value)| (key.into(), value.into()));
    users.change(7, change.into()).await.must("change");
    users.picture(7, Bytes::from_static(b"\x00\xff\r\n")).await.must("picture");
    users.pay("k1".into(), u128::MAX).await.must("pay");
    users.unbound("n".into(), 2, Bytes::from_static(b"\x01\x02")).await.must("unbound");
    users.raw(Bytes::from_static(b"as is")).await.must("raw");
    let asked = legacy.asked();
    let seen: Vec<_> = asked
        .iter()
        .map(|asked| {
            let kind = asked.header("content-type").must("a type");
            assert_eq!(asked.header("content-length"), Some(&*asked.body.len().to_string()));
            (&*asked.line, kind, &*asked.body)
        })
        .collect();
    let json = "application/json";
    let bytes = "application/octet-stream";
    let form = "application/x-www-form-urlencoded";
    let cents: &[u8] = br#"{"cents":340282366920938463463374607431768211455}"#;
    assert_eq!(
        seen,
        [
            ("POST /users HTTP/1.1", json, &br#"{"name":"ada","age":7}"#[..]),
            ("PUT /users/7 HTTP/1.1", json, br#"{"name":"bob","nick":null}"#),
            ("PATCH /users/7 HTTP/1.1", form, b"a%20b=1%262&c="),
            ("PUT /users/7/picture HTTP/1.1", bytes, b"\x00\xff\r\n"),
            ("POST /pay HTTP/1.1", json, cents),
            (
                "POST /legacy.Users/unbound HTTP/1.1",
                json,
                br#"{"name":"n","count":2,"data":[1,2]}"#
            ),
            ("POST /legacy.Users/raw HTTP/1.1", bytes, b"as is"),
        ]
    );
    assert_eq!(asked[4].header("idempotency-key"), Some("k1"));
}

#[tokio::test]
async fn a_stream_is_a_body_in_chunks() {
    let (legacy, users) = server().await;
    users.import(true, Streaming::iter([user("a"), user("b")])).await.must("import");
    let pieces = [Bytes::from_static(b"one"), Bytes::from_static(b"\n\x00")];
    users.upload(Streaming::iter(pieces)).await.must("upload");
    let [import, upload] = &*legacy.asked() else { panic!("{:?}", legacy.asked()) };
    assert_eq!(import.line, "POST /users/import?dry=true HTTP/1.1");
    assert_eq!(import.header("content-type"), Some("application/x-ndjson"));
    assert_eq!(import.text(), "{\"name\":\"a\",\"age\":7}\n{\"name\":\"b\",\"age\":7}\n");
    assert_eq!(upload.body, b"one\n\x00");
    assert_eq!(upload.header("transfer-encoding"), Some("chunked"));
}

#[tokio::test]
async fn deadline_agent_and_metadata_go_beside() {
    let (legacy, users) = server().await;
    let options = CallOptions::new()
        .timeout(std::time::Duration::from_secs(2))
        .metadata("x-request-id", "r1")
        .must("metadata")
        .metadata("authorization", "Bearer abc")
        .must("metadata")
        .metadata("baggage.user", "a b")
        .must("metadata");
    users.with(options).user("1".into()).await.must("user");
    let asked = legacy.asked_once();
    let left: u64 = asked.header("x-request-timeout-ms").must("a deadline").parse().must("ms");
    // 5 ms are kept for the way back.
    assert!((1_000..=1_995).contains(&left), "{left}");
    assert_eq!(asked.header("grpc-timeout"), Some(&*format!("{left}m")));
    assert_eq!(asked.header("x-request-id"), Some("r1"));
    assert_eq!(asked.header("authorization"), Some("Bearer abc"));
    assert_eq!(asked.header("baggage"), Some("user=a%20b"));
    assert!(asked.header("user-agent").must("an agent").starts_with("sinew/"));
    assert!(asked.header("host").must("a host").starts_with("127.0.0.1:"));
}

/// A service that asks the legacy one.
#[sinew::service(name = "shop.Front")]
trait Front {
    async fn user(&self, id: String) -> Result<(), Status>;
}

struct Asks(UsersClient);

impl Front for Asks {
    async fn user(&self, id: String) -> Result<(), Status> {
        self.0.user(id).await
    }
}

#[tokio::test]
async fn the_trace_of_a_call_goes_on_with_the_deadline() {
    let (legacy, users) = server().await;
    let target = Target::with(|server| server.serve(FrontServer::new(Asks(users)))).await;
    let (_client, mut lane) = target.lane().await;
    let method = MethodId::of("shop.Front", "user");
    let mut head = RequestHead::new(method, frames::BINCODE);
    head.trace = Some(TraceContext { trace_id: [0xab; 16], span_id: [0x0c; 8], flags: 1 });
    let body = frames::body_of("7");
    lane.write(frames::request(1, frames::millis_left(3_000), &head, &body)).await;
    let (_, answer, _) = lane.answer().await;
    assert!(matches!(answer.outcome, AnswerOutcome::Ok), "{answer:?}");
    let asked = legacy.asked_once();
    let expected = format!("00-{}-{}-01", "ab".repeat(16), "0c".repeat(8));
    assert_eq!(asked.header("traceparent"), Some(&*expected));
    let left: u64 = asked.header("x-request-timeout-ms").must("a deadline").parse().must("ms");
    assert!((500..3_000).contains(&left), "{left}");
    // And of a call that has none, there is none.
    head.trace = None;
    lane.write(frames::request(2, frames::millis_left(3_000), &head, &body)).await;
    lane.answer().await;
    assert_eq!(legacy.asked().last().must("a request").header("traceparent"), None);
}

#[tokio::test]
async fn what_is_in_the_path_stays_in_its_segment() {
    let (legacy, users) = server().await;
    for id in ["../x", "%2e%2e%2f", "a/b", "a%2Fb", ";x", "a?b=c", "a#b", "//", "é", "http://evil/"]
    {
        users.user(id.into()).await.must(id);
    }
    for asked in legacy.asked() {
        let path = asked.line.strip_prefix("GET ").and_then(|line| line.strip_suffix(" HTTP/1.1"));
        let path = path.must("a path");
        assert_eq!(path.matches('/').count(), 2, "{path}");
        assert!(!path.contains(['?', '#', ';']), "{path}");
    }
    let sent = legacy.asked().len();
    for (id, word) in
        [("", "is empty"), (".", "`.`"), ("..", "`..`"), (&*"x".repeat(9000), "HTTP_TARGET_MAX")]
    {
        let status = users.user(id.into()).await.must_err();
        assert_eq!((status.code(), status.ran()), (Code::InvalidArgument, Ran::No), "{status}");
        assert!(status.message().contains(word), "{status}");
    }
    assert_eq!(legacy.asked().len(), sent);
}

#[tokio::test]
async fn no_header_frames_the_request_or_belongs_to_the_connection() {
    let (legacy, users) = server().await;
    let with = |key: &str, value: &[u8]| {
        users.with(CallOptions::new().metadata(key, value).must("metadata"))
    };
    for (key, value) in [
        ("x-a", &b"a\r\nx-b: c"[..]),
        ("x-a", b"a\nb"),
        ("x-a", b"a\0b"),
        ("x-a", b" a"),
        ("content-length", b"5"),
        ("transfer-encoding", b"chunked"),
        ("connection", b"close"),
        ("upgrade", b"h2c"),
        ("te", b"trailers"),
        ("trailer", b"x"),
        ("proxy-authorization", b"x"),
        ("host", b"evil"),
        ("expect", b"100-continue"),
        ("x-request-timeout-ms", b"1"),
        ("traceparent", b"00-0-0-00"),
    ] {
        let status = with(key, value).user("1".into()).await.must_err();
        assert_eq!((status.code(), status.ran()), (Code::InvalidArgument, Ran::No), "{status}");
        assert!(status.message().contains(&format!("`{key}`")), "{status}");
    }
    let status = users.search("a".into(), 1, None, vec![], "x\r\ny: z".into()).await;
    let status = status.must_err();
    assert!(status.message().contains("`tenant`"), "{status}");
    assert_eq!(legacy.asked().len(), 0);
}

/// The macro refuses arguments, and the bridge metadata, that would be one of the bridge's own headers.
#[test]
fn the_macro_and_the_bridge_keep_the_same_headers_for_the_bridge() {
    let list = |source: &'static str, name: &str, end: &str| -> Vec<&'static str> {
        let (_, list) = source.split_once(name).must("the list");
        let (list, _) = list.split_once(end).must("its end");
        list.split('"').skip(1).step_by(2).collect()
    };
    let of_macro = include_str!("../../codegen/src/check/http.rs");
    let of_macro = list(of_macro, "const RESERVED:", "];");
    let framing = include_str!("../../runtime/bridge/src/framing.rs");
    let mut of_bridge = list(framing, "fn is_framing(", "\n}");
    let others = include_str!("../../runtime/bridge/src/request/headers.rs");
    of_bridge.extend(list(others, "const OURS:", "];"));
    of_bridge.sort_unstable();
    assert!(of_bridge.contains(&"transfer-encoding"), "{of_bridge:?}");
    assert_eq!(of_macro, of_bridge);
}
