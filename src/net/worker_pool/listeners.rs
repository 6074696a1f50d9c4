//! The application's end of listeners.

use std::collections::HashMap;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{ConnectionRoute, Route, WorkerHandle, WorkerPool};
use crate::net::command::Command;
use crate::net::listener::{
    Acceptance, AcceptorCommand, Change, Handshake, HandshakeKey, Listener, ListenerOptions,
    Listening, PassedStream, PollingAcceptance, Target,
};
use crate::net::tls::{TlsDetails, TlsSettings};
use crate::net::traffic::Traffic;
use crate::net::{ConnectionId, ConnectionOptions, PollingOptions};
use crate::proto::websocket::OpeningHandshake;

/// The longest time that the application waits for a worker to close a listening socket. A worker takes
/// 0.1 ms, unless its thread cannot run.
const MAX_CLOSING: Duration = Duration::from_secs(1);
const CLOSING_INTERVAL: Duration = Duration::from_micros(50);

/// A listener, as the application sees it.
pub(super) struct ListenerRoute {
    listener: Arc<Listener>,
    /// The worker that accepts.
    worker: usize,
    is_closed: bool,
    /// Workers that serve its connections, and have not reported its end.
    serving: usize,
}

/// The connections whose handshakes the application has not answered, and those that were passed with
/// TLS and are not gone on with.
#[derive(Default)]
pub(super) struct Handshakes(HashMap<(usize, HandshakeKey), Waiting>);

/// The traffic and TLS of a connection that has no id yet.
struct Waiting {
    traffic: Arc<Traffic>,
    tls: Option<Arc<TlsDetails>>,
}

impl Handshakes {
    pub(super) fn insert(&mut self, handshake: &Handshake) {
        let Handshake { worker, key, traffic, tls, .. } = handshake;
        let waiting = Waiting { traffic: Arc::clone(traffic), tls: tls.clone() };
        self.0.insert((*worker, *key), waiting);
    }

    pub(super) fn insert_stream(&mut self, stream: &PassedStream) {
        let PassedStream { worker, key, traffic, details, .. } = stream;
        let waiting = Waiting { traffic: Arc::clone(traffic), tls: Some(Arc::clone(details)) };
        self.0.insert((*worker, *key), waiting);
    }

    fn remove(&mut self, worker: usize, key: HandshakeKey) -> Option<Waiting> {
        self.0.remove(&(worker, key))
    }
}

impl ListenerRoute {
    /// Handles the end of the listener on one worker. Returns whether it was the last.
    pub(super) const fn handle_end(&mut self) -> bool {
        self.serving = self.serving.saturating_sub(1);
        self.serving == 0
    }
}

impl WorkerPool {
    /// Accepts the connections of a listening, non-blocking socket, and spreads them over `io_threads`
    /// workers. Begins after the next [`flush`](Self::flush). Returns the id of the listener.
    ///
    /// # Errors
    ///
    /// The error of the operating system, if a worker cannot be started.
    pub fn listen(
        &mut self,
        socket: TcpListener,
        options: ListenerOptions,
        io_threads: usize,
    ) -> io::Result<ConnectionId> {
        let worker = self.next_worker(io_threads.max(1))?;
        let targets = self.targets(io_threads);
        let entry = self.routes.vacant_entry();
        let id = entry.key() as ConnectionId;
        let listener = Arc::new(Listener::new(id, options));
        entry.insert(Route::Listener(ListenerRoute {
            listener: Arc::clone(&listener),
            worker,
            is_closed: false,
            serving: targets.len(),
        }));
        let listening = Listening { socket, listener, targets };
        self.command_worker(worker, Command::Listen(Box::new(listening)));
        Ok(id)
    }

    /// Replaces the options of a listener, also for connections that wait.
    ///
    /// # Errors
    ///
    /// The error of the operating system, if a worker cannot be started.
    pub fn configure_listener(
        &mut self,
        id: ConnectionId,
        options: ListenerOptions,
        io_threads: usize,
    ) -> io::Result<()> {
        self.next_worker(io_threads.max(1))?;
        let targets = self.targets(io_threads);
        let Some(Route::Listener(route)) = self.routes.get_mut(id as usize) else { return Ok(()) };
        route.listener.configure(options);
        if targets.len() > route.serving && !route.is_closed {
            route.serving = targets.len();
            self.command_acceptor(id, AcceptorCommand::Serve(targets));
        }
        self.command_acceptor(id, AcceptorCommand::Change(Change::Configure));
        Ok(())
    }

    /// Stops accepting, and blocks until the socket is closed: the caller may bind its port again at
    /// once. [`Event::Ended`](crate::net::Event::Ended) follows once no HTTP connection of this listener
    /// is left on the workers.
    pub fn close_listener(&mut self, id: ConnectionId) {
        self.command_acceptor(id, AcceptorCommand::Change(Change::Close));
        let Some(Route::Listener(route)) = self.routes.get_mut(id as usize) else { return };
        route.is_closed = true;
        let listener = Arc::clone(&route.listener);
        self.post();
        let begin = Instant::now();
        while listener.is_open() && begin.elapsed() < MAX_CLOSING {
            thread::sleep(CLOSING_INTERVAL);
        }
    }

    /// Ends the HTTP connections of a listener; if `is_idle_only`, only those between two requests. Those
    /// that are on their way to the application are asked when they arrive, see
    /// [`PassedDescriptor::is_overtaken`](crate::net::PassedDescriptor::is_overtaken).
    pub fn close_http_connections(&mut self, id: ConnectionId, is_idle_only: bool) {
        let Some(Route::Listener(route)) = self.routes.get(id as usize) else { return };
        if !is_idle_only || route.listener.options().are_fresh_idle {
            route.listener.count_closing();
        }
        let change = Change::CloseConnections { is_idle_only };
        if route.is_closed {
            // The worker that accepted has handed all connections on, and forgotten the listener.
            for worker in &mut self.workers {
                worker.queued.push(Command::Change(id, change));
            }
        } else {
            self.command_acceptor(id, AcceptorCommand::Change(change));
        }
    }

    /// Accepts a handshake: the response, with more header `lines`, is sent before all that is sent to the
    /// connection. If the peer has ended its side, the connection ends at once. Returns the id of the
    /// connection; `None` if the handshake has been answered.
    pub fn accept(
        &mut self,
        worker: usize,
        key: HandshakeKey,
        options: Arc<ConnectionOptions>,
        headers: &[u8],
    ) -> Option<ConnectionId> {
        let Waiting { traffic, tls } = self.handshakes.remove(worker, key)?;
        traffic.count_posted(OpeningHandshake::accept_len(headers));
        let mut route = ConnectionRoute::new(worker, traffic, tls);
        route.is_compressing = options.compression.is_some();
        let id = self.routes.insert(Route::Connection(route)) as ConnectionId;
        let headers = Bytes::copy_from_slice(headers);
        if let Some(worker) = self.workers.get_mut(worker) {
            worker.connections += 1;
            let acceptance = Acceptance { id, key, options, headers, polling: None };
            worker.queued.push(Command::Accept(Box::new(acceptance)));
        }
        Some(id)
    }

    /// Accepts a handshake of a session with long-polling: what is sent to the connection in the same turn
    /// is the first response. Returns as [`accept`](Self::accept) does.
    pub fn accept_polling(
        &mut self,
        worker: usize,
        key: HandshakeKey,
        options: Arc<ConnectionOptions>,
        sid: String,
        polling: PollingOptions,
    ) -> Option<ConnectionId> {
        let target = self.targets(worker + 1).pop()?;
        let Waiting { traffic, tls } = self.handshakes.remove(worker, key)?;
        let mut route = ConnectionRoute::new(worker, traffic, tls);
        route.is_compressing =
            options.compression.is_some() || polling.compression_threshold.is_some();
        route.is_polling = true;
        let id = self.routes.insert(Route::Connection(route)) as ConnectionId;
        if let Some(worker) = self.workers.get_mut(worker) {
            worker.connections += 1;
        }
        let polling = Some(PollingAcceptance { sid, options: polling, target });
        let acceptance = Acceptance { id, key, options, headers: Bytes::new(), polling };
        self.command_worker(worker, Command::Accept(Box::new(acceptance)));
        Some(id)
    }

    /// Accepts the handshake of a WebSocket for a polling session, which has these options once it has
    /// changed to it. [`Event::Upgrade`](crate::net::Event::Upgrade) reports how that goes. Returns false
    /// if the handshake has been answered.
    pub fn accept_upgrade(
        &mut self,
        worker: usize,
        key: HandshakeKey,
        id: ConnectionId,
        options: Arc<ConnectionOptions>,
        headers: &[u8],
    ) -> bool {
        let is_waiting = self.handshakes.remove(worker, key).is_some();
        if let Some(Route::Connection(route)) = self.routes.get_mut(id as usize)
            && is_waiting
        {
            route.is_compressing |= options.compression.is_some();
            let headers = Bytes::copy_from_slice(headers);
            let acceptance = Acceptance { id, key, options, headers, polling: None };
            self.command_worker(worker, Command::Accept(Box::new(acceptance)));
        }
        is_waiting
    }

    /// Goes on with a connection of [`Event::Stream`](crate::net::Event::Stream). Returns its id; `None`
    /// if it has been gone on with.
    pub fn carry(&mut self, worker: usize, key: HandshakeKey) -> Option<ConnectionId> {
        let Waiting { traffic, tls } = self.handshakes.remove(worker, key)?;
        let route = ConnectionRoute::new(worker, traffic, tls);
        let id = self.routes.insert(Route::Connection(route)) as ConnectionId;
        if let Some(worker) = self.workers.get_mut(worker) {
            worker.connections += 1;
            worker.queued.push(Command::Carry(id, key));
        }
        Some(id)
    }

    /// Gives the connections of a listener TLS, or other settings of it to those that come later. To be
    /// called before [`flush`](Self::flush) the first time.
    pub fn secure_listener(&mut self, id: ConnectionId, settings: Arc<TlsSettings>) {
        if let Some(Route::Listener(route)) = self.routes.get(id as usize) {
            route.listener.secure(settings);
        }
    }

    /// Returns what TLS has negotiated on a connection; `None` without TLS.
    #[must_use]
    pub fn tls_details(&self, id: ConnectionId) -> Option<&TlsDetails> {
        self.connection(id).and_then(|route| route.tls.as_deref())
    }

    /// Returns the same for a handshake that has not been answered.
    #[must_use]
    pub fn tls_details_of_handshake(
        &self,
        worker: usize,
        key: HandshakeKey,
    ) -> Option<&TlsDetails> {
        self.handshakes.0.get(&(worker, key)).and_then(|waiting| waiting.tls.as_deref())
    }

    /// Answers a handshake with this response and closes the connection. Does nothing if it has been
    /// answered.
    pub fn refuse(&mut self, worker: usize, key: HandshakeKey, response: &[u8]) {
        if self.handshakes.remove(worker, key).is_some() {
            self.command_worker(worker, Command::Refuse(key, Bytes::copy_from_slice(response)));
        }
    }

    /// Passes the connection of a handshake, see [`Event::Passed`](crate::net::Event::Passed). Does
    /// nothing if it has been answered.
    pub fn pass(&mut self, worker: usize, key: HandshakeKey) {
        if self.handshakes.remove(worker, key).is_some() {
            self.command_worker(worker, Command::Pass(key));
        }
    }

    /// Returns the number of connections of a listener that have been accepted, and have neither been
    /// passed nor ended, nor begun a session.
    #[must_use]
    pub fn http_connections(&self, id: ConnectionId) -> usize {
        match self.routes.get(id as usize) {
            Some(Route::Listener(route)) => route.listener.connections(),
            _ => 0,
        }
    }

    fn targets(&self, io_threads: usize) -> Vec<Target> {
        let target = |worker: &WorkerHandle| Target {
            mailbox: Arc::clone(&worker.mailbox),
            shared: Arc::clone(&worker.shared),
        };
        self.workers.iter().take(io_threads.max(1)).map(target).collect()
    }

    fn command_acceptor(&mut self, id: ConnectionId, command: AcceptorCommand) {
        if let Some(Route::Listener(route)) = self.routes.get(id as usize) {
            let worker = route.worker;
            self.command_worker(worker, Command::Acceptor(id, command));
        }
    }

    fn command_worker(&mut self, worker: usize, command: Command) {
        if let Some(worker) = self.workers.get_mut(worker) {
            worker.queued.push(command);
        }
    }
}
