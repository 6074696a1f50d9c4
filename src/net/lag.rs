//! How far a worker is behind the threads that send it commands.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A thread that sends commands blocks while a worker has not carried out a batch of this age.
///
/// With ws the application writes itself, so that it cannot send more than the machine
/// writes. Here the commands would pile up in front of a worker that cannot keep pace. A
/// fifth of a second is more than a worker takes for 10,000 recipients.
pub const MAX_LAG: Duration = Duration::from_millis(200);

/// It also blocks while the frames of so many bytes are in batches that are not carried out: an
/// application that sends as fast as it can fills memory within [`MAX_LAG`], on a machine that
/// does not give the worker a processor. What the worker has carried out counts as a connection's
/// backpressure instead.
pub const MAX_LAG_BYTES: usize = 16 * 1024 * 1024;

/// When batches of commands were sent, and whether they are done.
#[derive(Debug, Default)]
pub(super) struct Lag {
    /// The time of each batch that is not known to be done, and the bytes of its frames.
    sent: VecDeque<(Instant, usize)>,
    bytes: usize,
    done: u64,
}

impl Lag {
    /// No batch is sent, and `done` have been done before.
    pub(super) const fn after(done: u64) -> Self {
        Self { sent: VecDeque::new(), bytes: 0, done }
    }

    /// A batch with frames of so many `bytes` is sent at `now`.
    pub(super) fn handle_sent(&mut self, now: Instant, bytes: usize) {
        self.sent.push_back((now, bytes));
        self.bytes += bytes;
    }

    /// Returns whether a batch is older than [`MAX_LAG`], or all of them have more than
    /// [`MAX_LAG_BYTES`], when the worker has done `done` since it began.
    pub(super) fn is_excessive(&mut self, done: u64) -> bool {
        let more = usize::try_from(done - self.done).unwrap_or(usize::MAX);
        let done_now = self.sent.drain(..more.min(self.sent.len()));
        self.bytes -= done_now.map(|(_, bytes)| bytes).sum::<usize>();
        self.done = done;
        self.bytes > MAX_LAG_BYTES
            || self.sent.front().is_some_and(|(sent, _)| sent.elapsed() > MAX_LAG)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Lag, MAX_LAG, MAX_LAG_BYTES};

    #[test]
    fn a_worker_that_keeps_pace_is_not_behind() {
        let mut lag = Lag::default();
        lag.handle_sent(Instant::now() + Duration::from_secs(3600), MAX_LAG_BYTES);
        assert!(!lag.is_excessive(0));
        assert_eq!(lag.sent.len(), 1);
    }

    #[test]
    fn a_worker_is_behind_until_it_has_done_what_is_old() {
        let mut lag = Lag::default();
        let Some(old) = Instant::now().checked_sub(MAX_LAG * 2) else { return };
        lag.handle_sent(old, 0);
        lag.handle_sent(old, 0);
        lag.handle_sent(Instant::now() + Duration::from_secs(3600), 0);
        assert_eq!([0, 1, 2].map(|done| lag.is_excessive(done)), [true, true, false]);
        assert_eq!(lag.sent.len(), 1);
    }

    #[test]
    fn a_worker_is_behind_until_it_has_done_what_is_large() {
        let mut lag = Lag::default();
        let soon = Instant::now() + Duration::from_secs(3600);
        lag.handle_sent(soon, MAX_LAG_BYTES / 2);
        lag.handle_sent(soon, MAX_LAG_BYTES);
        assert_eq!([0, 1, 2].map(|done| lag.is_excessive(done)), [true, false, false]);
        assert_eq!(lag.bytes, 0);
    }
}
