//! The heartbeat of a connection on its worker: when it is due, and what it sends and reports.

use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{ConnectionTask, State};
use crate::fanout::FrameKind;
use crate::net::Event;
use crate::net::connection::Connection;
use crate::net::deadlines::Ticket;
use crate::net::heartbeat::{HeartbeatCommand, HeartbeatDriver, HeartbeatEvent, MAX_PONGS};
use crate::proto::engine_io::Action;

/// The frame of a ping: a text message, RFC 6455 §5.2.
const PING_FRAME: Bytes = Bytes::from_static(b"\x81\x012");

/// The frame of a pong, in v3.
const PONG_FRAME: Bytes = Bytes::from_static(b"\x81\x013");

/// Time between two looks at an overdue peer whose input has not been read.
const UNREAD_RETRY: Duration = Duration::from_millis(20);

/// Time to read the input that has arrived before a deadline. The kernel's buffers hold 6 MiB at most
/// by default, which take 10 ms, and a peer that never pauses must not escape its deadline.
const MAX_READING: Duration = Duration::from_secs(1);

/// Time between two looks at an application that hangs. With 10,000 connections these are 20,000 a
/// second, of 0.2 µs each.
const HUNG_RETRY: Duration = Duration::from_millis(500);

impl ConnectionTask {
    /// Opens the session that begins with the connection, if there is one.
    pub(in crate::net) fn open_session(&self) {
        let connection = &mut self.state.borrow_mut().connection;
        let Some(options) = connection.options().session else { return };
        connection.prepare_heartbeat();
        connection.split_packets(true);
        if let Some(heartbeat) = connection.heartbeat_mut() {
            heartbeat.open(&options, Instant::now());
            self.schedule_heartbeat(heartbeat);
        }
    }

    /// Executes a command to the heartbeat.
    pub(super) fn handle_heartbeat_command(&self, state: &mut State, command: HeartbeatCommand) {
        let connection = &mut state.connection;
        match (command, connection.heartbeat_mut()) {
            (HeartbeatCommand::Prepare, _) => {
                connection.prepare_heartbeat();
                self.report(HeartbeatEvent::Ready);
            }
            (HeartbeatCommand::Release, _) => connection.release_heartbeat(),
            (HeartbeatCommand::Start(start), Some(heartbeat)) => {
                heartbeat.start(&start, Instant::now());
                self.schedule_heartbeat(heartbeat);
            }
            (HeartbeatCommand::Report(is_reported), Some(heartbeat)) => {
                heartbeat.report(is_reported);
            }
            (HeartbeatCommand::Close, Some(heartbeat)) => heartbeat.close(),
            (_, None) => {}
        }
    }

    /// Handles the heartbeat packets among messages that have been read.
    pub(super) fn handle_heartbeat_news(&self, connection: &mut Connection) {
        let Some(heartbeat) = connection.heartbeat_mut().filter(|heartbeat| heartbeat.has_news())
        else {
            return;
        };
        let now = Instant::now();
        heartbeat.update(now);
        self.worker.schedule_delivery(heartbeat.is_reported(), now);
        self.schedule_heartbeat(heartbeat);
        self.send_owed_pongs(connection, now);
    }

    /// Handles a time that [`schedule_heartbeat`](Self::schedule_heartbeat) has set, or at which the
    /// peer's limit allows more input.
    pub(in crate::net) fn handle_due(self: &Rc<Self>, ticket: Ticket, now: Instant) {
        let state = &mut *self.state.borrow_mut();
        if state.connection.is_holding() {
            state.wake();
        }
        self.handle_heartbeat_due(state, ticket, now);
    }

    fn handle_heartbeat_due(self: &Rc<Self>, state: &mut State, ticket: Ticket, now: Instant) {
        // A client that polls may be gone long before its session is closed.
        let is_over = match state.stream.polling() {
            Some(_) => state.connection.poll_end().is_some(),
            None => state.connection.is_sending_over(),
        };
        if is_over {
            state.connection.release_heartbeat();
        }
        let Some(heartbeat) = state.connection.heartbeat_mut() else { return };
        if heartbeat.entry.is_none_or(|(valid, _)| valid != ticket) {
            return;
        }
        heartbeat.entry = None;
        if heartbeat.is_overdue(now) {
            self.handle_overdue(state, now);
        } else {
            self.send_heartbeats(state, now);
        }
    }

    /// Judges a peer that has not answered in time, unless its answer may have arrived.
    fn handle_overdue(&self, state: &mut State, now: Instant) {
        // Its answer may be among input that waits for its limit, which takes any time.
        let is_limited = state.connection.is_holding();
        if is_limited {
            self.excuse_heartbeat(&mut state.connection);
        }
        let is_stalled = self.worker.holds_much() || is_limited;
        let wants_input = state.connection.wants_input() || is_limited;
        let may_have_answered = wants_input && (is_stalled || has_unread(state));
        let Some(heartbeat) = state.connection.heartbeat_mut() else { return };
        if is_stalled {
            heartbeat.overdue_since = None;
        }
        let since = *heartbeat.overdue_since.get_or_insert(now);
        if may_have_answered && now.saturating_duration_since(since) < MAX_READING {
            self.schedule(heartbeat, now + UNREAD_RETRY);
        } else if let Some(Action::Close(_)) = heartbeat.poll_action(now) {
            self.report(HeartbeatEvent::TimedOut);
        }
    }

    /// Goes on without the peer's pong, which may wait behind input that exceeds its limit.
    pub(super) fn excuse_heartbeat(&self, connection: &mut Connection) {
        if let Some(heartbeat) = connection.heartbeat_mut() {
            heartbeat.excuse(Instant::now());
            self.schedule_heartbeat(heartbeat);
        }
    }

    fn send_heartbeats(self: &Rc<Self>, state: &mut State, now: Instant) {
        self.send_owed_pongs(&mut state.connection, now);
        while let Some(heartbeat) = state.connection.heartbeat_mut()
            && heartbeat.due().is_some_and(|due| due <= now)
        {
            if self.worker.is_application_hung(now, heartbeat.max_loop_lag()) {
                self.schedule(heartbeat, now + HUNG_RETRY);
                return self.flush_now(state);
            }
            if heartbeat.poll_action(now) == Some(Action::SendPing) {
                let is_reported = heartbeat.is_reported();
                self.send_heartbeat(&mut state.connection, PING_FRAME, FrameKind::Silent);
                if state.connection.is_holding() {
                    self.excuse_heartbeat(&mut state.connection);
                }
                self.worker.gather(self.id, Event::Heartbeat(HeartbeatEvent::Sent));
                self.worker.schedule_delivery(is_reported, now);
            }
        }
        if let Some(heartbeat) = state.connection.heartbeat_mut() {
            self.schedule_heartbeat(heartbeat);
        }
        self.flush_now(state);
    }

    /// Answers the pings of a v3 peer, unless the application hangs.
    fn send_owed_pongs(&self, connection: &mut Connection, now: Instant) {
        let Some(heartbeat) = connection.heartbeat_mut().filter(|heartbeat| heartbeat.owes_pongs())
        else {
            return;
        };
        if self.worker.is_application_hung(now, heartbeat.max_loop_lag()) {
            return self.schedule(heartbeat, now + HUNG_RETRY);
        }
        let owed = heartbeat.take_owed_pongs();
        for _ in 0..owed.min(MAX_PONGS.saturating_sub(connection.queue().pongs())) {
            self.send_heartbeat(connection, PONG_FRAME, FrameKind::AutomaticPong);
        }
    }

    fn send_heartbeat(&self, connection: &mut Connection, frame: Bytes, kind: FrameKind) {
        let before = connection.queue().len_bytes();
        self.worker.shared.counters.frames_out.add(1);
        self.traffic.count_queued(frame.len());
        connection.handle_time(self.worker.queued_at());
        connection.handle_own_frame(frame, kind);
        self.count_queued(before, connection);
    }

    fn report(&self, event: HeartbeatEvent) {
        self.worker.emit(self.id, Event::Heartbeat(event));
    }

    /// Ensures that [`handle_heartbeat_due`](Self::handle_heartbeat_due) is called when the heartbeat
    /// is due. A call that is scheduled for an earlier time stays, since it finds the new time.
    fn schedule_heartbeat(&self, heartbeat: &mut HeartbeatDriver) {
        if let Some(due) = heartbeat.due() {
            self.schedule(heartbeat, due);
        }
    }

    fn schedule(&self, heartbeat: &mut HeartbeatDriver, when: Instant) {
        if heartbeat.entry.is_none_or(|(_, scheduled)| when < scheduled) {
            heartbeat.entry = Some((self.worker.add_deadline(self.id, when), when));
        }
    }
}

/// Returns whether there is input that has not been handled, or the end of the stream.
fn has_unread(state: &State) -> bool {
    state.connection.has_unread_input() || state.stream.has_unread()
}
