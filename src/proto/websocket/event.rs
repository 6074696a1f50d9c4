//! Events of a connection.

use bytes::Bytes;
use bytestring::ByteString;

use super::CloseCode;

/// A complete message or control frame of the peer.
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
    /// The closing handshake. No event follows it.
    Close {
        /// The status code; `None` if the frame has none, which JavaScript shows as 1005.
        code: Option<CloseCode>,
        /// The reason: at most 123 bytes, empty without a status code.
        reason: ByteString,
    },
}
