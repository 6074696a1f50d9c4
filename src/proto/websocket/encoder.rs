//! Encodes frames.
//!
//! Frames of a client are masked, those of a server are not, RFC 6455 §5.1: each function takes the
//! masking key, `None` for a server. The caller draws the keys: RFC 6455 §5.3 demands a new
//! unpredictable one for each frame.

use bytes::{Bytes, BytesMut};

use super::mask::mask as mask_payload;
use super::{FrameHeader, Opcode};

/// Encodes a frame into one buffer, which recipients can share. Where a copy of the payload costs more
/// than a second buffer in `writev`, write [`FrameHeader::encode`] and the payload instead.
///
/// Does not check the payload: control frames carry at most
/// [`MAX_CONTROL_PAYLOAD`](super::MAX_CONTROL_PAYLOAD) bytes.
#[must_use]
pub fn encode_frame(is_fin: bool, opcode: Opcode, payload: &[u8], mask: Option<[u8; 4]>) -> Bytes {
    encode_parts(is_fin, opcode, &[payload], mask)
}

/// Encodes a frame whose payload is in parts.
pub(crate) fn encode_parts(
    is_fin: bool,
    opcode: Opcode,
    parts: &[&[u8]],
    mask: Option<[u8; 4]>,
) -> Bytes {
    let payload_len = parts.iter().map(|part| part.len()).sum::<usize>();
    let whole = FrameHeader::whole(opcode, payload_len as u64);
    let header = FrameHeader { is_fin, mask, ..whole }.encode();
    let mut frame = BytesMut::with_capacity(header.len() + payload_len);
    frame.extend_from_slice(&header);
    parts.iter().for_each(|part| frame.extend_from_slice(part));
    if let Some(key) = mask {
        let _ = mask_payload(frame.get_mut(header.len()..).unwrap_or_default(), key);
    }
    frame.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

    #[test]
    fn the_examples_of_the_specification_are_encoded_to_the_byte() {
        // RFC 6455 §5.7
        assert_eq!(encode_frame(true, Opcode::Text, b"Hello", None), b"\x81\x05Hello".as_slice());
        let masked = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58".as_slice();
        assert_eq!(encode_frame(true, Opcode::Text, b"Hello", Some(KEY)), masked);
        assert_eq!(encode_frame(false, Opcode::Text, b"Hel", None), "\x01\x03Hel");
        assert_eq!(encode_frame(true, Opcode::Continuation, b"lo", None), b"\x80\x02lo".as_slice());
        assert_eq!(encode_frame(true, Opcode::Ping, b"Hello", None), b"\x89\x05Hello".as_slice());
        let masked_pong = b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58".as_slice();
        assert_eq!(encode_frame(true, Opcode::Pong, b"Hello", Some(KEY)), masked_pong);
        let medium = encode_frame(true, Opcode::Binary, &[0; 256], None);
        assert_eq!(medium.get(..4), Some(b"\x82\x7e\x01\x00".as_slice()));
        let long = encode_frame(true, Opcode::Binary, &[0; 65_536], None);
        assert_eq!(long.get(..10), Some(b"\x82\x7f\0\0\0\0\0\x01\0\0".as_slice()));
    }
}
