//! What comes out of a decoder.

use bytes::Bytes;
use bytestring::ByteString;

use super::CloseCode;

/// Something that the peer said, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A text message. Its bytes are valid UTF-8.
    Text(Bytes),
    /// A binary message.
    Binary(Bytes),
    /// A ping, to be answered with a pong of the same payload, at most 125 bytes.
    Ping(Bytes),
    /// A pong, at most 125 bytes.
    Pong(Bytes),
    /// The closing handshake. Nothing comes after it.
    Close {
        /// Why; `None` if the frame does not say, for which JavaScript has 1005.
        code: Option<CloseCode>,
        /// Why, in words; at most 123 bytes, empty without a code.
        reason: ByteString,
    },
}
