//! Broadcasts from threads other than the application's.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::command::{Broadcast, Command};
use super::mailbox::Mailbox;
use crate::fanout::PreparedPacket;
use crate::fanout::Recipients;

/// Sends packets to the connections of a [`WorkerPool`](super::WorkerPool), from any thread.
///
/// Ids of rooms and connections are those of the pool. The caller must ensure that they are valid
/// on the workers when a packet is posted: that the pool has posted the commands that created
/// them, and no command that frees them.
#[derive(Clone, Debug, Default)]
pub struct Broadcaster {
    mailboxes: Arc<Mutex<Vec<Arc<Mailbox>>>>,
    has_v3: Arc<AtomicBool>,
}

/// A packet for [`Broadcaster::post`].
#[derive(Debug)]
pub struct OutgoingBroadcast {
    /// The packet.
    pub packet: PreparedPacket,
    /// The recipients.
    pub recipients: Recipients,
    /// True if recipients with queued frames are skipped.
    pub is_volatile: bool,
    /// The workers that may own recipients.
    pub workers: WorkerSet,
}

/// A set of workers by their indexes. Indexes from 64 on are in every set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkerSet(u64);

impl WorkerSet {
    /// All workers.
    pub const ALL: Self = Self(u64::MAX);

    /// Returns the set of one worker.
    #[must_use]
    pub const fn of(worker: usize) -> Self {
        if worker < 64 { Self(1 << worker) } else { Self(0) }
    }

    /// Returns the union of both sets.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    const fn contains(self, worker: usize) -> bool {
        worker >= 64 || self.0 & (1 << worker) != 0
    }
}

impl Broadcaster {
    /// Sends packets, in this order, to each worker concerned in one batch. Never blocks; see
    /// [`wait`](Self::wait).
    pub fn post(&self, packets: Vec<OutgoingBroadcast>) {
        let mailboxes = self.mailboxes.lock();
        let mut batches = vec![Vec::new(); mailboxes.len()];
        for OutgoingBroadcast { packet, recipients, is_volatile, workers } in packets {
            let broadcast = Arc::new(Broadcast { packet, recipients, is_volatile });
            for (_, batch) in batches.iter_mut().enumerate().filter(|(i, _)| workers.contains(*i)) {
                batch.push(Arc::clone(&broadcast));
            }
        }
        for (mailbox, batch) in mailboxes.iter().zip(batches) {
            if !batch.is_empty() {
                mailbox.post(batch.into_iter().map(Command::Broadcast).collect());
            }
        }
    }

    /// Blocks while a worker is more than [`MAX_LAG`](super::MAX_LAG) or
    /// [`MAX_LAG_BYTES`](super::MAX_LAG_BYTES) behind.
    pub fn wait(&self) {
        let mailboxes = self.mailboxes.lock().clone();
        mailboxes.iter().for_each(|mailbox| mailbox.wait());
    }

    /// Returns whether a peer of the pool has ever spoken Engine.IO v3.
    #[must_use]
    pub fn has_v3(&self) -> bool {
        self.has_v3.load(Ordering::Acquire)
    }

    pub(super) fn add(&self, mailbox: Arc<Mailbox>) {
        self.mailboxes.lock().push(mailbox);
    }

    pub(super) fn clear(&self) {
        self.mailboxes.lock().clear();
    }

    pub(super) fn set_has_v3(&self) {
        self.has_v3.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::WorkerSet;

    #[test]
    fn a_set_contains_its_workers_and_all_indexes_from_64_on() {
        let set = WorkerSet::of(3).union(WorkerSet::of(63));
        let contained = [0, 3, 62, 63, 64, 1000].map(|worker| set.contains(worker));
        assert_eq!(contained, [false, true, false, true, true, true]);
        assert!((0..100).all(|worker| WorkerSet::ALL.contains(worker)));
        assert!((0..64).all(|worker| !WorkerSet::of(64).contains(worker)));
    }
}
