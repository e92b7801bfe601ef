//! Policy that changes while calls are out: nothing is lost, and no call sees two.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use sinew::{Code, Mesh, Ran, Reason, ServerBuilder, Status, Streaming};
use sinew_tests::{
    Must as _, MustFail as _, assert_says,
    authority::Authority,
    probe::{Counting, PROBE, ProbeClient},
    ruled::{Filed, RuledClient, RuledServer, Tell, bad_files, is_long, pair},
    scene::{ANYWHERE, Running, Scene, client_at, mesh_of},
    scrape::Scrape,
    scratch::Scratch,
    wait::{soon, until},
};
use tokio::{task::JoinSet, time::sleep};

/// Policy that is put in force a hundred times a second: no call fails, and none has the timeout of one document and the
/// class of another.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_call_fails_or_sees_two_policies_while_they_change() {
    let scene = Scene::new();
    let server = scene.serve(|server| server.serve(RuledServer::new(Tell))).await;
    let mesh = scene.mesh().await;
    let client: RuledClient = client_at(&mesh, &[server.address()]);
    mesh.apply_policy(&pair(true)).must("a policy");
    let done = Arc::new(AtomicBool::new(false));
    let (calls, kinds) =
        (Arc::new(AtomicU64::new(0)), [(); 2].map(|()| Arc::new(AtomicU64::new(0))));
    let mut callers = JoinSet::new();
    for _ in 0..4 {
        let (client, done, calls, kinds) =
            (client.clone(), Arc::clone(&done), Arc::clone(&calls), kinds.clone());
        callers.spawn(async move {
            while !done.load(Relaxed) {
                let long = is_long(&client.ruled().await.must("an answer")).must("of one policy");
                kinds[usize::from(long)].fetch_add(1, Relaxed);
                calls.fetch_add(1, Relaxed);
                sleep(Duration::from_millis(2)).await;
            }
        });
    }
    let mut applied = 1;
    while applied < 200 || calls.load(Relaxed) < 500 {
        applied = mesh.apply_policy(&pair(applied % 2 == 0)).must("a policy");
        sleep(Duration::from_millis(5)).await;
    }
    done.store(true, Relaxed);
    while let Some(caller) = soon("the callers", callers.join_next()).await {
        caller.must("no call that failed or was mixed");
    }
    assert!(kinds.iter().all(|kind| kind.load(Relaxed) > 0), "both were seen: {kinds:?}");
    assert_eq!(mesh.policy_status().version, applied);
}

/// Each kind of file that cannot be used, one after the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_wrong_with_the_file_what_was_in_force_stays_and_the_reason_is_told() {
    let scene = Scene::new();
    let server = scene.serve(|server| server.serve(RuledServer::new(Tell))).await;
    let filed = Filed::new(&scene, &pair(true)).await;
    let client: RuledClient = client_at(&filed.mesh, &[server.address()]);
    let good = || async {
        assert_eq!(is_long(&client.ruled().await.must("an answer")), Ok(true));
    };
    good().await;
    for (kind, bytes, word) in bad_files() {
        filed.write(&bytes);
        until(&format!("a file {kind} is refused"), || filed.is_refused(word)).await;
        assert_eq!(filed.status().version, 1, "{kind}");
        assert_eq!(Scrape::of(&filed.mesh).get("sinew_policy_refused", &[]), 1.0, "{kind}");
        good().await;
    }
    std::fs::remove_file(filed.path()).must("it was there");
    until("a file that is gone is told", || filed.is_refused("No such file")).await;
    good().await;
    // A directory in its place can never be read.
    std::fs::create_dir(filed.path()).must("a directory");
    until("a directory is refused", || filed.is_refused("no ordinary file")).await;
    good().await;
    std::fs::remove_dir(filed.path()).must("it was there");
    filed.write(pair(false));
    until("a good file is in force", || filed.status().version == 2).await;
    assert_eq!(is_long(&client.ruled().await.must("an answer")), Ok(false));
    assert_eq!(filed.status().refused, None);
}

#[tokio::test]
async fn a_file_that_was_named_and_cannot_be_used_is_an_error_at_the_start() {
    let scene = Scene::new();
    let scratch = Scratch::new();
    let file = scratch.join("other.toml");
    let build = || async {
        let directory = scene.runtime_dir().join("sinew");
        let identity = sinew::Identity::development_in(directory).must("an identity");
        Mesh::builder().identity(identity).policy_file(&file).build().await
    };
    let missing = build().await.err().must("there is none").to_string();
    assert!(missing.contains("other.toml") && missing.contains("SINEW_CONFIG"), "{missing}");
    std::fs::write(&file, "version = 1\n[defaults]\nbalance = \"random\"\n").must("a file");
    let wrong = build().await.err().must("it is wrong").to_string();
    assert!(wrong.contains("line 3") && wrong.contains("`round-robin`"), "{wrong}");
}

/// The policy of the file, of the program, and the options of a call, each over the one before.
#[tokio::test]
async fn what_is_said_of_a_method_goes_before_its_service_and_the_options_of_a_call_before_all() {
    let scene = Scene::new();
    let probe = Counting::new();
    let server = scene.serve(|server| server.serve(probe.server())).await;
    let program = || sinew::Policy::new().timeout(Duration::from_secs(60)).attempts(2);
    let mesh = scene.mesh_with(|builder| builder.policy(PROBE, program())).await;
    let client: ProbeClient = client_at(&mesh, &[server.address()]);
    let seconds = |left: Option<u64>| (left.must("a deadline") as f64 / 1e6).ceil() as u64;
    assert_eq!(seconds(client.left().await.must("an answer")), 60);
    assert_eq!(seconds(client.left_of_three_seconds().await.must("an answer")), 3);
    let apply = |text: &str| mesh.apply_policy(&format!("version = 1\n{text}")).must("a policy");
    apply("[defaults]\ntimeout = \"40s\"");
    assert_eq!(
        seconds(client.left().await.must("an answer")),
        60,
        "the program says more than the defaults"
    );
    apply("[service.\"test.Probe\"]\ntimeout = \"50s\"");
    assert_eq!(seconds(client.left().await.must("an answer")), 50);
    assert_eq!(
        seconds(client.left_of_three_seconds().await.must("an answer")),
        3,
        "the trait's own"
    );
    apply("[service.\"test.Probe\".method.left_of_three_seconds]\ntimeout = \"30s\"");
    assert_eq!(seconds(client.left_of_three_seconds().await.must("an answer")), 30);
    let own = client.with(sinew::CallOptions::new().timeout(Duration::from_secs(5)));
    assert_eq!(seconds(own.left_of_three_seconds().await.must("an answer")), 5);
    apply("");
    assert_eq!(seconds(client.left().await.must("an answer")), 60, "and back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_method_has_no_more_calls_out_than_the_policy_lets_it() {
    let scene = Scene::new();
    let probe = Counting::new();
    let server = scene.serve(|server| server.serve(probe.server())).await;
    let mesh = scene.mesh().await;
    let client: ProbeClient = client_at(&mesh, &[server.address()]);
    let policy = "version = 1\n[service.\"test.Probe\".method.hold]\nmax_in_flight = 3\n";
    mesh.apply_policy(policy).must("a policy");
    let mut calls = JoinSet::new();
    (0..4).for_each(|_| _ = calls.spawn(client.hold()));
    let refused =
        soon("a refusal", calls.join_next()).await.must("a call").must("a task").must_err();
    assert_eq!((refused.reason(), refused.ran()), (Reason::BulkheadFull, Ran::No), "{refused}");
    assert_says(&refused, &["3 calls", "test.Probe/hold", "max_in_flight"]);
    client.echo("the others go on".into()).await.must("an answer");
    mesh.apply_policy("version = 1").must("a policy");
    calls.spawn(client.hold());
    until("one more is let out", || probe.tally().running() == 4).await;
}

/// A call whose server ends under it is made again at another one, unless the policy takes the trait's promise back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promise_that_is_taken_back_is_not_relied_on() {
    for taken_back in [false, true] {
        let scene = Scene::new();
        let probes = [Counting::new(), Counting::new()];
        let mut servers = Vec::new();
        for probe in &probes {
            servers.push(scene.serve(|server| server.serve(probe.server())).await);
        }
        let addresses: Vec<_> = servers.iter().map(Running::address).collect();
        let mesh = scene.mesh().await;
        let client: ProbeClient = client_at(&mesh, &addresses);
        if taken_back {
            let once =
                "version = 1\n[service.\"test.Probe\".method.wait_again]\nidempotent = false\n";
            mesh.apply_policy(once).must("a policy");
        }
        let call = tokio::spawn(client.wait_again(60_000));
        let at = |probe: &Counting| probe.tally().begun == 1;
        until("it is at work", || probes.iter().any(at)).await;
        let first = probes.iter().position(at).must("one of them");
        drop(servers.remove(first));
        let other = &probes[1 - first];
        if taken_back {
            let status = soon("its end", call).await.must("a task").must_err();
            assert_eq!(status.ran(), Ran::Maybe, "{status}");
            assert_eq!(other.tally().begun, 0);
        } else {
            until("it is made again", || at(other)).await;
            call.abort();
        }
    }
}

/// Takes long the first time, or fails; says how often it was called.
#[sinew::service(name = "test.Moody")]
trait Moody {
    #[rpc(idempotent)]
    async fn slow_at_first(&self) -> u64;
    async fn slow_at_first_and_not_to_be_repeated(&self) -> u64;
    #[rpc(idempotent)]
    async fn stream_slow_at_first(&self) -> Streaming<u64>;
    #[rpc(idempotent)]
    async fn broken_at_first(&self) -> Result<u64, Status>;
    async fn broken_at_first_and_not_to_be_repeated(&self) -> Result<u64, Status>;
}

#[derive(Default)]
struct Moods {
    calls: AtomicU64,
}

impl Moods {
    async fn slow(&self) -> u64 {
        let before = self.calls.fetch_add(1, Relaxed);
        if before == 0 {
            sleep(Duration::from_secs(2)).await;
        }
        before + 1
    }

    fn broken(&self) -> Result<u64, Status> {
        match self.calls.fetch_add(1, Relaxed) {
            0 => Err(Status::new(Code::Internal, "a bad moment")),
            before => Ok(before + 1),
        }
    }
}

impl Moody for Moods {
    async fn slow_at_first(&self) -> u64 {
        self.slow().await
    }

    async fn slow_at_first_and_not_to_be_repeated(&self) -> u64 {
        self.slow().await
    }

    async fn stream_slow_at_first(&self) -> Streaming<u64> {
        Streaming::iter([self.slow().await])
    }

    async fn broken_at_first(&self) -> Result<u64, Status> {
        self.broken()
    }

    async fn broken_at_first_and_not_to_be_repeated(&self) -> Result<u64, Status> {
        self.broken()
    }
}

async fn moody(policy: &str) -> (Scene, Running, MoodyClient) {
    let scene = Scene::new();
    let server = scene.serve(|server| server.serve(MoodyServer::new(Moods::default()))).await;
    let mesh = scene.mesh().await;
    mesh.apply_policy(&format!("version = 1\n[service.\"test.Moody\".retry]\n{policy}\n"))
        .must("a policy");
    let client = client_at(&mesh, &[server.address()]);
    (scene, server, client)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt_that_takes_too_long_is_followed_by_another_where_that_is_harmless() {
    let (_scene, _server, client) = moody("per_attempt = \"100ms\"").await;
    let calls = client.slow_at_first().await;
    assert_eq!(calls.must("the second attempt answers"), 2);

    let (_scene, _server, client) = moody("per_attempt = \"100ms\"").await;
    let calls = client.slow_at_first_and_not_to_be_repeated().await;
    assert_eq!(calls.must("the first attempt has all the time"), 1);

    // A stream is waited for until it begins.
    let (_scene, _server, client) = moody("per_attempt = \"100ms\"").await;
    let mut calls = client.stream_slow_at_first().await.must("the second attempt begins");
    assert_eq!(calls.next().await.must("an item").must("a number"), 2);

    // Of one attempt, it is the last.
    let (_scene, _server, client) = moody("per_attempt = \"100ms\"\nattempts = 1").await;
    assert_eq!(client.slow_at_first().await.must("the only one has all the time"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codes_of_the_policy_are_tried_again_where_that_is_harmless() {
    let (_scene, _server, client) = moody("on = [\"aborted\"]").await;
    let status = client.broken_at_first().await.must_err();
    assert_eq!((status.code(), status.attempts()), (Code::Internal, 1), "{status}");

    let (_scene, _server, client) = moody("on = [\"aborted\", \"internal\"]").await;
    assert_eq!(client.broken_at_first().await.must("the second attempt answers"), 2);

    let (_scene, _server, client) = moody("on = [\"internal\"]").await;
    let status = client.broken_at_first_and_not_to_be_repeated().await.must_err();
    assert_eq!((status.code(), status.attempts()), (Code::Internal, 1), "{status}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_idempotent_is_not_hedged_by_a_policy() {
    let scene = Scene::new();
    let probe = Counting::new();
    let server = scene.serve(|server| server.serve(probe.server())).await;
    let mesh = scene.mesh().await;
    let _client: ProbeClient = client_at(&mesh, &[server.address()]);
    let hedged = "version = 1\n[service.\"test.Probe\".method.echo]\nhedge = { after = \"p95\" }\n";
    let why = mesh.apply_policy(hedged).must_err();
    assert!(why.to_string().contains("not idempotent"), "{why}");
    let both = "version = 1\n[service.\"test.Probe\".method.echo_again]\nhedge = { after = \"p95\" }\nidempotent = false\n";
    assert!(mesh.apply_policy(both).must_err().to_string().contains("not idempotent"));
    mesh.apply_policy(
        "version = 1\n[service.\"test.Probe\".method.wait_again]\nhedge = { after = \"5ms\" }\n",
    )
    .must("a policy");
}

/// A server of a trust domain, and callers of it.
struct Domain {
    authority: Authority,
    mesh: Mesh,
    server: Running,
}

impl Domain {
    async fn new(policy: &str) -> Self {
        let authority = Authority::new("root");
        let identity = authority.identity("spiffe://prod.example/test.Probe");
        let mesh = mesh_of(identity, |builder| builder).await;
        if !policy.is_empty() {
            mesh.apply_policy(policy).must("a policy");
        }
        let probe = Counting::new();
        let bound = |server: ServerBuilder| server.serve(probe.server()).bind(ANYWHERE);
        let server = Running::new(bound(mesh.server()).await.must("a server"));
        Self { authority, mesh, server }
    }

    async fn caller(&self, path: &str) -> ProbeClient {
        let identity = self.authority.identity(&format!("spiffe://prod.example/{path}"));
        client_at(&mesh_of(identity, |builder| builder).await, &[self.server.address()])
    }
}

fn allows(rules: &[(&str, &str)]) -> String {
    let rule = |(caller, method): &(&str, &str)| {
        format!("[[allow]]\ncaller = \"spiffe://prod.example/{caller}\"\nmethod = \"{method}\"\n")
    };
    format!("version = 1\n{}", rules.iter().map(rule).collect::<String>())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_rule_allows_is_denied_and_did_not_run() {
    let domain = Domain::new("").await;
    let (shop, batch) = (domain.caller("shop").await, domain.caller("batch/night").await);
    let echo = |client: &ProbeClient| client.echo("x".to_owned());
    echo(&shop).await.must("without a policy whoever is verified may call");
    let apply = |text: &str| domain.mesh.apply_policy(text).must("a policy");
    apply("version = 1\nallow = []");
    for client in [&shop, &batch] {
        let status = echo(client).await.must_err();
        assert_eq!(status.code(), Code::PermissionDenied, "{status}");
        assert_eq!((status.reason(), status.ran()), (Reason::NotAllowed, Ran::No), "{status}");
    }
    apply(&allows(&[("shop", "test.Probe/echo"), ("batch/*", "test.Probe/*")]));
    echo(&shop).await.must("it is allowed");
    echo(&batch).await.must("it is allowed");
    batch.echo_again("x".to_owned()).await.must("it is allowed");
    let status = shop.echo_again("x".to_owned()).await.must_err();
    assert_says(&status, &["spiffe://prod.example/shop", "test.Probe/echo_again", "[[allow]]"]);
    let typo = domain.mesh.apply_policy(&allows(&[("shop", "test.Probe/ecko")])).must_err();
    assert!(
        typo.to_string().contains("line 2: `allow[0].method` names `test.Probe/ecko`"),
        "{typo}"
    );
    echo(&shop).await.must("what was in force stays");
    apply("version = 1");
    shop.echo_again("x".to_owned()).await.must("without rules all may");
}

/// Who may call nothing any more: his next call is denied, and his connection is closed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_disowned_is_denied_at_once_and_soon_not_connected() {
    let domain = Domain::new(&allows(&[("shop", "test.Probe/*"), ("batch", "test.Probe/*")])).await;
    let (shop, batch) = (domain.caller("shop").await, domain.caller("batch").await);
    shop.echo("x".to_owned()).await.must("it is allowed");
    batch.echo("x".to_owned()).await.must("it is allowed");
    let connections = || Scrape::of(&domain.mesh).get("sinew_server_connections", &[]);
    assert_eq!(connections(), 2.0);
    domain.mesh.apply_policy(&allows(&[("shop", "test.Probe/*")])).must("a policy");
    assert_eq!(batch.echo("x".to_owned()).await.must_err().code(), Code::PermissionDenied);
    until("his connection is closed", || connections() == 1.0).await;
    shop.echo("x".to_owned()).await.must("the others are as before");
}

#[tokio::test]
async fn a_server_works_on_as_many_calls_as_the_policy_says() {
    let scene = Scene::new();
    let probe = Counting::new();
    let mesh = scene.mesh().await;
    mesh.apply_policy("version = 1\n[server]\nconcurrency = { mode = \"fixed\", limit = 2 }\n")
        .must("a policy");
    let bound = mesh.server().serve(probe.server()).bind(ANYWHERE).await.must("a server");
    let server = Running::new(bound);
    let client: ProbeClient = scene.client(&server).await;
    let mut calls = JoinSet::new();
    (0..3).for_each(|_| _ = calls.spawn(client.hold()));
    until("two are at work", || probe.tally().running() == 2).await;
    sleep(Duration::from_millis(50)).await;
    assert_eq!(probe.tally().running(), 2);
    mesh.apply_policy("version = 1\n[server]\nconcurrency = { mode = \"unlimited\" }\n")
        .must("a policy");
    (0..3).for_each(|_| _ = calls.spawn(client.hold()));
    until("all are at work", || probe.tally().running() >= 5).await;
}
