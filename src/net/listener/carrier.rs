//! A TLS connection that is passed to the application: its plaintext goes through a pair of sockets.
//!
//! The application's HTTP server gets one end of the pair, an ordinary socket of its own. So the kernel
//! holds what either side does not read, and bytes of requests and responses never become events.

use std::cell::RefCell;
use std::future::Future;
use std::io::{self, ErrorKind, IoSlice};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::time::{Sleep, sleep};

use super::ListenerOptions;
use super::PassedDescriptor;
use super::handshake::{HandshakeKey, keep_alive};
use super::pair::Pair;
use super::tls::TlsSource;
use crate::net::command::{ConnectionCommand, SocketOption};
use crate::net::stream::Stream;
use crate::net::tls::TlsDetails;
use crate::net::traffic::Traffic;
use crate::net::worker::{READ_BUFFER, Worker};
use crate::net::{ConnectionId, EndReason, Event};

/// Reads of one direction before others are served.
const ROUNDS: usize = 8;

/// Time in which a peer must take what was sent before the application closed its socket. The kernel
/// gives a socket that is closed about as long.
const LINGER: Duration = Duration::from_secs(60);

/// A TLS connection that is passed, for the application.
#[derive(Debug)]
pub struct PassedStream {
    /// The worker whose connection it is.
    pub worker: usize,
    /// Identifies it on that worker.
    pub key: HandshakeKey,
    /// The application's end of the pair.
    pub descriptor: PassedDescriptor,
    /// True if its request head has not come in time.
    pub is_overdue: bool,
    /// Parameters that TLS has negotiated.
    pub details: Arc<TlsDetails>,
    pub(in crate::net) traffic: Arc<Traffic>,
}

/// The worker's part of a passed connection, until the application continues it.
pub(super) struct WaitingStream {
    stream: Stream,
    input: BytesMut,
    pair: Pair,
    pub(super) traffic: Arc<Traffic>,
}

impl WaitingStream {
    /// Makes a pair. Returns the application's end, too.
    ///
    /// # Errors
    ///
    /// The error of the operating system, if descriptors have run out.
    pub(super) fn new(
        source: TlsSource,
        options: &ListenerOptions,
    ) -> io::Result<(Self, UnixStream, Arc<TlsDetails>)> {
        let (pair, theirs) = Pair::new()?;
        let details = source.details().cloned().ok_or(ErrorKind::NotConnected)?;
        let traffic = Arc::new(Traffic::new(source.socket().as_raw_fd(), 0, 0));
        let (stream, input) = source.into_parts();
        let stream = Stream::Tls(Box::new(stream));
        let _ = stream.set_option(SocketOption::NoDelay(true));
        if let Some(delay) = options.keep_alive {
            let _ = stream.set_option(keep_alive(delay));
        }
        Ok((Self { stream, input, pair, traffic }, theirs, details))
    }

    /// Goes on, as the connection with this id.
    pub(super) fn carry(self, worker: Rc<Worker>, id: ConnectionId) -> Carrier {
        let Self { stream, input, pair, traffic } = self;
        Carrier::new(worker, id, stream, input, pair, traffic)
    }
}

/// A connection on its worker, as a task.
pub(in crate::net) struct Carrier {
    worker: Rc<Worker>,
    id: ConnectionId,
    traffic: Arc<Traffic>,
    state: RefCell<State>,
}

struct State {
    stream: Stream,
    pair: Pair,
    /// Bytes of the peer that the application's socket has not accepted.
    input: BytesMut,
    /// Bytes of the application that the peer's socket has not accepted.
    output: BytesMut,
    /// Set when the peer's side has ended.
    has_peer_ended: bool,
    /// Set when that end has been reported to the application.
    is_end_passed: bool,
    /// Set when the application's side has ended.
    has_application_ended: bool,
    /// Set when our side of the connection has ended.
    is_shut_down: bool,
    /// Runs out when the application has closed its socket a while ago.
    linger: Option<Pin<Box<Sleep>>>,
    /// Set once an error is reported: the application closes its socket.
    has_failed: bool,
    /// Set when the connection must end at once.
    is_terminated: bool,
    waker: Option<Waker>,
}

impl Carrier {
    /// Creates a connection of which `input` has been read already, for a task to
    /// [`poll`](Self::poll).
    fn new(
        worker: Rc<Worker>,
        id: ConnectionId,
        stream: Stream,
        input: BytesMut,
        pair: Pair,
        traffic: Arc<Traffic>,
    ) -> Self {
        let state = State {
            stream,
            pair,
            input,
            output: BytesMut::new(),
            has_peer_ended: false,
            is_end_passed: false,
            has_application_ended: false,
            is_shut_down: false,
            linger: None,
            has_failed: false,
            is_terminated: false,
            waker: None,
        };
        Self { worker, id, traffic, state: RefCell::new(state) }
    }

    /// Executes a command of the application.
    pub(in crate::net) fn handle_command(&self, command: ConnectionCommand) {
        let state = &mut *self.state.borrow_mut();
        match command {
            // The application has closed its socket.
            ConnectionCommand::End if state.has_failed => state.is_terminated = true,
            ConnectionCommand::End => {
                state.linger.get_or_insert_with(|| Box::pin(sleep(LINGER)));
            }
            ConnectionCommand::Configure(option) => drop(state.stream.set_option(option)),
            _ => {}
        }
        state.wake();
    }

    /// Wakes the task, which ends because the worker does.
    pub(super) fn wake(&self) {
        self.state.borrow().wake();
    }

    /// Carries bytes in both directions. Ready when the connection has ended.
    pub(super) fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.worker.is_shut_down() {
            return Poll::Ready(());
        }
        let state = &mut *self.state.borrow_mut();
        state.waker.get_or_insert_with(|| context.waker().clone());
        if !state.has_failed
            && let Err(error) = self.poll_io(state, context)
        {
            let number = error.raw_os_error().unwrap_or(libc::EPROTO);
            self.worker.emit(self.id, Event::StreamFailed(number));
            state.has_failed = true;
            state.is_terminated |= state.linger.is_some();
        }
        let reason = ready!(state.poll_end(context));
        state.stream.finish();
        state.waker = None;
        self.worker.listeners.remove_carrier(&self.worker, self.id, reason);
        Poll::Ready(())
    }

    fn poll_io(&self, state: &mut State, context: &mut Context<'_>) -> io::Result<()> {
        let buffer = &mut *self.worker.buffer.borrow_mut();
        self.carry_input(state, buffer, context)?;
        self.carry_output(state, context)?;
        let _ = state.stream.poll_flush(context)?;
        if state.has_application_ended && state.output.is_empty() && !state.is_shut_down {
            state.is_shut_down = state.stream.poll_shutdown(context)?.is_ready();
        }
        Ok(())
    }

    /// Carries bytes of the peer.
    fn carry_input(
        &self,
        state: &mut State,
        buffer: &mut BytesMut,
        context: &mut Context<'_>,
    ) -> io::Result<()> {
        for _ in 0..ROUNDS {
            // Bytes that the peer sends after that are never read.
            if state.linger.is_some() {
                state.input.clear();
            }
            while !state.input.is_empty() {
                let passed = pass_on(&mut state.pair, &state.input, context);
                let Poll::Ready(length) = passed else { return Ok(()) };
                state.input.advance(length);
            }
            if state.has_peer_ended {
                if !state.is_end_passed {
                    state.pair.shut_down();
                    state.is_end_passed = true;
                }
                return Ok(());
            }
            buffer.reserve(READ_BUFFER);
            let Poll::Ready(length) = state.stream.poll_read(context, buffer) else {
                state.input = BytesMut::new();
                return Ok(());
            };
            self.traffic.count_read(length?);
            self.worker.shared.counters.bytes_in.add(buffer.len());
            state.has_peer_ended = buffer.is_empty();
            if state.linger.is_none()
                && !buffer.is_empty()
                && let Poll::Ready(length) = pass_on(&mut state.pair, buffer, context)
            {
                buffer.advance(length);
            }
            // Empty, unless the application is slower than the peer.
            state.input.extend_from_slice(buffer);
            buffer.clear();
        }
        context.waker().wake_by_ref();
        Ok(())
    }

    /// Carries bytes of the application.
    fn carry_output(&self, state: &mut State, context: &mut Context<'_>) -> io::Result<()> {
        let buffer = &mut *self.worker.listeners.carried.borrow_mut();
        buffer.resize(READ_BUFFER, 0);
        for _ in 0..ROUNDS {
            while !state.output.is_empty() {
                let written = self.write(&mut state.stream, &state.output, context);
                let Poll::Ready(length) = written else { return Ok(()) };
                state.output.advance(length?);
            }
            if state.has_application_ended {
                return Ok(());
            }
            let Poll::Ready(length) = state.pair.poll_read(context, buffer) else {
                state.output = BytesMut::new();
                return Ok(());
            };
            // An error: it has closed its socket with bytes of the peer that it has not read.
            let bytes = buffer.get(..length.unwrap_or(0)).unwrap_or_default();
            state.has_application_ended = bytes.is_empty();
            let written = match self.write(&mut state.stream, bytes, context) {
                Poll::Ready(length) => length?,
                Poll::Pending => 0,
            };
            state.output.extend_from_slice(bytes.get(written..).unwrap_or_default());
        }
        context.waker().wake_by_ref();
        Ok(())
    }

    /// Sends bytes of the application to the peer. Returns how many the kernel has accepted.
    fn write(
        &self,
        stream: &mut Stream,
        bytes: &[u8],
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let length = ready!(stream.poll_write(context, &[IoSlice::new(bytes)]))?;
        self.traffic.count_queued(length);
        self.traffic.touch();
        self.worker.shared.counters.bytes_out.add(length);
        Poll::Ready(Ok(length))
    }
}

/// Gives bytes of the peer to the application's socket. After it has closed that, they are lost.
fn pass_on(pair: &mut Pair, bytes: &[u8], context: &mut Context<'_>) -> Poll<usize> {
    match ready!(pair.poll_write(context, bytes)) {
        Err(error) if error.kind() == ErrorKind::Interrupted => Poll::Ready(0),
        Err(_) => Poll::Ready(bytes.len()),
        Ok(length) => Poll::Ready(length),
    }
}

impl State {
    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<EndReason> {
        if self.is_terminated {
            return Poll::Ready(EndReason::Terminated);
        }
        if self.has_failed {
            return Poll::Pending;
        }
        if let Some(linger) = &mut self.linger
            && (self.is_shut_down || linger.as_mut().poll(context).is_ready())
        {
            return Poll::Ready(EndReason::Terminated);
        }
        if self.is_shut_down && self.is_end_passed {
            return Poll::Ready(EndReason::Closed);
        }
        Poll::Pending
    }

    fn wake(&self) {
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }
}
