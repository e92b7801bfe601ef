//! Clients of what lives in this process, mocks, interceptors, metadata and criticality: the same pipeline without a
//! network, and the same with one.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use sinew::{
    AnswerMetadata, CallOptions, Code, Context, Criticality, Next, Ran, Reason, Request, Response,
    Status, Streaming,
};
use sinew_tests::{
    Must as _, MustFail as _, assert_says,
    probe::{Counting, ProbeClient},
    scene::{Running, Scene, client_at},
    wait::{ms, soon, until},
};

/// Says what it sees of its context.
#[sinew::service]
trait Mirror {
    async fn look(&self) -> Looked;
    async fn annotate(&self, key: String, value: String) -> Result<u32, Status>;
    /// As another service of the same kind sees it.
    async fn through(&self) -> Result<Looked, Status>;
    async fn annotated_stream(&self) -> Streaming<u32>;
}

#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
struct Looked {
    method: String,
    metadata: Vec<(String, Vec<u8>)>,
    criticality: u8,
}

#[derive(Default)]
struct Glass {
    behind: Option<MirrorClient>,
}

fn look() -> Looked {
    let context = Context::current().must("a context");
    let metadata = context.metadata().iter();
    Looked {
        method: context.method().to_owned(),
        metadata: metadata.map(|(key, value)| (key.to_owned(), value.to_vec())).collect(),
        criticality: context.criticality() as u8,
    }
}

impl Mirror for Glass {
    async fn look(&self) -> Looked {
        look()
    }

    async fn annotate(&self, key: String, value: String) -> Result<u32, Status> {
        let context = Context::current().must("a context");
        context
            .set_answer_metadata(&key, &value)
            .map_err(|error| Status::new(Code::InvalidArgument, error.to_string()))?;
        if value == "fail" {
            return Err(Status::new(Code::Aborted, "as it was told"));
        }
        Ok(1)
    }

    async fn through(&self) -> Result<Looked, Status> {
        self.behind.clone().must("something behind it").look().await
    }

    async fn annotated_stream(&self) -> Streaming<u32> {
        let context = Context::current().must("a context");
        context.set_answer_metadata("of", "a stream").must("sound metadata");
        Streaming::iter([1, 2])
    }
}

/// A mirror behind a mirror, each in a server of its own, and a client of the first.
async fn mirrors() -> (Scene, [Running; 2], MirrorClient) {
    let scene = Scene::new();
    let back = scene.serve(|server| server.serve(MirrorServer::new(Glass::default()))).await;
    let glass = Glass { behind: Some(scene.client(&back).await) };
    let front = scene.serve(|server| server.serve(MirrorServer::new(glass))).await;
    let client = scene.client(&front).await;
    (scene, [front, back], client)
}

#[tokio::test]
async fn a_local_client_calls_through_the_same_pipeline() {
    let probe = Counting::new();
    let client = ProbeClient::local(probe.clone());
    assert_eq!(client.echo("x".into()).await.must("an answer"), "x");
    let objection = client.object("no".into()).await.must_err();
    assert_eq!(objection.app().must("its own error").why, "no");
    let numbers = client.numbers(0, 100).await.must("a stream").collect().await;
    assert_eq!(numbers.must("all of it").len(), 100);
    assert_eq!(client.sum(Streaming::iter(0..100)).await.must("a sum"), 4950);
    assert_eq!(client.make(1 << 20).await.must("an answer").len(), 1 << 20);
    let status = client.panic("on purpose".into()).await.must_err();
    assert_eq!(status.reason(), Reason::HandlerPanicked);
    let left = client.with(CallOptions::new().timeout(ms(5000))).left().await.must("an answer");
    assert!((1_000_000..5_000_000).contains(&left.must("a deadline")), "{left:?} us");
    let status = client.with(CallOptions::new().timeout(ms(50))).hold().await.must_err();
    assert_eq!((status.code(), status.ran()), (Code::DeadlineExceeded, Ran::Maybe));
    until("its handler is gone", || probe.tally().running() == 0).await;
    let call = tokio::spawn(client.with(CallOptions::new().timeout(ms(100_000))).hold());
    until("it is at work", || probe.tally().running() == 1).await;
    call.abort();
    until("it is gone", || probe.tally().running() == 0).await;
}

/// A service that needs another one.
struct Greeter(ProbeClient);

impl Greeter {
    async fn greet(&self, name: &str) -> Result<String, Status> {
        self.0.echo(format!("hello {name}")).await
    }
}

/// An implementation for a test: no method but one does anything.
struct Mock(AtomicU64);

impl Mirror for Mock {
    async fn look(&self) -> Looked {
        self.0.fetch_add(1, Ordering::SeqCst);
        Looked { method: "mocked".into(), metadata: Vec::new(), criticality: 9 }
    }

    async fn annotate(&self, _: String, _: String) -> Result<u32, Status> {
        Err(Status::new(Code::Unimplemented, "not in this test"))
    }

    async fn through(&self) -> Result<Looked, Status> {
        Err(Status::new(Code::Unimplemented, "not in this test"))
    }

    async fn annotated_stream(&self) -> Streaming<u32> {
        Streaming::iter([])
    }
}

#[tokio::test]
async fn a_mock_is_one_more_implementation() {
    let client = MirrorClient::local(Mock(AtomicU64::new(0)));
    assert_eq!(client.look().await.must("an answer").method, "mocked");
    assert_eq!(client.through().await.must_err().code(), Code::Unimplemented);
    let greeter = Greeter(ProbeClient::local(Counting::new()));
    assert_eq!(greeter.greet("you").await.must("an answer"), "hello you");
}

#[tokio::test]
async fn metadata_reaches_the_handler_and_only_baggage_goes_on() {
    let (_scene, _servers, client) = mirrors().await;
    let options = CallOptions::new()
        .metadata("tenant", "blue")
        .and_then(|options| options.metadata("baggage.user", [0, 255]))
        .must("sound metadata");
    let client = client.with(options);
    let own = client.look().await.must("an answer").metadata;
    let tenant = ("tenant".to_owned(), b"blue".to_vec());
    let user = ("baggage.user".to_owned(), vec![0, 255]);
    assert_eq!(own, [tenant, user.clone()]);
    assert_eq!(client.through().await.must("an answer").metadata, [user]);
}

#[tokio::test]
async fn metadata_that_breaks_a_bound_is_refused_where_it_is_set() {
    let (_scene, _servers, client) = mirrors().await;
    for (key, value) in
        [("Upper", 1), ("sinew-own", 1), ("", 1), ("with space", 1), ("large", 5000)]
    {
        assert!(CallOptions::new().metadata(key, vec![0; value]).is_err(), "{key}");
    }
    // As much as there may be is carried.
    let mut options = CallOptions::new();
    for n in 0..64 {
        options = options.metadata(format!("key-{n:02}"), [7; 120]).must("within the bounds");
    }
    assert!(options.clone().metadata("one-more", "x").is_err());
    assert_eq!(client.with(options).look().await.must("an answer").metadata.len(), 64);
}

#[tokio::test]
async fn metadata_of_an_answer_reaches_who_asked_for_it_also_of_one_that_failed() {
    let (_scene, _servers, client) = mirrors().await;
    let said = AnswerMetadata::new();
    let asking = client.with(CallOptions::new().answer_metadata(&said));
    asking.annotate("cost".into(), "12".into()).await.must("an answer");
    assert_eq!(said.get().get_str("cost"), Some("12"));
    let status = asking.annotate("cost".into(), "fail".into()).await.must_err();
    assert_eq!(status.code(), Code::Aborted);
    assert_eq!(said.get().get_str("cost"), Some("fail"));
    asking.look().await.must("an answer");
    assert!(said.get().is_empty(), "an answer without any");
    let stream = asking.annotated_stream().await.must("a stream");
    assert_eq!(said.get().get_str("of"), Some("a stream"));
    assert_eq!(stream.collect().await.must("all of it"), [1, 2]);
    let status = client.annotate("sinew-own".into(), "x".into()).await.must_err();
    assert_eq!(status.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn criticality_is_inherited_and_lowered_and_never_raised() {
    let (_scene, _servers, client) = mirrors().await;
    let of = |class: Criticality| client.with(CallOptions::new().criticality(class));
    assert_eq!(client.look().await.must("an answer").criticality, Criticality::Critical as u8);
    for class in Criticality::ALL {
        let client = of(class);
        assert_eq!(client.look().await.must("an answer").criticality, class as u8);
        assert_eq!(client.through().await.must("an answer").criticality, class as u8, "inherited");
    }
    let scene = Scene::new();
    let back = scene.serve(|server| server.serve(MirrorServer::new(Glass::default()))).await;
    let raised: MirrorClient = scene.client(&back).await;
    let raised = raised.with(CallOptions::new().criticality(Criticality::CriticalPlus));
    let glass = Glass { behind: Some(raised) };
    let front = scene.serve(|server| server.serve(MirrorServer::new(glass))).await;
    let client: MirrorClient = scene.client(&front).await;
    let low = client.with(CallOptions::new().criticality(Criticality::Sheddable));
    let seen = low.through().await.must("an answer").criticality;
    assert_eq!(seen, Criticality::Sheddable as u8, "what serves a sheddable call is sheddable");
}

/// What an interceptor saw of a call.
#[derive(Debug, Clone, PartialEq)]
struct Sight {
    place: &'static str,
    method: &'static str,
    text: Option<String>,
    tenant: Option<String>,
    has_deadline: bool,
    peer: Option<String>,
    endpoint: Option<String>,
    attempt: u8,
}

type Sights = Arc<Mutex<Vec<Sight>>>;

/// An interceptor that notes what it sees, adds to the metadata, and goes on.
fn noting(
    place: &'static str,
    sights: &Sights,
) -> impl Fn(Request, Next) -> sinew_tests::Boxed<Response> + use<> {
    let sights = Arc::clone(sights);
    move |mut request, next| {
        let sight = Sight {
            place,
            method: request.method().path(),
            text: request.arguments::<(String,)>().ok().map(|(text,)| text),
            tenant: request.metadata().get_str("tenant").map(str::to_owned),
            has_deadline: request.deadline().is_some(),
            peer: request.peer().map(|peer| peer.identity().to_string()),
            endpoint: request.endpoint().map(str::to_owned),
            attempt: request.attempt(),
        };
        sights.lock().must("a list").push(sight);
        request.metadata_mut().insert("tenant", place).must("sound metadata");
        Box::pin(async move { next.run(request).await })
    }
}

#[tokio::test]
async fn interceptors_see_the_call_at_their_place_in_their_order() {
    let scene = Scene::new();
    let sights = Sights::default();
    let probe = Counting::new();
    let served = scene
        .serve(|server| {
            server
                .serve(probe.server())
                .intercept(noting("server, first", &sights))
                .intercept(noting("server, second", &sights))
        })
        .await;
    let mesh = scene
        .mesh_with(|builder| {
            builder
                .intercept_attempts(noting("attempt", &sights))
                .intercept_calls(noting("call, first", &sights))
                .intercept_calls(noting("call, second", &sights))
        })
        .await;
    let client: ProbeClient = client_at(&mesh, &[served.address()]);
    assert_eq!(client.echo("seen".into()).await.must("an answer"), "seen");
    let sights = sights.lock().must("a list").clone();
    let places: Vec<_> = sights.iter().map(|sight| sight.place).collect();
    let expected = ["call, first", "call, second", "attempt", "server, first", "server, second"];
    assert_eq!(places, expected);
    for (before, sight) in [None].into_iter().chain(expected.map(Some)).zip(&sights) {
        assert_eq!(sight.method, "test.Probe/echo", "{sight:?}");
        assert_eq!(sight.text.as_deref(), Some("seen"), "{sight:?}");
        assert_eq!(sight.tenant.as_deref(), before, "what the one before it added: {sight:?}");
        assert!(sight.has_deadline, "{sight:?}");
        assert_eq!(sight.attempt, 0);
        let on_server = sight.place.starts_with("server");
        assert_eq!(sight.peer.is_some(), on_server, "{sight:?}");
        let endpoint = (sight.place == "attempt").then(|| served.address().to_string());
        assert_eq!(sight.endpoint, endpoint, "{sight:?}");
    }
}

#[tokio::test]
async fn an_interceptor_may_refuse_a_call_at_each_place() {
    let refuse = |request: Request, next: Next| async move {
        if request.arguments::<(String,)>().is_ok_and(|(text,)| text == "forbidden") {
            return Response::status(Status::new(Code::PermissionDenied, "not with that text"));
        }
        next.run(request).await
    };
    let scene = Scene::new();
    let probe = Counting::new();
    let open = scene.serve(|server| server.serve(probe.server())).await;
    let guarded = scene.serve(|server| server.serve(probe.server()).intercept(refuse)).await;
    let per_call = scene.mesh_with(|builder| builder.intercept_calls(refuse)).await;
    let per_attempt = scene.mesh_with(|builder| builder.intercept_attempts(refuse)).await;
    let clients: [(&str, ProbeClient); 3] = [
        ("call", client_at(&per_call, &[open.address()])),
        ("attempt", client_at(&per_attempt, &[open.address()])),
        ("server", client_at(&scene.mesh().await, &[guarded.address()])),
    ];
    for (begun, (place, client)) in clients.into_iter().enumerate() {
        let status = soon("the call ends", client.echo("forbidden".into())).await.must_err();
        assert_eq!(status.code(), Code::PermissionDenied, "{place}");
        assert_says(&status, &["not with that text"]);
        assert_eq!(probe.tally().begun, begun as u64, "{place}: no handler began");
        client.echo("allowed".into()).await.must("an answer");
    }
}

#[tokio::test]
async fn an_interceptor_sees_what_became_of_the_call() {
    let scene = Scene::new();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    let watch = move |request: Request, next: Next| {
        let noted = Arc::clone(&noted);
        async move {
            let response = next.run(request).await;
            let cost = response.metadata().and_then(|metadata| metadata.get_str("cost"));
            let sight = (response.failed().map(Status::code), cost.map(str::to_owned));
            noted.lock().must("a list").push(sight);
            response
        }
    };
    let server = scene.serve(|server| server.serve(MirrorServer::new(Glass::default()))).await;
    let mesh = scene.mesh_with(|builder| builder.intercept_calls(watch)).await;
    let client: MirrorClient = client_at(&mesh, &[server.address()]);
    client.annotate("cost".into(), "3".into()).await.must("an answer");
    client.annotate("cost".into(), "fail".into()).await.must_err();
    let numbers = client.annotated_stream().await.must("a stream").collect().await;
    assert_eq!(numbers.must("all of it"), [1, 2]);
    let seen = seen.lock().must("a list").clone();
    assert_eq!(seen[0], (None, Some("3".to_owned())));
    assert_eq!(seen[1].0, Some(Code::Aborted));
    assert_eq!(seen[2], (None, None));
}

#[tokio::test]
async fn a_slow_interceptor_does_not_outlast_the_deadline() {
    let scene = Scene::new();
    let probe = Counting::new();
    let slow = |request: Request, next: Next| async move {
        tokio::time::sleep(ms(60_000)).await;
        next.run(request).await
    };
    let server = scene.serve(|server| server.serve(probe.server())).await;
    let guarded = scene.serve(|server| server.serve(probe.server()).intercept(slow)).await;
    let per_call = scene.mesh_with(|builder| builder.intercept_calls(slow)).await;
    let per_attempt = scene.mesh_with(|builder| builder.intercept_attempts(slow)).await;
    let clients: [ProbeClient; 3] = [
        client_at(&per_call, &[server.address()]),
        client_at(&per_attempt, &[server.address()]),
        client_at(&scene.mesh().await, &[guarded.address()]),
    ];
    for client in clients {
        let hurried = client.with(CallOptions::new().timeout(ms(200)));
        let status = soon("the call ends", hurried.echo("x".into())).await.must_err();
        assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
    }
    assert_eq!(probe.tally().begun, 0);
}

/// Whoever calls moves the call, once for each block, task and time-out around it.
#[test]
fn a_call_is_small_until_it_is_under_way() {
    let client = ProbeClient::local(Counting::new());
    let call = client.echo("x".into());
    let size = size_of_val(&call);
    assert!(size <= 128, "{size} bytes");
}
