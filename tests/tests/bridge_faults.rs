//! Three legacy servers, of which one is killed, frozen, unwilling or slow: whoever calls what may be repeated does not
//! notice, as with sinew's own.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use sinew::{CallOptions, Status};
use sinew_tests::{
    Must as _,
    legacy::programs::Program,
    scene::Scene,
    wait::{ms, until},
};
use tokio::task::JoinSet;

/// A service of somebody else: which port answered.
#[sinew::service(name = "legacy.Ports")]
trait Ports {
    #[http(get = "/port")]
    async fn port(&self) -> Result<u16, Status>;
}

struct Ours;

impl Ports for Ours {
    async fn port(&self) -> Result<u16, Status> {
        Ok(1)
    }
}

/// Calls without end: who answered, when, and what failed.
struct Load {
    stop: Arc<AtomicBool>,
    seen: Arc<Mutex<Seen>>,
    running: JoinSet<()>,
}

#[derive(Default)]
struct Seen {
    answers: Vec<(Instant, u16, Duration)>,
    failures: Vec<Status>,
}

fn note(seen: &mut Seen, answer: Result<u16, Status>, began: Instant) {
    match answer {
        Ok(port) => seen.answers.push((Instant::now(), port, began.elapsed())),
        Err(status) => seen.failures.push(status),
    }
}

impl Load {
    /// Eight callers, each of which makes a call every 10 ms.
    fn on(client: &PortsClient) -> Self {
        let (stop, seen) = (Arc::new(AtomicBool::new(false)), Arc::<Mutex<Seen>>::default());
        let client = client.with(CallOptions::new().timeout(Duration::from_secs(5)));
        let mut running = JoinSet::new();
        for _ in 0..8 {
            let (client, stop, seen) = (client.clone(), Arc::clone(&stop), Arc::clone(&seen));
            running.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let began = Instant::now();
                    let answer = client.port().await;
                    note(&mut seen.lock().must("what was seen"), answer, began);
                    tokio::time::sleep(ms(10)).await;
                }
            });
        }
        Self { stop, seen, running }
    }

    /// How many answers each gave since then.
    fn since(&self, then: Instant) -> BTreeMap<u16, usize> {
        let mut counts = BTreeMap::new();
        for (at, port, _) in &self.seen.lock().must("what was seen").answers {
            if *at >= then {
                *counts.entry(*port).or_default() += 1;
            }
        }
        counts
    }

    async fn until_each_answers(&self, ports: &[u16]) {
        let then = Instant::now();
        until("each of them answers", || {
            let counts = self.since(then);
            ports.iter().all(|port| counts.get(port).is_some_and(|count| *count >= 10))
        })
        .await;
    }

    async fn ends_without_failures(mut self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.running.join_next().await {
            ended.must("a caller");
        }
        let seen = std::mem::take(&mut *self.seen.lock().must("what was seen"));
        assert!(seen.failures.is_empty(), "{} failed: {:?}", seen.failures.len(), seen.failures[0]);
        seen
    }
}

async fn replica() -> Option<Program> {
    let says = "location = /port { if (-f $document_root/unwilling) { return 503; } return 200 $server_port; }";
    Program::nginx(says).await
}

async fn client(scene: &Scene, replicas: &[&Program]) -> PortsClient {
    let urls: Vec<_> = replicas.iter().map(|replica| replica.url()).collect();
    let mesh = scene.mesh_with(|builder| builder.transport(sinew_bridge::http())).await;
    mesh.client_at(format!("static:{}", urls.join(","))).must("a client")
}

/// Three of them under load, each of which has answered.
async fn three() -> Option<(Scene, Vec<Program>, Load)> {
    let replicas = vec![replica().await?, replica().await?, replica().await?];
    let scene = Scene::new();
    let load = Load::on(&client(&scene, &replicas.iter().collect::<Vec<_>>()).await);
    load.until_each_answers(&replicas.iter().map(Program::port).collect::<Vec<_>>()).await;
    Some((scene, replicas, load))
}

#[tokio::test]
async fn one_that_is_killed_costs_no_call() {
    let Some((_scene, mut replicas, load)) = three().await else { return };
    drop(replicas.remove(1));
    tokio::time::sleep(ms(2000)).await;
    load.ends_without_failures().await;
}

#[tokio::test]
async fn one_that_is_frozen_costs_no_call_is_left_within_a_second_and_comes_back() {
    let Some((_scene, replicas, load)) = three().await else { return };
    let frozen = replicas[1].port();
    replicas[1].signal("STOP");
    let then = Instant::now();
    tokio::time::sleep(ms(4000)).await;
    assert_eq!(load.since(then + ms(100)).get(&frozen), None);
    replicas[1].signal("CONT");
    load.until_each_answers(&[frozen]).await;
    let seen = load.ends_without_failures().await;
    let slowest = seen.answers.iter().map(|(_, _, took)| *took).max().unwrap_or_default();
    // Those that were out there went elsewhere; a busy machine may take its time beside.
    assert!(slowest < ms(2000), "{slowest:?}");
}

#[tokio::test]
async fn one_that_is_unwilling_costs_no_call_and_is_left_alone() {
    let Some((_scene, replicas, load)) = three().await else { return };
    let file = replicas[1].file("files/unwilling");
    std::fs::write(&file, "").must("a file");
    let then = Instant::now();
    tokio::time::sleep(ms(4000)).await;
    let counts = load.since(then + ms(100));
    assert_eq!(counts.get(&replicas[1].port()), None, "{counts:?}");
    std::fs::remove_file(&file).must("the file");
    load.until_each_answers(&[replicas[1].port()]).await;
    load.ends_without_failures().await;
}

#[tokio::test]
async fn one_that_is_slow_gets_few_calls() {
    let handler = "    def do_OPTIONS(self): self.answer(b'')\n    \
        def do_GET(self):\n        if os.path.exists('slow'): time.sleep(0.2)\n        \
        self.answer(str(self.server.server_port).encode())\n    \
        def answer(self, body):\n        self.send_response(200)\n        \
        self.send_header('Content-Length', str(len(body)))\n        self.end_headers()\n        self.wfile.write(body)\n";
    let Some(slow) = Program::handler(handler).await else { return };
    let (Some(one), Some(two)) = (replica().await, replica().await) else { return };
    let scene = Scene::new();
    let load = Load::on(&client(&scene, &[&one, &two, &slow]).await);
    load.until_each_answers(&[one.port(), two.port(), slow.port()]).await;
    std::fs::write(slow.file("slow"), "").must("a file");
    tokio::time::sleep(ms(500)).await;
    let then = Instant::now();
    tokio::time::sleep(ms(4000)).await;
    let counts = load.since(then);
    let all: usize = counts.values().sum();
    let slowly = counts.get(&slow.port()).copied().unwrap_or_default();
    // A third would be its share.
    assert!(slowly * 10 < all, "{counts:?}");
    load.ends_without_failures().await;
}

#[tokio::test]
async fn endpoints_of_one_service_may_speak_either_protocol() {
    let Some(legacy) = replica().await else { return };
    let scene = Scene::new();
    let server = scene.serve(|server| server.serve(PortsServer::new(Ours))).await;
    let mesh = scene.mesh_with(|builder| builder.transport(sinew_bridge::http())).await;
    let both = format!("static:{},{}", legacy.url(), server.address());
    let ports: PortsClient = mesh.client_at(both).must("a client");
    let load = Load::on(&ports);
    load.until_each_answers(&[1, legacy.port()]).await;
    let port = legacy.port();
    drop(legacy);
    tokio::time::sleep(ms(500)).await;
    let then = Instant::now();
    load.until_each_answers(&[1]).await;
    assert_eq!(load.since(then).get(&port), None);
    load.ends_without_failures().await;
    let page = mesh.metrics().to_string();
    assert!(page.contains(&format!("http://127.0.0.1:{port}")), "{page}");
}
