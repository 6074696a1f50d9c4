//! One connection with its socket, as a task of its worker.

mod heartbeats;
mod polling;

use std::cell::RefCell;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use tokio::time::{Sleep, sleep};

use super::clock::between;
use super::command::{ConnectionCommand, Volatile};
use super::connection::Connection;
use super::stream::Stream;
use super::traffic::Traffic;
use super::worker::{READ_BUFFER, Worker};
use super::{ConnectionId, ConnectionOptions, EndReason, Event};
use crate::fanout::{FrameKind, Frames, LatestKey, PreparedPacket};
use crate::proto::engine_io::ProtocolVersion;
use crate::proto::websocket::Compression;

/// The most frames that leave in one `writev`.
const MAX_SLICES: usize = 64;

/// A connection on its worker: its [`Connection`], its socket and its deadlines.
///
/// Lives on the worker's thread, held by the worker, which calls `handle_*` for commands and
/// [`flush`](Self::flush) after each batch of them, and by a task, which calls
/// [`poll`](Self::poll). Frames are written during `flush`, as far as the socket accepts them; the
/// task is woken only where it does not, to read, for deadlines, and to end.
pub(super) struct ConnectionTask {
    worker: Rc<Worker>,
    id: ConnectionId,
    traffic: Arc<Traffic>,
    state: RefCell<State>,
}

struct State {
    stream: Stream,
    connection: Connection,
    /// Wakes the task; set from its first poll to its end.
    waker: Option<Waker>,
    /// The time at which a closing connection is abandoned.
    close_deadline: Option<Pin<Box<Sleep>>>,
    /// The time at which the peer is cut off unless it has caught up.
    backpressure_deadline: Option<Pin<Box<Sleep>>>,
    /// Set when our side of the socket has ended.
    is_shut_down: bool,
    /// Set while the worker is going to flush this connection.
    is_dirty: bool,
    /// Set while the socket accepts nothing; the task is woken when it does.
    is_blocked: bool,
    /// True if the last volatile packet was dropped.
    is_volatile_dropped: bool,
    /// Set while the connection is counted as slow.
    is_slow: bool,
    /// Set while all bytes that are read are reported.
    is_tapped: bool,
    /// Set when the kernel has been asked to hold little, since packets have keys.
    is_unsent_limited: bool,
}

impl ConnectionTask {
    pub(super) fn new(
        worker: Rc<Worker>,
        id: ConnectionId,
        stream: Stream,
        options: Arc<ConnectionOptions>,
        traffic: Arc<Traffic>,
    ) -> Self {
        let connection = Connection::new(options);
        let state = State {
            stream,
            connection,
            waker: None,
            close_deadline: None,
            backpressure_deadline: None,
            is_shut_down: false,
            is_dirty: false,
            is_blocked: false,
            is_volatile_dropped: false,
            is_slow: false,
            is_tapped: false,
            is_unsent_limited: false,
        };
        Self { worker, id, traffic, state: RefCell::new(state) }
    }

    /// Handles bytes that were read before the takeover.
    pub(super) fn handle_early_input(&self, mut input: BytesMut) {
        self.handle_input(&mut self.state.borrow_mut().connection, &mut input);
    }

    /// Queues the response that accepts the peer's opening handshake.
    pub(super) fn send_response(self: &Rc<Self>, response: Bytes) {
        let state = &mut *self.state.borrow_mut();
        let before = state.connection.queue().len_bytes();
        state.connection.handle_time(self.worker.queued_at());
        state.connection.handle_own_frame(response, FrameKind::Silent);
        self.handle_sent(state, before, 0);
    }

    /// Executes a command of the application.
    pub(super) fn handle_command(self: &Rc<Self>, command: ConnectionCommand) {
        let state = &mut *self.state.borrow_mut();
        match command {
            ConnectionCommand::Send(frame, kind) => self.send_frame(state, frame, kind),
            ConnectionCommand::SendVolatile(frame, volatile) => {
                self.send_volatile(state, frame, volatile);
            }
            ConnectionCommand::Heartbeat(command) => self.handle_heartbeat_command(state, command),
            ConnectionCommand::UseVersion3 => state.connection.use_version(ProtocolVersion::V3),
            ConnectionCommand::Close(frame) => self.close(state, frame),
            ConnectionCommand::End => state.change(Connection::handle_end),
            ConnectionCommand::Pause(is_paused) => {
                state.change(|connection| connection.handle_pause(is_paused));
            }
            ConnectionCommand::Terminate => {
                state.change(|connection| connection.terminate(EndReason::Terminated));
            }
            ConnectionCommand::Reset => {
                state.stream.reset_on_close();
                state.change(|connection| connection.terminate(EndReason::Terminated));
            }
            ConnectionCommand::Tap(is_tapped) => state.is_tapped = is_tapped,
            ConnectionCommand::Input(input) => self.handle_injected_input(state, input),
            ConnectionCommand::LimitPayload(length) => state.connection.limit_payload(length),
            ConnectionCommand::SplitPackets(is_split) => state.connection.split_packets(is_split),
            ConnectionCommand::Polling(command) => self.handle_polling_command(state, command),
            ConnectionCommand::Configure(option) => {
                // Node.js does not report such errors, either.
                let _ = state.stream.set_option(option);
            }
        }
    }

    fn handle_injected_input(&self, state: &mut State, mut input: BytesMut) {
        self.report_raw(state, &input);
        self.handle_input(&mut state.connection, &mut input);
        state.wake();
    }

    /// Queues a packet that is sent to many connections.
    pub(super) fn handle_broadcast(self: &Rc<Self>, packet: &PreparedPacket, is_volatile: bool) {
        let state = &mut *self.state.borrow_mut();
        if is_volatile && self.is_busy(state) {
            self.worker.shared.counters.volatile_dropped.add(1);
        } else {
            let compression = self.compression(&state.connection);
            let frames = packet.frames(state.connection.version(), compression).clone();
            if packet.is_compressible() {
                state.stream.allow_compression();
            }
            self.traffic.count_queued(frames.len());
            match packet.latest_key() {
                None => self.send(state, frames, FrameKind::Silent, packet.count()),
                Some(key) => self.send_latest(state, frames, key.clone(), packet.count()),
            }
        }
    }

    fn send_frame(self: &Rc<Self>, state: &mut State, frame: Frames, kind: FrameKind) {
        // The application has counted those that are sent as they are.
        let is_counted = matches!(frame, Frames::Plain(_));
        if !is_counted {
            state.stream.allow_compression();
        }
        let frame = frame.for_peer(self.compression(&state.connection));
        if !is_counted {
            self.traffic.count_queued(frame.len());
        }
        self.send(state, frame, kind, 1);
    }

    /// Returns how to compress messages to the peer; `None` if they are sent as they are.
    fn compression<'a>(&self, connection: &'a Connection) -> Option<&'a Compression> {
        let compression = connection.options().compression.as_ref();
        compression.filter(|_| !self.worker.shared.is_ending.load(Ordering::Relaxed))
    }

    fn send_volatile(self: &Rc<Self>, state: &mut State, frame: Frames, volatile: Volatile) {
        if volatile == Volatile::First {
            state.is_volatile_dropped = self.is_busy(state);
            self.worker.shared.counters.volatile_dropped.add(state.is_volatile_dropped.into());
        }
        if !state.is_volatile_dropped {
            if !matches!(frame, Frames::Plain(_)) {
                state.stream.allow_compression();
            }
            let frame = frame.for_peer(self.compression(&state.connection));
            self.traffic.count_queued(frame.len());
            self.send(state, frame, FrameKind::Silent, 1);
        }
    }

    /// Returns whether a volatile packet must be dropped.
    fn is_busy(&self, state: &mut State) -> bool {
        if state.connection.has_sent_in(self.worker.turn()) {
            return true;
        }
        // The queue has frames of earlier turns only, which may not have been tried yet.
        self.flush_now(state);
        !state.connection.queue().is_empty() || !state.stream.may_be_writable()
    }

    fn send(self: &Rc<Self>, state: &mut State, frames: Bytes, kind: FrameKind, count: usize) {
        let before = state.connection.queue().len_bytes();
        state.connection.handle_time(self.worker.queued_at());
        state.connection.handle_frame(frames, kind, self.worker.turn());
        self.handle_sent(state, before, count);
    }

    /// Queues a packet in the place of an older one of the same key that the socket does not accept.
    fn send_latest(
        self: &Rc<Self>,
        state: &mut State,
        frames: Bytes,
        key: LatestKey,
        count: usize,
    ) {
        if !state.is_unsent_limited {
            state.is_unsent_limited = true;
            state.stream.limit_unsent();
        }
        // A packet of the same batch waits for the flush only: a peer that reads gets both.
        let fixed = state.stream.fixed();
        if !state.is_blocked && state.connection.queue().has_latest(&key, fixed) {
            self.flush_now(state);
        }
        let before = state.connection.queue().len_bytes();
        state.connection.handle_time(self.worker.queued_at());
        let fixed = state.stream.fixed();
        let replaced = state.connection.handle_latest(frames, key, fixed, self.worker.turn());
        if replaced > 0 {
            self.worker.shared.counters.replaced.add(1);
            self.traffic.count_replaced(replaced);
        }
        self.handle_sent(state, before, count);
    }

    /// Counts frames that were queued, and has the connection flushed.
    fn handle_sent(self: &Rc<Self>, state: &mut State, before: usize, count: usize) {
        self.worker.shared.counters.frames_out.add(count);
        self.count_queued(before, &state.connection);
        if !state.is_dirty {
            state.is_dirty = true;
            self.worker.add_dirty(self);
        }
    }

    fn close(&self, state: &mut State, frame: Bytes) {
        let before = state.connection.queue().len_bytes();
        state.connection.handle_time(self.worker.queued_at());
        state.change(|connection| connection.handle_close(frame));
        if let Some(transport) = state.stream.polling() {
            transport.abort_payload();
        }
        self.count_queued(before, &state.connection);
    }

    /// Writes queued frames as far as the socket accepts them at once.
    pub(super) fn flush(&self) {
        let state = &mut *self.state.borrow_mut();
        state.is_dirty = false;
        self.flush_now(state);
    }

    /// Flushes without waking the task, unless the socket does not accept all frames, the
    /// connection has ended, or a deadline must change.
    fn flush_now(&self, state: &mut State) {
        if state.is_blocked {
            self.handle_flushed(state);
        } else if let Err(error) = self.write_now(state) {
            state.is_blocked = error.kind() == ErrorKind::WouldBlock;
            if state.is_blocked {
                state.wake();
            } else {
                state.connection.terminate(EndReason::Io(os_error(&error)));
            }
        }
        if state.connection.poll_end().is_some() || state.needs_backpressure_deadline() {
            state.wake();
        }
    }

    /// Writes queued frames as far as the socket accepts them at once, and wakes the task so that
    /// it ends with the worker.
    pub(super) fn write_last(&self) {
        let state = &mut *self.state.borrow_mut();
        let _ = self.write_now(state);
        state.wake();
    }

    /// Reads, writes, and checks deadlines. Ready when the connection has ended.
    pub(super) fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.worker.is_shut_down() {
            return Poll::Ready(());
        }
        let state = &mut *self.state.borrow_mut();
        state.waker.get_or_insert_with(|| context.waker().clone());
        match state.connection.poll_end() {
            None => self.poll_open(state, context),
            // As with ws, queued frames are sent as far as the socket accepts them.
            Some(EndReason::Terminated) => drop(self.write_now(state)),
            Some(_) => {}
        }
        match state.connection.poll_end() {
            Some(reason) => {
                self.end(state, reason);
                Poll::Ready(())
            }
            None => Poll::Pending,
        }
    }

    fn poll_open(&self, state: &mut State, context: &mut Context<'_>) {
        if let Err(error) = self.poll_io(state, context) {
            state.connection.terminate(EndReason::Io(os_error(&error)));
        }
        poll_close_deadline(state, context);
        self.poll_backpressure_deadline(state, context);
    }

    fn end(&self, state: &mut State, reason: EndReason) {
        let counters = &self.worker.shared.counters;
        counters.queued_bytes.subtract(state.connection.queue().len_bytes());
        counters.slow_clients.subtract(state.is_slow.into());
        state.waker = None;
        self.leave_directory(state);
        state.stream.finish();
        self.traffic.handle_closing();
        self.worker.leave(self.id, reason);
    }

    fn poll_io(&self, state: &mut State, context: &mut Context<'_>) -> io::Result<()> {
        self.poll_write(state, context)?;
        if self.poll_read(state, context)? {
            // Answers to pings.
            self.poll_write(state, context)?;
        }
        let _ = state.stream.poll_flush(context)?;
        if state.connection.wants_shutdown() && !state.is_shut_down {
            state.is_shut_down = state.stream.poll_shutdown(context)?.is_ready();
        }
        Ok(())
    }

    fn poll_write(&self, state: &mut State, context: &mut Context<'_>) -> io::Result<()> {
        state.is_blocked = false;
        while !state.connection.queue().is_empty() {
            let Poll::Ready(written) = poll_write_once(state, context) else {
                state.is_blocked = true;
                break;
            };
            self.handle_written(&mut state.connection, written?);
        }
        self.handle_flushed(state);
        Ok(())
    }

    /// Writes to the socket directly: tokio may not know yet that it is writable.
    fn write_now(&self, state: &mut State) -> io::Result<()> {
        let result = self.write_all(state);
        self.handle_flushed(state);
        result
    }

    /// Reports what the socket has accepted, once it accepts no more.
    fn handle_flushed(&self, state: &mut State) {
        state.stream.end_batch();
        if state.stream.is_closed() {
            state.connection.terminate(EndReason::Closed);
        }
        state.connection.handle_flushed(|event| self.worker.emit(self.id, event));
        self.report_writable(state);
        let is_slow = state.connection.is_slow();
        if is_slow != state.is_slow {
            state.is_slow = is_slow;
            let slow_clients = &self.worker.shared.counters.slow_clients;
            if is_slow { slow_clients.add(1) } else { slow_clients.subtract(1) }
        }
    }

    fn write_all(&self, state: &mut State) -> io::Result<()> {
        while !state.connection.queue().is_empty() {
            match write_once(state) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                written => self.handle_written(&mut state.connection, written?),
            }
        }
        Ok(())
    }

    fn handle_written(&self, connection: &mut Connection, length: usize) {
        let counters = &self.worker.shared.counters;
        let now = self.traffic.touch();
        connection.handle_written(length, |queued_at| {
            counters.delivery.record(between(queued_at, now));
        });
        counters.writes.add(1);
        counters.bytes_out.add(length);
        counters.queued_bytes.subtract(length);
    }

    /// Reads one buffer at most, so that other connections are served in between. Returns whether
    /// there is something to write.
    fn poll_read(&self, state: &mut State, context: &mut Context<'_>) -> io::Result<bool> {
        let buffer = &mut *self.worker.buffer.borrow_mut();
        if state.connection.is_holding() || state.connection.has_unread_input() {
            state.connection.handle_limit_time(Instant::now());
        }
        while state.connection.wants_input() && !self.worker.is_stalled(context.waker()) {
            if self.handle_waiting_input(&mut state.connection) {
                self.report_payload(state);
                continue;
            }
            buffer.reserve(READ_BUFFER);
            let room = buffer.capacity();
            let Poll::Ready(length) = state.stream.poll_read(context, buffer) else { break };
            let length = length?;
            self.worker.handle_time(self.traffic.count_read(length));
            self.report_raw(state, buffer);
            self.handle_read(&mut state.connection, buffer, length);
            if length == room {
                context.waker().wake_by_ref();
                break;
            }
        }
        Ok(!state.connection.queue().is_empty())
    }

    fn report_raw(&self, state: &State, input: &[u8]) {
        if state.is_tapped && !input.is_empty() {
            self.worker.emit(self.id, Event::Raw(Bytes::copy_from_slice(input)));
        }
    }

    fn handle_read(&self, connection: &mut Connection, input: &mut BytesMut, length: usize) {
        self.worker.shared.counters.reads.add(1);
        if length == 0 {
            connection.handle_peer_end(|event| self.worker.emit(self.id, event));
        } else {
            self.handle_input(connection, input);
        }
    }

    fn handle_input(&self, connection: &mut Connection, input: &mut BytesMut) {
        self.worker.shared.counters.bytes_in.add(input.len());
        if connection.has_limit() {
            connection.handle_limit_time(Instant::now());
        }
        let before = connection.queue().len_bytes();
        connection.handle_time(self.worker.queued_at());
        let is_full = || self.worker.holds_much();
        let handled = connection.handle_input(input, |event| self.gather(event), is_full);
        self.handle_decoded(connection, handled, before);
    }

    /// Handles input that has waited for the application, or for the peer's limit. Returns whether
    /// there was some.
    fn handle_waiting_input(&self, connection: &mut Connection) -> bool {
        let before = connection.queue().len_bytes();
        connection.handle_time(self.worker.queued_at());
        let is_full = || self.worker.holds_much();
        let handled = connection
            .handle_unread_input(|event| self.gather(event), is_full)
            .or_else(|| connection.handle_held_input(|event| self.gather(event), is_full));
        if let Some(handled) = handled {
            self.handle_decoded(connection, handled, before);
        }
        handled.is_some()
    }

    /// Passes on an event of the peer's input.
    fn gather(&self, event: Event) {
        self.worker.shared.counters.messages_in.add(usize::from(event.is_message()));
        self.worker.gather(self.id, event);
    }

    /// Handles what else input has caused: `handled` messages that are not passed on, and frames behind
    /// the first `before` bytes of the queue.
    fn handle_decoded(&self, connection: &mut Connection, handled: usize, before: usize) {
        let counters = &self.worker.shared.counters;
        counters.messages_in.add(handled);
        counters.rate_limit_dropped.add(connection.take_dropped());
        if let Some(when) = connection.take_resumption() {
            counters.rate_limit_pauses.add(1);
            self.worker.add_deadline(self.id, when);
            self.excuse_heartbeat(connection);
        }
        self.traffic.count_queued(connection.queue().len_bytes() - before);
        self.count_queued(before, connection);
        self.handle_heartbeat_news(connection);
    }

    fn count_queued(&self, before: usize, connection: &Connection) {
        let counters = &self.worker.shared.counters;
        counters.queued_bytes.follow(before, connection.queue().len_bytes());
    }

    fn poll_backpressure_deadline(&self, state: &mut State, context: &mut Context<'_>) {
        if !state.connection.is_over_max_backpressure() {
            state.backpressure_deadline = None;
            return;
        }
        let timeout = state.connection.options().backpressure_timeout;
        let deadline = state.backpressure_deadline.get_or_insert_with(|| Box::pin(sleep(timeout)));
        if timeout.is_zero() || deadline.as_mut().poll(context).is_ready() {
            state.connection.handle_backpressure_timeout(|event| self.worker.emit(self.id, event));
        }
    }
}

impl State {
    /// Changes the state and wakes the task.
    fn change(&mut self, change: impl FnOnce(&mut Connection)) {
        change(&mut self.connection);
        self.wake();
    }

    /// Returns whether the task must be polled to start or to cancel the deadline for the peer to
    /// catch up.
    fn needs_backpressure_deadline(&self) -> bool {
        self.connection.is_over_max_backpressure() != self.backpressure_deadline.is_some()
    }

    fn wake(&self) {
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }
}

fn poll_close_deadline(state: &mut State, context: &mut Context<'_>) {
    if !state.connection.is_closing() {
        return;
    }
    let close_timeout = state.connection.options().close_timeout;
    let deadline = state.close_deadline.get_or_insert_with(|| Box::pin(sleep(close_timeout)));
    if deadline.as_mut().poll(context).is_ready() {
        state.connection.terminate(EndReason::CloseTimeout);
    }
}

fn os_error(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or_default()
}

fn write_once(state: &mut State) -> io::Result<usize> {
    let mut slices = [IoSlice::new(&[]); MAX_SLICES];
    let filled = state.connection.queue().io_slices(&mut slices);
    state.stream.write_now(slices.get(..filled).unwrap_or_default())
}

fn poll_write_once(state: &mut State, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
    let mut slices = [IoSlice::new(&[]); MAX_SLICES];
    let filled = state.connection.queue().io_slices(&mut slices);
    state.stream.poll_write(context, slices.get(..filled).unwrap_or_default())
}
