//! Rests of busy threads, so that one wake-up handles several events.

use std::time::{Duration, Instant};

/// The rate above which a thread rests, and the length of a rest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tempo {
    /// The rate from which resting pays: each rest then gathers two events or more.
    pub(crate) busy_events_per_second: u32,
    /// The length of a rest. The kernel adds its timer slack of 50 µs.
    pub(crate) rest: Duration,
    /// The minimum time over which the rate is measured.
    pub(crate) window: Duration,
}

/// The tempo of a worker. Measured with 28,000 messages a second, evenly spaced, from 500 clients,
/// Node 20, two cores; `npm run bench -- inbound`.
pub(super) const WORKER_TEMPO: Tempo = Tempo {
    busy_events_per_second: 12_000,
    rest: Duration::from_micros(300),
    window: Duration::from_millis(5),
};

/// Measures the rate of events that a thread handles, and decides when it rests.
///
/// Waking a sleeping thread costs more than handling a small message. Where messages arrive one by
/// one in quick succession, each would wake the thread, and perhaps the application; after a rest,
/// one wake-up handles all that have arrived meanwhile. Network cards coalesce their interrupts for
/// the same reason. Below the rate nothing is delayed.
#[derive(Debug)]
pub(crate) struct Pace {
    tempo: Tempo,
    window_start: Instant,
    events: u32,
    is_busy: bool,
}

impl Pace {
    pub(crate) fn new(tempo: Tempo, now: Instant) -> Self {
        Self { tempo, window_start: now, events: 0, is_busy: false }
    }

    /// Counts events handled at `now`. Returns how long the thread must rest, if at all.
    pub(crate) fn handle_events(&mut self, events: usize, now: Instant) -> Option<Duration> {
        self.events = self.events.saturating_add(u32::try_from(events).unwrap_or(u32::MAX));
        let elapsed = now.duration_since(self.window_start);
        if elapsed >= self.tempo.window {
            let per_second = f64::from(self.events) / elapsed.as_secs_f64();
            self.is_busy = per_second >= f64::from(self.tempo.busy_events_per_second);
            self.window_start = now;
            self.events = 0;
        }
        self.is_busy.then_some(self.tempo.rest)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Pace, WORKER_TEMPO};

    /// Returns the last rest of a second in which events are delivered at even intervals.
    fn rest_at(deliveries_per_second: u32, events: usize) -> Option<Duration> {
        let start = Instant::now();
        let mut pace = Pace::new(WORKER_TEMPO, start);
        let mut rest = None;
        for delivery in 1..=deliveries_per_second {
            let now = start + Duration::from_secs(1) * delivery / deliveries_per_second;
            rest = pace.handle_events(events, now);
        }
        rest
    }

    #[test]
    fn a_worker_with_little_to_do_never_rests() {
        assert_eq!(rest_at(5_000, 1), None);
        assert_eq!(rest_at(10, 1_000), None);
    }

    #[test]
    fn a_busy_worker_rests() {
        assert_eq!(rest_at(28_000, 1), Some(WORKER_TEMPO.rest));
        assert_eq!(rest_at(4_000, 7), Some(WORKER_TEMPO.rest));
    }

    #[test]
    fn resting_ends_with_the_rush() {
        let start = Instant::now();
        let mut pace = Pace::new(WORKER_TEMPO, start);
        for delivery in 1..1_000_u32 {
            pace.handle_events(1, start + Duration::from_micros(20) * delivery);
        }
        let later = start + Duration::from_secs(1);
        assert_eq!(pace.handle_events(1, later), None);
    }
}
