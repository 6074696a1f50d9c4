//! A clock whose times are small enough to stand beside each frame.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::fanout::Stamp;

/// The ticks of a second.
const TICKS_PER_SECOND: u64 = 10_000;

/// Nanoseconds of a tick.
const TICK: u32 = 100_000;

/// The ticks of a millisecond.
pub(super) const TICKS_PER_MILLISECOND: u64 = TICKS_PER_SECOND / 1_000;

/// Returns a time in ticks of 100 µs since the first call; 0 for a time before.
pub(super) fn ticks(time: Instant) -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let since_start = time.saturating_duration_since(*START.get_or_init(|| time));
    since_start.as_secs() * TICKS_PER_SECOND + u64::from(since_start.subsec_nanos() / TICK)
}

/// Returns the stamp of a time in ticks. Stamps begin anew after five days.
pub(super) const fn stamp(ticks: u64) -> Stamp {
    ticks as Stamp
}

/// Returns the time from one stamp to another of at most five days later, to 100 µs.
pub(super) fn between(from: Stamp, to: Stamp) -> Duration {
    let ticks = to.wrapping_sub(from);
    // Two threads may have read the clock in another order than they use it.
    if ticks > Stamp::MAX / 2 {
        Duration::ZERO
    } else {
        Duration::from_nanos(u64::from(ticks) * u64::from(TICK))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{between, stamp, ticks};

    #[test]
    fn a_tick_is_100_microseconds() {
        let start = Instant::now();
        let first = ticks(start);
        assert_eq!(ticks(start + Duration::from_millis(12_345)) - first, 123_450);
    }

    #[test]
    fn the_time_between_two_stamps_does_not_depend_on_where_they_begin_anew() {
        let day = 24 * 3600 * 10_000;
        for from in [0, day, 5 * day, u64::from(u32::MAX)] {
            let to = stamp(from + 25);
            assert_eq!(between(stamp(from), to), Duration::from_micros(2_500));
            assert_eq!(between(to, stamp(from)), Duration::ZERO);
        }
    }
}
