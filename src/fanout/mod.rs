//! What is sent, and what waits: frames in front of a connection that cannot take
//! them yet. No sockets and no clock.

mod send_queue;

pub use send_queue::{FrameKind, SendQueue};
