//! What the connections of one server have in common.

use std::time::Duration;

use crate::proto::websocket::Limits;

/// Options of a connection. Bytes count frames, headers included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionOptions {
    /// How much the peer may send in one message.
    pub limits: Limits,
    /// Whether workers answer pings.
    pub has_automatic_pongs: bool,
    /// The most such answers that may wait; a peer that makes more wait is cut off.
    pub max_pending_pongs: u32,
    /// A peer is cut off when more bytes than this have waited for `backpressure_timeout`
    /// without a break, those of the last frame not counted: a single message may have any
    /// length.
    pub max_backpressure: usize,
    /// How long a peer may take to bring what waits under `max_backpressure`.
    pub backpressure_timeout: Duration,
    /// The application hears when more bytes wait, and when all have gone then.
    pub high_water_mark: usize,
    /// How long a closing connection may take.
    pub close_timeout: Duration,
}

impl Default for ConnectionOptions {
    /// The defaults of ws 8.23, a `max_backpressure` of 64 MiB for at most 5 s and a
    /// `high_water_mark` of 64 KiB.
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            has_automatic_pongs: true,
            max_pending_pongs: 60,
            max_backpressure: 64 * 1024 * 1024,
            backpressure_timeout: Duration::from_secs(5),
            high_water_mark: 64 * 1024,
            close_timeout: Duration::from_secs(30),
        }
    }
}
