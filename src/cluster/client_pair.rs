//! Messages that the application receives itself, with a Redis client of its own.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use super::outbox::Outbox;
use super::receiver::{LocalNamespace, Receiver};
use super::stats::Counters;
use super::{Body, Kind, LinkStats, RoomDirectory};
use crate::net::Broadcaster;

/// Does with messages what a [`Link`](super::Link) does, on the application's thread.
pub struct ClientPair {
    receiver: Receiver,
    outbox: Arc<Outbox>,
    counters: Arc<Counters>,
}

impl ClientPair {
    /// Nothing has come yet.
    #[must_use]
    pub fn new(directory: Arc<Mutex<RoomDirectory>>, broadcaster: Broadcaster) -> Self {
        let (outbox, counters) = (Arc::new(Outbox::new(|| ())), Arc::<Counters>::default());
        let (of_receiver, of_counters) = (Arc::clone(&outbox), Arc::clone(&counters));
        let receiver = Receiver::new(directory, broadcaster, of_receiver, of_counters);
        Self { receiver, outbox, counters }
    }

    /// A message has come, and the workers have what the application has sent before. Whether
    /// the application has to handle it is the result.
    pub fn receive(
        &mut self,
        node: &Arc<LocalNamespace>,
        kind: Kind,
        channel: Bytes,
        message: Bytes,
    ) -> bool {
        self.counters.received.add(1);
        self.receiver.handle(node, kind, channel, message);
        self.receiver.post();
        !self.outbox.take().is_empty()
    }

    /// The message of a broadcast that is to be published; `None` if it cannot be said.
    pub fn encode(&self, broadcast: Body) -> Option<Bytes> {
        let message = broadcast.encode();
        if message.is_some() {
            self.counters.published.add(1);
        } else {
            self.counters.publish_failed.add(1);
        }
        message
    }

    /// A message for the application was none.
    pub fn count_malformed(&self) {
        self.counters.malformed.add(1);
    }

    /// What has come and gone.
    #[must_use]
    pub fn stats(&self) -> LinkStats {
        self.counters.read()
    }
}
