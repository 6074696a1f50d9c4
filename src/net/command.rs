//! What the application tells workers.

use std::net::TcpStream;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::{ConnectionId, ConnectionOptions};
use crate::fanout::FrameKind;

/// Commands of one worker are carried out in their order.
#[derive(Debug)]
pub(super) enum Command {
    /// A new connection.
    Open(Box<Opening>),
    /// To a connection; passed over if it has ended.
    Connection(ConnectionId, ConnectionCommand),
    /// The application has taken events; who waits for that reads on.
    Taken,
    /// Writes what the sockets take, closes all connections and ends the worker.
    Shutdown,
}

/// A connection that a worker is to own.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) id: ConnectionId,
    pub(super) stream: TcpStream,
    /// What has been read of it already.
    pub(super) input: BytesMut,
    pub(super) options: Arc<ConnectionOptions>,
}

#[derive(Debug)]
pub(super) enum ConnectionCommand {
    /// A whole frame to send.
    Send(Bytes, FrameKind),
    /// The close frame.
    Close(Bytes),
    /// Ends our side after what has been sent, without a close frame.
    End,
    Pause(bool),
    Terminate,
}
