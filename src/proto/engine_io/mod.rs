//! Engine.IO protocol v4: packets, long-polling payloads and the open handshake to
//! and from bytes, without I/O.
//!
//! Text and data are slices of the input; only base64 allocates. Whether text is
//! UTF-8 is checked for a whole payload by [`PayloadDecoder`]; on a WebSocket it is
//! the frame layer's duty (RFC 6455 §8.1), so [`Packet::decode_text`] does not.
//!
//! # Deviations from engine.io-parser 5.2
//!
//! - Base64 is decoded by the "forgiving" rules of the WHATWG: ASCII white space is
//!   skipped (encoders that break lines), padding may be absent. Node's `Buffer`
//!   skips anything else, too, stops at the first `=` and takes the URL alphabet;
//!   here each of those is [`DecodeError::InvalidBase64`].
//! - A payload that is not UTF-8 is refused; Node's HTTP server puts U+FFFD in.

mod error;
mod handshake;
mod packet;
mod packet_type;
mod payload;
mod protocol_version;
mod session;
mod upgrade;

pub use error::DecodeError;
pub use handshake::Handshake;
pub use packet::{EncodedPacket, Packet};
pub use packet_type::PacketType;
pub use payload::{PayloadDecoder, encode_payload};
pub use protocol_version::ProtocolVersion;
pub use session::{Action, CloseReason, Heartbeat, Schedule, Session};
pub use upgrade::{Upgrade, UpgradeAction};
