//! Who may talk to whom, over real handshakes: each refusal happens before a call is sent, and says what to do.

use sinew::{Code, Context, Disposition, Identity, Mesh, Reason, ServiceClient, Status};
use sinew_tests::{
    Must as _, MustFail as _, assert_says,
    authority::Authority,
    child::Start,
    probe::{Counting, PROBE, ProbeClient},
    raw::RawServer,
    scene::{ANYWHERE, Running, Scene, client_at, mesh_of},
    wait::soon,
};

const SHOP: &str = "spiffe://shop.example";

/// An id in the trust domain of the shop.
fn shop(name: &str) -> String {
    format!("{SHOP}/{name}")
}

/// The probe, served with this identity.
async fn serve(identity: Identity) -> (Counting, Running) {
    let probe = Counting::new();
    let mesh = mesh_of(identity, |builder| builder).await;
    let server = mesh.server().serve(probe.server()).bind(ANYWHERE).await.must("a server");
    (probe, Running::new(server))
}

/// A client with this identity.
async fn client(identity: Identity, server: &Running) -> ProbeClient {
    client_at(&mesh_of(identity, |builder| builder).await, &[server.address()])
}

/// A call that the handshake refuses: it was not sent, and no handler began.
async fn refused(client: &ProbeClient, probe: &Counting) -> Status {
    let status = soon("the call ends", client.echo("x".into())).await.must_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert_eq!(status.disposition(), Disposition::NotSent, "{status}");
    assert_eq!(status.reason(), Reason::WrongIdentity, "{status}");
    assert_eq!(probe.tally().begun, 0, "{status}");
    status
}

#[tokio::test]
async fn a_client_and_a_server_of_one_authority_talk_and_know_each_other() {
    let ca = Authority::new("shop ca");
    let (probe, server) = serve(ca.identity(&shop(PROBE))).await;
    let client = client(ca.identity(&shop("web")), &server).await;
    assert_eq!(client.echo("x".into()).await.must("an answer"), "x");
    assert_eq!(probe.tally().begun, 1);
}

#[tokio::test]
async fn a_client_refuses_a_server_that_is_somebody_else_and_names_both() {
    let ca = Authority::new("shop ca");
    let (probe, server) = serve(ca.identity(&shop("billing"))).await;
    let client = client(ca.identity(&shop("web")), &server).await;
    let status = refused(&client, &probe).await;
    assert_says(&status, &[&shop(PROBE), &shop("billing"), "not processed"]);
}

#[tokio::test]
async fn a_client_takes_the_server_that_its_builder_names_and_no_other() {
    let ca = Authority::new("shop ca");
    let (_probe, server) = serve(ca.identity(&shop("billing"))).await;
    let named = |id: String| {
        let identity = ca.identity(&shop("web"));
        let server = server.address();
        async move {
            let mesh = mesh_of(identity, |builder| builder.server_identity(PROBE, id)).await;
            client_at::<ProbeClient>(&mesh, &[server])
        }
    };
    let right = named(shop("billing")).await;
    assert_eq!(right.echo("x".into()).await.must("an answer"), "x");
    let wrong = named(shop("shipping")).await;
    let status = soon("the call ends", wrong.echo("x".into())).await.must_err();
    assert_eq!(status.reason(), Reason::WrongIdentity);
    assert_says(&status, &[&shop("shipping"), &shop("billing")]);
}

#[tokio::test]
async fn a_client_refuses_a_server_of_another_authority_and_says_what_to_do() {
    let (ours, theirs) = (Authority::new("our ca"), Authority::new("their ca"));
    let (probe, server) = serve(theirs.identity(&shop(PROBE))).await;
    let client = client(ours.identity(&shop("web")), &server).await;
    let status = refused(&client, &probe).await;
    assert_says(&status, &["`their ca`", "`our ca`", &shop(PROBE), "SINEW_BUNDLE"]);
}

#[tokio::test]
async fn a_client_refuses_a_server_whose_certificate_is_over() {
    let ca = Authority::new("shop ca");
    let server = RawServer::showing(&ca, ca.issue_until(&shop(PROBE), -120));
    let mesh = mesh_of(ca.identity(&shop("web")), |builder| builder).await;
    let client: ProbeClient = client_at(&mesh, &[server.address()]);
    let accepting = tokio::spawn(async move { server.refused().await });
    let status = refused(&client, &Counting::new()).await;
    assert_says(&status, &[&shop(PROBE), "expired", "renew"]);
    soon("the server is told", accepting).await.must("a task");
}

/// A client that the server does not let in. The handshake is complete on its side before the server can say so.
async fn turned_away(client: &ProbeClient, probe: &Counting) -> Status {
    let status = soon("the call ends", client.echo("x".into())).await.must_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert_eq!(probe.tally().begun, 0, "{status}");
    status
}

#[tokio::test]
async fn a_server_refuses_a_client_of_another_trust_domain_and_the_client_hears_why() {
    let ca = Authority::new("shop ca");
    let (probe, server) = serve(ca.identity(&shop(PROBE))).await;
    let stranger = ca.identity("spiffe://staging.example/web");
    // It would accept the server: only the server has something against it.
    let mesh = mesh_of(stranger, |builder| builder.server_identity(PROBE, shop(PROBE))).await;
    let client: ProbeClient = client_at(&mesh, &[server.address()]);
    let status = turned_away(&client, &probe).await;
    assert_says(&status, &["spiffe://staging.example/web", "shop.example", "trust domain"]);
    assert_eq!(status.disposition(), Disposition::NotSent, "{status}");
    assert_eq!(status.reason(), Reason::WrongIdentity, "{status}");
}

#[tokio::test]
async fn a_server_refuses_a_client_of_another_authority_and_the_client_hears_why() {
    let (ours, theirs) = (Authority::new("our ca"), Authority::new("their ca"));
    let (probe, server) = serve(ours.identity(&shop(PROBE))).await;
    let issued = theirs.issue(&shop("web"));
    // It trusts both authorities: only the server has something against it.
    let both = format!("{}{}", theirs.pem(), ours.pem());
    let stranger =
        Identity::from_pem(issued.pem.as_bytes(), issued.key_pem.as_bytes(), both.as_bytes());
    let client = client(stranger.must("an identity"), &server).await;
    let status = turned_away(&client, &probe).await;
    assert_says(&status, &[&shop("web"), "`their ca`", "`our ca`", "SINEW_BUNDLE"]);
    assert_eq!(status.disposition(), Disposition::NotSent, "{status}");
    assert_eq!(status.reason(), Reason::WrongIdentity, "{status}");
}

#[tokio::test]
async fn a_server_goes_on_after_it_has_turned_strangers_away() {
    let ca = Authority::new("shop ca");
    let (probe, server) = serve(ca.identity(&shop(PROBE))).await;
    let strangers = Authority::new("their ca");
    for _ in 0..5 {
        let stranger = client(strangers.identity(&shop("web")), &server).await;
        soon("the call ends", stranger.echo("x".into())).await.must_err();
    }
    let friend = client(ca.identity(&shop("web")), &server).await;
    assert_eq!(friend.echo("x".into()).await.must("an answer"), "x");
    assert_eq!(probe.tally().begun, 1);
}

/// Says who called.
#[sinew::service]
trait Doorman {
    async fn who(&self) -> Option<(String, Option<String>)>;
}

/// Another service of the same server.
#[sinew::service]
trait Cloakroom {
    async fn who(&self) -> Option<(String, Option<String>)>;
}

struct Reporting;

fn caller() -> Option<(String, Option<String>)> {
    let context = Context::current()?;
    let peer = context.peer()?;
    Some((peer.identity().to_string(), peer.address().map(|address| address.ip().to_string())))
}

impl Doorman for Reporting {
    async fn who(&self) -> Option<(String, Option<String>)> {
        caller()
    }
}

impl Cloakroom for Reporting {
    async fn who(&self) -> Option<(String, Option<String>)> {
        caller()
    }
}

#[tokio::test]
async fn a_handler_sees_the_verified_id_of_its_caller() {
    let ca = Authority::new("shop ca");
    let mesh = mesh_of(ca.identity(&shop("Doorman")), |builder| builder).await;
    let server = mesh.server().serve(DoormanServer::new(Reporting)).bind(ANYWHERE).await;
    let server = Running::new(server.must("a server"));
    for name in ["web", "batch/nightly"] {
        let mesh = mesh_of(ca.identity(&shop(name)), |builder| builder).await;
        let client: DoormanClient = client_at(&mesh, &[server.address()]);
        let (id, address) = client.who().await.must("an answer").must("a peer");
        assert_eq!((id, address.as_deref()), (shop(name), Some("127.0.0.1")));
    }
    let local = DoormanClient::local(Reporting).who().await.must("an answer").must("a peer");
    assert_eq!(local.1, None, "{}", local.0);
}

#[tokio::test]
async fn a_server_of_several_services_proves_to_be_each_of_them() {
    let scene = Scene::new();
    let server = scene
        .serve(|server| {
            server
                .serve(DoormanServer::new(Reporting))
                .serve(CloakroomServer::new(Reporting))
                .serve(Counting::new().server())
        })
        .await;
    // Each client takes nobody but the service that it calls.
    let doorman: DoormanClient = scene.client(&server).await;
    let cloakroom: CloakroomClient = scene.client(&server).await;
    let probe: ProbeClient = scene.client(&server).await;
    let (id, _) = doorman.who().await.must("an answer").must("a peer");
    assert!(id.starts_with("spiffe://dev.local/client/"), "{id}");
    assert_eq!(cloakroom.who().await.must("an answer").must("a peer").0, id);
    probe.echo("x".into()).await.must("an answer");
    // One that it does not serve is not proved.
    let elsewhere = scene.serve(|server| server.serve(DoormanServer::new(Reporting))).await;
    let lost: CloakroomClient = scene.client(&elsewhere).await;
    let status = soon("the call ends", lost.who()).await.must_err();
    assert_eq!(status.reason(), Reason::WrongIdentity);
    assert_says(&status, &["spiffe://dev.local/Cloakroom", "spiffe://dev.local/Doorman"]);
}

#[tokio::test]
async fn two_processes_talk_with_nothing_set_up() {
    let scene = Scene::new();
    let server = Start::new(env!("CARGO_BIN_EXE_probe"), &scene).run().await;
    let client: ProbeClient = scene.client_at(&[server.address()]).await;
    assert_eq!(client.echo("hello".into()).await.must("an answer"), "hello");
}

#[tokio::test]
async fn processes_of_different_users_do_not_talk() {
    let (one, other) = (Scene::new(), Scene::new());
    let server = one.serve(|server| server.serve(Counting::new().server())).await;
    let client: ProbeClient = other.client(&server).await;
    let status = soon("the call ends", client.echo("x".into())).await.must_err();
    assert_eq!((status.code(), status.reason()), (Code::Unavailable, Reason::WrongIdentity));
    assert_says(&status, &["XDG_RUNTIME_DIR", "SINEW_BUNDLE"]);
}

#[tokio::test]
async fn the_development_authority_does_not_leave_the_machine() {
    let scene = Scene::new();
    let mesh = scene.mesh().await;
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let error = mesh.server().serve(Counting::new().server()).bind(address).await.must_err();
        assert_says(&error, &["loopback", "SINEW_CERT", "SINEW_KEY", "SINEW_BUNDLE"]);
    }
    let away: ProbeClient = mesh.client_at("static:192.0.2.1:7000").must("a client");
    let status = soon("the call ends", away.echo("x".into())).await.must_err();
    assert_eq!((status.code(), status.disposition()), (Code::Unavailable, Disposition::NotSent));
    assert_says(&status, &["192.0.2.1:7000", "loopback", "SINEW_CERT"]);
}

#[tokio::test]
async fn an_identity_of_files_may_listen_everywhere() {
    let ca = Authority::new("shop ca");
    let mesh: Mesh = mesh_of(ca.identity(&shop(PROBE)), |builder| builder).await;
    let server = mesh.server().serve(Counting::new().server()).bind("0.0.0.0:0").await;
    let server = Running::new(server.must("a server"));
    let port = server.address().port();
    let mesh = mesh_of(ca.identity(&shop("web")), |builder| {
        builder.endpoints(ProbeClient::SERVICE, format!("static:127.0.0.1:{port}"))
    })
    .await;
    assert_eq!(mesh.client::<ProbeClient>().echo("x".into()).await.must("an answer"), "x");
}
