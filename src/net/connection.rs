//! The state of one connection, without its socket: bytes and commands in, events and frames out.

use std::sync::Arc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};

use super::heartbeat::{HeartbeatDriver, HeartbeatEvent, Outcome};
use super::rate_limiter::{RateLimiter, Verdict};
use super::{ConnectionOptions, EndReason, Event, Failure, RateLimitAction};
use crate::fanout::{FrameKind, LatestKey, SendQueue, Stamp};
use crate::proto::engine_io::{PacketType, ProtocolVersion};
use crate::proto::socket_io::PacketParts;
use crate::proto::websocket::{self, Decoder, Opcode, Role, encode_frame};

/// The first byte of a text message with a message packet of Engine.IO.
const MESSAGE: u8 = PacketType::Message.digit();

/// The number of a turn of the application.
pub(super) type Turn = u64;

/// A server's end of a WebSocket connection.
///
/// Performs no I/O and has no clock: its `ConnectionTask` owns the socket and the deadlines, and
/// calls three kinds of methods:
///
/// - **inputs**, `handle_*` and [`terminate`](Self::terminate): bytes that were read or written,
///   commands, timeouts. Methods that can cause an event take a function that receives it;
/// - **outputs**: the [`queue`](Self::queue) to write from,
///   [`wants_shutdown`](Self::wants_shutdown), and [`poll_end`](Self::poll_end);
/// - **conditions**: [`wants_input`](Self::wants_input), [`has_limit`](Self::has_limit), and
///   [`is_closing`](Self::is_closing) and
///   [`is_over_max_backpressure`](Self::is_over_max_backpressure), which start a deadline.
///
/// The application leads the closing handshake: the peer's close frame, or its violation of the
/// protocol, is reported as an event, which the application answers with
/// [`handle_close`](Self::handle_close).
#[derive(Debug)]
pub(super) struct Connection {
    decoder: Decoder,
    queue: SendQueue,
    options: Arc<ConnectionOptions>,
    version: ProtocolVersion,
    /// Set while the worker handles heartbeats.
    heartbeat: Option<Box<HeartbeatDriver>>,
    /// Set if the options limit what the peer sends.
    limiter: Option<Box<RateLimiter>>,
    /// Input that has been read and waits for the application to take events.
    unread: Option<Box<BytesMut>>,
    /// The bytes in the send queue that were last reported.
    reported_backlog: usize,
    /// The turn in which the application last sent a frame.
    sent_in: Option<Turn>,
    is_paused: bool,
    has_failed: bool,
    /// Set when no frame may be queued any more.
    is_close_queued: bool,
    /// Set when our side must end without a close frame.
    is_cut_short: bool,
    has_peer_ended: bool,
    splits_packets: bool,
    end: Option<EndReason>,
}

impl Connection {
    pub(super) fn new(options: Arc<ConnectionOptions>) -> Self {
        let decoder = Decoder::new(Role::Server, options.limits);
        let decoder = if options.compression.is_some() { decoder.inflating() } else { decoder };
        let limiter = options.rate_limit.map(|limit| Box::new(RateLimiter::new(limit)));
        Self {
            decoder,
            queue: SendQueue::default(),
            limiter,
            unread: None,
            options,
            version: ProtocolVersion::default(),
            heartbeat: None,
            reported_backlog: 0,
            sent_in: None,
            is_paused: false,
            has_failed: false,
            is_close_queued: false,
            is_cut_short: false,
            has_peer_ended: false,
            splits_packets: false,
            end: None,
        }
    }

    /// Goes on with another transport of the same session: input begins with a new frame.
    pub(super) fn handle_upgrade(&mut self, options: Arc<ConnectionOptions>) {
        let decoder = Decoder::new(Role::Server, options.limits);
        self.decoder = if options.compression.is_some() { decoder.inflating() } else { decoder };
        self.options = options;
    }

    pub(super) fn options(&self) -> &ConnectionOptions {
        &self.options
    }

    pub(super) const fn queue(&self) -> &SendQueue {
        &self.queue
    }

    /// Decodes the events of bytes that were read, until `is_full` returns true after one; what is
    /// left waits for [`handle_unread_input`](Self::handle_unread_input). A short compressed message
    /// can be a long one for the application. `input` is empty afterwards. Returns the number of
    /// messages that are reported as heartbeats or dropped.
    pub(super) fn handle_input(
        &mut self,
        input: &mut BytesMut,
        mut emit: impl FnMut(Event),
        is_full: impl Fn() -> bool,
    ) -> usize {
        let mut handled = 0;
        if self.keeps_input(input) {
            return handled;
        }
        loop {
            let before = input.len();
            match self.decoder.poll_event(input) {
                Ok(Some(event)) => {
                    self.count_taken(before - input.len());
                    match self.handle_heartbeat_packet(&event) {
                        Outcome::Deliver => handled += self.deliver(event, input, &mut emit),
                        Outcome::Report => {
                            handled += 1;
                            emit(Event::Heartbeat(HeartbeatEvent::Received));
                        }
                    }
                    if self.is_limited() {
                        return handled;
                    }
                    if is_full() && !input.is_empty() {
                        self.unread = Some(Box::new(input.as_ref().into()));
                        input.clear();
                        return handled;
                    }
                }
                Ok(None) => {
                    self.count_taken(before - input.len());
                    self.handle_partial_input(input, emit);
                    return handled;
                }
                Err(error) => {
                    // The decoder keeps failing, and drops its input.
                    if !self.has_failed {
                        self.has_failed = true;
                        emit(Event::Failed(Failure::Protocol(error)));
                    }
                    return handled;
                }
            }
        }
    }

    /// Reports an event, unless the peer has exceeded its limit. Returns the number of messages that are
    /// dropped.
    fn deliver(
        &mut self,
        event: websocket::Event,
        input: &mut BytesMut,
        emit: &mut impl FnMut(Event),
    ) -> usize {
        let is_closing = self.is_close_queued;
        let limiter = self.limiter.as_mut();
        match limiter.map_or(Verdict::Deliver, |limiter| limiter.judge(&event, is_closing)) {
            Verdict::Deliver => {
                emit(self.handle_event(event));
                0
            }
            Verdict::Hold => {
                self.hold(Some(event), input, emit);
                0
            }
            Verdict::Drop => {
                self.report_limited(emit);
                1
            }
            Verdict::DropAttachment => 1,
            Verdict::Disconnect => {
                self.cut_off(input, emit);
                1
            }
        }
    }

    /// Keeps input for later, behind other that waits, or drops it, if the limit says so.
    fn keeps_input(&mut self, input: &mut BytesMut) -> bool {
        if let Some(unread) = &mut self.unread {
            unread.extend_from_slice(input);
            input.clear();
            return true;
        }
        let Some(limiter) = &mut self.limiter else { return false };
        if limiter.is_cut_off() {
            input.clear();
        } else {
            limiter.hold_more(input);
        }
        limiter.is_cut_off() || limiter.is_holding()
    }

    fn count_taken(&mut self, bytes: usize) {
        if let Some(limiter) = &mut self.limiter {
            limiter.count_bytes(bytes);
        }
    }

    /// Returns whether nothing more is decoded in this window.
    fn is_limited(&self) -> bool {
        let limiter = self.limiter.as_ref();
        limiter.is_some_and(|limiter| limiter.is_cut_off() || limiter.is_holding())
    }

    /// Checks the bytes of messages that are incomplete, and of control frames.
    fn handle_partial_input(&mut self, input: &mut BytesMut, mut emit: impl FnMut(Event)) {
        let limiter = self.limiter.as_ref().filter(|limiter| limiter.is_over_bytes());
        let Some(action) = limiter.map(|limiter| limiter.action()) else { return };
        if self.is_close_queued || self.decoder.is_closed() {
            return;
        }
        match action {
            RateLimitAction::Pause => self.hold(None, input, &mut emit),
            RateLimitAction::Disconnect => self.cut_off(input, &mut emit),
            RateLimitAction::Drop => {}
        }
    }

    fn hold(
        &mut self,
        event: Option<websocket::Event>,
        input: &mut BytesMut,
        emit: &mut impl FnMut(Event),
    ) {
        if let Some(limiter) = &mut self.limiter {
            limiter.hold(event, input);
        }
        self.report_limited(emit);
    }

    fn cut_off(&mut self, input: &mut BytesMut, emit: &mut impl FnMut(Event)) {
        input.clear();
        if let Some(limiter) = &mut self.limiter {
            limiter.cut_off();
        }
        self.has_failed = true;
        self.report_limited(emit);
        emit(Event::Failed(Failure::RateLimit));
    }

    /// Reports that the peer exceeds its limit, once for each window.
    fn report_limited(&mut self, emit: &mut impl FnMut(Event)) {
        let Some(limiter) = &mut self.limiter else { return };
        // After our close frame, it does not matter any more.
        if !self.is_close_queued && limiter.needs_report() {
            emit(Event::RateLimited(limiter.action()));
        }
    }

    /// Returns whether [`handle_limit_time`](Self::handle_limit_time) is due before input is handled.
    pub(super) const fn has_limit(&self) -> bool {
        self.limiter.is_some()
    }

    /// Handles the time, by which the peer's limit is judged.
    pub(super) fn handle_limit_time(&mut self, now: Instant) {
        if let Some(limiter) = &mut self.limiter {
            limiter.advance(now);
        }
    }

    /// Handles input that has waited for the time to go on, as
    /// [`handle_input`](Self::handle_input) does. Returns the same; `None` if there is none.
    pub(super) fn handle_held_input(
        &mut self,
        mut emit: impl FnMut(Event),
        is_full: impl Fn() -> bool,
    ) -> Option<usize> {
        let (event, mut input) = self.limiter.as_mut()?.take_held()?;
        let handled = event.map_or(0, |event| self.deliver(event, &mut input, &mut emit));
        Some(handled + self.handle_input(&mut input, emit, is_full))
    }

    /// Handles input that has waited for the application to take events, as
    /// [`handle_input`](Self::handle_input) does. Returns the same; `None` if there is none.
    pub(super) fn handle_unread_input(
        &mut self,
        emit: impl FnMut(Event),
        is_full: impl Fn() -> bool,
    ) -> Option<usize> {
        let mut unread = self.unread.take()?;
        Some(self.handle_input(&mut unread, emit, is_full))
    }

    /// Returns whether input waits for the application to take events.
    pub(super) const fn has_unread_input(&self) -> bool {
        self.unread.is_some()
    }

    /// Returns whether input waits because of the peer's limit.
    pub(super) fn is_holding(&self) -> bool {
        self.limiter.as_ref().is_some_and(|limiter| limiter.is_holding())
    }

    /// Returns the time at which [`handle_held_input`](Self::handle_held_input) is due, once for each
    /// pause.
    pub(super) fn take_resumption(&mut self) -> Option<Instant> {
        self.limiter.as_mut()?.take_resumption()
    }

    /// Returns the number of events that have been dropped since the last call.
    pub(super) fn take_dropped(&mut self) -> usize {
        self.limiter.as_mut().map_or(0, |limiter| limiter.take_dropped())
    }

    fn handle_heartbeat_packet(&mut self, event: &websocket::Event) -> Outcome {
        match (&mut self.heartbeat, event) {
            (Some(heartbeat), websocket::Event::Text(data)) => heartbeat.handle_message(true, data),
            (Some(heartbeat), websocket::Event::Binary(data)) => {
                heartbeat.handle_message(false, data)
            }
            _ => Outcome::Deliver,
        }
    }

    /// Handles the peer's heartbeat packets from now on.
    pub(super) fn prepare_heartbeat(&mut self) {
        self.heartbeat = Some(Box::new(HeartbeatDriver::new(self.version)));
    }

    pub(super) fn release_heartbeat(&mut self) {
        self.heartbeat = None;
    }

    pub(super) fn heartbeat_mut(&mut self) -> Option<&mut HeartbeatDriver> {
        self.heartbeat.as_deref_mut()
    }

    /// Returns whether nothing more may be sent, so that heartbeats end.
    pub(super) const fn is_sending_over(&self) -> bool {
        self.is_closing() || self.ignores_input() || self.end.is_some()
    }

    /// Queues a frame of the worker's own; unlike frames of the application, volatile packets do not
    /// give way to it.
    pub(super) fn handle_own_frame(&mut self, frame: Bytes, kind: FrameKind) {
        if !self.is_close_queued {
            self.queue.push(frame, kind);
        }
    }

    fn handle_event(&mut self, event: websocket::Event) -> Event {
        match event {
            websocket::Event::Text(message) => self.handle_text(message),
            websocket::Event::Binary(message) => Event::Binary(message),
            websocket::Event::Pong(payload) => Event::Pong(payload),
            websocket::Event::Close { code, reason } => Event::Close { code, reason },
            websocket::Event::Ping(payload) => {
                self.answer_ping(&payload);
                Event::Ping(payload)
            }
        }
    }

    fn handle_text(&self, message: Bytes) -> Event {
        match message.split_first() {
            Some((&MESSAGE, text)) if self.splits_packets => match PacketParts::split(text) {
                Some(parts) => Event::Packet { message, parts },
                None => Event::Text(message),
            },
            _ => Event::Text(message),
        }
    }

    fn answer_ping(&mut self, payload: &[u8]) {
        // RFC 6455 §5.5.2: unless a close frame has been received. After a close frame of our own
        // nothing is sent, either.
        if !self.options.has_automatic_pongs || self.is_close_queued {
            return;
        }
        if self.queue.pongs() >= self.options.max_pending_pongs {
            self.terminate(EndReason::TooManyPings);
        } else {
            let pong = encode_frame(true, Opcode::Pong, payload, None);
            self.queue.push(pong, FrameKind::AutomaticPong);
        }
    }

    pub(super) const fn version(&self) -> ProtocolVersion {
        self.version
    }

    pub(super) const fn use_version(&mut self, version: ProtocolVersion) {
        self.version = version;
    }

    /// Handles the end of the peer's stream.
    pub(super) fn handle_peer_end(&mut self, mut emit: impl FnMut(Event)) {
        self.has_peer_ended = true;
        if !self.is_close_queued {
            emit(Event::PeerEnded);
        }
    }

    /// Queues a frame of the application. After a close frame it is dropped, RFC 6455 §5.5.1.
    pub(super) fn handle_frame(&mut self, frame: Bytes, kind: FrameKind, turn: Turn) {
        self.sent_in = Some(turn);
        if !self.is_close_queued {
            self.queue.push(frame, kind);
        }
    }

    /// Queues a packet of the application whose older one with the same key it replaces, unless that
    /// is among the first `fixed` bytes. Returns the bytes that are not sent any more.
    pub(super) fn handle_latest(
        &mut self,
        frames: Bytes,
        key: LatestKey,
        fixed: usize,
        turn: Turn,
    ) -> usize {
        self.sent_in = Some(turn);
        if self.is_close_queued { 0 } else { self.queue.push_latest(frames, key, fixed) }
    }

    /// Queues the application's close frame, if it is the first.
    pub(super) fn handle_close(&mut self, frame: Bytes) {
        if !self.is_close_queued {
            self.is_close_queued = true;
            self.queue.push(frame, FrameKind::Silent);
        }
    }

    /// Returns whether the application has sent something in this turn. With ws, which learns only
    /// after a turn what the operating system has accepted, a volatile packet is dropped then.
    pub(super) fn has_sent_in(&self, turn: Turn) -> bool {
        self.sent_in == Some(turn)
    }

    /// Ends our side once the send queue is empty, without a close frame.
    pub(super) fn handle_end(&mut self) {
        self.is_close_queued = true;
        self.is_cut_short = true;
    }

    pub(super) const fn split_packets(&mut self, is_split: bool) {
        self.splits_packets = is_split;
    }

    pub(super) const fn limit_payload(&mut self, max_payload: usize) {
        self.decoder.set_max_payload(max_payload);
    }

    pub(super) fn handle_pause(&mut self, is_paused: bool) {
        self.is_paused = is_paused;
    }

    /// Ends the connection, unless it has ended. Queued frames are not sent.
    pub(super) fn terminate(&mut self, reason: EndReason) {
        self.end.get_or_insert(reason);
    }

    /// Sets the time from which the frames that are queued next count as waiting.
    pub(super) const fn handle_time(&mut self, now: Stamp) {
        self.queue.handle_time(now);
    }

    /// Removes the first `length` bytes of the queue, which have been written. Calls `sent` for each
    /// frame that ends there, with the time from which it has waited.
    pub(super) fn handle_written(&mut self, length: usize, sent: impl FnMut(Stamp)) {
        self.queue.handle_written(length, sent);
    }

    /// Returns whether more waits than `high_water_mark`.
    pub(super) fn is_slow(&self) -> bool {
        self.queue.len_bytes() > self.options.high_water_mark
    }

    /// Reports written frames, and the backlog. Must be called once the socket accepts no more.
    pub(super) fn handle_flushed(&mut self, mut emit: impl FnMut(Event)) {
        let sent = self.queue.poll_sent();
        if sent > 0 {
            emit(Event::Sent(sent));
        }
        self.report_backlog(&mut emit);
    }

    /// Returns whether the queue exceeds `max_backpressure`, so that the peer must catch up within
    /// `backpressure_timeout`.
    pub(super) fn is_over_max_backpressure(&self) -> bool {
        self.queue.len_bytes_before_last() > self.options.max_backpressure
    }

    /// Cuts the peer off, since it has not caught up.
    pub(super) fn handle_backpressure_timeout(&mut self, emit: impl FnOnce(Event)) {
        if self.end.is_none() {
            let queued_bytes = self.queue.len_bytes_before_last();
            self.terminate(EndReason::MaxBackpressure);
            emit(Event::Failed(Failure::MaxBackpressure { queued_bytes }));
        }
    }

    fn report_backlog(&mut self, emit: &mut impl FnMut(Event)) {
        let bytes = self.queue.len_bytes();
        let is_drained = bytes == 0 && self.reported_backlog > 0;
        let mark = self.options.high_water_mark.max(2 * self.reported_backlog);
        if is_drained || bytes > mark {
            self.reported_backlog = bytes;
            emit(Event::Backlog(bytes));
        }
    }

    /// Returns whether to read. A closing connection reads even if it is paused, since the peer's
    /// close frame is due.
    pub(super) fn wants_input(&self) -> bool {
        let is_limited = self.limiter.as_ref().is_some_and(|limiter| limiter.is_waiting());
        (!self.is_paused && !is_limited || self.is_close_queued) && !self.has_peer_ended
    }

    /// Returns whether the connection must end within `close_timeout`.
    pub(super) const fn is_closing(&self) -> bool {
        self.is_close_queued || self.has_peer_ended
    }

    /// Returns whether to end our side of the socket: nothing more will be sent, and nothing that
    /// the peer sends matters.
    pub(super) fn wants_shutdown(&self) -> bool {
        self.is_close_queued && self.queue.is_empty() && (self.ignores_input() || self.is_cut_short)
    }

    /// Returns whether all further input is ignored.
    const fn ignores_input(&self) -> bool {
        self.decoder.is_closed() || self.has_failed
    }

    /// Returns the reason for which the connection has ended, if it has. After the end of the
    /// peer's side, the application may still send.
    pub(super) fn poll_end(&self) -> Option<EndReason> {
        let is_over = self.has_peer_ended && self.queue.is_empty() && self.is_close_queued;
        self.end.or_else(|| is_over.then_some(self.natural_end()))
    }

    fn natural_end(&self) -> EndReason {
        if self.limiter.as_ref().is_some_and(|limiter| limiter.is_cut_off()) {
            EndReason::RateLimit
        } else if self.has_failed {
            EndReason::ProtocolError
        } else if self.decoder.is_closed() {
            EndReason::Closed
        } else {
            EndReason::PeerEnded
        }
    }
}
