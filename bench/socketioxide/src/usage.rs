//! The resources that this process uses. It has no event loop as Node.js has, so there are no figures of
//! one.

use std::time::Instant;

use anyhow::{Context, Result};
use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};
use nix::sys::time::TimeValLike;
use nix::unistd::{SysconfVar, sysconf};
use serde::Serialize;

/// The usage of a measurement, as usage.js's `Usage`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    seconds: f64,
    user: i64,
    system: i64,
    context_switches: i64,
    rss: u64,
    /// Events received meanwhile.
    received: u64,
}

/// A measurement of this process.
pub struct Measurement {
    start: Instant,
    counters: Counters,
    received: u64,
}

impl Measurement {
    /// Begins, after so many events.
    pub fn start(received: u64) -> Result<Self> {
        Ok(Self { counters: Counters::read()?, start: Instant::now(), received })
    }

    /// Ends, after so many events.
    pub fn end(&self, received: u64) -> Result<Usage> {
        let seconds = self.start.elapsed().as_secs_f64();
        let counters = Counters::read()?;
        Ok(Usage {
            seconds,
            user: counters.user - self.counters.user,
            system: counters.system - self.counters.system,
            context_switches: counters.context_switches - self.counters.context_switches,
            rss: resident_set()?,
            received: received - self.received,
        })
    }
}

/// The kernel's counters; times in microseconds.
struct Counters {
    user: i64,
    system: i64,
    context_switches: i64,
}

impl Counters {
    fn read() -> Result<Self> {
        let usage = getrusage(UsageWho::RUSAGE_SELF)?;
        Ok(Self {
            user: usage.user_time().num_microseconds(),
            system: usage.system_time().num_microseconds(),
            context_switches: usage.voluntary_context_switches()
                + usage.involuntary_context_switches(),
        })
    }
}

/// Returns the resident memory of this process in bytes.
pub fn resident_set() -> Result<u64> {
    // proc_pid_statm(5): the second field, in pages.
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = statm.split(' ').nth(1).context("/proc/self/statm")?.parse()?;
    let page: u64 = sysconf(SysconfVar::PAGE_SIZE)?.context("no page size")?.try_into()?;
    Ok(pages * page)
}

/// Raises the limit of open descriptors as far as it is allowed, which Node.js does, too.
pub fn allow_descriptors() -> Result<()> {
    let (_, allowed) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, allowed, allowed)
        .context("cannot raise the limit of descriptors")
}
