//! Requests that open a session, while they wait for the application's answer.

use std::rc::Rc;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::Target;
use super::engine_target::EngineTarget;
use super::served::Served;
use super::source::Source;
use crate::net::connection_options::ConnectionOptions;
use crate::net::polling::{Exchange, PollingOptions};
use crate::net::stream::Stream;
use crate::net::tls::TlsDetails;
use crate::net::traffic::Traffic;
use crate::net::worker::Worker;
use crate::net::{ConnectionId, SocketOption};
use crate::proto::http::RequestHead;
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
    /// An id for the session, which cannot be guessed.
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
    /// A WebSocket, for a polling session that exists; its id is given.
    Upgrade,
}

/// A request that opens a session, before the application knows of it.
#[derive(Debug)]
pub(super) struct Offer {
    pub(super) path: usize,
    pub(super) head: Bytes,
    pub(super) request: OfferedRequest,
}

/// The kind of a request that begins a transport.
#[derive(Debug)]
pub(super) enum OfferedRequest {
    /// A session with a WebSocket.
    WebSocket(OpeningHandshake),
    /// A session whose first poll it is.
    Polling(Rc<Exchange>),
    /// A WebSocket for the session with this id.
    Upgrade(OpeningHandshake, String),
}

impl Offer {
    /// Returns the offer of a request that opens a session; `None` for all others.
    pub(super) fn opening(
        target: &EngineTarget<'_>,
        request: &RequestHead<'_>,
        head: &[u8],
        keep_alive: Option<u64>,
    ) -> Option<Self> {
        let request = match target.transport {
            HandshakeTransport::WebSocket => {
                OfferedRequest::WebSocket(OpeningHandshake::of(request)?)
            }
            _ => OfferedRequest::Polling(target.opening(request, keep_alive)?),
        };
        Some(Self { path: target.path, head: Bytes::copy_from_slice(head), request })
    }

    /// Returns the offer of a request for a WebSocket for a polling session.
    pub(super) fn upgrade(
        target: &EngineTarget<'_>,
        request: &RequestHead<'_>,
        head: &[u8],
        sid: &str,
    ) -> Option<Self> {
        let request = OfferedRequest::Upgrade(OpeningHandshake::of(request)?, sid.to_owned());
        Some(Self { path: target.path, head: Bytes::copy_from_slice(head), request })
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
    /// Given for a session that begins with long-polling.
    pub(in crate::net) polling: Option<PollingAcceptance>,
}

/// A session that begins with long-polling.
#[derive(Debug)]
pub(in crate::net) struct PollingAcceptance {
    pub(in crate::net) sid: String,
    pub(in crate::net) options: PollingOptions,
    /// The worker, for others.
    pub(in crate::net) target: Target,
}

/// The work that begins with an accepted handshake.
pub(in crate::net) enum Beginning {
    /// A connection with a WebSocket.
    WebSocket {
        stream: Stream,
        response: Bytes,
        /// Bytes behind the request that have been read.
        input: BytesMut,
        traffic: Arc<Traffic>,
    },
    /// A session whose first poll is this exchange.
    Polling { served: Rc<Served>, stream: Source, exchange: Rc<Exchange>, traffic: Arc<Traffic> },
    /// The change of a session to a WebSocket.
    Upgrade { stream: Stream, response: Bytes, input: BytesMut, traffic: Arc<Traffic> },
}

/// A connection whose handshake waits for the application. The request is still to be read, since it may
/// be passed.
pub(in crate::net) struct WaitingHandshake {
    pub(super) served: Rc<Served>,
    pub(super) stream: Source,
    /// The bytes of the request.
    pub(super) length: usize,
    pub(super) request: OfferedRequest,
    pub(super) traffic: Arc<Traffic>,
}

impl WaitingHandshake {
    /// Returns whether it is for a session that exists.
    pub(in crate::net) const fn is_upgrade(&self) -> bool {
        matches!(self.request, OfferedRequest::Upgrade(..))
    }

    /// Takes the request, and calls `start` with the work that begins. Returns false if the peer has
    /// ended its side: ws does not answer then, either, and engine.io ends the session.
    pub(in crate::net) fn accept(
        self,
        worker: &Worker,
        headers: &[u8],
        start: impl FnOnce(Beginning),
    ) -> bool {
        let Self { served, mut stream, length, request, traffic } = self;
        let (request, is_upgrade) = match request {
            OfferedRequest::Polling(exchange) => {
                if !stream.skip(length) || stream.is_at_end() {
                    served.end_handshake(worker);
                    return false;
                }
                worker.shared.counters.bytes_in.add(length);
                served.release_handshake();
                start(Beginning::Polling { served, stream, exchange, traffic });
                return true;
            }
            OfferedRequest::WebSocket(request) => (request, false),
            OfferedRequest::Upgrade(request, _) => (request, true),
        };
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
        start(if is_upgrade {
            Beginning::Upgrade { stream, response, input, traffic }
        } else {
            Beginning::WebSocket { stream, response, input, traffic }
        });
        // Afterwards, so that the worker that accepts always counts this connection here.
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
