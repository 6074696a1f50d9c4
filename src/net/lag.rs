//! How far a worker is behind the application.

use std::collections::VecDeque;
use std::thread;
use std::time::{Duration, Instant};

/// An application waits for a worker that has not done by then what it was told.
///
/// With ws the application writes itself, so that it cannot send more than the machine
/// writes. Here the commands would pile up in front of a worker that cannot keep pace. A
/// fifth of a second is more than a worker takes for 10,000 recipients.
pub const MAX_LAG: Duration = Duration::from_millis(200);

/// How often a waiting application looks.
const INTERVAL: Duration = Duration::from_millis(1);

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

    /// Waits until no batch is older than [`MAX_LAG`]. `done` says how many the worker has
    /// done since it began; `None` if it is over.
    pub(super) fn wait(&mut self, done: impl Fn() -> Option<u64>) {
        loop {
            match done() {
                Some(done) => self.handle_done(done),
                None => self.sent.clear(),
            }
            if self.sent.front().is_none_or(|sent| sent.elapsed() <= MAX_LAG) {
                return;
            }
            thread::sleep(INTERVAL);
        }
    }

    fn handle_done(&mut self, done: u64) {
        let more = usize::try_from(done - self.done).unwrap_or(usize::MAX);
        self.sent.drain(..more.min(self.sent.len()));
        self.done = done;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::{Duration, Instant};

    use super::{Lag, MAX_LAG};

    #[test]
    fn nobody_waits_for_a_worker_that_keeps_pace() {
        let mut lag = Lag::default();
        let begin = Instant::now();
        lag.handle_sent(begin);
        lag.wait(|| Some(0));
        assert!(begin.elapsed() < MAX_LAG);
        assert_eq!(lag.sent.len(), 1);
    }

    #[test]
    fn a_worker_that_is_behind_is_waited_for() {
        let mut lag = Lag::default();
        let begin = Instant::now();
        let (Some(old), calls) = (begin.checked_sub(MAX_LAG * 2), Cell::new(0)) else { return };
        lag.handle_sent(old);
        lag.handle_sent(old);
        lag.handle_sent(begin + Duration::from_secs(3600));
        lag.wait(|| {
            calls.set(calls.get() + 1);
            Some(calls.get() / 2)
        });
        assert_eq!((calls.get(), lag.sent.len()), (4, 1));
    }

    #[test]
    fn a_worker_that_is_over_is_not_waited_for() {
        let mut lag = Lag::default();
        let Some(old) = Instant::now().checked_sub(MAX_LAG * 2) else { return };
        lag.handle_sent(old);
        lag.wait(|| None);
        assert!(lag.sent.is_empty());
    }
}
