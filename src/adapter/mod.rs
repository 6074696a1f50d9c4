//! Who receives a broadcast: the rooms, and what a broadcast says of its recipients.
//!
//! Numbers, not names: a namespace is the room of all its members, and who names the
//! rooms gives them their numbers. A member is a connection. No frames and no sockets.

#![forbid(unsafe_code)]

mod recipients;
mod rooms;

pub use recipients::Recipients;
pub use rooms::Rooms;

/// A room, by its number.
pub type RoomId = u32;

/// A connection, by its number; that of [`crate::net`].
pub type MemberId = u32;
