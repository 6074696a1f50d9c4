//! LocalNamespaces of a cluster, which reach each other through Redis: what @socket.io/redis-adapter
//! does, with the broadcasts on threads of their own.
//!
//! ```text
//!  Redis ──► Link (thread, redis-rs) ──► Receiver ──┬─► Broadcaster ──► I/O workers
//!    ▲                                              └─► Outbox ──► JavaScript
//!    └─────── Publication ◄── JavaScript
//! ```
//!
//! A broadcast of another node is decoded on the link's thread, its rooms are looked up in the
//! [`RoomDirectory`], and it goes to the workers. The application is given a message only if it has
//! to do something: requests and responses, and broadcasts with a recipient that it serves
//! itself.
//!
//! # Order
//!
//! The directory is changed and read under one lock, under which the workers get their
//! commands, too. So a broadcast reaches who was in its rooms at one moment, and numbers mean
//! to the workers what they meant to the directory. While the application has messages of a
//! namespace that it has not handled, all that follow in that namespace go to it, too: so
//! nothing overtakes.

mod client_pair;
mod directory_writer;
mod driver;
mod inbox;
mod link;
mod outbox;
mod publication;
mod receiver;
mod requests;
mod rest;
mod room_directory;
mod stats;
mod subscriptions;
mod topology;

pub use client_pair::ClientPair;
pub use directory_writer::DirectoryWriter;
pub use link::{Link, LinkOptions};
pub use outbox::{Answer, Outgoing, State};
pub use publication::{Body, Publication};
pub use receiver::LocalNamespace;
pub use room_directory::{Address, NamespaceId, RoomDirectory, RoomName};
pub use stats::LinkStats;
pub use subscriptions::{Channel, Kind};
pub use topology::{InvalidServer, Server, TlsFiles};
