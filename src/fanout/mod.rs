//! Who receives a broadcast, and what is sent: rooms and recipients, packets to frames, and frames
//! in front of a connection that cannot take them yet. No sockets and no clock.
//!
//! Numbers, not names: a namespace is the room of all its members, and who names the
//! rooms gives them their numbers. A member is a connection.

#![forbid(unsafe_code)]

mod prepared_packet;
mod recipients;
mod rooms;
mod send_queue;

pub use prepared_packet::PreparedPacket;
pub use recipients::Recipients;
pub use rooms::Rooms;
pub use send_queue::{FrameKind, SendQueue};

/// A room, by its number.
pub type RoomId = u32;

/// A connection, by its number; that of [`crate::net`].
pub type MemberId = u32;
