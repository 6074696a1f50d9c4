//! Reads bytes from the front of a message.

use std::ops::Range;

use crate::proto::cluster::error::DecodeError;

/// The position of a string or binary data in its message, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub start: u32,
    pub len: u32,
}

impl Span {
    /// Returns the span as a range.
    pub(crate) const fn range(self) -> Range<usize> {
        let start = self.start as usize;
        start..start + self.len as usize
    }
}

/// Reads a message from its start to its end. Every length is compared with what is left before it
/// is used.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    position: u32,
}

impl<'a> Reader<'a> {
    /// Returns a reader at the start of a message.
    ///
    /// # Errors
    ///
    /// [`DecodeError::TooLong`] if positions would not fit in 32 bits.
    pub(crate) fn new(message: &'a [u8]) -> Result<Self, DecodeError> {
        match u32::try_from(message.len()) {
            Ok(_) => Ok(Self { rest: message, position: 0 }),
            Err(_) => Err(DecodeError::TooLong),
        }
    }

    /// Returns how many bytes are left.
    pub(crate) fn remaining(&self) -> u64 {
        self.rest.len() as u64
    }

    /// Reads the next `N` bytes, such as a big-endian number.
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (&bytes, rest) = self.rest.split_first_chunk().ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        self.position += N as u32;
        Ok(bytes)
    }

    /// Reads the next byte.
    pub(crate) fn byte(&mut self) -> Result<u8, DecodeError> {
        self.array().map(|[byte]| byte)
    }

    /// Skips the next `len` bytes and returns their position.
    pub(crate) fn span(&mut self, len: u32) -> Result<Span, DecodeError> {
        let rest = self.rest.get(len as usize..).ok_or(DecodeError::Truncated)?;
        let span = Span { start: self.position, len };
        self.rest = rest;
        self.position += len;
        Ok(span)
    }
}

#[cfg(test)]
mod tests {
    use super::{DecodeError, Reader, Span};

    #[test]
    fn a_reader_returns_the_bytes_in_order() -> Result<(), DecodeError> {
        let mut reader = Reader::new(b"abcdef")?;
        assert_eq!(reader.byte(), Ok(b'a'));
        assert_eq!(reader.array(), Ok(*b"bc"));
        assert_eq!(reader.span(2), Ok(Span { start: 3, len: 2 }));
        assert_eq!(reader.remaining(), 1);
        Ok(())
    }

    #[test]
    fn reading_beyond_the_end_is_refused() -> Result<(), DecodeError> {
        let mut reader = Reader::new(b"ab")?;
        assert_eq!(reader.array::<3>(), Err(DecodeError::Truncated));
        assert_eq!(reader.span(u32::MAX), Err(DecodeError::Truncated));
        assert_eq!(reader.remaining(), 2);
        Ok(())
    }
}
