//! RFC 7692 §7.2.2: inflates messages.

use std::cell::RefCell;

use bytes::Bytes;
use zlib_rs::{Inflate, InflateFlush, Status};

use super::compression::{CHUNK, TAIL};
use super::{DecodeError, DeflateError};

/// The largest window, which serves all smaller ones, too.
const MAX_WINDOW_BITS: u8 = 15;

thread_local! {
    static INFLATER: RefCell<Option<Inflater>> = const { RefCell::new(None) };
}

/// Inflates a message. One state serves all connections of a thread, as there is no context takeover.
///
/// As with ws, the message is what zlib gives for its bytes and the tail: it may be cut off, and
/// what follows a final block is ignored.
///
/// # Errors
///
/// [`DecodeError::MessageTooLong`], before more than [`CHUNK`] bytes beyond `max_len` are held, and
/// [`DecodeError::InvalidDeflate`].
pub(super) fn inflate(compressed: &[u8], max_len: usize) -> Result<Bytes, DecodeError> {
    INFLATER.with_borrow_mut(|inflater| {
        inflater.get_or_insert_with(Inflater::new).inflate(compressed, max_len)
    })
}

/// The state that inflates the messages of one thread.
struct Inflater {
    inflate: Inflate,
    chunk: Box<[u8]>,
}

impl Inflater {
    fn new() -> Self {
        let inflate = Inflate::new(false, MAX_WINDOW_BITS);
        Self { inflate, chunk: vec![0; CHUNK].into() }
    }

    fn inflate(&mut self, compressed: &[u8], max_len: usize) -> Result<Bytes, DecodeError> {
        self.inflate.reset(false);
        let mut output = Vec::new();
        for mut input in [compressed, &TAIL] {
            loop {
                let (taken, filled) = (self.inflate.total_in(), self.inflate.total_out());
                let status =
                    self.inflate.decompress(input, &mut self.chunk, InflateFlush::SyncFlush);
                let status = status.map_err(|error| {
                    let message = self.inflate.error_message().unwrap_or(error.as_str());
                    DecodeError::InvalidDeflate(DeflateError::from_message(message))
                })?;
                if self.inflate.total_out() > max_len as u64 {
                    return Err(DecodeError::MessageTooLong);
                }
                let filled = (self.inflate.total_out() - filled) as usize;
                let taken = (self.inflate.total_in() - taken) as usize;
                output.extend_from_slice(self.chunk.get(..filled).unwrap_or_default());
                input = input.get(taken..).unwrap_or_default();
                if status == Status::StreamEnd {
                    return Ok(output.into());
                }
                // All that the input gives has been written once there is room left.
                if filled < CHUNK {
                    break;
                }
            }
        }
        Ok(output.into())
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
    fn what_is_not_deflate_is_an_error_of_zlib_and_harms_no_other_message() {
        let message = |compressed| match text(compressed) {
            Err(DecodeError::InvalidDeflate(error)) => error.message(),
            other => panic!("{other:?}"),
        };
        assert_eq!(message(b"\x07"), "invalid block type");
        assert_eq!(message(b"\x00\x01\x00\x01\x00"), "invalid stored block lengths");
        assert_eq!(message(b"\x63\x18\x19\x02"), "invalid distance too far back");
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
        let mut inflater = Inflater::new();
        assert_eq!(inflater.inflate(payload, 1 << 20), Err(DecodeError::MessageTooLong));
        assert!(inflater.inflate.total_out() <= (1 << 20) + CHUNK as u64);
        let whole = inflater.inflate(payload, 64 << 20).map(|message| message.len());
        assert_eq!(whole, Ok(64 << 20));
    }
}
