//! When a thread rests, so that more comes together.

use std::time::{Duration, Instant};

/// From which rate on a thread rests, and how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tempo {
    /// From this rate on, resting pays: then each rest gathers two events or more.
    pub(crate) busy_events_per_second: u32,
    /// How long it rests. The kernel adds its timer slack of 50 µs.
    pub(crate) rest: Duration,
    /// The rate is taken over at least so long.
    pub(crate) window: Duration,
}

/// That of a worker. Measured: 28,000 messages a second, evenly spaced, from 500 clients, Node 20,
/// two cores; `npm run bench -- inbound`.
pub(super) const WORKER: Tempo = Tempo {
    busy_events_per_second: 12_000,
    rest: Duration::from_micros(200),
    window: Duration::from_millis(5),
};

/// Measures how many events a thread handles, and says when to rest.
///
/// Waking a sleeping thread costs more than handling a small message. Where messages come
/// one by one in quick succession, each would wake the thread, and perhaps the application; after
/// a rest, one waking serves all that have come meanwhile. It is what network cards do
/// with their interrupts, and for the same reason. Below the rate nothing waits.
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

    /// Counts events that were handled at `now`; how long to rest is the result.
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

    use super::{Pace, WORKER};

    /// The last rest of a second in which events are delivered at even intervals.
    fn rest_at(deliveries_per_second: u32, events: usize) -> Option<Duration> {
        let start = Instant::now();
        let mut pace = Pace::new(WORKER, start);
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
        assert_eq!(rest_at(28_000, 1), Some(WORKER.rest));
        assert_eq!(rest_at(4_000, 7), Some(WORKER.rest));
    }

    #[test]
    fn resting_ends_with_the_rush() {
        let start = Instant::now();
        let mut pace = Pace::new(WORKER, start);
        for delivery in 1..1_000_u32 {
            pace.handle_events(1, start + Duration::from_micros(20) * delivery);
        }
        let later = start + Duration::from_secs(1);
        assert_eq!(pace.handle_events(1, later), None);
    }
}
