//! The application's end: connections by number, commands in, events out.

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};

use bytes::{Bytes, BytesMut};
use slab::Slab;
use tokio::sync::mpsc::unbounded_channel;

use super::command::{Broadcast, Command, ConnectionCommand, Opening, SocketOption, Volatile};
use super::mailbox::Mailbox;
use super::threads::IoThread;
use super::traffic::{Traffic, TrafficView};
use super::worker::{self, EventBatch, EventSink, Notify, Shared};
use super::{Broadcaster, ConnectionId, ConnectionOptions, Event, WorkerStats};
use crate::fanout::{FrameKind, PreparedPacket};
use crate::fanout::{Recipients, RoomId};

/// Workers, and the connections that they own.
///
/// Used by one thread. Commands wait here until [`flush`](Self::flush). A command to a
/// connection that has ended does nothing.
pub struct WorkerPool {
    workers: Vec<WorkerHandle>,
    /// Of the workers by their numbers, those that have ended included.
    shared: Vec<Arc<Shared>>,
    /// The worker of each connection, and what has gone over it.
    routes: Slab<Route>,
    /// Numbers of rooms that are in use.
    rooms: Slab<()>,
    /// Events that have been received and not taken.
    received: VecDeque<(ConnectionId, Event)>,
    is_notified: Arc<AtomicBool>,
    notify: Notify,
    broadcaster: Broadcaster,
}

struct Route {
    worker: usize,
    traffic: Arc<Traffic>,
}

struct WorkerHandle {
    shared: Arc<Shared>,
    queued: Vec<Command>,
    mailbox: Arc<Mailbox>,
    events: Receiver<EventBatch>,
    /// Held, so that it goes on.
    _thread: Rc<IoThread>,
    /// Connections whose end has not been taken.
    connections: usize,
}

impl WorkerPool {
    /// A pool without workers; they start with the first connections. `notify` is
    /// called from a worker's thread when [`take`](Self::take) has something to give, and
    /// not again until it has been called.
    #[must_use]
    pub fn new(notify: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            workers: Vec::new(),
            shared: Vec::new(),
            routes: Slab::new(),
            rooms: Slab::new(),
            received: VecDeque::new(),
            is_notified: Arc::default(),
            notify: Arc::new(notify),
            broadcaster: Broadcaster::default(),
        }
    }

    /// Gives a connected, non-blocking stream, after the opening handshake, to the least
    /// busy of `io_threads` workers. `input` is what has been read of it already, and `before`
    /// how many bytes have been read from and written to the socket in all until now. The
    /// connection belongs to the pool when this returns; its events begin after the next
    /// [`flush`](Self::flush).
    ///
    /// # Errors
    ///
    /// Those of the operating system, if a worker cannot be started.
    pub fn open(
        &mut self,
        stream: TcpStream,
        input: &[u8],
        options: Arc<ConnectionOptions>,
        io_threads: usize,
        (bytes_read, bytes_written): (u64, u64),
    ) -> io::Result<ConnectionId> {
        let worker = self.next_worker(io_threads.max(1))?;
        let traffic = Arc::new(Traffic::new(stream.as_raw_fd(), bytes_read, bytes_written));
        let route = Route { worker, traffic: Arc::clone(&traffic) };
        let id = self.routes.insert(route) as ConnectionId;
        let input = BytesMut::from(input);
        let opening = Opening { id, stream, input, options, traffic };
        if let Some(worker) = self.workers.get_mut(worker) {
            worker.connections += 1;
            worker.queued.push(Command::Open(Box::new(opening)));
        }
        Ok(id)
    }

    /// Sends a whole frame. If it is to be reported, [`Event::Sent`] counts it when the
    /// operating system has taken it, hence all that was sent before.
    pub fn send(&mut self, id: ConnectionId, frame: Bytes, is_reported: bool) {
        let kind = if is_reported { FrameKind::Reported } else { FrameKind::Silent };
        self.count_posted(id, frame.len());
        self.command(id, ConnectionCommand::Send(frame, kind));
    }

    /// Sends a whole frame, unless something waits in front of the connection, or something
    /// was sent to it in the same turn.
    pub fn send_volatile(&mut self, id: ConnectionId, frame: Bytes, volatile: Volatile) {
        self.command(id, ConnectionCommand::SendVolatile(frame, volatile));
    }

    /// Sends a packet to all recipients, or if it `is_volatile`, to those to whom
    /// [`send_volatile`](Self::send_volatile) would send it.
    pub fn broadcast(&mut self, packet: PreparedPacket, recipients: Recipients, is_volatile: bool) {
        let broadcast = Arc::new(Broadcast { packet, recipients, is_volatile });
        let Broadcast { recipients, .. } = &*broadcast;
        let Self { workers, routes, .. } = self;
        for (index, worker) in workers.iter_mut().enumerate() {
            let is_owner = |id: &ConnectionId| {
                routes.get(*id as usize).is_some_and(|route| route.worker == index)
            };
            if !recipients.rooms.is_empty() || recipients.members.iter().any(is_owner) {
                worker.queued.push(Command::Broadcast(Arc::clone(&broadcast)));
            }
        }
    }

    /// What is sent from now on belongs to another turn. A [`flush`](Self::flush) begins one,
    /// too.
    pub fn begin_turn(&mut self) {
        for worker in self.workers.iter_mut().filter(|worker| !worker.queued.is_empty()) {
            worker.queued.push(Command::BeginTurn);
        }
    }

    /// A new room without members.
    pub fn create_room(&mut self) -> RoomId {
        self.rooms.insert(()) as RoomId
    }

    /// Puts a connection into a room. When it ends, it leaves all its rooms by itself.
    pub fn join(&mut self, room: RoomId, id: ConnectionId) {
        self.command_worker_of(id, Command::Join(room, id));
    }

    /// Takes a connection out of a room.
    pub fn leave(&mut self, room: RoomId, id: ConnectionId) {
        self.command_worker_of(id, Command::Leave(room, id));
    }

    /// Ends a room, whose number may then be another's.
    pub fn remove_room(&mut self, room: RoomId) {
        if self.rooms.try_remove(room as usize).is_some() {
            self.workers
                .iter_mut()
                .for_each(|worker| worker.queued.push(Command::RemoveRoom(room)));
        }
    }

    /// The peer of this connection speaks Engine.IO v3, which it must say before it is sent
    /// a broadcast.
    pub fn use_version_3(&mut self, id: ConnectionId) {
        self.broadcaster.set_version_3();
        self.command(id, ConnectionCommand::UseVersion3);
    }

    /// Sends a whole close frame, the last of the connection.
    pub fn close(&mut self, id: ConnectionId, frame: Bytes) {
        self.count_posted(id, frame.len());
        self.command(id, ConnectionCommand::Close(frame));
    }

    /// Ends our side after what has been sent, without a close frame.
    pub fn end(&mut self, id: ConnectionId) {
        self.command(id, ConnectionCommand::End);
    }

    /// Stops reading, or goes on.
    pub fn pause(&mut self, id: ConnectionId, is_paused: bool) {
        self.command(id, ConnectionCommand::Pause(is_paused));
    }

    /// Ends the connection without a close frame. Of what waits, the socket gets what it
    /// takes at once.
    pub fn terminate(&mut self, id: ConnectionId) {
        self.command(id, ConnectionCommand::Terminate);
    }

    /// Ends the connection by a reset: the peer sees an error, and what waits is dropped.
    pub fn reset(&mut self, id: ConnectionId) {
        self.command(id, ConnectionCommand::Reset);
    }

    /// Has all that is read from now on be reported as it is, too, or no longer.
    pub fn tap(&mut self, id: ConnectionId, is_tapped: bool) {
        self.command(id, ConnectionCommand::Tap(is_tapped));
    }

    /// Lets the connection read bytes as if the peer had sent them.
    pub fn input(&mut self, id: ConnectionId, bytes: &[u8]) {
        self.command(id, ConnectionCommand::Input(bytes.into()));
    }

    /// Changes the most bytes that the peer may send in one message.
    pub fn limit_payload(&mut self, id: ConnectionId, max_payload: usize) {
        self.command(id, ConnectionCommand::LimitPayload(max_payload));
    }

    /// Sets an option of the connection's socket.
    pub fn configure(&mut self, id: ConnectionId, option: SocketOption) {
        self.command(id, ConnectionCommand::Configure(option));
    }

    /// Returns the traffic of a connection that has not been released.
    #[must_use]
    pub fn traffic(&self, id: ConnectionId) -> Option<TrafficView> {
        self.routes.get(id as usize).map(|route| route.traffic.view())
    }

    /// Passes the commands on to the workers. Blocks while a worker is more than
    /// [`MAX_LAG`](super::MAX_LAG) or [`MAX_LAG_BYTES`](super::MAX_LAG_BYTES) behind.
    pub fn flush(&mut self) {
        self.post();
        self.wait();
    }

    /// The first half of [`flush`](Self::flush).
    pub fn post(&mut self) {
        self.workers.iter_mut().for_each(WorkerHandle::post);
    }

    /// The second half of [`flush`](Self::flush).
    pub fn wait(&self) {
        self.workers.iter().for_each(|worker| worker.mailbox.wait());
    }

    /// What broadcasts from other threads.
    #[must_use]
    pub const fn broadcaster(&self) -> &Broadcaster {
        &self.broadcaster
    }

    /// The number of the worker that has this connection.
    #[must_use]
    pub fn worker_of(&self, id: ConnectionId) -> Option<usize> {
        self.routes.get(id as usize).map(|route| route.worker)
    }

    /// Gives at most `limit` events, in the order of each connection, to `handle`. Whether
    /// there are more is the result; the caller then comes again without a notification.
    /// After [`Event::Ended`], [`release`](Self::release) is due.
    pub fn take(&mut self, limit: usize, mut handle: impl FnMut(ConnectionId, Event)) -> bool {
        self.is_notified.store(false, Ordering::SeqCst);
        self.receive();
        let count = limit.min(self.received.len());
        self.received.drain(..count).for_each(|(id, event)| handle(id, event));
        self.receive();
        !self.received.is_empty()
    }

    /// Lets the number of a connection that has ended be used again. Due when the
    /// application has done with it, so that what is meant for one connection cannot reach
    /// another.
    pub fn release(&mut self, id: ConnectionId) {
        let route = self.routes.try_remove(id as usize);
        if let Some(worker) = route.and_then(|route| self.workers.get_mut(route.worker)) {
            worker.connections -= 1;
        }
    }

    /// What each worker has done.
    pub fn stats(&self) -> impl Iterator<Item = WorkerStats> {
        self.shared.iter().map(|shared| shared.counters.read())
    }

    /// Ends the workers and drops `notify`, if there are no connections. [`open`](Self::open) starts
    /// workers again, whose counters go on, after [`notify_by`](Self::notify_by).
    pub fn rest(&mut self) {
        if self.routes.is_empty() {
            self.end_workers();
            self.notify = Arc::new(|| ());
        }
    }

    /// Replaces `notify`, while there are no workers.
    pub fn notify_by(&mut self, notify: impl Fn() + Send + Sync + 'static) {
        self.notify = Arc::new(notify);
    }

    /// Writes what the sockets take at once, closes all connections and ends the workers.
    /// No event comes any more, and commands do nothing.
    pub fn shut_down(&mut self) {
        self.end_workers();
        self.shared.clear();
        self.routes.clear();
        self.received.clear();
    }

    fn end_workers(&mut self) {
        for worker in &mut self.workers {
            worker.queued.push(Command::Shutdown);
            worker.post();
        }
        self.broadcaster.clear();
        for worker in self.workers.drain(..) {
            // Until all its tasks are over. Its thread ends with the last worker there.
            while worker.events.recv().is_ok() {}
        }
    }

    fn count_posted(&self, id: ConnectionId, length: usize) {
        if let Some(route) = self.routes.get(id as usize) {
            route.traffic.count_posted(length);
        }
    }

    fn command(&mut self, id: ConnectionId, command: ConnectionCommand) {
        self.command_worker_of(id, Command::Connection(id, command));
    }

    fn command_worker_of(&mut self, id: ConnectionId, command: Command) {
        let worker = self.worker_of(id);
        if let Some(worker) = worker.and_then(|worker| self.workers.get_mut(worker)) {
            worker.queued.push(command);
        }
    }

    fn next_worker(&mut self, io_threads: usize) -> io::Result<usize> {
        while self.workers.len() < io_threads {
            let worker = self.start_worker(self.workers.len())?;
            self.broadcaster.add(Arc::clone(&worker.mailbox));
            self.workers.push(worker);
        }
        let candidates = self.workers.iter().take(io_threads).enumerate();
        let least_busy = candidates.min_by_key(|(_, worker)| worker.connections);
        Ok(least_busy.map_or(0, |(index, _)| index))
    }

    fn start_worker(&mut self, number: usize) -> io::Result<WorkerHandle> {
        let thread = IoThread::shared(number)?;
        if self.shared.len() <= number {
            self.shared.resize_with(number + 1, Arc::default);
        }
        let shared = self.shared.get(number).map(Arc::clone).unwrap_or_default();
        let (commands, receiver) = unbounded_channel();
        let (batches, events) = channel();
        let is_notified = Arc::clone(&self.is_notified);
        let sink = EventSink { batches, is_notified, notify: Arc::clone(&self.notify) };
        let of_thread = Arc::clone(&shared);
        thread.spawn(move || worker::spawn(of_thread, sink, receiver));
        let mailbox = Arc::new(Mailbox::new(commands, Arc::clone(&shared)));
        Ok(WorkerHandle {
            shared,
            queued: Vec::new(),
            mailbox,
            events,
            _thread: thread,
            connections: 0,
        })
    }

    /// Receives what the workers hold, unless something received has not been taken: so
    /// much is held by each, and so much here, at most.
    fn receive(&mut self) {
        if self.received.is_empty() {
            self.workers.iter_mut().for_each(|worker| worker.receive(&mut self.received));
        }
    }
}

impl WorkerHandle {
    fn post(&mut self) {
        if !self.queued.is_empty() {
            self.mailbox.post(mem::take(&mut self.queued));
        }
    }

    fn receive(&mut self, received: &mut VecDeque<(ConnectionId, Event)>) {
        let mut bytes = 0;
        while let Ok(batch) = self.events.try_recv() {
            bytes += batch.iter().map(|(_, event)| event.held_bytes()).sum::<usize>();
            received.extend(batch);
        }
        self.shared.held_bytes.fetch_sub(bytes, Ordering::SeqCst);
        if self.shared.has_stalled.swap(false, Ordering::SeqCst) {
            // By itself: what is queued goes when the turn is over.
            self.mailbox.post(vec![Command::Taken]);
        }
    }
}

impl Default for WorkerPool {
    /// A pool whose workers notify nothing before [`notify_by`](Self::notify_by).
    fn default() -> Self {
        Self::new(|| ())
    }
}

impl Drop for WorkerPool {
    fn drop(&mut self) {
        self.shut_down();
    }
}
