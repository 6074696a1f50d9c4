//! The WebSocket to which the client of a polling session wants to change.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io::{self, IoSlice};
use std::mem;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Instant;

use bytes::{Buf, BytesMut};
use tokio::time::{Sleep, sleep_until};

use crate::net::ConnectionOptions;
use crate::net::connection_task::ConnectionTask;
use crate::net::stream::Stream;
use crate::net::traffic::Traffic;
use crate::proto::engine_io::{EncodedPacket, Packet, PacketType, Upgrade, UpgradeAction};
use crate::proto::websocket::{CloseCode, Decoder, Event, Opcode, Role, encode_frame};

/// The room for what is read at once: a probe and the packet that completes the upgrade are short.
const READ_BUFFER: usize = 4 * 1024;

/// A WebSocket beside a polling session, as a task of the session's worker.
///
/// It becomes the transport of the session when the client sends the upgrade packet; the connection
/// decodes the bytes behind that. Otherwise it is closed, and the session goes on without it. Nothing
/// is read before the answer to a probe is written, so that no queue is needed.
pub(in crate::net) struct Probe {
    session: Rc<ConnectionTask>,
    state: RefCell<State>,
    /// Set when the session has ended.
    is_orphan: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

/// An accepted WebSocket of a session that exists.
#[derive(Debug)]
pub(in crate::net) struct Upgrading {
    pub(in crate::net) stream: Stream,
    /// The response to the handshake, to be written first.
    pub(in crate::net) output: BytesMut,
    /// Bytes behind the request that have been read.
    pub(in crate::net) input: BytesMut,
    pub(in crate::net) options: Arc<ConnectionOptions>,
    pub(in crate::net) traffic: Arc<Traffic>,
}

struct State {
    /// `None` once the session has it.
    upgrading: Option<Upgrading>,
    decoder: Decoder,
    input: BytesMut,
    machine: Upgrade,
    timer: Pin<Box<Sleep>>,
    /// Set once a close frame is on its way, or the peer has sent its own.
    is_closing: bool,
}

/// The consequence of an event of the WebSocket.
enum Step {
    Continue,
    /// The session gets the WebSocket.
    Complete,
    /// It is closed.
    Abandon,
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probe").finish_non_exhaustive()
    }
}

impl Probe {
    /// Creates a probe, whose task the caller spawns.
    pub(in crate::net) fn new(
        session: Rc<ConnectionTask>,
        mut upgrading: Upgrading,
        machine: Upgrade,
    ) -> Self {
        let input = mem::take(&mut upgrading.input);
        let options = &upgrading.options;
        let decoder = Decoder::new(Role::Server, options.limits);
        let decoder = if options.compression.is_some() { decoder.inflating() } else { decoder };
        let timer = Box::pin(sleep_until(machine.poll_timeout().into()));
        let state =
            State { upgrading: Some(upgrading), decoder, input, machine, timer, is_closing: false };
        Self {
            session,
            state: RefCell::new(state),
            is_orphan: Cell::default(),
            waker: RefCell::default(),
        }
    }

    /// Closes the WebSocket, since the session has ended on its other transport.
    pub(super) fn handle_session_end(&self) {
        self.is_orphan.set(true);
        self.waker.take().into_iter().for_each(Waker::wake);
    }

    /// Ready when the session has the WebSocket, or the WebSocket has ended.
    pub(in crate::net) fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.session.is_worker_shut_down() {
            return Poll::Ready(());
        }
        *self.waker.borrow_mut() = Some(context.waker().clone());
        let state = &mut *self.state.borrow_mut();
        if self.is_orphan.get() {
            state.close(None);
        }
        let result = ready!(self.poll_state(state, context));
        if result.is_err() {
            self.abandon(state);
        }
        Poll::Ready(())
    }

    /// Ready when the task is over; with an error, when the socket is.
    fn poll_state(&self, state: &mut State, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            self.poll_timer(state, context)?;
            ready!(state.poll_write(context))?;
            if state.is_over() {
                return Poll::Ready(Ok(()));
            }
            if ready!(state.poll_read(context))? == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            if self.handle_input(state) {
                return Poll::Ready(Ok(()));
            }
        }
    }

    fn poll_timer(&self, state: &mut State, context: &mut Context<'_>) -> io::Result<()> {
        while state.timer.as_mut().poll(context).is_ready() {
            if state.is_closing {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let now = Instant::now();
            match state.machine.handle_timeout(now) {
                Some(UpgradeAction::Abandon) => self.abandon(state),
                Some(UpgradeAction::EndPoll) => self.session.end_poll(),
                _ => {}
            }
            state.set_timer();
        }
        Ok(())
    }

    /// Handles the bytes that were read. Returns whether the session has got the WebSocket.
    fn handle_input(&self, state: &mut State) -> bool {
        loop {
            let event = match state.decoder.poll_event(&mut state.input) {
                Ok(Some(event)) => event,
                Ok(None) => return false,
                Err(error) => {
                    self.abandon_with(state, Some(error.close_code()));
                    return false;
                }
            };
            match self.handle_event(state, event) {
                Step::Continue => {}
                Step::Abandon => {
                    self.abandon(state);
                    return false;
                }
                Step::Complete => {
                    if let Some(upgrading) = state.upgrading.take() {
                        let input = mem::take(&mut state.input);
                        self.session.complete_upgrade(upgrading, input);
                    }
                    return true;
                }
            }
        }
    }

    fn handle_event(&self, state: &mut State, event: Event) -> Step {
        let packet = match event {
            Event::Ping(payload) => {
                state.send(Opcode::Pong, &payload);
                return Step::Continue;
            }
            Event::Pong(_) => return Step::Continue,
            Event::Close { code, .. } => {
                self.abandon_with(state, code);
                return Step::Continue;
            }
            Event::Text(text) => Packet::decode_text(text),
            Event::Binary(data) => Ok(Packet::Binary(data)),
        };
        let now = Instant::now();
        // engine.io treats a message that is not a packet as a packet of the wrong type.
        let action = packet
            .map_or(UpgradeAction::Abandon, |packet| state.machine.handle_packet(&packet, now));
        match action {
            // Nothing is answered behind a close frame.
            UpgradeAction::AnswerProbe | UpgradeAction::Complete if state.is_closing => {
                Step::Continue
            }
            UpgradeAction::AnswerProbe => {
                if let EncodedPacket::Text(text) = Packet::probe(PacketType::Pong).encode() {
                    state.send(Opcode::Text, &text);
                }
                state.set_timer();
                self.session.report_probe();
                Step::Continue
            }
            UpgradeAction::EndPoll => Step::Continue,
            UpgradeAction::Complete => Step::Complete,
            UpgradeAction::Abandon => Step::Abandon,
        }
    }

    fn abandon(&self, state: &mut State) {
        self.abandon_with(state, None);
    }

    fn abandon_with(&self, state: &mut State, code: Option<CloseCode>) {
        state.close(code);
        if !self.is_orphan.replace(true) {
            self.session.abandon_upgrade();
        }
    }
}

impl State {
    /// Sends a close frame, if it is the first; the peer has time to answer it.
    fn close(&mut self, code: Option<CloseCode>) {
        if self.is_closing {
            return;
        }
        self.is_closing = true;
        let code = code.map(|code| code.value().to_be_bytes());
        self.send(Opcode::Close, code.as_ref().map_or(&[], |code| code));
        if let Some(upgrading) = &self.upgrading {
            self.timer =
                Box::pin(sleep_until((Instant::now() + upgrading.options.close_timeout).into()));
        }
    }

    fn send(&mut self, opcode: Opcode, payload: &[u8]) {
        if let Some(upgrading) = &mut self.upgrading {
            upgrading.output.extend_from_slice(&encode_frame(true, opcode, payload, None));
        }
    }

    fn set_timer(&mut self) {
        if !self.is_closing {
            self.timer.as_mut().reset(self.machine.poll_timeout().into());
        }
    }

    /// Returns whether the closing handshake is done, and all is written.
    fn is_over(&self) -> bool {
        self.upgrading.is_none() || self.is_closing && self.decoder.is_closed()
    }

    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(Upgrading { stream, output, traffic, .. }) = &mut self.upgrading else {
            return Poll::Ready(Ok(()));
        };
        while !output.is_empty() {
            let written = ready!(stream.poll_write(context, &[IoSlice::new(output)]))?;
            traffic.count_queued(written);
            output.advance(written);
        }
        stream.poll_flush(context)
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let Some(upgrading) = &mut self.upgrading else { return Poll::Ready(Ok(0)) };
        self.input.reserve(READ_BUFFER);
        let length = ready!(upgrading.stream.poll_read(context, &mut self.input))?;
        upgrading.traffic.count_read(length);
        Poll::Ready(Ok(length))
    }
}
