//! RFC 6455 §5.5, "Control Frames": decodes their payloads.

use bytes::{Buf, Bytes};
use bytestring::ByteString;

use super::{CloseCode, DecodeError, Event, Opcode};

/// Decodes the complete payload of a control frame.
pub(super) fn decode_control(opcode: Opcode, payload: Bytes) -> Result<Event, DecodeError> {
    match opcode {
        Opcode::Ping => Ok(Event::Ping(payload)),
        Opcode::Pong => Ok(Event::Pong(payload)),
        _ => decode_close(payload),
    }
}

fn decode_close(mut payload: Bytes) -> Result<Event, DecodeError> {
    // A single byte, RFC 6455 §5.5.1, has been refused with the header.
    let Ok(code) = payload.try_get_u16() else {
        return Ok(Event::Close { code: None, reason: ByteString::new() });
    };
    // RFC 6455 §7.4: not every code may stand in a close frame.
    let code = CloseCode::new(code).ok_or(DecodeError::InvalidCloseCode(code))?;
    // RFC 6455 §5.5.1: the reason is UTF-8.
    let reason = ByteString::try_from(payload).map_err(|_| DecodeError::InvalidUtf8)?;
    Ok(Event::Close { code: Some(code), reason })
}
