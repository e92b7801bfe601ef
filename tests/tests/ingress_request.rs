//! What a request over plain HTTP may be, who may make it, and what it is answered.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use serde::{Deserialize, Serialize};
use sinew::{Code, Concurrency, Context, Mesh, Server, Status, Streaming};
use sinew_bridge::{
    Ingress, IngressError,
    ingress::{IngressService, Listening},
};
use sinew_tests::{
    Must as _, MustFail as _,
    authority::Authority,
    plain::{ask, get, parse, post, sent},
    scene::{Scene, mesh_of},
    wait::{soon, until},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tower_service::Service as _;

#[derive(Debug, Serialize, Deserialize)]
struct Item {
    name: String,
    count: u8,
}

#[derive(Debug, Serialize, Deserialize)]
struct SoldOut {
    until: String,
}

/// A shop.
#[sinew::service(name = "shop.Shop")]
trait Shop {
    /// One item.
    #[http(get = "/items/{id}", query = ["verbose"])]
    async fn item(&self, id: u32, verbose: Option<bool>) -> Option<Item>;

    /// The one that everybody wants.
    #[http(get = "/items/best")]
    async fn best(&self) -> String;

    #[http(post = "/items", body = "item")]
    async fn add(&self, item: Item) -> Result<u64, SoldOut>;

    #[http(delete = "/items/{id}")]
    async fn remove(&self, id: u32) -> Result<(), Status>;

    #[http(get = "/numbers/{to}")]
    async fn numbers(&self, to: u32) -> Streaming<u32>;

    /// Bound to nothing.
    async fn order(&self, item: String, count: Option<u8>) -> String;

    /// Who calls, and how many milliseconds are left.
    async fn who(&self) -> (String, u64);

    /// Never ends by itself.
    async fn hold(&self);

    async fn fail(&self, code: u8) -> Result<(), Status>;
}

#[derive(Clone, Default)]
struct Here {
    held: Arc<AtomicU64>,
    ended: Arc<AtomicU64>,
}

impl Shop for Here {
    async fn item(&self, id: u32, verbose: Option<bool>) -> Option<Item> {
        let name = if verbose == Some(true) { "a very good one" } else { "one" };
        (id == 7).then(|| Item { name: name.to_owned(), count: 1 })
    }

    async fn best(&self) -> String {
        "the \"best\"".to_owned()
    }

    async fn add(&self, item: Item) -> Result<u64, SoldOut> {
        match item.count {
            0 => Err(SoldOut { until: "Monday".to_owned() }),
            count => Ok(u64::from(count)),
        }
    }

    async fn remove(&self, id: u32) -> Result<(), Status> {
        if id == 7 { Ok(()) } else { Err(Status::new(Code::NotFound, format!("no {id}"))) }
    }

    async fn numbers(&self, to: u32) -> Streaming<u32> {
        Streaming::iter(0..to)
    }

    async fn order(&self, item: String, count: Option<u8>) -> String {
        format!("{item} {count:?}")
    }

    async fn who(&self) -> (String, u64) {
        let context = Context::current().must("a context");
        let left = context.remaining().must("a deadline").as_millis() as u64;
        (context.peer().must("a peer").identity().to_string(), left)
    }

    async fn hold(&self) {
        struct Ends(Arc<AtomicU64>);
        impl Drop for Ends {
            fn drop(&mut self) {
                self.0.fetch_add(1, Relaxed);
            }
        }
        let _ends = Ends(Arc::clone(&self.ended));
        self.held.fetch_add(1, Relaxed);
        std::future::pending().await
    }

    async fn fail(&self, code: u8) -> Result<(), Status> {
        Err(Status::new(Code::from_u8(code).unwrap_or(Code::Unknown), "db-7.internal is down"))
    }
}

/// The shop, and its way in.
struct Open {
    address: SocketAddr,
    here: Here,
    http: Listening,
    server: Server,
    mesh: Mesh,
}

async fn open_with(
    serve: impl FnOnce(sinew::ServerBuilder) -> sinew::ServerBuilder,
    set: impl FnOnce(Ingress) -> Ingress,
) -> Open {
    let (mesh, here) = (Scene::new().mesh().await, Here::default());
    let server = serve(mesh.server().serve(ShopServer::new(here.clone())));
    let server = server.bind("127.0.0.1:0").await.must("a server");
    let http = set(sinew_bridge::ingress(&server)).bind("127.0.0.1:0").await;
    let http = http.must("an ingress");
    Open { address: http.local_addr(), here, http, server, mesh }
}

async fn open() -> Open {
    open_with(|server| server, |ingress| ingress).await
}

#[tokio::test]
async fn values_are_answered_as_their_bindings_say() {
    let shop = open().await;
    let item = get(shop.address, "GET", "/items/7").await;
    assert_eq!((item.status, item.text()), (200, r#"{"name":"one","count":1}"#));
    assert_eq!(item.header("content-type"), Some("application/json"));
    let verbose = get(shop.address, "GET", "/items/7?verbose=true&utm_source=x").await;
    assert!(verbose.text().contains("a very good one"), "{verbose:?}");
    let none = get(shop.address, "GET", "/items/8").await;
    assert_eq!((none.status, none.text()), (404, "null"));
    // What says more of a path goes before what says less.
    let best = get(shop.address, "GET", "/items/best").await;
    assert_eq!((best.status, best.text()), (200, "the \"best\""));
    assert_eq!(best.header("content-type"), Some("text/plain; charset=utf-8"));
    let head = get(shop.address, "HEAD", "/items/7").await;
    assert_eq!((head.status, head.header("content-length")), (200, Some("24")));
    let removed = get(shop.address, "DELETE", "/items/7").await;
    assert_eq!((removed.status, removed.text()), (204, ""));
    let added = post(shop.address, "/items", "", r#"{"name":"x","count":3}"#).await;
    assert_eq!((added.status, added.text()), (200, "3"));
    let sold_out = post(shop.address, "/items", "", r#"{"name":"x","count":0}"#).await;
    assert_eq!((sold_out.status, sold_out.text()), (422, r#"{"until":"Monday"}"#));
    let ordered = post(shop.address, "/shop.Shop/order", "", r#"{"item":"x"}"#).await;
    assert_eq!((ordered.status, ordered.text()), (200, r#""x None""#));
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said() {
    let shop = open().await;
    let problem = |said: sinew_tests::plain::Said| {
        assert_eq!(said.header("content-type"), Some("application/problem+json"), "{said:?}");
        assert_eq!(said.header("x-sinew-processed"), Some("no"), "{said:?}");
        assert_eq!(said.json()["status"], said.status);
        (said.status, said.json()["detail"].as_str().must("a detail").to_owned())
    };
    let order = |json: &'static str| post(shop.address, "/shop.Shop/order", "", json);
    for (said, status, words) in [
        (get(shop.address, "GET", "/nowhere").await, 404, "nothing is served at `/nowhere`"),
        (get(shop.address, "PUT", "/items/7").await, 405, "served for"),
        (get(shop.address, "GET", "/items/x").await, 400, "`id`: a whole number"),
        (get(shop.address, "GET", "/items/4294967296").await, 400, "shop.Shop/item"),
        (get(shop.address, "GET", "/items/7?verbose=maybe").await, 400, "`true` or `false`"),
        (get(shop.address, "GET", "/items/%ff").await, 404, "nothing is served"),
        (order("{").await, 400, "the body"),
        (order("[]").await, 400, "an object of the arguments `item`, `count`"),
        (order("{}").await, 400, "`item` is missing"),
        (
            order(r#"{"item":"x","size":1}"#).await,
            400,
            "no argument `size`; there is `item`, `count`",
        ),
        (order(r#"{"item":"x","item":"y"}"#).await, 400, "`item` stands there twice"),
        (order(r#"{"item":7}"#).await, 400, "shop.Shop/order"),
        (order(r#"{"item":"x"} {}"#).await, 400, "trailing"),
    ] {
        let (code, detail) = problem(said);
        assert!(code == status && detail.contains(words), "{code}: {detail} ({words})");
    }
    let form = "POST /shop.Shop/order HTTP/1.1\nhost: localhost\nconnection: close\ncontent-type: text/plain\n\
        content-length: 12\n\n{\"item\":\"x\"}";
    assert_eq!(problem(ask(shop.address, form).await).0, 415, "what any page can send is no call");
    let large = "POST /items HTTP/1.1\nhost: localhost\nconnection: close\ncontent-type: application/json\n\
        content-length: 4194305\n\n";
    assert_eq!(problem(ask(shop.address, large).await).0, 413);
    let packed = "POST /items HTTP/1.1\nhost: localhost\nconnection: close\ncontent-type: application/json\n\
        content-encoding: gzip\ncontent-length: 2\n\n{}";
    assert_eq!(problem(ask(shop.address, packed).await).0, 415);
    let options = get(shop.address, "OPTIONS", "/items/7").await;
    assert_eq!(
        (options.status, options.header("allow")),
        (204, Some("GET, DELETE, HEAD, OPTIONS"))
    );
}

#[tokio::test]
async fn statuses_are_problem_details_and_strangers_hear_what_concerns_them() {
    let shop = open().await;
    let fails = |address, code: u8| async move {
        let said = post(address, "/shop.Shop/fail", "", &format!("{{\"code\":{code}}}")).await;
        let detail = said.json()["detail"].as_str().must("a detail").to_owned();
        (said.status, said.header("x-sinew-code").must("a code").to_owned(), detail)
    };
    for (code, status, is_told) in [
        (Code::Cancelled, 499, false),
        (Code::Unknown, 500, false),
        (Code::InvalidArgument, 400, true),
        (Code::DeadlineExceeded, 504, false),
        (Code::NotFound, 404, true),
        (Code::AlreadyExists, 409, true),
        (Code::PermissionDenied, 403, true),
        (Code::ResourceExhausted, 429, false),
        (Code::FailedPrecondition, 412, true),
        (Code::Aborted, 409, true),
        (Code::OutOfRange, 413, true),
        (Code::Unimplemented, 501, true),
        (Code::Internal, 500, false),
        (Code::Unavailable, 503, false),
        (Code::DataLoss, 500, false),
        (Code::Unauthenticated, 401, true),
    ] {
        let (sent, name, detail) = fails(shop.address, code as u8).await;
        assert_eq!((sent, name), (status, code.to_string()));
        assert_eq!(detail.contains("db-7"), is_told, "{code}: {detail}");
    }
    let within = open_with(|server| server, Ingress::trusted).await;
    assert!(fails(within.address, Code::Internal as u8).await.2.contains("db-7"));
}

#[tokio::test]
async fn streams_are_events_for_who_asks_and_lines_else() {
    let shop = open().await;
    let lines = get(shop.address, "GET", "/numbers/3").await;
    assert_eq!((lines.status, lines.text(), lines.is_whole), (200, "0\n1\n2\n", true));
    assert_eq!(lines.header("content-type"), Some("application/x-ndjson"));
    let asked = "GET /numbers/3 HTTP/1.1\nhost: localhost\nconnection: close\naccept: text/event-stream\n\n";
    let events = ask(shop.address, asked).await;
    assert_eq!((events.text(), events.is_whole), ("data: 0\n\ndata: 1\n\ndata: 2\n\n", true));
    assert_eq!(events.header("content-type"), Some("text/event-stream"));
}

#[tokio::test]
async fn a_stranger_says_neither_who_he_is_nor_how_long_he_waits() {
    let said = "x-sinew-identity: spiffe://prod.example/admin\ngrpc-timeout: 700m\n";
    let who = |address| async move {
        let said = post(address, "/shop.Shop/who", said, "{}").await;
        let said = said.json();
        (said[0].as_str().must("an identity").to_owned(), said[1].as_u64().must("a time"))
    };
    let shop = open().await;
    let (identity, left) = who(shop.address).await;
    assert!(identity.ends_with("/http/anonymous"), "{identity}");
    assert!(left > 5_000, "{left}: ten seconds are usual");
    let within = open_with(|server| server, Ingress::trusted).await;
    let (identity, left) = who(within.address).await;
    assert!(identity == "spiffe://prod.example/admin" && left <= 700, "{identity}, {left} ms");
}

const SECRET: &str = "0123456789abcdef0123456789abcdef";

#[tokio::test]
async fn a_token_is_an_identity_that_rules_name() {
    let authority = Authority::new("root");
    let mesh = mesh_of(authority.identity("spiffe://prod.example/shop"), |builder| builder).await;
    let server = mesh.server().serve(ShopServer::new(Here::default())).bind("127.0.0.1:0").await;
    let server = server.must("a server");
    let ingress = sinew_bridge::ingress(&server);
    let ingress = ingress.bearer_token(SECRET, "spiffe://prod.example/http/partner");
    let http = ingress.bind("127.0.0.1:0").await.must("an ingress");
    let address = http.local_addr();
    let who = |token: &str| {
        let header = format!("authorization: Bearer {token}\n");
        async move { post(address, "/shop.Shop/who", &header, "{}").await }
    };
    let said = who(SECRET).await;
    assert_eq!(said.json()[0], "spiffe://prod.example/http/partner");
    let unknown = who("0123456789abcdef0123456789abcdeX").await;
    assert_eq!((unknown.status, unknown.header("www-authenticate")), (401, Some("Bearer")));
    let allow = |caller: &str| {
        format!("version = 1\n[[allow]]\ncaller = \"{caller}\"\nmethod = \"shop.Shop/who\"\n")
    };
    mesh.apply_policy(&allow("spiffe://prod.example/other")).must("a policy");
    let denied = who(SECRET).await;
    assert_eq!((denied.status, denied.header("x-sinew-processed")), (403, Some("no")));
    mesh.apply_policy(&allow("spiffe://prod.example/http/partner")).must("a policy");
    assert_eq!(who(SECRET).await.status, 200);
}

/// Servers see the gateway, so its own policy says who of its callers may call what.
#[tokio::test]
async fn rules_hold_in_a_gateway_for_those_who_come_through_it() {
    const OTHER: &str = "fedcba9876543210fedcba9876543210";
    let gateway = "spiffe://prod.example/shop.Shop";
    let authority = Authority::new("root");
    let mesh = mesh_of(authority.identity(gateway), |builder| builder).await;
    let server = mesh.server().serve(ShopServer::new(Here::default())).bind("127.0.0.1:0").await;
    let server = server.must("a server");
    let described = sinew::describe::<ShopClient>();
    let shop = described.service("shop.Shop").must("it is described").clone();
    let client = mesh.dynamic_at("shop.Shop", format!("static:{}", server.local_addr()));
    let ingress = sinew_bridge::ingress_to(&mesh).reach(shop, client.must("a client"));
    let ingress = ingress.bearer_token(SECRET, "spiffe://prod.example/http/partner");
    let ingress = ingress.bearer_token(OTHER, "spiffe://prod.example/http/other");
    let http = ingress.bind("127.0.0.1:0").await.must("an ingress");
    let address = http.local_addr();
    let status = |token: &str, method: &str, json: &'static str| {
        let (header, path) =
            (format!("authorization: Bearer {token}\n"), format!("/shop.Shop/{method}"));
        async move { post(address, &path, &header, json).await.status }
    };
    for token in [SECRET, OTHER] {
        assert_eq!(status(token, "order", r#"{"item":"x"}"#).await, 200, "without rules all may");
    }
    let rule = |caller: &str, method: &str| {
        format!("[[allow]]\ncaller = \"{caller}\"\nmethod = \"shop.Shop/{method}\"\n")
    };
    let rules = rule(gateway, "*") + &rule("spiffe://prod.example/http/partner", "order");
    mesh.apply_policy(&format!("version = 1\n{rules}")).must("a policy");
    assert_eq!(status(SECRET, "order", r#"{"item":"x"}"#).await, 200);
    assert_eq!(status(SECRET, "who", "{}").await, 403, "no rule names this method");
    assert_eq!(status(OTHER, "order", r#"{"item":"x"}"#).await, 403, "no rule names this caller");
}

#[tokio::test]
async fn where_others_reach_it_something_must_protect_it() {
    let mesh = Scene::new().mesh().await;
    let server = mesh.server().serve(ShopServer::new(Here::default())).bind("127.0.0.1:0").await;
    let server = server.must("a server");
    let ingress = || sinew_bridge::ingress(&server);
    let why = |error: IngressError| match error {
        IngressError::Unprotected { problem, .. } => problem,
        other => panic!("{other}"),
    };
    let anywhere = "0.0.0.0:0";
    let open = why(ingress().bind(anywhere).await.must_err());
    assert!(open.contains("bearer_token") && open.contains("let_in_anybody"), "{open}");
    let known = |ingress: Ingress| ingress.bearer_token(SECRET, &mesh.identity().id().to_string());
    let plain = why(known(ingress()).bind(anywhere).await.must_err());
    assert!(plain.contains("insecure_plain_http"), "{plain}");
    drop(known(ingress()).insecure_plain_http().bind(anywhere).await.must("it was said"));
    let both = ingress().let_in_anybody().insecure_plain_http();
    drop(both.bind(anywhere).await.must("it was said"));
    // Nor does what comes later open what was closed.
    let closed = known(ingress()).insecure_plain_http().bind(anywhere).await.must("it was said");
    assert!(why(closed.replace(ingress()).must_err()).contains("anybody could call"));
    let weak = ingress().bearer_token("short", &mesh.identity().id().to_string());
    assert!(weak.bind("127.0.0.1:0").await.must_err().to_string().contains("32"));
}

#[tokio::test]
async fn what_a_page_of_a_stranger_has_a_browser_send_is_not_meant() {
    let shop = open().await;
    let from = |site: &str, verb: &str, path: &str, host: &str| {
        let request = format!(
            "{verb} {path} HTTP/1.1\nhost: {host}\nconnection: close\nsec-fetch-site: {site}\ncontent-type: \
             application/json\ncontent-length: 2\n\n{{}}"
        );
        async move { ask(shop.address, &request).await.status }
    };
    assert_eq!(from("cross-site", "POST", "/shop.Shop/who", "localhost").await, 403);
    assert_eq!(from("same-site", "POST", "/shop.Shop/who", "localhost").await, 403);
    assert_eq!(from("same-origin", "POST", "/shop.Shop/who", "localhost:80").await, 200);
    assert_eq!(from("none", "POST", "/shop.Shop/who", "127.0.0.1:8080").await, 200);
    assert_eq!(from("none", "POST", "/shop.Shop/who", "[::1]:8080").await, 200);
    // A name that leads to this machine, and is not its own.
    assert_eq!(from("same-origin", "POST", "/shop.Shop/who", "evil.example").await, 403);
    assert_eq!(
        from("cross-site", "GET", "/items/7", "localhost").await,
        200,
        "who only reads is not heard"
    );
}

/// What a browser asks for here under another name than this machine's is refused, whatever it is; where something else says
/// who calls, a name is no matter.
#[tokio::test]
async fn a_name_of_a_stranger_that_leads_here_reaches_nothing() {
    let shop = open_with(|server| server, |ingress| ingress).await;
    let paths = ["/items/7", "/openapi.json", "/try", "/try.js", "/nothing"];
    let asked = |address, host: &str, path: &str| {
        let request = format!("GET {path} HTTP/1.1\nhost: {host}\nconnection: close\n\n");
        async move { ask(address, &request).await.status }
    };
    for host in
        ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", "localhost:1:1"]
    {
        for path in paths {
            assert_eq!(asked(shop.address, host, path).await, 403, "{host}{path}");
        }
    }
    for verb in ["PUT", "PATCH", "DELETE"] {
        let head = format!("{verb} /items/7 HTTP/1.1\nhost: localhost\nconnection: close\n");
        let stranger = ask(shop.address, &format!("{head}sec-fetch-site: cross-site\n\n")).await;
        assert_eq!(stranger.status, 403, "{verb}");
    }
    let known = open_with(|server| server, Ingress::let_in_anybody).await;
    assert_eq!(asked(known.address, "shop.example", "/items/7").await, 200);
}

#[tokio::test]
async fn who_hangs_up_cancels_his_call() {
    let shop = open().await;
    let mut connection = TcpStream::connect(shop.address).await.must("a connection");
    let request = "POST /shop.Shop/hold HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n";
    connection.write_all(request.as_bytes()).await.must("it is sent");
    until("the handler has begun", || shop.here.held.load(Relaxed) == 1).await;
    drop(connection);
    until("the handler was dropped", || shop.here.ended.load(Relaxed) == 1).await;
}

#[tokio::test]
async fn what_the_server_has_no_place_for_is_told_when_to_come_again() {
    let shop =
        open_with(|server| server.concurrency(Concurrency::Fixed(1)), |ingress| ingress).await;
    let address = shop.address;
    let held = tokio::spawn(async move { post(address, "/shop.Shop/hold", "", "{}").await });
    until("the place is taken", || shop.here.held.load(Relaxed) == 1).await;
    let refused = get(address, "GET", "/items/7").await;
    assert_eq!((refused.status, refused.header("x-sinew-processed")), (429, Some("no")));
    assert_eq!(refused.header("retry-after"), Some("1"));
    held.abort();
}

/// Of all bodies at once there is a bound: what would be more is refused, and what is held is let go with its request.
#[tokio::test]
async fn bodies_that_are_held_leave_no_room_for_more() {
    let shop = open_with(|server| server, |ingress| ingress.bodies_max(1 << 20)).await;
    let address = shop.address;
    let held = Arc::clone(&shop.here.held);
    let large = format!("{}{{}}", " ".repeat(700 << 10));
    let hold = |json: String| {
        tokio::spawn(async move { post(address, "/shop.Shop/hold", "", &json).await })
    };
    let first = hold(large.clone());
    until("the first is at work", || held.load(Relaxed) == 1).await;
    let refused = post(address, "/shop.Shop/who", "", &large).await;
    assert_eq!((refused.status, refused.header("x-sinew-processed")), (429, Some("no")));
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert!(refused.text().contains("HTTP_BODIES_MAX"), "{}", refused.text());
    assert_eq!(post(address, "/shop.Shop/who", "", "{}").await.status, 200, "a small one fits");
    // What is served by another counts on.
    shop.http.replace(sinew_bridge::ingress(&shop.server).bodies_max(1 << 20)).must("another");
    assert_eq!(post(address, "/shop.Shop/who", "", &large).await.status, 429);
    first.abort();
    until("it is over", || shop.here.ended.load(Relaxed) == 1).await;
    soon("there is room", async {
        while post(address, "/shop.Shop/who", "", &large).await.status != 200 {}
    })
    .await;
}

#[tokio::test]
async fn draining_lets_calls_finish_and_takes_no_more() {
    let Open { address, here, http, server, mesh } = open().await;
    let mut idle = TcpStream::connect(address).await.must("a connection");
    let call = tokio::spawn(async move {
        sent(address, b"GET /numbers/3 HTTP/1.1\r\nhost: localhost\r\n\r\n").await
    });
    let mut held = TcpStream::connect(address).await.must("a connection");
    let request = "POST /shop.Shop/hold HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n";
    held.write_all(request.as_bytes()).await.must("it is sent");
    until("it is at work", || here.held.load(Relaxed) == 1).await;
    let draining = tokio::spawn(http.run_until(async {}));
    let mut rest = Vec::new();
    soon("idle ones end", idle.read_to_end(&mut rest)).await.must("an end");
    assert!(rest.is_empty(), "{rest:?}");
    let all = soon("the call", call).await.must("an answer");
    assert_eq!(parse(&all).must("an answer").0.text(), "0\n1\n2\n");
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
    assert!(!draining.is_finished(), "a call is still at work");
    drop(held);
    soon("it has drained", draining).await.must("an end");
    assert_eq!(here.ended.load(Relaxed), 1);
    drop((server, mesh));
}

#[tokio::test]
async fn it_is_a_tower_service_too() {
    let shop = open().await;
    let mut service: IngressService =
        sinew_bridge::ingress(&shop.server).service().must("a service");
    let request = http::Request::post("/items").header("content-type", "application/json");
    let body = http_body_util::Full::new(bytes::Bytes::from(r#"{"name":"x","count":9}"#));
    let response = service.call(request.body(body).must("a request")).await.must("an answer");
    assert_eq!(response.status(), 200);
    let body = http_body_util::BodyExt::collect(response.into_body()).await.must("a body");
    assert_eq!(body.to_bytes(), "9");
}

#[tokio::test]
async fn what_is_served_is_described() {
    let shop = open_with(|server| server, |ingress| ingress.title("The shop")).await;
    let document = get(shop.address, "GET", "/openapi.json").await;
    let said = document.json();
    assert_eq!(said["info"]["title"], "The shop");
    assert_eq!(said["paths"]["/items/{id}"]["get"]["summary"], "One item.");
    for (path, kind) in
        [("/try", "text/html"), ("/try.js", "text/javascript"), ("/try.css", "text/css")]
    {
        let page = get(shop.address, "GET", path).await;
        assert_eq!(page.status, 200);
        assert!(page.header("content-type").must("a kind").starts_with(kind), "{page:?}");
        assert!(
            page.header("content-security-policy").must("a policy").contains("default-src 'none'")
        );
    }
    let silent = open_with(|server| server, Ingress::without_pages).await;
    for path in ["/openapi.json", "/try", "/try.js"] {
        assert_eq!(get(silent.address, "GET", path).await.status, 404);
    }
}
