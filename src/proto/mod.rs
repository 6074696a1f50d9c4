//! Sans-IO codecs.

#![forbid(unsafe_code)]

pub mod engine_io;
pub mod json_string;
pub mod notepack;
pub mod socket_io;
pub mod websocket;
