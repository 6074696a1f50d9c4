//! The sessions of all workers by their ids, for HTTP connections that any worker may have.

use std::collections::HashMap;

use parking_lot::Mutex;

use crate::net::ConnectionId;
use crate::net::listener::Target;

/// The place of a session.
#[derive(Clone, Debug)]
pub(in crate::net) struct SessionPlace {
    /// The worker, for others.
    pub(in crate::net) target: Target,
    /// The index of the worker.
    pub(in crate::net) worker: usize,
    /// The connection.
    pub(in crate::net) id: ConnectionId,
}

/// The polling sessions of a pool.
///
/// A session is in it from its acceptance until it ends, or changes to a WebSocket. Only the worker of
/// the session changes its entry, so that what a worker finds about its own sessions is true.
#[derive(Debug, Default)]
pub(in crate::net) struct SessionDirectory {
    places: Mutex<HashMap<Box<str>, SessionPlace>>,
}

impl SessionDirectory {
    pub(in crate::net) fn insert(&self, sid: &str, place: SessionPlace) {
        self.places.lock().insert(sid.into(), place);
    }

    pub(in crate::net) fn remove(&self, sid: &str) {
        self.places.lock().remove(sid);
    }

    pub(in crate::net) fn find(&self, sid: &str) -> Option<SessionPlace> {
        self.places.lock().get(sid).cloned()
    }
}
