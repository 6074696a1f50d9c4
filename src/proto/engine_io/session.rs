//! The life of an Engine.IO session: heartbeats, and how it ends.

use std::time::{Duration, Instant};

use super::{PacketType, ProtocolVersion};

/// The intervals of the heartbeat, which the handshake announces to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// Time between a pong and the next ping.
    pub ping_interval: Duration,
    /// Time for the peer to answer a ping.
    pub ping_timeout: Duration,
}

/// Times at which an open session has something to do, for [`Session::resume`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    /// The time of the next ping; `None` while one is unanswered, and in v3.
    pub ping_due: Option<Instant>,
    /// The deadline for the peer's answer; `None` while none is awaited.
    pub deadline: Option<Instant>,
    /// True once a packet has extended the deadline of the current ping.
    pub has_extended_deadline: bool,
}

/// A task for the driver of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send a ping.
    SendPing,
    /// Send a pong, then report a heartbeat.
    SendPong,
    /// Report a heartbeat.
    Heartbeat,
    /// Deliver the data of the packet.
    Deliver,
    /// Close the transport, and report the end of the session.
    Close(CloseReason),
}

/// The reason for the end of a session. `as_str()` returns the reason that engine.io gives to `close` listeners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The peer did not answer a ping.
    PingTimeout,
    /// A packet could not be decoded.
    ParseError,
    /// The transport failed, or the peer sent a heartbeat packet of the other direction.
    TransportError,
    /// The peer closed the transport.
    TransportClose,
    /// This side closed the session.
    ForcedClose,
}

impl CloseReason {
    /// Returns the text of engine.io.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PingTimeout => "ping timeout",
            Self::ParseError => "parse error",
            Self::TransportError => "transport error",
            Self::TransportClose => "transport close",
            Self::ForcedClose => "forced close",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Closing,
    Closed,
}

/// An open session of one client, over whichever transport.
///
/// Does no I/O and has no clock. The driver calls
///
/// - [`handle_packet`](Self::handle_packet) with each packet of the peer,
///   [`handle_end`](Self::handle_end) when the transport or the decoder fails, and
///   [`handle_timeout`](Self::handle_timeout) when [`poll_timeout`](Self::poll_timeout) is reached,
///   which return what it has to do;
/// - [`change_transport`](Self::change_transport) after an [`Upgrade`](super::Upgrade), and
///   [`close`](Self::close) when the application closes the session.
///
/// Behaves as `Socket` of engine.io 6.6, which the conformance tests compare it with: Engine.IO v4,
/// "Heartbeat"; and v3, where the client sends the pings.
///
/// ```
/// use std::time::{Duration, Instant};
/// use socket_io_turbo::proto::engine_io::{
///     Action, CloseReason, Heartbeat, PacketType, ProtocolVersion, Session,
/// };
///
/// let seconds = Duration::from_secs;
/// let heartbeat = Heartbeat { ping_interval: seconds(25), ping_timeout: seconds(20) };
/// let start = Instant::now();
/// let mut session = Session::open(ProtocolVersion::V4, heartbeat, start);
/// assert_eq!(session.poll_timeout(), Some(start + seconds(25)));
/// assert_eq!(session.handle_timeout(start + seconds(25)), Some(Action::SendPing));
/// let pong = session.handle_packet(PacketType::Pong, start + seconds(26));
/// assert_eq!(pong, Some(Action::Heartbeat));
/// assert_eq!(session.handle_timeout(start + seconds(51)), Some(Action::SendPing));
/// let end = session.handle_timeout(start + seconds(71));
/// assert_eq!(end, Some(Action::Close(CloseReason::PingTimeout)));
/// ```
#[derive(Debug)]
pub struct Session {
    version: ProtocolVersion,
    heartbeat: Heartbeat,
    state: State,
    schedule: Schedule,
}

impl Session {
    /// Opens a session whose handshake is sent at `now`.
    #[must_use]
    pub fn open(version: ProtocolVersion, heartbeat: Heartbeat, now: Instant) -> Self {
        let mut session = Self::resume(version, heartbeat, Schedule::default());
        match version {
            ProtocolVersion::V3 => session.await_peer(now),
            ProtocolVersion::V4 => session.schedule.ping_due = Some(now + heartbeat.ping_interval),
        }
        session
    }

    /// Continues an open session that another implementation has opened.
    #[must_use]
    pub const fn resume(
        version: ProtocolVersion,
        heartbeat: Heartbeat,
        schedule: Schedule,
    ) -> Self {
        Self { version, heartbeat, state: State::Open, schedule }
    }

    /// Handles the type of a packet that the peer has sent. Packets to a session that is closing or
    /// closed are dropped.
    pub fn handle_packet(&mut self, packet_type: PacketType, now: Instant) -> Option<Action> {
        if self.state != State::Open {
            return None;
        }
        self.extend_deadline(packet_type, now);
        match (packet_type, self.version) {
            (PacketType::Ping, ProtocolVersion::V3) => {
                // engine.io refreshes a timer that an upgrade may have taken away.
                if self.schedule.deadline.is_some() {
                    self.await_peer(now);
                }
                Some(Action::SendPong)
            }
            (PacketType::Pong, ProtocolVersion::V4) => {
                self.schedule.deadline = None;
                self.schedule.ping_due = Some(now + self.heartbeat.ping_interval);
                Some(Action::Heartbeat)
            }
            // Engine.IO v4, "Heartbeat": pings are the server's; in v3 they are the client's.
            (PacketType::Ping | PacketType::Pong, _) => self.end(CloseReason::TransportError),
            (PacketType::Message, _) => Some(Action::Deliver),
            _ => None,
        }
    }

    /// Ends the session because of its transport or its decoder.
    pub fn handle_end(&mut self, reason: CloseReason) -> Option<Action> {
        self.end(reason)
    }

    /// Returns the next time at which [`handle_timeout`](Self::handle_timeout) has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.schedule.ping_due.into_iter().chain(self.schedule.deadline).min()
    }

    /// Returns whether the peer has not answered in time, so that
    /// [`handle_timeout`](Self::handle_timeout) ends the session.
    #[must_use]
    pub fn is_overdue(&self, now: Instant) -> bool {
        self.schedule.deadline.is_some_and(|deadline| deadline <= now)
    }

    /// Returns whether the peer has to answer.
    #[must_use]
    pub const fn is_awaiting_answer(&self) -> bool {
        self.schedule.deadline.is_some()
    }

    /// Returns whether a packet that is not a pong would extend a deadline. Else the driver need not
    /// report messages.
    #[must_use]
    pub fn can_extend_deadline(&self) -> bool {
        let Schedule { deadline, has_extended_deadline, .. } = self.schedule;
        self.version == ProtocolVersion::V4 && deadline.is_some() && !has_extended_deadline
    }

    /// Handles the time `now`. To be called again while [`poll_timeout`](Self::poll_timeout) is not
    /// after it.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Action> {
        if self.is_overdue(now) {
            return self.end(CloseReason::PingTimeout);
        }
        self.schedule.ping_due.take_if(|due| *due <= now)?;
        self.schedule.has_extended_deadline = false;
        self.await_peer(now);
        // A session that is closing sends no more, but still waits for no longer than this.
        (self.state == State::Open).then_some(Action::SendPing)
    }

    /// Continues the session on another transport. As in engine.io, the answer to a ping that was sent
    /// before is no longer awaited.
    pub fn change_transport(&mut self) {
        self.schedule.deadline = None;
    }

    /// Begins to close an open session: its queue is sent, then
    /// [`handle_end`](Self::handle_end) ends it with [`CloseReason::ForcedClose`]. Returns whether it
    /// was open.
    pub fn close(&mut self) -> bool {
        let was_open = self.state == State::Open;
        if was_open {
            self.state = State::Closing;
        }
        was_open
    }

    /// Returns whether packets may be sent and received.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Returns whether the session has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    fn await_peer(&mut self, now: Instant) {
        let Heartbeat { ping_interval, ping_timeout } = self.heartbeat;
        self.schedule.deadline = Some(match self.version {
            ProtocolVersion::V3 => now + ping_interval + ping_timeout,
            ProtocolVersion::V4 => now + ping_timeout,
        });
    }

    /// Extends the deadline of a ping once, if the peer sends something else before its pong: a pong
    /// behind a long message may be late.
    fn extend_deadline(&mut self, packet_type: PacketType, now: Instant) {
        if packet_type != PacketType::Pong && self.can_extend_deadline() {
            self.await_peer(now);
            self.schedule.has_extended_deadline = true;
        }
    }

    fn end(&mut self, reason: CloseReason) -> Option<Action> {
        if self.state == State::Closed {
            return None;
        }
        self.state = State::Closed;
        self.schedule = Schedule::default();
        Some(Action::Close(reason))
    }
}
