//! Socket.IO protocol v5: packets to and from bytes, without I/O.
//!
//! A [`Decoder`] takes the messages of one connection in order and yields a
//! [`Packet`] as soon as it is complete; [`Packet::encode`] is the way back.
//! Nothing of the input is copied: namespace, payload and attachments are slices
//! of the messages that were handed in. Every check runs in linear time and none
//! recurses, so neither the size nor the nesting of an input can hurt.
//!
//! # Upstream
//!
//! The rules and the error texts are those of socket.io-parser 4.2.7, with its
//! tolerance where clients may depend on it:
//!
//! - every packet type may come without payload: `2` is an EVENT without data;
//! - the empty text is a CONNECT to `/`;
//! - a namespace may lack its comma where nothing follows it: `0/admin`.
//!
//! # Deviations
//!
//! Where socket.io-parser is lax only through JavaScript's coercions, this codec
//! refuses. No known client sends any of these:
//!
//! | input | socket.io-parser | here |
//! | --- | --- | --- |
//! | packet type is white space: `" "` | CONNECT | `unknown packet type NaN` |
//! | attachment count is not decimal digits: `51e0-`, `50x1-`, `5+1-`, `5 1-` | `Number()` of it | `Illegal attachments` |
//! | attachment count of more than 308 digits | `Illegal attachments` (infinite) | `too many attachments` |
//! | white space before or within the ack id or before the payload: `2 ["a"]`, `21 ["a"]` | a digit 0, or id `NaN` | `invalid payload` |
//! | ack id above 2⁶⁴ − 1 | rounded, or infinite | `invalid ack id` |
//! | `num` of a placeholder is not decimal digits: `0.0`, `0.5`, `1e0`, `-0` | the attachment, or `undefined` | `illegal attachments` |
//! | a bad placeholder inside a placeholder, or under a key that a later duplicate replaces | never seen | `illegal attachments` |
//! | invalid UTF-8 | (JavaScript strings have none) | `invalid UTF-8` |
//!
//! The packet type stays as it was on the wire: socket.io-parser turns
//! BINARY_EVENT and BINARY_ACK into EVENT and ACK once complete.

mod decoder;
mod encoder;
mod error;
#[cfg(all(feature = "net", unix))]
mod event_head;
mod header;
mod namespace;
mod packet;
mod packet_type;
mod parts;
mod payload;
mod placeholder;
mod string_literal;
mod utf8;

pub use decoder::{DEFAULT_MAX_ATTACHMENTS, Decoder};
pub use error::DecodeError;
#[cfg(all(feature = "net", unix))]
pub(crate) use event_head::EventHead;
pub use namespace::Namespace;
pub use packet::Packet;
pub use packet_type::PacketType;
pub use parts::PacketParts;
pub use payload::Payload;
pub use placeholder::{Placeholder, Placeholders};
pub(super) use string_literal::StringLiteral;
