//! Takes part in a cluster of nodes that reach each other through Redis, as
//! @socket.io/redis-adapter does, with the broadcasts on threads of their own.
//!
//! ```text
//!  Redis ──► Driver, Inbox ──► Receiver ──┬─► Broadcaster ──► I/O workers
//!    ▲       (link's thread)              └─► Outbox ──► Link ──► JavaScript
//!    └─────── Driver ◄── Command, Publication ◄── Link ◄── JavaScript
//! ```
//!
//! A [`Link`] has a thread of its own with a connection to Redis. A broadcast of another node is
//! decoded there, its rooms are looked up in the [`RoomDirectory`], and it is posted to the
//! workers. JavaScript gets a message only if it must serve it: requests and responses, and
//! broadcasts with a recipient that is not on a worker. With a [`ClientPair`], JavaScript receives
//! the messages by itself, and its thread takes the part of the link's.
//!
//! # Order
//!
//! One lock guards the directory. JavaScript changes it, through a [`DirectoryWriter`], while it
//! posts its commands to the workers; a receiver reads it while it posts broadcasts. So a
//! broadcast reaches the members that its rooms had at one moment of the workers' queues, and ids
//! of rooms and connections mean to the workers what they meant in the lookup. While JavaScript
//! has messages of a namespace that it has not handled, it serves all that follow in that
//! namespace, so that none overtakes another.

mod channel;
mod client_pair;
mod command;
mod connection;
mod directory_writer;
mod driver;
mod health;
mod inbox;
mod link;
mod namespace;
mod outbox;
mod publication;
mod receiver;
mod requests;
mod rest;
mod room_directory;
mod room_name;
mod server;
mod stats;
mod subscriptions;

pub use channel::{Channel, MessageKind};
pub use client_pair::ClientPair;
pub use directory_writer::DirectoryWriter;
pub use link::{Link, LinkOptions};
pub use namespace::{LocalNamespace, NamespaceId};
pub use outbox::{Answer, LinkEvent, State};
pub use publication::{Body, Publication};
pub use receiver::ServedMessage;
pub use room_directory::{Address, LocalRecipients, RoomDirectory};
pub use room_name::RoomName;
pub use server::{InvalidServer, Server, TlsFiles};
pub use stats::LinkStats;
