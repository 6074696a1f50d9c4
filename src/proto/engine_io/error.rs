//! Errors of the peer.

use std::error::Error;
use std::fmt;

/// A violation of the protocol by the peer. engine.io reports each of these as `parser error` and
/// closes the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// The packet is empty, or its first byte is not a packet type.
    UnknownPacketType,
    /// A binary packet in text form is not base64.
    InvalidBase64,
    /// A payload is not UTF-8.
    InvalidUtf8,
    /// The data of an open packet is not the handshake's JSON.
    InvalidHandshake,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownPacketType => "unknown packet type",
            Self::InvalidBase64 => "invalid base64",
            Self::InvalidUtf8 => "invalid UTF-8",
            Self::InvalidHandshake => "invalid handshake",
        })
    }
}

impl Error for DecodeError {}
