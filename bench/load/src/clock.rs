//! The clock that the processes of a machine have in common.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// `CLOCK_MONOTONIC`, which is what `process.hrtime()` reads, too. An `Instant` cannot be
/// compared with what another process read.
pub fn monotonic_time() -> Duration {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap_or_default()
}
