//! The application's end of the directory.

use std::mem;
use std::sync::Arc;

use parking_lot::Mutex;

use super::{Address, NamespaceId, RoomDirectory, RoomName};
use crate::net::{ConnectionId, WorkerPool};

/// What the application changes in the [`RoomDirectory`]. Changes wait, as commands to the workers
/// do, and take effect together with them.
#[derive(Debug, Default)]
pub struct DirectoryWriter {
    directory: Arc<Mutex<RoomDirectory>>,
    changes: Vec<Change>,
    namespaces: usize,
}

#[derive(Debug)]
enum Change {
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
    /// The directory, for links.
    #[must_use]
    pub const fn directory(&self) -> &Arc<Mutex<RoomDirectory>> {
        &self.directory
    }

    /// A new namespace without rooms.
    pub fn add_namespace(&mut self) -> NamespaceId {
        self.namespaces += 1;
        self.directory.lock().add_namespace()
    }

    /// Ends a namespace.
    pub fn remove_namespace(&mut self, id: NamespaceId) {
        self.namespaces -= 1;
        self.changes.push(Change::RemoveNamespace(id));
    }

    /// See [`RoomDirectory::set_all`].
    pub fn set_all(&mut self, id: NamespaceId, address: Address, has_served: bool) {
        self.changes.push(Change::All(id, address, has_served));
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
        self.changes.push(Change::Room { id, name, address, worker, has_served });
    }

    /// See [`RoomDirectory::remove_room`].
    pub fn remove_room(&mut self, id: NamespaceId, name: RoomName) {
        self.changes.push(Change::RemoveRoom(id, name));
    }

    /// See [`RoomDirectory::set_observed`].
    pub fn set_observed(&mut self, id: NamespaceId, is_observed: bool) {
        self.changes.push(Change::Observed(id, is_observed));
    }

    /// See [`RoomDirectory::set_unreadable`].
    pub fn set_unreadable(&mut self, id: NamespaceId, is_unreadable: bool) {
        self.changes.push(Change::Unreadable(id, is_unreadable));
    }

    /// The application has handled a message: what it has made of it is among the commands
    /// that are posted next.
    pub fn handled(&mut self, id: NamespaceId) {
        self.changes.push(Change::Handled(id));
    }

    /// See [`RoomDirectory::release`].
    pub fn release(&mut self, id: ConnectionId) {
        if self.namespaces > 0 {
            self.changes.push(Change::Release(id));
        }
    }

    /// Makes the changes and posts the commands of the pool, at one moment for all links.
    pub fn post(&mut self, pool: &mut WorkerPool) {
        if self.namespaces == 0 && self.changes.is_empty() {
            pool.post();
            return;
        }
        let mut directory = self.directory.lock();
        for change in mem::take(&mut self.changes) {
            match change {
                Change::All(id, address, has_served) => directory.set_all(id, address, has_served),
                Change::Room { id, name, address, worker, has_served } => {
                    directory.set_room(id, name, address, worker, has_served);
                }
                Change::RemoveRoom(id, name) => directory.remove_room(id, &name),
                Change::Observed(id, is_observed) => directory.set_observed(id, is_observed),
                Change::Unreadable(id, is_unreadable) => {
                    directory.set_unreadable(id, is_unreadable);
                }
                Change::Release(id) => directory.release(id),
                Change::Handled(id) => directory.handled(id),
                Change::RemoveNamespace(id) => directory.remove_namespace(id),
            }
        }
        pool.post();
    }
}
