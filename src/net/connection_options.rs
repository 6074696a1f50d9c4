//! Options that the connections of one server share.

use std::time::Duration;

use crate::proto::engine_io::Heartbeat;
use crate::proto::websocket::{Compression, Limits};

/// Options of a connection. Byte counts of frames include their headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionOptions {
    /// Limits of a message from the peer.
    pub limits: Limits,
    /// Parameters with which messages to the peer are compressed, and set if the peer may compress its
    /// own: permessage-deflate has been negotiated, without context takeover in either direction.
    pub compression: Option<Compression>,
    /// True if workers answer pings.
    pub has_automatic_pongs: bool,
    /// Maximum number of such answers in the send queue; a peer that exceeds it is cut off.
    pub max_pending_pongs: u32,
    /// A peer is cut off when the send queue has exceeded this many bytes for
    /// `backpressure_timeout` without interruption. The last frame does not count: a single message
    /// may have any length.
    pub max_backpressure: usize,
    /// Time within which a peer must bring its send queue below `max_backpressure`.
    pub backpressure_timeout: Duration,
    /// Bytes in the send queue above which [`Event::Backlog`](super::Event::Backlog) is reported.
    pub high_water_mark: usize,
    /// Time within which a closing connection must end.
    pub close_timeout: Duration,
    /// Limit of what the peer sends; `None` for no limit.
    pub rate_limit: Option<RateLimit>,
    /// Given if the connection begins as an open session of Engine.IO v4: the worker handles heartbeats
    /// and splits packets from the first on.
    pub session: Option<SessionOptions>,
}

/// Options of a session of Engine.IO that begins with its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionOptions {
    /// The intervals in the open packet.
    pub heartbeat: Heartbeat,
    /// As [`HeartbeatStart::max_loop_lag`](super::HeartbeatStart::max_loop_lag).
    pub max_loop_lag: Duration,
}

/// Limit of what a peer sends within a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Messages in each window, see [`Event::RateLimited`](super::Event::RateLimited).
    pub messages: u64,
    /// Bytes in each window, as they are on the wire.
    pub bytes: u64,
    /// The length of a window.
    pub per: Duration,
    /// The action taken on more.
    pub action: RateLimitAction,
    /// True if the peer speaks Engine.IO, so that its heartbeats do not count as messages.
    pub is_engine_io: bool,
}

/// The action when a peer sends more than its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateLimitAction {
    /// Reading stops until the next window.
    Pause,
    /// Events of Socket.IO without ack id are dropped until the next window.
    Drop,
    /// The connection is closed, see [`Failure::RateLimit`](super::Failure::RateLimit).
    Disconnect,
}

impl Default for ConnectionOptions {
    /// Returns the defaults of ws 8.23, a `max_backpressure` of 64 MiB for at most 5 s and a
    /// `high_water_mark` of 64 KiB.
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            compression: None,
            has_automatic_pongs: true,
            max_pending_pongs: 60,
            max_backpressure: 64 * 1024 * 1024,
            backpressure_timeout: Duration::from_secs(5),
            high_water_mark: 64 * 1024,
            close_timeout: Duration::from_secs(30),
            rate_limit: None,
            session: None,
        }
    }
}
