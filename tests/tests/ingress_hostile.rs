//! Clients over plain HTTP that mean harm: what they send is answered as docs/ingress.md says, and callers over QUIC notice
//! nothing.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use sinew::{Mesh, Server};
use sinew_bridge::ingress::Listening;
use sinew_tests::{
    Must as _,
    plain::{get, parse, post, sent},
    scene::{Scene, client_at},
    wait::{soon, until},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};

/// What strangers reach.
#[sinew::service(name = "door.Door")]
trait Door {
    #[http(get = "/first")]
    async fn first(&self) -> String;

    #[http(post = "/first", body = "text")]
    async fn written(&self, text: String) -> String;

    /// The one that is smuggled to.
    #[http(get = "/second")]
    async fn second(&self) -> String;

    #[http(get = "/files/{name}")]
    async fn file(&self, name: String) -> String;
}

#[derive(Clone, Default)]
struct Here {
    seconds: Arc<AtomicU64>,
}

impl Door for Here {
    async fn first(&self) -> String {
        "first".to_owned()
    }

    async fn written(&self, text: String) -> String {
        text
    }

    async fn second(&self) -> String {
        self.seconds.fetch_add(1, Relaxed);
        "second".to_owned()
    }

    async fn file(&self, name: String) -> String {
        name
    }
}

struct Open {
    address: SocketAddr,
    here: Here,
    client: DoorClient,
    _http: Listening,
    _server: Server,
    _mesh: Mesh,
}

async fn open() -> Open {
    let (mesh, here) = (Scene::new().mesh().await, Here::default());
    let server = mesh.server().serve(DoorServer::new(here.clone())).bind("127.0.0.1:0").await;
    let server = server.must("a server");
    let http = sinew_bridge::ingress(&server).bind("127.0.0.1:0").await.must("an ingress");
    let client = client_at(&mesh, &[server.local_addr()]);
    Open { address: http.local_addr(), here, client, _http: http, _server: server, _mesh: mesh }
}

const SECOND: &str = "GET /second HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Requests that a second reader could understand otherwise (reliability of the field: Pingora 2026-0033 and -0034, hyper
/// 2021-0020, -0078 and -0079, CVE-2025-55315).
fn smuggled() -> Vec<String> {
    let heads = [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding:\tchunked\x0b\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n",
        "Content-Length: 0\r\nContent-Length: 40\r\n\r\n",
        "Content-Length: 0\r\nContent-Length: 0\r\n\r\n",
        "Content-Length: 0, 0\r\n\r\n",
        "Content-Length: +0\r\n\r\n",
        "Content-Length: -0\r\n\r\n",
        "Content-Length: 0x0\r\n\r\n",
        "Content-Length: 0;\r\n\r\n",
        "Content-Length: \r\n\r\n",
        "Content-Length: 18446744073709551616\r\n\r\n",
        "X: 1\n\r\n",
        "X: 1\r\n\tfolded: 2\r\n\r\n",
        "X: 1\r\n Content-Length: 40\r\n\r\n",
        "X: a\rb\r\n\r\n",
        "X: a\0b\r\n\r\n",
        "X\r\n\r\n",
        ": x\r\n\r\n",
        "X y: 1\r\n\r\n",
        "Host: b\r\n\r\n",
        "Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
        "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    ];
    let mut all: Vec<String> = heads
        .iter()
        .map(|head| format!("POST /first HTTP/1.1\r\nHost: localhost\r\n{head}{SECOND}"))
        .collect();
    all.extend([
        format!("POST /first HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{SECOND}"),
        format!("POST /first HTTP/1.1\nHost: localhost\n\n{SECOND}"),
        format!("POST /first HTTP/1.1\r\n\r\n{SECOND}"),
        format!("POST  /first HTTP/1.1\r\nHost: localhost\r\n\r\n{SECOND}"),
        format!("POST /first HTTP/1.1 \r\nHost: localhost\r\n\r\n{SECOND}"),
        format!("POST /fi\x7frst HTTP/1.1\r\nHost: localhost\r\n\r\n{SECOND}"),
        format!("POST /first HTTP/3.1\r\nHost: localhost\r\n\r\n{SECOND}"),
        format!("POST /first\r\nHost: localhost\r\n\r\n{SECOND}"),
        format!("CONNECT a:80 HTTP/1.1\r\nHost: localhost\r\n\r\n{SECOND}"),
    ]);
    all
}

#[tokio::test]
async fn what_could_be_two_requests_is_none() {
    let door = open().await;
    for request in smuggled() {
        let all = sent(door.address, request.as_bytes()).await;
        let said = String::from_utf8_lossy(&all).into_owned();
        let (first, rest) = parse(&all).must("an answer before the end");
        assert_eq!(first.status, 400, "{request:?}: {said}");
        assert!(rest.is_empty(), "{request:?} was answered twice: {said}");
    }
    // Chunks that lie end the connection in the middle, whatever stands behind them.
    for chunks in [
        "0\n\r\n",
        "5;\n x\r\nhello\r\n0\r\n\r\n",
        "-1\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "5\r\nhelloX0\r\n\r\n",
    ] {
        let head = "POST /first HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked";
        let request = format!("{head}\r\n\r\n{chunks}{SECOND}");
        let all = sent(door.address, request.as_bytes()).await;
        let answers = String::from_utf8_lossy(&all).matches("HTTP/1.1 ").count();
        assert!(answers <= 1, "{request:?}: {answers} answers");
        assert!(parse(&all).is_none_or(|(said, _)| said.status == 400), "{request:?}");
    }
    assert_eq!(door.here.seconds.load(Relaxed), 0, "a second request was seen");
    assert_eq!(door.client.first().await.must("over QUIC"), "first");
}

#[tokio::test]
async fn honest_chunks_are_read_and_end_their_connection() {
    let door = open().await;
    let head = "POST /first HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked";
    let request = format!("{head}\r\n\r\n3\r\n\"ab\r\n2\r\nc\"\r\n0\r\n\r\n{SECOND}");
    let all = sent(door.address, request.as_bytes()).await;
    let (said, rest) = parse(&all).must("an answer");
    assert_eq!((said.status, said.text(), rest.len()), (200, "abc", 0));
    assert_eq!(said.header("connection"), Some("close"));
    assert_eq!(door.here.seconds.load(Relaxed), 0);
    // Without chunks requests follow each other on one connection.
    let two = "GET /first HTTP/1.1\r\nHost: localhost\r\n\r\nGET /second HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let all = sent(door.address, two.as_bytes()).await;
    let (first, rest) = parse(&all).must("an answer");
    assert_eq!((first.text(), parse(rest).must("another").0.text()), ("first", "second"));
}

#[tokio::test]
async fn a_path_is_taken_apart_before_it_is_decoded() {
    let door = open().await;
    for (path, name) in [
        ("/files/a%2Fb", Some("a/b")),
        ("/files/..%2F..%2Fetc", Some("../../etc")),
        ("/files/%2e%2e", Some("..")),
        ("/files/a;b", Some("a;b")),
        ("/files/..", Some("..")),
        ("/files/../first", None),
        ("/files//first", None),
        ("//first", None),
        ("/files/", None),
        ("/first/", None),
        ("/FIRST", None),
    ] {
        let said = get(door.address, "GET", path).await;
        match name {
            Some(name) => assert_eq!((said.status, said.text()), (200, name), "{path}"),
            None => assert_eq!(said.status, 404, "{path}"),
        }
    }
    let long = format!("/files/{}", "x".repeat(9_000));
    assert!(matches!(get(door.address, "GET", &long).await.status, 200 | 414 | 431));
    let longer = format!("/files/{}", "x".repeat(40_000));
    assert!(matches!(get(door.address, "GET", &longer).await.status, 414 | 431));
}

/// Clients that hold connections, write slowly, or write much: others are served, over both protocols.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_hold_on_hold_up_nobody_else() {
    let door = open().await;
    let (mut held, there) = (JoinSet::new(), Arc::new(AtomicU64::new(0)));
    for n in 0..200_u32 {
        let (address, there) = (door.address, Arc::clone(&there));
        held.spawn(async move {
            let mut connection = TcpStream::connect(address).await.must("a connection");
            let begun: &[u8] = match n % 4 {
                0 => b"",
                1 => b"GET /first HT",
                2 => b"GET /first HTTP/1.1\r\nHost: localhost\r\nX: ",
                _ => b"POST /first HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n\"",
            };
            connection.write_all(begun).await.must("room");
            there.fetch_add(1, Relaxed);
            let mut rest = Vec::new();
            let _ = connection.read_to_end(&mut rest).await;
            rest
        });
    }
    until("all of them are there", || there.load(Relaxed) == 200).await;
    for _ in 0..50 {
        assert_eq!(get(door.address, "GET", "/first").await.text(), "first");
        assert_eq!(door.client.first().await.must("over QUIC"), "first");
    }
    let mut statuses = Vec::new();
    let all = async {
        while let Some(rest) = held.join_next().await {
            let rest = rest.must("an end");
            statuses.push(parse(&rest).map_or(0, |(said, _)| said.status));
        }
    };
    tokio::time::timeout(Duration::from_secs(60), all).await.must("none is held for ever");
    // Who has begun a body hears that it did not come; the others are hung up on.
    assert_eq!(statuses.iter().filter(|status| **status == 408).count(), 50, "{statuses:?}");
}

#[tokio::test]
async fn much_of_anything_is_refused_and_costs_the_one_connection() {
    let door = open().await;
    let many: String = (0..200).map(|n| format!("X-{n}: 1\r\n")).collect();
    let headers = format!("GET /first HTTP/1.1\r\nHost: localhost\r\n{many}\r\n");
    let said = sent(door.address, headers.as_bytes()).await;
    assert_eq!(parse(&said).must("an answer").0.status, 431);
    let long =
        format!("GET /first HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    let said = sent(door.address, long.as_bytes()).await;
    assert!(parse(&said).is_none_or(|(said, _)| said.status == 431), "a head of 100 kB");
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(post(door.address, "/first", "", &deep).await.status, 400);
    // A body in chunks that never ends is read up to its bound.
    let mut connection = TcpStream::connect(door.address).await.must("a connection");
    let head = "POST /first HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    connection.write_all(head.as_bytes()).await.must("room");
    let chunk = [b"10000\r\n", &[b'x'; 0x10000][..], b"\r\n"].concat();
    let (mut read, mut write) = connection.into_split();
    let writing = tokio::spawn(async move { while write.write_all(&chunk).await.is_ok() {} });
    let mut all = Vec::new();
    let _ = soon("the end", read.read_to_end(&mut all)).await;
    writing.abort();
    assert!(
        parse(&all).is_none_or(|(said, _)| said.status == 413),
        "{}",
        String::from_utf8_lossy(&all)
    );
    assert_eq!(door.client.first().await.must("over QUIC"), "first");
    assert_eq!(get(door.address, "GET", "/first").await.text(), "first");
}
