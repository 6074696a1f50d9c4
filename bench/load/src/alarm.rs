//! Wakes the poll at a time of microsecond precision.

use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use anyhow::Result;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

/// A timerfd, since mio rounds the timeout of a poll up to whole milliseconds, in which
/// a paced sender would send 28 messages at once.
pub struct Alarm(TimerFd);

impl Alarm {
    /// An alarm that is not set, and reports to `token`.
    pub fn new(registry: &Registry, token: Token) -> Result<Self> {
        let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        let mut source = SourceFd(&timer.as_fd().as_raw_fd());
        registry.register(&mut source, token, Interest::READABLE)?;
        Ok(Self(timer))
    }

    /// Sets the alarm, which forgets what it was set to before. At least a nanosecond,
    /// for 0 would switch it off.
    pub fn set(&self, after: Duration) -> Result<()> {
        let once = Expiration::OneShot(after.max(Duration::from_nanos(1)).into());
        Ok(self.0.set(once, TimerSetTimeFlags::empty())?)
    }
}
