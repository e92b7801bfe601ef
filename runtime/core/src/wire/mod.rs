//! The bytes of protocol version 1: frames, their heads, and the parser that finds them in a
//! stream.
//!
//! # Why
//! Written by hand, because it is the hottest code there is and the first that hostile bytes reach.
//! A plain small call is written and read without allocation; bodies are never copied on the way
//! in. docs/wire.md is the specification, and `tests/vectors/wire-v1.txt` freezes it.
//!
//! ```text
//!   kinds, varint, malformed             numbers
//!   frame, control, settings             what stands between the heads
//!   request, answer, data, trace         heads of call frames
//!   parser                               from chunks of a stream to frames
//! ```
//!
//! # Invariants
//! 1. Every integer is a QUIC varint in its shortest form, or a fixed field in network order.
//! 2. What decodes, encodes to the same bytes again: there is one way to say a thing. (Unknown
//!    settings are the exception: they are passed over.)
//! 3. A count is checked against the bytes that are there before anything is allocated for it.
//! 4. Encoders cannot write what decoders refuse.

pub mod answer;
pub mod control;
pub mod data;
pub mod frame;
pub mod kinds;
mod malformed;
pub mod parser;
pub(crate) mod read;
pub mod request;
pub mod settings;
pub mod trace;
pub mod varint;

pub use answer::{AdmissionCut, AnswerHead, AnswerOutcome, LoadReport, OpenHead, WireStatus};
pub use control::{ConnectionFrame, put_connection_frame, put_stamp};
pub use data::{DataHead, decode_cancel, put_cancel};
pub use frame::{CallFrame, Frame, TimeLeft, put_call_frame, put_call_frame_start};
pub use kinds::{ALPN, CallKind, StreamType};
pub use malformed::{FrameError, Malformed};
pub use parser::Parser;
pub use request::RequestHead;
pub use settings::Settings;
pub use trace::TraceContext;
