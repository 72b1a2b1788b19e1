//! Decisions from bytes: [`Cursor`], from which generators of structured input draw.
//!
//! A mutation of one byte changes one decision, so that a coverage-guided fuzzer can work on the structure. Behind the end
//! every number is 0: every input is complete.

/// The rest of an input.
pub struct Cursor<'b> {
    bytes: &'b [u8],
}

impl<'b> Cursor<'b> {
    /// Draws from the beginning of `bytes`.
    pub fn new(bytes: &'b [u8]) -> Cursor<'b> {
        Cursor { bytes }
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        *first
    }

    /// The next two bytes.
    pub fn short(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// A number of up to 64 bits, small ones in one byte.
    pub fn number(&mut self) -> u64 {
        match self.byte() {
            0xff => (0..8).fold(0, |number, _| number << 8 | u64::from(self.byte())),
            0xfe => u64::from(self.short()),
            small => u64::from(small),
        }
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        let drawn = if end > 256 { usize::from(self.short()) } else { usize::from(self.byte()) };
        drawn % end.max(1)
    }

    /// `true` for an odd byte.
    pub fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// One of `choices`.
    pub fn choose<'c, T>(&mut self, choices: &'c [T]) -> &'c T {
        &choices[self.below(choices.len())]
    }

    /// The next bytes, with their length in front: one byte, or two after 0xff.
    pub fn bytes(&mut self) -> &'b [u8] {
        let length = match self.byte() {
            0xff => usize::from(self.short()),
            length => usize::from(length),
        };
        let (bytes, rest) = self.bytes.split_at(length.min(self.bytes.len()));
        self.bytes = rest;
        bytes
    }

    /// The same as text.
    pub fn text(&mut self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }
}
