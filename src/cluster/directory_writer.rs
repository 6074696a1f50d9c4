//! JavaScript's end of the room directory.

use std::mem;
use std::sync::Arc;

use parking_lot::Mutex;

use super::namespace::NamespaceId;
use super::room_directory::{Address, RoomDirectory};
use super::room_name::RoomName;
use crate::net::{ConnectionId, WorkerPool};

/// Queues JavaScript's changes of the [`RoomDirectory`], and makes them together with its
/// commands to the workers.
///
/// It belongs to JavaScript's thread and owns the directory that links share, see
/// [`directory`](Self::directory). Each method but [`add_namespace`](Self::add_namespace), whose
/// id is needed at once, takes effect with [`post`](Self::post). Without a namespace it does
/// nothing, so that servers without a cluster pay for no lock.
#[derive(Debug, Default)]
pub struct DirectoryWriter {
    directory: Arc<Mutex<RoomDirectory>>,
    changes: Vec<DirectoryChange>,
    namespaces: usize,
}

#[derive(Debug)]
enum DirectoryChange {
    All(NamespaceId, Address, bool),
    Room {
        id: NamespaceId,
        name: RoomName,
        address: Address,
        worker: Option<usize>,
        has_served: bool,
    },
    RemoveRoom(NamespaceId, RoomName),
    Observed(NamespaceId, bool),
    Unreadable(NamespaceId, bool),
    Release(ConnectionId),
    Handled(NamespaceId),
    RemoveNamespace(NamespaceId),
}

impl DirectoryWriter {
    /// Returns the directory, for links to share.
    #[must_use]
    pub const fn directory(&self) -> &Arc<Mutex<RoomDirectory>> {
        &self.directory
    }

    /// Adds a namespace without rooms. Returns its id.
    pub fn add_namespace(&mut self) -> NamespaceId {
        self.namespaces += 1;
        self.directory.lock().add_namespace()
    }

    /// Removes a namespace.
    pub fn remove_namespace(&mut self, id: NamespaceId) {
        self.namespaces -= 1;
        self.changes.push(DirectoryChange::RemoveNamespace(id));
    }

    /// See [`RoomDirectory::set_all`].
    pub fn set_all(&mut self, id: NamespaceId, address: Address, has_served: bool) {
        self.changes.push(DirectoryChange::All(id, address, has_served));
    }

    /// See [`RoomDirectory::set_room`].
    pub fn set_room(
        &mut self,
        pool: &WorkerPool,
        id: NamespaceId,
        name: RoomName,
        address: Address,
        has_served: bool,
    ) {
        let worker = match address {
            Address::Member(member) => pool.worker_of(member),
            Address::Nobody | Address::Room(_) => None,
        };
        self.changes.push(DirectoryChange::Room { id, name, address, worker, has_served });
    }

    /// See [`RoomDirectory::remove_room`].
    pub fn remove_room(&mut self, id: NamespaceId, name: RoomName) {
        self.changes.push(DirectoryChange::RemoveRoom(id, name));
    }

    /// See [`RoomDirectory::set_observed`].
    pub fn set_observed(&mut self, id: NamespaceId, is_observed: bool) {
        self.changes.push(DirectoryChange::Observed(id, is_observed));
    }

    /// See [`RoomDirectory::set_unreadable`].
    pub fn set_unreadable(&mut self, id: NamespaceId, is_unreadable: bool) {
        self.changes.push(DirectoryChange::Unreadable(id, is_unreadable));
    }

    /// Notes that JavaScript has handled a message; the resulting commands are posted together
    /// with this.
    pub fn note_handled(&mut self, id: NamespaceId) {
        self.changes.push(DirectoryChange::Handled(id));
    }

    /// See [`RoomDirectory::release`].
    pub fn release(&mut self, id: ConnectionId) {
        if self.namespaces > 0 {
            self.changes.push(DirectoryChange::Release(id));
        }
    }

    /// Makes all changes and posts the commands of the pool, under one lock: every link sees
    /// either both or neither.
    pub fn post(&mut self, pool: &mut WorkerPool) {
        if self.namespaces == 0 && self.changes.is_empty() {
            pool.post();
            return;
        }
        let mut directory = self.directory.lock();
        for change in mem::take(&mut self.changes) {
            match change {
                DirectoryChange::All(id, address, has_served) => {
                    directory.set_all(id, address, has_served)
                }
                DirectoryChange::Room { id, name, address, worker, has_served } => {
                    directory.set_room(id, name, address, worker, has_served);
                }
                DirectoryChange::RemoveRoom(id, name) => directory.remove_room(id, &name),
                DirectoryChange::Observed(id, is_observed) => {
                    directory.set_observed(id, is_observed)
                }
                DirectoryChange::Unreadable(id, is_unreadable) => {
                    directory.set_unreadable(id, is_unreadable);
                }
                DirectoryChange::Release(id) => directory.release(id),
                DirectoryChange::Handled(id) => directory.note_handled(id),
                DirectoryChange::RemoveNamespace(id) => directory.remove_namespace(id),
            }
        }
        pool.post();
    }
}
