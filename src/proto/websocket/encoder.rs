//! Frames to bytes.
//!
//! A server's frames are not masked and a client's are, RFC 6455 §5.1; so each
//! function takes the masking key, `None` for a server. The caller draws the keys:
//! RFC 6455 §5.3 wants a new unpredictable one for each frame.

use bytes::{Bytes, BytesMut};

use super::mask::mask as mask_payload;
use super::{CloseCode, EncodeError, FrameHeader, MAX_CONTROL_PAYLOAD, Opcode};

/// The most bytes that a close reason has: a control frame's payload after the code.
const MAX_REASON: usize = MAX_CONTROL_PAYLOAD - 2;

/// A whole frame in one buffer, which is what to share between recipients. Where a
/// copy of the payload costs more than a second buffer in `writev`, write
/// [`FrameHeader::encode`] and the payload instead.
///
/// Any frame that RFC 6455 §5.2 can express: whether a control frame is one that a
/// peer accepts is checked by [`encode_ping`], [`encode_pong`] and [`encode_close`].
#[must_use]
pub fn encode_frame(is_fin: bool, opcode: Opcode, payload: &[u8], mask: Option<[u8; 4]>) -> Bytes {
    encode_parts(is_fin, opcode, &[payload], mask)
}

/// A ping.
///
/// # Errors
///
/// [`EncodeError::ControlPayloadTooLong`] above 125 bytes.
pub fn encode_ping(payload: &[u8], mask: Option<[u8; 4]>) -> Result<Bytes, EncodeError> {
    encode_control(Opcode::Ping, payload, mask)
}

/// A pong. The answer to a ping carries the ping's payload, RFC 6455 §5.5.3.
///
/// # Errors
///
/// [`EncodeError::ControlPayloadTooLong`] above 125 bytes.
pub fn encode_pong(payload: &[u8], mask: Option<[u8; 4]>) -> Result<Bytes, EncodeError> {
    encode_control(Opcode::Pong, payload, mask)
}

/// A close frame that gives a code and a reason, which may be empty. One that gives
/// neither is `encode_frame(true, Opcode::Close, b"", mask)`.
///
/// # Errors
///
/// [`EncodeError::ReasonTooLong`] above 123 bytes; nothing is cut off.
pub fn encode_close(
    code: CloseCode,
    reason: &str,
    mask: Option<[u8; 4]>,
) -> Result<Bytes, EncodeError> {
    // RFC 6455 §5.5: control frames carry at most 125 bytes.
    if reason.len() > MAX_REASON {
        return Err(EncodeError::ReasonTooLong);
    }
    let code = code.value().to_be_bytes();
    Ok(encode_parts(true, Opcode::Close, &[&code, reason.as_bytes()], mask))
}

fn encode_control(
    opcode: Opcode,
    payload: &[u8],
    mask: Option<[u8; 4]>,
) -> Result<Bytes, EncodeError> {
    // RFC 6455 §5.5: control frames carry at most 125 bytes.
    if payload.len() > MAX_CONTROL_PAYLOAD {
        return Err(EncodeError::ControlPayloadTooLong);
    }
    Ok(encode_frame(true, opcode, payload, mask))
}

/// [`encode_frame`] of a payload in parts.
pub(crate) fn encode_parts(
    is_fin: bool,
    opcode: Opcode,
    parts: &[&[u8]],
    mask: Option<[u8; 4]>,
) -> Bytes {
    let payload_len = parts.iter().map(|part| part.len()).sum::<usize>();
    let header = FrameHeader { is_fin, opcode, mask, payload_len: payload_len as u64 }.encode();
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
        assert_eq!(encode_ping(b"Hello", None), Ok(b"\x89\x05Hello".as_slice().into()));
        let masked_pong = b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58".as_slice();
        assert_eq!(encode_pong(b"Hello", Some(KEY)), Ok(masked_pong.into()));
        let medium = encode_frame(true, Opcode::Binary, &[0; 256], None);
        assert_eq!(medium.get(..4), Some(b"\x82\x7e\x01\x00".as_slice()));
        let long = encode_frame(true, Opcode::Binary, &[0; 65_536], None);
        assert_eq!(long.get(..10), Some(b"\x82\x7f\0\0\0\0\0\x01\0\0".as_slice()));
    }

    #[test]
    fn a_close_frame_holds_its_code_and_reason() {
        let frame = encode_close(CloseCode::NORMAL, "bye", None);
        assert_eq!(frame, Ok(b"\x88\x05\x03\xe8bye".as_slice().into()));
    }

    #[test]
    fn a_reason_of_more_than_123_bytes_is_refused() {
        assert!(encode_close(CloseCode::NORMAL, &"x".repeat(123), None).is_ok());
        let refused = encode_close(CloseCode::NORMAL, &"é".repeat(62), None);
        assert_eq!(refused, Err(EncodeError::ReasonTooLong));
    }

    #[test]
    fn a_ping_of_more_than_125_bytes_is_refused() {
        assert!(encode_ping(&[0; 125], None).is_ok());
        assert_eq!(encode_ping(&[0; 126], None), Err(EncodeError::ControlPayloadTooLong));
        assert_eq!(encode_pong(&[0; 126], None), Err(EncodeError::ControlPayloadTooLong));
    }
}
