//! Wakes the poll at a time of microsecond precision.

use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use anyhow::Result;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

/// A timerfd, since mio rounds the timeout of a poll up to whole milliseconds, in which
/// a paced sender would send 28 messages at once.
pub struct Alarm(OwnedFd);

impl Alarm {
    /// An alarm that is not set, and reports to `token`.
    pub fn new(registry: &Registry, token: Token) -> Result<Self> {
        let timer = timerfd_create(
            TimerfdClockId::Monotonic,
            TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK,
        )?;
        registry.register(&mut SourceFd(&timer.as_raw_fd()), token, Interest::READABLE)?;
        Ok(Self(timer))
    }

    /// Sets the alarm, which forgets what it was set to before. At least a nanosecond,
    /// for 0 would switch it off.
    pub fn set(&self, after: Duration) -> Result<()> {
        let at = Timespec::try_from(after.max(Duration::from_nanos(1)))?;
        let once = Itimerspec { it_interval: Timespec::default(), it_value: at };
        timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &once)?;
        Ok(())
    }
}
