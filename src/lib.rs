//! `socket.io-turbo`: the native half of drop-in replacements for parts of a
//! Socket.IO v4 server.
//!
//! - [`proto`]: sans-IO codecs. Bytes in, typed values and bytes out; no sockets,
//!   no clock, no threads, no Node-API.
//! - [`fanout`]: rooms and the recipients of a broadcast, packets as frames, and the send queue of
//!   a connection. No sockets, no clock.
//! - [`net`] (feature `net`, on Unix): I/O workers that own connections.
//! - [`cluster`] (feature `cluster`, on Unix): other nodes, through Redis.
//! - [`environment`] (feature `net`, on Unix): the workers, connections and rooms of one
//!   JavaScript environment.
//! - `binding` (feature `binding`, on by default): the Node-API surface that
//!   `lib/` of the npm package calls. It converts arguments and results, and
//!   nothing imports it.
//!
//! Each module imports only those above it.
//!
//! ARCHITECTURE.md at the repository's root shows how the two halves meet.

#[cfg(all(feature = "cluster", unix))]
pub mod cluster;
#[cfg(all(feature = "net", unix))]
pub mod environment;
pub mod fanout;
#[cfg(all(feature = "net", unix))]
pub mod net;
pub mod proto;

#[cfg(feature = "binding")]
mod binding;
