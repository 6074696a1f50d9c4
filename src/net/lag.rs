//! How far a worker is behind those who tell it what to do.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// An application waits for a worker that has not done by then what it was told.
///
/// With ws the application writes itself, so that it cannot send more than the machine
/// writes. Here the commands would pile up in front of a worker that cannot keep pace. A
/// fifth of a second is more than a worker takes for 10,000 recipients.
pub const MAX_LAG: Duration = Duration::from_millis(200);

/// When batches of commands were sent, and whether they are done.
#[derive(Debug, Default)]
pub(super) struct Lag {
    /// The times of those that are not known to be done.
    sent: VecDeque<Instant>,
    done: u64,
}

impl Lag {
    /// A batch is sent at `now`.
    pub(super) fn handle_sent(&mut self, now: Instant) {
        self.sent.push_back(now);
    }

    /// Whether a batch is older than [`MAX_LAG`] when the worker has done `done` since it
    /// began.
    pub(super) fn is_excessive(&mut self, done: u64) -> bool {
        let more = usize::try_from(done - self.done).unwrap_or(usize::MAX);
        self.sent.drain(..more.min(self.sent.len()));
        self.done = done;
        self.sent.front().is_some_and(|sent| sent.elapsed() > MAX_LAG)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Lag, MAX_LAG};

    #[test]
    fn a_worker_that_keeps_pace_is_not_behind() {
        let mut lag = Lag::default();
        lag.handle_sent(Instant::now() + Duration::from_secs(3600));
        assert!(!lag.is_excessive(0));
        assert_eq!(lag.sent.len(), 1);
    }

    #[test]
    fn a_worker_is_behind_until_it_has_done_what_is_old() {
        let mut lag = Lag::default();
        let Some(old) = Instant::now().checked_sub(MAX_LAG * 2) else { return };
        lag.handle_sent(old);
        lag.handle_sent(old);
        lag.handle_sent(Instant::now() + Duration::from_secs(3600));
        assert_eq!([0, 1, 2].map(|done| lag.is_excessive(done)), [true, true, false]);
        assert_eq!(lag.sent.len(), 1);
    }
}
