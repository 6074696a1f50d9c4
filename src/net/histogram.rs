//! Histograms of times, with fixed buckets.

use std::time::Duration;

use super::stats::SingleWriterCounter;

/// The inclusive upper bounds of the buckets but the last, which has none. In microseconds.
pub const HISTOGRAM_BOUNDS: [u64; 14] = [
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 5_000_000, 10_000_000,
];

/// The number of buckets.
const BUCKETS: usize = HISTOGRAM_BOUNDS.len() + 1;

/// A histogram that one thread writes and others read.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    sum: SingleWriterCounter,
    buckets: [SingleWriterCounter; BUCKETS],
}

/// The values of a histogram at one moment. Fields are read one by one, so that they may differ by a
/// few values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HistogramView {
    /// The sum of all values in microseconds.
    pub sum: u64,
    /// How many values each bucket has; see [`HISTOGRAM_BOUNDS`].
    pub buckets: [u64; BUCKETS],
}

impl Histogram {
    /// Records a value. Only the one writing thread may call it.
    pub(super) fn record(&self, value: Duration) {
        let microseconds = usize::try_from(value.as_micros()).unwrap_or(usize::MAX);
        // Most values are short: the search ends at the first bound.
        let is_within = |&bound: &u64| microseconds as u64 <= bound;
        let bucket = HISTOGRAM_BOUNDS.iter().position(is_within).unwrap_or(BUCKETS - 1);
        self.sum.add(microseconds);
        if let Some(count) = self.buckets.get(bucket) {
            count.add(1);
        }
    }

    pub(super) fn read(&self) -> HistogramView {
        HistogramView {
            sum: self.sum.value(),
            buckets: self.buckets.each_ref().map(SingleWriterCounter::value),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{BUCKETS, HISTOGRAM_BOUNDS, Histogram};

    #[test]
    fn bounds_rise() {
        assert!(HISTOGRAM_BOUNDS.is_sorted_by(|one, next| one < next));
    }

    #[test]
    fn a_value_counts_in_the_first_bucket_whose_bound_is_not_below() {
        for (index, &bound) in HISTOGRAM_BOUNDS.iter().enumerate() {
            for (value, bucket) in [(bound, index), (bound + 1, index + 1)] {
                let histogram = Histogram::default();
                histogram.record(Duration::from_micros(value));
                let mut expected = [0; BUCKETS];
                expected[bucket] = 1;
                assert_eq!((histogram.read().sum, histogram.read().buckets), (value, expected));
            }
        }
    }

    #[test]
    fn the_last_bucket_has_no_bound() {
        let histogram = Histogram::default();
        histogram.record(Duration::MAX);
        assert_eq!(histogram.read().buckets[BUCKETS - 1], 1);
    }
}
