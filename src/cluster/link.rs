//! A link to Redis: a thread with one connection, which it makes again when it is lost.

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::driver;
use super::inbox::Inbox;
use super::outbox::{Outbox, Outgoing};
use super::publication::Publication;
use super::receiver::{LocalNamespace, Receiver};
use super::rest::Rest;
use super::stats::Counters;
use super::subscriptions::{Channel, Kind};
use super::topology::{Change, Server};
use super::{LinkStats, RoomDirectory};
use crate::net::Broadcaster;

/// How a link is to be.
#[derive(Debug)]
pub struct LinkOptions {
    /// Where Redis is.
    pub server: Server,
    /// How many bytes may wait to be published. What does not fit is dropped and counted.
    pub max_publish_queue: usize,
}

/// A link to Redis. Used by one thread. What is asked of it waits until
/// [`flush`](Self::flush), and is done in its order.
pub struct Link {
    queued: Vec<Command>,
    commands: UnboundedSender<Vec<Command>>,
    counters: Arc<Counters>,
    outbox: Arc<Outbox>,
    rest: Arc<Rest>,
    max_publish_queue: usize,
    thread: Option<JoinHandle<()>>,
}

/// What a link's thread is told.
pub(super) enum Command {
    Change { change: Change, node: Arc<LocalNamespace>, kind: Kind, channels: Vec<Channel> },
    Publish(Publication),
    Count { question: u32, channel: Bytes, is_sharded: bool },
    Close,
}

impl Link {
    /// Starts the thread. `notify` is called from it when [`take`](Self::take) has something
    /// to give, and not again until it has been called.
    ///
    /// # Errors
    ///
    /// Those of the operating system, if the thread cannot be started.
    pub fn start(
        options: LinkOptions,
        directory: Arc<Mutex<RoomDirectory>>,
        broadcaster: Broadcaster,
        notify: impl Fn() + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let LinkOptions { server, max_publish_queue } = options;
        let (commands, queue) = unbounded_channel();
        let counters = Arc::<Counters>::default();
        let outbox = Arc::new(Outbox::new(notify));
        let rest = Arc::<Rest>::default();
        let receiver =
            Receiver::new(directory, broadcaster, Arc::clone(&outbox), Arc::clone(&counters));
        let inbox = Inbox::new(receiver, Arc::clone(&counters), Arc::clone(&rest));
        let of_thread = Arc::clone(&outbox);
        let (ready, started) = sync_channel(1);
        let thread = thread::Builder::new()
            .name("sio-turbo-redis".into())
            .spawn(move || driver::run(server, Arc::new(inbox), &of_thread, queue, &ready))?;
        started.recv().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))?;
        let (queued, thread) = (Vec::new(), Some(thread));
        Ok(Self { queued, commands, counters, outbox, rest, max_publish_queue, thread })
    }

    /// Has messages of these channels come for a node.
    pub fn subscribe(&mut self, node: &Arc<LocalNamespace>, kind: Kind, channels: Vec<Channel>) {
        self.change(Change::Subscribe, node, kind, channels);
    }

    /// Ends what [`subscribe`](Self::subscribe) began.
    pub fn unsubscribe(&mut self, node: &Arc<LocalNamespace>, kind: Kind, channels: Vec<Channel>) {
        self.change(Change::Unsubscribe, node, kind, channels);
    }

    fn change(
        &mut self,
        change: Change,
        node: &Arc<LocalNamespace>,
        kind: Kind,
        channels: Vec<Channel>,
    ) {
        self.queued.push(Command::Change { change, node: Arc::clone(node), kind, channels });
    }

    /// Publishes a message, unless too much waits.
    pub fn publish(&mut self, publication: Publication) {
        let length = publication.len();
        let waiting = usize::try_from(self.counters.queued_bytes.value()).unwrap_or(usize::MAX);
        if waiting.saturating_add(length) > self.max_publish_queue {
            self.counters.publish_dropped.add(1);
            return;
        }
        self.counters.queued_bytes.add(length);
        self.queued.push(Command::Publish(publication));
    }

    /// Asks how many nodes have subscribed to a channel, in all of a Redis Cluster.
    pub fn count_subscribers(&mut self, question: u32, channel: Bytes, is_sharded: bool) {
        self.queued.push(Command::Count { question, channel, is_sharded });
    }

    /// Passes on what has been asked for.
    pub fn flush(&mut self) {
        if !self.queued.is_empty() {
            // Without a receiver the link is over.
            let _ = self.commands.send(mem::take(&mut self.queued));
            self.rest.end();
        }
    }

    /// What has come for the application, in its order.
    pub fn take(&self) -> VecDeque<Outgoing> {
        self.outbox.take()
    }

    /// A message for the application was none.
    pub fn count_malformed(&self) {
        self.counters.malformed.add(1);
    }

    /// What the link has done.
    #[must_use]
    pub fn stats(&self) -> LinkStats {
        self.counters.read()
    }

    /// Ends the link when what waits has been published, or a second later.
    /// [`State::Ended`](super::outbox::State::Ended) reports it.
    pub fn close(&mut self) {
        self.queued.push(Command::Close);
        self.flush();
    }

    /// Ends the link at once.
    pub fn shut_down(&mut self) {
        self.outbox.close();
        // The thread sees that nobody asks any more.
        self.commands = unbounded_channel().0;
        self.rest.end();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.shut_down();
    }
}
