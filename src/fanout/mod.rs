//! What is sent, and what waits: packets to frames, and frames in front of a connection
//! that cannot take them yet. No sockets and no clock.

mod prepared_packet;
mod send_queue;

pub use prepared_packet::PreparedPacket;
pub use send_queue::{FrameKind, SendQueue};
