//! What the application tells workers.

use std::net::TcpStream;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::traffic::Traffic;
use super::{ConnectionId, ConnectionOptions};
use crate::fanout::{FrameKind, PreparedPacket};
use crate::fanout::{Recipients, RoomId};

/// Commands of one worker are carried out in their order.
#[derive(Debug)]
pub(super) enum Command {
    /// A new connection.
    Open(Box<Opening>),
    /// To a connection; passed over if it has ended.
    Connection(ConnectionId, ConnectionCommand),
    /// A packet for many.
    Broadcast(Arc<Broadcast>),
    /// A connection enters a room.
    Join(RoomId, ConnectionId),
    /// A connection leaves a room.
    Leave(RoomId, ConnectionId),
    /// A room is no more.
    RemoveRoom(RoomId),
    /// What follows belongs to another turn of the application.
    BeginTurn,
    /// The application has taken events; who waits for that reads on.
    Taken,
    /// Writes what the sockets take, closes all connections and ends the worker.
    Shutdown,
}

impl Command {
    /// The bytes of the frames that this keeps in memory; a packet for many counts once.
    pub(super) fn len_bytes(&self) -> usize {
        match self {
            Self::Connection(
                _,
                ConnectionCommand::Send(frame, _)
                | ConnectionCommand::SendVolatile(frame, _)
                | ConnectionCommand::Close(frame),
            ) => frame.len(),
            Self::Broadcast(broadcast) => broadcast.packet.len_bytes(),
            _ => 0,
        }
    }
}

/// A connection that a worker is to own.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) id: ConnectionId,
    pub(super) stream: TcpStream,
    /// What has been read of it already.
    pub(super) input: BytesMut,
    pub(super) options: Arc<ConnectionOptions>,
    pub(super) traffic: Arc<Traffic>,
}

/// Which frame of a volatile packet this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Volatile {
    /// The first. It is sent if nothing waits.
    First,
    /// Another; it shares the fate of the first.
    Continued,
}

/// A packet, and who is to have it.
#[derive(Debug)]
pub(super) struct Broadcast {
    pub(super) packet: PreparedPacket,
    pub(super) recipients: Recipients,
    /// Whether those are passed over in front of whom something waits.
    pub(super) is_volatile: bool,
}

#[derive(Debug)]
pub(super) enum ConnectionCommand {
    /// A whole frame to send.
    Send(Bytes, FrameKind),
    /// A whole frame that is dropped if something waits, [`Volatile`].
    SendVolatile(Bytes, Volatile),
    /// The peer speaks Engine.IO v3.
    UseVersion3,
    /// The close frame.
    Close(Bytes),
    /// Ends our side after what has been sent, without a close frame.
    End,
    Pause(bool),
    Terminate,
    /// Ends the connection at once by a reset.
    Reset,
    /// Whether all that is read is also reported as it is, [`Event::Raw`](super::Event::Raw).
    Tap(bool),
    /// Bytes to be read as if the peer had sent them.
    Input(BytesMut),
    /// The most bytes that the peer may send in one message.
    LimitPayload(usize),
    /// Sets an option of the socket.
    Configure(SocketOption),
}

/// An option of a TCP socket, as applications of Node.js set it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketOption {
    /// `TCP_NODELAY`.
    NoDelay(bool),
    /// `SO_KEEPALIVE`; the options of the probes are set where they are given.
    KeepAlive {
        /// Whether idle connections are probed.
        is_enabled: bool,
        /// Seconds before the first probe.
        delay: Option<u32>,
        /// Seconds between two probes.
        interval: Option<u32>,
        /// Unanswered probes that end the connection.
        count: Option<u32>,
    },
    /// `IP_TOS` or `IPV6_TCLASS`.
    TypeOfService(u32),
}
