//! Traffic counters of one connection, which the application reads while a worker owns it.

use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use super::clock::{TICKS_PER_MILLISECOND, stamp, ticks};
use super::stats::SingleWriterCounter;
use crate::fanout::Stamp;

/// The counters of one connection. Each is changed by the application or by the worker, never by
/// both, so that no store needs a locked instruction.
#[derive(Debug)]
pub(super) struct Traffic {
    descriptor: RawFd,
    /// Set before the worker closes its descriptor.
    is_closed: AtomicBool,
    /// Set while the client of a polling session sends a payload.
    is_receiving: AtomicBool,
    /// Set while a poll of a polling session is pending, and nothing waits for it.
    is_writable: AtomicBool,
    /// The peer's port; 0 for a connection that has been taken over.
    remote_port: u16,
    /// The address on which the connection came, if it has no descriptor.
    local_address: Option<Box<SocketAddr>>,
    read: SingleWriterCounter,
    /// Bytes of frames that the application has sent to this connection.
    posted: SingleWriterCounter,
    /// Bytes of all other frames: broadcasts, volatile packets, answers to pings.
    queued: SingleWriterCounter,
    /// The time at which bytes were last read or written, in [`ticks`].
    active_at: AtomicU64,
}

/// The traffic of a connection at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrafficView {
    /// The descriptor of the worker's socket.
    pub descriptor: RawFd,
    /// True if the worker has not begun to close it.
    pub is_open: bool,
    /// The peer's port, if a worker has accepted the connection; else 0.
    pub remote_port: u16,
    /// The address on which the connection came, if it has no descriptor.
    pub local_address: Option<SocketAddr>,
    /// Bytes read from the socket, including those before the takeover.
    pub bytes_read: u64,
    /// Bytes written to the socket or queued for it, including those before the takeover.
    pub bytes_written: u64,
    /// Milliseconds since bytes were last read or written.
    pub idle: u64,
}

impl Traffic {
    /// Creates counters that start at the bytes read and written before the takeover.
    pub(super) fn new(descriptor: RawFd, bytes_read: u64, bytes_written: u64) -> Self {
        Self {
            descriptor,
            is_closed: AtomicBool::new(false),
            is_receiving: AtomicBool::new(false),
            is_writable: AtomicBool::new(false),
            remote_port: 0,
            local_address: None,
            read: SingleWriterCounter::starting_at(bytes_read),
            posted: SingleWriterCounter::starting_at(bytes_written),
            queued: SingleWriterCounter::default(),
            active_at: AtomicU64::new(ticks(Instant::now())),
        }
    }

    /// Creates the counters of a connection that a worker has accepted, and from which it has read a
    /// request.
    pub(super) fn accepted(descriptor: RawFd, remote_port: u16, bytes_read: u64) -> Self {
        Self { remote_port, ..Self::new(descriptor, bytes_read, 0) }
    }

    /// Keeps the address on which a connection came that has no descriptor to be asked.
    pub(super) fn with_local_address(self, address: Option<SocketAddr>) -> Self {
        Self { local_address: address.map(Box::new), ..self }
    }

    /// Records that the descriptor is about to be closed. For the worker only.
    pub(super) fn handle_closing(&self) {
        self.is_closed.store(true, Ordering::Release);
    }

    /// Counts bytes of frames that the application sends. For the application only.
    pub(super) fn count_posted(&self, length: usize) {
        self.posted.add(length);
        self.touch();
    }

    /// Counts bytes that have been read. Returns the time. For the worker only.
    pub(super) fn count_read(&self, length: usize) -> Stamp {
        self.read.add(length);
        self.touch()
    }

    /// Counts bytes of frames that the worker queues by itself. For the worker only.
    pub(super) fn count_queued(&self, length: usize) {
        self.queued.add(length);
    }

    /// Counts bytes out of frames that the worker had queued by itself, and that are not sent. For the
    /// worker only.
    pub(super) fn count_replaced(&self, length: usize) {
        self.queued.subtract(length);
    }

    /// Records that bytes were read or written just now. Returns the time.
    pub(super) fn touch(&self) -> Stamp {
        let now = ticks(Instant::now());
        self.active_at.store(now, Ordering::Relaxed);
        stamp(now)
    }

    /// Records whether the client of a polling session sends a payload. For the worker only.
    pub(super) fn set_receiving(&self, is_receiving: bool) {
        self.is_receiving.store(is_receiving, Ordering::Release);
    }

    /// Returns whether the client of a polling session sends a payload.
    pub(super) fn is_receiving(&self) -> bool {
        self.is_receiving.load(Ordering::Acquire)
    }

    /// Records whether a poll is pending, and nothing waits for it. For the worker only.
    pub(super) fn set_writable(&self, is_writable: bool) {
        self.is_writable.store(is_writable, Ordering::Release);
    }

    /// Returns whether a poll is pending, and nothing waits for it.
    pub(super) fn is_writable(&self) -> bool {
        self.is_writable.load(Ordering::Acquire)
    }

    pub(super) fn view(&self) -> TrafficView {
        TrafficView {
            descriptor: self.descriptor,
            is_open: !self.is_closed.load(Ordering::Acquire),
            remote_port: self.remote_port,
            local_address: self.local_address.as_deref().copied(),
            bytes_read: self.read.value(),
            bytes_written: self.posted.value() + self.queued.value(),
            idle: self.idle(),
        }
    }

    /// Returns the milliseconds since bytes were last read or written.
    fn idle(&self) -> u64 {
        let active_at = self.active_at.load(Ordering::Relaxed);
        ticks(Instant::now()).saturating_sub(active_at) / TICKS_PER_MILLISECOND
    }
}
