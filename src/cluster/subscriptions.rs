//! What a link is subscribed to, and for whom.

use std::collections::HashMap;

use bytes::Bytes;

use super::receiver::Node;
use std::sync::Arc;

/// How a channel is subscribed to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// `SUBSCRIBE`.
    Named(Bytes),
    /// `PSUBSCRIBE`.
    Pattern(Bytes),
    /// `SSUBSCRIBE`.
    Shard(Bytes),
}

/// What comes on a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Broadcasts of the classic protocol.
    Broadcast,
    /// Requests and responses of the classic protocol.
    Request,
    /// Messages of the sharded protocol.
    Sharded,
}

/// Who has subscribed to what.
#[derive(Debug, Default)]
pub(super) struct Subscriptions(HashMap<Channel, Vec<(Arc<Node>, Kind)>>);

impl Subscriptions {
    /// Adds a subscriber. Whether it is the channel's first is the result.
    pub(super) fn add(&mut self, channel: Channel, node: Arc<Node>, kind: Kind) -> bool {
        let subscribers = self.0.entry(channel).or_default();
        subscribers.push((node, kind));
        subscribers.len() == 1
    }

    /// Takes a subscriber away. Whether it was the channel's last is the result.
    pub(super) fn remove(&mut self, channel: &Channel, node: &Arc<Node>) -> bool {
        let Some(subscribers) = self.0.get_mut(channel) else { return false };
        if let Some(place) = subscribers.iter().position(|(other, _)| Arc::ptr_eq(other, node)) {
            subscribers.remove(place);
        }
        let is_last = subscribers.is_empty();
        if is_last {
            self.0.remove(channel);
        }
        is_last
    }

    /// Who has subscribed to a channel.
    pub(super) fn subscribers(&self, channel: &Channel) -> &[(Arc<Node>, Kind)] {
        self.0.get(channel).map_or(&[], Vec::as_slice)
    }

    /// All channels.
    pub(super) fn channels(&self) -> impl Iterator<Item = &Channel> {
        self.0.keys()
    }
}
