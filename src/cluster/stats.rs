//! Counters of a link.

use std::sync::atomic::{AtomicU64, Ordering};

/// A counter that any thread may change.
#[derive(Debug, Default)]
pub(super) struct LinkCounter(AtomicU64);

impl LinkCounter {
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

/// The live counters of a link, see [`LinkStats`].
#[derive(Debug, Default)]
pub(super) struct LinkCounters {
    pub(super) received: LinkCounter,
    pub(super) filtered: LinkCounter,
    pub(super) own: LinkCounter,
    pub(super) delivered: LinkCounter,
    pub(super) served: LinkCounter,
    pub(super) malformed: LinkCounter,
    pub(super) published: LinkCounter,
    pub(super) publish_dropped: LinkCounter,
    pub(super) publish_failed: LinkCounter,
    pub(super) queued_bytes: LinkCounter,
    pub(super) reconnections: LinkCounter,
}

impl LinkCounters {
    pub(super) fn read(&self) -> LinkStats {
        LinkStats {
            received: self.received.value(),
            filtered: self.filtered.value(),
            own: self.own.value(),
            delivered: self.delivered.value(),
            served: self.served.value(),
            malformed: self.malformed.value(),
            published: self.published.value(),
            publish_dropped: self.publish_dropped.value(),
            publish_failed: self.publish_failed.value(),
            queued_bytes: self.queued_bytes.value(),
            reconnections: self.reconnections.value(),
        }
    }
}

/// Counters of a link since it began. They are read one after the other, so they may be a few
/// messages apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkStats {
    /// Messages received.
    pub received: u64,
    /// Broadcasts without a recipient on this node.
    pub filtered: u64,
    /// Broadcasts that this node has published itself.
    pub own: u64,
    /// Broadcasts posted to the workers without JavaScript.
    pub delivered: u64,
    /// Messages given to JavaScript.
    pub served: u64,
    /// Messages that could not be decoded.
    pub malformed: u64,
    /// Messages that Redis has accepted.
    pub published: u64,
    /// Messages dropped because the publish queue was full.
    pub publish_dropped: u64,
    /// Messages that Redis refused, that could not be encoded, or whose fate is unknown since the
    /// connection was lost.
    pub publish_failed: u64,
    /// Bytes in the publish queue, and sent but not yet acknowledged by Redis.
    pub queued_bytes: u64,
    /// The number of reconnections.
    pub reconnections: u64,
}
