//! Sockets that tokio watches for one direction only, or accepts from without watching what it gets.

use std::io;
use std::os::fd::AsRawFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Has tokio watch a socket.
///
/// # Errors
///
/// The error of the operating system, if it refuses.
#[expect(
    deprecated,
    reason = "the function in its place is unsafe; sockets keep their descriptors"
)]
pub(super) fn watch<T: AsRawFd>(socket: T, interest: Interest) -> io::Result<AsyncFd<T>> {
    AsyncFd::with_interest(socket, interest)
}
