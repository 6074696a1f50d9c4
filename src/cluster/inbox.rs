//! Receives the messages that Redis pushes to a connection.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;
use redis::{PushInfo, PushKind, Value};
use tokio::sync::Notify;

use super::channel::Channel;
use super::outbox::{LinkEvent, Outbox};
use super::receiver::Receiver;
use super::rest::Rest;
use super::stats::LinkCounters;
use super::subscriptions::{Subscriber, Subscriptions};
use crate::net::{Pace, Tempo};

/// From this rate of irrelevant broadcasts on, and while it receives no others, a link rests
/// between reads so that each read takes more of them. A relevant message may be late by one such
/// rest; a publication is not, since it ends the rest.
const IRRELEVANT_TRAFFIC: Tempo = Tempo {
    busy_events_per_second: 1_000,
    rest: Duration::from_millis(2),
    window: Duration::from_millis(20),
};

/// Passes pushed messages to the [`Receiver`], and posts them once all that were read together
/// have been decoded.
///
/// Redis' client calls [`handle`](Self::handle) while it reads, on the link's thread, which also
/// runs [`run`](Self::run). Only the locks make it shareable with the client's callback; nothing
/// contends for them.
pub(super) struct Inbox {
    receiver: Mutex<Receiver>,
    pub(super) subscriptions: Mutex<Subscriptions>,
    pub(super) counters: Arc<LinkCounters>,
    outbox: Arc<Outbox>,
    /// Notified by each message.
    is_due: Notify,
    /// The numbers of messages since the last rest with and without a possible recipient here.
    relevant: AtomicUsize,
    irrelevant: AtomicUsize,
    rest: Arc<Rest>,
}

impl Inbox {
    pub(super) fn new(
        receiver: Receiver,
        counters: Arc<LinkCounters>,
        outbox: Arc<Outbox>,
        rest: Arc<Rest>,
    ) -> Self {
        Self {
            receiver: Mutex::new(receiver),
            subscriptions: Mutex::default(),
            counters,
            outbox,
            is_due: Notify::new(),
            relevant: AtomicUsize::new(0),
            irrelevant: AtomicUsize::new(0),
            rest,
        }
    }

    /// Handles data that Redis has pushed.
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
        let mut is_relevant = false;
        for Subscriber { namespace, kind, .. } in subscriptions.subscribers(subscription) {
            is_relevant |= receiver.handle(namespace, *kind, channel.clone(), message.clone());
            if receiver.is_full() {
                self.post(&mut receiver);
            }
        }
        let counter = if is_relevant { &self.relevant } else { &self.irrelevant };
        counter.fetch_add(1, Ordering::Relaxed);
        // `run()` posts it when all that was read together has been handled.
        self.is_due.notify_one();
    }

    /// Posts pending messages to the workers and to JavaScript. Blocks while either lags.
    fn post(&self, receiver: &mut Receiver) {
        if receiver.is_empty() {
            return;
        }
        for message in receiver.post() {
            self.outbox.push(LinkEvent::Message(message));
        }
        self.outbox.wait();
        receiver.wait();
    }

    /// Posts messages as they are received, and rests while they are irrelevant.
    pub(super) async fn run(&self) {
        let mut pace = Pace::new(IRRELEVANT_TRAFFIC, Instant::now());
        loop {
            self.is_due.notified().await;
            self.post(&mut self.receiver.lock());
            let relevant = self.relevant.swap(0, Ordering::Relaxed);
            let irrelevant = self.irrelevant.swap(0, Ordering::Relaxed);
            let rest = pace.handle_events(irrelevant, Instant::now());
            if let Some(rest) = rest.filter(|_| relevant == 0) {
                // Blocks the whole thread, so that what would wake it is read together.
                self.rest.rest(rest);
            }
        }
    }
}

/// Detects the loss of one connection, and of the slots of its shard channels.
#[derive(Default)]
pub(super) struct ConnectionWatch {
    /// Notified when the connection must be made again.
    pub(super) lost: Notify,
    /// By channel, how many `SUNSUBSCRIBE` have been sent and not been answered.
    leaving: Mutex<HashMap<Bytes, usize>>,
}

impl ConnectionWatch {
    /// Notes that the link is about to leave these channels.
    pub(super) fn leave(&self, channels: &[Channel]) {
        let mut leaving = self.leaving.lock();
        for channel in channels {
            if let Channel::Shard(name) = channel {
                *leaving.entry(name.clone()).or_default() += 1;
            }
        }
    }

    /// Handles the notice that a shard's channel was left. If the link has not asked for it, the
    /// channel's slot has moved to another server, and the link must subscribe to everything
    /// again.
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
    use std::sync::Arc;

    use bytes::Bytes;
    use futures_util::FutureExt;
    use redis::{PushInfo, PushKind, Value};

    use super::super::channel::MessageKind;
    use super::super::namespace::LocalNamespace;
    use super::super::room_directory::RoomDirectory;
    use super::{Channel, ConnectionWatch, Inbox, Outbox, Receiver};
    use crate::net::Broadcaster;

    fn message(length: usize) -> PushInfo {
        let data = vec![Value::BulkString(b"c".to_vec()), Value::BulkString(vec![0; length])];
        PushInfo { kind: PushKind::Message, data }
    }

    #[test]
    fn messages_of_many_bytes_are_posted_before_the_others_are_read() {
        let mut directory = RoomDirectory::default();
        let id = directory.add_namespace();
        let (name, uid, prefix) = ("/".into(), "own".into(), "k#/#".into());
        let namespace = Arc::new(LocalNamespace { id, name, uid, prefix });
        let (directory, counters) = (Arc::new(directory.into()), Arc::default());
        let receiver = Receiver::new(directory, Broadcaster::default(), Arc::clone(&counters));
        let outbox = Arc::new(Outbox::new(|| ()));
        let inbox = Inbox::new(receiver, counters, Arc::clone(&outbox), Arc::default());
        let channel = Channel::Named(Bytes::from_static(b"c"));
        inbox.subscriptions.lock().add(channel, namespace, MessageKind::Request);
        inbox.handle(message(3 << 20));
        assert_eq!(outbox.take().len(), 0);
        inbox.handle(message(3 << 20));
        assert_eq!(outbox.take().len(), 2);
    }

    #[test]
    fn a_shard_s_channel_that_is_left_unasked_is_a_loss() {
        let (watch, name) = (ConnectionWatch::default(), Bytes::from_static(b"k#/#"));
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
