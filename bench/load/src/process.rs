//! What this process may use and has used.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

/// Descriptors beside those of the clients: standard streams, epoll, timer, waker.
const OWN_DESCRIPTORS: u64 = 16;

/// Raises the limit of open descriptors as far as it is allowed.
///
/// # Errors
///
/// If that is too low for so many clients.
pub fn allow_descriptors(clients: usize) -> Result<()> {
    let allowed = getrlimit(Resource::Nofile).maximum;
    let needed = clients as u64 + OWN_DESCRIPTORS;
    ensure!(
        allowed.is_none_or(|allowed| allowed >= needed),
        "{clients} clients need {needed} descriptors; raise the hard limit (ulimit -Hn)"
    );
    setrlimit(Resource::Nofile, Rlimit { current: allowed, maximum: allowed })
        .context("cannot raise the limit of descriptors")
}

/// User and system time of this process so far.
pub fn cpu_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default()
}
