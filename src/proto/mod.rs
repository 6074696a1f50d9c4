//! Sans-IO codecs.

#![forbid(unsafe_code)]

pub mod cluster;
pub mod engine_io;
pub mod http;
pub mod json_string;
pub mod socket_io;
pub mod websocket;
