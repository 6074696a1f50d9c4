//! The upgrade of a session to another transport.

use std::time::{Duration, Instant};

use super::{Packet, PacketType};

/// Time between the packets that end pending polls while a transport is probed, as in engine.io.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// A task for the driver of an upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpgradeAction {
    /// Send the pong of the probe on the new transport, and report that the upgrade has begun.
    AnswerProbe,
    /// Send a noop packet on the old transport if a poll is pending, so that the client pauses it.
    EndPoll,
    /// Continue the session on the new transport.
    Complete,
    /// Close the new transport; the session stays on the old one.
    Abandon,
}

/// A transport that is probed, beside the one that its session uses.
///
/// Does no I/O and has no clock: the driver calls [`handle_packet`](Self::handle_packet) with each
/// packet of the new transport and [`handle_timeout`](Self::handle_timeout) when
/// [`poll_timeout`](Self::poll_timeout) is reached. It drops the upgrade after
/// [`UpgradeAction::Complete`] and [`UpgradeAction::Abandon`], and abandons it by itself when the new
/// transport or the session ends.
///
/// Engine.IO v4, "Upgrade"; engine.io 6.6, `Socket._maybeUpgrade()`.
#[derive(Debug)]
pub struct Upgrade {
    deadline: Instant,
    /// The next time to end pending polls; `None` before the probe.
    next_poll_end: Option<Instant>,
}

impl Upgrade {
    /// Begins an upgrade at `now`, which must complete within `timeout`.
    #[must_use]
    pub fn begin(timeout: Duration, now: Instant) -> Self {
        Self { deadline: now + timeout, next_poll_end: None }
    }

    /// Handles a packet of the new transport.
    pub fn handle_packet(&mut self, packet: &Packet, now: Instant) -> UpgradeAction {
        match packet.packet_type() {
            PacketType::Ping if packet.is_probe() => {
                self.next_poll_end = Some(now + POLL_INTERVAL);
                UpgradeAction::AnswerProbe
            }
            PacketType::Upgrade => UpgradeAction::Complete,
            _ => UpgradeAction::Abandon,
        }
    }

    /// Returns the next time at which [`handle_timeout`](Self::handle_timeout) has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Instant {
        self.next_poll_end.map_or(self.deadline, |end| end.min(self.deadline))
    }

    /// Handles the time `now`. To be called again while [`poll_timeout`](Self::poll_timeout) is not
    /// after it.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<UpgradeAction> {
        if self.deadline <= now {
            return Some(UpgradeAction::Abandon);
        }
        let due = self.next_poll_end.filter(|end| *end <= now)?;
        self.next_poll_end = Some(due + POLL_INTERVAL);
        Some(UpgradeAction::EndPoll)
    }
}
