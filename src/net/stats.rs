//! What a worker counts.

use std::sync::atomic::{AtomicU64, Ordering};

use super::EndReason;

/// A number that one thread changes and others read.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) const fn starting_at(value: u64) -> Self {
        Self(AtomicU64::new(value))
    }

    /// For the owning thread only: without a locked instruction.
    pub(super) fn add(&self, amount: usize) {
        self.0.store(self.value().wrapping_add(amount as u64), Ordering::Relaxed);
    }

    /// As [`add`](Self::add).
    pub(super) fn subtract(&self, amount: usize) {
        self.0.store(self.value().wrapping_sub(amount as u64), Ordering::Relaxed);
    }

    pub(super) fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The live counters of a worker, written by its thread alone.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) connections: Counter,
    pub(super) opened: Counter,
    pub(super) messages_in: Counter,
    pub(super) frames_out: Counter,
    pub(super) bytes_in: Counter,
    pub(super) bytes_out: Counter,
    pub(super) queued_bytes: Counter,
    pub(super) reads: Counter,
    pub(super) writes: Counter,
    pub(super) broadcasts: Counter,
    pub(super) volatile_dropped: Counter,
    pub(super) wakes: Counter,
    pub(super) notifications: Counter,
    pub(super) stalls: Counter,
    pub(super) ended: [Counter; EndReason::NAMES.len()],
}

impl Counters {
    pub(super) fn count_end(&self, reason: EndReason) {
        if let Some(counter) = self.ended.get(reason.index()) {
            counter.add(1);
        }
    }

    pub(super) fn read(&self) -> WorkerStats {
        WorkerStats {
            connections: self.connections.value(),
            opened: self.opened.value(),
            messages_in: self.messages_in.value(),
            frames_out: self.frames_out.value(),
            bytes_in: self.bytes_in.value(),
            bytes_out: self.bytes_out.value(),
            queued_bytes: self.queued_bytes.value(),
            reads: self.reads.value(),
            writes: self.writes.value(),
            broadcasts: self.broadcasts.value(),
            volatile_dropped: self.volatile_dropped.value(),
            wakes: self.wakes.value(),
            notifications: self.notifications.value(),
            stalls: self.stalls.value(),
            ended: self.ended.each_ref().map(Counter::value),
        }
    }
}

/// What a worker has done since it began. Fields are read one by one, so that they may be
/// a few messages apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkerStats {
    /// Connections that are open.
    pub connections: u64,
    /// Connections that have been opened.
    pub opened: u64,
    /// Messages received, control frames not counted.
    pub messages_in: u64,
    /// Frames that the application has sent; close frames and automatic pongs are not
    /// counted.
    pub frames_out: u64,
    /// Bytes read from sockets; what the HTTP server had read is included.
    pub bytes_in: u64,
    /// Bytes that the operating system has taken.
    pub bytes_out: u64,
    /// Bytes of frames that wait for their sockets.
    pub queued_bytes: u64,
    /// Reads that gave bytes or the end.
    pub reads: u64,
    /// Writes that took bytes.
    pub writes: u64,
    /// Broadcasts that came.
    pub broadcasts: u64,
    /// Volatile packets that were dropped, one for each connection.
    pub volatile_dropped: u64,
    /// Batches of commands that came.
    pub wakes: u64,
    /// How often the worker has notified the application.
    pub notifications: u64,
    /// How often reading stopped because too much waited for the application.
    pub stalls: u64,
    /// Connections that have ended, by [`EndReason::index`].
    pub ended: [u64; EndReason::NAMES.len()],
}
