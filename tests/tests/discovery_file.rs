//! Endpoints from a file that is edited while calls go on: well, badly, and half.

use std::{collections::BTreeSet, fs, net::SocketAddr, path::PathBuf, time::Duration};

use sinew::{CallOptions, Mesh, Reason};
use sinew_tests::{
    Must as _, MustFail as _, assert_says,
    load::Load,
    probe::{Counting, ProbeClient},
    scene::{Running, Scene},
    wait::{ms, soon, until},
};

/// Servers, and a file that lists some of them.
struct Listed {
    scene: Scene,
    servers: Vec<Running>,
    file: PathBuf,
}

impl Listed {
    async fn new() -> Self {
        let (scene, probe) = (Scene::new(), Counting::new());
        let mut servers = Vec::new();
        for _ in 0..3 {
            servers.push(scene.serve(|server| server.serve(probe.server())).await);
        }
        let file = scene.runtime_dir().join("endpoints.toml");
        Self { scene, servers, file }
    }

    fn text(&self, servers: &[usize]) -> String {
        let endpoint = |at: &usize| {
            let address = self.servers[*at].address();
            format!("[[endpoint]]\naddress = \"{address}\"\nservice = \"test.Probe\"\n")
        };
        servers.iter().map(endpoint).collect()
    }

    fn write(&self, text: &str) {
        fs::write(&self.file, text).must("a file");
    }

    async fn client(&self) -> (Mesh, ProbeClient) {
        // Announcements do not matter here.
        let mesh = self.scene.mesh_with(|mesh| mesh.without_local_discovery()).await;
        let client = mesh.client_at(format!("file:{}", self.file.display())).must("a client");
        (mesh, client)
    }

    async fn answered_by(&self, client: &ProbeClient, servers: &[usize]) {
        let address = |at: &usize| self.servers[*at].address();
        let expected: BTreeSet<SocketAddr> = servers.iter().map(address).collect();
        soon("just these answer", async {
            let mut found = BTreeSet::new();
            while found != expected {
                found.clear();
                let calls: Vec<_> =
                    (0..40).map(|_| tokio::spawn(client.deny("who".into()))).collect();
                for call in calls {
                    let status = call.await.must("a task").must_err();
                    let endpoint = status.endpoint().must("an endpoint").parse();
                    found.insert(endpoint.must("an address"));
                }
            }
        })
        .await;
    }
}

#[tokio::test]
async fn what_is_edited_is_in_force_and_what_is_wrong_changes_nothing() {
    let listed = Listed::new().await;
    listed.write(&listed.text(&[0, 1]));
    let (_mesh, client) = listed.client().await;
    listed.answered_by(&client, &[0, 1]).await;
    let load = Load::on(&client);
    listed.write(&listed.text(&[0, 1, 2]));
    listed.answered_by(&client, &[0, 1, 2]).await;
    listed.write(&listed.text(&[2]));
    listed.answered_by(&client, &[2]).await;
    for bad in ["", "[[endpoint]]\naddress = 7", "\u{0}", "[[endpoint]]\naddress = \"192.0.2.1\"\n"]
    {
        listed.write(bad);
        // More than two looks.
        tokio::time::sleep(ms(1500)).await;
        listed.answered_by(&client, &[2]).await;
    }
    fs::remove_file(&listed.file).must("a file");
    tokio::time::sleep(ms(1500)).await;
    listed.answered_by(&client, &[2]).await;
    listed.write(&listed.text(&[0, 2]));
    listed.answered_by(&client, &[0, 2]).await;
    load.no_failures().await;
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_what_the_call_says_with_its_line() {
    let listed = Listed::new().await;
    let (_mesh, client) = listed.client().await;
    let hurried = client.with(CallOptions::new().timeout(Duration::from_millis(800)));
    let status = hurried.echo("x".into()).await.must_err();
    assert_eq!(status.reason(), Reason::NoEndpoints, "{status}");
    assert_says(&status, &["endpoints.toml", "test.Probe"]);
    listed.write("\n\n[[endpoint]]\nadress = \"127.0.0.1:1\"\n");
    soon("the line is said", async {
        while !hurried.echo("x".into()).await.must_err().to_string().contains("line 4: ") {}
    })
    .await;
    // It waits for its author.
    let waiting = tokio::spawn(client.echo("late".into()));
    listed.write(&listed.text(&[0]));
    assert_eq!(waiting.await.must("a task").must("an answer"), "late");
}

#[tokio::test]
async fn who_is_listed_as_somebody_else_is_not_called() {
    let listed = Listed::new().await;
    let foreign = "identity = \"spiffe://elsewhere.example/test.Probe\"\n";
    listed.write(&(listed.text(&[0]) + foreign));
    let (_mesh, client) = listed.client().await;
    let hurried = client.with(CallOptions::new().timeout(Duration::from_millis(800)));
    let status = hurried.echo("x".into()).await.must_err();
    assert_says(
        &status,
        &["spiffe://elsewhere.example/test.Probe", "spiffe://dev.local/test.Probe"],
    );
    let right = "identity = \"spiffe://dev.local/test.Probe\"\n";
    listed.write(&(listed.text(&[0]) + right));
    soon("it is called", async { while hurried.echo("x".into()).await.is_err() {} }).await;
}

#[tokio::test]
async fn a_client_that_starts_while_the_file_is_broken_uses_what_was_known() {
    let listed = Listed::new().await;
    listed.write(&listed.text(&[1]));
    let (mesh, client) = listed.client().await;
    client.echo("x".into()).await.must("an answer");
    let kept = listed.scene.runtime_dir().join("sinew").join("last-good");
    until("it is kept", || fs::read_dir(&kept).is_ok_and(|files| files.count() == 1)).await;
    drop((mesh, client));
    listed.write("[[endpoint");
    let (_mesh, client) = listed.client().await;
    listed.answered_by(&client, &[1]).await;
    listed.write(&listed.text(&[2]));
    listed.answered_by(&client, &[2]).await;
}
