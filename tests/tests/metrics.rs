//! What a mesh counts and what it decided, on real connections: what happened is found there, and nothing that a request
//! brings becomes a label.

use std::net::SocketAddr;

use sinew::{CallOptions, Code, Decision, Happening, Mesh, Policy, Status};
use sinew_core::limits;
use sinew_tests::{
    Must as _, MustFail as _,
    child::{Process, Start},
    probe::{Counting, PROBE, ProbeClient},
    scene::{ANYWHERE, Running, Scene, client_at},
    scrape::Scrape,
    wait::{ms, soon, until},
};
use tokio::task::JoinSet;

async fn process(scene: &Scene) -> Process {
    Start::new(env!("CARGO_BIN_EXE_probe"), scene).run().await
}

/// Calls that may be repeated, all at once; each must be answered.
async fn calls(client: &ProbeClient, count: usize) {
    let mut calls = JoinSet::new();
    for _ in 0..count {
        calls.spawn(client.echo_again("x".into()));
    }
    for answer in calls.join_all().await {
        answer.must("an answer");
    }
}

/// What was decided about an endpoint, in order.
fn about(decisions: &[Decision], endpoint: SocketAddr) -> Vec<&Happening> {
    let endpoint = endpoint.to_string();
    let of = |decision: &&Decision| decision.endpoint.as_deref() == Some(&*endpoint);
    decisions.iter().filter(of).map(|decision| &decision.what).collect()
}

/// What is counted at an endpoint.
fn at(scrape: &Scrape, name: &str, endpoint: SocketAddr) -> f64 {
    scrape.get(name, &[("service", PROBE), ("endpoint", &endpoint.to_string())])
}

const ECHO: [(&str, &str); 2] = [("service", PROBE), ("method", "echo_again")];

#[tokio::test]
async fn a_server_that_is_killed_is_found_in_metrics_and_decisions() {
    let scene = Scene::new();
    let mesh = scene.mesh().await;
    let mut servers = Vec::new();
    for _ in 0..3 {
        servers.push(process(&scene).await);
    }
    let addresses: Vec<_> = servers.iter().map(Process::address).collect();
    let client: ProbeClient = client_at(&mesh, &addresses);
    let mut made = 0;
    let attempts = "sinew_client_endpoint_attempts_total";
    soon("all are used", async {
        while addresses.iter().any(|address| at(&Scrape::of(&mesh), attempts, *address) < 5.0) {
            calls(&client, 30).await;
            made += 30;
        }
    })
    .await;
    let before = Scrape::of(&mesh);
    let usable = [("service", PROBE), ("state", "usable")];
    assert_eq!(before.get("sinew_client_endpoints", &usable), 3.0);
    assert_eq!(before.get("sinew_client_clients", &[]), 1.0);

    let killed = addresses[1];
    servers.remove(1).kill().await;
    soon("it is left", async {
        while Scrape::of(&mesh).get("sinew_client_endpoints", &usable) > 2.0 {
            calls(&client, 20).await;
            made += 20;
        }
    })
    .await;

    let after = Scrape::of(&mesh);
    let result = |result| [ECHO[0], ECHO[1], ("result", result)];
    assert_eq!(after.get("sinew_client_calls_total", &result("Ok")), f64::from(made));
    assert_eq!(after.get("sinew_client_calls_total", &ECHO), f64::from(made));
    assert_eq!(after.get("sinew_client_call_duration_seconds_count", &ECHO), f64::from(made));
    assert!(after.get("sinew_client_call_duration_seconds_sum", &ECHO) > 0.0);
    assert!(at(&after, "sinew_client_connections_made_total", killed) >= 1.0);
    assert!(at(&after, "sinew_client_connections_lost_total", killed) >= 1.0);
    // Each attempt went somewhere: both sides of the account say the same.
    let sent = after.get("sinew_client_attempts_total", &ECHO);
    assert_eq!(after.get(attempts, &[("service", PROBE)]), sent);
    assert!(sent >= f64::from(made), "{sent}");

    let decisions = mesh.decisions(PROBE);
    assert!(decisions.is_sorted_by_key(|decision| decision.at));
    assert!(decisions.iter().all(|decision| decision.to_string().lines().count() == 1));
    let of_killed = about(&decisions, killed);
    assert_eq!(of_killed[..2], [&Happening::Connected, &Happening::FirstUse], "{of_killed:?}");
    let is_end = |what: &&&Happening| {
        matches!(
            what,
            Happening::PortClosed
                | Happening::Silent
                | Happening::Disconnected
                | Happening::Unreachable { .. }
        )
    };
    assert!(of_killed[2..].iter().any(|what| is_end(&what)), "{of_killed:?}");
    for alive in [addresses[0], addresses[2]] {
        // On a machine that is busy they may have been silent for a moment, and no more.
        let of_alive = about(&decisions, alive);
        assert_eq!(of_alive[..2], [&Happening::Connected, &Happening::FirstUse], "{of_alive:?}");
        assert!(!of_alive.contains(&&Happening::PortClosed), "{of_alive:?}");
    }
}

#[tokio::test]
async fn a_failure_explains_itself_with_what_was_decided_last() {
    let scene = Scene::new();
    let mesh = scene.mesh().await;
    let server = process(&scene).await;
    let address = server.address();
    let client: ProbeClient = client_at(&mesh, &[address]);
    client.echo("x".into()).await.must("an answer");
    server.kill().await;
    let hurried = client.with(CallOptions::new().timeout(ms(400)));
    let status = soon("a failure without an attempt", async {
        loop {
            let status = hurried.echo("x".into()).await.must_err();
            let decided = status.explain().must("an explanation").decisions().to_vec();
            if about(&decided, address).len() > 2 {
                return status;
            }
        }
    })
    .await;
    let explanation = status.explain().must("an explanation");
    assert!(explanation.decisions().len() <= limits::DECISIONS_EXPLAINED);
    let last = explanation.decisions().last().must("a decision");
    assert!(explanation.to_string().ends_with(&last.to_string()), "{explanation}");
    let all = mesh.decisions(PROBE);
    assert!(all.iter().any(|known| known.at == last.at && known.what == last.what), "{all:?}");
    assert!(mesh.decisions("test.Nobody").is_empty());
}

/// A server of this mesh.
async fn serve(mesh: &Mesh, probe: &Counting) -> Running {
    Running::new(mesh.server().serve(probe.server()).bind(ANYWHERE).await.must("a server"))
}

#[tokio::test]
async fn what_handlers_came_to_is_counted_on_both_sides() {
    let scene = Scene::new();
    let (mesh, serving) = (scene.mesh().await, scene.mesh().await);
    let probe = Counting::new();
    let server = serve(&serving, &probe).await;
    let client: ProbeClient = client_at(&mesh, &[server.address()]);
    for _ in 0..7 {
        client.echo("x".into()).await.must("an answer");
    }
    client.object("no".into()).await.must_err();
    client.deny("no".into()).await.must_err();
    client.panic("of the test".into()).await.must_err();
    drop(client.numbers(0, 3).await.must("a stream"));
    let held = tokio::spawn(client.hold());
    until("it is at work", || probe.tally().running() == 1).await;
    let now = Scrape::of(&serving);
    assert_eq!(now.get("sinew_server_in_flight", &[]), 1.0);
    assert_eq!(now.get("sinew_server_connections", &[]), 1.0);
    assert_eq!(now.get("sinew_server_connections_total", &[("result", "served")]), 1.0);
    held.abort();
    until("it is dropped", || {
        Scrape::of(&serving).get("sinew_server_cancelled_total", &[("method", "hold")]) == 1.0
    })
    .await;

    let (ours, theirs) = (Scrape::of(&mesh), Scrape::of(&serving));
    let panicked = [("method", "panic")];
    assert_eq!(theirs.get("sinew_server_panics_total", &panicked), 1.0);
    for (method, result, count) in [
        ("echo", "Ok", 7.0),
        ("object", "AppError", 1.0),
        ("deny", "FailedPrecondition", 1.0),
        ("panic", "Internal", 1.0),
        ("numbers", "Ok", 1.0),
    ] {
        let labels = [("service", PROBE), ("method", method), ("result", result)];
        assert_eq!(ours.get("sinew_client_calls_total", &labels), count, "{labels:?}");
        assert_eq!(theirs.get("sinew_server_calls_total", &labels), count, "{labels:?}");
        let seconds = "sinew_server_call_duration_seconds_count";
        assert_eq!(theirs.get(seconds, &labels[..2]), count, "{labels:?}");
    }
    let dropped = [("method", "hold"), ("result", "Cancelled")];
    assert_eq!(ours.get("sinew_client_calls_total", &dropped), 1.0);
    assert_eq!(theirs.get("sinew_server_in_flight", &[]), 0.0);
    // Each mesh counts its own.
    assert_eq!(ours.get("sinew_server_calls_total", &[]), 0.0);
    assert_eq!(theirs.get("sinew_client_calls_total", &[]), 0.0);
    // Nothing happens any more: the same series in the same order, whoever asks when.
    assert_eq!(Scrape::of(&mesh).series(), ours.series());
}

/// What no server of a probe knows.
#[sinew::service(name = "test.Stranger")]
pub trait Stranger {
    /// Never served.
    async fn unheard_of(&self);
}

#[tokio::test]
async fn a_request_cannot_bring_a_label() {
    let scene = Scene::new();
    let serving = scene.mesh().await;
    let server = serve(&serving, &Counting::new()).await;
    let probes = format!("spiffe://{}/{PROBE}", serving.identity().trust_domain());
    let calling = scene.mesh_with(|mesh| mesh.server_identity("test.Stranger", probes)).await;
    let client: StrangerClient = client_at(&calling, &[server.address()]);
    let strangers =
        |scrape: &Scrape| scrape.get("sinew_server_refused_total", &[("reason", "unknown_method")]);
    let status = client.unheard_of().await.must_err();
    assert_eq!(status.code(), Code::Unimplemented, "{status}");
    let one = Scrape::of(&serving);
    for _ in 0..20 {
        client.unheard_of().await.must_err();
    }
    let many = Scrape::of(&serving);
    assert_eq!((strangers(&one), strangers(&many)), (1.0, 21.0));
    assert_eq!(one.series(), many.series());
    let text = serving.metrics().to_string();
    assert!(!text.contains("unheard_of") && !text.contains("Stranger"), "{text}");
}

#[tokio::test]
async fn a_thousand_endpoints_have_a_bounded_number_of_series() {
    let scene = Scene::new();
    let all = Policy::new().all_endpoints();
    let mesh = scene.mesh_with(|mesh| mesh.policy(PROBE, all)).await;
    let addresses: Vec<SocketAddr> = (1..=1000)
        .map(|n| SocketAddr::from(([127, 1, (n / 250) as u8, (n % 250) as u8], 1)))
        .collect();
    let client: ProbeClient = client_at(&mesh, &addresses);
    let hurried = client.with(CallOptions::new().timeout(ms(200)));
    hurried.echo("x".into()).await.must_err();
    let scrape = Scrape::of(&mesh);
    let known = scrape.get("sinew_client_endpoints", &[("service", PROBE)]);
    assert_eq!(known, 1000.0);
    let named = scrape.values_of("endpoint");
    assert!(named.len() <= limits::METRICS_ENDPOINTS_OF_SERVICE_MAX + 1, "{}", named.len());
    assert!(named.contains("other"));
    assert!(scrape.series().len() < 2_000, "{}", scrape.series().len());
    assert!(mesh.decisions(PROBE).len() <= limits::DECISIONS_MAX);
}

/// Fails as often as it is called.
#[sinew::service(name = "test.Broken")]
pub trait Broken {
    /// Unavailable, always.
    #[rpc(idempotent)]
    async fn fail(&self) -> Result<(), Status>;
}

struct Unable;

impl Broken for Unable {
    async fn fail(&self) -> Result<(), Status> {
        Err(Status::new(Code::Unavailable, "it is broken"))
    }
}

#[tokio::test]
async fn failures_are_found_as_retries_ejections_and_a_budget_that_is_used_up() {
    let scene = Scene::new();
    let mesh = scene.mesh().await;
    let mut servers = Vec::new();
    for _ in 0..2 {
        servers.push(scene.serve(|server| server.serve(BrokenServer::new(Unable))).await);
    }
    let addresses: Vec<_> = servers.iter().map(Running::address).collect();
    let client: BrokenClient = client_at(&mesh, &addresses);
    const CALLS: u32 = 60;
    for _ in 0..CALLS {
        client.fail().await.must_err();
    }
    let scrape = Scrape::of(&mesh);
    let of = |key, value| [("service", "test.Broken"), (key, value)];
    let failed = scrape.get("sinew_client_calls_total", &of("result", "Unavailable"));
    assert_eq!(failed, f64::from(CALLS));
    let retries = scrape.get("sinew_client_retries_total", &of("cause", "failed"));
    let refused = scrape.get("sinew_client_retries_refused_total", &of("why", "budget"));
    assert!(retries >= 1.0 && refused >= 1.0, "{retries} {refused}");
    let sent = scrape.get("sinew_client_attempts_total", &of("method", "fail"));
    assert_eq!(sent, f64::from(CALLS) + retries);
    let against = scrape.get("sinew_client_endpoint_failures_total", &of("kind", "failure"));
    assert_eq!(against, sent);
    let ejected = scrape.get("sinew_client_endpoint_ejections_total", &[]);
    assert!(ejected >= 2.0, "both ought to have been left alone: {ejected}");
    // Where all fail, to leave one alone helps nobody.
    assert!(scrape.get("sinew_client_endpoints", &of("state", "open")) <= 1.0);
    assert!(scrape.get("sinew_client_retry_budget", &[]) < 1.0);

    let decisions = mesh.decisions("test.Broken");
    let is_spared = |decision: &Decision| matches!(&decision.what, Happening::BreakerSpared { why } if why.contains("row"));
    assert!(decisions.iter().any(is_spared), "{decisions:?}");
    let budget = decisions.iter().filter(|known| known.what == Happening::BudgetExhausted);
    let times: u32 = budget.map(|known| known.times).sum();
    assert_eq!(f64::from(times), refused, "{decisions:?}");
}
