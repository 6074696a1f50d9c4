//! What a link is subscribed to, and for whom.

use std::collections::HashMap;

use bytes::Bytes;

use super::receiver::LocalNamespace;
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
pub(super) struct Subscriptions(HashMap<Channel, Vec<Subscriber>>);

/// A node that has subscribed to a channel.
#[derive(Debug)]
pub(super) struct Subscriber {
    pub(super) node: Arc<LocalNamespace>,
    pub(super) kind: Kind,
    /// How often: rooms that are named by a number and by its text have one channel.
    count: usize,
}

impl Subscriptions {
    /// Adds a subscriber. Whether it is the channel's first is the result.
    pub(super) fn add(&mut self, channel: Channel, node: Arc<LocalNamespace>, kind: Kind) -> bool {
        let subscribers = self.0.entry(channel).or_default();
        if let Some(subscriber) = subscribers.iter_mut().find(|other| other.is(&node)) {
            subscriber.count += 1;
            return false;
        }
        subscribers.push(Subscriber { node, kind, count: 1 });
        subscribers.len() == 1
    }

    /// Takes a subscriber away. Whether it was the channel's last is the result.
    pub(super) fn remove(&mut self, channel: &Channel, node: &Arc<LocalNamespace>) -> bool {
        let Some(subscribers) = self.0.get_mut(channel) else { return false };
        subscribers.retain_mut(|subscriber| {
            subscriber.count -= usize::from(subscriber.is(node));
            subscriber.count > 0
        });
        let is_last = subscribers.is_empty();
        if is_last {
            self.0.remove(channel);
        }
        is_last
    }

    /// Who has subscribed to a channel.
    pub(super) fn subscribers(&self, channel: &Channel) -> &[Subscriber] {
        self.0.get(channel).map_or(&[], Vec::as_slice)
    }

    /// All channels.
    pub(super) fn channels(&self) -> impl Iterator<Item = &Channel> {
        self.0.keys()
    }
}

impl Subscriber {
    fn is(&self, node: &Arc<LocalNamespace>) -> bool {
        Arc::ptr_eq(&self.node, node)
    }
}

#[cfg(test)]
mod tests {
    use super::{Channel, Kind, LocalNamespace, Subscriptions};
    use std::sync::Arc;

    fn node(namespace: usize) -> Arc<LocalNamespace> {
        let (name, uid, prefix) = ("/".into(), "own".into(), "k#/#".into());
        Arc::new(LocalNamespace { namespace, name, uid, prefix })
    }

    #[test]
    fn a_channel_that_a_node_has_asked_for_twice_comes_once_until_it_has_left_twice() {
        let (one, other, channel) = (node(0), node(1), Channel::Named("k#/#5#".into()));
        let mut subscriptions = Subscriptions::default();
        let mut add = |node: &Arc<LocalNamespace>| {
            subscriptions.add(channel.clone(), Arc::clone(node), Kind::Broadcast)
        };
        assert_eq!([add(&one), add(&one), add(&other)], [true, false, false]);
        assert_eq!(subscriptions.subscribers(&channel).len(), 2);
        let mut remove = |node: &Arc<LocalNamespace>| subscriptions.remove(&channel, node);
        assert_eq!([remove(&one), remove(&other), remove(&one)], [false, false, true]);
        assert!(subscriptions.subscribers(&channel).is_empty());
        assert_eq!(subscriptions.channels().count(), 0);
    }
}
