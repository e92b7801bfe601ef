//! Heads of frames: what is written is read again, what is hostile is refused, nothing panics.

use bytes::Bytes;
use proptest::prelude::*;
use sinew_core::{
    codes::{CancelReason, Code, Disposition, Origin, Reason},
    ids::MethodId,
    limits::{METADATA_ENTRIES_MAX, METADATA_MAX, STATUS_MESSAGE_MAX},
    metadata::Metadata,
    wire::{
        AnswerHead, AnswerOutcome, DataHead, Malformed, OpenHead, RequestHead, WireStatus,
        decode_cancel, varint,
    },
};

fn request_bytes(head: &RequestHead, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    head.encode(&mut out);
    out.extend_from_slice(body);
    out
}

fn answer_bytes(head: &AnswerHead, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    head.encode(&mut out);
    out.extend_from_slice(body);
    out
}

/// Whatever is accepted must be written the same way again.
fn check_canonical(data: &[u8]) {
    let rest = crate::strategies::bytes(data);
    if let Ok((head, body)) = RequestHead::decode(rest.clone()) {
        assert_eq!(request_bytes(&head, &body), data);
        assert!(head.metadata.size() <= METADATA_MAX);
    }
    if let Ok((head, body)) = AnswerHead::decode(rest.clone()) {
        assert_eq!(answer_bytes(&head, &body), data);
    }
    if let Ok(head) = OpenHead::decode(rest.clone()) {
        let mut out = Vec::new();
        head.encode(&mut out);
        assert_eq!(out, data);
    }
    if let Ok((head, bytes)) = DataHead::decode(rest) {
        let mut out = Vec::new();
        head.encode(&mut out);
        out.extend_from_slice(&bytes);
        assert_eq!(out, data);
    }
    if let Ok(reason) = decode_cancel(data) {
        assert_eq!([reason.to_u8()], data);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_request_is_read_as_it_was_written((head, body) in crate::strategies::request()) {
        let data = request_bytes(&head, &body);
        let (read, rest) = RequestHead::decode(Bytes::from(data)).unwrap();
        prop_assert_eq!(read, head);
        prop_assert_eq!(&rest[..], &body[..]);
    }

    #[test]
    fn an_answer_is_read_as_it_was_written((head, body) in crate::strategies::answer()) {
        let data = answer_bytes(&head, &body);
        let (read, rest) = AnswerHead::decode(Bytes::from(data)).unwrap();
        prop_assert_eq!(read, head);
        prop_assert_eq!(&rest[..], &body[..]);
    }

    #[test]
    fn an_open_is_read_as_it_was_written(codec: u8, metadata in crate::strategies::metadata()) {
        let head = OpenHead { codec, metadata };
        let mut out = Vec::new();
        head.encode(&mut out);
        prop_assert_eq!(OpenHead::decode(Bytes::from(out)), Ok(head));
    }

    #[test]
    fn arbitrary_bytes_are_refused_or_canonical(data: Vec<u8>) {
        check_canonical(&data);
    }

    #[test]
    fn a_cut_head_is_refused_or_canonical(
        (head, _) in crate::strategies::request(),
        (answer, _) in crate::strategies::answer(),
        at: prop::sample::Index,
    ) {
        let data = request_bytes(&RequestHead { total: None, ..head }, &[]);
        let cut = at.index(data.len());
        prop_assert!(RequestHead::decode(crate::strategies::bytes(&data[..cut])).is_err());
        let data = answer_bytes(&AnswerHead { total: None, ..answer }, &[]);
        let cut = at.index(data.len());
        prop_assert!(AnswerHead::decode(crate::strategies::bytes(&data[..cut])).is_err());
    }

    #[test]
    fn a_flipped_bit_is_refused_or_canonical(
        (head, body) in crate::strategies::request(),
        (answer, answer_body) in crate::strategies::answer(),
        at: prop::sample::Index,
    ) {
        for mut data in [request_bytes(&head, &body), answer_bytes(&answer, &answer_body)] {
            let bit = at.index(data.len() * 8);
            data[bit / 8] ^= 1 << (bit % 8);
            check_canonical(&data);
        }
    }
}

#[test]
fn a_plain_request_takes_ten_bytes_and_no_allocation_beyond_the_buffer() {
    let mut out = Vec::with_capacity(10);
    RequestHead::new(MethodId(7), 1).encode(&mut out);
    assert_eq!((out.len(), out.capacity()), (10, 10));
    let mut out = Vec::with_capacity(4);
    AnswerHead::new(AnswerOutcome::Ok, 1).encode(&mut out);
    assert_eq!((out.len(), out.capacity()), (4, 4));
}

#[test]
fn a_body_is_a_view_of_its_frame() {
    let frame = Bytes::from(request_bytes(&RequestHead::new(MethodId(7), 1), b"body"));
    let range = frame.as_ptr_range();
    let (_, body) = RequestHead::decode(frame).unwrap();
    assert_eq!(body.as_ptr_range().end, range.end);
    let frame = Bytes::from(answer_bytes(&AnswerHead::new(AnswerOutcome::Ok, 1), b"body"));
    let range = frame.as_ptr_range();
    let (_, body) = AnswerHead::decode(frame).unwrap();
    assert_eq!(body.as_ptr_range().end, range.end);
}

#[test]
fn a_status_message_is_cut_between_characters_when_written() {
    let status = WireStatus {
        code: Code::Ok,
        reason: Reason::None,
        disposition: Disposition::Processed,
        origin: Origin::PeerHandler,
        message: "ä".repeat(STATUS_MESSAGE_MAX),
    };
    let mut long = status.clone();
    long.message.insert(0, 'x');
    let data = answer_bytes(&AnswerHead::new(AnswerOutcome::Status(long), 0), &[]);
    let (head, _) = AnswerHead::decode(Bytes::from(data)).unwrap();
    let AnswerOutcome::Status(read) = head.outcome else { panic!("{:?}", head.outcome) };
    assert_eq!(read.message.len(), STATUS_MESSAGE_MAX - 1);
    // A failure is never called a success.
    assert_eq!(read.code, Code::Unknown);
}

/// A count that claims the most, in front of nothing: refused before anything is allocated for it.
#[test]
fn counts_are_checked_against_what_is_there() {
    let mut data = vec![0; 8];
    varint::put(&mut data, 1 << 5);
    data.push(1);
    varint::put(&mut data, METADATA_ENTRIES_MAX as u64);
    data.extend_from_slice(&[0; 20]);
    let why = RequestHead::decode(Bytes::from(data)).unwrap_err();
    assert_eq!(why, Malformed::new("a count larger than what follows"));
}

#[test]
fn metadata_is_charged_at_its_decoded_size() {
    // Three values of 4 KiB: each within its bound, together above theirs.
    let mut data = Vec::new();
    varint::put(&mut data, 3);
    for key in ["a", "b", "c"] {
        varint::put(&mut data, 1);
        data.extend_from_slice(key.as_bytes());
        varint::put(&mut data, 4096);
        data.extend_from_slice(&[0; 4096]);
    }
    let why = Metadata::decode(&mut &data[..]).unwrap_err();
    assert_eq!(why, Malformed::new("metadata above 8192 bytes"));
}

#[test]
fn a_cancel_is_exactly_one_byte() {
    assert_eq!(decode_cancel(&[2]), Ok(CancelReason::Deadline));
    assert_eq!(decode_cancel(&[99]), Ok(CancelReason::Other(99)));
    assert!(decode_cancel(&[]).is_err());
    assert!(decode_cancel(&[2, 0]).is_err());
}

#[test]
fn a_continuing_message_must_be_longer_than_what_is_there() {
    for (total, sound) in [(0, false), (3, false), (4, false), (5, true)] {
        let mut head = RequestHead::new(MethodId(7), 1);
        head.total = Some(total);
        let read = RequestHead::decode(Bytes::from(request_bytes(&head, b"body")));
        assert_eq!(read.is_ok(), sound, "{total}");
    }
}
