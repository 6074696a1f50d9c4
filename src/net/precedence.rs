//! Which of two threads that could run goes first.

/// Lets whoever wakes the calling thread go on, where both could run on one processor.
///
/// An application that has flushed its commands has a few microseconds left until it sleeps.
/// A worker that takes the processor from it then keeps it for the milliseconds that a
/// broadcast to 1,000 connections takes, and the event loop stands still meanwhile. sched(7):
/// a `SCHED_BATCH` thread is "mildly disfavored in scheduling decisions" when it wakes; it gets
/// as much of the processor as any other. Measured on two cores, 40 broadcasts a second to 1,000
/// clients: 290 to 330 µs of event loop per broadcast instead of 530 to 550; an echo of 64 bytes
/// costs a fifth less of it, and a tenth less CPU.
///
/// Where the operating system refuses, nothing is lost but that.
#[cfg(target_os = "linux")]
pub(super) fn yield_to_wakers() {
    let parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: it reads `parameters`, and changes the calling thread alone.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_BATCH, &raw const parameters) };
}

/// There is no such thing here.
#[cfg(not(target_os = "linux"))]
pub(super) const fn yield_to_wakers() {}
