//! Messages that JavaScript receives, and publishes, with Redis clients of the application.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use super::channel::MessageKind;
use super::namespace::LocalNamespace;
use super::publication::Body;
use super::receiver::Receiver;
use super::room_directory::RoomDirectory;
use super::stats::{LinkCounters, LinkStats};
use crate::net::Broadcaster;

/// Decodes and delivers messages as a [`Link`](super::Link) does, but on JavaScript's thread, and
/// one at a time.
pub struct ClientPair {
    receiver: Receiver,
    counters: Arc<LinkCounters>,
}

impl ClientPair {
    /// Returns a pair that has received nothing yet.
    #[must_use]
    pub fn new(directory: Arc<Mutex<RoomDirectory>>, broadcaster: Broadcaster) -> Self {
        let counters = Arc::<LinkCounters>::default();
        let receiver = Receiver::new(directory, broadcaster, Arc::clone(&counters));
        Self { receiver, counters }
    }

    /// Handles a message for a namespace. The caller must have posted all earlier commands to the
    /// workers. Returns whether JavaScript must serve the message.
    pub fn receive(
        &mut self,
        namespace: &Arc<LocalNamespace>,
        kind: MessageKind,
        channel: Bytes,
        message: Bytes,
    ) -> bool {
        self.counters.received.add(1);
        if !self.receiver.handle(namespace, kind, channel, message) {
            return false;
        }
        let served = self.receiver.post();
        self.receiver.wait();
        !served.is_empty()
    }

    /// Encodes a broadcast that is to be published. Returns `None` if it cannot be encoded.
    pub fn encode(&self, broadcast: Body) -> Option<Bytes> {
        let message = broadcast.encode();
        if message.is_some() {
            self.counters.published.add(1);
        } else {
            self.counters.publish_failed.add(1);
        }
        message
    }

    /// Counts a message that JavaScript could not decode.
    pub fn count_malformed(&self) {
        self.counters.malformed.add(1);
    }

    /// Returns the counters.
    #[must_use]
    pub fn stats(&self) -> LinkStats {
        self.counters.read()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::{Broadcaster, ClientPair, LocalNamespace, MessageKind, RoomDirectory};

    #[test]
    fn a_long_message_for_javascript_does_not_block_its_thread() {
        let mut directory = RoomDirectory::default();
        let id = directory.add_namespace();
        let (name, uid, prefix) = ("/".into(), "own".into(), "k#/#".into());
        let namespace = Arc::new(LocalNamespace { id, name, uid, prefix });
        let mut pair = ClientPair::new(Arc::new(directory.into()), Broadcaster::default());
        let message = Bytes::from(vec![0; 17 * 1024 * 1024]);
        let channel = Bytes::from_static(b"k-request#/#");
        assert!(pair.receive(&namespace, MessageKind::Request, channel, message));
        assert_eq!(pair.stats().served, 1);
    }
}
