//! One trait, both wires: what the bridge sends out over plain HTTP is understood where plain HTTP comes in, and what is
//! answered there is the same answer.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sinew::{
    CallError, CallOptions, Code, Context, Directive, Disposition, Mesh, Ran, Status, Streaming,
};
use sinew_bridge::ingress::Listening;
use sinew_tests::{Must as _, MustFail as _, scene::Scene};

#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
struct User {
    name: String,
    age: Option<u8>,
    tags: Vec<String>,
    home: Home,
}

#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
enum Home {
    Nowhere,
    City(String),
    At { north: f64, east: f64 },
}

#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
struct Filter {
    tags: Vec<String>,
    since: Option<u64>,
    exact: bool,
}

#[derive(Debug, Serialize, Deserialize, PartialEq)]
enum Problem {
    Taken { name: String },
    Full,
}

/// Everything that a binding can say.
#[sinew::service(name = "round.Everything")]
trait Everything {
    #[http(get = "/users/{id}")]
    async fn user(&self, id: u64) -> Option<User>;

    #[http(get = "/v1/{area}:search/{year}.json", query = ["page", "sort"], header("x-tenant" = "tenant"))]
    async fn search(
        &self,
        area: String,
        year: i16,
        page: Option<u32>,
        sort: Vec<String>,
        tenant: Option<String>,
    ) -> Vec<String>;

    #[http(get = "/find", query("filter" = "by", "q" = "text"))]
    async fn find(&self, by: Filter, text: String) -> (Filter, String);

    #[http(post = "/users", body = "user", value = 201)]
    async fn create(&self, user: User) -> Result<User, Problem>;

    #[http(put = "/users/{id}")]
    async fn rename(&self, id: u64, name: String, nick: Option<String>) -> String;

    #[http(patch = "/users/{id}", form = "change")]
    async fn change(&self, id: u64, change: Change) -> Change;

    #[http(delete = "/users/{id}")]
    async fn remove(&self, id: u128) -> Result<(), Status>;

    #[http(put = "/users/{id}/picture", bytes = "picture")]
    async fn picture(&self, id: u64, picture: Bytes) -> Bytes;

    #[http(post = "/places", from_header = "location")]
    async fn place(&self, name: String) -> String;

    #[http(post = "/import", query = ["dry"])]
    async fn import(&self, dry: bool, users: Streaming<User>) -> Vec<String>;

    #[http(post = "/upload")]
    async fn upload(&self, pieces: Streaming<Bytes>) -> u64;

    #[http(get = "/count/{to}")]
    async fn count(&self, to: u32) -> Streaming<u32>;

    #[http(get = "/pieces")]
    async fn pieces(&self) -> Streaming<Bytes>;

    #[http(post = "/echo")]
    async fn echo(&self, users: Streaming<User>) -> Streaming<User>;

    #[http(post = "/fail")]
    async fn fail(&self, code: u8, words: String) -> Result<(), Status>;

    /// Bound to nothing.
    async fn unbound(&self, name: String, count: Option<u8>, map: BTreeMap<String, i64>) -> String;

    /// The same.
    async fn nothing(&self);

    #[rpc(raw)]
    async fn raw(&self, bytes: Bytes) -> Result<Bytes, Status>;

    /// The metadata of this key, the trace, and the milliseconds that are left.
    #[http(get = "/beside")]
    async fn beside(&self) -> (Option<String>, Option<String>, u64);
}

#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
struct Change {
    name: Option<String>,
    ages: Vec<u8>,
}

struct Here;

fn ada() -> User {
    User {
        name: "Ada \"L\"\n".to_owned(),
        age: Some(36),
        tags: vec!["a&b".to_owned(), "ü/".to_owned()],
        home: Home::At { north: 51.5, east: -0.1 },
    }
}

impl Everything for Here {
    async fn user(&self, id: u64) -> Option<User> {
        (id == u64::MAX).then(ada)
    }

    async fn search(
        &self,
        area: String,
        year: i16,
        page: Option<u32>,
        sort: Vec<String>,
        tenant: Option<String>,
    ) -> Vec<String> {
        vec![area, year.to_string(), format!("{page:?} {sort:?} {tenant:?}")]
    }

    async fn find(&self, by: Filter, text: String) -> (Filter, String) {
        (by, text)
    }

    async fn create(&self, user: User) -> Result<User, Problem> {
        match &*user.name {
            "taken" => Err(Problem::Taken { name: user.name }),
            "full" => Err(Problem::Full),
            _ => Ok(user),
        }
    }

    async fn rename(&self, id: u64, name: String, nick: Option<String>) -> String {
        format!("{id} {name} {nick:?}")
    }

    async fn change(&self, _: u64, change: Change) -> Change {
        change
    }

    async fn remove(&self, id: u128) -> Result<(), Status> {
        match id {
            u128::MAX => Ok(()),
            other => Err(Status::new(Code::NotFound, format!("there is no {other}"))),
        }
    }

    async fn picture(&self, _: u64, picture: Bytes) -> Bytes {
        picture
    }

    async fn place(&self, name: String) -> String {
        format!("/places/{name}")
    }

    async fn import(&self, dry: bool, mut users: Streaming<User>) -> Vec<String> {
        let mut names = vec![dry.to_string()];
        while let Some(user) = users.next().await {
            names.push(user.map_or_else(|why| why.to_string(), |user| user.name));
        }
        names
    }

    async fn upload(&self, mut pieces: Streaming<Bytes>) -> u64 {
        let mut bytes = 0;
        while let Some(Ok(piece)) = pieces.next().await {
            bytes += piece.len() as u64;
        }
        bytes
    }

    async fn count(&self, to: u32) -> Streaming<u32> {
        if to == 13 {
            let (writer, stream) = Streaming::channel();
            tokio::spawn(async move {
                for item in 0..3 {
                    writer.send(item).await.must("room");
                }
                writer.fail(Status::new(Code::DataLoss, "no thirteen")).await.must("a reader");
            });
            return stream;
        }
        Streaming::iter(0..to)
    }

    async fn pieces(&self) -> Streaming<Bytes> {
        Streaming::iter([Bytes::from_static(b"\x00\xff"), Bytes::from_static(b"\ndata: x\n\n")])
    }

    async fn echo(&self, users: Streaming<User>) -> Streaming<User> {
        Streaming::from_results(users)
    }

    async fn fail(&self, code: u8, words: String) -> Result<(), Status> {
        Err(Status::new(Code::from_u8(code).unwrap_or(Code::Unknown), words))
    }

    async fn unbound(&self, name: String, count: Option<u8>, map: BTreeMap<String, i64>) -> String {
        format!("{name} {count:?} {map:?}")
    }

    async fn nothing(&self) {}

    async fn raw(&self, bytes: Bytes) -> Result<Bytes, Status> {
        if bytes.is_empty() { Err(Status::new(Code::OutOfRange, "nothing")) } else { Ok(bytes) }
    }

    async fn beside(&self) -> (Option<String>, Option<String>, u64) {
        let context = Context::current().must("a context");
        let said = context.metadata().get_str("x-key").map(str::to_owned);
        let trace = context.trace().map(|trace| format!("{:02x?}", trace.trace_id));
        context.set_answer_metadata("x-answer", "42").must("metadata");
        (said, trace, context.remaining().unwrap_or_default().as_millis() as u64)
    }
}

/// The server, its ingress, and a client that speaks HTTP to it.
struct Round {
    client: EverythingClient,
    _http: Listening,
    _mesh: Mesh,
    _server: sinew::Server,
}

async fn round() -> Round {
    let mesh = Scene::new().mesh_with(|builder| builder.transport(sinew_bridge::http())).await;
    let server = mesh.server().serve(EverythingServer::new(Here)).bind("127.0.0.1:0").await;
    let server = server.must("a server");
    let http = sinew_bridge::ingress(&server).trusted().bind("127.0.0.1:0").await;
    let http = http.must("an ingress");
    let client = mesh.client_at(format!("http://{}", http.local_addr())).must("a client");
    Round { client, _http: http, _mesh: mesh, _server: server }
}

#[tokio::test]
async fn arguments_and_values_cross_both_ways() {
    let round = round().await;
    let client = &round.client;
    assert_eq!(client.user(u64::MAX).await.must("user"), Some(ada()));
    assert_eq!(client.user(1).await.must("none"), None);
    let sort = vec!["name".to_owned(), "a&b=c+d %".to_owned()];
    let found = client.search("eu/x".into(), -5, Some(3), sort, Some("acme".into())).await;
    assert_eq!(found.must("search")[..2], ["eu/x", "-5"]);
    let found = client.search("a".into(), 7, None, vec![], None).await.must("search");
    assert_eq!(found[2], "None [] None");
    let by = Filter { tags: vec!["x".into(), "ü".into()], since: None, exact: true };
    assert_eq!(client.find(by.clone(), "?".into()).await.must("find"), (by, "?".into()));
    assert_eq!(client.create(ada()).await.must("create"), ada());
    let renamed = client.rename(9, "n".into(), Some("k".into())).await.must("rename");
    assert_eq!(renamed, "9 n Some(\"k\")");
    let change = Change { name: Some("a b&c".into()), ages: vec![1, 2] };
    assert_eq!(client.change(1, change.clone()).await.must("change"), change);
    client.remove(u128::MAX).await.must("remove");
    let picture = Bytes::from_static(b"\x00\xff{}\r\n");
    assert_eq!(client.picture(1, picture.clone()).await.must("picture"), picture);
    assert_eq!(client.place("x".into()).await.must("place"), "/places/x");
    let map = BTreeMap::from([("a".to_owned(), i64::MIN)]);
    let unbound = client.unbound("n".into(), None, map).await.must("unbound");
    assert_eq!(unbound, format!("n None {{\"a\": {}}}", i64::MIN));
    client.nothing().await.must("nothing");
    assert_eq!(client.raw(picture.clone()).await.must("raw"), picture);
}

#[tokio::test]
async fn streams_cross_both_ways_and_their_end_is_known() {
    let round = round().await;
    let client = &round.client;
    let users = || Streaming::iter([ada(), User { name: "b".into(), ..ada() }]);
    let names = client.import(true, users()).await.must("import");
    assert_eq!(names, ["true", &ada().name, "b"]);
    let pieces = Streaming::iter((0..100).map(|_| Bytes::from(vec![7; 1_000])));
    assert_eq!(client.upload(pieces).await.must("upload"), 100_000);
    let counted = client.count(500).await.must("count").collect().await.must("all of them");
    assert_eq!(counted, (0..500).collect::<Vec<_>>());
    let pieces = client.pieces().await.must("pieces").collect().await.must("all");
    assert_eq!(pieces.concat(), b"\x00\xff\ndata: x\n\n");
    let echoed = client.echo(users()).await.must("echo").collect().await.must("all");
    assert_eq!(echoed.len(), 2);
    // One that fails in the middle is never taken for whole.
    let mut broken = client.count(13).await.must("count");
    let mut items = 0;
    let error = loop {
        match broken.next().await {
            Some(Ok(item)) => {
                assert_eq!(item, items);
                items += 1;
            }
            Some(Err(error)) => break error,
            None => panic!("the stream ended as if it were whole"),
        }
    };
    assert!(items <= 3 && error.code() == Code::Unavailable, "{items} items, then {error}");
}

#[tokio::test]
async fn errors_are_the_same_on_the_other_side() {
    let round = round().await;
    let client = &round.client;
    let taken = client.create(User { name: "taken".into(), ..ada() }).await.must_err();
    assert!(matches!(taken, CallError::App(Problem::Taken { name }) if name == "taken"));
    let full = client.create(User { name: "full".into(), ..ada() }).await.must_err();
    assert!(matches!(full, CallError::App(Problem::Full)));
    let once = client.with(CallOptions::new().attempts(1));
    for number in 1..=16 {
        let code = Code::from_u8(number).must("a code");
        let status = once.fail(number, format!("words of {code}")).await.must_err();
        assert_eq!((status.code(), status.ran()), (code, Ran::Yes), "{status}");
        assert!(status.message().contains(&format!("words of {code}")), "{status}");
    }
    let gone = client.remove(5).await.must_err();
    assert_eq!((gone.code(), gone.disposition()), (Code::NotFound, Disposition::Processed));
    assert_eq!(gone.directive(), Directive::Default);
    let raw = client.raw(Bytes::new()).await.must_err();
    assert_eq!(raw.code(), Code::OutOfRange);
}

#[tokio::test]
async fn what_goes_beside_a_call_arrives() {
    let round = round().await;
    let told = sinew::AnswerMetadata::new();
    let options = CallOptions::new()
        .timeout(Duration::from_secs(60))
        .metadata("x-key", "value")
        .must("metadata")
        .answer_metadata(&told);
    let (said, _, left) = round.client.with(options).beside().await.must("beside");
    assert_eq!(said.as_deref(), Some("value"));
    assert!((30_000..60_000).contains(&left), "{left} ms");
    assert_eq!(told.get().get_str("x-answer"), Some("42"));
}
