//! What a server takes: many services at one port, and none that could be mistaken for another.

use sinew::{BindError, Context};
use sinew_tests::{
    Must as _, MustFail as _, assert_says,
    probe::{Counting, ProbeClient},
    scene::{ANYWHERE, Running, Scene},
};

macro_rules! services {
    ($($service:ident $server:ident $client:ident $name:literal,)*) => {
        $(
            #[sinew::service(name = $name)]
            trait $service {
                /// The name of the method that is being served.
                async fn path(&self) -> String;
            }

            impl $service for Paths {
                async fn path(&self) -> String {
                    Context::current().must("a context").method().to_owned()
                }
            }
        )*

        /// A server of all of them.
        async fn all(scene: &Scene) -> Running {
            scene.serve(|server| server$(.serve($server::new(Paths)))*).await
        }

        /// What each of them says.
        async fn paths(scene: &Scene, server: &Running) -> Vec<(&'static str, String)> {
            vec![$({
                let client: $client = scene.client(server).await;
                ($name, client.path().await.must("an answer"))
            }),*]
        }
    };
}

struct Paths;

services! {
    One OneServer OneClient "One",
    Two TwoServer TwoClient "shop.Two",
    Three ThreeServer ThreeClient "shop.back-office.Three",
    Four FourServer FourClient "F",
    Five FiveServer FiveClient "Five_5",
}

#[tokio::test]
async fn many_services_share_a_port_and_each_gets_its_own_calls() {
    let scene = Scene::new();
    let server = all(&scene).await;
    for (name, path) in paths(&scene, &server).await {
        assert_eq!(path, format!("{name}/path"));
    }
}

/// Has the same name as the probe, and one of its methods.
#[sinew::service(name = "test.Probe")]
trait Impostor {
    async fn echo(&self, text: String) -> String;
}

impl Impostor for Paths {
    async fn echo(&self, text: String) -> String {
        text
    }
}

#[tokio::test]
async fn services_that_cannot_be_told_apart_are_not_served_together() {
    let mesh = Scene::new().mesh().await;
    let both = mesh.server().serve(Counting::new().server()).serve(ImpostorServer::new(Paths));
    let error = both.bind(ANYWHERE).await.must_err();
    assert!(matches!(error, BindError::Collision { .. }), "{error:?}");
    assert_says(&error, &["test.Probe/echo", "name"]);
    let twice = mesh.server().serve(Counting::new().server()).serve(Counting::new().server());
    assert!(matches!(twice.bind(ANYWHERE).await, Err(BindError::Collision { .. })));
}

#[tokio::test]
async fn a_server_of_nothing_does_not_listen() {
    let mesh = Scene::new().mesh().await;
    let error = mesh.server().bind(ANYWHERE).await.must_err();
    assert!(matches!(error, BindError::NoService), "{error:?}");
    assert_says(&error, &[".serve(..)"]);
}

#[tokio::test]
async fn an_address_that_cannot_be_used_is_named() {
    let scene = Scene::new();
    let server = scene.serve(|server| server.serve(Counting::new().server())).await;
    let taken = server.address().to_string();
    let mesh = scene.mesh().await;
    let again = mesh.server().serve(Counting::new().server());
    let error = again.bind(taken.clone()).await.must_err();
    assert!(matches!(error, BindError::Address { .. }), "{error:?}");
    assert_says(&error, &[&taken]);
    assert!(std::error::Error::source(&error).is_some(), "why it cannot be used");
    // The one that has it is not disturbed.
    let client: ProbeClient = scene.client(&server).await;
    client.echo("x".into()).await.must("an answer");
}

#[tokio::test]
async fn a_server_that_is_dropped_is_gone() {
    let scene = Scene::new();
    let server = scene.serve(|server| server.serve(Counting::new().server())).await;
    let address = server.address().to_string();
    drop(server);
    let mesh = scene.mesh().await;
    // Its socket is free again as soon as its tasks have ended.
    let began = std::time::Instant::now();
    loop {
        match mesh.server().serve(Counting::new().server()).bind(address.clone()).await {
            Ok(_) => return,
            Err(error) => assert!(began.elapsed().as_secs() < 30, "{error}"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}
