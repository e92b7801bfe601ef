//! Answers as etcd 3.4.23 gives them, as other versions do, and as nobody should.

use super::*;

const RANGE: &str = r#"{"header":{"cluster_id":"13455796455940752355","member_id":"443629905751424238","revision":"2","raft_term":"2"},
"kvs":[{"key":"Zm9v","create_revision":"2","mod_revision":"3","version":"1","value":"YmFy","lease":"4390624950584093704"}],"count":"7"}"#;
const TOLD: &str = r#"{"result":{"header":{"cluster_id":"1","revision":"4","raft_term":"2"},"events":[
{"kv":{"key":"Zm9v","create_revision":"2","mod_revision":"2","version":"1","value":"YmFy","lease":"43"}},
{"type":"DELETE","kv":{"key":"Zm9v","mod_revision":"4"}}]}}"#;
const COMPACTED: &str = r#"{"result":{"header":{"cluster_id":"1","raft_term":"2"},"canceled":true,"compact_revision":"3"}}"#;

fn item(created: u64, modified: u64) -> Item {
    Item { key: "foo".into(), value: "bar".into(), created, modified }
}

#[test]
fn what_etcd_answers_is_read() {
    let header = Header { cluster_id: 13_455_796_455_940_752_355, revision: 2, raft_term: 2 };
    let range: Range = read(RANGE.as_bytes()).unwrap();
    assert_eq!(range, Range { header, items: vec![item(2, 3)], count: 7 });
    let none: Range = read(br#"{"header":{"revision":1}}"#).unwrap();
    assert_eq!((none.header.revision, none.items.len(), none.count), (1, 0, 0));

    let news: News = read_streamed(TOLD.as_bytes()).unwrap();
    let gone = Item { value: String::new(), ..item(0, 4) };
    let events = [(false, item(2, 2)), (true, gone)];
    assert_eq!(news.events, events.map(|(is_gone, item)| Event { is_gone, item }));
    let news: News = read_streamed(COMPACTED.as_bytes()).unwrap();
    assert!(news.canceled && news.compact_revision == 3);

    let granted: Lease = read(br#"{"header":{},"ID":"4390624950584093702","TTL":"10"}"#).unwrap();
    assert_eq!(granted, Lease { id: 4_390_624_950_584_093_702, ttl: 10 });
    let ended: Lease = read_streamed(br#"{"result":{"header":{},"ID":"777"}}"#).unwrap();
    assert_eq!(ended.ttl, 0);
    assert_eq!(read_token(br#"{"header":{},"token":"abc.9"}"#), Ok("abc.9".to_owned()));
}

#[test]
fn what_etcd_refuses_says_why_in_every_version() {
    let lease = "etcdserver: requested lease not found";
    let plain = |words: &str| Refusal { code: 5, words: words.to_owned() };
    for text in [
        format!(r#"{{"error":"{lease}","message":"{lease}","code":5}}"#),
        format!(r#"{{"code":5,"message":"{lease}","details":[]}}"#),
        format!(r#"{{"error":{{"grpc_code":5,"http_code":404,"message":"{lease}"}}}}"#),
        format!(r#"{{"error":{{"code":5,"message":"{lease}"}}}}"#),
    ] {
        assert_eq!(read_refusal(text.as_bytes()), plain(lease), "{text}");
    }
    let refused = read_streamed::<News>(br#"{"error":{"grpc_code":14,"message":"no leader"}}"#);
    assert_eq!(refused, Err("no leader".to_owned()));
    for (text, words) in [
        (&b"Not Found"[..], "Not Found"),
        (b"{}", "it does not say why"),
        (b"[]", "it does not say why"),
        (b"\xff\n", "\u{fffd} "),
        (b"\"no\"", "no"),
        (b"", ""),
    ] {
        let refusal = read_refusal(text);
        assert_eq!((refusal.code, &*refusal.words), (UNKNOWN, words), "{text:?}");
    }
    assert_eq!(read_refusal("x".repeat(9999).as_bytes()).words.len(), 200);
}

#[test]
fn what_is_not_etcds_is_words_and_no_value() {
    for text in [
        "",
        "null",
        "{",
        r#"{"header":7}"#,
        r#"{"header":{"revision":"-1"}}"#,
        r#"{"header":{"revision":-1}}"#,
        r#"{"header":{"revision":"99999999999999999999"}}"#,
        r#"{"header":{"revision":1.5}}"#,
        r#"{"kvs":[{"key":"not base64!"}]}"#,
        r#"{"kvs":[{"key":5}]}"#,
        r#"{"kvs":{}}"#,
        r#"{"count":{}}"#,
    ] {
        let why = read::<Range>(text.as_bytes()).unwrap_err();
        assert!(why.contains("not etcd's"), "{text}: {why}");
    }
    for text in ["{}", r#"{"result":null}"#, r#"{"result":5}"#, r#"{"result":{"events":[5]}}"#] {
        assert!(read_streamed::<News>(text.as_bytes()).is_err(), "{text}");
    }
    for text in [r#"{"token":""}"#, r#"{"token":"a\nb"}"#, r#"{"token":"a b"}"#, "{}"] {
        assert!(read_token(text.as_bytes()).is_err(), "{text}");
    }
    let deep = "[".repeat(100_000);
    assert!(read::<Range>(format!(r#"{{"x":{deep}"#).as_bytes()).is_err(), "no stack is used up");
    let odd: Range = read(br#"{"kvs":[{"key":"/w==","value":"AP8="}]}"#).unwrap();
    assert_eq!((&*odd.items[0].key, &*odd.items[0].value), ("\u{fffd}", "\u{0}\u{fffd}"));
}

#[test]
fn no_text_panics() {
    const SEED: u64 = 20_261_128;
    println!("seed {SEED}");
    let mut chance = fastrand::Rng::with_seed(SEED);
    let samples =
        [RANGE, TOLD, COMPACTED, r#"{"error":{"code":5,"message":"x"}}"#, r#"{"token":"a"}"#];
    let pieces = [
        "\"",
        "{",
        "}",
        "[",
        ":",
        ",",
        "null",
        "1e99",
        "-1",
        "\\u0000",
        "\u{0}",
        "Zm9v",
        "😀",
        "\"error\"",
    ];
    for turn in 0..20_000 {
        let mut text = samples[turn % samples.len()].as_bytes().to_vec();
        for _ in 0..chance.usize(1..6) {
            let at = chance.usize(0..=text.len());
            let to = chance.usize(at..=text.len().min(at + 8));
            let piece = pieces[chance.usize(0..pieces.len())].as_bytes();
            match chance.u8(0..4) {
                0 => text.truncate(at),
                1 => drop(text.splice(at..to, piece.iter().copied())),
                2 => drop(text.splice(at..at, piece.iter().copied())),
                _ => text.iter_mut().skip(at).take(1).for_each(|byte| *byte = chance.u8(..)),
            }
        }
        let _ = read::<Range>(&text);
        let _ = read_streamed::<News>(&text);
        let _ = read_streamed::<Lease>(&text);
        let _ = read_token(&text);
        assert!(read_refusal(&text).words.len() <= 800);
    }
}

#[test]
fn questions_are_what_etcd_reads() {
    let below = Keys::below("/a/");
    assert_eq!(below.range(5), r#"{"key":"L2Ev","limit":"5","range_end":"L2Ew"}"#);
    let latest: Value = serde_json::from_str(&below.latest()).unwrap();
    assert_eq!((&latest["sort_target"], &latest["keys_only"]), (&json!("MOD"), &json!(true)));
    let watch: Value = serde_json::from_str(&below.watch(9)).unwrap();
    assert_eq!(watch["create_request"]["start_revision"], json!("9"));
    let kept: Value = serde_json::from_str(&keep("foo", "bar", 7)).unwrap();
    let put = json!({ "key": "Zm9v", "value": "YmFy", "lease": "7" });
    assert_eq!(kept["failure"], json!([{ "request_put": put }]));
    assert_eq!(kept["compare"][1]["lease"], json!("7"));
}
