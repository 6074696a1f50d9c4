//! HTTP long-polling: sessions of Engine.IO without a socket of their own.
//!
//! A polling session is a [`ConnectionTask`](super::connection_task::ConnectionTask) like others, with
//! the same commands and events. In the place of a socket it has a [`PollingTransport`], which takes
//! frames from the connection's queue while a request of the client waits for packets, and makes one
//! response of them. Packets of the client arrive as frames, too. So heartbeats, limits, rooms and
//! broadcasts are the same, and an upgrade is no more than another stream: [`Probe`].
//!
//! HTTP connections are the listener's. It finds the session of a request by
//! [`SessionDirectory`], moves the connection to the worker of the session, and waits there for the
//! response: [`Exchange`].
//!
//! All of this runs on the session's worker, except the directory, which is behind a lock.

mod error;
mod exchange;
mod payload;
mod probe;
mod session_directory;
mod transport;

pub use error::PollingError;
pub(super) use exchange::Exchange;
use payload::Payload;
pub(super) use payload::ReceivedPayload;
pub(super) use probe::{Probe, Upgrading};
pub(super) use session_directory::{SessionDirectory, SessionPlace};
pub use transport::PollingOptions;
pub(super) use transport::PollingTransport;
