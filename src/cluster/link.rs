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

use super::channel::{Channel, MessageKind, SubscriptionChange};
use super::command::Command;
use super::driver;
use super::inbox::Inbox;
use super::namespace::LocalNamespace;
use super::outbox::{LinkEvent, Outbox};
use super::publication::Publication;
use super::receiver::Receiver;
use super::rest::Rest;
use super::room_directory::RoomDirectory;
use super::server::Server;
use super::stats::{LinkCounters, LinkStats};
use crate::net::Broadcaster;

/// The options of a link.
#[derive(Debug)]
pub struct LinkOptions {
    /// The address of Redis.
    pub server: Server,
    /// The largest size of the publish queue in bytes. Messages that do not fit are dropped and
    /// counted.
    pub max_publish_queue: usize,
}

/// A link to Redis, as JavaScript's thread sees it.
///
/// - Commands: [`subscribe`](Self::subscribe), [`unsubscribe`](Self::unsubscribe),
///   [`publish`](Self::publish) and [`count_subscribers`](Self::count_subscribers). They are
///   queued here until [`flush`](Self::flush), and carried out in their order.
/// - Events: [`take`](Self::take) returns them; `notify`, given to [`start`](Self::start), is
///   called when there are some.
/// - End: [`close`](Self::close) lets the queue drain first, [`shut_down`](Self::shut_down) does
///   not. Commands given after either may be lost. The last event is
///   [`State::Ended`](super::State::Ended).
///
/// The link's thread owns the connection, the subscriptions and the messages that it has not
/// posted. It shares with this handle the counters and the events, and with JavaScript's
/// [`DirectoryWriter`](super::DirectoryWriter) the room directory.
pub struct Link {
    queued: Vec<Command>,
    commands: UnboundedSender<Vec<Command>>,
    counters: Arc<LinkCounters>,
    outbox: Arc<Outbox>,
    rest: Arc<Rest>,
    max_publish_queue: usize,
    thread: Option<JoinHandle<()>>,
}

impl Link {
    /// Starts the thread. It calls `notify` when [`take`](Self::take) has events to return, and
    /// not again until that was called.
    ///
    /// # Errors
    ///
    /// The operating system's, if the thread cannot be started.
    pub fn start(
        options: LinkOptions,
        directory: Arc<Mutex<RoomDirectory>>,
        broadcaster: Broadcaster,
        notify: impl Fn() + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let LinkOptions { server, max_publish_queue } = options;
        let (commands, queue) = unbounded_channel();
        let counters = Arc::<LinkCounters>::default();
        let outbox = Arc::new(Outbox::new(notify));
        let rest = Arc::<Rest>::default();
        let receiver = Receiver::new(directory, broadcaster, Arc::clone(&counters));
        let thread_outbox = Arc::clone(&outbox);
        let inbox =
            Inbox::new(receiver, Arc::clone(&counters), Arc::clone(&outbox), Arc::clone(&rest));
        let (ready, started) = sync_channel(1);
        let thread = thread::Builder::new()
            .name("sio-turbo-redis".into())
            .spawn(move || driver::run(server, Arc::new(inbox), &thread_outbox, queue, &ready))?;
        started.recv().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))?;
        let (queued, thread) = (Vec::new(), Some(thread));
        Ok(Self { queued, commands, counters, outbox, rest, max_publish_queue, thread })
    }

    /// Subscribes a namespace to channels.
    pub fn subscribe(
        &mut self,
        namespace: &Arc<LocalNamespace>,
        kind: MessageKind,
        channels: Vec<Channel>,
    ) {
        self.change(SubscriptionChange::Subscribe, namespace, kind, channels);
    }

    /// Ends subscriptions of a namespace.
    pub fn unsubscribe(
        &mut self,
        namespace: &Arc<LocalNamespace>,
        kind: MessageKind,
        channels: Vec<Channel>,
    ) {
        self.change(SubscriptionChange::Unsubscribe, namespace, kind, channels);
    }

    fn change(
        &mut self,
        change: SubscriptionChange,
        namespace: &Arc<LocalNamespace>,
        kind: MessageKind,
        channels: Vec<Channel>,
    ) {
        let namespace = Arc::clone(namespace);
        self.queued.push(Command::ChangeSubscriptions { change, namespace, kind, channels });
    }

    /// Publishes a message; drops and counts it if the publish queue is full.
    pub fn publish(&mut self, publication: Publication) {
        let length = publication.queued_bytes();
        let queued = usize::try_from(self.counters.queued_bytes.value()).unwrap_or(usize::MAX);
        if queued.saturating_add(length) > self.max_publish_queue {
            self.counters.publish_dropped.add(1);
            return;
        }
        self.counters.queued_bytes.add(length);
        self.queued.push(Command::Publish(publication));
    }

    /// Asks for the number of subscribers of a channel, on all servers of a Redis Cluster. The
    /// answer is an event.
    pub fn count_subscribers(&mut self, question: u32, channel: Bytes, is_sharded: bool) {
        self.queued.push(Command::CountSubscribers { question, channel, is_sharded });
    }

    /// Sends the queued commands to the thread.
    pub fn flush(&mut self) {
        if !self.queued.is_empty() {
            // It fails if the thread has ended.
            let _ = self.commands.send(mem::take(&mut self.queued));
            self.rest.end();
        }
    }

    /// Takes all events, in order.
    pub fn take(&self) -> VecDeque<LinkEvent> {
        self.outbox.take()
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

    /// Ends the link once Redis has accepted all publications, or after a second.
    pub fn close(&mut self) {
        self.queued.push(Command::Close);
        self.flush();
    }

    /// Ends the link at once and joins its thread.
    pub fn shut_down(&mut self) {
        self.outbox.close();
        // Without a sender, the thread ends.
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
