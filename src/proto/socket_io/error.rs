//! Errors of the peer.

use std::error::Error;
use std::fmt;

/// A violation of the protocol by the peer. The connection should be closed.
///
/// `Display` gives the text of socket.io-parser's error where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// The first byte is no packet type. Holds its value if it is a digit.
    UnknownPacketType(Option<u8>),
    /// The attachment count of a binary packet is missing, zero or not a number.
    IllegalAttachmentCount,
    /// A binary packet announces more attachments than the decoder accepts.
    TooManyAttachments,
    /// The ack id does not fit in 64 bits.
    InvalidAckId,
    /// The payload is not JSON, or not of the shape that the packet type demands.
    InvalidPayload,
    /// A placeholder refers to an attachment that does not exist.
    IllegalAttachments,
    /// A text message arrived instead of an attachment.
    UnexpectedText,
    /// A binary message arrived while no attachment was awaited.
    UnexpectedBinary,
    /// A text message is not UTF-8.
    InvalidUtf8,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownPacketType(Some(digit)) => {
                return write!(f, "unknown packet type {digit}");
            }
            Self::UnknownPacketType(None) => "unknown packet type NaN",
            Self::IllegalAttachmentCount => "Illegal attachments",
            Self::TooManyAttachments => "too many attachments",
            Self::InvalidAckId => "invalid ack id",
            Self::InvalidPayload => "invalid payload",
            Self::IllegalAttachments => "illegal attachments",
            Self::UnexpectedText => "got plaintext data when reconstructing a packet",
            Self::UnexpectedBinary => "got binary data when not reconstructing a packet",
            Self::InvalidUtf8 => "invalid UTF-8",
        })
    }
}

impl Error for DecodeError {}
