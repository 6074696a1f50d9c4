//! Errors of decoding and encoding.

use std::error::Error;
use std::fmt;

/// The reason to refuse a received message. The caller should drop and count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// The message ends within a value, or announces more than it holds.
    Truncated,
    /// Bytes follow the value.
    TrailingBytes,
    /// The byte 0xc1, which MessagePack never uses.
    ReservedByte,
    /// Arrays and maps are nested more than [`MAX_DEPTH`](super::MAX_DEPTH) deep.
    TooDeep,
    /// The message has 4 GiB or more.
    TooLong,
    /// The key of a map is an array, a map, a date, an ArrayBuffer or an extension.
    UnsupportedKey,
    /// The message is not an envelope of its protocol.
    InvalidEnvelope,
    /// The packet is not a map, or neither an EVENT nor an ACK.
    InvalidPacketType,
    /// The packet's `nsp` is not the name of a namespace.
    InvalidNamespace,
    /// The packet's `id` is not an integer of 0 to 2⁵³ − 1.
    InvalidAckId,
    /// The packet's `data` does not fit its type.
    InvalidPayload,
    /// The options cannot have properties, or their `rooms` or `except` are not a list.
    InvalidOptions,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "truncated message",
            Self::TrailingBytes => "trailing bytes",
            Self::ReservedByte => "reserved byte 0xc1",
            Self::TooDeep => "nested too deeply",
            Self::TooLong => "message too long",
            Self::UnsupportedKey => "unsupported key of a map",
            Self::InvalidEnvelope => "invalid envelope",
            Self::InvalidPacketType => "invalid packet type",
            Self::InvalidNamespace => "invalid namespace",
            Self::InvalidAckId => "invalid ack id",
            Self::InvalidPayload => "invalid payload",
            Self::InvalidOptions => "invalid options",
        })
    }
}

impl Error for DecodeError {}

/// The reason why a message could not be encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodeError {
    /// The text of a packet or an attachment has 4 GiB or more.
    TooLong,
    /// An attachment has no placeholder.
    IllegalAttachments,
    /// The text is not JSON.
    InvalidJson,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "message too long",
            Self::IllegalAttachments => "illegal attachments",
            Self::InvalidJson => "invalid JSON",
        })
    }
}

impl Error for EncodeError {}
