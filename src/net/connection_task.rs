//! One connection with its socket, as a task of its worker.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::BytesMut;
use socket2::SockRef;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};
use tokio_util::io::poll_read_buf;

use super::command::ConnectionCommand;
use super::connection::Connection;
use super::worker::{READ_BUFFER, Worker};
use super::{ConnectionId, ConnectionOptions, EndReason};

/// The most frames that leave in one `writev`.
const MAX_SLICES: usize = 64;

/// A connection on its worker. Held by the worker, which passes commands on, and by
/// the task that polls it.
pub(super) struct ConnectionTask {
    worker: Rc<Worker>,
    id: ConnectionId,
    state: RefCell<State>,
}

struct State {
    stream: TcpStream,
    connection: Connection,
    waker: Option<Waker>,
    /// When a closing connection is given up.
    deadline: Option<Pin<Box<Sleep>>>,
    is_shut_down: bool,
}

impl ConnectionTask {
    pub(super) fn new(
        worker: Rc<Worker>,
        id: ConnectionId,
        stream: TcpStream,
        options: Arc<ConnectionOptions>,
    ) -> Self {
        let connection = Connection::new(options);
        let state = State { stream, connection, waker: None, deadline: None, is_shut_down: false };
        Self { worker, id, state: RefCell::new(state) }
    }

    /// What had been read before the connection came here.
    pub(super) fn handle_early_input(&self, mut input: BytesMut) {
        self.handle_input(&mut self.state.borrow_mut().connection, &mut input);
    }

    pub(super) fn handle_command(&self, command: ConnectionCommand) {
        let mut state = self.state.borrow_mut();
        let before = state.connection.queue().len_bytes();
        match command {
            ConnectionCommand::Send(frame, kind) => {
                self.worker.shared.counters.frames_out.add(1);
                state.connection.handle_frame(frame, kind);
            }
            ConnectionCommand::Close(frame) => state.connection.handle_close(frame),
            ConnectionCommand::End => state.connection.handle_end(),
            ConnectionCommand::Pause(is_paused) => state.connection.handle_pause(is_paused),
            ConnectionCommand::Terminate => state.connection.terminate(EndReason::Terminated),
        }
        self.count_queued(before, &state.connection);
        if let Some(waker) = &state.waker {
            waker.wake_by_ref();
        }
    }

    /// Gives the socket what it takes at once; the worker is about to end.
    pub(super) fn write_last(&self) {
        self.write_now(&mut self.state.borrow_mut());
    }

    /// Reads, writes and waits; ready when the connection is over.
    pub(super) fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        let state = &mut *self.state.borrow_mut();
        state.waker.get_or_insert_with(|| context.waker().clone());
        match state.connection.poll_end() {
            None => self.poll_open(state, context),
            // What was sent before goes as far as the socket takes it, as with ws.
            Some(EndReason::Terminated) => self.write_now(state),
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
            state.connection.terminate(EndReason::Io(error.raw_os_error().unwrap_or_default()));
        }
        self.poll_deadline(state, context);
    }

    fn end(&self, state: &mut State, reason: EndReason) {
        self.worker.shared.counters.queued_bytes.subtract(state.connection.queue().len_bytes());
        state.waker = None;
        self.worker.leave(self.id, reason);
    }

    fn poll_io(&self, state: &mut State, context: &mut Context<'_>) -> io::Result<()> {
        self.poll_write(state, context)?;
        if self.poll_read(state, context)? {
            // Answers to pings.
            self.poll_write(state, context)?;
        }
        if state.connection.wants_shutdown() && !state.is_shut_down {
            state.is_shut_down = true;
            let _ = Pin::new(&mut state.stream).poll_shutdown(context)?;
        }
        Ok(())
    }

    fn poll_write(&self, state: &mut State, context: &mut Context<'_>) -> io::Result<()> {
        while !state.connection.queue().is_empty() {
            let Poll::Ready(written) = write_once(state, context) else { break };
            self.handle_written(&mut state.connection, written?);
        }
        state.connection.handle_flushed(|event| self.worker.emit(self.id, event));
        Ok(())
    }

    /// Writes without asking tokio, which may not know yet that the socket is writable.
    fn write_now(&self, state: &mut State) {
        while !state.connection.queue().is_empty() {
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let filled = state.connection.queue().io_slices(&mut slices);
            let slices = slices.get(..filled).unwrap_or_default();
            let Ok(length) = SockRef::from(&state.stream).send_vectored(slices) else { break };
            self.handle_written(&mut state.connection, length);
        }
        state.connection.handle_flushed(|event| self.worker.emit(self.id, event));
    }

    fn handle_written(&self, connection: &mut Connection, length: usize) {
        let counters = &self.worker.shared.counters;
        connection.handle_written(length);
        counters.writes.add(1);
        counters.bytes_out.add(length);
        counters.queued_bytes.subtract(length);
    }

    /// Reads once, a buffer at most, so that other connections have their turn. Returns
    /// whether something is to be written now.
    fn poll_read(&self, state: &mut State, context: &mut Context<'_>) -> io::Result<bool> {
        let buffer = &mut *self.worker.buffer.borrow_mut();
        while state.connection.wants_input() && !self.worker.is_stalled(context.waker()) {
            buffer.reserve(READ_BUFFER);
            let room = buffer.capacity();
            let stream = Pin::new(&mut state.stream);
            let Poll::Ready(length) = poll_read_buf(stream, context, buffer) else { break };
            let length = length?;
            self.handle_read(&mut state.connection, buffer, length);
            if length == room {
                context.waker().wake_by_ref();
                break;
            }
        }
        Ok(!state.connection.queue().is_empty())
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
        let counters = &self.worker.shared.counters;
        counters.bytes_in.add(input.len());
        let before = connection.queue().len_bytes();
        connection.handle_input(input, |event| {
            counters.messages_in.add(usize::from(event.is_message()));
            self.worker.emit(self.id, event);
        });
        self.count_queued(before, connection);
    }

    fn count_queued(&self, before: usize, connection: &Connection) {
        let counters = &self.worker.shared.counters;
        counters.queued_bytes.add(connection.queue().len_bytes() - before);
    }

    fn poll_deadline(&self, state: &mut State, context: &mut Context<'_>) {
        if !state.connection.is_closing() {
            return;
        }
        let close_timeout = state.connection.options().close_timeout;
        let deadline = state.deadline.get_or_insert_with(|| Box::pin(sleep(close_timeout)));
        if deadline.as_mut().poll(context).is_ready() {
            state.connection.terminate(EndReason::CloseTimeout);
        }
    }
}

fn write_once(state: &mut State, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
    let mut slices = [IoSlice::new(&[]); MAX_SLICES];
    let filled = state.connection.queue().io_slices(&mut slices);
    let slices = slices.get(..filled).unwrap_or_default();
    let stream = Pin::new(&mut state.stream);
    let length = ready!(match slices {
        [frame] => stream.poll_write(context, frame),
        frames => stream.poll_write_vectored(context, frames),
    })?;
    Poll::Ready(Ok(length))
}
