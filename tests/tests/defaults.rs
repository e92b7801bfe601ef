//! docs/defaults.md is what is in force when nothing is configured.

use std::{collections::BTreeMap, fs, future::poll_fn, path::Path, pin::pin, task::Poll};

use sinew_core::{
    limits::{self, Limit, Value},
    wire::{ConnectionFrame, Frame, Parser},
};
use sinew_tests::{
    Must as _,
    raw::{RawClient, Target},
    wait::soon,
};

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    fs::read_to_string(&path).must(&format!("{}", path.display()))
}

/// The rows of the page's tables: a name, and its cells.
fn documented() -> BTreeMap<String, Vec<String>> {
    let page = read("docs/defaults.md");
    let mut rows = BTreeMap::new();
    for line in page.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> =
            line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
        let name = cells[0].trim_matches('`').to_owned();
        assert_eq!(cells.len(), 4, "{line}");
        assert!(rows.insert(name, cells).is_none(), "twice: {line}");
    }
    rows
}

#[test]
fn the_page_has_every_limit_with_its_value_and_no_other() {
    let mut rows = documented();
    for Limit { name, value } in limits::ALL {
        let row = rows.remove(*name).must(&format!("`{name}` = {value} is missing on the page"));
        assert_eq!(row[1], value.to_string(), "`{name}`");
    }
    assert!(rows.is_empty(), "no limits of ours: {rows:?}");
}

/// The same as a peer meets them: a server that was given an identity and a service, and nothing else.
#[tokio::test]
async fn a_server_that_was_given_nothing_grants_what_the_page_says() {
    let target = Target::new().await;
    let client = RawClient::connect_silently(&target.authority, target.server.address()).await;
    let mut lanes = Vec::new();
    while let Some(lane) = at_once(client.connection.open_bi()).await {
        lanes.push(lane.must("a stream"));
        assert!(lanes.len() <= 10_000, "no limit of bidirectional streams");
    }
    let mut others = Vec::new();
    while let Some(other) = at_once(client.connection.open_uni()).await {
        others.push(other.must("a stream"));
        assert!(others.len() <= 10_000, "no limit of unidirectional streams");
    }
    let granted = |name: &str| documented()[name][1].parse::<usize>().must("a count");
    assert_eq!(lanes.len(), granted("PEER_BI_STREAMS_START"));
    assert_eq!(others.len(), granted("PEER_UNI_STREAMS_MAX"));

    let Some(Frame::Connection(ConnectionFrame::Settings(said))) = first_frame(&client).await
    else {
        panic!("no settings");
    };
    assert_eq!(Value::Bytes(said.max_message).to_string(), documented()["MESSAGE_MAX"][1]);
    assert_eq!(said.max_in_flight, granted("IN_FLIGHT_MAX") as u64);
}

/// The future's output, if it is ready when it is asked for the first time.
async fn at_once<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// The first frame of the server's control stream that is no STAMP.
async fn first_frame(client: &RawClient) -> Option<Frame> {
    let mut control =
        soon("a control stream", client.connection.accept_uni()).await.must("a stream");
    let mut parser = Parser::with_stream_type(limits::CONTROL_FRAME_MAX);
    loop {
        match parser.next().must("sound framing") {
            Some(Frame::Connection(ConnectionFrame::Stamp { .. })) => {}
            Some(frame) => return Some(frame),
            None => {
                let chunk = soon("a frame", control.read_chunk(4096, true)).await;
                parser.feed(chunk.must("a stream")?.bytes);
            }
        }
    }
}

/// What can be changed names an item that exists.
#[test]
fn where_to_change_a_limit_is_a_place_that_exists() {
    let sources = [
        ("CallOptions::", read("runtime/src/call/options.rs"), "pub fn "),
        ("Policy::", read("runtime/src/policy/mod.rs"), "pub fn "),
        ("ServerBuilder::", read("runtime/src/server/mod.rs"), "pub fn "),
        ("MeshBuilder::", read("runtime/src/mesh/builder.rs"), "pub fn "),
        ("Ingress::", read("runtime/bridge/src/ingress/mod.rs"), "pub fn "),
        ("Etcd::", read("runtime/src/discovery/etcd/settings.rs"), "pub fn "),
        ("SINEW_", read("runtime/src/identity/files.rs"), "\"SINEW_"),
        ("#[rpc(", read("docs/versions.md") + &read("docs/deadline.md"), "#[rpc("),
    ];
    let keys = read("runtime/src/policy/document/keys.rs");
    let mut seen = 0;
    for (name, row) in documented() {
        for place in row[3].split('`').skip(1).step_by(2) {
            // A key of the policy, each part of which is asked for where it is read.
            if place.starts_with(char::is_lowercase) {
                let asked = |part: &str| keys.contains(&format!("\"{part}\""));
                assert!(place.split('.').all(asked), "`{name}`: `{place}` is no key");
                seen += 1;
                continue;
            }
            let (prefix, source, before) = sources
                .iter()
                .find(|(prefix, ..)| place.starts_with(prefix))
                .must(&format!("`{name}`: what is `{place}`"));
            let item = place.trim_start_matches(prefix);
            let item = item.split([')', ' ']).next().must("a word");
            assert!(source.contains(&format!("{before}{item}")), "`{name}`: there is no `{place}`");
            seen += 1;
        }
    }
    assert!(seen >= 10, "{seen}");
}

/// A limit that refuses is named by its refusal, as it is named on the page.
#[test]
fn a_refusal_names_its_limit() {
    let refusals = [
        ("MESSAGE_MAX", "runtime/src/transport/frames/fault.rs"),
        ("MESSAGE_MAX", "runtime/src/transport/frames/items.rs"),
        ("MESSAGE_MAX", "runtime/src/transport/frames/streams.rs"),
        ("METADATA_ENTRIES_MAX", "runtime/core/src/metadata.rs"),
        ("METADATA_VALUE_MAX", "runtime/core/src/metadata.rs"),
        ("METADATA_MAX", "runtime/core/src/metadata.rs"),
        ("HTTP_BODIES_MAX", "runtime/bridge/src/ingress/body.rs"),
        ("DECODE_DEPTH_LEVELS", "runtime/src/codec/guard.rs"),
        ("DECODE_ELEMENTS_BASE", "runtime/src/codec/guard.rs"),
        ("DECODE_MEMORY_FACTOR", "runtime/src/codec/guard.rs"),
        ("IN_FLIGHT_MAX", "runtime/src/transport/frames/server.rs"),
        ("RESETS_PER_S", "runtime/src/transport/frames/server.rs"),
        ("FORCED_ERRORS_MAX", "runtime/src/transport/frames/server.rs"),
        ("IDLE_FRAMES_PER_SECOND", "runtime/src/transport/frames/io.rs"),
        ("IDLE_FRAMES_PER_SECOND", "runtime/src/transport/frames/control.rs"),
        ("HANDSHAKES_OPEN_MAX", "runtime/src/transport/quic/admission.rs"),
        ("HANDSHAKES_PER_S", "runtime/src/transport/quic/admission.rs"),
        ("CONNECTIONS_MAX", "runtime/src/transport/quic/admission.rs"),
        ("INTERMEDIATES_MAX", "runtime/src/identity/chain.rs"),
        ("IDENTITY_FILE_MAX", "runtime/src/identity/files.rs"),
    ];
    let rows = documented();
    for (name, file) in refusals {
        assert!(rows.contains_key(name), "`{name}` is not on the page");
        // In words, in brackets: not the constant's use.
        assert!(read(file).contains(&format!("({name})")), "no refusal of {file} names `{name}`");
    }
}
