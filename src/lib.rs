//! `socket.io-turbo`: the native half of drop-in replacements for parts of a
//! Socket.IO v4 server.
//!
//! - [`proto`]: sans-IO codecs. Bytes in, typed values and bytes out; no sockets,
//!   no clock, no threads, no Node-API.
//! - [`fanout`]: rooms, and who receives a broadcast; packets to frames, and what waits in front
//!   of a connection.
//! - [`cluster`] (feature `cluster`, on Unix): other nodes, through Redis.
//! - [`net`] (feature `net`, on Unix): I/O workers that own connections.
//! - `binding` (feature `binding`, on by default): the Node-API surface that
//!   `lib/` of the npm package calls. It converts arguments and results, and
//!   nothing imports it.
//!
//! ARCHITECTURE.md at the repository's root shows how the two halves meet.

#[cfg(all(feature = "cluster", unix))]
pub mod cluster;
pub mod fanout;
#[cfg(all(feature = "net", unix))]
pub mod net;
pub mod proto;

#[cfg(feature = "binding")]
mod binding;
