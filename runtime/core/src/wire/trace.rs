//! The trace context of a call, as W3C defines it, in binary.

/// Which trace a call belongs to and which span it was made in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceContext {
    /// The trace, random.
    pub trace_id: [u8; 16],
    /// The caller's span.
    pub span_id: [u8; 8],
    /// W3C trace flags; bit 0: sampled.
    pub flags: u8,
}

impl TraceContext {
    /// Bytes on the wire.
    pub const LEN: usize = 25;
}
