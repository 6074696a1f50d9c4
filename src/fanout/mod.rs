//! Fan-out: rooms and the recipients of a broadcast, packets encoded once as frames, and the send
//! queue of a connection. No sockets, no clock, no threads.
//!
//! Rooms and their members have ids, which the application assigns to names. A namespace is the
//! room of all its members, and a member is a connection.

#![forbid(unsafe_code)]

mod frames;
mod latest_key;
mod prepared_packet;
mod recipients;
mod rooms;
mod send_queue;

pub use frames::{Frames, SharedFrames};
pub use latest_key::LatestKey;
pub use prepared_packet::PreparedPacket;
pub use recipients::Recipients;
pub use rooms::Rooms;
pub use send_queue::{FrameKind, SendQueue, Stamp};

/// The id of a room.
pub type RoomId = u32;

/// The id of a connection, as in `net`.
pub type MemberId = u32;
