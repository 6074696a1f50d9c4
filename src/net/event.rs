//! Events that workers report to the application.

use bytes::Bytes;
use bytestring::ByteString;

use super::heartbeat::HeartbeatEvent;
use super::{Handshake, PassedDescriptor, PassedStream, PollingError, RateLimitAction};
use crate::proto::socket_io::PacketParts;
use crate::proto::websocket::{CloseCode, DecodeError};

/// The id of a connection or a listener within its [`WorkerPool`](super::WorkerPool). Reused after
/// [`WorkerPool::release`](super::WorkerPool::release).
pub type ConnectionId = u32;

/// The kernel's memory for a socket that waits for the application, about, in bytes: 1,024 of them are
/// as much as [`MAX_HELD_BYTES`](super::MAX_HELD_BYTES).
const SOCKET_BYTES: usize = 4 * 1024;

/// Something that happened on a connection or a listener.
#[derive(Debug)]
pub enum Event {
    /// A text message, valid UTF-8.
    Text(Bytes),
    /// A text message that is a packet of Socket.IO, an event or an acknowledgement; only while the
    /// connection's packets are split, see
    /// [`WorkerPool::split_packets`](super::WorkerPool::split_packets).
    Packet {
        /// The message, whose first byte is Engine.IO's packet type.
        message: Bytes,
        /// The parts of the message without its first byte.
        parts: PacketParts,
    },
    /// A binary message.
    Binary(Bytes),
    /// A ping, which the worker has answered if the options say so.
    Ping(Bytes),
    /// A pong.
    Pong(Bytes),
    /// This many further frames, of those to be reported, have been written; in their order.
    Sent(u32),
    /// The bytes in the send queue, which first exceeded
    /// [`high_water_mark`](super::ConnectionOptions::high_water_mark), has doubled since the last
    /// such event, or has drained to 0.
    Backlog(usize),
    /// The peer's close frame. The application answers it, and may send messages before.
    Close {
        /// `None` if the frame gives no code.
        code: Option<CloseCode>,
        /// The reason in words; may be empty.
        reason: ByteString,
    },
    /// Bytes as they were read, in front of the events that they contain; only while the
    /// connection is tapped, see [`WorkerPool::tap`](super::WorkerPool::tap).
    Raw(Bytes),
    /// Something about the heartbeat, while the worker handles it.
    Heartbeat(HeartbeatEvent),
    /// The peer has sent more than [`rate_limit`](super::ConnectionOptions::rate_limit) allows, and this
    /// is done about it. Reported once for each window.
    RateLimited(RateLimitAction),
    /// The payload for a poll of the application.
    Polled(Bytes),
    /// The packets of a client's payload have been reported. The application handles them, then has the
    /// payload answered, see [`WorkerPool::answer_payload`](super::WorkerPool::answer_payload).
    PayloadEnded,
    /// A change of a polling session to a WebSocket.
    Upgrade(UpgradeStep),
    /// The state of a polling session that the application waits for, see
    /// [`WorkerPool::await_state`](super::WorkerPool::await_state).
    Reached(PollingState),
    /// An error that precedes the end of the connection.
    Failed(Failure),
    /// The peer has ended its side, and the application has not. The application ends its own
    /// with [`WorkerPool::end`](super::WorkerPool::end), and may send messages before.
    PeerEnded,
    /// A connection of a listener, which the application owns from now on. All that the peer has sent
    /// is still to be read.
    Passed {
        /// The descriptor.
        descriptor: PassedDescriptor,
        /// Set if its request head has not come in time.
        is_overdue: bool,
    },
    /// A request that opens a session; the application answers it.
    Handshake(Box<Handshake>),
    /// A TLS connection of a listener, whose plaintext the application owns from now on.
    Stream(Box<PassedStream>),
    /// A connection of [`Stream`](Self::Stream) has failed, with this error of the operating system. The
    /// application ends it.
    StreamFailed(i32),
    /// A client and a listener do not agree about TLS.
    TlsFailed {
        /// The name of the error, as OpenSSL and Node.js call it.
        code: &'static str,
        /// The address of the client; empty if it has gone.
        address: String,
    },
    /// The last event of a connection: its descriptor is closed. Of a listener: it has no HTTP
    /// connection left.
    Ended(EndReason),
}

impl Event {
    /// Returns whether this is a message, not a control frame or a change of state.
    pub(super) const fn is_message(&self) -> bool {
        matches!(self, Self::Text(_) | Self::Packet { .. } | Self::Binary(_))
    }

    /// Returns the memory that this event occupies until the application takes it, in bytes.
    pub(super) fn held_bytes(&self) -> usize {
        size_of::<(ConnectionId, Self)>()
            + match self {
                Self::Text(bytes)
                | Self::Packet { message: bytes, .. }
                | Self::Binary(bytes)
                | Self::Ping(bytes)
                | Self::Pong(bytes)
                | Self::Polled(bytes)
                | Self::Raw(bytes) => bytes.len(),
                Self::Passed { .. } => SOCKET_BYTES,
                // Its own, and the pair.
                Self::Stream(_) => 3 * SOCKET_BYTES,
                Self::Handshake(handshake) => SOCKET_BYTES + handshake.head.len(),
                _ => 0,
            }
    }
}

/// The error for which a connection cannot continue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The peer broke the protocol, or a limit. The application closes the connection with
    /// [`DecodeError::close_code`].
    Protocol(DecodeError),
    /// The peer does not keep up: the send queue has exceeded `max_backpressure` for
    /// `backpressure_timeout`. The connection ends.
    MaxBackpressure {
        /// Bytes in the send queue, without the last frame.
        queued_bytes: usize,
    },
    /// The peer has sent more than `rate_limit` allows. All further input is dropped; the application
    /// closes the connection with [`CloseCode::POLICY_VIOLATION`].
    RateLimit,
    /// A polling session ends.
    Polling(PollingError),
}

/// A step of a change to a WebSocket. [`WorkerPool::accept`](super::WorkerPool) begins it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpgradeStep {
    /// The WebSocket works: the probe of the client has been answered.
    Probed,
    /// The session goes on with the WebSocket.
    Completed,
    /// The WebSocket has ended or is closing; the session goes on without it.
    Abandoned,
}

/// A state of a polling session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollingState {
    /// The client sends no payload, and the packets of the last one are reported.
    Received,
    /// A poll is pending, and nothing waits for it.
    Writable,
}

/// The reason for which a connection ended.
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
    /// The peer did not read in time, see [`Failure::MaxBackpressure`].
    MaxBackpressure,
    /// The peer sent pings without reading the pongs.
    TooManyPings,
    /// The application terminated it.
    Terminated,
    /// The peer exceeded its limit, see [`Failure::RateLimit`].
    RateLimit,
    /// The operating system reported an error: its number, or 0 for an error without one.
    Io(i32),
}

impl EndReason {
    /// The names of all reasons, indexed by [`index`](Self::index).
    pub const NAMES: [&'static str; 9] = [
        "closed",
        "peerEnded",
        "protocolError",
        "closeTimeout",
        "maxBackpressure",
        "tooManyPings",
        "terminated",
        "ioError",
        "rateLimit",
    ];

    /// Returns the index into [`NAMES`](Self::NAMES).
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
            Self::RateLimit => 8,
        }
    }
}
