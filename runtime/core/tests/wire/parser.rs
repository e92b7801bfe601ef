//! The parser: the same frames wherever the stream is cut, and no more memory than what arrived.

use bytes::Bytes;
use proptest::prelude::*;
use sinew_core::{
    limits::{LANE_FRAME_MAX, STREAM_FRAME_MAX},
    wire::{
        CallFrame, CallKind, ConnectionFrame, Frame, FrameError, Malformed, Parser, StreamType,
        TimeLeft, put_call_frame, put_call_frame_start, put_connection_frame, put_stamp, varint,
    },
};

/// Everything a parser finds in `data` when it comes in pieces cut at `cuts`.
fn parse(mut parser: Parser, data: &[u8], cuts: &[usize]) -> (Vec<Frame>, Option<FrameError>) {
    let mut found = Vec::new();
    let mut from = 0;
    for to in cuts.iter().copied().chain([data.len()]) {
        parser.feed(crate::strategies::bytes(&data[from..to]));
        from = to;
        loop {
            match parser.next() {
                Ok(Some(frame)) => found.push(frame),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(parser.next(), Err(error), "an error must stay");
                    return (found, Some(error));
                }
            }
        }
        assert!(parser.buffered() <= to, "kept more than what arrived");
    }
    (found, None)
}

fn whole(data: &[u8]) -> (Vec<Frame>, Option<FrameError>) {
    parse(Parser::new(LANE_FRAME_MAX), data, &[])
}

/// Cuts at one place, and at every place.
fn check_cuts(data: &[u8]) {
    let expected = whole(data);
    for cut in 0..data.len() {
        assert_eq!(parse(Parser::new(LANE_FRAME_MAX), data, &[cut]), expected, "cut at {cut}");
    }
    let every: Vec<usize> = (0..data.len()).collect();
    assert_eq!(parse(Parser::new(LANE_FRAME_MAX), data, &every), expected, "byte by byte");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_connection_frame_is_read_as_it_was_written(
        frame in crate::strategies::connection_frame(),
    ) {
        let mut data = Vec::new();
        put_connection_frame(&mut data, &frame);
        prop_assert_eq!(whole(&data), (vec![Frame::Connection(frame)], None));
    }

    #[test]
    fn a_call_frame_is_read_as_it_was_written(
        kind in crate::strategies::call_kind(),
        call in crate::strategies::number(),
        time in crate::strategies::time_left(),
        rest in crate::strategies::body(),
    ) {
        let mut data = Vec::new();
        put_call_frame(&mut data, kind, call, time, &rest);
        let frame = CallFrame { kind, call, time, rest: Bytes::from(rest) };
        prop_assert_eq!(whole(&data), (vec![Frame::Call(frame)], None));
    }

    #[test]
    fn frames_do_not_depend_on_where_the_stream_is_cut(data in crate::strategies::frames()) {
        check_cuts(&data);
    }

    #[test]
    fn arbitrary_bytes_do_not_depend_on_where_the_stream_is_cut(
        data in proptest::collection::vec(prop_oneof![0..0x20_u8, any::<u8>()], 0..200),
    ) {
        check_cuts(&data);
    }

    #[test]
    fn a_flipped_bit_never_panics_and_costs_at_most_its_frames(
        mut data in crate::strategies::frames(),
        at: prop::sample::Index,
    ) {
        prop_assume!(!data.is_empty());
        let bit = at.index(data.len() * 8);
        data[bit / 8] ^= 1 << (bit % 8);
        let (frames, _) = whole(&data);
        prop_assert!(frames.len() <= data.len() / 2);
    }

    #[test]
    fn a_cut_stream_gives_the_frames_that_are_whole(
        data in crate::strategies::frames(),
        at: prop::sample::Index,
    ) {
        prop_assume!(!data.is_empty());
        let (all, _) = whole(&data);
        let (some, error) = whole(&data[..at.index(data.len())]);
        prop_assert_eq!(error, None);
        prop_assert_eq!(&some[..], &all[..some.len()]);
    }
}

fn lane(fill: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut data = Vec::new();
    StreamType::Lane.put(&mut data);
    fill(&mut data);
    data
}

#[test]
fn the_stream_type_comes_first_and_sets_the_limit() {
    let data = lane(|out| put_stamp(out, 5));
    for cut in 0..=data.len() {
        let mut parser = Parser::with_stream_type(STREAM_FRAME_MAX);
        parser.feed(crate::strategies::bytes(&data[..cut]));
        assert_eq!(parser.stream_type(), Ok((cut > 0).then_some(StreamType::Lane)));
        let mut found = parser.next().unwrap();
        parser.feed(crate::strategies::bytes(&data[cut..]));
        if found.is_none() {
            found = parser.next().unwrap();
        }
        assert_eq!(found, Some(Frame::Connection(ConnectionFrame::Stamp { sent_at_us: 5 })));
        assert!(!parser.is_mid_frame());
    }
    let claimed = LANE_FRAME_MAX as u64 + 1;
    let data = lane(|out| varint::put(out, claimed));
    let mut parser = Parser::with_stream_type(STREAM_FRAME_MAX);
    parser.feed(Bytes::from(data));
    assert_eq!(parser.next(), Err(FrameError::TooLong { claimed, limit: LANE_FRAME_MAX }));
}

#[test]
fn an_unknown_stream_type_ends_the_stream() {
    for (data, error) in [
        (vec![4], FrameError::UnknownStreamType(4)),
        (vec![0x43, 0xe8], FrameError::UnknownStreamType(1000)),
        (
            vec![0x40, 0x01],
            FrameError::Length(Malformed::new("an integer not in its shortest form")),
        ),
    ] {
        let mut parser = Parser::with_stream_type(STREAM_FRAME_MAX);
        for byte in data {
            assert_eq!(parser.stream_type(), Ok(None));
            parser.feed(crate::strategies::bytes(&[byte]));
        }
        assert_eq!(parser.stream_type(), Err(error));
        assert_eq!(parser.next(), Err(error));
        assert!(!parser.is_mid_frame());
    }
}

#[test]
fn a_length_that_cannot_be_true_ends_the_stream_at_once() {
    let mut data = Vec::new();
    varint::put(&mut data, 1 << 40);
    assert_eq!(
        whole(&data),
        (vec![], Some(FrameError::TooLong { claimed: 1 << 40, limit: LANE_FRAME_MAX }))
    );
    assert_eq!(whole(&[0]), (vec![], Some(FrameError::Empty)));
    assert_eq!(whole(&[1, 0x08]), (vec![], Some(FrameError::UnknownKind(0x08))));
    // A connection frame has no deadline to leave out.
    assert_eq!(whole(&[2, 0x81, 0]), (vec![], Some(FrameError::UnknownKind(0x81))));
    assert!(matches!(whole(&[0x40, 1, 0x10]), (_, Some(FrameError::Length(_)))));
}

#[test]
fn the_largest_frame_passes_and_one_byte_more_does_not() {
    for (rest, passes) in [(LANE_FRAME_MAX - 3, true), (LANE_FRAME_MAX - 2, false)] {
        let mut data = Vec::new();
        put_call_frame(&mut data, CallKind::Data, 1, TimeLeft::Micros(1), &vec![7; rest]);
        let (frames, error) = whole(&data);
        assert_eq!((frames.len() == 1, error.is_none()), (passes, passes));
    }
}

#[test]
fn a_frame_in_one_chunk_is_a_view_of_it() {
    let mut data = Vec::new();
    put_call_frame(&mut data, CallKind::Request, 1, TimeLeft::Micros(9), b"rest");
    let chunk = Bytes::from(data);
    let end = chunk.as_ptr_range().end;
    let mut parser = Parser::new(LANE_FRAME_MAX);
    parser.feed(chunk);
    let Ok(Some(Frame::Call(frame))) = parser.next() else { panic!("a call frame") };
    assert_eq!(frame.rest.as_ptr_range().end, end);
}

#[test]
fn chunks_fed_before_the_last_was_parsed_are_kept_in_order() {
    let mut data = Vec::new();
    for call in 0..3 {
        put_call_frame(&mut data, CallKind::Cancel, call, TimeLeft::Unbounded, &[1]);
    }
    let mut parser = Parser::new(LANE_FRAME_MAX);
    for byte in &data {
        parser.feed(crate::strategies::bytes(&[*byte]));
    }
    let calls: Vec<u64> = std::iter::from_fn(|| match parser.next() {
        Ok(Some(Frame::Call(frame))) => Some(frame.call),
        _ => None,
    })
    .collect();
    assert_eq!(calls, [0, 1, 2]);
}

#[test]
fn bad_insides_cost_their_call_and_the_next_frame_is_read() {
    let good = |out: &mut Vec<u8>| {
        put_call_frame(out, CallKind::Cancel, 9, TimeLeft::Micros(1), &[1]);
    };
    for (bad, call, kind) in [
        // No call id; half of one; no time; a time not in its shortest form; an END that goes on.
        (&[1, 0x10][..], None, Some(CallKind::Request)),
        (&[2, 0x10, 0x40], None, Some(CallKind::Request)),
        (&[2, 0x11, 5], Some(5), Some(CallKind::Answer)),
        (&[4, 0x13, 5, 0x40, 1], Some(5), Some(CallKind::Data)),
        (&[4, 0x14, 5, 1, 0], Some(5), Some(CallKind::End)),
        // A stamp without its number, a phase that does not exist.
        (&[1, 0x01], None, None),
        (&[2, 0x03, 3], None, None),
    ] {
        let mut data = bad.to_vec();
        good(&mut data);
        let (frames, error) = whole(&data);
        assert_eq!(error, None);
        let [Frame::Bad { call: found, kind: of, .. }, Frame::Call(next)] = &frames[..] else {
            panic!("{bad:?}: {frames:?}");
        };
        assert_eq!((*found, *of, next.call), (call, kind, 9), "{bad:?}");
    }
}

#[test]
fn zero_time_left_is_told_apart_and_cannot_be_written() {
    let (frames, _) = whole(&[3, 0x10, 5, 0]);
    let [Frame::Call(frame)] = &frames[..] else { panic!("{frames:?}") };
    assert_eq!(frame.time, TimeLeft::Zero);
    for time in [TimeLeft::Zero, TimeLeft::Micros(0)] {
        let mut data = Vec::new();
        put_call_frame(&mut data, CallKind::Request, 5, time, &[]);
        assert_eq!(data, [3, 0x10, 5, 1]);
    }
}

#[test]
fn an_unfinished_frame_names_its_time_as_soon_as_it_is_there() {
    let mut data = Vec::new();
    put_call_frame(&mut data, CallKind::Request, 70, TimeLeft::Micros(500_000), &[0; 80]);
    // Length 2, kind 1, call id 2, time 4.
    for cut in 1..data.len() {
        let mut parser = Parser::new(LANE_FRAME_MAX);
        parser.feed(crate::strategies::bytes(&data[..cut]));
        assert_eq!(parser.next(), Ok(None));
        assert!(parser.is_mid_frame());
        assert_eq!(parser.partial_time_left(), (cut >= 9).then_some(500_000), "cut at {cut}");
    }
    let mut data = Vec::new();
    put_call_frame(&mut data, CallKind::Request, 70, TimeLeft::Unbounded, &[0; 80]);
    let mut parser = Parser::new(LANE_FRAME_MAX);
    parser.feed(crate::strategies::bytes(&data[..40]));
    assert_eq!(parser.next(), Ok(None));
    assert_eq!(parser.partial_time_left(), None);
}

#[test]
fn a_frame_written_in_two_steps_is_the_same() {
    let (mut one, mut two) = (Vec::new(), Vec::new());
    put_call_frame(&mut one, CallKind::Answer, 1 << 20, TimeLeft::Micros(77), b"0123456789");
    put_call_frame_start(&mut two, CallKind::Answer, 1 << 20, TimeLeft::Micros(77), 10);
    two.extend_from_slice(b"0123456789");
    assert_eq!(one, two);
}

#[test]
fn a_health_of_no_possible_service_is_not_written() {
    let mut data = Vec::new();
    for service in ["a b", "..", "a/b"] {
        let frame = ConnectionFrame::Health { service: service.into(), serving: false };
        put_connection_frame(&mut data, &frame);
    }
    assert!(data.is_empty());
}
