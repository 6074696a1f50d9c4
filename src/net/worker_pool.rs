//! The application's handle to its workers: connections by id, commands in, events out.

mod listeners;
mod polling;

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use slab::Slab;
use tokio::sync::mpsc::unbounded_channel;

use self::listeners::{Handshakes, ListenerRoute};
use super::command::{Broadcast, Command, ConnectionCommand, Opening, SocketOption, Volatile};
use super::heartbeat::{HeartbeatCommand, HeartbeatStart};
use super::liveness::Liveness;
use super::mailbox::Mailbox;
use super::polling::SessionDirectory;
use super::threads::IoThread;
use super::tls::TlsDetails;
use super::traffic::{Traffic, TrafficView};
use super::worker::{self, EventBatch, EventSink, Notify, Shared};
use super::{Broadcaster, ConnectionId, ConnectionOptions, Event, HistogramView, WorkerStats};
use crate::fanout::{FrameKind, Frames, PreparedPacket};
use crate::fanout::{Recipients, RoomId};

/// Workers, and the connections that they own.
///
/// Belongs to one thread, the application; [`Broadcaster`] is for the other threads. Nothing here
/// performs I/O except [`shut_down`](Self::shut_down): connections, rooms and sockets live on the
/// workers' threads. There are four kinds of methods:
///
/// - **Lifecycle.** Workers start with the first connections, see [`open`](Self::open), and end by
///   [`rest`](Self::rest), [`shut_down`](Self::shut_down) or a drop.
/// - **Commands**, from [`send`](Self::send) to [`configure`](Self::configure). They are queued
///   until [`flush`](Self::flush) and executed in their order on each worker. A command to a
///   connection that has ended does nothing.
/// - **Events.** After `notify`, [`take`](Self::take) is due. [`Event::Ended`] is the last event of
///   a connection; its id stays valid until [`release`](Self::release), so that commands on their
///   way cannot reach another connection.
/// - **Getters**, such as [`stats`](Self::stats) and [`traffic`](Self::traffic), which read
///   counters that the workers write.
pub struct WorkerPool {
    workers: Vec<WorkerHandle>,
    /// Indexed by worker, including workers that have ended: their counters continue.
    shared: Vec<Arc<Shared>>,
    /// Indexed by the ids of connections and listeners.
    routes: Slab<Route>,
    handshakes: Handshakes,
    /// The ids of rooms in use.
    rooms: Slab<()>,
    /// Events that have been received from workers and not taken.
    received: VecDeque<(ConnectionId, Event)>,
    liveness: Arc<Liveness>,
    sessions: Arc<SessionDirectory>,
    notify: Notify,
    broadcaster: Broadcaster,
}

/// The owner of an id.
enum Route {
    Connection(ConnectionRoute),
    Listener(ListenerRoute),
}

/// A connection, as the application sees it.
struct ConnectionRoute {
    worker: usize,
    traffic: Arc<Traffic>,
    /// True if the worker compresses messages.
    is_compressing: bool,
    /// True if the connection begins with long-polling.
    is_polling: bool,
    /// Of a connection that polls: the batch of the last packet that is not to be reported.
    last_unreported: u64,
    /// Given if the connection speaks TLS.
    tls: Option<Arc<TlsDetails>>,
}

impl ConnectionRoute {
    const fn new(worker: usize, traffic: Arc<Traffic>, tls: Option<Arc<TlsDetails>>) -> Self {
        let (is_compressing, is_polling, last_unreported) = (false, false, 0);
        Self { worker, traffic, is_compressing, is_polling, last_unreported, tls }
    }
}

struct WorkerHandle {
    shared: Arc<Shared>,
    queued: Vec<Command>,
    mailbox: Arc<Mailbox>,
    events: Receiver<EventBatch>,
    /// Keeps the thread running.
    _thread: Rc<IoThread>,
    /// Connections that have not been released.
    connections: usize,
    /// Set while a broadcast is queued.
    is_broadcasting: bool,
    /// The batch of the last broadcast.
    last_broadcast: u64,
}

impl WorkerPool {
    /// Creates a pool without workers. They call `notify` on their threads when
    /// [`take`](Self::take) has events to give, and not again until `take` has been called.
    #[must_use]
    pub fn new(notify: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            workers: Vec::new(),
            shared: Vec::new(),
            routes: Slab::new(),
            handshakes: Handshakes::default(),
            rooms: Slab::new(),
            received: VecDeque::new(),
            liveness: Arc::new(Liveness::new(Instant::now())),
            sessions: Arc::default(),
            notify: Arc::new(notify),
            broadcaster: Broadcaster::default(),
        }
    }

    /// Hands a connected, non-blocking stream over, after the opening handshake, to the worker with
    /// the fewest connections among `io_threads`. `input` has been read from it already; the last
    /// argument counts all bytes read from and written to the socket up to now. Events of the
    /// connection begin after the next [`flush`](Self::flush).
    ///
    /// # Errors
    ///
    /// The error of the operating system, if a worker cannot be started.
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
        let is_compressing = options.compression.is_some();
        let mut route = ConnectionRoute::new(worker, Arc::clone(&traffic), None);
        route.is_compressing = is_compressing;
        let id = self.routes.insert(Route::Connection(route)) as ConnectionId;
        let input = BytesMut::from(input);
        let opening = Opening { id, stream, input, options, traffic };
        if let Some(worker) = self.workers.get_mut(worker) {
            worker.connections += 1;
            worker.queued.push(Command::Open(Box::new(opening)));
        }
        Ok(id)
    }

    /// Sends a whole frame. If `is_reported`, [`Event::Sent`] counts the frame once the operating
    /// system has accepted it and all earlier frames.
    pub fn send(&mut self, id: ConnectionId, frame: impl Into<Frames>, is_reported: bool) {
        let kind = if is_reported { FrameKind::Reported } else { FrameKind::Silent };
        let frame = self.frames_for(id, frame.into());
        if let Frames::Plain(bytes) = &frame {
            self.count_posted(id, bytes.len());
        }
        self.command(id, ConnectionCommand::Send(frame, kind));
        if !is_reported {
            self.note_unreported(id);
        }
    }

    /// Returns frames that are plain unless the worker compresses them.
    fn frames_for(&self, id: ConnectionId, frames: Frames) -> Frames {
        if self.connection(id).is_some_and(|route| route.is_compressing) {
            frames
        } else {
            Frames::Plain(frames.for_peer(None))
        }
    }

    /// Sends a whole frame, unless the connection has frames queued or something was sent to it in
    /// the same turn.
    pub fn send_volatile(
        &mut self,
        id: ConnectionId,
        frame: impl Into<Frames>,
        volatile: Volatile,
    ) {
        let frame = self.frames_for(id, frame.into());
        self.command(id, ConnectionCommand::SendVolatile(frame, volatile));
        self.note_unreported(id);
    }

    /// Sends a packet to all recipients; if `is_volatile`, only to recipients to which
    /// [`send_volatile`](Self::send_volatile) would send it.
    pub fn broadcast(&mut self, packet: PreparedPacket, recipients: Recipients, is_volatile: bool) {
        let broadcast = Arc::new(Broadcast { packet, recipients, is_volatile });
        let Broadcast { recipients, .. } = &*broadcast;
        for index in 0..self.workers.len() {
            let is_owner = |id: &ConnectionId| self.worker_of(*id) == Some(index);
            let is_concerned =
                !recipients.rooms.is_empty() || recipients.members.iter().any(is_owner);
            if let Some(worker) = self.workers.get_mut(index).filter(|_| is_concerned) {
                worker.queued.push(Command::Broadcast(Arc::clone(&broadcast)));
                worker.is_broadcasting = true;
            }
        }
    }

    /// Begins another turn, to which all commands that follow belong. So does
    /// [`flush`](Self::flush).
    pub fn begin_turn(&mut self) {
        for worker in self.workers.iter_mut().filter(|worker| !worker.queued.is_empty()) {
            worker.queued.push(Command::BeginTurn);
        }
    }

    /// Creates a room without members.
    pub fn create_room(&mut self) -> RoomId {
        self.rooms.insert(()) as RoomId
    }

    /// Adds a connection to a room. A connection that ends leaves all its rooms by itself.
    pub fn join(&mut self, room: RoomId, id: ConnectionId) {
        self.command_worker_of(id, Command::Join(room, id));
    }

    /// Removes a connection from a room.
    pub fn leave(&mut self, room: RoomId, id: ConnectionId) {
        self.command_worker_of(id, Command::Leave(room, id));
    }

    /// Empties a room; its id may be reused.
    pub fn remove_room(&mut self, room: RoomId) {
        if self.rooms.try_remove(room as usize).is_some() {
            self.workers
                .iter_mut()
                .for_each(|worker| worker.queued.push(Command::RemoveRoom(room)));
        }
    }

    /// Marks the peer of a connection as one that speaks Engine.IO v3, which must happen before a
    /// broadcast is sent to it.
    pub fn use_version_3(&mut self, id: ConnectionId) {
        self.broadcaster.set_has_v3();
        self.command(id, ConnectionCommand::UseVersion3);
    }

    /// Gives the heartbeat packets of a peer that speaks Engine.IO to the worker. After
    /// [`HeartbeatEvent::Ready`](super::HeartbeatEvent::Ready), with which the application has got all
    /// that came before, [`start_heartbeat`](Self::start_heartbeat) is due, or
    /// [`release_heartbeat`](Self::release_heartbeat).
    pub fn prepare_heartbeat(&mut self, id: ConnectionId) {
        self.command_heartbeat(id, HeartbeatCommand::Prepare);
    }

    /// Goes on with heartbeats where the application has stopped its own timers.
    pub fn start_heartbeat(&mut self, id: ConnectionId, start: HeartbeatStart) {
        self.command_heartbeat(id, HeartbeatCommand::Start(Box::new(start)));
    }

    /// Sets whether heartbeats are reported at once. Else their events wait for others, for up to a
    /// second.
    pub fn report_heartbeat(&mut self, id: ConnectionId, is_reported: bool) {
        self.command_heartbeat(id, HeartbeatCommand::Report(is_reported));
    }

    /// Sends no more heartbeats, and ignores those of the peer: the application is closing the
    /// session. A deadline stays, and the next ping would begin one.
    pub fn close_heartbeat(&mut self, id: ConnectionId) {
        self.command_heartbeat(id, HeartbeatCommand::Close);
    }

    /// Leaves heartbeats to the application again.
    pub fn release_heartbeat(&mut self, id: ConnectionId) {
        self.command_heartbeat(id, HeartbeatCommand::Release);
    }

    /// Sends a whole close frame, the last of the connection.
    pub fn close(&mut self, id: ConnectionId, frame: Bytes) {
        self.count_posted(id, frame.len());
        self.command(id, ConnectionCommand::Close(frame));
    }

    /// Ends our side once all frames before are written, without a close frame.
    pub fn end(&mut self, id: ConnectionId) {
        self.command(id, ConnectionCommand::End);
    }

    /// Stops reading from the connection, or resumes.
    pub fn pause(&mut self, id: ConnectionId, is_paused: bool) {
        self.command(id, ConnectionCommand::Pause(is_paused));
    }

    /// Ends the connection at once, without a close frame. Queued frames are sent as far as the
    /// socket accepts them at once.
    pub fn terminate(&mut self, id: ConnectionId) {
        self.command(id, ConnectionCommand::Terminate);
    }

    /// Ends the connection with a TCP reset: queued frames are dropped, and the peer sees an error.
    pub fn reset(&mut self, id: ConnectionId) {
        self.command(id, ConnectionCommand::Reset);
    }

    /// Starts or stops reporting all bytes that are read, as [`Event::Raw`], in addition to the
    /// events that they contain.
    pub fn tap(&mut self, id: ConnectionId, is_tapped: bool) {
        self.command(id, ConnectionCommand::Tap(is_tapped));
    }

    /// Handles bytes as if the peer had sent them.
    pub fn input(&mut self, id: ConnectionId, bytes: &[u8]) {
        self.command(id, ConnectionCommand::Input(bytes.into()));
    }

    /// Limits the bytes of a message from the peer.
    pub fn limit_payload(&mut self, id: ConnectionId, max_payload: usize) {
        self.command(id, ConnectionCommand::LimitPayload(max_payload));
    }

    /// Starts or stops reporting packets of Socket.IO as [`Event::Packet`] instead of
    /// [`Event::Text`].
    pub fn split_packets(&mut self, id: ConnectionId, is_split: bool) {
        self.command(id, ConnectionCommand::SplitPackets(is_split));
    }

    /// Sets an option of the connection's socket.
    pub fn configure(&mut self, id: ConnectionId, option: SocketOption) {
        self.command(id, ConnectionCommand::Configure(option));
    }

    /// Returns the traffic of a connection that has not been released.
    #[must_use]
    pub fn traffic(&self, id: ConnectionId) -> Option<TrafficView> {
        self.connection(id).map(|route| route.traffic.view())
    }

    /// Sends the queued commands to the workers. Blocks while a worker lags by more than
    /// [`MAX_LAG`](super::MAX_LAG) or [`MAX_LAG_BYTES`](super::MAX_LAG_BYTES).
    pub fn flush(&mut self) {
        self.post();
        self.wait();
    }

    /// Sends the queued commands to the workers, the first half of [`flush`](Self::flush).
    pub fn post(&mut self) {
        self.workers.iter_mut().for_each(WorkerHandle::post);
    }

    fn wait(&self) {
        self.workers.iter().for_each(|worker| worker.mailbox.wait());
    }

    /// Returns the handle by which other threads broadcast to these connections.
    #[must_use]
    pub const fn broadcaster(&self) -> &Broadcaster {
        &self.broadcaster
    }

    /// Returns the index of the worker that owns a connection.
    #[must_use]
    pub fn worker_of(&self, id: ConnectionId) -> Option<usize> {
        self.connection(id).map(|route| route.worker)
    }

    fn connection(&self, id: ConnectionId) -> Option<&ConnectionRoute> {
        match self.routes.get(id as usize) {
            Some(Route::Connection(route)) => Some(route),
            _ => None,
        }
    }

    /// Calls `handle` with at most `limit` events, in the order of each connection. This is the sign of
    /// life for which heartbeats wait, see [`HeartbeatStart::max_loop_lag`]. Returns whether
    /// there are more; the caller must then take them without a notification. After
    /// [`Event::Ended`], [`release`](Self::release) is due.
    pub fn take(&mut self, limit: usize, mut handle: impl FnMut(ConnectionId, Event)) -> bool {
        self.liveness.handle_taken();
        self.receive();
        let count = limit.min(self.received.len());
        let Self { received, routes, handshakes, .. } = self;
        for (id, event) in received.drain(..count) {
            let is_last = match (&event, routes.get_mut(id as usize)) {
                (Event::Ended(_), Some(Route::Listener(route))) => route.handle_end(),
                (Event::Handshake(handshake), _) => {
                    handshakes.insert(handshake);
                    true
                }
                (Event::Stream(stream), _) => {
                    handshakes.insert_stream(stream);
                    true
                }
                _ => true,
            };
            if is_last {
                handle(id, event);
            }
        }
        self.receive();
        !self.received.is_empty()
    }

    /// Lets the id of a connection that has ended be used again. Due when the application refers to
    /// the connection no longer, so that no command can reach another one.
    pub fn release(&mut self, id: ConnectionId) {
        if let Some(Route::Connection(route)) = self.routes.try_remove(id as usize)
            && let Some(worker) = self.workers.get_mut(route.worker)
        {
            worker.connections -= 1;
        }
    }

    /// Returns the counters of each worker.
    pub fn stats(&self) -> impl Iterator<Item = WorkerStats> {
        self.shared.iter().map(|shared| shared.stats())
    }

    /// Returns, for each `notify`, the time until [`take`](Self::take) was called.
    #[must_use]
    pub fn loop_lag(&self) -> HistogramView {
        self.liveness.lag()
    }

    /// Ends the workers and drops `notify`, unless there are connections. After
    /// [`notify_by`](Self::notify_by), [`open`](Self::open) starts workers again, whose counters
    /// continue.
    pub fn rest(&mut self) {
        if self.routes.is_empty() {
            self.end_workers();
            self.notify = Arc::new(|| ());
        }
    }

    /// Replaces `notify`, for workers that start later.
    pub fn notify_by(&mut self, notify: impl Fn() + Send + Sync + 'static) {
        self.notify = Arc::new(notify);
    }

    /// Writes what the sockets accept at once, closes all connections and ends the workers. There
    /// are no events afterwards, and commands do nothing.
    pub fn shut_down(&mut self) {
        self.end_workers();
        self.shared.clear();
        self.routes.clear();
        self.handshakes = Handshakes::default();
        self.received.clear();
    }

    fn end_workers(&mut self) {
        for worker in &mut self.workers {
            worker.shared.is_ending.store(true, Ordering::Relaxed);
            worker.queued.push(Command::Shutdown);
            worker.post();
        }
        self.broadcaster.clear();
        for worker in self.workers.drain(..) {
            // Waits until all its tasks have ended. Its thread ends with the last worker there.
            while worker.events.recv().is_ok() {}
        }
    }

    fn count_posted(&self, id: ConnectionId, length: usize) {
        if let Some(route) = self.connection(id) {
            route.traffic.count_posted(length);
        }
    }

    fn command(&mut self, id: ConnectionId, command: ConnectionCommand) {
        self.command_worker_of(id, Command::Connection(id, command));
    }

    fn command_heartbeat(&mut self, id: ConnectionId, command: HeartbeatCommand) {
        self.command(id, ConnectionCommand::Heartbeat(command));
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

    fn start_worker(&mut self, index: usize) -> io::Result<WorkerHandle> {
        let thread = IoThread::shared(index)?;
        if self.shared.len() <= index {
            self.shared.resize_with(index + 1, Arc::default);
        }
        let shared = self.shared.get(index).map(Arc::clone).unwrap_or_default();
        shared.is_ending.store(false, Ordering::Relaxed);
        let (commands, receiver) = unbounded_channel();
        let (batches, events) = channel();
        let liveness = Arc::clone(&self.liveness);
        let sessions = Arc::clone(&self.sessions);
        let sink = EventSink { batches, liveness, sessions, notify: Arc::clone(&self.notify) };
        let of_thread = Arc::clone(&shared);
        thread.spawn(move || worker::spawn(index, of_thread, sink, receiver));
        let mailbox = Arc::new(Mailbox::new(commands, Arc::clone(&shared)));
        Ok(WorkerHandle {
            shared,
            queued: Vec::new(),
            mailbox,
            events,
            _thread: thread,
            connections: 0,
            is_broadcasting: false,
            last_broadcast: 0,
        })
    }

    /// Receives the events of all workers once the previous ones are taken: so at most
    /// [`MAX_HELD_BYTES`](super::MAX_HELD_BYTES) wait here, and as many at each worker.
    fn receive(&mut self) {
        if self.received.is_empty() {
            self.workers.iter_mut().for_each(|worker| worker.receive(&mut self.received));
        }
    }
}

impl WorkerHandle {
    fn post(&mut self) {
        if !self.queued.is_empty() {
            let batch = self.mailbox.post(mem::take(&mut self.queued));
            if mem::replace(&mut self.is_broadcasting, false) {
                self.last_broadcast = batch;
            }
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
            // Posted alone: queued commands are sent when the turn ends.
            self.mailbox.post(vec![Command::Taken]);
        }
    }
}

impl Default for WorkerPool {
    /// Creates a pool that notifies nothing before [`notify_by`](Self::notify_by).
    fn default() -> Self {
        Self::new(|| ())
    }
}

impl Drop for WorkerPool {
    fn drop(&mut self) {
        self.shut_down();
    }
}
