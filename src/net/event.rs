//! What workers tell the application.

use bytes::Bytes;
use bytestring::ByteString;

use crate::proto::websocket::{CloseCode, DecodeError};

/// What [`WorkerPool`](super::WorkerPool) calls a connection. Used again after [`Event::Ended`]
/// has been taken.
pub type ConnectionId = u32;

/// Something that happened on a connection.
#[derive(Debug)]
pub enum Event {
    /// A text message, valid UTF-8.
    Text(Bytes),
    /// A binary message.
    Binary(Bytes),
    /// A ping; it has been answered, if the options say so.
    Ping(Bytes),
    /// A pong.
    Pong(Bytes),
    /// So many more of the frames that were to be reported have gone, in their order.
    Sent(u32),
    /// So many bytes wait, as the peer takes them slowly: more than
    /// [`high_water_mark`](super::ConnectionOptions::high_water_mark), and twice what the last
    /// of these events said at least; or none any more.
    Backlog(usize),
    /// The peer's close frame. The application answers it, after what it sends before.
    Close {
        /// `None` if the frame gives no code.
        code: Option<CloseCode>,
        /// In words; may be empty.
        reason: ByteString,
    },
    /// Bytes that were read, frames and all, before the events that it holds; only while the
    /// connection is tapped, [`WorkerPool::tap`](super::WorkerPool::tap).
    Raw(Bytes),
    /// Something that the application should hear of before the end.
    Failed(Failure),
    /// The peer has ended its side, and the application has not. It ends its own with
    /// [`WorkerPool::end`](super::WorkerPool::end), after what it still sends.
    PeerEnded,
    /// The last event of a connection: its descriptor is closed.
    Ended(EndReason),
}

impl Event {
    /// Whether this is a message, not control.
    pub(super) const fn is_message(&self) -> bool {
        matches!(self, Self::Text(_) | Self::Binary(_))
    }

    /// Bytes that this event holds while it waits for the application.
    pub(super) fn held_bytes(&self) -> usize {
        size_of::<(ConnectionId, Self)>()
            + match self {
                Self::Text(bytes)
                | Self::Binary(bytes)
                | Self::Ping(bytes)
                | Self::Pong(bytes)
                | Self::Raw(bytes) => bytes.len(),
                _ => 0,
            }
    }
}

/// Why a connection cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The peer broke the protocol, or a limit. The application closes the connection with
    /// [`DecodeError::close_code`].
    Protocol(DecodeError),
    /// The peer does not keep up: more than `max_backpressure` bytes have waited for
    /// `backpressure_timeout`. The connection ends.
    MaxBackpressure {
        /// How many bytes waited, those of the last frame not counted.
        queued_bytes: usize,
    },
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// The closing handshake is complete, RFC 6455 §7.1.1.
    Closed,
    /// The peer ended its side without a close frame.
    PeerEnded,
    /// The peer broke the protocol or a limit.
    ProtocolError,
    /// The peer did not answer the close frame within `close_timeout`.
    CloseTimeout,
    /// The peer did not read, see [`Failure::MaxBackpressure`].
    MaxBackpressure,
    /// The peer sent pings and did not read the pongs.
    TooManyPings,
    /// The application terminated it.
    Terminated,
    /// The operating system reported an error: its number, 0 if it has none.
    Io(i32),
}

impl EndReason {
    /// The names of all reasons, at the place of their [`index`](Self::index).
    pub const NAMES: [&'static str; 8] = [
        "closed",
        "peerEnded",
        "protocolError",
        "closeTimeout",
        "maxBackpressure",
        "tooManyPings",
        "terminated",
        "ioError",
    ];

    /// The place among [`NAMES`](Self::NAMES).
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Closed => 0,
            Self::PeerEnded => 1,
            Self::ProtocolError => 2,
            Self::CloseTimeout => 3,
            Self::MaxBackpressure => 4,
            Self::TooManyPings => 5,
            Self::Terminated => 6,
            Self::Io(_) => 7,
        }
    }
}
