//! Worker scheduling: `SCHED_BATCH` on Linux.

/// Makes the calling thread a `SCHED_BATCH` thread, so that it does not preempt the application
/// that wakes it. A refusal of the operating system is ignored.
///
/// An application that has flushed its commands runs for a few microseconds more until it sleeps.
/// A worker that preempts it keeps the processor for the milliseconds that a broadcast to 1,000
/// connections takes, and the event loop stands still meanwhile. sched(7): a `SCHED_BATCH` thread
/// is "mildly disfavored in scheduling decisions" when it wakes; it gets as much of the processor
/// as any other. Measured on two cores, 40 broadcasts a second to 1,000 clients: 290 to 330 µs of
/// event loop per broadcast instead of 530 to 550; an echo of 64 bytes costs a fifth less of it,
/// and a tenth less CPU.
///
/// Calls the kernel itself: musl's `sched_setscheduler()` is a stub that returns `ENOSYS` (in POSIX
/// it concerns a process, in Linux a thread), and its `sched_param` has more fields than the
/// kernel's.
#[cfg(target_os = "linux")]
pub(super) fn use_batch_scheduling() {
    let priority: libc::c_int = 0;
    // SAFETY: the kernel's `struct sched_param` is one `int`, which the call reads; it changes the
    // calling thread (0) alone.
    unsafe {
        libc::syscall(libc::SYS_sched_setscheduler, 0, libc::SCHED_BATCH, &raw const priority)
    };
}

/// Does nothing: only Linux has `SCHED_BATCH`.
#[cfg(not(target_os = "linux"))]
pub(super) const fn use_batch_scheduling() {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::use_batch_scheduling;

    #[test]
    fn the_calling_thread_becomes_a_batch_thread() {
        // SAFETY: the call has no memory to read or write.
        let policy = || unsafe { libc::syscall(libc::SYS_sched_getscheduler, 0) };
        let policies = std::thread::spawn(move || {
            let before = policy();
            use_batch_scheduling();
            (before, policy())
        })
        .join();
        let expected = (libc::SCHED_OTHER.into(), libc::SCHED_BATCH.into());
        assert_eq!(policies.ok(), Some(expected));
    }
}
