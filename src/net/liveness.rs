//! Notifications of the application, and whether it answers them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::HistogramView;
use super::histogram::Histogram;

/// The time after which a notification is due although only heartbeats were sent, so that an
/// application that is alive shows it. One wake-up of Node.js costs 15 to 30 µs.
pub(super) const SIGN_INTERVAL: Duration = Duration::from_secs(1);

/// The state of notifications, which the application and all workers of a pool share.
///
/// A worker notifies once, and then not again until the application takes events: that is its sign of
/// life. An application that has not answered for long does not run.
#[derive(Debug)]
pub(super) struct Liveness {
    start: Instant,
    /// The time of the notification that has not been answered, in nanoseconds since `start`; 0 if
    /// all have been.
    unanswered: AtomicU64,
    /// The time of the last notification, in the same unit.
    notified: AtomicU64,
    /// The times that the application took to answer; it writes them.
    lag: Histogram,
}

impl Liveness {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            start: now,
            unanswered: AtomicU64::new(0),
            notified: AtomicU64::new(0),
            lag: Histogram::default(),
        }
    }

    /// Returns whether the caller must notify the application now.
    pub(super) fn begin_notification(&self, now: Instant) -> bool {
        let since_start = self.since_start(now);
        let exchanged =
            self.unanswered.compare_exchange(0, since_start, Ordering::SeqCst, Ordering::SeqCst);
        if exchanged.is_ok() {
            self.notified.store(since_start, Ordering::Relaxed);
        }
        exchanged.is_ok()
    }

    /// Handles a sign of life: the application takes events.
    pub(super) fn handle_taken(&self) {
        let unanswered = self.unanswered.swap(0, Ordering::SeqCst);
        if unanswered != 0 {
            let lag = self.since_start(Instant::now()).saturating_sub(unanswered);
            self.lag.record(Duration::from_nanos(lag));
        }
    }

    /// Returns the times from each notification until the application has taken events.
    pub(super) fn lag(&self) -> HistogramView {
        self.lag.read()
    }

    /// Returns whether the last notification is so old that another is due.
    pub(super) fn is_sign_due(&self, now: Instant) -> bool {
        let notified = self.notified.load(Ordering::Relaxed);
        self.since_start(now) >= notified.saturating_add(nanoseconds(SIGN_INTERVAL))
            || notified == 0
    }

    /// Returns whether a notification has not been answered for longer than `max_lag`.
    pub(super) fn is_hung(&self, now: Instant, max_lag: Duration) -> bool {
        let unanswered = self.unanswered.load(Ordering::SeqCst);
        unanswered != 0 && self.since_start(now) > unanswered.saturating_add(nanoseconds(max_lag))
    }

    fn since_start(&self, now: Instant) -> u64 {
        nanoseconds(now.saturating_duration_since(self.start)).max(1)
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Liveness, SIGN_INTERVAL};

    const LAG: Duration = Duration::from_secs(45);

    #[test]
    fn the_application_is_notified_once_until_it_takes_events() {
        let start = Instant::now();
        let liveness = Liveness::new(start);
        let begun = [start, start + LAG].map(|now| liveness.begin_notification(now));
        assert_eq!(begun, [true, false]);
        liveness.handle_taken();
        assert!(liveness.begin_notification(start + LAG));
    }

    #[test]
    fn an_application_hangs_that_does_not_answer_in_time() {
        let start = Instant::now();
        let liveness = Liveness::new(start);
        assert!(!liveness.is_hung(start + LAG * 9, LAG));
        liveness.begin_notification(start + LAG);
        let later = [LAG, LAG * 2, LAG * 2 + Duration::from_nanos(1)].map(|time| start + time);
        assert_eq!(later.map(|now| liveness.is_hung(now, LAG)), [false, false, true]);
        liveness.handle_taken();
        assert!(!liveness.is_hung(start + LAG * 9, LAG));
    }

    #[test]
    fn the_lag_of_each_answer_is_recorded_once() {
        let start = Instant::now();
        let Some(past) = start.checked_sub(LAG) else { return };
        let liveness = Liveness::new(past);
        liveness.handle_taken();
        assert_eq!(liveness.lag().buckets.iter().sum::<u64>(), 0);
        liveness.begin_notification(start);
        liveness.handle_taken();
        liveness.handle_taken();
        liveness.begin_notification(past);
        liveness.handle_taken();
        let lag = liveness.lag();
        assert_eq!((lag.buckets.iter().sum::<u64>(), lag.buckets.last()), (2, Some(&1)));
        assert!(lag.sum >= 45_000_000);
    }

    #[test]
    fn without_a_limit_no_application_hangs() {
        let start = Instant::now();
        let liveness = Liveness::new(start);
        liveness.begin_notification(start);
        assert!(!liveness.is_hung(start + LAG * 1_000_000, Duration::MAX));
    }

    #[test]
    fn a_sign_of_life_is_due_some_time_after_the_last_notification() {
        let start = Instant::now();
        let liveness = Liveness::new(start);
        assert!(liveness.is_sign_due(start));
        liveness.begin_notification(start + LAG);
        liveness.handle_taken();
        let later = [LAG, LAG + SIGN_INTERVAL].map(|time| start + time);
        assert_eq!(later.map(|now| liveness.is_sign_due(now)), [false, true]);
    }
}
