//! Keys of packets of which a slow client gets the latest only.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, LazyLock};

/// The key of a packet that takes the place of an older one with the same key, see
/// [`SendQueue::push_latest`](super::SendQueue::push_latest).
///
/// Made once for a packet, and shared by the queues of all recipients. Keys are the same if
/// namespace and text are: a client may have sockets in several namespaces on one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LatestKey(Arc<Content>);

/// Compares the hash first: queues are searched for keys.
#[derive(Debug, PartialEq, Eq)]
struct Content {
    hash: u64,
    namespace: Box<str>,
    key: Box<str>,
}

impl LatestKey {
    /// Creates the key of a packet in a namespace.
    #[must_use]
    pub fn new(namespace: &str, key: &str) -> Self {
        /// Seeded at random, so that nobody can choose keys whose hashes are the same.
        static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        let hash = HASHER.hash_one((namespace, key));
        Self(Arc::new(Content { hash, namespace: namespace.into(), key: key.into() }))
    }

    /// Returns the hash, by which queues find the key.
    #[must_use]
    pub(super) fn hash(&self) -> u64 {
        self.0.hash
    }

    /// Creates a key with a given hash.
    #[cfg(test)]
    pub(super) fn with_hash(hash: u64, key: &str) -> Self {
        Self(Arc::new(Content { hash, namespace: "/".into(), key: key.into() }))
    }
}

#[cfg(test)]
mod tests {
    use super::LatestKey;

    #[test]
    fn keys_are_the_same_if_namespace_and_text_are() {
        assert_eq!(LatestKey::new("/", "a"), LatestKey::new("/", "a"));
        assert_ne!(LatestKey::new("/", "a"), LatestKey::new("/", "b"));
        assert_ne!(LatestKey::new("/", "a"), LatestKey::new("/x", "a"));
        assert_ne!(LatestKey::new("/a", "b"), LatestKey::new("/", "ab"));
    }
}
