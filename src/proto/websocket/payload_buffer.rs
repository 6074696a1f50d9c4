//! Collects a payload that arrives in pieces.

use std::mem;

use bytes::{Buf, Bytes, BytesMut};

/// The least room in bytes for an incomplete payload: one page, so that a header alone cannot make
/// a connection expensive.
const MIN_ROOM: usize = 4096;

/// Payloads up to this length are copied even if they are complete in the input, so that they
/// neither keep the read buffer alive nor make the reader allocate a new one. Measured
/// with one message in each read into a buffer of 64 KiB (x86-64, ns to decode a masked
/// text message; "held": 64 wait before they are dropped, as those for JavaScript do):
///
/// | message | copied | held | split off | held |
/// | --- | --- | --- | --- | --- |
/// | 60 bytes | 66 | 70 | 68 | 208 |
/// | 1,000 bytes | 109 | 129 | 102 | 246 |
/// | 4,000 bytes | 277 | 298 | 219 | 414 |
/// | 16,384 bytes | 1,181 | 1,581 | 808 | 1,184 |
const MAX_COPY: usize = 4096;

/// Collects the pieces of a payload. Holds at most twice the bytes received, and a page; nothing
/// between payloads.
#[derive(Debug, Default)]
pub(super) struct PayloadBuffer {
    bytes: Vec<u8>,
}

impl PayloadBuffer {
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Takes a piece of `length` bytes off `input`. At most `announced` bytes will follow it; `None`
    /// if that is unknown.
    pub(super) fn push(&mut self, input: &mut BytesMut, length: usize, announced: Option<usize>) {
        if length > self.bytes.capacity() - self.bytes.len() {
            // Doubling keeps the copying linear; the announced end cuts the excess.
            let held = self.bytes.len() + length;
            let room = announced.map_or(held, |announced| announced.min(held.max(MIN_ROOM)));
            self.bytes.reserve_exact(length + room);
        }
        self.bytes.extend_from_slice(front(input, length));
        input.advance(length);
    }

    /// Takes the last piece and returns the payload. If it is the only piece, it is split off
    /// instead of copied, unless it is short.
    pub(super) fn finish(&mut self, input: &mut BytesMut, length: usize) -> Bytes {
        if self.bytes.is_empty() && length > MAX_COPY {
            return input.split_to(length).freeze();
        }
        self.push(input, length, Some(0));
        mem::take(&mut self.bytes).into()
    }

    /// Takes the last piece and returns what `read` makes of the payload, which is not copied if it is
    /// the only piece.
    pub(super) fn finish_with<T>(
        &mut self,
        input: &mut BytesMut,
        length: usize,
        read: impl FnOnce(&[u8]) -> T,
    ) -> T {
        if !self.bytes.is_empty() {
            self.push(input, length, Some(0));
            return read(&mem::take(&mut self.bytes));
        }
        let result = read(front(input, length));
        input.advance(length);
        result
    }
}

/// Returns the first `length` bytes of `input`.
pub(super) fn front(input: &[u8], length: usize) -> &[u8] {
    input.get(..length).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::{MAX_COPY, MIN_ROOM, PayloadBuffer};

    fn push(payload: &mut PayloadBuffer, piece: &[u8], announced: Option<usize>) {
        payload.push(&mut piece.into(), piece.len(), announced);
    }

    #[test]
    fn a_long_payload_in_one_piece_is_not_copied() {
        let mut input = BytesMut::from([b'x'; MAX_COPY + 2].as_slice());
        let address = input.as_ptr();
        let payload = PayloadBuffer::default().finish(&mut input, MAX_COPY + 1);
        assert_eq!((payload.as_ptr(), payload.len(), input.len()), (address, MAX_COPY + 1, 1));
    }

    #[test]
    fn a_short_payload_leaves_the_input_unshared() {
        let mut input = BytesMut::from([b'x'; MAX_COPY].as_slice());
        let payload = PayloadBuffer::default().finish(&mut input, MAX_COPY);
        assert_eq!(payload.len(), MAX_COPY);
        assert!(input.try_reclaim(MAX_COPY));
    }

    #[test]
    fn room_is_made_for_no_more_than_has_come_and_a_page() {
        let mut payload = PayloadBuffer::default();
        for _ in 0..10_000 {
            push(&mut payload, b"0123456", Some(usize::MAX / 2));
            assert!(payload.bytes.capacity() <= 2 * payload.len() + MIN_ROOM);
        }
    }

    #[test]
    fn a_payload_of_announced_length_fits_exactly() {
        let mut payload = PayloadBuffer::default();
        for read in 0_usize..100 {
            push(&mut payload, &[0; 1000], Some((99 - read) * 1000));
        }
        assert_eq!(payload.bytes.capacity(), 100_000);
    }

    #[test]
    fn pieces_of_unknown_number_are_copied_a_few_times_only() {
        let mut payload = PayloadBuffer::default();
        let mut growths = 0;
        for _ in 0..100_000 {
            let capacity = payload.bytes.capacity();
            push(&mut payload, b"x", None);
            growths += usize::from(payload.bytes.capacity() != capacity);
        }
        assert!(growths < 20, "{growths}");
    }

    #[test]
    fn nothing_is_held_after_the_end() {
        let mut payload = PayloadBuffer::default();
        push(&mut payload, b"one, ", Some(3));
        assert_eq!(payload.finish(&mut "two".into(), 3), "one, two");
        assert_eq!(payload.bytes.capacity(), 0);
    }
}
