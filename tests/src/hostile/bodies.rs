//! Attacks with what is inside a frame: lengths that lie, depth, metadata, odd values.

use sinew_core::{
    codes::{Code, Reason},
    limits,
    metadata::Metadata,
    wire::{AnswerOutcome, CallKind, RequestHead, TimeLeft, kinds, varint},
};

use super::{Attack, Ground, Verdict, held};
use crate::{
    Must as _,
    raw::frames::{self, millis_left},
};

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        id: "B1",
        bound: "the stream is reset, at the cost of what has arrived",
        mib: 16,
        run: |ground| Box::pin(length_lies(ground)),
    },
    Attack {
        id: "B2",
        bound: "refused; the process lives",
        mib: 16,
        run: |ground| Box::pin(deep_nesting(ground)),
    },
    Attack {
        id: "B3",
        bound: "refused, at the cost of what has arrived",
        mib: 16,
        run: |ground| Box::pin(collection_lies(ground)),
    },
    Attack {
        id: "B5",
        bound: "refused above 64 entries, 4 KiB a value, 8 KiB, or twice a key",
        mib: 16,
        run: |ground| Box::pin(metadata_bombs(ground)),
    },
    Attack {
        id: "B7",
        bound: "ids that a plain hash would put together cost no more: at most 5 times, +100 ms",
        mib: 16,
        run: |ground| Box::pin(colliding_ids(ground)),
    },
    Attack {
        id: "B8",
        bound: "100 of 100 good calls are answered",
        mib: 16,
        run: |ground| Box::pin(bad_among_good(ground)),
    },
    Attack {
        id: "B9",
        bound: "a status or a value for each; no panic",
        mib: 16,
        run: |ground| Box::pin(odd_values(ground)),
    },
];

/// Outer lengths of which next to nothing follows.
async fn length_lies(ground: &Ground) -> Verdict {
    let client = ground.client().await;
    let mut saw = Vec::new();
    for (what, length) in [("2^31", 1_u64 << 31), ("2^61", 1 << 61), ("0", 0)] {
        let mut bytes = Vec::new();
        varint::put(&mut bytes, length);
        bytes.extend([0x10, 0, 0, 0]);
        let mut lane = client.lane(&bytes).await;
        let code = lane.stop_code().await;
        if code != kinds::STREAM_FRAME_ERROR {
            return Err(format!("a length of {what}: stopped with {code:#x}"));
        }
        saw.push(what);
    }
    client.assert_lives().await;
    Ok(format!("reset for lengths of {}", saw.join(", ")))
}

/// The code of the answer to a request with this codec and body.
async fn code_of(ground: &Ground, method: &str, codec: u8, body: &[u8]) -> Option<Code> {
    let client = ground.client().await;
    let head = RequestHead { codec, ..frames::head(method) };
    let mut lane = client.lane(frames::request(1, millis_left(5000), &head, body)).await;
    let code = match lane.answer().await.1.outcome {
        AnswerOutcome::Status(status) => Some(status.code),
        AnswerOutcome::Ok | AnswerOutcome::App => None,
    };
    client.assert_lives().await;
    code
}

/// Arrays in arrays, in the codec that names what it holds.
async fn deep_nesting(ground: &Ground) -> Verdict {
    for level in [0x91_u8, 0x81, 0xdc] {
        let body = vec![level; 15_000];
        let code = code_of(ground, "echo", 2, &body).await;
        if code.is_none() {
            return Err(format!("{level:#x} was taken"));
        }
    }
    Ok("refused".to_owned())
}

/// Lengths of strings and blobs that are not there.
async fn collection_lies(ground: &Ground) -> Verdict {
    let mut body = vec![253];
    body.extend((1_u64 << 60).to_le_bytes());
    body.push(1);
    for (method, codec, body) in [
        ("weigh", frames::BINCODE, body.clone()),
        ("echo", frames::BINCODE, body),
        ("echo", 2, vec![0x91, 0xdb, 0xff, 0xff, 0xff, 0xff, b'a']),
        ("weigh", 2, vec![0x91, 0xc6, 0xff, 0xff, 0xff, 0xff, b'a']),
    ] {
        if code_of(ground, method, codec, &body).await.is_none() {
            return Err(format!("{method} took a length that lies"));
        }
    }
    Ok("refused".to_owned())
}

/// A request with this metadata, which no encoder would write.
fn with_metadata(call: u64, entries: &[(String, usize)]) -> Vec<u8> {
    let mut metadata = Metadata::new();
    metadata.insert("a", "b").must("an entry");
    let mut block = Vec::new();
    metadata.encode(&mut block);
    let mut rest = Vec::new();
    RequestHead { metadata, ..frames::head("echo") }.encode(&mut rest);
    assert!(rest.ends_with(&block), "metadata comes last");
    rest.truncate(rest.len() - block.len());
    varint::put(&mut rest, entries.len() as u64);
    for (key, len) in entries {
        varint::put(&mut rest, key.len() as u64);
        rest.extend_from_slice(key.as_bytes());
        varint::put(&mut rest, *len as u64);
        rest.resize(rest.len() + len, b'v');
    }
    rest.extend(frames::body_of("x"));
    frames::frame(CallKind::Request, call, millis_left(5000), &rest)
}

async fn metadata_bombs(ground: &Ground) -> Verdict {
    let client = ground.client().await;
    let many = |count: usize, len| (0..count).map(|at| (format!("k{at}"), len)).collect::<Vec<_>>();
    let mut lane = client.lane(with_metadata(1, &many(64, 10))).await;
    if lane.answer().await.1.outcome != AnswerOutcome::Ok {
        return Err("64 small entries were refused".to_owned());
    }
    let twice = vec![("k".to_owned(), 5); 2];
    for (what, entries) in [
        ("65 entries", many(65, 1)),
        ("3,000 entries", many(3000, 0)),
        ("a long value", many(1, 4097)),
        ("9 KiB in all", many(9, 1024)),
        ("a key twice", twice),
        ("a long key", vec![("k".repeat(65), 1)]),
        ("a reserved key", vec![("sinew-x".to_owned(), 1)]),
    ] {
        let mut lane = client.lane(with_metadata(7, &entries)).await;
        let status = lane.status(7).await;
        if status.reason != Reason::Malformed {
            return Err(format!("{what}: {status:?}"));
        }
    }
    client.assert_lives().await;
    Ok("refused".to_owned())
}

/// As many calls at once as there may be, with ids far apart or side by side.
async fn colliding_ids(ground: &Ground) -> Verdict {
    let mut took = [0.0; 2];
    for (took, step) in took.iter_mut().zip([1_u64, 1 << 32]) {
        let client = ground.client().await;
        let count = u64::from(limits::IN_FLIGHT_MAX) - 1;
        let head = frames::head("wait");
        let ask = |at| frames::request(at * step, millis_left(5000), &head, &frames::number(20));
        let began = std::time::Instant::now();
        let mut lane = client.lane((0..count).flat_map(ask).collect::<Vec<u8>>()).await;
        for _ in 0..count {
            lane.answer().await;
        }
        *took = began.elapsed().as_secs_f64();
    }
    let saw = format!("{:.1} ms side by side, {:.1} ms apart", took[0] * 1e3, took[1] * 1e3);
    held(took[1] < 5.0 * took[0] + 0.1, saw)
}

/// Good calls in flight on the lane on which others are malformed.
async fn bad_among_good(ground: &Ground) -> Verdict {
    let client = ground.client().await;
    let mut lane = client.lane([]).await;
    let head = frames::head("wait");
    let mut bytes = Vec::new();
    for call in 0..100 {
        bytes.extend(frames::request(call, millis_left(10_000), &head, &frames::number(200)));
    }
    lane.write(&bytes).await;
    let mut rest = [0; 8].to_vec();
    varint::put(&mut rest, 1 << 20);
    let bad = [
        frames::frame(CallKind::Request, 1000, millis_left(1000), &rest),
        frames::frame(CallKind::Request, 1001, millis_left(1000), &[]),
        frames::frame(CallKind::Answer, 1002, millis_left(1000), &[]),
        frames::data(1003, true, b"x"),
        frames::request(1004, millis_left(1000), &frames::head("no such method"), &[]),
        frames::request(1005, millis_left(1000), &frames::head("echo"), &[0xff; 9]),
        with_metadata(1007, &[("BAD KEY".to_owned(), 1)]),
    ];
    for frame in &bad {
        lane.write(frame).await;
    }
    let (mut good, mut refused) = (0, 0);
    for _ in 0..100 + bad.len() {
        let (call, head, _) = lane.answer().await;
        match head.outcome {
            AnswerOutcome::Ok if call < 100 => good += 1,
            AnswerOutcome::Status(_) if call >= 1000 => refused += 1,
            other => return Err(format!("call {call}: {other:?}")),
        }
    }
    held(good == 100, format!("{good} good calls answered, {refused} bad ones refused"))
}

async fn odd_values(ground: &Ground) -> Verdict {
    let client = ground.client().await;
    let mut answered = 0;
    for time in
        [TimeLeft::Zero, TimeLeft::Micros(1), TimeLeft::Micros((1 << 62) - 1), TimeLeft::Unbounded]
    {
        for text in ["", "\0", "a\r\nb", "\u{10ffff}\u{202e}"] {
            let body = frames::body_of(text);
            let request = frames::request(1, time, &frames::head("echo"), &body);
            let mut lane = client.lane(request).await;
            let (_, head, echoed) = lane.answer().await;
            if head.outcome == AnswerOutcome::Ok && echoed[..] != body[..] {
                return Err(format!("{text:?} came back as {echoed:?}"));
            }
            answered += 1;
        }
    }
    // Who lies about its clock makes its own calls late, and nobody else's.
    let liar = ground.client().await;
    let stamps = [0, 1, u64::from(u32::MAX), (1 << 62) - 1];
    for stamp in stamps {
        let mut bytes = frames::stamp(stamp);
        bytes.extend(frames::echo(2, "odd"));
        let mut lane = liar.lane(bytes).await;
        lane.answer().await;
        answered += 1;
    }
    // Text that is none.
    let mut lane = client
        .lane(frames::request(3, millis_left(1000), &frames::head("echo"), &[2, 0xff, 0xfe]))
        .await;
    let status = lane.status(3).await;
    client.assert_lives().await;
    held(status.code == Code::InvalidArgument, format!("{answered} odd calls answered"))
}
