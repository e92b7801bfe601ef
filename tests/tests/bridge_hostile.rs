//! Servers of HTTP that lie, dawdle or send without end: each costs one call, and the next one is answered.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use sinew::{CallOptions, Code, Ran, Status, Streaming};
use sinew_tests::{
    Must as _, MustFail as _,
    legacy::{Asked, Legacy, Reply},
    scene::Scene,
};

/// A service of somebody else.
#[sinew::service(name = "legacy.Numbers")]
trait Numbers {
    /// Runs once: nothing below repeats it.
    #[http(post = "/number")]
    async fn number(&self, of: u64) -> Result<u64, Status>;

    #[http(get = "/number", query = ["of"])]
    async fn safe(&self, of: u64) -> Result<u64, Status>;

    #[http(get = "/numbers")]
    async fn all(&self) -> Result<Streaming<u64>, Status>;
}

/// A server that answers its first request so, and each later one with the number that it was asked for.
async fn hostile(first: Reply) -> (Legacy, Scene, NumbersClient) {
    let asked = AtomicUsize::new(0);
    let honest = |asked: &Asked| {
        let of = asked.text().trim_start_matches("{\"of\":").trim_end_matches('}').to_owned();
        Reply::json("200 OK", &of)
    };
    let legacy = Legacy::start(move |request| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => first.clone(),
        _ => honest(request),
    })
    .await;
    let scene = Scene::new();
    let mesh = scene.mesh_with(|builder| builder.transport(sinew_bridge::http())).await;
    let client: NumbersClient = mesh.client_at(legacy.url()).must("a client");
    let client = client.with(CallOptions::new().timeout(Duration::from_millis(1500)));
    (legacy, scene, client)
}

fn head(headers: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\n{headers}\r\n").into_bytes()
}

/// The first call fails so, and those that follow are answered, each with its own.
async fn costs_one_call(what: &str, first: Reply, code: Code, ran: Ran) -> Status {
    let (legacy, _scene, numbers) = hostile(first).await;
    let status = numbers.number(1).await.must_err();
    assert_eq!((status.code(), status.ran()), (code, ran), "{what}: {status}");
    for of in 2..6 {
        assert_eq!(numbers.number(of).await.must(what), of, "{what}");
    }
    assert_eq!(legacy.asked().len(), 5, "{what}");
    status
}

#[tokio::test]
async fn a_server_that_lies_costs_one_call() {
    let short = [head("content-length: 10\r\n"), b"1".to_vec()].concat();
    let chunk = [head("transfer-encoding: chunked\r\n"), b"zz\r\n1\r\n0\r\n\r\n".to_vec()].concat();
    let large =
        [head("transfer-encoding: chunked\r\n"), b"ffffffffffffffff0\r\n1".to_vec()].concat();
    let lines: String = (0..101).map(|n| format!("x-{n}: y\r\n")).collect();
    let long = head(&format!("x-long: {}\r\n", "y".repeat(20_000)));
    let two = head("content-length: 1\r\ncontent-length: 2\r\n");
    let (internal, unavailable) = (Code::Internal, Code::Unavailable);
    for (what, reply, code) in [
        ("nothing at all", Reply::Close(vec![]), unavailable),
        ("half of a head", Reply::Close(b"HTTP/1.1 200 OK\r\ncontent-".to_vec()), unavailable),
        ("half of a body", Reply::Close(short), unavailable),
        ("no HTTP", Reply::Close(b"220 smtp ready\r\n\r\n".to_vec()), internal),
        ("a chunk that is none", Reply::Close(chunk), unavailable),
        ("a chunk without measure", Reply::Close(large), unavailable),
        ("more headers than there may be", Reply::Open(head(&lines)), internal),
        ("a head without measure", Reply::Open(long), internal),
        ("two lengths", Reply::Close(two), internal),
    ] {
        let status = costs_one_call(what, reply, code, Ran::Maybe).await;
        assert!(status.message().len() < 500, "{what}: {status}");
    }
}

#[tokio::test]
async fn a_body_without_measure_is_left_at_its_bound() {
    let claim = head("content-length: 10000000000\r\n");
    let piece = "1".repeat(65_536);
    let endless = Reply::Forever(
        head("transfer-encoding: chunked\r\n"),
        format!("10000\r\n{piece}\r\n").into_bytes(),
        Duration::ZERO,
    );
    for (what, reply) in [("ten gigabytes", Reply::Open(claim)), ("chunks without end", endless)] {
        let code = Code::ResourceExhausted;
        let status = costs_one_call(what, reply, code, Ran::Maybe).await;
        assert!(status.message().contains("HTTP_BODY_MAX"), "{status}");
    }
}

#[tokio::test]
async fn what_was_packed_small_is_left_at_its_bound() {
    let mut bomb = flate2_of(&vec![b' '; 64 << 20]);
    let reply = |body: &[u8]| Reply::with("200 OK", "content-encoding: gzip\r\n", body);
    let code = Code::ResourceExhausted;
    costs_one_call("64 MiB in 64 KiB", reply(&bomb), code, Ran::Maybe).await;
    bomb.truncate(100);
    costs_one_call("half of it", reply(&bomb), Code::Internal, Ran::Maybe).await;
    let brotli = Reply::with("200 OK", "content-encoding: br\r\n", b"1");
    costs_one_call("a coding that was not asked for", brotli, Code::Internal, Ran::Maybe).await;
    let (_legacy, _scene, numbers) = hostile(reply(&flate2_of(b"7"))).await;
    assert_eq!(numbers.number(1).await.must("a number that was packed"), 7);
}

fn flate2_of(content: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut packing = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packing.write_all(content).must("packing");
    packing.finish().must("packed")
}

#[tokio::test]
async fn who_dawdles_costs_a_call_its_time() {
    let early = b"HTTP/1.1 103 Early Hints\r\n\r\n".to_vec();
    let trickle = head("content-length: 1000\r\n");
    for (what, reply) in [
        ("silence", Reply::Silence),
        ("answers that are not the last", Reply::Forever(vec![], early, Duration::from_millis(1))),
        ("a byte at a time", Reply::Forever(trickle, b"1".to_vec(), Duration::from_millis(50))),
    ] {
        costs_one_call(what, reply, Code::DeadlineExceeded, Ran::Maybe).await;
    }
}

/// What comes after an answer is nobody's: it must not be the answer to the next call.
#[tokio::test]
async fn an_answer_too_many_is_never_the_answer_to_another_call() {
    let answer =
        |body: &str| format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let both = format!("{}{}", answer("1"), answer("666"));
    let (_legacy, _scene, numbers) = hostile(Reply::Open(both.into_bytes())).await;
    assert_eq!(numbers.number(1).await.must("the first"), 1);
    for of in 2..50 {
        match numbers.number(of).await {
            Ok(number) => assert_eq!(number, of),
            Err(status) => assert_eq!(status.code(), Code::Unavailable, "{status}"),
        }
    }
}

/// A call that is given up takes its connection with it: what is still to come is nobody's.
#[tokio::test]
async fn a_call_that_is_given_up_leaves_nothing_to_the_next() {
    let legacy = Legacy::start(|asked| {
        let of = asked.line.split(['=', ' ']).nth(2).must("a number").to_owned();
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{of}", of.len());
        Reply::After(
            Duration::from_millis(of.parse::<u64>().must("a number") % 3),
            answer.into_bytes(),
        )
    })
    .await;
    let scene = Scene::new();
    let mesh = scene.mesh_with(|builder| builder.transport(sinew_bridge::http())).await;
    let numbers: NumbersClient = mesh.client_at(legacy.url()).must("a client");
    let mut answered = 0;
    for of in 0..300_u64 {
        let wait = Duration::from_micros(of % 7 * 500);
        if let Ok(number) = tokio::time::timeout(wait, numbers.safe(of)).await {
            assert_eq!(number.must("a number"), of);
            answered += 1;
        }
    }
    assert!(answered > 10, "{answered}");
    assert_eq!(numbers.safe(42).await.must("a number"), 42);
}

#[tokio::test]
async fn a_stream_that_a_reader_drops_ends_its_connection() {
    let first = head("transfer-encoding: chunked\r\n");
    let reply = Reply::Forever(first, b"2\r\n1\n\r\n".to_vec(), Duration::from_millis(1));
    let (legacy, _scene, numbers) = hostile(reply).await;
    let mut stream = numbers.all().await.must("a stream");
    assert_eq!(stream.next().await.must("one").must("one"), 1);
    drop(stream);
    assert_eq!(numbers.number(2).await.must("a number"), 2);
    let connections: Vec<_> = legacy.asked().iter().map(|asked| asked.connection).collect();
    assert_ne!(connections[0], connections[1]);
}

#[tokio::test]
async fn an_item_without_measure_ends_its_stream() {
    let piece = format!("10000\r\n{}\r\n", "1".repeat(65_536));
    let first = head("transfer-encoding: chunked\r\n");
    let (_legacy, _scene, numbers) =
        hostile(Reply::Forever(first, piece.into_bytes(), Duration::ZERO)).await;
    let mut stream = numbers.all().await.must("a stream");
    let status = stream.next().await.must("an end").must_err();
    assert!(status.message().contains("HTTP_BODY_MAX"), "{status}");
}

/// A server that closes connections as the next request comes, without an answer: what may be repeated is never lost, and
/// what must run once is told apart.
#[tokio::test]
async fn a_connection_that_is_closed_under_a_request_loses_no_call_that_may_be_repeated() {
    let legacy = Legacy::start(|asked| match asked.at {
        // Every twelfth request finds its connection closed.
        11 => Reply::Close(vec![]),
        _ => Reply::json("200 OK", "7"),
    })
    .await;
    let scene = Scene::new();
    let mesh = scene.mesh_with(|builder| builder.transport(sinew_bridge::http())).await;
    let numbers: NumbersClient = mesh.client_at(legacy.url()).must("a client");
    for of in 0..2_000 {
        assert_eq!(numbers.safe(of).await.must("an answer"), 7);
    }
    let mut lost = 0;
    for of in 0..240 {
        match numbers.number(of).await {
            Ok(number) => assert_eq!(number, 7),
            Err(status) => {
                assert_eq!((status.code(), status.ran()), (Code::Unavailable, Ran::Maybe));
                assert!(status.message().contains("had been kept open"), "{status}");
                lost += 1;
            }
        }
    }
    assert!((15..=21).contains(&lost), "{lost}");
}
