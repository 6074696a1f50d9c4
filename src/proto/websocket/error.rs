//! Errors of the peer.

use std::error::Error;
use std::fmt;

use super::CloseCode;

/// A violation of the protocol, or of a limit, by the peer. The connection should be closed with
/// [`close_code`](Self::close_code).
///
/// `Display` gives the text of ws's error where it has one; of these, ws makes
/// [`InvalidUtf8`](Self::InvalidUtf8) and [`InvalidDeflate`](Self::InvalidDeflate) an `Error` and all
/// others a `RangeError`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// RSV2 or RSV3 is set.
    UnexpectedRsv23,
    /// RSV1 is set.
    UnexpectedRsv1,
    /// The opcode is reserved, or unexpected: a continuation without a message, or a new message
    /// within another.
    InvalidOpcode(u8),
    /// A control frame is fragmented.
    ExpectedFin,
    /// The payload of a control frame has more than 125 bytes, or that of a close frame a single
    /// one. Holds the seven length bits.
    InvalidControlPayloadLength(u8),
    /// A client's frame is not masked.
    ExpectedMask,
    /// A server's frame is masked.
    UnexpectedMask,
    /// The length is encoded in more bytes than necessary.
    NonMinimalLength,
    /// The length exceeds 2⁵³ − 1, the largest safe integer of JavaScript, hence of ws.
    UnsupportedPayloadLength,
    /// A limit: the message is longer than `max_payload`.
    MessageTooLong,
    /// A limit: the message has more fragments than `max_fragments`.
    TooManyFragments,
    /// A text message or a close reason is not UTF-8.
    InvalidUtf8,
    /// A compressed message is not deflate data.
    InvalidDeflate(DeflateError),
    /// The status code of a close frame is reserved.
    InvalidCloseCode(u16),
}

/// The messages of zlib's errors about raw deflate data, and the last for any other.
const DEFLATE_MESSAGES: [&str; 12] = [
    "invalid block type",
    "invalid stored block lengths",
    "too many length or distance symbols",
    "invalid code lengths set",
    "invalid bit length repeat",
    "invalid code -- missing end-of-block",
    "invalid literal/lengths set",
    "invalid distances set",
    "invalid literal/length code",
    "invalid distance code",
    TOO_FAR_BACK,
    "data error",
];

const TOO_FAR_BACK: &str = "invalid distance too far back";

/// zlib's error about deflate data: in one byte, as each decoder has room for its error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeflateError(u8);

impl DeflateError {
    /// Returns the error with this message of zlib.
    pub(super) fn from_message(message: &str) -> Self {
        let last = DEFLATE_MESSAGES.len() - 1;
        // zlib-rs 0.6 loses the message of three errors where it inflates fast. This is nearly always
        // the one: 2,212 times of 2,216 in messages with three wrong bytes.
        let message =
            if message == "repeated call with bad state" { TOO_FAR_BACK } else { message };
        let known = DEFLATE_MESSAGES.iter().position(|known| *known == message);
        Self(known.unwrap_or(last) as u8)
    }

    /// Returns the message of zlib.
    #[must_use]
    pub fn message(self) -> &'static str {
        DEFLATE_MESSAGES.get(usize::from(self.0)).copied().unwrap_or_default()
    }
}

impl DecodeError {
    /// Returns the status code to close the connection with, as ws does.
    #[must_use]
    pub const fn close_code(self) -> CloseCode {
        match self {
            Self::InvalidUtf8 | Self::InvalidDeflate(_) => CloseCode::INVALID_PAYLOAD,
            Self::TooManyFragments => CloseCode::POLICY_VIOLATION,
            Self::UnsupportedPayloadLength | Self::MessageTooLong => CloseCode::MESSAGE_TOO_BIG,
            _ => CloseCode::PROTOCOL_ERROR,
        }
    }

    /// Returns the `code` of ws's error, or `None` for a rule that ws does not check.
    #[must_use]
    pub const fn ws_code(self) -> Option<&'static str> {
        Some(match self {
            Self::UnexpectedRsv23 => "WS_ERR_UNEXPECTED_RSV_2_3",
            Self::UnexpectedRsv1 => "WS_ERR_UNEXPECTED_RSV_1",
            Self::InvalidOpcode(_) => "WS_ERR_INVALID_OPCODE",
            Self::ExpectedFin => "WS_ERR_EXPECTED_FIN",
            Self::InvalidControlPayloadLength(_) => "WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH",
            Self::ExpectedMask => "WS_ERR_EXPECTED_MASK",
            Self::UnexpectedMask => "WS_ERR_UNEXPECTED_MASK",
            Self::NonMinimalLength => return None,
            Self::UnsupportedPayloadLength => "WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH",
            Self::MessageTooLong => "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH",
            Self::TooManyFragments => "WS_ERR_TOO_MANY_BUFFERED_PARTS",
            Self::InvalidUtf8 => "WS_ERR_INVALID_UTF8",
            Self::InvalidDeflate(_) => "Z_DATA_ERROR",
            Self::InvalidCloseCode(_) => "WS_ERR_INVALID_CLOSE_CODE",
        })
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self {
            Self::UnsupportedPayloadLength => {
                return f.write_str("Unsupported WebSocket frame: payload length > 2^53 - 1");
            }
            Self::MessageTooLong => return f.write_str("Max payload size exceeded"),
            Self::TooManyFragments => return f.write_str("Too many message fragments"),
            Self::InvalidDeflate(error) => return f.write_str(error.message()),
            Self::InvalidOpcode(bits) => {
                return write!(f, "Invalid WebSocket frame: invalid opcode {bits}");
            }
            Self::InvalidControlPayloadLength(length) => {
                return write!(f, "Invalid WebSocket frame: invalid payload length {length}");
            }
            Self::InvalidCloseCode(code) => {
                return write!(f, "Invalid WebSocket frame: invalid status code {code}");
            }
            Self::UnexpectedRsv23 => "RSV2 and RSV3 must be clear",
            Self::UnexpectedRsv1 => "RSV1 must be clear",
            Self::ExpectedFin => "FIN must be set",
            Self::ExpectedMask => "MASK must be set",
            Self::UnexpectedMask => "MASK must be clear",
            Self::NonMinimalLength => "payload length must be minimally encoded",
            Self::InvalidUtf8 => "invalid UTF-8 sequence",
        };
        write!(f, "Invalid WebSocket frame: {what}")
    }
}

impl Error for DecodeError {}

#[cfg(test)]
mod tests {
    use super::{DecodeError, DeflateError};

    /// Returns the close code, `code` and `message` that a user of ws sees.
    fn seen(error: DecodeError) -> (u16, Option<&'static str>, String) {
        (error.close_code().value(), error.ws_code(), error.to_string())
    }

    #[test]
    fn errors_are_those_of_ws() {
        // ws 8.23, lib/receiver.js
        let expected = [
            (
                DecodeError::InvalidOpcode(3),
                1002,
                "WS_ERR_INVALID_OPCODE",
                "Invalid WebSocket frame: invalid opcode 3",
            ),
            (
                DecodeError::ExpectedMask,
                1002,
                "WS_ERR_EXPECTED_MASK",
                "Invalid WebSocket frame: MASK must be set",
            ),
            (
                DecodeError::InvalidUtf8,
                1007,
                "WS_ERR_INVALID_UTF8",
                "Invalid WebSocket frame: invalid UTF-8 sequence",
            ),
            (
                DecodeError::MessageTooLong,
                1009,
                "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH",
                "Max payload size exceeded",
            ),
            (
                DecodeError::UnsupportedPayloadLength,
                1009,
                "WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH",
                "Unsupported WebSocket frame: payload length > 2^53 - 1",
            ),
            (
                DecodeError::TooManyFragments,
                1008,
                "WS_ERR_TOO_MANY_BUFFERED_PARTS",
                "Too many message fragments",
            ),
            (
                DecodeError::InvalidDeflate(DeflateError::from_message("invalid block type")),
                1007,
                "Z_DATA_ERROR",
                "invalid block type",
            ),
            (
                DecodeError::InvalidCloseCode(1005),
                1002,
                "WS_ERR_INVALID_CLOSE_CODE",
                "Invalid WebSocket frame: invalid status code 1005",
            ),
        ];
        for (error, close_code, code, message) in expected {
            assert_eq!(seen(error), (close_code, Some(code), message.to_owned()));
        }
    }

    #[test]
    fn what_ws_does_not_check_has_no_code_of_ws() {
        let (close_code, code, _) = seen(DecodeError::NonMinimalLength);
        assert_eq!((close_code, code), (1002, None));
    }
}
