//! Incremental validation of UTF-8.

use std::str;

use simdutf8::compat;

use super::DecodeError;

/// Validates a text that arrives in pieces, however it is cut, and fails at the first byte that no
/// continuation could make valid (Autobahn 6.4). Keeps only the start of an incomplete character.
#[derive(Debug, Default)]
pub(super) struct Utf8Validator {
    /// An incomplete character, in the first `pending` bytes.
    start: [u8; 4],
    pending: u8,
}

impl Utf8Validator {
    /// Validates the next piece.
    pub(super) fn handle_text(&mut self, text: &[u8]) -> Result<(), DecodeError> {
        let rest = self.complete(text)?;
        // simdutf8 rather than std: the measurement is in `socket_io/utf8.rs`.
        let Err(error) = compat::from_utf8(rest) else { return Ok(()) };
        // RFC 6455 §8.1: fail the connection upon text that is not UTF-8.
        if error.error_len().is_some() {
            return Err(DecodeError::InvalidUtf8);
        }
        self.keep(rest.get(error.valid_up_to()..).unwrap_or_default());
        Ok(())
    }

    /// Checks that the text does not end within a character.
    pub(super) fn finish(&self) -> Result<(), DecodeError> {
        // RFC 6455 §5.6: the whole message is valid UTF-8, a fragment need not be.
        if self.pending == 0 { Ok(()) } else { Err(DecodeError::InvalidUtf8) }
    }

    /// Completes the pending character. Returns what follows it.
    fn complete<'a>(&mut self, mut text: &'a [u8]) -> Result<&'a [u8], DecodeError> {
        while let (1.., Some((&byte, rest))) = (self.pending, text.split_first()) {
            text = rest;
            self.complete_with(byte)?;
        }
        Ok(text)
    }

    fn complete_with(&mut self, byte: u8) -> Result<(), DecodeError> {
        let pending = usize::from(self.pending);
        if let Some(next) = self.start.get_mut(pending) {
            *next = byte;
        }
        let character = self.start.get(..=pending).unwrap_or_default();
        match str::from_utf8(character) {
            Ok(_) => self.pending = 0,
            Err(error) if error.error_len().is_none() => self.pending += 1,
            Err(_) => return Err(DecodeError::InvalidUtf8),
        }
        Ok(())
    }

    fn keep(&mut self, start: &[u8]) {
        self.start.iter_mut().zip(start).for_each(|(kept, &byte)| *kept = byte);
        self.pending = start.len() as u8;
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::Utf8Validator;

    fn is_valid(pieces: &[&[u8]]) -> bool {
        let mut validator = Utf8Validator::default();
        pieces.iter().all(|piece| validator.handle_text(piece).is_ok())
            && validator.finish().is_ok()
    }

    /// Bytes out of which UTF-8 and its mistakes are made.
    fn byte() -> impl Strategy<Value = u8> {
        prop_oneof![
            Just(b'a'),
            prop::sample::select(
                b"\x80\x8f\x90\x9f\xa0\xbf\xc0\xc2\xe0\xed\xef\xf0\xf4\xf5".as_slice()
            ),
            any::<u8>(),
        ]
    }

    fn text() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![vec(byte(), 0..12), any::<String>().prop_map(String::into_bytes)]
    }

    proptest! {
        #[test]
        fn a_text_is_judged_as_by_std_wherever_it_is_cut(text in text()) {
            let expected = std::str::from_utf8(&text).is_ok();
            for cut in 0..=text.len() {
                let (head, tail) = text.split_at(cut);
                prop_assert_eq!(is_valid(&[head, tail]), expected);
            }
            let bytes: Vec<_> = text.chunks(1).collect();
            prop_assert_eq!(is_valid(&bytes), expected);
        }

        #[test]
        fn a_text_fails_at_the_first_byte_that_cannot_be_valid(text in text()) {
            let mut validator = Utf8Validator::default();
            let failed = text.chunks(1).position(|byte| validator.handle_text(byte).is_err());
            let hopeless = (1..=text.len()).find(|&end| {
                std::str::from_utf8(&text[..end]).is_err_and(|error| error.error_len().is_some())
            });
            prop_assert_eq!(failed.map(|index| index + 1), hopeless);
        }
    }
}
