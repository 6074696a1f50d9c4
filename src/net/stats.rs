//! Counters of workers.

use std::sync::atomic::{AtomicU64, Ordering};

use super::histogram::Histogram;
use super::{EndReason, HistogramView};

/// A number that one thread changes and others read.
#[derive(Debug, Default)]
pub(super) struct SingleWriterCounter(AtomicU64);

impl SingleWriterCounter {
    pub(super) const fn starting_at(value: u64) -> Self {
        Self(AtomicU64::new(value))
    }

    /// Adds to the number, without a locked instruction: only the one writing thread may call it.
    pub(super) fn add(&self, amount: usize) {
        self.0.store(self.value().wrapping_add(amount as u64), Ordering::Relaxed);
    }

    /// Subtracts from the number; see [`add`](Self::add).
    pub(super) fn subtract(&self, amount: usize) {
        self.0.store(self.value().wrapping_sub(amount as u64), Ordering::Relaxed);
    }

    /// Adds to the number the change from `before` to `after`; see [`add`](Self::add).
    pub(super) fn follow(&self, before: usize, after: usize) {
        let value = self.value().wrapping_sub(before as u64).wrapping_add(after as u64);
        self.0.store(value, Ordering::Relaxed);
    }

    pub(super) fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The counters of a worker, written by its thread alone; [`WorkerStats`] describes them.
#[derive(Debug, Default)]
pub(super) struct WorkerCounters {
    pub(super) accepted: SingleWriterCounter,
    pub(super) connections: SingleWriterCounter,
    pub(super) opened: SingleWriterCounter,
    pub(super) messages_in: SingleWriterCounter,
    pub(super) frames_out: SingleWriterCounter,
    pub(super) bytes_in: SingleWriterCounter,
    pub(super) bytes_out: SingleWriterCounter,
    pub(super) queued_bytes: SingleWriterCounter,
    pub(super) slow_clients: SingleWriterCounter,
    pub(super) reads: SingleWriterCounter,
    pub(super) writes: SingleWriterCounter,
    pub(super) broadcasts: SingleWriterCounter,
    pub(super) volatile_dropped: SingleWriterCounter,
    pub(super) replaced: SingleWriterCounter,
    pub(super) wakes: SingleWriterCounter,
    pub(super) notifications: SingleWriterCounter,
    pub(super) stalls: SingleWriterCounter,
    pub(super) rate_limit_pauses: SingleWriterCounter,
    pub(super) rate_limit_dropped: SingleWriterCounter,
    pub(super) delivery: Histogram,
    pub(super) ended: [SingleWriterCounter; EndReason::NAMES.len()],
}

impl WorkerCounters {
    pub(super) fn count_end(&self, reason: EndReason) {
        if let Some(counter) = self.ended.get(reason.index()) {
            counter.add(1);
        }
    }

    /// Returns the counters. The number of HTTP connections, which several threads change, is not among them.
    pub(super) fn read(&self) -> WorkerStats {
        WorkerStats {
            accepted: self.accepted.value(),
            http_connections: 0,
            connections: self.connections.value(),
            opened: self.opened.value(),
            messages_in: self.messages_in.value(),
            frames_out: self.frames_out.value(),
            bytes_in: self.bytes_in.value(),
            bytes_out: self.bytes_out.value(),
            queued_bytes: self.queued_bytes.value(),
            slow_clients: self.slow_clients.value(),
            reads: self.reads.value(),
            writes: self.writes.value(),
            broadcasts: self.broadcasts.value(),
            volatile_dropped: self.volatile_dropped.value(),
            replaced: self.replaced.value(),
            wakes: self.wakes.value(),
            notifications: self.notifications.value(),
            stalls: self.stalls.value(),
            rate_limit_pauses: self.rate_limit_pauses.value(),
            rate_limit_dropped: self.rate_limit_dropped.value(),
            delivery: self.delivery.read(),
            ended: self.ended.each_ref().map(SingleWriterCounter::value),
        }
    }
}

/// The counters of a worker since it began. Fields are read one by one, so that they may differ by
/// a few messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkerStats {
    /// Connections that have been accepted from listening sockets, for all workers.
    pub accepted: u64,
    /// Open connections that have been accepted, and have neither become a session's nor been passed.
    pub http_connections: u64,
    /// Open connections.
    pub connections: u64,
    /// Connections that have been opened.
    pub opened: u64,
    /// Messages received, heartbeats included, control frames not counted.
    pub messages_in: u64,
    /// Frames that the application has sent, without close frames and automatic pongs; and heartbeats.
    pub frames_out: u64,
    /// Bytes read from sockets, including those that the HTTP server had read.
    pub bytes_in: u64,
    /// Bytes written to sockets.
    pub bytes_out: u64,
    /// Bytes in all send queues.
    pub queued_bytes: u64,
    /// Connections whose send queue exceeds their `high_water_mark`.
    pub slow_clients: u64,
    /// Reads that returned bytes or the end of the stream.
    pub reads: u64,
    /// Writes that accepted bytes.
    pub writes: u64,
    /// Broadcasts that the worker has executed.
    pub broadcasts: u64,
    /// Volatile packets that were dropped, counted for each connection.
    pub volatile_dropped: u64,
    /// Packets that a newer one of the same key has replaced in a send queue.
    pub replaced: u64,
    /// Batches of commands that the worker has received.
    pub wakes: u64,
    /// Notifications of the application.
    pub notifications: u64,
    /// Times that reading has stopped because the application had not taken events.
    pub stalls: u64,
    /// Times that reading from a peer has stopped because of its limit.
    pub rate_limit_pauses: u64,
    /// Events that were dropped because of their peer's limit; they count as messages received, too.
    pub rate_limit_dropped: u64,
    /// For each frame, the time from the end of the turn that sent it, or from the time of reading
    /// what it answers, until the operating system had accepted its last byte; to 100 µs.
    pub delivery: HistogramView,
    /// Connections that have ended, indexed by [`EndReason::index`].
    pub ended: [u64; EndReason::NAMES.len()],
}
