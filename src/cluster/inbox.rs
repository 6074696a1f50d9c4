//! Where the messages of a connection come in.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;
use redis::{PushInfo, PushKind, Value};
use tokio::sync::Notify;

use super::receiver::Receiver;
use super::rest::Rest;
use super::stats::Counters;
use super::subscriptions::{Channel, Subscriber, Subscriptions};
use crate::net::{Pace, Tempo};

/// From this rate of broadcasts for nobody here on, a link that hears nothing else reads them in
/// larger pieces. What comes for somebody may be late by one such rest; what is to be published is
/// not, as that ends it.
const MUCH_ADO: Tempo = Tempo {
    busy_events_per_second: 1_000,
    rest: Duration::from_millis(2),
    window: Duration::from_millis(20),
};

/// Where messages come in.
pub(super) struct Inbox {
    receiver: Mutex<Receiver>,
    pub(super) subscriptions: Mutex<Subscriptions>,
    pub(super) counters: Arc<Counters>,
    /// Something has come.
    due: Notify,
    /// How many messages have come since, for somebody here and for nobody.
    wanted: AtomicUsize,
    unwanted: AtomicUsize,
    rest: Arc<Rest>,
}

impl Inbox {
    pub(super) fn new(receiver: Receiver, counters: Arc<Counters>, rest: Arc<Rest>) -> Self {
        Self {
            receiver: Mutex::new(receiver),
            subscriptions: Mutex::default(),
            counters,
            due: Notify::new(),
            wanted: AtomicUsize::new(0),
            unwanted: AtomicUsize::new(0),
            rest,
        }
    }

    /// Something that the connection has not been asked for.
    pub(super) fn handle(&self, push: PushInfo) {
        let mut data = push.data.into_iter().map(|value| match value {
            Value::BulkString(bytes) => Bytes::from(bytes),
            _ => Bytes::new(),
        });
        let mut next = || data.next().unwrap_or_default();
        match push.kind {
            PushKind::Message => {
                let channel = next();
                self.receive(&Channel::Named(channel.clone()), channel, next());
            }
            PushKind::SMessage => {
                let channel = next();
                self.receive(&Channel::Shard(channel.clone()), channel, next());
            }
            PushKind::PMessage => {
                let pattern = next();
                self.receive(&Channel::Pattern(pattern), next(), next());
            }
            _ => {}
        }
    }

    fn receive(&self, subscription: &Channel, channel: Bytes, message: Bytes) {
        self.counters.received.add(1);
        let subscriptions = self.subscriptions.lock();
        let mut receiver = self.receiver.lock();
        let mut is_wanted = false;
        for Subscriber { node, kind, .. } in subscriptions.subscribers(subscription) {
            is_wanted |= receiver.handle(node, *kind, channel.clone(), message.clone());
        }
        let counter = if is_wanted { &self.wanted } else { &self.unwanted };
        counter.fetch_add(1, Ordering::Relaxed);
        // It is posted when all that has come together has been read.
        self.due.notify_one();
    }

    /// Posts what comes, and rests where it was for nobody.
    pub(super) async fn post(&self) {
        let mut pace = Pace::new(MUCH_ADO, Instant::now());
        loop {
            self.due.notified().await;
            self.receiver.lock().post();
            let wanted = self.wanted.swap(0, Ordering::Relaxed);
            let unwanted = self.unwanted.swap(0, Ordering::Relaxed);
            let rest = pace.handle_events(unwanted, Instant::now());
            if let Some(rest) = rest.filter(|_| wanted == 0) {
                // The whole thread: so that what it would be woken for comes together.
                self.rest.rest(rest);
            }
        }
    }
}

/// What tells of the loss of one connection.
#[derive(Default)]
pub(super) struct Watch {
    pub(super) lost: Notify,
    /// By channel: how often its `SUNSUBSCRIBE` has been sent and not been answered.
    leaving: Mutex<HashMap<Bytes, usize>>,
}

impl Watch {
    /// These are left because we have asked for it.
    pub(super) fn leave(&self, channels: &[Channel]) {
        let mut leaving = self.leaving.lock();
        for channel in channels {
            if let Channel::Shard(name) = channel {
                *leaving.entry(name.clone()).or_default() += 1;
            }
        }
    }

    /// We have left a shard's channel. Where nobody has asked for that, its slot is another server's
    /// now, and all is subscribed to again.
    pub(super) fn handle_left(&self, channel: &Bytes) {
        let mut leaving = self.leaving.lock();
        match leaving.get_mut(channel) {
            None => self.lost.notify_one(),
            Some(1) => drop(leaving.remove(channel)),
            Some(count) => *count -= 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::FutureExt;

    use super::{Channel, Watch};

    #[test]
    fn a_shard_s_channel_that_is_left_unasked_is_a_loss() {
        let (watch, name) = (Watch::default(), Bytes::from_static(b"k#/#"));
        let is_lost = || watch.lost.notified().now_or_never().is_some();
        watch.leave(&[Channel::Shard(name.clone()), Channel::Named(name.clone())]);
        watch.leave(&[Channel::Shard(name.clone())]);
        watch.handle_left(&name);
        watch.handle_left(&name);
        assert!(!is_lost());
        watch.handle_left(&name);
        assert!(is_lost());
    }
}
