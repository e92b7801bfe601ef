//! Endpoints from a real name server, which comes, goes, says nothing, fails and is killed: no call to a server that lives
//! fails.

use std::{collections::BTreeSet, net::SocketAddr, time::Duration};

use sinew::{CallOptions, Code, Ran, Reason};
use sinew_tests::{
    Must as _, MustFail as _, assert_says,
    child::{Process, Start},
    dns::{DOMAIN, Failing, NameServer},
    load::Load,
    probe::{Counting, ProbeClient},
    scene::{Running, Scene},
    wait::{ms, soon, until},
};

/// Servers at one port of several addresses, as records have them.
async fn servers(scene: &Scene, count: u8) -> Vec<Running> {
    let probe = Counting::new();
    let mut servers: Vec<Running> = Vec::new();
    for host in 1..=count {
        let port = servers.first().map_or(0, |first| first.address().port());
        let address = SocketAddr::from(([127, 0, 0, host], port));
        let add = |server: sinew::ServerBuilder| server.serve(probe.server());
        servers.push(scene.serve_at(&address.to_string(), add).await);
    }
    servers
}

fn addresses(servers: &[&Running]) -> Vec<SocketAddr> {
    servers.iter().map(|server| server.address()).collect()
}

async fn client(scene: &Scene, names: &NameServer, name: &str) -> ProbeClient {
    let mesh = scene.mesh().await;
    mesh.client_at(format!("dns://{}/{name}", names.address())).must("a client")
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
                found.insert(status.endpoint().must("an endpoint").to_owned());
            }
        }
    })
    .await;
}

#[tokio::test]
async fn no_call_fails_whatever_becomes_of_the_names() {
    let Some(mut names) = NameServer::start().await else { return };
    let scene = Scene::new();
    let all = servers(&scene, 3).await;
    let [one, two, three] = &*all else { panic!("three") };
    let failing = Failing::start().await;
    names.has("shop", &addresses(&[one, two])).await;
    let name = format!("shop.{DOMAIN}:{}", one.address().port());
    let client = client(&scene, &names, &name).await;
    answered_by(&client, &addresses(&[one, two])).await;
    let load = Load::on(&client);
    // One comes, and another goes.
    names.has("shop", &addresses(&[one, two, three])).await;
    answered_by(&client, &addresses(&[one, two, three])).await;
    names.has("shop", &addresses(&[two, three])).await;
    answered_by(&client, &addresses(&[two, three])).await;
    // All that a name server can say wrongly, each heard at least twice.
    let empty = format!("txt-record=shop.{DOMAIN},nothing else");
    let failure = failing.record("shop");
    for (what, records) in [
        ("no such records", vec![&*empty]),
        ("no such name", vec![]),
        ("a failure", vec![&*failure]),
    ] {
        names.says(&records).await;
        names.is_asked("shop", 4).await;
        load.goes_on(200).await;
        answered_by(&client, &addresses(&[two, three])).await;
        println!("{what}: all calls were answered");
    }
    names.stop();
    tokio::time::sleep(ms(6000)).await;
    load.goes_on(500).await;
    answered_by(&client, &addresses(&[two, three])).await;
    // And it is there again, with news.
    names.has("shop", &addresses(&[one, three])).await;
    answered_by(&client, &addresses(&[one, three])).await;
    load.no_failures().await;
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_asked_for_before_its_record_is_old_but_not_in_a_loop() {
    let Some(mut names) = NameServer::start().await else { return };
    let scene = Scene::new();
    let process = Start::new(env!("CARGO_BIN_EXE_probe"), &scene).run().await;
    let port = process.address().port();
    // It holds for an hour.
    names.says(&[&format!("host-record=shop.{DOMAIN},127.0.0.1,3600")]).await;
    let client = client(&scene, &names, &format!("shop.{DOMAIN}:{port}")).await;
    client.echo_again("x".into()).await.must("an answer");
    let asked = names.asked("shop");
    tokio::time::sleep(ms(4000)).await;
    assert_eq!(names.asked("shop"), asked, "what holds is not asked for again");
    let add = |server: sinew::ServerBuilder| server.serve(Counting::new().server());
    let _moved = scene.serve_at(&format!("127.0.0.2:{port}"), add).await;
    let began = std::time::Instant::now();
    process.kill().await;
    names.says(&[&format!("host-record=shop.{DOMAIN},127.0.0.2,3600")]).await;
    let hurried = client.with(CallOptions::new().timeout(ms(1000)));
    soon("it is found where it is now", async {
        while hurried.echo_again("x".into()).await.is_err() {}
    })
    .await;
    // Two questions (A and AAAA) each time, and a second try of each at most.
    let times = began.elapsed().as_secs() / 2 + 2;
    assert!(names.asked("shop") as u64 - asked as u64 <= 4 * times, "{}", names.asked("shop"));
}

#[tokio::test]
async fn records_with_ports_of_their_own_are_found() {
    let Some(mut names) = NameServer::start().await else { return };
    let scene = Scene::new();
    let probe = Counting::new();
    let one = scene.serve(|server| server.serve(probe.server())).await;
    let two = scene.serve(|server| server.serve(probe.server())).await;
    let spare = scene.serve(|server| server.serve(probe.server())).await;
    let srv = |server: &Running, priority: u8| {
        let port = server.address().port();
        format!("srv-host=_sinew._udp.shop.{DOMAIN},host.{DOMAIN},{port},{priority},10")
    };
    let host = format!("host-record=host.{DOMAIN},127.0.0.1");
    names.says(&[&srv(&one, 1), &srv(&two, 1), &srv(&spare, 2), &host]).await;
    let client = client(&scene, &names, &format!("_sinew._udp.shop.{DOMAIN}")).await;
    answered_by(&client, &addresses(&[&one, &two])).await;
    names.says(&[&srv(&two, 1), &host]).await;
    answered_by(&client, &addresses(&[&two])).await;
    // Records without their host: it is where it was.
    names.says(&[&srv(&two, 1)]).await;
    names.is_asked("host", 2).await;
    client.echo("x".into()).await.must("an answer");
}

#[tokio::test]
async fn a_client_that_starts_while_nobody_answers_uses_what_was_known() {
    let Some(mut names) = NameServer::start().await else { return };
    let scene = Scene::new();
    let all = servers(&scene, 1).await;
    names.has("shop", &addresses(&[&all[0]])).await;
    let name = format!("shop.{DOMAIN}:{}", all[0].address().port());
    client(&scene, &names, &name).await.echo("x".into()).await.must("an answer");
    let kept = scene.runtime_dir().join("sinew").join("last-good");
    let file = || std::fs::read_dir(&kept).ok()?.flatten().next().map(|file| file.path());
    until("it is kept", || file().is_some()).await;
    names.stop();
    client(&scene, &names, &name).await.echo("again".into()).await.must("an answer");
    // Of another service, of another target, corrupt: nothing is known.
    std::fs::write(file().must("a file"), "what is this").must("a file");
    let hurried = CallOptions::new().timeout(Duration::from_millis(900));
    let another = client(&scene, &names, &name).await.with(hurried);
    let status = another.echo("x".into()).await.must_err();
    assert_eq!(status.reason(), Reason::NoEndpoints, "{status}");
}

#[tokio::test]
async fn a_name_that_is_not_there_is_what_the_call_says() {
    let Some(names) = NameServer::start().await else { return };
    let scene = Scene::new();
    let client = client(&scene, &names, &format!("nobody.{DOMAIN}:7000")).await;
    let hurried = client.with(CallOptions::new().timeout(Duration::from_millis(800)));
    let status = hurried.echo("x".into()).await.must_err();
    // What became of the directory is never an answer of the service's.
    assert_eq!((status.code(), status.ran()), (Code::Unavailable, Ran::No), "{status}");
    assert_says(&status, &["test.Probe", "NXDOMAIN", "nobody.sinew.test"]);
}

#[tokio::test]
async fn a_server_that_names_lead_to_has_to_be_the_one_that_is_expected() {
    let Some(mut names) = NameServer::start().await else { return };
    let (scene, other) = (Scene::new(), Scene::new());
    let probe = Counting::new();
    let foreign = other.serve(|server| server.serve(probe.server())).await;
    names.has("shop", &addresses(&[&foreign])).await;
    let name = format!("shop.{DOMAIN}:{}", foreign.address().port());
    let status = client(&scene, &names, &name).await.echo("x".into()).await.must_err();
    assert_eq!((status.code(), status.ran()), (Code::Unavailable, Ran::No), "{status}");
    assert_eq!(probe.tally().begun, 0);
}

#[tokio::test]
async fn static_addresses_and_names_are_one_list() {
    let Some(mut names) = NameServer::start().await else { return };
    let scene = Scene::new();
    let all = servers(&scene, 2).await;
    let process: Process = Start::new(env!("CARGO_BIN_EXE_probe"), &scene).run().await;
    names.has("shop", &addresses(&[&all[0], &all[1]])).await;
    let port = all[0].address().port();
    let target = format!("dns://{}/shop.{DOMAIN}:{port}", names.address());
    let fixed = format!("static:{},{}", process.address(), all[0].address());
    let mesh = scene
        .mesh_with(|mesh| mesh.endpoints("test.Probe", target).endpoints("test.Probe", fixed))
        .await;
    let client: ProbeClient = mesh.client();
    let mut expected = addresses(&[&all[0], &all[1]]);
    expected.push(process.address());
    answered_by(&client, &expected).await;
    names.stop();
    drop(names);
    answered_by(&client, &expected).await;
}
