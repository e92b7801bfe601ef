//! Legacy servers over TLS and HTTP/2: nginx, with a certificate of this test.

use rcgen::{CertifiedKey, generate_simple_self_signed};
use sinew::{CallOptions, Code, Ran, ServiceClient, Status};
use sinew_bridge::Http;
use sinew_tests::{Must as _, MustFail as _, legacy::programs::Program, scene::Scene, wait::ms};

/// A service of somebody else.
#[sinew::service(name = "legacy.Protocols")]
trait Protocols {
    /// Which version of HTTP it was asked in.
    #[http(get = "/protocol")]
    async fn protocol(&self) -> Result<String, Status>;

    /// Whose certificate the caller showed.
    #[http(get = "/caller")]
    async fn caller(&self) -> Result<String, Status>;

    /// Runs once.
    #[http(post = "/act")]
    async fn act(&self, number: u64) -> Result<u64, Status>;
}

const LOCATIONS: &str = "default_type text/plain;\n\
    location /protocol { return 200 $server_protocol; }\n\
    location /caller { return 200 \"$ssl_client_s_dn\"; }\n\
    location /act { default_type application/json; return 200 7; }\n";

/// nginx over TLS with a certificate of its own, and that certificate.
async fn over_tls(more: &str) -> Option<(Program, String)> {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).must("a certificate");
    let more = more.to_owned();
    let pem = cert.pem();
    let program = Program::nginx_with(&format!("{LOCATIONS}{more}"), |at| {
        std::fs::write(at.join("cert.pem"), &pem).must("a file");
        std::fs::write(at.join("key.pem"), signing_key.serialize_pem()).must("a file");
        let at = at.display();
        format!("ssl http2;\nssl_certificate {at}/cert.pem;\nssl_certificate_key {at}/key.pem;")
    })
    .await?;
    Some((program, pem))
}

async fn client<C: ServiceClient>(scene: &Scene, http: Http, url: &str) -> C {
    let mesh = scene.mesh_with(|builder| builder.transport(http)).await;
    mesh.client_at(url).must("a client")
}

fn https(program: &Program) -> String {
    format!("https://localhost:{}", program.port())
}

#[tokio::test]
async fn who_is_trusted_is_spoken_to_in_http_2() {
    let Some((nginx, pem)) = over_tls("").await else { return };
    let scene = Scene::new();
    let http = sinew_bridge::http().roots(pem.clone());
    let client: ProtocolsClient = client(&scene, http.clone(), &https(&nginx)).await;
    assert_eq!(client.protocol().await.must("a protocol"), "HTTP/2.0");
    // The certificate is of another name.
    let other = format!("https://127.0.0.1:{}", nginx.port());
    let mesh = scene.mesh_with(|builder| builder.transport(http)).await;
    let stranger: ProtocolsClient = mesh.client_at(other).must("a client");
    let hasty = stranger.with(CallOptions::new().timeout(ms(500)));
    let status = hasty.protocol().await.must_err();
    assert_eq!((status.code(), status.ran()), (Code::Unavailable, Ran::No), "{status}");
    assert!(status.message().contains("TLS handshake"), "{status}");
}

#[tokio::test]
async fn who_is_not_trusted_is_not_spoken_to() {
    let Some((nginx, _)) = over_tls("").await else { return };
    let scene = Scene::new();
    let client: ProtocolsClient = client(&scene, sinew_bridge::http(), &https(&nginx)).await;
    let status = client.with(CallOptions::new().timeout(ms(500))).protocol().await.must_err();
    assert_eq!((status.code(), status.ran()), (Code::Unavailable, Ran::No), "{status}");
    assert!(status.message().contains("`roots`"), "{status}");
    for (http, word) in [
        (sinew_bridge::http().roots("no certificate"), "a root is missing"),
        (sinew_bridge::http().client_certificate("", ""), "client's certificate is missing"),
    ] {
        let mesh = scene.mesh_with(|builder| builder.transport(http)).await;
        let problem = mesh.client_at::<ProtocolsClient>(https(&nginx)).must_err().to_string();
        assert!(problem.contains(word), "{problem}");
    }
}

#[tokio::test]
async fn a_server_may_ask_who_calls() {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["a-caller".to_owned()]).must("a certificate");
    let asks = "ssl_verify_client optional_no_ca;";
    let Some((nginx, pem)) = over_tls(asks).await else { return };
    let http =
        sinew_bridge::http().roots(pem).client_certificate(cert.pem(), signing_key.serialize_pem());
    let scene = Scene::new();
    let client: ProtocolsClient = client(&scene, http, &https(&nginx)).await;
    assert!(client.caller().await.must("a name").contains("CN="));
}

#[tokio::test]
async fn http_2_without_tls_is_spoken_where_that_is_said() {
    let plain = Program::nginx_with(LOCATIONS, |_| "http2;".to_owned()).await;
    let Some(nginx) = plain else { return };
    let scene = Scene::new();
    let http = sinew_bridge::http().http2_prior_knowledge();
    let client: ProtocolsClient = client(&scene, http, &nginx.url()).await;
    assert_eq!(client.protocol().await.must("a protocol"), "HTTP/2.0");
}

/// nginx ends a connection of HTTP/2 after so many requests, with those under way: none may be lost or run twice, not
/// even one that must run once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_ended_with_calls_on_it_loses_none() {
    let Some((nginx, pem)) = over_tls("keepalive_requests 50;").await else { return };
    let scene = Scene::new();
    let client: ProtocolsClient =
        client(&scene, sinew_bridge::http().roots(pem), &https(&nginx)).await;
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let client = client.clone();
        callers.spawn(async move {
            for number in 0..100 {
                assert_eq!(client.act(number).await.must("an answer"), 7);
            }
        });
    }
    callers.join_all().await;
}
