//! The heartbeat of one connection whose peer speaks Engine.IO.

use std::mem;
use std::time::{Duration, Instant};

use super::SessionOptions;
use super::deadlines::Ticket;
use crate::proto::engine_io::{Action, Heartbeat, PacketType, ProtocolVersion, Schedule, Session};

/// Engine.IO v4, "Packet types": the heartbeats, as text messages.
pub(super) const PING: &[u8] = b"2";
/// See [`PING`].
pub(super) const PONG: &[u8] = b"3";

/// Maximum number of answers to the pings of a v3 peer that wait for the network or for an application
/// that hangs. A client sends a ping when it has the answer to the one before; more are not answered.
pub(super) const MAX_PONGS: u32 = 1_024;

/// The state of a heartbeat that a worker takes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeartbeatStart {
    /// The intervals that the client knows.
    pub intervals: Heartbeat,
    /// The time without a sign of life of the application, after which no ping is sent.
    pub max_loop_lag: Duration,
    /// Time until the next ping; `None` while one is unanswered, and in v3.
    pub ping_in: Option<Duration>,
    /// Time until the peer must have answered; `None` while no answer is awaited.
    pub deadline_in: Option<Duration>,
    /// True once a packet has extended this deadline.
    pub has_extended_deadline: bool,
}

/// A command to the heartbeat of a connection.
#[derive(Debug)]
pub(super) enum HeartbeatCommand {
    /// Handles the peer's heartbeat packets from now on, and reports it; see
    /// [`HeartbeatEvent::Ready`].
    Prepare,
    /// Goes on where the application was when it got the report.
    Start(Box<HeartbeatStart>),
    /// Sets whether heartbeats are reported to the application at once.
    Report(bool),
    /// The application is closing the session: no pings and pongs any more, but the deadline stays.
    Close,
    /// Leaves heartbeats to the application.
    Release,
}

/// An event of a heartbeat that a worker handles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeartbeatEvent {
    /// Heartbeat packets that come later are handled by the worker; due is
    /// [`WorkerPool::start_heartbeat`](super::WorkerPool::start_heartbeat).
    Ready,
    /// A ping was sent. May be late, see
    /// [`WorkerPool::report_heartbeat`](super::WorkerPool::report_heartbeat).
    Sent,
    /// The peer has sent its pong; in v3 its ping, which is answered. May be late as well.
    Received,
    /// The peer has not answered in time. The application closes the connection.
    TimedOut,
}

/// The way of a message of the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The application gets it.
    Deliver,
    /// The application gets [`HeartbeatEvent::Received`] instead.
    Report,
}

/// Packets of the peer that have come since the session was last updated. Their order does not
/// matter: a pong ends the deadline that others may extend.
#[derive(Clone, Copy, Debug, Default)]
struct News {
    has_ping: bool,
    has_pong: bool,
    has_other: bool,
}

/// Drives the [`Session`] of a connection.
///
/// Performs no I/O and has no clock. The connection calls [`handle_message`](Self::handle_message)
/// with each message, which only takes notes; its task calls [`update`](Self::update) after a read if
/// there [are](Self::has_news) notes, so that a read without heartbeats needs no clock, and
/// [`poll_action`](Self::poll_action) when [`due`](Self::due) is reached.
///
/// Until the application has said where its own timers are, by [`start`](Self::start), there is no
/// session, and the notes wait.
#[derive(Debug)]
pub(super) struct HeartbeatDriver {
    version: ProtocolVersion,
    session: Option<Session>,
    max_loop_lag: Duration,
    news: News,
    is_reported: bool,
    /// Set once the session has gone on without a pong, see [`excuse`](Self::excuse).
    has_excused: bool,
    /// Pongs that are to be sent, in v3.
    owed_pongs: u32,
    /// Since this time the peer is overdue, but more of its input may be unread.
    pub(super) overdue_since: Option<Instant>,
    /// The entry in the worker's queue that wakes this heartbeat, and its time.
    pub(super) entry: Option<(Ticket, Instant)>,
}

impl HeartbeatDriver {
    pub(super) fn new(version: ProtocolVersion) -> Self {
        Self {
            version,
            session: None,
            max_loop_lag: Duration::MAX,
            news: News::default(),
            is_reported: false,
            has_excused: false,
            owed_pongs: 0,
            overdue_since: None,
            entry: None,
        }
    }

    /// Starts the session.
    pub(super) fn start(&mut self, start: &HeartbeatStart, now: Instant) {
        self.max_loop_lag = start.max_loop_lag;
        let schedule = Schedule {
            ping_due: start.ping_in.map(|time| now + time),
            deadline: start.deadline_in.map(|time| now + time),
            has_extended_deadline: start.has_extended_deadline,
        };
        self.session = Some(Session::resume(self.version, start.intervals, schedule));
        self.update(now);
    }

    /// Opens a session whose open packet is sent at `now`.
    pub(super) fn open(&mut self, options: &SessionOptions, now: Instant) {
        self.max_loop_lag = options.max_loop_lag;
        self.session = Some(Session::open(self.version, options.heartbeat, now));
    }

    pub(super) const fn report(&mut self, is_reported: bool) {
        self.is_reported = is_reported;
    }

    pub(super) const fn is_reported(&self) -> bool {
        self.is_reported
    }

    /// Closes the session.
    pub(super) fn close(&mut self) {
        self.owed_pongs = 0;
        self.session.as_mut().map(Session::close);
    }

    /// Takes notes of a message.
    pub(super) fn handle_message(&mut self, is_text: bool, data: &[u8]) -> Outcome {
        // In v3, binary messages begin with the number of their type instead of its digit.
        let first = data.first().map(|byte| if is_text { *byte } else { byte.wrapping_add(b'0') });
        match (self.version, first) {
            (ProtocolVersion::V3, Some(b'2')) => self.handle_ping(is_text && data == PING),
            (ProtocolVersion::V4, Some(b'3')) if is_text => self.handle_pong(data == PONG),
            _ => {
                self.news.has_other |=
                    self.session.as_ref().is_none_or(Session::can_extend_deadline);
                Outcome::Deliver
            }
        }
    }

    /// Other pings than the exact one are answered by the application.
    fn handle_ping(&mut self, is_exact: bool) -> Outcome {
        self.news.has_ping = true;
        let is_open = self.session.as_ref().is_none_or(Session::is_open);
        if !is_exact || !is_open {
            return Outcome::Deliver;
        }
        self.owed_pongs = MAX_PONGS.min(self.owed_pongs + 1);
        Outcome::Report
    }

    fn handle_pong(&mut self, is_exact: bool) -> Outcome {
        self.news.has_pong = true;
        if is_exact { Outcome::Report } else { Outcome::Deliver }
    }

    /// Returns whether [`update`](Self::update) is due.
    pub(super) const fn has_news(&self) -> bool {
        self.news.has_ping || self.news.has_pong || self.news.has_other
    }

    /// Brings the session up to date with the messages that have come.
    pub(super) fn update(&mut self, now: Instant) {
        let Some(session) = &mut self.session else { return };
        let News { has_ping, has_pong, has_other } = mem::take(&mut self.news);
        if has_other {
            session.handle_packet(PacketType::Message, now);
        }
        // The pong to a ping that has been excused must not put off the next one.
        if has_pong && (session.is_awaiting_answer() || !self.has_excused) {
            session.handle_packet(PacketType::Pong, now);
        }
        if has_ping {
            session.handle_packet(PacketType::Ping, now);
        }
        if !session.is_overdue(now) {
            self.overdue_since = None;
        }
    }

    /// Goes on as if the peer had sent its pong, if one is awaited: it waits behind other input of the
    /// peer, which itself needs the next ping. In v3 does nothing.
    pub(super) fn excuse(&mut self, now: Instant) {
        let is_awaiting = self.session.as_ref().is_some_and(Session::is_awaiting_answer);
        if self.version == ProtocolVersion::V4 && is_awaiting {
            self.news.has_pong = true;
            self.update(now);
            self.has_excused = true;
        }
    }

    /// Returns the number of pongs to be sent now, which then count as sent.
    pub(super) const fn take_owed_pongs(&mut self) -> u32 {
        mem::replace(&mut self.owed_pongs, 0)
    }

    pub(super) const fn owes_pongs(&self) -> bool {
        self.owed_pongs > 0
    }

    pub(super) const fn max_loop_lag(&self) -> Duration {
        self.max_loop_lag
    }

    /// Returns the time at which [`poll_action`](Self::poll_action) has something to do.
    pub(super) fn due(&self) -> Option<Instant> {
        self.session.as_ref().and_then(Session::poll_timeout)
    }

    /// Returns whether the peer has not answered in time.
    pub(super) fn is_overdue(&self, now: Instant) -> bool {
        self.session.as_ref().is_some_and(|session| session.is_overdue(now))
    }

    /// Returns the next thing to do at `now`.
    pub(super) fn poll_action(&mut self, now: Instant) -> Option<Action> {
        self.session.as_mut().and_then(|session| session.handle_timeout(now))
    }
}
