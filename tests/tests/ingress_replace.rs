//! What an ingress serves is replaced while it is called: each request goes by one of the two, and none is lost.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

use sinew::{Context, Mesh, Server};
use sinew_bridge::{
    Ingress,
    ingress::{Listening, ingress_to},
};
use sinew_tests::{
    Must as _, MustFail as _,
    authority::Authority,
    plain::{Said, ask, get, parse},
    scene::mesh_of,
    wait::{soon, until},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::Semaphore,
    task::JoinSet,
};

/// What is called.
#[sinew::service(name = "swap.Door")]
trait Door {
    /// Who calls.
    #[http(get = "/who")]
    async fn who(&self) -> String;

    /// The same, when it is let go.
    #[http(get = "/held")]
    async fn held(&self) -> String;
}

#[derive(Clone)]
struct Here {
    begun: Arc<AtomicU64>,
    go: Arc<Semaphore>,
}

impl Door for Here {
    async fn who(&self) -> String {
        Context::current().must("a context").peer().must("a peer").identity().to_string()
    }

    async fn held(&self) -> String {
        self.begun.fetch_add(1, Relaxed);
        let _go = self.go.acquire().await.must("it is open");
        self.who().await
    }
}

struct Open {
    address: SocketAddr,
    here: Here,
    http: Listening,
    server: Server,
    _mesh: Mesh,
}

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// The same token, of another identity.
fn of(server: &Server, name: &str) -> Ingress {
    let identity = format!("spiffe://prod.example/http/{name}");
    sinew_bridge::ingress(server).title(name).bearer_token(SECRET, &identity)
}

async fn open(set: impl FnOnce(&Server) -> Ingress) -> Open {
    let authority = Authority::new("root");
    let mesh = mesh_of(authority.identity("spiffe://prod.example/door"), |builder| builder).await;
    let here = Here { begun: Arc::default(), go: Arc::new(Semaphore::new(0)) };
    let server = mesh.server().serve(DoorServer::new(here.clone())).bind("127.0.0.1:0").await;
    let server = server.must("a server");
    let http = set(&server).bind("127.0.0.1:0").await.must("an ingress");
    Open { address: http.local_addr(), here, http, server, _mesh: mesh }
}

/// A connection that is kept.
struct Kept(TcpStream);

impl Kept {
    async fn to(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.must("a connection"))
    }

    async fn get(&mut self, path: &str, headers: &str) -> Said {
        let request = format!("GET {path} HTTP/1.1\nhost: localhost\n{headers}\n");
        self.0.write_all(request.replace('\n', "\r\n").as_bytes()).await.must("it is sent");
        let mut all = Vec::new();
        let read = async {
            loop {
                match parse(&all) {
                    Some((said, _)) if said.is_whole => return said,
                    _ => assert_ne!(self.0.read_buf(&mut all).await.must("more"), 0, "cut off"),
                }
            }
        };
        soon("an answer", read).await
    }
}

fn token() -> String {
    format!("authorization: Bearer {SECRET}\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_begun_ends_as_it_began_and_what_follows_goes_by_the_new() {
    let door = open(sinew_bridge::ingress).await;
    let address = door.address;
    let mut kept = Kept::to(address).await;
    assert_eq!(kept.get("/who", "").await.status, 200);
    let held = tokio::spawn(async move { get(address, "GET", "/held").await });
    until("it is at work", || door.here.begun.load(Relaxed) == 1).await;

    door.http.replace(of(&door.server, "partner").without_pages()).must("another");
    assert_eq!(kept.get("/who", "").await.status, 401, "on a connection that was there before");
    assert_eq!(get(address, "GET", "/who").await.status, 401);
    assert_eq!(get(address, "GET", "/openapi.json").await.status, 404);
    let known = kept.get("/who", &token()).await;
    assert_eq!((known.status, known.text()), (200, "spiffe://prod.example/http/partner"));
    assert!(!held.is_finished());
    door.here.go.add_permits(1);
    let held = soon("the one that had begun", held).await.must("an answer");
    assert_eq!((held.status, held.text()), (200, "spiffe://prod.example/http/anonymous"));

    // What cannot be served changes nothing.
    let weak = sinew_bridge::ingress(&door.server).bearer_token("short", "spiffe://prod.example/x");
    door.http.replace(weak).must_err();
    assert_eq!(kept.get("/who", &token()).await.status, 200);
    // Nor are services for ever.
    let empty = ingress_to(&door._mesh).bearer_token(SECRET, "spiffe://prod.example/http/partner");
    door.http.replace(empty).must("nothing is served");
    assert_eq!(kept.get("/who", &token()).await.status, 404);
}

/// Callers on kept connections and on new ones, and fifty replacements: each answer is of the one or the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_is_lost_while_it_is_replaced() {
    let door = open(|server| of(server, "a")).await;
    let (address, done) = (door.address, Arc::new(AtomicBool::new(false)));
    let counts = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
    let mut callers = JoinSet::new();
    for caller in 0..4 {
        let (done, counts) = (Arc::clone(&done), Arc::clone(&counts));
        callers.spawn(async move {
            let mut kept = Kept::to(address).await;
            while !done.load(Relaxed) {
                let said = if caller % 2 == 0 {
                    kept.get("/who", &token()).await
                } else {
                    let head = "GET /who HTTP/1.1\nhost: localhost\nconnection: close";
                    ask(address, &format!("{head}\n{}\n", token())).await
                };
                assert_eq!(said.status, 200, "{said:?}");
                match said.text() {
                    "spiffe://prod.example/http/a" => counts[0].fetch_add(1, Relaxed),
                    "spiffe://prod.example/http/b" => counts[1].fetch_add(1, Relaxed),
                    other => panic!("{other}"),
                };
            }
        });
    }
    for turn in 0..50 {
        let (name, at) = if turn % 2 == 0 { ("b", 1) } else { ("a", 0) };
        let before = counts[at].load(Relaxed);
        door.http.replace(of(&door.server, name)).must("another");
        until("it is in force", || counts[at].load(Relaxed) > before).await;
    }
    // Who asks from here on is answered by the last.
    let last = Kept::to(address).await.get("/who", &token()).await;
    assert_eq!(last.text(), "spiffe://prod.example/http/a");
    done.store(true, Relaxed);
    while let Some(caller) = soon("the callers", callers.join_next()).await {
        caller.must("each was answered");
    }
}
