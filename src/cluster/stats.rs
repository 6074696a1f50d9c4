//! What a link counts.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that any thread changes.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, amount: usize) {
        self.0.fetch_add(amount as u64, Ordering::Relaxed);
    }

    pub(super) fn subtract(&self, amount: usize) {
        self.0.fetch_sub(amount as u64, Ordering::Relaxed);
    }

    pub(super) fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The live counters of a link.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) received: Counter,
    pub(super) filtered: Counter,
    pub(super) own: Counter,
    pub(super) delivered: Counter,
    pub(super) passed: Counter,
    pub(super) malformed: Counter,
    pub(super) published: Counter,
    pub(super) publish_dropped: Counter,
    pub(super) publish_failed: Counter,
    pub(super) queued_bytes: Counter,
    pub(super) reconnections: Counter,
}

impl Counters {
    pub(super) fn read(&self) -> LinkStats {
        LinkStats {
            received: self.received.value(),
            filtered: self.filtered.value(),
            own: self.own.value(),
            delivered: self.delivered.value(),
            passed: self.passed.value(),
            malformed: self.malformed.value(),
            published: self.published.value(),
            publish_dropped: self.publish_dropped.value(),
            publish_failed: self.publish_failed.value(),
            queued_bytes: self.queued_bytes.value(),
            reconnections: self.reconnections.value(),
        }
    }
}

/// What a link has done since it began. Fields are read one by one, so that they may be a
/// few messages apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkStats {
    /// Messages that have come.
    pub received: u64,
    /// Broadcasts for nobody on this node.
    pub filtered: u64,
    /// Broadcasts that this node has published itself.
    pub own: u64,
    /// Broadcasts that went to the workers without the application.
    pub delivered: u64,
    /// Messages that the application got.
    pub passed: u64,
    /// Messages that could not be decoded.
    pub malformed: u64,
    /// Messages that Redis has taken.
    pub published: u64,
    /// Messages for which there was no room in the queue.
    pub publish_dropped: u64,
    /// Messages that Redis has refused, that could not be encoded, or of which it is not known
    /// whether it has taken them, as the connection was lost.
    pub publish_failed: u64,
    /// Bytes that wait for Redis.
    pub queued_bytes: u64,
    /// How often the connection was made again.
    pub reconnections: u64,
}
