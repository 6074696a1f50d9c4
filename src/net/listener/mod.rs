//! Listening sockets whose connections workers accept.
//!
//! A *listener* belongs to a [`WorkerPool`](super::WorkerPool) and has an id among those of its
//! connections. One worker accepts ([`Acceptor`](acceptor::Acceptor)), passes what is certainly passed, and
//! gives each other connection to the worker with the fewest, where it is an [`HttpConnection`](http_connection::HttpConnection) until
//!
//! - it is *passed*: the application gets the descriptor, with all that the peer has sent still in
//!   the kernel, since requests are peeked at and not read;
//! - or its request opens a session: the application accepts, refuses or passes it
//!   ([`Handshake`]). A WebSocket is a connection of the same worker from then on;
//! - or it has ended.
//!
//! Requests over TLS are read, and the plaintext is kept: connections that are passed go on here, see
//! [`Carrier`](carrier::Carrier).
//!
//! Rules:
//!
//! - What is not certain to be served here is passed, so that the application's own HTTP server
//!   judges it.
//! - All changes of a listener go to the worker that accepts, which hands them on: so they cannot
//!   overtake connections on their way. Those that have been passed meanwhile are asked when they arrive
//!   ([`PassedDescriptor::is_overtaken`]).
//! - Each worker reports the end of a listener once it has no HTTP connection left; the pool reports
//!   the last of these.

mod acceptor;
mod bucket;
mod carrier;
mod engine_target;
mod handshake;
mod http_connection;
mod options;
mod pair;
mod served;
mod session_request;
mod sid;
mod source;
mod tls;
mod watch;

use std::io;
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

use parking_lot::Mutex;
use socket2::SockRef;

use super::ConnectionId;
use super::mailbox::Mailbox;
use super::tls::TlsSettings;
use super::worker::Shared;

pub use carrier::PassedStream;
pub(super) use handshake::{Acceptance, Beginning, PollingAcceptance};
pub use handshake::{Handshake, HandshakeKey, HandshakeTransport};
pub use options::ListenerOptions;
pub(super) use served::Listeners;
pub(super) use session_request::SessionRequest;
pub(super) use tls::DetachedTls;

/// A listener, for all threads.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) id: ConnectionId,
    options: Mutex<Arc<ListenerOptions>>,
    /// Given if its connections speak TLS.
    tls: Mutex<Option<Arc<TlsSettings>>>,
    /// HTTP connections on all workers, and on their way there.
    connections: AtomicUsize,
    /// Times that the application has ended connections which have sent nothing.
    closings: AtomicU32,
    /// Set until the worker that accepts has closed the socket.
    is_open: AtomicBool,
}

impl Listener {
    pub(super) fn new(id: ConnectionId, options: ListenerOptions) -> Self {
        Self {
            id,
            options: Mutex::new(Arc::new(options)),
            tls: Mutex::default(),
            connections: AtomicUsize::new(0),
            closings: AtomicU32::new(0),
            is_open: AtomicBool::new(true),
        }
    }

    /// Returns whether the socket is open, on its worker or on its way there.
    pub(super) fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Acquire)
    }

    pub(super) fn options(&self) -> Arc<ListenerOptions> {
        Arc::clone(&self.options.lock())
    }

    pub(super) fn configure(&self, options: ListenerOptions) {
        *self.options.lock() = Arc::new(options);
    }

    pub(super) fn tls(&self) -> Option<Arc<TlsSettings>> {
        self.tls.lock().clone()
    }

    /// Sets the TLS of connections that come later.
    pub(super) fn secure(&self, settings: Arc<TlsSettings>) {
        *self.tls.lock() = Some(settings);
    }

    /// Returns the number of HTTP connections.
    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Returns how often the application has ended connections that have sent nothing; see
    /// [`PassedDescriptor::is_overtaken`].
    pub(super) fn closings(&self) -> u32 {
        self.closings.load(Ordering::Relaxed)
    }

    pub(super) fn count_closing(&self) {
        self.closings.fetch_add(1, Ordering::Relaxed);
    }
}

/// The descriptor of a passed connection. It counts among the HTTP connections of its listener until the
/// application has it: a server that closes meanwhile must know that there is one more to serve.
#[derive(Debug)]
pub struct PassedDescriptor {
    descriptor: OwnedFd,
    count: PassedCount,
    /// Those of the listener that the connection has outlived.
    closings: u32,
}

impl PassedDescriptor {
    pub(super) fn new(descriptor: OwnedFd, listener: &Arc<Listener>, closings: u32) -> Self {
        listener.connections.fetch_add(1, Ordering::Relaxed);
        Self { descriptor, count: PassedCount(Arc::clone(listener)), closings }
    }

    /// Returns whether the peer has sent nothing, and the application has ended such connections since it
    /// began to wait: it was on its way then, and ends when it arrives.
    #[must_use]
    pub fn is_overtaken(&self) -> bool {
        let has_input = || {
            let socket = SockRef::from(&self.descriptor);
            socket.peek(&mut [MaybeUninit::uninit()]).is_ok_and(|length| length > 0)
        };
        self.closings != self.count.0.closings() && !has_input()
    }

    /// Returns the descriptor, which is not counted any more.
    #[must_use]
    pub fn claim(self) -> OwnedFd {
        self.descriptor
    }
}

impl AsRawFd for PassedDescriptor {
    fn as_raw_fd(&self) -> RawFd {
        self.descriptor.as_raw_fd()
    }
}

/// Counts one of the HTTP connections of a listener until it is dropped.
#[derive(Debug)]
struct PassedCount(Arc<Listener>);

impl Drop for PassedCount {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A worker to which connections are given.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) shared: Arc<Shared>,
}

/// A listening socket for a worker to accept from.
#[derive(Debug)]
pub(super) struct Listening {
    pub(super) socket: TcpListener,
    pub(super) listener: Arc<Listener>,
    /// All workers that serve its connections.
    pub(super) targets: Vec<Target>,
}

/// A connection for a worker to serve.
#[derive(Debug)]
pub(super) struct Accepted {
    pub(super) listener: Arc<Listener>,
    /// Connected; or the error for which it is not.
    pub(super) stream: io::Result<TcpStream>,
    /// Its TLS, if another worker has begun that.
    pub(super) tls: Option<Box<DetachedTls>>,
    /// The address of the peer; `None` if another worker has served the connection before.
    pub(super) peer: Option<SocketAddr>,
}

/// A command to the worker that accepts.
#[derive(Debug)]
pub(super) enum AcceptorCommand {
    /// Gives connections to these workers, among which are all up to now.
    Serve(Vec<Target>),
    /// A change for all workers.
    Change(Change),
}

/// A change of a listener, which each worker makes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change {
    /// The options have changed.
    Configure,
    /// There are no more connections to come.
    Close,
    /// HTTP connections end at once; if `is_idle_only`, only those between two requests.
    CloseConnections {
        /// True if connections with a request, or before their first, stay.
        is_idle_only: bool,
    },
}
