//! A worker: what owns connections, on a thread that it may share with workers of other engines.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Instant;

use bytes::BytesMut;
use tokio::net::TcpStream;
use tokio::sync::mpsc::UnboundedReceiver;

use super::command::{Broadcast, Command, ConnectionCommand, Opening};
use super::connection::Turn;
use super::connection_task::ConnectionTask;
use super::pace::{Pace, WORKER};
use super::stats::{Counter, Counters};
use super::{ConnectionId, EndReason, Event};
use crate::fanout::{RoomId, Rooms};

/// A worker does not read while events of more bytes than this wait for the
/// application.
pub const MAX_HELD_BYTES: usize = 4 * 1024 * 1024;

/// How much is read at once. Node.js does the same.
pub(super) const READ_BUFFER: usize = 64 * 1024;

/// Events that a worker has gathered.
pub(super) type EventBatch = Vec<(ConnectionId, Event)>;

/// Called from a worker when there are events and the application does not know.
pub(super) type Notify = Arc<dyn Fn() + Send + Sync>;

/// State that a worker and the application share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) counters: Counters,
    /// Batches of commands that are done.
    pub(super) batches_done: Counter,
    /// Bytes of the events that the application has not taken.
    pub(super) held_bytes: AtomicUsize,
    /// Whether a connection waits for the application to take events.
    pub(super) has_stalled: AtomicBool,
}

/// Where a worker's events go.
pub(super) struct EventSink {
    pub(super) batches: Sender<EventBatch>,
    /// Set while the application has been notified and has not come.
    pub(super) is_notified: Arc<AtomicBool>,
    pub(super) notify: Notify,
}

/// What the tasks of one worker share.
pub(super) struct Worker {
    pub(super) shared: Arc<Shared>,
    sink: EventSink,
    /// Serves all connections: it is empty between two reads.
    pub(super) buffer: RefCell<BytesMut>,
    connections: RefCell<Vec<Option<Rc<ConnectionTask>>>>,
    rooms: RefCell<Rooms>,
    /// Connections for which something waits since they were flushed.
    dirty: RefCell<Vec<Rc<ConnectionTask>>>,
    /// The application's turn to which the command belongs that is carried out.
    turn: Cell<Turn>,
    gathered: RefCell<EventBatch>,
    /// Wakes the task that passes `gathered` on.
    gatherer: RefCell<Option<Waker>>,
    stalled: RefCell<Vec<Waker>>,
    pace: RefCell<Pace>,
    is_shut_down: Cell<bool>,
}

/// Spawns the tasks of a worker, on the thread that calls. When the last of them is over, `sink` is
/// dropped.
pub(super) fn spawn(
    shared: Arc<Shared>,
    sink: EventSink,
    commands: UnboundedReceiver<Vec<Command>>,
) {
    let worker = Rc::new(Worker::new(shared, sink));
    let gatherer = Rc::clone(&worker);
    tokio::task::spawn_local(poll_fn(move |context| gatherer.poll_gathered(context)));
    tokio::task::spawn_local(worker.serve(commands));
}

/// Ends the tasks of a worker when it serves no more, also where it has panicked.
struct Service(Rc<Worker>);

impl Drop for Service {
    fn drop(&mut self) {
        self.0.shut_down();
    }
}

impl Worker {
    fn new(shared: Arc<Shared>, sink: EventSink) -> Self {
        Self {
            shared,
            sink,
            buffer: RefCell::default(),
            connections: RefCell::default(),
            rooms: RefCell::default(),
            dirty: RefCell::default(),
            turn: Cell::default(),
            gathered: RefCell::default(),
            gatherer: RefCell::default(),
            stalled: RefCell::default(),
            pace: RefCell::new(Pace::new(WORKER, Instant::now())),
            is_shut_down: Cell::new(false),
        }
    }

    async fn serve(self: Rc<Self>, mut commands: UnboundedReceiver<Vec<Command>>) {
        let _service = Service(Rc::clone(&self));
        while let Some(batch) = commands.recv().await {
            self.shared.counters.wakes.add(1);
            self.handle_batch(batch);
            self.shared.batches_done.add(1);
            if self.is_shut_down.get() {
                return;
            }
        }
    }

    /// Carries the commands out, then writes, so that what one turn sends leaves together.
    fn handle_batch(self: &Rc<Self>, batch: Vec<Command>) {
        self.begin_turn();
        for command in batch {
            self.handle_command(command);
        }
        for task in self.dirty.take() {
            task.flush();
        }
    }

    fn begin_turn(&self) {
        self.turn.set(self.turn.get() + 1);
    }

    pub(super) fn turn(&self) -> Turn {
        self.turn.get()
    }

    /// To be called once for a connection for which something waits.
    pub(super) fn add_dirty(&self, task: &Rc<ConnectionTask>) {
        self.dirty.borrow_mut().push(Rc::clone(task));
    }

    fn handle_command(self: &Rc<Self>, command: Command) {
        match command {
            Command::Open(opening) => self.open(*opening),
            Command::Connection(id, command) => self.pass_on(id, command),
            Command::Broadcast(broadcast) => self.broadcast(&broadcast),
            Command::Join(room, id) => self.join(room, id),
            Command::Leave(room, id) => self.rooms.borrow_mut().leave(room, id),
            Command::RemoveRoom(room) => self.rooms.borrow_mut().remove(room),
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
                self.shared.counters.connections.add(1);
                let worker = Rc::clone(self);
                let task = Rc::new(ConnectionTask::new(worker, id, stream, options, traffic));
                self.enter(id, Rc::clone(&task));
                task.handle_early_input(input);
                tokio::task::spawn_local(poll_fn(move |context| task.poll(context)));
            }
            Err(error) => {
                let reason = EndReason::Io(error.raw_os_error().unwrap_or_default());
                self.shared.counters.count_end(reason);
                self.emit(id, Event::Ended(reason));
            }
        }
    }

    fn enter(&self, id: ConnectionId, task: Rc<ConnectionTask>) {
        let mut connections = self.connections.borrow_mut();
        let place = id as usize;
        if connections.len() <= place {
            connections.resize(place + 1, None);
        }
        if let Some(entry) = connections.get_mut(place) {
            *entry = Some(task);
        }
    }

    fn pass_on(&self, id: ConnectionId, command: ConnectionCommand) {
        let connections = self.connections.borrow();
        if let Some(Some(task)) = connections.get(id as usize) {
            task.handle_command(command);
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

    /// A connection that has ended enters no room: its number may soon be another's.
    fn join(&self, room: RoomId, id: ConnectionId) {
        if let Some(Some(_)) = self.connections.borrow().get(id as usize) {
            self.rooms.borrow_mut().join(room, id);
        }
    }

    /// Has all tasks of this worker end.
    fn shut_down(&self) {
        self.is_shut_down.set(true);
        for task in self.connections.take().into_iter().flatten() {
            task.write_last();
        }
        self.dirty.take();
        self.gatherer.take().into_iter().for_each(Waker::wake);
    }

    /// Returns whether all tasks of this worker are to end.
    pub(super) const fn is_shut_down(&self) -> bool {
        self.is_shut_down.get()
    }

    /// The connection is over; its descriptor closes when its task is dropped.
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
        let mut gathered = self.gathered.borrow_mut();
        if gathered.is_empty()
            && let Some(waker) = self.gatherer.borrow().as_ref()
        {
            // It runs after the tasks that are to run already.
            waker.wake_by_ref();
        }
        gathered.push((id, event));
    }

    fn poll_gathered(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.is_shut_down() {
            return Poll::Ready(());
        }
        self.gatherer.borrow_mut().get_or_insert_with(|| context.waker().clone());
        let batch = self.gathered.take();
        if !batch.is_empty() {
            let rest = self.pace.borrow_mut().handle_events(batch.len(), Instant::now());
            self.deliver(batch);
            // The whole thread: so that what it would be woken for comes together.
            rest.into_iter().for_each(thread::sleep);
        }
        Poll::Pending
    }

    fn deliver(&self, batch: EventBatch) {
        let bytes = batch.iter().map(|(_, event)| event.held_bytes()).sum();
        self.shared.held_bytes.fetch_add(bytes, Ordering::SeqCst);
        // Without a receiver the application is gone, and the shutdown comes.
        if self.sink.batches.send(batch).is_ok()
            && !self.sink.is_notified.swap(true, Ordering::SeqCst)
        {
            self.shared.counters.notifications.add(1);
            (self.sink.notify)();
        }
    }

    /// Whether the application must take events before more is read; if so, `waker` is
    /// woken then.
    pub(super) fn is_stalled(&self, waker: &Waker) -> bool {
        if self.shared.held_bytes.load(Ordering::SeqCst) <= MAX_HELD_BYTES {
            return false;
        }
        self.shared.has_stalled.store(true, Ordering::SeqCst);
        // Once more: had the application taken all before it could see the flag, nobody
        // would be woken.
        if self.shared.held_bytes.load(Ordering::SeqCst) <= MAX_HELD_BYTES {
            return false;
        }
        self.shared.counters.stalls.add(1);
        self.stalled.borrow_mut().push(waker.clone());
        true
    }
}
