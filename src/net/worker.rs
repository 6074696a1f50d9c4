//! A worker: the owner of connections, on a thread that it may share with workers of other pools.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use std::sync::mpsc::Sender;
use std::task::{Context, Poll, Waker, ready};
use std::thread;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::net::TcpStream;
use tokio::sync::mpsc::UnboundedReceiver;

use super::clock::{stamp, ticks};
use super::command::{Batch, Broadcast, Command, ConnectionCommand, Opening};
use super::connection::Turn;
use super::connection_task::ConnectionTask;
use super::deadlines::{Deadlines, Ticket};
use super::listener::{
    Acceptance, Accepted, Beginning, Listeners, PollingAcceptance, SessionRequest,
};
use super::liveness::{Liveness, SIGN_INTERVAL};
use super::pace::{Pace, WORKER_TEMPO};
use super::polling::{PollingTransport, SessionDirectory, SessionPlace, Upgrading};
use super::stats::{SingleWriterCounter, WorkerCounters, WorkerStats};
use super::stream::Stream;
use super::traffic::Traffic;
use super::{ConnectionId, ConnectionOptions, EndReason, Event};
use crate::fanout::{RoomId, Rooms, Stamp};

/// The bytes of events that the application has not taken, above which a worker does not read.
pub const MAX_HELD_BYTES: usize = 4 * 1024 * 1024;

/// The most bytes of one read; as in Node.js.
pub(super) const READ_BUFFER: usize = 64 * 1024;

/// Stands among the ids of the deadlines for all events that wait for others.
const SIGN: ConnectionId = ConnectionId::MAX;

/// The events that a worker sends to the application at once, in the order of each connection.
pub(super) type EventBatch = Vec<(ConnectionId, Event)>;

/// Notifies the application that there are events. Called on a worker's thread.
pub(super) type Notify = Arc<dyn Fn() + Send + Sync>;

/// State that a worker shares with the application.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) counters: WorkerCounters,
    /// Batches of commands that the worker has executed.
    pub(super) batches_done: SingleWriterCounter,
    /// Bytes of events that the application has not received.
    pub(super) held_bytes: AtomicUsize,
    /// Connections that have been accepted, and are neither a session's nor passed, nor have ended.
    pub(super) http_connections: AtomicUsize,
    /// Set while a connection does not read until the application has taken events.
    pub(super) has_stalled: AtomicBool,
    /// Set once the application ends the worker: what waits is sent without compression.
    pub(super) is_ending: AtomicBool,
}

impl Shared {
    /// Returns the number of connections.
    pub(super) fn connections(&self) -> usize {
        let sessions = self.counters.connections.value() as usize;
        sessions + self.http_connections.load(Ordering::Relaxed)
    }

    /// Returns the counters of the worker.
    pub(super) fn stats(&self) -> WorkerStats {
        let http_connections = self.http_connections.load(Ordering::Relaxed) as u64;
        WorkerStats { http_connections, ..self.counters.read() }
    }
}

/// The sending end of a worker's event queue.
pub(super) struct EventSink {
    pub(super) batches: Sender<EventBatch>,
    /// One for all workers of a pool.
    pub(super) liveness: Arc<Liveness>,
    /// One for all workers of a pool.
    pub(super) sessions: Arc<SessionDirectory>,
    pub(super) notify: Notify,
}

/// The state that the tasks of one worker share: all its connections, their rooms, and the events
/// on their way to the application.
///
/// Lives on one thread; every task holds it by reference, and no `RefCell` of it stays borrowed
/// while a task waits. The tasks are:
///
/// - [`serve`](Self::serve), which receives batches of commands and executes them, then flushes the
///   *dirty* connections, those that have queued something;
/// - one for each connection, [`ConnectionTask::poll`], which calls [`emit`](Self::emit) for each
///   event, [`is_stalled`](Self::is_stalled) before each read, and [`leave`](Self::leave) at its
///   end;
/// - those of [`Listeners`], which accept connections and look at their requests;
/// - [`poll_gathered`](Self::poll_gathered), which sends the gathered events to the application
///   once the tasks that were ready have run;
/// - [`poll_deadlines`](Self::poll_deadlines), which sends pings and judges peers that do not answer.
///
/// All of them end after [`shut_down`](Self::shut_down).
pub(super) struct Worker {
    /// The position among the workers of its pool.
    pub(super) index: usize,
    pub(super) shared: Arc<Shared>,
    sink: EventSink,
    /// The read buffer of all connections; empty between two reads.
    pub(super) buffer: RefCell<BytesMut>,
    /// Indexed by connection id.
    connections: RefCell<Vec<Option<Rc<ConnectionTask>>>>,
    rooms: RefCell<Rooms>,
    pub(super) listeners: Listeners,
    /// Connections that have queued frames since they were last flushed.
    dirty: RefCell<Vec<Rc<ConnectionTask>>>,
    /// The application's turn to which the current command belongs.
    turn: Cell<Turn>,
    /// The time from which frames that are queued now count as waiting.
    queued_at: Cell<Stamp>,
    gathered: RefCell<EventBatch>,
    /// The memory that they occupy, in bytes.
    gathered_bytes: Cell<usize>,
    /// Set while the task that sends them to the application has been woken.
    is_gatherer_woken: Cell<bool>,
    /// Wakes the task that sends `gathered` to the application.
    gatherer: RefCell<Option<Waker>>,
    /// Wake the connections that do not read until the application has taken events.
    stalled: RefCell<Vec<Waker>>,
    deadlines: RefCell<Deadlines>,
    /// Set while [`SIGN`] is among the deadlines.
    is_sign_scheduled: Cell<bool>,
    pace: RefCell<Pace>,
    is_shut_down: Cell<bool>,
}

/// Spawns the tasks of a worker on the calling thread. `sink` is dropped when the last of them has
/// ended.
pub(super) fn spawn(
    index: usize,
    shared: Arc<Shared>,
    sink: EventSink,
    commands: UnboundedReceiver<Batch>,
) {
    let worker = Rc::new(Worker::new(index, shared, sink));
    let gatherer = Rc::clone(&worker);
    tokio::task::spawn_local(poll_fn(move |context| gatherer.poll_gathered(context)));
    let watcher = Rc::clone(&worker);
    tokio::task::spawn_local(poll_fn(move |context| watcher.poll_deadlines(context)));
    tokio::task::spawn_local(worker.serve(commands));
}

/// Ends all tasks of a worker when it is dropped: also if a command panics.
struct Service(Rc<Worker>);

impl Drop for Service {
    fn drop(&mut self) {
        self.0.shut_down();
    }
}

impl Worker {
    fn new(index: usize, shared: Arc<Shared>, sink: EventSink) -> Self {
        Self {
            index,
            shared,
            sink,
            buffer: RefCell::default(),
            connections: RefCell::default(),
            rooms: RefCell::default(),
            listeners: Listeners::default(),
            dirty: RefCell::default(),
            turn: Cell::default(),
            queued_at: Cell::default(),
            gathered: RefCell::default(),
            gathered_bytes: Cell::default(),
            is_gatherer_woken: Cell::default(),
            gatherer: RefCell::default(),
            stalled: RefCell::default(),
            deadlines: RefCell::default(),
            is_sign_scheduled: Cell::default(),
            pace: RefCell::new(Pace::new(WORKER_TEMPO, Instant::now())),
            is_shut_down: Cell::new(false),
        }
    }

    /// Executes batches of commands until one of them shuts the worker down.
    async fn serve(self: Rc<Self>, mut commands: UnboundedReceiver<Batch>) {
        let _service = Service(Rc::clone(&self));
        while let Some(batch) = commands.recv().await {
            self.shared.counters.wakes.add(1);
            self.handle_batch(batch);
            // A thread that finds the batch done sees its changes.
            fence(Ordering::Release);
            self.shared.batches_done.add(1);
            if self.is_shut_down.get() {
                return;
            }
        }
    }

    /// Executes the commands, then writes, so that all frames of one turn leave together.
    fn handle_batch(self: &Rc<Self>, batch: Batch) {
        self.begin_turn();
        self.queued_at.set(batch.sent);
        for command in batch.commands {
            self.handle_command(command);
        }
        for task in self.dirty.take() {
            task.flush();
        }
    }

    fn begin_turn(&self) {
        self.turn.set(self.turn.get() + 1);
    }

    /// Returns the application's turn to which the current command belongs.
    pub(super) fn turn(&self) -> Turn {
        self.turn.get()
    }

    /// Returns the time from which frames that are queued now count as waiting.
    pub(super) fn queued_at(&self) -> Stamp {
        self.queued_at.get()
    }

    /// Sets the time at which the worker has found something to do by itself.
    pub(super) fn handle_time(&self, now: Stamp) {
        self.queued_at.set(now);
    }

    /// Schedules the flush of a connection after the batch. Must be called once per flush.
    pub(super) fn add_dirty(&self, task: &Rc<ConnectionTask>) {
        self.dirty.borrow_mut().push(Rc::clone(task));
    }

    fn handle_command(self: &Rc<Self>, command: Command) {
        match command {
            Command::Open(opening) => self.open(*opening),
            Command::Connection(id, command) => self.handle_connection_command(id, command),
            Command::Broadcast(broadcast) => self.broadcast(&broadcast),
            Command::Join(room, id) => self.join(room, id),
            Command::Leave(room, id) => self.rooms.borrow_mut().leave(room, id),
            Command::RemoveRoom(room) => self.rooms.borrow_mut().remove(room),
            Command::Listen(listening) => self.listeners.listen(self, *listening),
            Command::Acceptor(id, command) => self.listeners.command(id, command),
            Command::Accepted(accepted) => self.serve_accepted(*accepted),
            Command::Change(id, change) => self.listeners.change(self, id, change),
            Command::Accept(acceptance) => self.accept(*acceptance),
            Command::Refuse(key, response) => self.listeners.refuse(self, key, &response),
            Command::Pass(key) => self.listeners.pass(self, key),
            Command::Carry(id, key) => self.listeners.carry(self, id, key),
            Command::BeginTurn => self.begin_turn(),
            Command::Taken => self.stalled.take().into_iter().for_each(Waker::wake),
            Command::Shutdown => self.is_shut_down.set(true),
        }
    }

    fn open(self: &Rc<Self>, opening: Opening) {
        let Opening { id, stream, input, options, traffic } = opening;
        self.shared.counters.opened.add(1);
        match TcpStream::from_std(stream) {
            Ok(stream) => {
                let task = self.start(id, Stream::Plain(stream), options, traffic);
                task.handle_early_input(input);
            }
            Err(error) => {
                self.fail(id, EndReason::Io(error.raw_os_error().unwrap_or_default()));
            }
        }
    }

    /// Starts the task of a connection.
    fn start(
        self: &Rc<Self>,
        id: ConnectionId,
        stream: Stream,
        options: Arc<ConnectionOptions>,
        traffic: Arc<Traffic>,
    ) -> Rc<ConnectionTask> {
        self.shared.counters.connections.add(1);
        let task = Rc::new(ConnectionTask::new(Rc::clone(self), id, stream, options, traffic));
        self.insert(id, Rc::clone(&task));
        task.open_session();
        let polled = Rc::clone(&task);
        tokio::task::spawn_local(poll_fn(move |context| polled.poll(context)));
        task
    }

    /// Reports the end of a connection that has no task.
    fn fail(&self, id: ConnectionId, reason: EndReason) {
        self.shared.counters.count_end(reason);
        self.emit(id, Event::Ended(reason));
    }

    /// Begins a connection with the WebSocket of a handshake that the application has accepted.
    fn accept(self: &Rc<Self>, acceptance: Acceptance) {
        let Acceptance { id, key, options, headers, polling } = acceptance;
        let Some(handshake) = self.listeners.take_handshake(key) else { return };
        let is_upgrade = handshake.is_upgrade();
        let has_begun = handshake.accept(self, &headers, |beginning| match (beginning, polling) {
            (Beginning::WebSocket { stream, response, input, traffic }, _) => {
                self.shared.counters.opened.add(1);
                let task = self.start(id, stream, options, traffic);
                task.send_response(response);
                task.handle_early_input(input);
            }
            (Beginning::Polling { served, stream, exchange, traffic }, Some(polling)) => {
                self.shared.counters.opened.add(1);
                let session = self.start_polling(id, options, polling, traffic);
                let request = SessionRequest { exchange, head: 0, payload: None };
                served.serve_session(self, session, &request, stream);
            }
            (Beginning::Upgrade { stream, response, input, traffic }, _) => {
                let output = BytesMut::from(response);
                self.upgrade(id, Upgrading { stream, output, input, options, traffic });
            }
            (Beginning::Polling { served, .. }, None) => {
                served.count_end(self);
                self.handle_gone(id);
            }
        });
        if !has_begun && is_upgrade {
            self.handle_abandoned_upgrade(id);
        } else if !has_begun {
            self.handle_gone(id);
        }
    }

    /// Starts a session with long-polling.
    fn start_polling(
        self: &Rc<Self>,
        id: ConnectionId,
        options: Arc<ConnectionOptions>,
        polling: PollingAcceptance,
        traffic: Arc<Traffic>,
    ) -> Rc<ConnectionTask> {
        let PollingAcceptance { sid, options: polling, target } = polling;
        self.sessions().insert(&sid, SessionPlace { target, worker: self.index, id });
        let transport = PollingTransport::new(&sid, polling);
        self.start(id, Stream::Polling(Box::new(transport)), options, traffic)
    }

    /// Begins to change a polling session to a WebSocket. If it is over, the WebSocket's connection ends.
    fn upgrade(&self, id: ConnectionId, upgrading: Upgrading) {
        let session = self.connection(id);
        if let Some(probe) = session.and_then(|session| session.begin_upgrade(upgrading)) {
            tokio::task::spawn_local(poll_fn(move |context| probe.poll(context)));
        }
    }

    /// Handles the acceptance of a handshake whose peer has ended its side.
    fn handle_gone(&self, id: ConnectionId) {
        self.shared.counters.opened.add(1);
        self.fail(id, EndReason::PeerEnded);
    }

    /// Handles the same for a WebSocket of a session. The session may be over: its end is reported then.
    fn handle_abandoned_upgrade(&self, id: ConnectionId) {
        if let Some(session) = self.connection(id) {
            session.report_abandoned_upgrade();
        }
    }

    /// Returns a connection of this worker.
    pub(super) fn connection(&self, id: ConnectionId) -> Option<Rc<ConnectionTask>> {
        self.connections.borrow().get(id as usize).cloned().flatten()
    }

    fn serve_accepted(self: &Rc<Self>, accepted: Accepted) {
        let Accepted { listener, stream, tls, peer } = accepted;
        let stream = stream.and_then(TcpStream::from_std);
        self.listeners.serve(self, &listener, stream, tls, peer);
    }

    fn insert(&self, id: ConnectionId, task: Rc<ConnectionTask>) {
        let mut connections = self.connections.borrow_mut();
        let index = id as usize;
        if connections.len() <= index {
            connections.resize(index + 1, None);
        }
        if let Some(entry) = connections.get_mut(index) {
            *entry = Some(task);
        }
    }

    fn handle_connection_command(&self, id: ConnectionId, command: ConnectionCommand) {
        let connections = self.connections.borrow();
        match connections.get(id as usize) {
            Some(Some(task)) => task.handle_command(command),
            _ => self.listeners.command_carrier(id, command),
        }
    }

    fn broadcast(&self, broadcast: &Broadcast) {
        self.shared.counters.broadcasts.add(1);
        let connections = self.connections.borrow();
        self.rooms.borrow().for_each(&broadcast.recipients, |id| {
            if let Some(Some(task)) = connections.get(id as usize) {
                task.handle_broadcast(&broadcast.packet, broadcast.is_volatile);
            }
        });
    }

    /// Adds a connection to a room, unless it has ended: its id may soon be reused.
    fn join(&self, room: RoomId, id: ConnectionId) {
        if let Some(Some(_)) = self.connections.borrow().get(id as usize) {
            self.rooms.borrow_mut().join(room, id);
        }
    }

    /// Writes what the sockets accept at once, and ends all tasks of this worker.
    fn shut_down(&self) {
        self.is_shut_down.set(true);
        for task in self.connections.take().into_iter().flatten() {
            task.write_last();
        }
        self.dirty.take();
        self.listeners.shut_down();
        self.gatherer.take().into_iter().for_each(Waker::wake);
        self.deadlines.borrow_mut().wake();
    }

    /// Returns whether all tasks of this worker must end.
    pub(super) const fn is_shut_down(&self) -> bool {
        self.is_shut_down.get()
    }

    /// Removes a connection that has ended, and reports its end. Its descriptor closes when its
    /// task is dropped.
    pub(super) fn leave(&self, id: ConnectionId, reason: EndReason) {
        if let Some(entry) = self.connections.borrow_mut().get_mut(id as usize) {
            *entry = None;
        }
        self.rooms.borrow_mut().leave_all(id);
        self.shared.counters.connections.subtract(1);
        self.shared.counters.count_end(reason);
        self.emit(id, Event::Ended(reason));
    }

    /// Gathers an event for the application.
    pub(super) fn emit(&self, id: ConnectionId, event: Event) {
        self.push(id, event);
        self.wake_gatherer();
    }

    fn push(&self, id: ConnectionId, event: Event) {
        self.gathered_bytes.set(self.gathered_bytes.get() + event.held_bytes());
        self.gathered.borrow_mut().push((id, event));
    }

    /// Gathers an event. Heartbeats wait for others, or for
    /// [`schedule_delivery`](Self::schedule_delivery).
    pub(super) fn gather(&self, id: ConnectionId, event: Event) {
        let is_heartbeat = matches!(event, Event::Heartbeat(_));
        self.push(id, event);
        if !is_heartbeat {
            self.wake_gatherer();
        }
    }

    /// Sends gathered heartbeats to the application: at once, or within [`SIGN_INTERVAL`]. The
    /// application shows that it is alive when it takes them.
    pub(super) fn schedule_delivery(&self, is_urgent: bool, now: Instant) {
        if is_urgent || self.sink.liveness.is_sign_due(now) {
            self.wake_gatherer();
        } else if !self.is_sign_scheduled.replace(true) {
            self.deadlines.borrow_mut().add(SIGN, now + SIGN_INTERVAL);
        }
    }

    fn wake_gatherer(&self) {
        if !self.is_gatherer_woken.replace(true)
            && let Some(waker) = self.gatherer.borrow().as_ref()
        {
            // It runs after the tasks that are ready already.
            waker.wake_by_ref();
        }
    }

    /// Sends the gathered events to the application, and rests if the worker is busy.
    fn poll_gathered(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.is_shut_down() {
            return Poll::Ready(());
        }
        self.gatherer.borrow_mut().get_or_insert_with(|| context.waker().clone());
        self.is_gatherer_woken.set(false);
        let batch = self.gathered.take();
        if !batch.is_empty() {
            let now = Instant::now();
            let rest = self.pace.borrow_mut().handle_events(batch.len(), now);
            self.deliver(batch, now);
            // The whole thread, so that one wake-up handles all that arrives meanwhile.
            rest.into_iter().for_each(thread::sleep);
        }
        Poll::Pending
    }

    fn deliver(&self, batch: EventBatch, now: Instant) {
        self.shared.held_bytes.fetch_add(self.gathered_bytes.take(), Ordering::SeqCst);
        // Fails if the pool is gone; the shutdown follows then.
        if self.sink.batches.send(batch).is_ok() && self.sink.liveness.begin_notification(now) {
            self.shared.counters.notifications.add(1);
            (self.sink.notify)();
        }
    }

    /// Returns the polling sessions of all workers of the pool.
    pub(super) fn sessions(&self) -> &SessionDirectory {
        &self.sink.sessions
    }

    /// Returns whether so many events wait for the application that nothing is read.
    pub(super) fn holds_much(&self) -> bool {
        let bytes = self.shared.held_bytes.load(Ordering::SeqCst) + self.gathered_bytes.get();
        bytes > MAX_HELD_BYTES
    }

    /// Schedules a call of [`ConnectionTask::handle_due`].
    pub(super) fn add_deadline(&self, id: ConnectionId, when: Instant) -> Ticket {
        self.deadlines.borrow_mut().add(id, when)
    }

    /// Returns whether the application has shown no sign of life for longer than `max_lag`.
    pub(super) fn is_application_hung(&self, now: Instant, max_lag: Duration) -> bool {
        self.sink.liveness.is_hung(now, max_lag)
    }

    /// Handles the deadlines that are due.
    fn poll_deadlines(&self, context: &mut Context<'_>) -> Poll<()> {
        while !self.is_shut_down() {
            let now = Instant::now();
            let due = self.deadlines.borrow_mut().poll_due(context, now);
            let (id, ticket) = ready!(due);
            let task = self.connections.borrow().get(id as usize).cloned().flatten();
            if let Some(task) = task {
                self.handle_time(stamp(ticks(now)));
                task.handle_due(ticket, now);
            } else if id == SIGN {
                self.is_sign_scheduled.set(false);
                self.wake_gatherer();
            } else {
                self.listeners.handle_due(self, id, now);
            }
        }
        Poll::Ready(())
    }

    /// Returns whether the application must take events before more is read; `waker` is woken once
    /// it has.
    pub(super) fn is_stalled(&self, waker: &Waker) -> bool {
        if !self.holds_much() {
            return false;
        }
        self.shared.has_stalled.store(true, Ordering::SeqCst);
        // Checked again: if the application took all events before the flag was set, it would
        // never wake the connection.
        if !self.holds_much() {
            return false;
        }
        self.shared.counters.stalls.add(1);
        self.stalled.borrow_mut().push(waker.clone());
        true
    }
}
