//! Servers and clients that meet in a real etcd, which is killed, emptied, set back, compacted, slowed, held and locked:
//! no call to a server that lives fails.

use std::{collections::BTreeSet, net::SocketAddr, time::Duration};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use sinew::{CallOptions, Mesh, Reason};
use sinew_tests::{
    Must as _, MustFail as _, assert_says,
    child::{Process, Start},
    etcd::Etcd,
    gate::{Gate, Mood},
    history::{Plan, report},
    load::Load,
    probe::{Counting, PROBE, ProbeClient},
    scene::{ANYWHERE, Running, Scene},
    scrape::Scrape,
    wait::{ms, soon, until},
};

/// A mesh that meets others there.
async fn mesh(scene: &Scene, text: impl Into<sinew::Directory>) -> Mesh {
    scene.mesh_with(|mesh| mesh.discovery(text)).await
}

async fn serve(mesh: &Mesh) -> Running {
    let server = mesh.server().serve(Counting::new().server());
    Running::new(server.bind(ANYWHERE).await.must("a server"))
}

fn through(gate: &Gate) -> String {
    format!("etcd://{}", gate.address())
}

fn addresses(servers: &[&Running]) -> Vec<SocketAddr> {
    servers.iter().map(|server| server.address()).collect()
}

/// Calls until exactly these have answered of the last calls.
async fn answered_by(client: &ProbeClient, servers: &[SocketAddr]) {
    let expected: BTreeSet<String> = servers.iter().map(SocketAddr::to_string).collect();
    soon("just these answer", async {
        let mut found = BTreeSet::new();
        while found != expected {
            found.clear();
            let calls: Vec<_> = (0..40).map(|_| tokio::spawn(client.deny("who".into()))).collect();
            for call in calls {
                let status = call.await.must("a task").must_err();
                found.insert(status.endpoint().unwrap_or_default().to_owned());
            }
        }
    })
    .await;
}

/// What is announced now, asked afresh.
async fn announced(mesh: &Mesh) -> BTreeSet<String> {
    let listed = mesh.listed(PROBE, &format!("etcd:{PROBE}")).await.must("a list");
    listed.into_iter().map(|one| one.address).collect()
}

async fn is_announced(mesh: &Mesh, servers: &[SocketAddr]) {
    let expected: BTreeSet<String> = servers.iter().map(SocketAddr::to_string).collect();
    soon("just these are announced", async {
        while announced(mesh).await != expected {
            tokio::time::sleep(ms(20)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn servers_and_clients_meet_in_etcd_by_one_word() {
    let Some(etcd) = Etcd::start().await else { return };
    let scene = Scene::new();
    let here = mesh(&scene, etcd.text()).await;
    let client: ProbeClient = here.client();
    let process = |text: String| {
        let start = Start::new(env!("CARGO_BIN_EXE_probe"), &scene);
        async move { start.env("SINEW_DISCOVERY", &text).run().await }
    };
    let one: Process = process(etcd.text()).await;
    let two: Process = process(etcd.text()).await;
    answered_by(&client, &[one.address(), two.address()]).await;
    let by_target: ProbeClient = here.client_at(format!("etcd:{PROBE}")).must("a client");
    answered_by(&by_target, &[one.address(), two.address()]).await;
    let listed = tokio::task::spawn_blocking({
        let here = here.clone();
        move || here.announced()
    });
    assert_eq!(listed.await.must("a task").must("a list").len(), 2);
    // Nobody is found on this machine by others who look here alone.
    assert!(scene.mesh().await.announced().must("a list").is_empty());
    let mut one = one;
    one.terminate().await;
    is_announced(&here, &[two.address()]).await;
    assert!(one.ended().await);
    for _ in 0..50 {
        client.echo_again("x".into()).await.must("an answer");
    }
    // One that is killed says nothing: its lease ends.
    let three = process(etcd.text()).await;
    let address = two.address();
    let began = std::time::Instant::now();
    two.kill().await;
    for _ in 0..50 {
        client.echo_again("x".into()).await.must("an answer");
    }
    assert!(announced(&here).await.contains(&address.to_string()));
    is_announced(&here, &[three.address()]).await;
    println!("gone after {:?}", began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(15));
    answered_by(&client, &[three.address()]).await;
}

#[tokio::test]
async fn no_call_fails_whatever_becomes_of_etcd() {
    let Some(mut etcd) = Etcd::start().await else { return };
    let scene = Scene::new();
    let (gate, of_servers) = (Gate::to(etcd.port()).await, Gate::to(etcd.port()).await);
    let serving = mesh(&scene, through(&of_servers)).await;
    let calling = mesh(&scene, through(&gate)).await;
    let (one, two) = (serve(&serving).await, serve(&serving).await);
    let client: ProbeClient = calling.client();
    answered_by(&client, &addresses(&[&one, &two])).await;
    let load = Load::on(&client);
    etcd.kill().await;
    etcd.back_up();
    etcd.restart().await;

    // Killed for longer than a lease, and one comes meanwhile.
    etcd.kill().await;
    tokio::time::sleep(ms(11_000)).await;
    let three = serve(&serving).await;
    load.goes_on(200).await;
    etcd.restart().await;
    answered_by(&client, &addresses(&[&one, &two, &three])).await;

    // Restarted empty.
    etcd.kill().await;
    etcd.wipe();
    etcd.restart().await;
    answered_by(&client, &addresses(&[&one, &two, &three])).await;
    is_announced(&calling, &addresses(&[&one, &two, &three])).await;

    // Compacted while nobody can watch, and one goes meanwhile.
    gate.is(Mood::Shut);
    three.drained().await;
    etcd.compact().await;
    load.goes_on(200).await;
    gate.is(Mood::Open);
    answered_by(&client, &addresses(&[&one, &two])).await;

    // Slow, then silent.
    gate.is(Mood::Slow(ms(500)));
    let four = serve(&serving).await;
    answered_by(&client, &addresses(&[&one, &two, &four])).await;
    gate.is(Mood::Held);
    tokio::time::sleep(ms(6000)).await;
    load.goes_on(200).await;
    gate.is(Mood::Open);
    two.drained().await;
    answered_by(&client, &addresses(&[&one, &four])).await;

    // Set back to when there were others.
    etcd.kill().await;
    etcd.restore();
    etcd.restart().await;
    load.goes_on(500).await;
    answered_by(&client, &addresses(&[&one, &four])).await;
    load.no_failures().await;
}

#[tokio::test]
async fn servers_that_cannot_reach_etcd_are_called_all_the_same() {
    let Some(etcd) = Etcd::start().await else { return };
    let scene = Scene::new();
    let of_servers = Gate::to(etcd.port()).await;
    let serving = mesh(&scene, through(&of_servers)).await;
    let calling = mesh(&scene, etcd.text()).await;
    let mut servers = Vec::new();
    for _ in 0..4 {
        servers.push(serve(&serving).await);
    }
    let all: Vec<SocketAddr> = servers.iter().map(Running::address).collect();
    let client: ProbeClient = calling.client();
    answered_by(&client, &all).await;
    let load = Load::on(&client);
    // All leases end, and nobody has taken anything back: half of them may go.
    of_servers.is(Mood::Held);
    is_announced(&calling, &[]).await;
    tokio::time::sleep(ms(1500)).await;
    let known = Scrape::of(&calling).get("sinew_client_endpoints", &[]);
    assert!(known >= 2.0, "{known}");
    of_servers.is(Mood::Open);
    answered_by(&client, &all).await;
    is_announced(&calling, &all).await;
    load.no_failures().await;
}

#[tokio::test]
async fn a_client_that_starts_while_etcd_is_gone_uses_what_was_known() {
    let Some(mut etcd) = Etcd::start().await else { return };
    let scene = Scene::new();
    let serving = mesh(&scene, etcd.text()).await;
    let server = serve(&serving).await;
    let first: ProbeClient = mesh(&scene, etcd.text()).await.client();
    first.echo("x".into()).await.must("an answer");
    let kept = scene.runtime_dir().join("sinew").join("last-good");
    until("it is kept", || std::fs::read_dir(&kept).is_ok_and(|files| files.count() > 0)).await;
    etcd.kill().await;
    let later: ProbeClient = mesh(&scene, etcd.text()).await.client();
    later.echo("again".into()).await.must("an answer");
    drop(server);
}

/// One policy for all processes of a mesh, in the store where they meet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_policy_is_read_from_etcd_followed_there_and_stays_whatever_becomes_of_it() {
    let Some(mut etcd) = Etcd::start().await else { return };
    let scene = Scene::new();
    let serving = mesh(&scene, etcd.text()).await;
    let server = serve(&serving).await;
    let text = etcd.text();
    let governed = || {
        let identity = sinew::Identity::development_in(scene.runtime_dir().join("sinew"));
        let builder = Mesh::builder().identity(identity.must("an identity"));
        builder.discovery(text.clone()).policy_in_etcd().build()
    };
    let none = governed().await.err().must("there is no such key").to_string();
    assert!(none.contains("etcdctl put /sinew/policy --"), "{none}");
    let policy =
        |seconds: u8| format!("version = 1\n[service.\"test.Probe\"]\ntimeout = \"{seconds}s\"\n");
    etcd.put("/sinew/policy", &policy(40)).await;
    let calling = governed().await.must("a mesh");
    let client: ProbeClient = calling.client();
    let seconds = async || {
        let left = client.left().await.must("an answer").must("a deadline");
        (left as f64 / 1e6).ceil() as u64
    };
    assert_eq!(seconds().await, 40);
    etcd.put("/sinew/policy", &policy(50)).await;
    until("the change is heard", || calling.policy_status().version == 2).await;
    assert_eq!(seconds().await, 50);
    etcd.put("/sinew/policy", "version = 1\nretries = 3\n").await;
    until("what is wrong is told", || calling.policy_status().refused.is_some()).await;
    etcd.kill().await;
    assert_eq!(seconds().await, 50);
    // Who starts now goes by what was in force here last.
    let later = governed().await.must("a mesh");
    assert!(later.policy_status().source.contains("an earlier start"));
    etcd.wipe();
    etcd.restart().await;
    assert_eq!(seconds().await, 50);
    etcd.put("/sinew/policy", &policy(60)).await;
    until("the next one is heard", || calling.policy_status().refused.is_none()).await;
    assert_eq!(seconds().await, 60);
    drop(server);
}

#[tokio::test]
async fn another_member_is_asked_where_one_does_not_answer() {
    let Some(etcd) = Etcd::start().await else { return };
    let scene = Scene::new();
    let (gone, gate) = (Gate::to(etcd.port()).await, Gate::to(etcd.port()).await);
    let text = format!("{},{}", through(&gone), gate.address());
    gone.is(Mood::Shut);
    let both = mesh(&scene, text).await;
    let one = serve(&both).await;
    let client: ProbeClient = both.client();
    client.echo("x".into()).await.must("an answer");
    gone.is(Mood::Open);
    gate.is(Mood::Shut);
    let two = serve(&both).await;
    answered_by(&client, &addresses(&[&one, &two])).await;
}

#[tokio::test]
async fn a_user_has_to_be_known_and_his_token_is_renewed() {
    let Some(mut etcd) = Etcd::start().await else { return };
    let scene = Scene::new();
    etcd.lock("hunter2").await;
    let member = format!("127.0.0.1:{}", etcd.port());
    let named = |password: &str| sinew::Etcd::new([&*member]).credentials("root", password);
    let known = mesh(&scene, named("hunter2")).await;
    let client: ProbeClient = known.client();
    let one = serve(&known).await;
    client.echo("x".into()).await.must("an answer");
    // A token of etcd's does not outlive its process.
    etcd.kill().await;
    etcd.restart().await;
    let two = serve(&known).await;
    answered_by(&client, &addresses(&[&one, &two])).await;
    let hurried = CallOptions::new().timeout(ms(800));
    for (stranger, word) in [
        (mesh(&scene, named("hunter3")).await, "authentication failed"),
        (mesh(&scene, etcd.text()).await, "user name is empty"),
    ] {
        // What is kept of the others is not to help.
        let target = format!("etcd:{PROBE}");
        let why = soon("an answer", stranger.listed(PROBE, &target)).await.must_err().to_string();
        assert_says(&why, &[word]);
        assert!(!why.contains("hunter"), "{why}");
    }
    let empty = Scene::new();
    let stranger: ProbeClient =
        mesh(&empty, named("hunter3")).await.client_at(format!("etcd:{PROBE}")).must("a client");
    let status = stranger.with(hurried).echo("x".into()).await.must_err();
    assert_eq!(status.reason(), Reason::NoEndpoints, "{status}");
    assert_says(&status, &["etcd:test.Probe", "authentication failed"]);
}

#[tokio::test]
async fn over_tls_both_sides_show_who_they_are() {
    let authority = |name: &str| {
        let mut params = CertificateParams::new([]).must("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        CertifiedIssuer::self_signed(params, KeyPair::generate().must("a key")).must("an authority")
    };
    let (ours, other) = (authority("ours"), authority("other"));
    let issue = || {
        let key = KeyPair::generate().must("a key");
        let params = CertificateParams::new(["localhost".into(), "127.0.0.1".into()]);
        let certificate = params.must("parameters").signed_by(&key, &ours).must("a certificate");
        (certificate.pem(), key.serialize_pem())
    };
    let ((chain, key), (own, own_key)) = (issue(), issue());
    let Some(etcd) = Etcd::over_tls(&ours.pem(), &chain, &key).await else { return };
    let scene = Scene::new();
    let named =
        |trusted: &str| sinew::Etcd::new([format!("localhost:{}", etcd.port())]).tls(trusted);
    let here = mesh(&scene, named(&ours.pem()).certificate(&*own, &*own_key)).await;
    let server = serve(&here).await;
    let client: ProbeClient = here.client();
    answered_by(&client, &addresses(&[&server])).await;
    let target = format!("etcd:{PROBE}");
    for etcd in [named(&ours.pem()), named(&other.pem()).certificate(&*own, &*own_key)] {
        let stranger = mesh(&scene, etcd).await;
        let why = soon("an answer", stranger.listed(PROBE, &target)).await.must_err().to_string();
        println!("{why}");
    }
    // The same from the environment.
    for (name, pem) in [("ca", &*ours.pem()), ("cert", &own), ("key", &own_key)] {
        std::fs::write(scene.runtime_dir().join(name), pem).must("a file");
    }
    let path = |name: &str| scene.runtime_dir().join(name).display().to_string();
    let process = Start::new(env!("CARGO_BIN_EXE_probe"), &scene)
        .env("SINEW_DISCOVERY", &format!("etcds://localhost:{}", etcd.port()))
        .env("SINEW_ETCD_CA", &path("ca"))
        .env("SINEW_ETCD_CERT", &path("cert"))
        .env("SINEW_ETCD_KEY", &path("key"))
        .run()
        .await;
    answered_by(&client, &[server.address(), process.address()]).await;
}

#[tokio::test]
async fn a_mesh_is_not_made_where_its_etcd_cannot_be_used() {
    let scene = Scene::new();
    for (text, word) in [
        ("etcd://10.0.0.1:2379", "is not on loopback"),
        ("etcd://127.0.0.1", "is not `host:port`"),
        ("etcds://127.0.0.1:2379", "`SINEW_ETCD_CA`"),
        ("consul://127.0.0.1:8500", "`etcd://host:port`"),
    ] {
        let identity = scene.mesh().await.identity().clone();
        let made = Mesh::builder().identity(identity).discovery(text).build().await;
        assert_says(made.must_err(), &[word, "`SINEW_DISCOVERY`"]);
    }
    let without = scene.mesh().await.client_at::<ProbeClient>(format!("etcd:{PROBE}"));
    assert_says(without.must_err(), &["this mesh has no etcd"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_history_of_comings_and_goings_has_nothing_wrong_in_it() {
    let plan = Plan { seconds: 45, seed: 20_261_128 };
    let Some(history) = report(plan).await else { return };
    println!("{history}");
    assert!(history.violations.is_empty(), "{history}");
}
