//! The clock that the processes of a machine have in common.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// `CLOCK_MONOTONIC`, which is what `process.hrtime()` reads, too. An `Instant` cannot be
/// compared with what another process read.
pub fn monotonic_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::Monotonic)).unwrap_or_default()
}
