//! The traffic of one connection, readable by the application while its worker serves it.

use std::os::fd::RawFd;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::stats::Counter;

/// The counters of one connection. Those that the application changes and those that the
/// worker changes are apart, so that no store needs a locked instruction.
#[derive(Debug)]
pub(super) struct Traffic {
    descriptor: RawFd,
    read: Counter,
    /// Bytes of frames that the application has sent to this connection.
    posted: Counter,
    /// Bytes of the other frames: broadcasts, answers to pings.
    queued: Counter,
    /// When bytes came or went last, in milliseconds since [`clock`] began.
    active_at: AtomicU64,
}

/// A moment's view of a connection's traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrafficView {
    /// The descriptor that the worker reads and writes.
    pub descriptor: RawFd,
    /// Bytes read from the socket, those before the takeover included.
    pub bytes_read: u64,
    /// Bytes given to the socket or queued for it, those before the takeover included.
    pub bytes_written: u64,
    /// Milliseconds since bytes last came or went.
    pub idle: u64,
}

impl Traffic {
    /// Begins with what had been read and written before the takeover.
    pub(super) fn new(descriptor: RawFd, bytes_read: u64, bytes_written: u64) -> Self {
        Self {
            descriptor,
            read: Counter::starting_at(bytes_read),
            posted: Counter::starting_at(bytes_written),
            queued: Counter::default(),
            active_at: AtomicU64::new(clock()),
        }
    }

    /// Counts bytes that the application sends. For the application's thread only.
    pub(super) fn count_posted(&self, length: usize) {
        self.posted.add(length);
        self.touch();
    }

    /// Counts bytes that have been read. For the worker only.
    pub(super) fn count_read(&self, length: usize) {
        self.read.add(length);
        self.touch();
    }

    /// Counts bytes that the worker queues by itself. For the worker only.
    pub(super) fn count_queued(&self, length: usize) {
        self.queued.add(length);
    }

    /// Notes that bytes came or went just now.
    pub(super) fn touch(&self) {
        self.active_at.store(clock(), Ordering::Relaxed);
    }

    pub(super) fn view(&self) -> TrafficView {
        TrafficView {
            descriptor: self.descriptor,
            bytes_read: self.read.value(),
            bytes_written: self.posted.value() + self.queued.value(),
            idle: clock().saturating_sub(self.active_at.load(Ordering::Relaxed)),
        }
    }
}

/// Milliseconds since the first call.
fn clock() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_millis() as u64
}
