//! The listeners of one worker.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, TcpStream as StdTcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use slab::Slab;
use tokio::net::TcpStream;

use super::acceptor::Acceptor;
use super::carrier::{Carrier, PassedStream, WaitingStream};
use super::handshake::{
    Handshake, HandshakeKey, HandshakeTransport, Offer, OfferedRequest, WaitingHandshake,
};
use super::http_connection::HttpConnection;
use super::session_request::{SessionExchange, SessionRequest};
use super::sid::SidGenerator;
use super::source::Source;
use super::tls::{DetachedTls, TlsSource};
use super::{Accepted, AcceptorCommand, Change, Listener, Listening, PassedDescriptor, Target};
use crate::net::command::{Command, ConnectionCommand};
use crate::net::connection_task::ConnectionTask;
use crate::net::traffic::Traffic;
use crate::net::worker::Worker;
use crate::net::{ConnectionId, EndReason, Event};

/// The longest and the shortest time between two looks at all HTTP connections of a listener.
const MAX_SWEEP: Duration = Duration::from_secs(1);
const MIN_SWEEP: Duration = Duration::from_millis(20);

/// The descriptor of no socket.
const NO_DESCRIPTOR: RawFd = -1;

/// A worker's part in all listeners: the sockets from which it accepts, and its HTTP connections.
#[derive(Default)]
pub(in crate::net) struct Listeners {
    acceptors: RefCell<Vec<Rc<Acceptor>>>,
    served: RefCell<Vec<Rc<Served>>>,
    handshakes: RefCell<HashMap<HandshakeKey, WaitingHandshake>>,
    /// TLS connections that the application has been given, and has not gone on with.
    streams: RefCell<HashMap<HandshakeKey, WaitingStream>>,
    carriers: RefCell<HashMap<ConnectionId, Rc<Carrier>>>,
    last_key: Cell<HandshakeKey>,
    sids: RefCell<SidGenerator>,
    /// For request heads that are looked at.
    pub(super) buffer: RefCell<Vec<u8>>,
    /// For bytes of the application that TLS connections carry.
    pub(super) carried: RefCell<Vec<u8>>,
}

impl Listeners {
    /// Begins to accept.
    pub(in crate::net) fn listen(&self, worker: &Rc<Worker>, listening: Listening) {
        let (id, targets) = (listening.listener.id, listening.targets.clone());
        match Acceptor::new(Rc::clone(worker), listening) {
            Ok(acceptor) => {
                let acceptor = Rc::new(acceptor);
                self.acceptors.borrow_mut().push(Rc::clone(&acceptor));
                tokio::task::spawn_local(poll_fn(move |context| acceptor.poll(context)));
            }
            Err(_) => post_change(&targets, id, Change::Close),
        }
    }

    /// Executes a command to the worker that accepts.
    pub(in crate::net) fn command(&self, id: ConnectionId, command: AcceptorCommand) {
        let mut acceptors = self.acceptors.borrow_mut();
        let Some(index) = acceptors.iter().position(|acceptor| acceptor.listener.id == id) else {
            return;
        };
        let Some(acceptor) = acceptors.get(index).cloned() else { return };
        match command {
            AcceptorCommand::Serve(targets) => *acceptor.targets.borrow_mut() = targets,
            AcceptorCommand::Change(change) => {
                match change {
                    Change::Close => {
                        acceptor.close();
                        acceptors.remove(index);
                    }
                    Change::Configure => acceptor.wake(),
                    Change::CloseConnections { .. } => {}
                }
                post_change(&acceptor.targets.borrow(), id, change);
            }
        }
    }

    /// Makes a change of a listener.
    pub(in crate::net) fn change(&self, worker: &Worker, id: ConnectionId, change: Change) {
        match (self.find(id), change) {
            (None, Change::Close) => worker.emit(id, Event::Ended(EndReason::Closed)),
            (None, _) => {}
            (Some(served), change) => served.change(worker, change),
        }
    }

    /// Passes a connection that has just been accepted. It counts as accepted only while it is on its way.
    pub(super) fn pass_accepted(
        &self,
        worker: &Worker,
        listener: &Arc<Listener>,
        stream: StdTcpStream,
    ) {
        let descriptor = PassedDescriptor::new(stream.into(), listener, listener.closings());
        worker.emit(listener.id, Event::Passed { descriptor, is_overdue: false });
    }

    /// Serves a connection. `peer` is its address; `None` if another worker has served it before.
    pub(in crate::net) fn serve(
        &self,
        worker: &Rc<Worker>,
        listener: &Arc<Listener>,
        stream: io::Result<TcpStream>,
        tls: Option<Box<DetachedTls>>,
        peer: Option<SocketAddr>,
    ) {
        let known = self.find(listener.id);
        if known.is_none() && peer.is_none() && !listener.is_open() {
            // This worker has reported the end of the listener.
            listener.connections.fetch_sub(1, Ordering::Relaxed);
            worker.shared.http_connections.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        let served = known.unwrap_or_else(|| {
            let served = Rc::new(Served::new(Arc::clone(listener)));
            self.served.borrow_mut().push(Rc::clone(&served));
            served
        });
        match (stream, tls) {
            (Ok(stream), None) => served.serve(worker, stream, peer),
            (Ok(stream), Some(tls)) => {
                let source = TlsSource::attach(stream, *tls);
                served.begin(worker, Source::Tls(Box::new(source)), peer, false);
            }
            (Err(_), _) => served.count_end(worker),
        }
    }

    /// Handles a time that a listener has set.
    pub(in crate::net) fn handle_due(&self, worker: &Worker, id: ConnectionId, now: Instant) {
        if let Some(served) = self.find(id) {
            served.sweep(worker, now);
        }
    }

    /// Keeps a handshake until the application answers it. Returns the key for the answer.
    fn add_handshake(&self, handshake: WaitingHandshake) -> HandshakeKey {
        self.add(&mut self.handshakes.borrow_mut(), handshake)
    }

    fn add<T>(&self, waiting: &mut HashMap<HandshakeKey, T>, value: T) -> HandshakeKey {
        loop {
            let key = self.last_key.get().wrapping_add(1);
            self.last_key.set(key);
            // An application may leave one unanswered for as long as all others take.
            if let Entry::Vacant(entry) = waiting.entry(key) {
                entry.insert(value);
                return key;
            }
        }
    }

    /// Goes on with a TLS connection that has been passed.
    pub(in crate::net) fn carry(&self, worker: &Rc<Worker>, id: ConnectionId, key: HandshakeKey) {
        let Some(stream) = self.streams.borrow_mut().remove(&key) else { return };
        worker.shared.http_connections.fetch_add(1, Ordering::Relaxed);
        let carrier = Rc::new(stream.carry(Rc::clone(worker), id));
        self.carriers.borrow_mut().insert(id, Rc::clone(&carrier));
        tokio::task::spawn_local(poll_fn(move |context| carrier.poll(context)));
    }

    /// Executes a command to a TLS connection that has been passed.
    pub(in crate::net) fn command_carrier(&self, id: ConnectionId, command: ConnectionCommand) {
        if let Some(carrier) = self.carriers.borrow().get(&id) {
            carrier.handle_command(command);
        }
    }

    /// Forgets a TLS connection that has ended, and reports that.
    pub(super) fn remove_carrier(&self, worker: &Worker, id: ConnectionId, reason: EndReason) {
        self.carriers.borrow_mut().remove(&id);
        worker.shared.http_connections.fetch_sub(1, Ordering::Relaxed);
        worker.emit(id, Event::Ended(reason));
    }

    /// Removes and returns a handshake that waits.
    pub(in crate::net) fn take_handshake(&self, key: HandshakeKey) -> Option<WaitingHandshake> {
        self.handshakes.borrow_mut().remove(&key)
    }

    /// Refuses a handshake with this response.
    pub(in crate::net) fn refuse(&self, worker: &Worker, key: HandshakeKey, response: &[u8]) {
        if let Some(handshake) = self.take_handshake(key) {
            handshake.refuse(worker, response);
        }
    }

    /// Passes the connection of a handshake.
    pub(in crate::net) fn pass(&self, worker: &Worker, key: HandshakeKey) {
        if let Some(handshake) = self.take_handshake(key) {
            handshake.pass(worker);
        }
    }

    fn next_sid(&self) -> Option<String> {
        self.sids.borrow_mut().next_sid().ok()
    }

    /// Ends all tasks of listeners, and closes their connections.
    pub(in crate::net) fn shut_down(&self) {
        self.acceptors.take().iter().for_each(|acceptor| acceptor.wake());
        self.handshakes.take();
        self.streams.take();
        self.carriers.take().values().for_each(|carrier| carrier.wake());
        for served in self.served.take() {
            let connections = served.connections.take();
            connections.iter().for_each(|(_, connection)| connection.reconsider());
            let exchanges = served.exchanges.take();
            exchanges.iter().for_each(|(_, exchange)| exchange.reconsider());
        }
    }

    fn find(&self, id: ConnectionId) -> Option<Rc<Served>> {
        self.served.borrow().iter().find(|served| served.listener.id == id).cloned()
    }

    fn remove(&self, id: ConnectionId) {
        self.served.borrow_mut().retain(|served| served.listener.id != id);
    }
}

fn post_change(targets: &[Target], id: ConnectionId, change: Change) {
    for target in targets {
        target.mailbox.post(vec![Command::Change(id, change)]);
    }
}

/// The HTTP connections of a listener on one worker.
pub(in crate::net) struct Served {
    pub(super) listener: Arc<Listener>,
    connections: RefCell<Slab<Rc<HttpConnection>>>,
    /// Connections whose requests sessions have.
    exchanges: RefCell<Slab<Rc<SessionExchange>>>,
    /// Those whose handshake waits for the application.
    handshakes: Cell<usize>,
    /// Set when there are no more to come.
    is_closed: Cell<bool>,
    is_sweep_scheduled: Cell<bool>,
}

impl Served {
    fn new(listener: Arc<Listener>) -> Self {
        Self {
            listener,
            connections: RefCell::default(),
            exchanges: RefCell::default(),
            handshakes: Cell::default(),
            is_closed: Cell::default(),
            is_sweep_scheduled: Cell::default(),
        }
    }

    fn serve(self: &Rc<Self>, worker: &Rc<Worker>, stream: TcpStream, peer: Option<SocketAddr>) {
        if self.listener.options().is_passing {
            self.pass(worker, Source::Plain(stream));
            return self.count_end(worker);
        }
        let Ok(source) = Source::new(stream, self.listener.tls()) else {
            return self.count_end(worker);
        };
        self.begin(worker, source, peer, false);
    }

    fn begin(
        self: &Rc<Self>,
        worker: &Rc<Worker>,
        source: Source,
        peer: Option<SocketAddr>,
        is_kept: bool,
    ) {
        let connection = {
            let mut connections = self.connections.borrow_mut();
            let entry = connections.vacant_entry();
            let owner = (Rc::clone(worker), Rc::clone(self));
            let connection = HttpConnection::new(owner, source, peer, entry.key(), is_kept);
            Rc::clone(entry.insert(Rc::new(connection)))
        };
        self.schedule_sweep(worker, Instant::now());
        tokio::task::spawn_local(poll_fn(move |context| connection.poll(context)));
    }

    /// Passes a connection to the application.
    pub(super) fn pass(&self, worker: &Worker, stream: Source) {
        self.pass_waiting(worker, stream, self.listener.closings(), false);
    }

    /// Passes a connection that has waited for a request head: `closings` are those of the listener that it
    /// has outlived, and it is overdue if the head has not come in time.
    pub(super) fn pass_waiting(
        &self,
        worker: &Worker,
        stream: Source,
        closings: u32,
        is_overdue: bool,
    ) {
        let event = match stream {
            Source::Plain(stream) => stream
                .into_std()
                .map(|stream| PassedDescriptor::new(stream.into(), &self.listener, closings))
                .map(|descriptor| Event::Passed { descriptor, is_overdue }),
            Source::Tls(source) => self.event_of_stream(worker, *source, closings, is_overdue),
        };
        // Descriptors may have run out.
        if let Ok(event) = event {
            worker.emit(self.listener.id, event);
        }
    }

    fn event_of_stream(
        &self,
        worker: &Worker,
        source: TlsSource,
        closings: u32,
        is_overdue: bool,
    ) -> io::Result<Event> {
        let options = self.listener.options();
        let (stream, pair, details) = WaitingStream::new(source, &options)?;
        let traffic = Arc::clone(&stream.traffic);
        let key = worker.listeners.add(&mut worker.listeners.streams.borrow_mut(), stream);
        let descriptor = PassedDescriptor::new(pair.into(), &self.listener, closings);
        let worker = worker.index;
        let stream = PassedStream { worker, key, descriptor, is_overdue, details, traffic };
        Ok(Event::Stream(Box::new(stream)))
    }

    /// Reports that a client and this server do not agree about TLS.
    pub(super) fn report_tls_failure(&self, worker: &Worker, stream: &Source, code: &'static str) {
        let (address, _) = stream.address(None).unwrap_or_default();
        worker.emit(self.listener.id, Event::TlsFailed { code, address });
    }

    /// Offers a request to the application. It is passed where the operating system has no random bytes,
    /// or no name for the peer.
    pub(super) fn offer(
        self: &Rc<Self>,
        worker: &Worker,
        stream: Source,
        peer: Option<SocketAddr>,
        offer: Offer,
    ) {
        let Offer { path, head, request } = offer;
        let (transport, sid) = match &request {
            OfferedRequest::Polling(_) => {
                (HandshakeTransport::Polling, worker.listeners.next_sid())
            }
            OfferedRequest::WebSocket(_) => {
                (HandshakeTransport::WebSocket, worker.listeners.next_sid())
            }
            OfferedRequest::Upgrade(_, sid) => (HandshakeTransport::Upgrade, Some(sid.clone())),
        };
        let (Some((address, port)), Some(sid)) = (stream.address(peer), sid) else {
            self.pass(worker, stream);
            return self.count_end(worker);
        };
        let length = head.len();
        // A polling session has no socket of its own.
        let has_socket = transport != HandshakeTransport::Polling;
        let socket = stream.socket();
        let descriptor = if has_socket { socket.as_raw_fd() } else { NO_DESCRIPTOR };
        let local_address = if has_socket { None } else { socket.local_addr().ok() };
        let traffic = Traffic::accepted(descriptor, port, length as u64);
        let traffic = Arc::new(traffic.with_local_address(local_address));
        let of_application = Arc::clone(&traffic);
        let (served, tls) = (Rc::clone(self), stream.tls_details());
        self.handshakes.set(self.handshakes.get() + 1);
        let waiting = WaitingHandshake { served, stream, length, request, traffic };
        let handshake = Handshake {
            worker: worker.index,
            key: worker.listeners.add_handshake(waiting),
            path,
            transport,
            head,
            sid,
            address,
            port,
            traffic: of_application,
            tls,
        };
        worker.emit(self.listener.id, Event::Handshake(Box::new(handshake)));
    }

    /// Counts a connection out whose handshake has been answered.
    pub(super) fn end_handshake(&self, worker: &Worker) {
        self.release_handshake();
        self.count_end(worker);
    }

    /// Counts an answered handshake whose connection stays.
    pub(super) fn release_handshake(&self) {
        self.handshakes.set(self.handshakes.get() - 1);
    }

    /// Gives a request to its session, and waits for the response.
    pub(in crate::net) fn serve_session(
        self: &Rc<Self>,
        worker: &Rc<Worker>,
        session: Rc<ConnectionTask>,
        request: &SessionRequest,
        mut stream: Source,
    ) {
        if request.payload.is_none() {
            // The handshake has been read when it was accepted.
            if request.head > 0 && !stream.skip(request.head) {
                return self.count_end(worker);
            }
            session.handle_poll(&request.exchange);
        }
        let exchange = {
            let mut exchanges = self.exchanges.borrow_mut();
            let entry = exchanges.vacant_entry();
            let owner = (Rc::clone(worker), Rc::clone(self));
            let exchange = SessionExchange::begin(owner, session, request, stream, entry.key());
            Rc::clone(entry.insert(Rc::new(exchange)))
        };
        self.schedule_sweep(worker, Instant::now());
        tokio::task::spawn_local(poll_fn(move |context| exchange.poll(context)));
    }

    /// Forgets the task of a request.
    pub(super) fn remove_exchange(&self, index: usize) {
        self.exchanges.borrow_mut().try_remove(index);
    }

    /// Waits for the next request of a connection.
    pub(super) fn serve_next(self: &Rc<Self>, worker: &Rc<Worker>, stream: Source) {
        self.begin(worker, stream, None, true);
    }

    /// Moves a connection to another worker, where its session is.
    pub(super) fn move_to(&self, worker: &Worker, target: &Target, stream: Source) {
        let listener = Arc::clone(&self.listener);
        let (stream, tls) = stream.detach();
        let accepted = Accepted { listener, stream, tls, peer: None };
        target.shared.http_connections.fetch_add(1, Ordering::Relaxed);
        target.mailbox.post(vec![Command::Accepted(Box::new(accepted))]);
        worker.shared.http_connections.fetch_sub(1, Ordering::Relaxed);
        self.end_if_over(worker);
    }

    /// Forgets the task of a connection.
    pub(super) fn remove(&self, index: usize) {
        self.connections.borrow_mut().try_remove(index);
    }

    /// Counts a connection out that is passed, begins a session or has ended.
    pub(in crate::net) fn count_end(&self, worker: &Worker) {
        self.listener.connections.fetch_sub(1, Ordering::Relaxed);
        worker.shared.http_connections.fetch_sub(1, Ordering::Relaxed);
        self.end_if_over(worker);
    }

    fn change(&self, worker: &Worker, change: Change) {
        match change {
            Change::Configure => {
                self.schedule_sweep(worker, Instant::now());
                let connections = self.connections.borrow();
                connections.iter().for_each(|(_, connection)| connection.reconsider());
            }
            Change::Close => {
                self.is_closed.set(true);
                self.end_if_over(worker);
            }
            Change::CloseConnections { is_idle_only } => {
                let are_fresh_idle = self.listener.options().are_fresh_idle;
                for (_, connection) in self.connections.borrow().iter() {
                    let is_idle = connection.is_idle() || are_fresh_idle && connection.is_fresh();
                    if is_idle || !is_idle_only {
                        connection.close();
                    }
                }
                if !is_idle_only {
                    let exchanges = self.exchanges.borrow();
                    exchanges.iter().for_each(|(_, exchange)| exchange.close());
                }
            }
        }
    }

    fn end_if_over(&self, worker: &Worker) {
        let has_connections =
            !self.connections.borrow().is_empty() || !self.exchanges.borrow().is_empty();
        let is_empty = self.handshakes.get() == 0 && !has_connections;
        if is_empty && self.is_closed.get() {
            worker.listeners.remove(self.listener.id);
            worker.emit(self.listener.id, Event::Ended(EndReason::Closed));
        }
    }

    /// Looks at all connections; ends those whose request has not come in time.
    fn sweep(&self, worker: &Worker, now: Instant) {
        self.is_sweep_scheduled.set(false);
        let options = self.listener.options();
        {
            let connections = self.connections.borrow();
            for (_, connection) in connections.iter() {
                if connection.due(&options).is_some_and(|due| due <= now) {
                    connection.end_overdue(options.is_passing_overdue);
                }
            }
        }
        if let Some(timeout) = options.request_timeout {
            let exchanges = self.exchanges.borrow();
            exchanges.iter().for_each(|(_, exchange)| exchange.handle_time(now, timeout));
        }
        self.schedule_sweep(worker, now);
    }

    /// Schedules the next sweep, while there are connections with a time limit.
    fn schedule_sweep(&self, worker: &Worker, now: Instant) {
        let of_tls = self.listener.tls().map(|tls| tls.handshake_timeout());
        let timeouts = [self.listener.options().shortest_timeout(), of_tls];
        let Some(timeout) = timeouts.into_iter().flatten().min() else { return };
        let has_connections =
            !self.connections.borrow().is_empty() || !self.exchanges.borrow().is_empty();
        if has_connections && !self.is_sweep_scheduled.replace(true) {
            let interval = (timeout / 8).clamp(MIN_SWEEP, MAX_SWEEP);
            worker.add_deadline(self.listener.id, now + interval);
        }
    }
}
