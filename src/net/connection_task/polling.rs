//! The requests of a client that polls, and its change to a WebSocket.

use std::rc::Rc;

use bytes::BytesMut;

use super::{ConnectionTask, State};
use crate::net::command::PollingCommand;
use crate::net::polling::{
    Exchange, PollingOptions, PollingTransport, Probe, ReceivedPayload, Upgrading,
};
use crate::net::{EndReason, Event, Failure, PollingError, PollingState, UpgradeStep};

impl ConnectionTask {
    /// Handles a poll, which stays pending until there are packets. The client must not send another
    /// one meanwhile.
    pub(in crate::net) fn handle_poll(&self, exchange: &Rc<Exchange>) {
        self.begin_poll(&mut self.state.borrow_mut(), exchange);
    }

    /// Executes a command to a polling session.
    pub(super) fn handle_polling_command(&self, state: &mut State, command: PollingCommand) {
        match (command, state.stream.polling_mut()) {
            (PollingCommand::Await(awaited), _) => self.await_state(state, awaited),
            (PollingCommand::Poll(is_pending), Some(_)) => {
                self.handle_application_poll(state, is_pending);
            }
            (PollingCommand::Payload(body), _) => self.handle_application_payload(state, &body),
            (PollingCommand::AnswerPayload, Some(transport)) => self.answer_payload(transport),
            (PollingCommand::PassRequests, Some(transport)) => transport.is_passing = true,
            (_, None) => {}
        }
    }

    /// Begins or forgets a poll that the application has got.
    fn handle_application_poll(&self, state: &mut State, is_pending: bool) {
        if is_pending {
            let emit = {
                let worker = Rc::downgrade(&self.worker);
                let id = self.id;
                move |payload| {
                    if let Some(worker) = worker.upgrade() {
                        worker.emit(id, Event::Polled(payload));
                    }
                }
            };
            self.begin_poll(state, &Rc::new(Exchange::of_application(emit)));
        } else if let Some(transport) = state.stream.polling_mut() {
            transport.drop_application_poll();
            self.report_writable(state);
        }
    }

    /// Handles a payload that the application has got, which answers it when it has handled the packets. The
    /// session may have a WebSocket by now.
    fn handle_application_payload(&self, state: &mut State, body: &[u8]) {
        let exchange = Rc::new(Exchange::of_application(|_| {}));
        match state.stream.polling_mut().map(|transport| transport.begin_payload(&exchange)) {
            Some(true) => {
                self.traffic.set_receiving(true);
                self.handle_body(state, body);
            }
            Some(false) => self.fail(state, PollingError::PayloadOverlap),
            None => {
                self.handle_input(&mut state.connection, &mut ReceivedPayload::decode(body).frames);
                self.gather(Event::PayloadEnded);
                state.wake();
            }
        }
    }

    /// Reports a state once it is reached: at once, if the session has a WebSocket.
    fn await_state(&self, state: &mut State, awaited: PollingState) {
        let is_empty = state.connection.queue().is_empty();
        let is_reached = match (state.stream.polling_mut(), awaited) {
            (None, _) => true,
            (Some(transport), PollingState::Received) => !transport.is_receiving(),
            (Some(transport), PollingState::Writable) => transport.has_poll() && is_empty,
        };
        if is_reached {
            self.worker.emit(self.id, Event::Reached(awaited));
        } else if let Some(transport) = state.stream.polling_mut() {
            transport.await_state(awaited);
        }
    }

    /// Records and reports whether a poll is pending that takes nothing.
    pub(super) fn report_writable(&self, state: &mut State) {
        let is_empty = state.connection.queue().is_empty();
        let Some(transport) = state.stream.polling_mut() else { return };
        let is_writable = is_empty && transport.has_poll();
        self.traffic.set_writable(is_writable);
        if is_writable && transport.take_awaited(PollingState::Writable) {
            self.worker.emit(self.id, Event::Reached(PollingState::Writable));
        }
    }

    /// Records and reports that the client sends no payload any more.
    fn end_payload(&self, transport: &mut PollingTransport) {
        self.traffic.set_receiving(false);
        if transport.take_awaited(PollingState::Received) {
            self.worker.emit(self.id, Event::Reached(PollingState::Received));
        }
    }

    fn begin_poll(&self, state: &mut State, exchange: &Rc<Exchange>) {
        let Some(transport) = state.stream.polling_mut() else { return };
        if transport.has_poll() {
            self.refuse(state, exchange, PollingError::PollOverlap);
            return;
        }
        transport.begin_poll(Rc::clone(exchange));
        state.is_blocked = false;
        state.connection.handle_time(self.traffic.touch());
        self.flush_now(state);
    }

    /// Calls a function with the options of the session, unless it is over, or has a WebSocket, or its
    /// requests are the application's.
    pub(in crate::net) fn with_polling_options<T>(
        &self,
        call: impl FnOnce(&PollingOptions) -> T,
    ) -> Option<T> {
        let state = self.state.borrow();
        let is_open = state.connection.poll_end().is_none();
        let transport = state.stream.polling().filter(|transport| is_open && !transport.is_passing);
        transport.map(|transport| call(transport.options()))
    }

    /// Handles the end of the connection of a poll that is pending.
    pub(in crate::net) fn handle_poll_end(&self, exchange: &Rc<Exchange>) {
        let state = &mut *self.state.borrow_mut();
        let transport = state.stream.polling_mut();
        if transport.is_some_and(|transport| transport.drop_poll(exchange)) {
            self.report_writable(state);
            self.fail(state, PollingError::PollEnded);
        }
    }

    /// Begins to receive a payload. Returns false if the client is sending another one; the request has
    /// been refused then.
    pub(in crate::net) fn begin_payload(&self, exchange: &Rc<Exchange>) -> bool {
        let state = &mut *self.state.borrow_mut();
        let Some(transport) = state.stream.polling_mut() else { return false };
        let is_first = transport.begin_payload(exchange);
        if !is_first {
            self.refuse(state, exchange, PollingError::PayloadOverlap);
        }
        self.traffic.set_receiving(true);
        is_first
    }

    /// Handles a payload, of which `length` bytes with the request's head were read. It is answered when
    /// the application has handled its packets.
    pub(in crate::net) fn handle_payload(&self, body: &[u8], length: usize) {
        let state = &mut *self.state.borrow_mut();
        self.worker.handle_time(self.traffic.count_read(length));
        self.worker.shared.counters.reads.add(1);
        self.handle_body(state, body);
    }

    fn handle_body(&self, state: &mut State, body: &[u8]) {
        if state.connection.poll_end().is_none() {
            let mut payload = ReceivedPayload::decode(body);
            self.handle_input(&mut state.connection, &mut payload.frames);
            if payload.has_close {
                self.handle_close_packet(state);
            }
        }
        if let Some(transport) = state.stream.polling_mut() {
            transport.complete_payload();
        }
        self.report_payload(state);
        state.wake();
    }

    /// Reports that the application has all packets of a payload, unless some wait.
    pub(super) fn report_payload(&self, state: &mut State) {
        let Some(transport) = state.stream.polling_mut() else { return };
        if state.connection.poll_end().is_some() {
            self.answer_payload(transport);
        } else if !state.connection.has_unread_input() && transport.take_complete_payload() {
            self.gather(Event::PayloadEnded);
            if transport.leave_payload() {
                self.end_payload(transport);
            }
        }
    }

    fn answer_payload(&self, transport: &mut PollingTransport) {
        if transport.answer_payload() {
            self.end_payload(transport);
        }
    }

    /// Handles the end of a connection whose payload is incomplete.
    pub(in crate::net) fn handle_payload_end(&self) {
        let state = &mut *self.state.borrow_mut();
        if let Some(transport) = state.stream.polling_mut() {
            transport.drop_payload();
            self.end_payload(transport);
            self.fail(state, PollingError::PayloadEnded);
        }
    }

    fn handle_close_packet(&self, state: &mut State) {
        if let Some(transport) = state.stream.polling_mut() {
            transport.handle_close_packet();
        }
        state.change(|connection| connection.terminate(EndReason::PeerEnded));
    }

    fn refuse(&self, state: &mut State, exchange: &Exchange, error: PollingError) {
        if let Some(transport) = state.stream.polling() {
            transport.refuse(exchange);
        }
        self.fail(state, error);
    }

    /// Ends the session.
    fn fail(&self, state: &mut State, error: PollingError) {
        if state.connection.poll_end().is_none() {
            self.worker.emit(self.id, Event::Failed(Failure::Polling(error)));
            state.change(|connection| connection.terminate(EndReason::ProtocolError));
        }
    }

    /// Begins a change to a WebSocket. Returns `None` if the session is over, or is changing already.
    pub(in crate::net) fn begin_upgrade(
        self: &Rc<Self>,
        upgrading: Upgrading,
    ) -> Option<Rc<Probe>> {
        let state = &mut *self.state.borrow_mut();
        let is_over = state.connection.poll_end().is_some();
        let transport = state.stream.polling_mut().filter(|_| !is_over)?;
        transport.begin_upgrade(self, upgrading)
    }

    /// Returns whether the client is about to change to a WebSocket.
    pub(in crate::net) fn is_upgrading(&self) -> bool {
        self.state.borrow().stream.polling().is_none_or(PollingTransport::is_upgrading)
    }

    /// Reports that the WebSocket works.
    pub(in crate::net) fn report_probe(&self) {
        self.worker.emit(self.id, Event::Upgrade(UpgradeStep::Probed));
    }

    /// Ends the pending poll.
    pub(in crate::net) fn end_poll(&self) {
        let state = &mut *self.state.borrow_mut();
        if let Some(transport) = state.stream.polling_mut() {
            transport.end_poll();
            self.report_writable(state);
        }
    }

    /// Forgets the WebSocket to which the client wanted to change.
    pub(in crate::net) fn abandon_upgrade(&self) {
        if let Some(transport) = self.state.borrow_mut().stream.polling_mut() {
            transport.end_upgrade();
            self.worker.emit(self.id, Event::Upgrade(UpgradeStep::Abandoned));
        }
    }

    /// Reports that there is no WebSocket.
    pub(in crate::net) fn report_abandoned_upgrade(&self) {
        self.worker.emit(self.id, Event::Upgrade(UpgradeStep::Abandoned));
    }

    /// Goes on with the WebSocket, of which `input` has been read.
    pub(in crate::net) fn complete_upgrade(&self, upgrading: Upgrading, mut input: BytesMut) {
        let state = &mut *self.state.borrow_mut();
        self.leave_directory(state);
        let Some(transport) = state.stream.polling_mut() else { return };
        transport.end_upgrade();
        // A pending poll gets the close packet, as in engine.io.
        transport.finish();
        self.end_payload(transport);
        let Upgrading { stream, options, .. } = upgrading;
        state.stream = stream;
        state.is_blocked = false;
        state.connection.handle_upgrade(options);
        self.worker.emit(self.id, Event::Upgrade(UpgradeStep::Completed));
        self.handle_input(&mut state.connection, &mut input);
        state.wake();
    }

    /// Has requests with the id of the session found no more. Must be called before another connection can
    /// get the id of this one.
    pub(super) fn leave_directory(&self, state: &State) {
        if let Some(transport) = state.stream.polling() {
            self.worker.sessions().remove(transport.sid());
        }
    }

    /// Returns whether the worker ends.
    pub(in crate::net) fn is_worker_shut_down(&self) -> bool {
        self.worker.is_shut_down()
    }
}
