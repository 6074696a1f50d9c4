//! The lag of a worker behind the threads that send it commands.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The age of a batch that a worker has not executed, above which a thread that sends commands
/// blocks.
///
/// With ws the application writes by itself, so that it cannot send faster than the machine
/// writes. Here commands would accumulate in front of a worker that cannot keep pace. A fifth of a
/// second is more than a worker takes for 10,000 recipients.
pub const MAX_LAG: Duration = Duration::from_millis(200);

/// The bytes of frames in batches that a worker has not executed, above which a thread that sends
/// commands blocks.
///
/// An application that sends as fast as it can fills memory within [`MAX_LAG`], on a machine that
/// does not give the worker a processor. Frames of executed batches count as backpressure of their
/// connections instead.
pub const MAX_LAG_BYTES: usize = 16 * 1024 * 1024;

/// The batches of commands that have been sent to a worker and not executed.
#[derive(Debug, Default)]
pub(super) struct Lag {
    /// For each batch not known to be done: the time at which it was sent, the bytes of its frames.
    sent: VecDeque<(Instant, usize)>,
    bytes: usize,
    done: u64,
}

impl Lag {
    /// Begins without batches, for a worker that has done `done` batches before.
    pub(super) const fn after(done: u64) -> Self {
        Self { sent: VecDeque::new(), bytes: 0, done }
    }

    /// Records a batch, sent at `now`, with this many `bytes` of frames.
    pub(super) fn handle_sent(&mut self, now: Instant, bytes: usize) {
        self.sent.push_back((now, bytes));
        self.bytes += bytes;
    }

    /// Returns the number of batches that have been sent since the worker began.
    pub(super) fn count_sent(&self) -> u64 {
        self.done + self.sent.len() as u64
    }

    /// Returns whether a batch is older than [`MAX_LAG`], or all of them exceed [`MAX_LAG_BYTES`].
    /// `done` is the number of batches that the worker has done since it began.
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
    fn a_worker_that_keeps_pace_does_not_lag() {
        let mut lag = Lag::default();
        lag.handle_sent(Instant::now() + Duration::from_secs(3600), MAX_LAG_BYTES);
        assert!(!lag.is_excessive(0));
        assert_eq!(lag.sent.len(), 1);
    }

    #[test]
    fn a_worker_lags_until_it_has_done_its_old_batches() {
        let mut lag = Lag::default();
        let Some(old) = Instant::now().checked_sub(MAX_LAG * 2) else { return };
        lag.handle_sent(old, 0);
        lag.handle_sent(old, 0);
        lag.handle_sent(Instant::now() + Duration::from_secs(3600), 0);
        assert_eq!([0, 1, 2].map(|done| lag.is_excessive(done)), [true, true, false]);
        assert_eq!(lag.sent.len(), 1);
    }

    #[test]
    fn a_worker_lags_until_it_has_done_its_large_batches() {
        let mut lag = Lag::default();
        let soon = Instant::now() + Duration::from_secs(3600);
        lag.handle_sent(soon, MAX_LAG_BYTES / 2);
        lag.handle_sent(soon, MAX_LAG_BYTES);
        assert_eq!([0, 1, 2].map(|done| lag.is_excessive(done)), [true, false, false]);
        assert_eq!(lag.bytes, 0);
    }
}
