//! Requests that open a session, while they wait for the application's answer.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::served::Served;
use super::source::Source;
use crate::net::connection_options::ConnectionOptions;
use crate::net::stream::Stream;
use crate::net::tls::TlsDetails;
use crate::net::traffic::Traffic;
use crate::net::worker::Worker;
use crate::net::{ConnectionId, SocketOption};
use crate::proto::http::{Query, RequestHead};
use crate::proto::websocket::OpeningHandshake;

/// Identifies a handshake that waits on a worker. Not used again before 2^32 others.
pub type HandshakeKey = u32;

/// Node.js's interval and count of probes, once the first is due.
const PROBE_INTERVAL: u32 = 1;
const PROBES: u32 = 10;

/// A request that opens a session, for the application.
#[derive(Debug)]
pub struct Handshake {
    /// The worker whose connection it is.
    pub worker: usize,
    /// Identifies it on that worker.
    pub key: HandshakeKey,
    /// The position of its path in [`paths`](super::ListenerOptions::paths).
    pub path: usize,
    /// The transport with which the session begins.
    pub transport: HandshakeTransport,
    /// The request's head as it was sent, up to and with the blank line.
    pub head: Bytes,
    /// An id for the session, which nobody can guess.
    pub sid: String,
    /// The address of the peer, as Node.js spells it.
    pub address: String,
    /// The port of the peer.
    pub port: u16,
    pub(in crate::net) traffic: Arc<Traffic>,
    pub(in crate::net) tls: Option<Arc<TlsDetails>>,
}

/// The transport with which a session begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandshakeTransport {
    /// HTTP long-polling.
    Polling,
    /// A WebSocket.
    WebSocket,
}

/// A request that opens a session, before the application knows of it.
#[derive(Debug)]
pub(super) struct Offer {
    pub(super) path: usize,
    pub(super) head: Bytes,
    pub(super) request: OpeningHandshake,
}

impl Offer {
    /// Returns the offer of a request that opens a session with a WebSocket; `None` for all others.
    pub(super) fn of(request: &RequestHead<'_>, head: &[u8], paths: &[String]) -> Option<Self> {
        // Of a header value with a tab at its end, Node.js's parser may find something else.
        if head.contains(&b'\t') {
            return None;
        }
        let path = paths.iter().position(|path| path == request.path())?;
        let query = Query::parse(request.query());
        let is_absent = |value: Option<Cow<'_, str>>| value.is_none_or(|value| value.is_empty());
        let opens_session = query.protocol.as_deref() == Some("4")
            && query.transport.as_deref() == Some("websocket")
            && is_absent(query.sid)
            // Binary messages would be base64 in text messages.
            && is_absent(query.base64);
        let request = OpeningHandshake::of(request).filter(|_| opens_session)?;
        Some(Self { path, head: Bytes::copy_from_slice(head), request })
    }
}

/// A handshake that the application has accepted.
#[derive(Debug)]
pub(in crate::net) struct Acceptance {
    /// The id of the connection that begins.
    pub(in crate::net) id: ConnectionId,
    pub(in crate::net) key: HandshakeKey,
    pub(in crate::net) options: Arc<ConnectionOptions>,
    /// More header lines for the response.
    pub(in crate::net) headers: Bytes,
}

/// A connection whose handshake waits for the application. The request is still to be read, since it may
/// be passed.
pub(in crate::net) struct WaitingHandshake {
    pub(super) served: Rc<Served>,
    pub(super) stream: Source,
    /// The bytes of the request.
    pub(super) length: usize,
    pub(super) request: OpeningHandshake,
    pub(super) traffic: Arc<Traffic>,
}

/// The connection of a handshake that has been accepted.
pub(in crate::net) struct AcceptedHandshake {
    pub(in crate::net) stream: Stream,
    /// The response to be sent.
    pub(in crate::net) response: Bytes,
    /// Bytes behind the request that have been read.
    pub(in crate::net) input: BytesMut,
    pub(in crate::net) traffic: Arc<Traffic>,
}

impl WaitingHandshake {
    /// Takes the request, and calls `start` with the connection. Returns whether it has: if the peer has
    /// ended its side, ws does not answer, either.
    pub(in crate::net) fn accept(
        self,
        worker: &Worker,
        headers: &[u8],
        start: impl FnOnce(AcceptedHandshake),
    ) -> bool {
        let Self { served, stream, length, request, traffic } = self;
        let Some((stream, input)) = stream.take(length) else {
            served.end_handshake(worker);
            return false;
        };
        worker.shared.counters.bytes_in.add(length);
        let options = served.listener.options();
        // As ws does, whatever the server's `noDelay`. Node.js does not report such errors, either.
        let _ = stream.set_option(SocketOption::NoDelay(true));
        if let Some(delay) = options.keep_alive {
            let _ = stream.set_option(keep_alive(delay));
        }
        let response = request.accept(headers);
        start(AcceptedHandshake { stream, response, input, traffic });
        // Afterwards, so that the worker always has this connection for the one that accepts.
        served.end_handshake(worker);
        true
    }

    /// Answers with these bytes and closes the connection.
    pub(super) fn refuse(mut self, worker: &Worker, response: &[u8]) {
        self.stream.answer_last(response);
        self.served.end_handshake(worker);
    }

    /// Passes the connection to the application.
    pub(super) fn pass(self, worker: &Worker) {
        self.served.pass(worker, self.stream);
        self.served.end_handshake(worker);
    }
}

/// Returns the option that Node.js sets for a server's `keepAlive`. A delay of 0 is left as it is.
pub(super) fn keep_alive(delay: u32) -> SocketOption {
    let given = |value| (delay > 0).then_some(value);
    SocketOption::KeepAlive {
        is_enabled: true,
        delay: given(delay),
        interval: given(PROBE_INTERVAL),
        count: given(PROBES),
    }
}
