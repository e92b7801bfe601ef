//! The vectors of `../vectors/wire-v1.txt`: what each decodes to, and that it is written the same
//! way.
//!
//! The file is only ever appended to. To add a vector: append it with the line `says: ?`, run this
//! test, and check what it prints by hand against docs/wire.md before it goes in.

use bytes::Bytes;
use sinew_core::{
    codes::Reason,
    ids::MethodId,
    spiffe::SpiffeId,
    wire::{Parser, StreamType, kinds, varint},
};

use crate::{describe, rewrite};

const FILE: &str = include_str!("../vectors/wire-v1.txt");

const SPECIFICATION: &str = include_str!("../../../../docs/wire.md");

/// The vectors of the first commit; a lower number than the file has is a sign of a removal.
const AT_LEAST: usize = 239;

struct Vector<'a> {
    name: &'a str,
    on: &'a str,
    bytes: Vec<u8>,
    says: Vec<&'a str>,
    only_read: bool,
}

fn vectors() -> Vec<Vector<'static>> {
    let is_vector = |block: &&str| block.lines().any(|line| line.starts_with("name:"));
    FILE.split("\n\n").filter(is_vector).map(vector).collect()
}

fn vector(block: &'static str) -> Vector<'static> {
    let mut vector =
        Vector { name: "", on: "", bytes: Vec::new(), says: Vec::new(), only_read: false };
    for line in block.lines().filter(|line| !line.starts_with('#')) {
        let (key, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.trim();
        match key {
            "name" => vector.name = value,
            "on" => vector.on = value,
            "hex" => vector.bytes.extend(unhex(value)),
            "only" if value == "read" => vector.only_read = true,
            "says" => vector.says.push(value),
            _ => panic!("an unknown line in `{}`: {line}", vector.name),
        }
    }
    vector
}

/// Pairs of digits, `xx*n` for a byte that comes n times.
fn unhex(text: &str) -> Vec<u8> {
    let byte = |pair: &str| u8::from_str_radix(pair, 16).unwrap_or_else(|_| panic!("{pair}"));
    let mut bytes = Vec::new();
    for word in text.split_whitespace() {
        if let Some((pair, times)) = word.split_once('*') {
            let times = times.parse::<usize>().unwrap_or_else(|_| panic!("{word}"));
            bytes.resize(bytes.len() + times, byte(pair));
        } else {
            bytes.extend((0..word.len()).step_by(2).map(|at| byte(&word[at..at + 2])));
        }
    }
    bytes
}

/// What the bytes say, a line for each frame, and the bytes written again where they are sound.
fn read(on: &str, bytes: &[u8]) -> (Vec<String>, Option<Vec<u8>>) {
    match on {
        "varint" => number(bytes),
        "stream" => {
            let mut parser = Parser::with_stream_type(StreamType::Call.frame_max());
            parser.feed(Bytes::copy_from_slice(bytes));
            match parser.stream_type() {
                Ok(Some(kind)) => {
                    let mut again = Vec::new();
                    kind.put(&mut again);
                    let first = format!("stream type {}", describe::stream(kind));
                    let (mut lines, rest) = frames(parser);
                    lines.insert(0, first);
                    (lines, rest.map(|rest| [again, rest].concat()))
                }
                Ok(None) => (vec!["incomplete".into()], None),
                Err(_) => (vec!["ends the stream".into()], None),
            }
        }
        "control" => frames_on(StreamType::Control, bytes),
        "lane" => frames_on(StreamType::Lane, bytes),
        "call" => frames_on(StreamType::Call, bytes),
        "answer" => frames_on(StreamType::Answer, bytes),
        other => panic!("an unknown place: {other}"),
    }
}

fn number(bytes: &[u8]) -> (Vec<String>, Option<Vec<u8>>) {
    let mut rest = bytes;
    match varint::get(&mut rest) {
        Ok(number) if rest.is_empty() => {
            let mut again = Vec::new();
            varint::put(&mut again, number);
            (vec![number.to_string()], Some(again))
        }
        Ok(_) => (vec!["followed by more".into()], None),
        Err(_) => (vec!["malformed".into()], None),
    }
}

fn frames_on(stream: StreamType, bytes: &[u8]) -> (Vec<String>, Option<Vec<u8>>) {
    let mut parser = Parser::new(stream.frame_max());
    parser.feed(Bytes::copy_from_slice(bytes));
    frames(parser)
}

fn frames(mut parser: Parser) -> (Vec<String>, Option<Vec<u8>>) {
    let mut lines = Vec::new();
    let mut again = Some(Vec::new());
    loop {
        match parser.next() {
            Ok(Some(frame)) => {
                lines.push(describe::frame(&frame));
                again = again.and_then(|out| rewrite::frame(out, &frame));
            }
            Ok(None) => break,
            Err(_) => {
                lines.push("ends the stream".into());
                return (lines, None);
            }
        }
    }
    if parser.is_mid_frame() {
        lines.push("incomplete".into());
        again = None;
    }
    (lines, again)
}

#[test]
fn every_vector_says_what_it_says_and_is_written_the_same_way() {
    let mut wrong = String::new();
    for vector in vectors().iter().filter(|vector| !is_derived(vector.on)) {
        let (says, again) = read(vector.on, &vector.bytes);
        if says != vector.says {
            wrong += &format!("\n{} says:\nsays: {}\n", vector.name, says.join("\nsays: "));
        }
        if !vector.only_read && again.is_some_and(|again| again != vector.bytes) {
            wrong += &format!("\n{} is written otherwise\n", vector.name);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

fn is_derived(on: &str) -> bool {
    matches!(on, "method id" | "server name")
}

#[test]
fn ids_and_names_are_derived_as_the_vectors_say() {
    let all = vectors();
    let derived: Vec<_> = all.iter().filter(|vector| is_derived(vector.on)).collect();
    assert!(derived.len() >= 4);
    for vector in derived {
        let of = vector.says.concat();
        let bytes = if vector.on == "method id" {
            let (service, method) = of.split_once('/').unwrap();
            MethodId::of(service, method).0.to_be_bytes().to_vec()
        } else {
            SpiffeId::new(&of).unwrap().server_name().into_bytes()
        };
        assert_eq!(bytes, vector.bytes, "{}", vector.name);
    }
}

#[test]
fn names_are_unique_and_none_was_removed() {
    let all = vectors();
    let mut names: Vec<_> = all.iter().map(|vector| vector.name).collect();
    assert!(names.len() >= AT_LEAST, "{} vectors", names.len());
    names.sort_unstable();
    for pair in names.windows(2) {
        assert_ne!(pair[0], pair[1]);
    }
}

/// The vectors must show the whole format: every kind, flag and optional field.
#[test]
fn every_kind_and_field_has_a_vector() {
    let says: Vec<_> = vectors().iter().map(|vector| vector.says.join("\n")).collect();
    for word in [
        "REQUEST",
        "ANSWER",
        "CANCEL",
        "DATA",
        "END",
        "OPEN",
        "STAMP",
        "SETTINGS",
        "GOAWAY ",
        "GOAWAY_ACK",
        "PING",
        "PONG",
        "HEALTH",
        "skipped",
        "left=none",
        "left=zero",
        "idempotent",
        "shadow",
        "no-retry",
        "hedge",
        "want-ledger",
        "input-stream",
        "attempt=",
        "criticality=",
        "fingerprint=",
        "shed-key=",
        "trace=",
        "metadata=",
        "total=",
        "codec=",
        "draining",
        "load=",
        "cut=",
        "ledger=",
        "do-not-retry",
        "retry-after=",
        "retry-elsewhere=",
        "status=",
        " app ",
        "more",
        "unfinished",
        "left-out=",
        "no-answer",
        "versions=",
        "services=",
        "fingerprints=",
        "ends the stream",
        "ends call 1",
        "names no call",
        "incomplete",
    ] {
        assert!(says.iter().any(|says| says.contains(word)), "nothing says `{word}`");
    }
}

/// The examples of the specification are vectors, byte for byte.
#[test]
fn the_specification_shows_the_bytes_of_its_vectors() {
    let all = vectors();
    let mut shown = 0;
    for example in SPECIFICATION.split("(vector `").skip(1) {
        let (name, rest) = example.split_once('`').unwrap();
        let block = rest.split("```").nth(1).unwrap();
        // Each line: indentation, bytes, at least two spaces, what they mean.
        let lines = block.lines().skip(1).map(|line| line.trim_start().split("  ").next());
        let bytes: Vec<u8> = lines.flatten().flat_map(unhex).collect();
        let vector = all.iter().find(|vector| vector.name == name).unwrap();
        assert_eq!(bytes, vector.bytes, "{name}");
        shown += 1;
    }
    assert_eq!(shown, 2);
}

/// Sizes and codes that the specification states in tables.
#[test]
fn the_specification_states_the_numbers_of_the_code() {
    let rows = [
        format!("| control | {} |", grouped(StreamType::Control.frame_max())),
        format!("| lane | {} |", grouped(StreamType::Lane.frame_max())),
        format!("| call, answer | {} |", grouped(StreamType::Call.frame_max())),
        format!("| {} | PROTOCOL |", kinds::CLOSE_PROTOCOL),
        format!("| {} | EXCESSIVE_LOAD |", kinds::CLOSE_EXCESSIVE_LOAD),
        format!("| {} | SHUTDOWN |", kinds::CLOSE_SHUTDOWN),
        format!("| {} | WRONG_IDENTITY |", kinds::CLOSE_WRONG_IDENTITY),
        format!("| {} | TOO_MANY_CONNECTIONS |", kinds::CLOSE_TOO_MANY_CONNECTIONS),
        format!("| {} | INCOMPATIBLE |", kinds::CLOSE_INCOMPATIBLE),
        format!("| {} | INTERNAL |", kinds::CLOSE_INTERNAL),
        format!("| {:#x} | LANE_STALLED |", kinds::STREAM_LANE_STALLED),
        format!("| {:#x} | FRAME_ERROR |", kinds::STREAM_FRAME_ERROR),
        format!("| {:#x} | REFUSED |", kinds::STREAM_REFUSED),
        format!("| {:#x} | UNKNOWN_TYPE |", kinds::STREAM_UNKNOWN_TYPE),
    ];
    for row in rows {
        assert!(SPECIFICATION.contains(&row), "docs/wire.md does not say `{row}`");
    }
    for reason in Reason::KNOWN {
        let words = format!("{} {reason}", reason.to_u8());
        let text = SPECIFICATION.replace('\n', " ");
        assert!(text.contains(&words), "docs/wire.md does not say `{words}`");
    }
}

fn grouped(number: usize) -> String {
    format!("{},{:03}", number / 1000, number % 1000)
}
