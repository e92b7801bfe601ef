//! scratch
use sinew_core::wire::Parser;
use bytes::Bytes;
#[test]
fn scratch_p() {
    let mut p = Parser::with_stream_type(70000);
    p.feed(Bytes::from_static(&[0, 0x41]));
    eprintln!("{:?}", p.stream_type());
    eprintln!("{:?}", p.next());
    p.feed(Bytes::from_static(&[9]));
    eprintln!("{:?}", p.next());
    let mut p = Parser::with_stream_type(70000);
    p.feed(Bytes::from_static(&[0x41]));
    eprintln!("{:?}", p.stream_type());
    p.feed(Bytes::from_static(&[9]));
    eprintln!("{:?}", p.stream_type());
}
