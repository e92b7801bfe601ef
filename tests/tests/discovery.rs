//! Servers and clients of one user on one machine find each other with nothing set.

use std::{collections::BTreeSet, time::Duration};

use sinew::{BindError, CallOptions, Code, Mesh, Ran, Reason};
use sinew_tests::{
    Must as _, MustFail as _, assert_says,
    child::{Process, Start},
    load::Load,
    probe::{Counting, ProbeClient},
    relay::{Conditions, Relay},
    scene::Scene,
    wait::{ms, soon, until},
};

async fn process(scene: &Scene) -> Process {
    Start::new(env!("CARGO_BIN_EXE_probe"), scene).run().await
}

async fn client(scene: &Scene) -> (Mesh, ProbeClient) {
    let mesh = scene.mesh().await;
    let client = mesh.client();
    (mesh, client)
}

/// Calls until servers at all of these addresses have had the last calls, and no other.
async fn answered_by(client: &ProbeClient, servers: &[&Process]) {
    let expected: BTreeSet<String> =
        servers.iter().map(|server| server.address().to_string()).collect();
    soon("all of them answer", async {
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
async fn servers_are_found_by_the_name_of_their_service_as_they_come_and_go() {
    let scene = Scene::new();
    let (_mesh, client) = client(&scene).await;
    let one = process(&scene).await;
    let two = process(&scene).await;
    answered_by(&client, &[&one, &two]).await;
    let three = process(&scene).await;
    answered_by(&client, &[&one, &two, &three]).await;
    two.terminate().await;
    one.kill().await;
    for _ in 0..200 {
        client.echo_again("x".into()).await.must("an answer");
    }
    answered_by(&client, &[&three]).await;
}

#[tokio::test]
async fn a_call_waits_for_a_server_that_is_not_there_yet_and_says_so_if_none_comes() {
    let scene = Scene::new();
    let (_mesh, client) = client(&scene).await;
    let hurried = client.with(CallOptions::new().timeout(Duration::from_millis(400)));
    let status = hurried.echo("x".into()).await.must_err();
    assert_eq!((status.code(), status.ran()), (Code::Unavailable, Ran::No), "{status}");
    assert_eq!(status.reason(), Reason::NoEndpoints);
    assert_says(&status, &["test.Probe", "announced"]);

    let waiting = tokio::spawn(client.echo("late".into()));
    tokio::time::sleep(ms(300)).await;
    let _server = process(&scene).await;
    assert_eq!(waiting.await.must("a task").must("an answer"), "late");
}

#[tokio::test]
async fn the_last_server_that_was_known_is_kept_when_none_is_announced() {
    let scene = Scene::new();
    let (_mesh, client) = client(&scene).await;
    let probe = Counting::new();
    let server = scene.serve(|server| server.serve(probe.server())).await;
    client.echo("x".into()).await.must("an answer");
    // Somebody empties the directory: the server is still there, and still called.
    let services = scene.runtime_dir().join("sinew").join("services");
    std::fs::remove_dir_all(services).must("a directory");
    tokio::time::sleep(ms(1500)).await;
    client.echo("x".into()).await.must("an answer");
    server.drained().await;
}

#[tokio::test]
async fn a_server_behind_a_forwarder_is_found_at_the_address_that_it_advertises() {
    let scene = Scene::new();
    let free = std::net::UdpSocket::bind("127.0.0.1:0").must("a port");
    let target = free.local_addr().must("an address");
    let relay = Relay::start(target, Conditions::default(), 1).await.must("a relay");
    drop(free);
    let probe = Counting::new();
    let server = scene
        .serve_at(&target.to_string(), |server| {
            server.advertise(relay.address()).serve(probe.server())
        })
        .await;
    assert_eq!(server.address(), target);
    let (_mesh, client) = client(&scene).await;
    client.echo("x".into()).await.must("an answer");
    let status = client.deny("who".into()).await.must_err();
    assert_eq!(status.endpoint(), Some(&*relay.address().to_string()));
    server.drained().await;
}

#[tokio::test]
async fn an_advertised_port_of_zero_is_the_one_that_it_listens_at() {
    let scene = Scene::new();
    let probe = Counting::new();
    let anywhere = "127.0.0.1:0".parse().must("an address");
    let server = scene.serve(|server| server.advertise(anywhere).serve(probe.server())).await;
    let (_mesh, client) = client(&scene).await;
    let status = client.deny("who".into()).await.must_err();
    assert_eq!(status.endpoint(), Some(&*server.address().to_string()));
    server.drained().await;
}

#[tokio::test]
async fn the_development_authority_advertises_nothing_beyond_loopback() {
    let scene = Scene::new();
    let probe = Counting::new();
    let elsewhere = "192.0.2.1:7001".parse().must("an address");
    let server = scene.mesh().await.server().serve(probe.server()).advertise(elsewhere);
    let refused = server.bind("127.0.0.1:0").await.must_err();
    assert!(matches!(refused, BindError::Identity(_)), "{refused}");
}

#[tokio::test]
async fn who_wants_no_discovery_is_not_found_and_finds_nobody() {
    let scene = Scene::new();
    let probe = Counting::new();
    let alone = scene.mesh_with(sinew::MeshBuilder::without_local_discovery).await;
    let server = alone.server().serve(probe.server()).bind("127.0.0.1:0").await.must("a server");
    let hurried = CallOptions::new().timeout(Duration::from_millis(400));
    let (_mesh, client) = client(&scene).await;
    let status = client.with(hurried.clone()).echo("x".into()).await.must_err();
    assert_eq!(status.reason(), Reason::NoEndpoints, "{status}");
    let client: ProbeClient = alone.client();
    let status = client.with(hurried).echo("x".into()).await.must_err();
    assert_says(&status, &["MeshBuilder::endpoints"]);
    drop(server);
}

#[tokio::test]
async fn servers_that_are_killed_among_garbage_cost_no_call_that_may_be_repeated() {
    let scene = Scene::new();
    let (_mesh, client) = client(&scene).await;
    let mut servers = Vec::new();
    for _ in 0..4 {
        servers.push(process(&scene).await);
    }
    answered_by(&client, &servers.iter().collect::<Vec<_>>()).await;
    let directory = scene.runtime_dir().join("sinew").join("services").join("test.Probe");
    let announced = std::fs::read_dir(&directory).must("a directory").flatten().next();
    let good = std::fs::read(announced.must("an announcement").path()).must("its text");
    let load = Load::on(&client);
    for (at, server) in servers.drain(1..).enumerate() {
        for (name, text) in [
            ("garbage", vec![0xff; 5000]),
            ("half", good[..good.len() / 2].to_vec()),
            (
                "nowhere",
                b"sinew-announcement 1\nservice test.Probe\naddress 192.0.2.1:9\nend\n".to_vec(),
            ),
            // An announcement that nobody stands behind.
            (
                "dead",
                b"sinew-announcement 1\nservice test.Probe\naddress 127.0.0.1:9\nend\n".to_vec(),
            ),
        ] {
            std::fs::write(directory.join(format!("{name}-{at}")), text).must("a file");
        }
        load.goes_on(200).await;
        server.kill().await;
        // Long enough for it to be left: no call meets more dead servers than it has attempts.
        load.goes_on(3000).await;
    }
    load.no_failures().await;
    answered_by(&client, &[&servers[0]]).await;
}

#[tokio::test]
async fn calls_that_all_wait_on_a_silent_server_go_to_one_that_nobody_has_called_yet() {
    let scene = Scene::new();
    let (_mesh, client) = client(&scene).await;
    let silent = process(&scene).await;
    client.echo_again("x".into()).await.must("an answer");
    silent.freeze().await;
    let waiting: Vec<_> = (0..5).map(|_| tokio::spawn(client.echo_again("y".into()))).collect();
    // They are sent, and wait; no other call will ask for the one that comes.
    tokio::time::sleep(ms(500)).await;
    let _another = process(&scene).await;
    for call in waiting {
        assert_eq!(call.await.must("a task").must("an answer"), "y");
    }
}

#[tokio::test]
async fn a_process_that_was_killed_and_not_waited_for_is_gone() {
    let scene = Scene::new();
    let zombie = process(&scene).await;
    let (_mesh, client) = client(&scene).await;
    answered_by(&client, &[&zombie]).await;
    zombie.kill_unwaited().await;
    let server = process(&scene).await;
    let hurried = client.with(CallOptions::new().timeout(ms(50)));
    soon("only the new one is known", async {
        loop {
            // A call that no server answers in time says which there are.
            let status = hurried.hold().await.must_err();
            let known = status.explain().must("an explanation");
            if known.known() == 1 && known.to_string().contains(&server.address().to_string()) {
                return;
            }
        }
    })
    .await;
    answered_by(&client, &[&server]).await;
}

#[tokio::test]
async fn a_server_that_stops_says_so_before_it_drains() {
    let scene = Scene::new();
    let probe = Counting::new();
    let mut server = scene.serve(|server| server.serve(probe.server())).await;
    let (_mesh, one) = client(&scene).await;
    let held = tokio::spawn(one.wait(3000));
    until("it is at work", || probe.tally().running() == 1).await;
    server.begin_drain();
    let directory = scene.runtime_dir().join("sinew").join("services").join("test.Probe");
    let withdrawn = || {
        let files = std::fs::read_dir(&directory).must("a directory").flatten();
        let texts = files.filter_map(|file| std::fs::read_to_string(file.path()).ok());
        texts.collect::<String>().contains("withdrawn yes")
    };
    until("it says so", withdrawn).await;
    assert_eq!(probe.tally().running(), 1, "it drains");
    // Nobody who comes now knows of it, and what it has to do is done.
    let (_mesh, late) = client(&scene).await;
    let hurried = late.with(CallOptions::new().timeout(Duration::from_millis(400)));
    let status = hurried.echo("x".into()).await.must_err();
    assert_eq!(status.reason(), Reason::NoEndpoints, "{status}");
    held.await.must("a task").must("an answer");
    server.drained().await;
}

#[tokio::test]
async fn a_full_disk_keeps_no_server_from_serving_and_is_left_behind() {
    let scene = Scene::new();
    let services = scene.runtime_dir().join("sinew").join("services");
    let disk = FullDisk::at(&services.join("test.Probe"));
    let probe = Counting::new();
    let server = scene.serve(|server| server.serve(probe.server())).await;
    let direct: ProbeClient = scene.client(&server).await;
    direct.echo("x".into()).await.must("an answer");
    let (_mesh, client) = client(&scene).await;
    let hurried = client.with(CallOptions::new().timeout(Duration::from_millis(400)));
    let status = hurried.echo("x".into()).await.must_err();
    assert_eq!(status.reason(), Reason::NoEndpoints, "{status}");
    disk.has_room();
    soon("it is announced", async { while client.echo("x".into()).await.is_err() {} }).await;
    drop(server);
}

/// A directory in which nothing can be written: on a tiny disk of its own where we may make one, else with links to a
/// device that is always full where the server writes first.
struct FullDisk {
    directory: std::path::PathBuf,
    mounted: bool,
}

impl FullDisk {
    fn at(directory: &std::path::Path) -> Self {
        std::fs::create_dir_all(directory).must("a directory");
        let mount = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=4k,mode=700", "tmpfs"])
            .arg(directory)
            .stderr(std::process::Stdio::null())
            .status();
        let full =
            Self { directory: directory.to_owned(), mounted: mount.is_ok_and(|s| s.success()) };
        if full.mounted {
            let filled = std::fs::write(directory.join("large"), [0; 8192]);
            assert!(filled.is_err(), "the disk is not full");
        } else {
            for number in 0..100 {
                let name = format!(".new-{0}-{0}-{number}", std::process::id());
                std::os::unix::fs::symlink("/dev/full", directory.join(name)).must("a link");
            }
        }
        full
    }

    fn has_room(&self) {
        for file in std::fs::read_dir(&self.directory).must("a directory").flatten() {
            let _ = std::fs::remove_file(file.path());
        }
    }
}

impl Drop for FullDisk {
    fn drop(&mut self) {
        if self.mounted {
            let _ = std::process::Command::new("umount").arg("-l").arg(&self.directory).status();
        }
    }
}
