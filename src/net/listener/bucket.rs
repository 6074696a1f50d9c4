//! The limit of connections that are accepted in a second.

use std::time::{Duration, Instant};

/// The part of a second whose connections may come at once.
const BURST: f64 = 0.1;

/// The longest wait in seconds, after which the tokens are counted again.
const MAX_WAIT: f64 = 3600.0;

/// A token bucket: each accepted connection takes a token, and tokens come back at a constant rate.
#[derive(Debug)]
pub(super) struct Bucket {
    tokens: f64,
    filled_at: Instant,
}

impl Bucket {
    pub(super) const fn new(now: Instant) -> Self {
        Self { tokens: f64::MAX, filled_at: now }
    }

    /// Returns the time until there is a token; `None` if there is one now.
    pub(super) fn poll_wait(&mut self, rate: f64, now: Instant) -> Option<Duration> {
        let elapsed = now.saturating_duration_since(self.filled_at).as_secs_f64();
        self.filled_at = now;
        self.tokens = (self.tokens + elapsed * rate).min((rate * BURST).max(1.0));
        (self.tokens < 1.0)
            .then(|| Duration::from_secs_f64(((1.0 - self.tokens) / rate).min(MAX_WAIT)))
    }

    /// Takes a token.
    pub(super) const fn take(&mut self) {
        self.tokens -= 1.0;
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Bucket;

    /// Returns the connections that are accepted between two times, when there are always more.
    fn accepted(bucket: &mut Bucket, rate: f64, from: Instant, until: Instant) -> usize {
        let (mut now, mut count) = (from, 0);
        while now < until {
            match bucket.poll_wait(rate, now) {
                None => {
                    bucket.take();
                    count += 1;
                }
                // A timer is never early.
                Some(wait) => now += wait + Duration::from_micros(1),
            }
        }
        count
    }

    #[test]
    fn no_more_than_the_rate_and_a_tenth_are_accepted_in_a_second() {
        let start = Instant::now();
        for rate in [1_usize, 7, 100, 5_000] {
            let mut bucket = Bucket::new(start);
            let burst = (rate / 10).max(1);
            let count = accepted(&mut bucket, rate as f64, start, start + Duration::from_secs(10));
            let most = rate * 10 + burst;
            assert!((most * 98 / 100..=most).contains(&count), "{rate}: {count}");
        }
    }

    #[test]
    fn a_rest_saves_no_more_than_a_burst() {
        let start = Instant::now();
        let mut bucket = Bucket::new(start);
        accepted(&mut bucket, 100.0, start, start + Duration::from_secs(1));
        let later = start + Duration::from_secs(60);
        assert_eq!(accepted(&mut bucket, 100.0, later, later + Duration::from_micros(1)), 10);
    }
}
