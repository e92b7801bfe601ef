//! What a server says of itself, and calls of it by name.

use sinew::{
    CallError, Code, Ran, Streaming,
    descriptor::Descriptor,
    dynamic::{DynamicAnswer, DynamicMethod},
};
use sinew_tests::{
    Must as _, MustFail as _,
    errand::{ErrandClient, errand},
    probe::{Counting, Objection, PROBE, ProbeClient},
    scene::Scene,
};

fn method(described: &Descriptor, name: &str) -> DynamicMethod {
    let probe = described.service(PROBE).must("the probe");
    let method = probe.methods.iter().find(|method| method.name == name).must(name);
    DynamicMethod::new(probe, method)
}

#[tokio::test]
async fn a_server_says_what_its_callers_know() {
    let scene = Scene::new();
    let server = scene
        .serve(|server| server.serve(Counting::new().server()).serve(errand(|| async { Ok(7) })))
        .await;
    let mesh = scene.mesh().await;
    let client = mesh.dynamic_at(PROBE, format!("static:{}", server.address())).must("a client");
    let described = client.describe().await.must("a description");
    let own = [sinew::describe::<ProbeClient>(), sinew::describe::<ErrandClient>()];
    let own: Vec<_> = own.into_iter().flat_map(|one| one.services).collect();
    assert_eq!(described, Descriptor::new(own));
    assert_eq!(described.check(), []);
}

#[tokio::test]
async fn a_server_that_is_told_not_to_says_nothing() {
    let scene = Scene::new();
    let server =
        scene.serve(|server| server.serve(Counting::new().server()).without_reflection()).await;
    let mesh = scene.mesh().await;
    let client = mesh.dynamic_at(PROBE, format!("static:{}", server.address())).must("a client");
    let status = client.describe().await.must_err();
    assert_eq!((status.code(), status.ran()), (Code::Unimplemented, Ran::No), "{status}");
}

#[tokio::test]
async fn methods_are_called_by_name_through_the_same_pipeline() {
    let scene = Scene::new();
    let server = scene.serve(|server| server.serve(Counting::new().server())).await;
    let mesh = scene.mesh().await;
    let client = mesh.dynamic_at(PROBE, format!("static:{}", server.address())).must("a client");
    let described = client.describe().await.must("a description");
    let echo: Result<String, CallError<()>> =
        client.call(&method(&described, "echo"), ("hi",)).await;
    assert_eq!(echo.must("an answer"), "hi");
    // The method's own error, and a status of a handler.
    let objected: Result<(), CallError<Objection>> =
        client.call(&method(&described, "object"), ("no",)).await;
    assert!(matches!(objected, Err(CallError::App(Objection { why })) if why == "no"));
    let wrong: Result<String, CallError<()>> = client.call(&method(&described, "echo"), (7,)).await;
    let CallError::Status(status) = wrong.must_err() else { panic!("a status") };
    assert_eq!((status.code(), status.ran()), (Code::InvalidArgument, Ran::No), "{status}");
    let input = Some(Streaming::iter([1_u64, 2, 39]));
    let sum: DynamicAnswer<u64, ()> =
        client.stream(&method(&described, "sum"), (), input).await.must("an answer");
    assert!(matches!(sum, DynamicAnswer::Value(42)), "{sum:?}");
    let numbers: DynamicAnswer<u64, ()> = client
        .stream(&method(&described, "numbers"), (3_u64, 6_u64), None::<Streaming<()>>)
        .await
        .must("a stream");
    let DynamicAnswer::Stream(numbers) = numbers else { panic!("a stream") };
    assert_eq!(numbers.collect().await.must("items"), [3, 4, 5]);
}
