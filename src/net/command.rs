//! Commands from the application to its workers.

use std::net::TcpStream;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::heartbeat::HeartbeatCommand;
use super::listener::{Acceptance, Accepted, AcceptorCommand, Change, HandshakeKey, Listening};
use super::traffic::Traffic;
use super::{ConnectionId, ConnectionOptions, PollingState};
use crate::fanout::{FrameKind, Frames, PreparedPacket};
use crate::fanout::{Recipients, RoomId, Stamp};

/// The commands that one thread has sent to a worker at once.
#[derive(Debug)]
pub(super) struct Batch {
    /// The time at which they were sent.
    pub(super) sent: Stamp,
    pub(super) commands: Vec<Command>,
}

/// A command to a worker, which executes commands in their order.
#[derive(Debug)]
pub(super) enum Command {
    /// Takes over a connection.
    Open(Box<Opening>),
    /// A command to a connection; ignored if it has ended.
    Connection(ConnectionId, ConnectionCommand),
    /// A packet for many connections.
    Broadcast(Arc<Broadcast>),
    /// Adds a connection to a room.
    Join(RoomId, ConnectionId),
    /// Removes a connection from a room.
    Leave(RoomId, ConnectionId),
    /// Empties a room; its id may be reused.
    RemoveRoom(RoomId),
    /// Begins to accept the connections of a listener.
    Listen(Box<Listening>),
    /// A command to the worker that accepts the connections of a listener; ignored if it is closed.
    Acceptor(ConnectionId, AcceptorCommand),
    /// Serves a connection that another worker has accepted.
    Accepted(Box<Accepted>),
    /// Makes a change of a listener; from the worker that accepts.
    Change(ConnectionId, Change),
    /// Accepts the handshake of a WebSocket.
    Accept(Box<Acceptance>),
    /// Answers a handshake with these bytes, and closes its connection.
    Refuse(HandshakeKey, Bytes),
    /// Passes the connection of a handshake.
    Pass(HandshakeKey),
    /// Goes on with a TLS connection that has been passed.
    Carry(ConnectionId, HandshakeKey),
    /// The commands that follow belong to another turn of the application.
    BeginTurn,
    /// The application has taken events: stalled connections resume reading.
    Taken,
    /// Writes what the sockets accept at once, closes all connections and ends the worker.
    Shutdown,
}

impl Command {
    /// Returns the bytes of the frames in this command; those of a broadcast count once.
    pub(super) fn len_bytes(&self) -> usize {
        match self {
            Self::Connection(
                _,
                ConnectionCommand::Send(frame, _) | ConnectionCommand::SendVolatile(frame, _),
            ) => frame.plain().len(),
            Self::Connection(_, ConnectionCommand::Close(frame)) => frame.len(),
            Self::Broadcast(broadcast) => broadcast.packet.len_bytes(),
            _ => 0,
        }
    }
}

/// A connection for a worker to take over.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) id: ConnectionId,
    pub(super) stream: TcpStream,
    /// Bytes that have been read from the stream already.
    pub(super) input: BytesMut,
    pub(super) options: Arc<ConnectionOptions>,
    pub(super) traffic: Arc<Traffic>,
}

/// The position of a frame in its volatile packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Volatile {
    /// The first frame: dropped if the connection is busy.
    First,
    /// A further frame: dropped if the first was.
    Continued,
}

/// A packet and its recipients.
#[derive(Debug)]
pub(super) struct Broadcast {
    pub(super) packet: PreparedPacket,
    pub(super) recipients: Recipients,
    /// True if recipients with queued frames are skipped.
    pub(super) is_volatile: bool,
}

/// A command to one connection.
#[derive(Debug)]
pub(super) enum ConnectionCommand {
    /// Sends a whole frame.
    Send(Frames, FrameKind),
    /// Sends a whole frame, or drops it, see [`Volatile`].
    SendVolatile(Frames, Volatile),
    /// A command to the heartbeat.
    Heartbeat(HeartbeatCommand),
    /// From now on the peer speaks Engine.IO v3.
    UseVersion3,
    /// Sends the close frame, the last of the connection.
    Close(Bytes),
    /// Ends our side once the send queue is empty, without a close frame.
    End,
    /// Stops reading if true, else resumes.
    Pause(bool),
    /// Ends the connection at once.
    Terminate,
    /// Ends the connection at once with a TCP reset.
    Reset,
    /// Starts or stops reporting all bytes that are read, as [`Event::Raw`](super::Event::Raw).
    Tap(bool),
    /// Handles bytes as if the peer had sent them.
    Input(BytesMut),
    /// Limits the bytes of a message from the peer.
    LimitPayload(usize),
    /// Starts or stops splitting packets, see [`Event::Packet`](super::Event::Packet).
    SplitPackets(bool),
    /// A command to a polling session; ignored once it has changed to a WebSocket.
    Polling(PollingCommand),
    /// Sets an option of the socket.
    Configure(SocketOption),
}

/// A command to a polling session.
#[derive(Debug)]
pub(super) enum PollingCommand {
    /// Begins a poll of the application if true, else forgets it; see
    /// [`Event::Polled`](super::Event::Polled).
    Poll(bool),
    /// Handles a payload that the application has got; see
    /// [`Event::PayloadEnded`](super::Event::PayloadEnded).
    Payload(Bytes),
    /// Answers a payload; see [`Event::PayloadEnded`](super::Event::PayloadEnded).
    AnswerPayload,
    /// Leaves requests to the application from now on.
    PassRequests,
    /// Reports that a polling session is in this state, once it is.
    Await(PollingState),
}

/// An option of a TCP socket, one of those that Node.js sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketOption {
    /// `TCP_NODELAY`.
    NoDelay(bool),
    /// `SO_KEEPALIVE`. Options of the probes that are `None` are left unchanged.
    KeepAlive {
        /// True if idle connections are probed.
        is_enabled: bool,
        /// Seconds before the first probe.
        delay: Option<u32>,
        /// Seconds between two probes.
        interval: Option<u32>,
        /// Number of unanswered probes that end the connection.
        count: Option<u32>,
    },
    /// `IP_TOS` or `IPV6_TCLASS`.
    TypeOfService(u32),
}
