//! Limits and use of this process's resources.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};
use nix::sys::time::TimeValLike;
use nix::time::{ClockId, clock_gettime};
use nix::unistd::{SysconfVar, sysconf};

/// Descriptors beside those of the clients: standard streams, epoll, timer, waker.
const OWN_DESCRIPTORS: u64 = 16;

/// Raises the limit of open descriptors as far as it is allowed.
///
/// # Errors
///
/// If that is too low for so many clients.
pub fn allow_descriptors(clients: usize) -> Result<()> {
    let (_, allowed) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let needed = clients as u64 + OWN_DESCRIPTORS;
    ensure!(
        allowed >= needed,
        "{clients} clients need {needed} descriptors; raise the hard limit (ulimit -Hn)"
    );
    setrlimit(Resource::RLIMIT_NOFILE, allowed, allowed)
        .context("cannot raise the limit of descriptors")
}

/// Returns the user and system time of this process.
pub fn cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).map(Duration::from).unwrap_or_default()
}

/// CPU time and context switches of this process, with all its threads.
pub struct Consumption {
    /// Time in user mode, in microseconds.
    pub user: i64,
    /// Time in the kernel, in microseconds.
    pub system: i64,
    /// Voluntary and involuntary context switches.
    pub context_switches: i64,
}

/// Reads the kernel's counters.
pub fn consumption() -> Result<Consumption> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    Ok(Consumption {
        user: usage.user_time().num_microseconds(),
        system: usage.system_time().num_microseconds(),
        context_switches: usage.voluntary_context_switches() + usage.involuntary_context_switches(),
    })
}

/// Returns the resident memory of this process in bytes.
pub fn resident_set() -> Result<u64> {
    // proc_pid_statm(5): the second field, in pages.
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = statm.split(' ').nth(1).context("/proc/self/statm")?.parse()?;
    Ok(pages * page_size()?)
}

fn page_size() -> Result<u64> {
    Ok(sysconf(SysconfVar::PAGE_SIZE)?.context("no page size")?.try_into()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_counts_in_its_unit() -> Result<()> {
        let before = consumption()?;
        let used = before.user + before.system;
        while consumption()?.user + consumption()?.system < used + 20_000 {
            std::hint::black_box(resident_set()?);
        }
        std::thread::sleep(Duration::from_millis(1));
        let after = consumption()?;
        assert!(after.user >= before.user && after.system >= before.system);
        assert!(after.context_switches > before.context_switches);
        assert!(resident_set()? > 100_000);
        Ok(())
    }
}
