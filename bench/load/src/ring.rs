//! Sending by io_uring: what is for many sockets is one system call, and the kernel looks
//! up no descriptor.

// The kernel reads what is sent while this program goes on, which no borrow can express.
#![allow(unsafe_code)]

use std::io::ErrorKind;
use std::os::fd::AsRawFd;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use io_uring::types::{Fixed, SubmitArgs, Timespec};
use io_uring::{IoUring, opcode, squeue};
use nix::libc::{MSG_NOSIGNAL, MSG_WAITALL};

use crate::peer::{Peer, TIMEOUT};

/// Sends that are submitted at once. 1,000 clients, which is what most scenarios have, are
/// one submission.
const ENTRIES: u32 = 1024;

/// The kernel has no io_uring, or forbids it, as many containers do.
#[derive(Debug)]
pub struct Unavailable(std::io::Error);

impl std::fmt::Display for Unavailable {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "io_uring is not available here: {}", self.0)
    }
}

impl std::error::Error for Unavailable {}

/// A ring whose registered files are the peers.
pub struct Ring(IoUring);

impl Ring {
    /// An empty one.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] where the kernel refuses.
    pub fn new() -> Result<Self> {
        Ok(Self(IoUring::new(ENTRIES).map_err(Unavailable)?))
    }

    /// Makes the peers known by their indexes.
    pub fn register(&mut self, peers: &[Peer]) -> Result<()> {
        let descriptors = peers.iter().map(AsRawFd::as_raw_fd).collect::<Vec<_>>();
        self.0.submitter().register_files(&descriptors).context("cannot register the clients")
    }

    /// Sends the same to some of the peers; returns when the kernel has taken all of it.
    pub fn send(&mut self, recipients: &[usize], frames: &Bytes) -> Result<()> {
        recipients.chunks(ENTRIES as usize).try_for_each(|batch| {
            // Those of a failed batch may still be under way, and then must never be freed.
            self.send_batch(batch, frames).inspect_err(|_| std::mem::forget(frames.clone()))
        })
    }

    /// Sends to no more than the queue has room for.
    fn send_batch(&mut self, batch: &[usize], frames: &Bytes) -> Result<()> {
        for &recipient in batch {
            let entry = send_entry(recipient, frames)?;
            // SAFETY: the entry points to the bytes of `frames`. They are there until all of
            // the batch is complete: `complete` returns no earlier unless it fails, and then
            // `send` leaks a reference to them.
            unsafe { self.0.submission().push(&entry) }?;
        }
        self.complete(batch.len(), frames.len())
    }

    /// Submits what has been queued, and waits until so many sends are complete.
    fn complete(&mut self, mut sends: usize, len: usize) -> Result<()> {
        let timeout = Timespec::from(TIMEOUT);
        while sends > 0 {
            let args = SubmitArgs::new().timespec(&timeout);
            match self.0.submitter().submit_with_args(sends, &args) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                submitted => drop(submitted.context("a client does not keep up with reading")?),
            }
            for completion in self.0.completion() {
                ensure!(completion.result() == len as i32, "a send came to {completion:?}");
                sends -= 1;
            }
        }
        Ok(())
    }
}

/// All of it or an error, as a blocking `send(2)` does.
fn send_entry(recipient: usize, frames: &Bytes) -> Result<squeue::Entry> {
    let len = u32::try_from(frames.len())?;
    let send = opcode::Send::new(Fixed(recipient.try_into()?), frames.as_ptr(), len);
    Ok(send.flags(MSG_NOSIGNAL | MSG_WAITALL).build())
}
