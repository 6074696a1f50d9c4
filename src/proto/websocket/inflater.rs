//! RFC 7692 §7.2.2: inflates messages.

use std::cell::RefCell;
use std::{fmt, mem};

use bytes::Bytes;
use zlib_rs::{Inflate, InflateFlush, Status};

use super::compression::{CHUNK, TAIL};
use super::{DecodeError, DeflateError};

/// The largest window, which serves all smaller ones, too.
const MAX_WINDOW_BITS: u8 = 15;

thread_local! {
    static SHARED: RefCell<Option<Inflater>> = const { RefCell::new(None) };
}

/// Inflates a message that is there as a whole. One state serves all connections of a thread, as there
/// is no context takeover.
///
/// # Errors
///
/// Those of [`Inflater::push`].
pub(super) fn inflate(compressed: &[u8], max_len: usize) -> Result<Bytes, DecodeError> {
    SHARED.with_borrow_mut(|shared| {
        let inflater = shared.get_or_insert_with(Inflater::default);
        inflater.reset();
        inflater.push(compressed, max_len)?;
        inflater.finish(max_len)
    })
}

/// Inflates one message, whose compressed bytes may come in fragments.
///
/// As with ws, the message is what zlib gives for its bytes and the tail: it may be cut off, and
/// what follows a final block in the same fragment is ignored. The next fragment begins anew then;
/// behind a final block that ends its fragment, the one after the next does.
pub(super) struct Inflater {
    inflate: Inflate,
    chunk: Box<[u8]>,
    output: Vec<u8>,
    /// Compressed bytes up to now.
    taken: usize,
    /// Set after a final block.
    is_ended: bool,
    /// Set if bytes of the fragment followed the final block.
    has_leftover: bool,
}

impl Inflater {
    /// Returns the number of compressed bytes up to now.
    pub(super) const fn taken(&self) -> usize {
        self.taken
    }

    fn reset(&mut self) {
        self.begin();
        self.output = Vec::new();
        self.taken = 0;
    }

    fn begin(&mut self) {
        self.inflate.reset(false);
        (self.is_ended, self.has_leftover) = (false, false);
    }

    /// Inflates the next fragment.
    ///
    /// # Errors
    ///
    /// [`DecodeError::MessageTooLong`], before more than [`CHUNK`] bytes beyond `max_len` are held, and
    /// [`DecodeError::InvalidDeflate`].
    pub(super) fn push(&mut self, fragment: &[u8], max_len: usize) -> Result<(), DecodeError> {
        if self.has_leftover {
            self.begin();
        }
        self.taken += fragment.len();
        self.feed(fragment, max_len)
    }

    fn feed(&mut self, mut compressed: &[u8], max_len: usize) -> Result<(), DecodeError> {
        while !self.is_ended {
            let (taken, filled) = (self.inflate.total_in(), self.inflate.total_out());
            let status =
                self.inflate.decompress(compressed, &mut self.chunk, InflateFlush::SyncFlush);
            let status = status.map_err(|error| {
                let message = self.inflate.error_message().unwrap_or(error.as_str());
                DecodeError::InvalidDeflate(DeflateError::from_message(message))
            })?;
            let filled = (self.inflate.total_out() - filled) as usize;
            let taken = (self.inflate.total_in() - taken) as usize;
            self.output.extend_from_slice(self.chunk.get(..filled).unwrap_or_default());
            if self.output.len() > max_len {
                return Err(DecodeError::MessageTooLong);
            }
            compressed = compressed.get(taken..).unwrap_or_default();
            self.is_ended = status == Status::StreamEnd;
            // All that the input gives has been written once there is room left.
            if filled < CHUNK {
                break;
            }
        }
        self.has_leftover = self.is_ended && !compressed.is_empty();
        Ok(())
    }

    /// Returns the message, after its last fragment.
    ///
    /// # Errors
    ///
    /// Those of [`push`](Self::push).
    pub(super) fn finish(&mut self, max_len: usize) -> Result<Bytes, DecodeError> {
        self.feed(&TAIL, max_len)?;
        Ok(mem::take(&mut self.output).into())
    }
}

impl Default for Inflater {
    fn default() -> Self {
        Self {
            inflate: Inflate::new(false, MAX_WINDOW_BITS),
            chunk: vec![0; CHUNK].into(),
            output: Vec::new(),
            taken: 0,
            is_ended: false,
            has_leftover: false,
        }
    }
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater").field("taken", &self.taken).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::panic, reason = "a test may")]
mod tests {
    use super::*;
    use crate::proto::websocket::{Compression, FrameHeader, Opcode, Role, encode_frame};

    fn text(compressed: &[u8]) -> Result<String, DecodeError> {
        inflate(compressed, usize::MAX).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    #[test]
    fn the_examples_of_the_specification_are_inflated() {
        let hello = Ok("Hello".to_owned());
        // RFC 7692 §7.2.3.1 and §7.2.3.3 to §7.2.3.5
        assert_eq!(text(b"\xf2\x48\xcd\xc9\xc9\x07\x00"), hello);
        assert_eq!(text(b"\x00\x05\x00\xfa\xffHello\x00"), hello);
        assert_eq!(text(b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), hello);
        assert_eq!(text(b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"), hello);
        // §7.2.3.6
        assert_eq!(text(b"\x00"), Ok(String::new()));
    }

    #[test]
    fn nothing_is_an_empty_message_and_a_message_may_be_cut_off_as_in_ws() {
        assert_eq!(text(b""), Ok(String::new()));
        // As Node's zlib says: the tail continues the last character.
        assert_eq!(text(b"\xf2\x48\xcd"), Ok("Heh".to_owned()));
    }

    #[test]
    fn fragments_give_what_the_whole_gives() {
        for whole in [b"\xf2\x48\xcd\xc9\xc9\x07\x00".as_slice(), b"\x00\x05\x00\xfa\xffHello\x00"]
        {
            for cut in 0..=whole.len() {
                let (first, last) = whole.split_at(cut);
                let mut inflater = Inflater::default();
                assert_eq!(inflater.push(first, 5), Ok(()));
                assert_eq!(inflater.push(last, 5), Ok(()));
                assert_eq!(inflater.finish(5), Ok("Hello".into()));
                assert_eq!(inflater.taken(), whole.len());
            }
        }
    }

    #[test]
    fn fragments_behind_a_final_block_are_those_of_ws() {
        // RFC 7692 §7.2.3.4, without the empty block behind it.
        const FINAL: &[u8] = b"\xf3\x48\xcd\xc9\xc9\x07\x00";
        const AGAIN: &[u8] = b"\x4a\x4c\x4f\xcc\xcc\x03\x00";
        let longer = [FINAL, b"\0"].concat();
        for (fragments, message) in [
            ([FINAL, AGAIN, b""], "Hello"),
            ([FINAL, b"\0", AGAIN], "Helloagain"),
            ([FINAL, b"", AGAIN], "Hello"),
            ([&longer, AGAIN, b""], "Helloagain"),
            ([&longer, b"", AGAIN], "Helloagain"),
            ([&longer, &longer, AGAIN], "HelloHelloagain"),
        ] {
            let mut inflater = Inflater::default();
            for fragment in fragments {
                assert_eq!(inflater.push(fragment, 20), Ok(()));
            }
            assert_eq!(inflater.finish(20), Ok(message.into()), "{fragments:?}");
        }
    }

    #[test]
    fn what_is_not_deflate_is_an_error_of_zlib_and_harms_no_other_message() {
        let message = |compressed| match text(compressed) {
            Err(DecodeError::InvalidDeflate(error)) => error.message(),
            other => panic!("{other:?}"),
        };
        assert_eq!(message(b"\x07"), "invalid block type");
        assert_eq!(message(b"\x00\x01\x00\x01\x00"), "invalid stored block lengths");
        assert_eq!(message(b"\x63\x18\x19\x02"), "invalid distance too far back");
        // Where zlib-rs inflates fast.
        let long = [b"\x63\x18\x19\x02".as_slice(), &[0; 40]].concat();
        assert_eq!(message(&long), "invalid distance too far back");
        assert_eq!(text(b"\xf2\x48\xcd\xc9\xc9\x07\x00"), Ok("Hello".to_owned()));
    }

    #[test]
    fn a_bomb_is_refused_before_it_grows() {
        let frame = encode_frame(true, Opcode::Binary, &vec![0; 64 << 20], None);
        let bomb = Compression::default().compress(&frame).unwrap_or_default();
        let (_, header_len) =
            FrameHeader::decode(&bomb, Role::Client, false, true).ok().flatten().expect("a frame");
        let payload = bomb.get(header_len..).unwrap_or_default();
        assert!(payload.len() < 100_000);
        let mut inflater = Inflater::default();
        assert_eq!(inflater.push(payload, 1 << 20), Err(DecodeError::MessageTooLong));
        assert!(inflater.inflate.total_out() <= (1 << 20) + CHUNK as u64);
        assert_eq!(inflate(payload, 64 << 20).map(|message| message.len()), Ok(64 << 20));
    }
}
