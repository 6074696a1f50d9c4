//! The due times of paced messages.

use std::time::{Duration, Instant};

/// Rate and duration of sending.
pub struct Pace {
    /// Messages per second, at least 1.
    pub rate: u32,
    /// Length of the warm-up.
    pub warm_up: Duration,
    /// Length of the measurement, after the warm-up.
    pub measured: Duration,
}

/// Evenly paced messages, fixed in advance: a server that falls behind is sent to at
/// the same rate, and what is measured from the due time includes all waiting (no
/// coordinated omission).
#[derive(Clone, Copy)]
pub struct Schedule {
    start: Instant,
    rate: u32,
    warm_up: Duration,
    len: u64,
}

impl Schedule {
    /// Starts a schedule whose first message is due now.
    pub fn start(pace: &Pace) -> Self {
        let messages = (pace.warm_up + pace.measured).as_secs_f64() * f64::from(pace.rate);
        Self {
            start: Instant::now(),
            rate: pace.rate,
            warm_up: pace.warm_up,
            len: messages.round() as u64,
        }
    }

    /// Returns the number of messages.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Returns when message `index` is due. Computed from the start, so that errors do not add up.
    pub fn due(&self, index: u64) -> Instant {
        self.start + self.offset(index)
    }

    /// Returns for how long message `index` has been due, or `None` if it is not due yet.
    pub fn lateness(&self, index: u64) -> Option<Duration> {
        Instant::now().checked_duration_since(self.due(index))
    }

    /// Returns whether message `index` belongs to the measurement.
    pub fn is_measured(&self, index: u64) -> bool {
        self.offset(index) >= self.warm_up
    }

    fn offset(&self, index: u64) -> Duration {
        Duration::from_nanos(index * 1_000_000_000 / u64::from(self.rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_due_evenly_and_count_after_the_warm_up() {
        let pace =
            Pace { rate: 3, warm_up: Duration::from_secs(1), measured: Duration::from_secs(2) };
        let schedule = Schedule::start(&pace);
        assert_eq!(schedule.len(), 9);
        assert_eq!(schedule.due(3) - schedule.due(0), Duration::from_secs(1));
        assert_eq!(schedule.due(1) - schedule.due(0), Duration::from_nanos(333_333_333));
        assert!(!schedule.is_measured(2) && schedule.is_measured(3));
    }
}
