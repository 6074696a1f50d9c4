//! The channels that a link is subscribed to, and the namespaces that get their messages.

use std::collections::HashMap;
use std::sync::Arc;

use super::channel::{Channel, MessageKind};
use super::namespace::LocalNamespace;

/// The subscribers of each channel.
#[derive(Debug, Default)]
pub(super) struct Subscriptions(HashMap<Channel, Vec<Subscriber>>);

/// A namespace that has subscribed to a channel.
#[derive(Debug)]
pub(super) struct Subscriber {
    pub(super) namespace: Arc<LocalNamespace>,
    pub(super) kind: MessageKind,
    /// The number of its subscriptions: rooms named `5` and `"5"` share one channel.
    count: usize,
}

impl Subscriptions {
    /// Adds a subscriber. Returns whether it is the first of its channel.
    pub(super) fn add(
        &mut self,
        channel: Channel,
        namespace: Arc<LocalNamespace>,
        kind: MessageKind,
    ) -> bool {
        let subscribers = self.0.entry(channel).or_default();
        if let Some(subscriber) = subscribers.iter_mut().find(|other| other.is(&namespace)) {
            subscriber.count += 1;
            return false;
        }
        subscribers.push(Subscriber { namespace, kind, count: 1 });
        subscribers.len() == 1
    }

    /// Removes a subscriber. Returns whether it was the last of its channel.
    pub(super) fn remove(&mut self, channel: &Channel, namespace: &Arc<LocalNamespace>) -> bool {
        let Some(subscribers) = self.0.get_mut(channel) else { return false };
        subscribers.retain_mut(|subscriber| {
            subscriber.count -= usize::from(subscriber.is(namespace));
            subscriber.count > 0
        });
        let is_last = subscribers.is_empty();
        if is_last {
            self.0.remove(channel);
        }
        is_last
    }

    /// Returns the subscribers of a channel.
    pub(super) fn subscribers(&self, channel: &Channel) -> &[Subscriber] {
        self.0.get(channel).map_or(&[], Vec::as_slice)
    }

    /// Returns all channels that have subscribers.
    pub(super) fn channels(&self) -> impl Iterator<Item = &Channel> {
        self.0.keys()
    }
}

impl Subscriber {
    fn is(&self, namespace: &Arc<LocalNamespace>) -> bool {
        Arc::ptr_eq(&self.namespace, namespace)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Channel, LocalNamespace, MessageKind, Subscriptions};

    fn namespace(id: usize) -> Arc<LocalNamespace> {
        let (name, uid, prefix) = ("/".into(), "own".into(), "k#/#".into());
        Arc::new(LocalNamespace { id, name, uid, prefix })
    }

    #[test]
    fn a_channel_that_was_subscribed_to_twice_stays_until_it_was_left_twice() {
        let (one, other) = (namespace(0), namespace(1));
        let channel = Channel::Named("k#/#5#".into());
        let mut subscriptions = Subscriptions::default();
        let mut add = |namespace: &Arc<LocalNamespace>| {
            subscriptions.add(channel.clone(), Arc::clone(namespace), MessageKind::Broadcast)
        };
        assert_eq!([add(&one), add(&one), add(&other)], [true, false, false]);
        assert_eq!(subscriptions.subscribers(&channel).len(), 2);
        let mut remove = |namespace| subscriptions.remove(&channel, namespace);
        assert_eq!([remove(&one), remove(&other), remove(&one)], [false, false, true]);
        assert!(subscriptions.subscribers(&channel).is_empty());
        assert_eq!(subscriptions.channels().count(), 0);
    }
}
