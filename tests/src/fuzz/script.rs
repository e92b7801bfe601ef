//! An input as what a program does: each choice takes a byte or a few, and after the last byte all choices are zero.

/// What is left of an input.
pub(super) struct Script<'a>(pub(super) &'a [u8]);

impl<'a> Script<'a> {
    /// Whether nothing is left.
    pub(super) fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((&byte, rest)) => {
                self.0 = rest;
                byte
            }
            None => 0,
        }
    }

    /// A number whose size is spread evenly over powers of two up to 2^62.
    pub(super) fn number(&mut self) -> u64 {
        let byte = self.byte();
        let low = u64::from(byte & 0x7);
        (1_u64 << (byte >> 3).saturating_mul(2).min(61)) - 1 + low
    }

    /// A number below 64, mostly a small one.
    pub(super) fn small(&mut self) -> u64 {
        u64::from(self.byte() & 0x3f)
    }

    /// As many bytes as the next byte says, if there are so many.
    pub(super) fn bytes(&mut self) -> &'a [u8] {
        let len = usize::from(self.byte()).min(self.0.len());
        let (bytes, rest) = self.0.split_at(len);
        self.0 = rest;
        bytes
    }
}
