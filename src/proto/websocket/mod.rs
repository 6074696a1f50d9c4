//! WebSocket frames, RFC 6455, without I/O: bytes in, events out, and frames to bytes.
//!
//! A [`Decoder`] belongs to one connection and takes what was read from it, wherever
//! that is cut. [`encode_frame`] builds frames; [`FrameHeader`] builds a header
//! alone, for a payload that is written beside it. Both work for
//! either [`Role`]: a server sends plain frames and takes masked ones, a client does
//! the reverse. Of the extensions there is permessage-deflate, RFC 7692, without context takeover:
//! a [`Decoder`] that is [`inflating`](Decoder::inflating) takes compressed messages, and
//! [`Compression`] makes them.
//!
//! # Why the decoder is pulled
//!
//! [`Decoder::poll_event`] takes bytes off a `BytesMut` that the caller owns, instead of
//! queueing events inside. A worker thus needs one read buffer for all its connections,
//! an idle connection holds no buffer and no queue, events are moved once, and a caller
//! that stops polling stops decoding. When to copy and when to split off was measured:
//! see `payload_buffer.rs`.
//!
//! # Limits
//!
//! | what a peer may try | what stops it |
//! | --- | --- |
//! | a huge message (CVE-2016-10542) | [`Limits::max_payload`], checked with each header, over all fragments |
//! | a huge length and nothing behind it | memory follows what has come, not what is announced |
//! | endless tiny or empty fragments (CVE-2026-48779, CVE-2026-62389) | [`Limits::max_fragments`] |
//! | a short message that inflates to a huge one | [`Limits::max_payload`] again |
//! | one byte at a time | pieces are joined as they come, in linear time; ws's `maxBufferedChunks` has nothing to count here |
//! | a flood of pings | **the connection**: it answers them, so it must bound the pongs that wait (ws's `maxPendingAutoPongs`) |
//! | a flood of anything else | **the connection**: it stops polling and reading |
//!
//! # Upstream
//!
//! The order of the checks, close codes and error texts are those of ws 8.23. Stricter
//! than ws: a length must be minimally encoded (RFC 6455 §5.2), text is refused at the
//! first byte that cannot be valid (ws waits for the whole message), and fragments are
//! counted when they begin.
//!
//! # Why not a crate
//!
//! Looked at: tungstenite 0.30 and fastwebsockets 0.10 read from a stream themselves and
//! reserve the announced length before it arrives; soketto's `base::Codec` 0.8 and
//! ws-framer 0.4 stop at headers or at fixed buffers, and websocket-codec 0.5 is a tokio
//! codec that checks UTF-8 at the end of a message. Limits, incremental UTF-8, reassembly
//! and close codes, which are most of this module, would have to be built around any of
//! them. UTF-8 itself is simdutf8's.

mod close_code;
mod compression;
mod control;
mod decoder;
mod encoder;
mod error;
mod event;
mod frame;
mod frame_header;
mod inflater;
mod limits;
mod mask;
mod message;
mod opcode;
mod opening_handshake;
mod partial_header;
mod payload_buffer;
mod role;
mod sha1;
mod utf8_validator;

pub use close_code::CloseCode;
pub use compression::{Compression, CompressionStrategy};
pub use decoder::Decoder;
pub use encoder::encode_frame;
#[cfg(all(feature = "cluster", unix))]
pub(crate) use encoder::encode_parts;
pub use error::{DecodeError, DeflateError};
pub use event::Event;
pub use frame_header::{EncodedHeader, FrameHeader, MAX_CONTROL_PAYLOAD, MAX_HEADER_LEN};
pub use limits::Limits;
pub use mask::mask;
pub use opcode::Opcode;
pub use opening_handshake::OpeningHandshake;
pub use role::Role;
