//! What a caller is told when it gets no value: whose fault, whether the handler ran, and where the time went.

use std::time::Duration;

use sinew::{
    CallError, CallOptions, Code, Directive, Disposition, Fault, Origin, Ran, Reason, Relay as _,
    Status,
};
use sinew_tests::{
    Must as _, MustFail as _, assert_says,
    child::Start,
    errand::{ErrandClient, errand},
    hops::{Chain, FOR_EVER, Order},
    probe::{Counting, Objection, PROBE, ProbeClient},
    scene::{Running, Scene},
    wait::{ms, soon, until},
};

async fn probe() -> (Scene, Counting, Running, ProbeClient) {
    let scene = Scene::new();
    let probe = Counting::new();
    let server = scene.serve(|server| server.serve(probe.server())).await;
    let client = scene.client(&server).await;
    (scene, probe, server, client)
}

/// Fails in each of the ways that a method may.
#[sinew::service]
trait Failing {
    async fn own(&self) -> Result<u32, Objection>;
    async fn status(&self) -> Result<u32, Status>;
    async fn either(&self, own: bool) -> Result<u32, CallError<Objection>>;
    async fn never(&self) -> u32;
}

struct Fails;

impl Failing for Fails {
    async fn own(&self) -> Result<u32, Objection> {
        Err(Objection { why: "out of stock".into() })
    }

    async fn status(&self) -> Result<u32, Status> {
        let wait = Duration::from_millis(70);
        let busy = Status::new(Code::ResourceExhausted, "too busy \u{1f422}");
        Err(busy.with_directive(Directive::RetryAfter(wait)))
    }

    async fn either(&self, own: bool) -> Result<u32, CallError<Objection>> {
        if own {
            return Err(CallError::App(Objection { why: "mine".into() }));
        }
        Err(Status::new(Code::NotFound, "nobody's").into())
    }

    async fn never(&self) -> u32 {
        7
    }
}

#[tokio::test]
async fn a_failure_arrives_as_what_the_method_returned() {
    let scene = Scene::new();
    let server = scene.serve(|server| server.serve(FailingServer::new(Fails))).await;
    let client: FailingClient = scene.client(&server).await;
    let own: CallError<Objection> = client.own().await.must_err();
    assert_eq!((own.app().must("its own").why.as_str(), own.ran()), ("out of stock", Ran::Yes));
    assert!(own.status().is_none());
    assert_eq!(own.to_string(), "out of stock");

    let status: Status = client.status().await.must_err();
    assert_eq!((status.code(), status.origin()), (Code::ResourceExhausted, Origin::PeerHandler));
    assert_eq!((status.ran(), status.fault()), (Ran::Yes, Fault::Service));
    assert_eq!(status.directive(), Directive::RetryAfter(ms(70)));
    assert_eq!((status.message(), status.attempts()), ("too busy \u{1f422}", 1));
    assert_eq!(status.method(), Some("Failing/status"));
    assert_eq!(status.endpoint(), Some(server.address().to_string().as_str()));

    let either: CallError<Objection> = client.either(true).await.must_err();
    assert_eq!(either.app().must("its own").why, "mine");
    let either = client.either(false).await.must_err();
    assert_eq!(either.status().must("a status").code(), Code::NotFound);
    assert_eq!(client.never().await.must("a value"), 7);
}

/// A handler that relays the failure of `call`, and what its caller is told.
async fn relayed<F, Fut>(call: F) -> Status
where
    F: Fn(ProbeClient) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<u64, Status>> + Send + 'static,
{
    let (scene, _probe, _server, inner) = probe().await;
    let outer = errand(move || call(inner.clone()));
    let outer = scene.serve(|server| server.serve(outer)).await;
    let client: ErrandClient = scene.client(&outer).await;
    let status = soon("the call ends", client.run()).await.must_err();
    assert_eq!((status.origin(), status.ran()), (Origin::Relayed, Ran::Yes), "{status}");
    assert_eq!(status.method(), Some("test.Errand/run"));
    status
}

#[tokio::test]
async fn a_relayed_status_says_what_it_was_and_where() {
    let status = relayed(|inner| async move {
        inner.deny("the cellar is locked".into()).await.relay()?;
        Ok(0)
    })
    .await;
    assert_eq!((status.code(), status.directive()), (Code::FailedPrecondition, Directive::Default));
    assert_says(&status, &["test.Probe/deny", "127.0.0.1:", "the cellar is locked"]);
}

#[tokio::test]
async fn a_relayed_error_of_another_service_is_unknown_to_the_caller() {
    let status = relayed(|inner| async move {
        inner.object("no".into()).await.relay()?;
        Ok(0)
    })
    .await;
    assert_eq!(status.code(), Code::Unknown);
    assert_says(&status, &["Objection", "no"]);
}

#[tokio::test]
async fn a_relayed_deadline_is_not_to_be_tried_again_and_keeps_its_ledger() {
    let status = relayed(|inner| async move {
        inner.with(CallOptions::new().timeout(ms(150))).hold().await.relay()?;
        Ok(0)
    })
    .await;
    assert_eq!(
        (status.code(), status.directive()),
        (Code::DeadlineExceeded, Directive::DoNotRetry)
    );
    let ledger = status.ledger().must("a ledger");
    let server = ledger.attempts[0].answered.as_ref().must("an answer");
    assert_eq!(server.calls[0].method, "test.Probe/hold");
    assert_eq!(server.calls[0].code, Code::DeadlineExceeded);
    assert_eq!(ledger.culprit().must("a culprit").method, "test.Probe/hold");
}

#[tokio::test]
async fn a_deadline_that_passes_two_hops_below_names_the_hop_that_slept() {
    let chain = Chain::new().await;
    let order = Order { last_limit: Some(300), ..Order::pausing([0, 0, FOR_EVER]) };
    let status = soon("the call ends", chain.client.go(order)).await.must_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
    let back = chain.servers[2].address().to_string();
    let culprit = status.ledger().must("a ledger").culprit().must("a culprit");
    assert_eq!((culprit.method, culprit.endpoint), ("Back/go", Some(back.as_str())));
    let line = status.to_string();
    assert!(!line.contains('\n'), "{line}");
    assert_says(&line, &["Front/go", &format!("Back/go at {back} took")]);
    let tree = status.ledger().must("a ledger").to_string();
    assert_says(&tree, &["Front/go", "Middle/go", "Back/go", "<- most of the time"]);
}

#[tokio::test]
async fn an_inherited_deadline_names_the_hop_that_slept_when_its_answer_comes_in_time() {
    let chain = Chain::new().await;
    let order = Order::pausing([0, 0, FOR_EVER]);
    let back = chain.servers[2].address().to_string();
    // Each hop keeps a millisecond or so to say why: on a busy machine it is not always enough.
    for _ in 0..20 {
        let short = chain.client.with(CallOptions::new().timeout(ms(200)));
        let status = soon("the call ends", short.go(order)).await.must_err();
        assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
        let culprit = status.ledger().must("a ledger").culprit().must("a culprit");
        if (culprit.method, culprit.endpoint) == ("Back/go", Some(back.as_str())) {
            return;
        }
    }
    panic!("the answer was late 20 times");
}

#[tokio::test]
async fn a_call_to_nobody_was_not_sent_and_names_the_endpoint() {
    let scene = Scene::new();
    let server = scene.serve(|server| server.serve(Counting::new().server())).await;
    let nobody = server.address();
    server.drained().await;
    let client: ProbeClient = scene.client_at(&[nobody]).await;
    let client = client.with(CallOptions::new().wait_for_ready(Duration::ZERO));
    let status = soon("the call ends", client.echo("x".into())).await.must_err();
    assert_eq!((status.code(), status.disposition()), (Code::Unavailable, Disposition::NotSent));
    assert_eq!((status.ran(), status.fault()), (Ran::No, Fault::Fleet));
    assert_says(&status, &["test.Probe/echo", &nobody.to_string(), "not processed"]);
}

#[tokio::test]
async fn a_call_without_an_endpoint_says_so() {
    let mesh = Scene::new().mesh().await;
    let status = mesh.client::<ProbeClient>().echo("x".into()).await.must_err();
    assert_eq!((status.code(), status.reason()), (Code::Unavailable, Reason::NoEndpoints));
    assert_eq!(status.ran(), Ran::No);
    assert_says(&status, &["test.Probe"]);
}

/// The probe as a later version has it.
#[sinew::service(name = "test.Probe")]
trait Later {
    async fn later(&self) -> u32;
}

struct Latest;

impl Later for Latest {
    async fn later(&self) -> u32 {
        1
    }
}

#[tokio::test]
async fn a_method_that_the_server_does_not_have_was_not_processed() {
    let (scene, probe, server, _client) = probe().await;
    let later: LaterClient = scene.client(&server).await;
    let status = soon("the call ends", later.later()).await.must_err();
    assert_eq!((status.code(), status.reason()), (Code::Unimplemented, Reason::UnknownMethod));
    assert_eq!((status.disposition(), status.ran()), (Disposition::Rejected, Ran::No));
    assert_eq!(status.attempts(), 1, "no other answer is to be expected");
    assert_says(&status, &[PROBE]);
    assert_eq!(probe.tally().begun, 0);
    assert_eq!(LaterClient::local(Latest).later().await.must("an answer"), 1);
}

#[tokio::test]
async fn a_call_whose_server_is_killed_may_have_run() {
    let scene = Scene::new();
    let server = Start::new(env!("CARGO_BIN_EXE_probe"), &scene).run().await;
    let client: ProbeClient = scene.client_at(&[server.address()]).await;
    let impatient = client.with(CallOptions::new().timeout(ms(1500)));
    let call = tokio::spawn(impatient.hold());
    let mut tally = client.tally().await.must("an answer");
    while tally.running() == 0 {
        tally = client.tally().await.must("an answer");
    }
    server.kill().await;
    let status = soon("the call ends", call).await.must("a task").must_err();
    assert!(matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded), "{status}");
    assert_eq!((status.ran(), status.attempts()), (Ran::Maybe, 1), "{status}");
}

#[tokio::test]
async fn a_panic_costs_its_call_and_tells_the_caller_nothing_that_it_should_not_see() {
    let (_scene, probe, _server, client) = probe().await;
    let others: Vec<_> = (0..20).map(|_| tokio::spawn(client.wait(200))).collect();
    until("they are at work", || probe.tally().running() == 20).await;
    let status = client.panic("the password is 1234".into()).await.must_err();
    assert_eq!((status.code(), status.reason()), (Code::Internal, Reason::HandlerPanicked));
    assert_eq!((status.ran(), status.origin()), (Ran::Maybe, Origin::PeerRuntime));
    assert_says(&status, &["test.Probe/panic"]);
    assert!(!format!("{status} {status:?}").contains("1234"), "{status:?}");
    for other in others {
        assert_eq!(soon("an answer", other).await.must("a task").must("an answer"), 200);
    }
    client.echo("goes on".into()).await.must("an answer");
}

#[tokio::test]
async fn a_deadline_says_how_long_it_was_and_whose() {
    let (scene, _probe, _server, client) = probe().await;
    let status = client.with(CallOptions::new().timeout(ms(120))).hold().await.must_err();
    assert_eq!((status.code(), status.ran()), (Code::DeadlineExceeded, Ran::Maybe), "{status}");
    assert_eq!(status.reason(), Reason::Expired);
    assert_says(&status, &["DeadlineExceeded", "deadline", "maybe processed", " ms"]);
    // Said by the client's own timer, the length is exact.
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").must("a socket");
    let address = silent.local_addr().must("an address");
    let client: ProbeClient = scene.client_at(&[address]).await;
    let status = client.with(CallOptions::new().timeout(ms(120))).hold().await.must_err();
    assert_says(&status, &["120 ms", "not processed"]);
    assert_eq!(status.ran(), Ran::No, "{status}");
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_said_long_before_the_deadline() {
    let (scene, _probe, server, _client) = probe().await;
    let gone = server.address();
    server.drained().await;
    let client: ProbeClient = scene.client_at(&[gone]).await;
    let options = CallOptions::new().timeout(ms(30_000)).wait_for_ready(ms(300));
    let status = client.with(options).hold().await.must_err();
    assert_eq!((status.code(), status.ran()), (Code::Unavailable, Ran::No), "{status}");
    assert_says(&status, &["nobody listens", &gone.to_string()]);
}
