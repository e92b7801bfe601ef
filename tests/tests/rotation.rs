//! Certificates that are renewed in their files while calls run, and trust that is taken back.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use sinew::{Code, MeshBuilder, Ran, Reason};
use sinew_tests::{
    Must as _, MustFail as _, assert_says,
    authority::Authority,
    certified::{Process, files, serve},
    probe::{Counting, ProbeClient},
    scene::client_at,
    wait::until,
};
use tokio::time::sleep;

/// New certificates on both sides, and a new authority on the way, while calls run: none fails.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_fails_while_certificates_and_their_authority_are_renewed() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let server = Process::new("test.Probe", &old, &[&old]).await;
    // What is renewed is shown on new connections: here by all within a second, and not an hour.
    let quickly = |builder: MeshBuilder| builder.connection_age(Duration::from_secs(1));
    let caller = Process::with("caller", &old, &[&old], quickly).await;
    let probe = Counting::new();
    let running = serve(&server, &probe).await;
    let client: ProbeClient = client_at(&caller.mesh, &[running.address()]);
    let steps: [(&Authority, &[&Authority]); 4] =
        [(&old, &[&old]), (&old, &[&old, &new]), (&new, &[&old, &new]), (&new, &[&new])];
    let calls = Arc::new(AtomicU64::new(0));
    let (counted, called) = (Arc::clone(&calls), client.clone());
    let caller_task = tokio::spawn(async move {
        loop {
            called.echo("x".into()).await.must("an answer");
            counted.fetch_add(1, Relaxed);
            sleep(Duration::from_millis(2)).await;
        }
    });
    for (of, trusts) in steps {
        let before = (server.renewed(), caller.renewed());
        server.renew(of, trusts);
        caller.renew(of, trusts);
        let read = || server.renewed() > before.0 && caller.renewed() > before.1;
        until("both have read their files", read).await;
        // One that was being made may show what was before.
        let connected = caller.connected() + 2.0;
        let anew = || caller.connected() >= connected || caller_task.is_finished();
        until("no connection shows what was before", anew).await;
        let after = calls.load(Relaxed) + 5;
        until("calls go on", || calls.load(Relaxed) >= after || caller_task.is_finished()).await;
    }
    assert!(!caller_task.is_finished(), "a call failed: {:?}", caller_task.await);
    caller_task.abort();
    // Who connects now, knows the new authority alone.
    let late = Process::new("late", &new, &[&new]).await;
    let client: ProbeClient = client_at(&late.mesh, &[running.address()]);
    client.echo("x".into()).await.must("an answer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_do_not_fit_together_change_nothing_and_are_told() {
    let root = Authority::new("root");
    let server = Process::new("test.Probe", &root, &[&root]).await;
    let caller = Process::new("caller", &root, &[&root]).await;
    let probe = Counting::new();
    let running = serve(&server, &probe).await;
    let client: ProbeClient = client_at(&caller.mesh, &[running.address()]);
    let refused = |process: &Process| process.metric("sinew_identity_refused", &[]);
    let [cert, key, _] = files(&server.scratch);
    let bad: [(&PathBuf, String); 3] = [
        (&key, root.issue("spiffe://prod.example/other").key_pem),
        (&cert, "-----BEGIN CERTIFICATE-----\nMIIB".to_owned()),
        (&cert, root.issue_until("spiffe://prod.example/test.Probe", -10).pem),
    ];
    for (file, text) in bad {
        server.renew(&root, &[&root]);
        until("the files are well", || refused(&server) == 0.0).await;
        std::fs::write(file, text).must("a file");
        until("what is wrong is told", || refused(&server) == 1.0).await;
        let late = Process::new("late", &root, &[&root]).await;
        for client in [&client, &client_at::<ProbeClient>(&late.mesh, &[running.address()])] {
            client.echo("x".into()).await.must("an answer");
        }
    }
}

/// Whom the bundle does not vouch for any more: his connection is closed, and he makes no other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_not_trusted_any_more_is_soon_not_connected() {
    let (root, other) = (Authority::new("root"), Authority::new("other"));
    let server = Process::new("test.Probe", &root, &[&root, &other]).await;
    let (stays, goes) = (
        Process::new("stays", &root, &[&root]).await,
        Process::new("goes", &other, &[&root]).await,
    );
    let probe = Counting::new();
    let running = serve(&server, &probe).await;
    let client = |process: &Process| client_at::<ProbeClient>(&process.mesh, &[running.address()]);
    let (stays, gone) = (client(&stays), client(&goes));
    stays.echo("x".into()).await.must("an answer");
    gone.echo("x".into()).await.must("an answer");
    assert_eq!(server.metric("sinew_server_connections", &[]), 2.0);
    server.renew(&root, &[&root]);
    until("his connection is closed", || server.metric("sinew_server_connections", &[]) == 1.0)
        .await;
    let status = gone.echo("x".into()).await.must_err();
    assert_eq!((status.code(), status.ran()), (Code::Unavailable, Ran::No), "{status}");
    stays.echo("x".into()).await.must("the others are as before");
}

/// The same the other way round: a server that its callers do not trust any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_not_trusted_any_more_is_not_called() {
    let (root, other) = (Authority::new("root"), Authority::new("other"));
    let server = Process::new("test.Probe", &other, &[&root]).await;
    let caller = Process::new("caller", &root, &[&root, &other]).await;
    let probe = Counting::new();
    let running = serve(&server, &probe).await;
    let client: ProbeClient = client_at(&caller.mesh, &[running.address()]);
    client.echo("x".into()).await.must("an answer");
    caller.renew(&root, &[&root]);
    until("the new bundle is read", || caller.renewed() == 1.0).await;
    let status = client.echo("x".into()).await.must_err();
    assert_eq!(status.reason(), Reason::WrongIdentity, "{status}");
    assert_says(&status, &["SINEW_BUNDLE"]);
    assert_eq!(probe.tally().begun, 1);
}
