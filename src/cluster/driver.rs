//! The thread of a link: connects to Redis, serves the connection until it is lost, and connects
//! again.

use std::collections::VecDeque;
use std::future::Future;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::mem;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use bytes::Bytes;
use redis::{PushInfo, PushKind, RedisError, Value};
use tokio::runtime::Builder;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::channel::{Channel, MessageKind, SubscriptionChange};
use super::command::Command;
use super::connection::Connection;
use super::health;
use super::inbox::{ConnectionWatch, Inbox};
use super::namespace::LocalNamespace;
use super::outbox::{LinkEvent, Outbox, State};
use super::publication::Publication;
use super::requests::{
    Question, Requests, Unconfirmed, answer, change_subscriptions, count_subscribers, publish,
};
use super::server::Server;

/// Interval between checks of the connection.
const PING_INTERVAL: Duration = Duration::from_secs(5);

/// The first pause between attempts to connect; it doubles after each.
const MIN_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause between attempts to connect.
const MAX_PAUSE: Duration = Duration::from_secs(2);

/// Deadline of one attempt to connect and subscribe.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The most publications that are sent in one piece.
const MAX_PIPELINE: usize = 128;

/// Deadline for Redis to accept the publications of a link that is closed.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Runs the thread of a link until it is closed. Reports to `ready` whether it could begin; it
/// cannot if the process has no descriptors left.
pub(super) fn run(
    server: Server,
    inbox: Arc<Inbox>,
    outbox: &Arc<Outbox>,
    commands: UnboundedReceiver<Vec<Command>>,
    ready: &SyncSender<io::Result<()>>,
) {
    let mut builder = Builder::new_current_thread();
    match builder.enable_io().enable_time().build_local(Default::default()) {
        Ok(runtime) => {
            let _ = ready.send(Ok(()));
            let (server, outbox) = (Rc::new(server), Arc::clone(outbox));
            let queue = VecDeque::new();
            let driver = Driver { server, inbox, outbox, commands, queue, is_closing: false };
            runtime.block_on(driver.run());
            // A name lookup may still be under way, for as long as the resolver likes.
            runtime.shutdown_background();
        }
        Err(error) => drop(ready.send(Err(error))),
    }
    outbox.push(LinkEvent::State(State::Ended));
}

/// Carries out the commands of a [`Link`](super::Link), on a thread of its own.
///
/// It alternates between two loops. [`connect`](Self::connect) works offline: it tries to
/// connect, notes changes of subscriptions and queues publications. [`serve`](Self::serve) works
/// online: it sends commands to Redis in their order, without waiting for answers, and checks the
/// connection. Messages are received meanwhile by the [`Inbox`], as another task of the thread.
struct Driver {
    server: Rc<Server>,
    inbox: Arc<Inbox>,
    outbox: Arc<Outbox>,
    commands: UnboundedReceiver<Vec<Command>>,
    /// Publications that wait for a connection.
    queue: VecDeque<Publication>,
    is_closing: bool,
}

/// The reason for the end of a connection.
enum ConnectionEnd {
    Closed,
    Lost(String),
}

impl Driver {
    async fn run(mut self) {
        let inbox = Arc::clone(&self.inbox);
        tokio::task::spawn_local(async move { inbox.run().await });
        let mut connections = 0;
        while let Some((connection, watch)) = self.connect().await {
            connections += 1;
            if connections > 1 {
                self.inbox.counters.reconnections.add(1);
            }
            self.outbox.push(LinkEvent::State(State::Ready));
            match self.serve(connection, &watch).await {
                ConnectionEnd::Closed => break,
                ConnectionEnd::Lost(reason) => self.outbox.push(LinkEvent::Error(reason)),
            }
        }
        for publication in self.queue.drain(..) {
            drop(Unconfirmed::new(&self.inbox.counters, &publication));
        }
    }

    /// Returns a connection with all subscriptions, and its watch; `None` if the link is closed
    /// first.
    async fn connect(&mut self) -> Option<(Connection, Arc<ConnectionWatch>)> {
        self.outbox.push(LinkEvent::State(State::Connecting));
        let mut pause = MIN_PAUSE;
        loop {
            let attempt = connect(Rc::clone(&self.server), Arc::clone(&self.inbox));
            match self.work_offline(attempt).await? {
                Ok(connected) => return Some(connected),
                Err(error) => self.outbox.push(LinkEvent::Error(error)),
            }
            self.work_offline(sleep(with_jitter(pause))).await?;
            pause = (pause * 2).min(MAX_PAUSE);
        }
    }

    /// Waits for a future, and handles commands meanwhile. Returns `None` if the link is closed
    /// first.
    async fn work_offline<F: Future>(&mut self, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        loop {
            tokio::select! {
                output = &mut future => return Some(output),
                batch = self.commands.recv() => self.handle_offline(batch?),
            }
            if self.is_closing {
                return None;
            }
        }
    }

    fn handle_offline(&mut self, batch: Vec<Command>) {
        for command in batch {
            match command {
                Command::ChangeSubscriptions { change, namespace, kind, channels } => {
                    self.note(change, &namespace, kind, channels);
                }
                Command::Publish(publication) => self.queue.push_back(publication),
                Command::CountSubscribers { question, .. } => {
                    let result = Err("there is no connection to Redis".into());
                    answer(&self.outbox, question, result);
                }
                Command::Close => self.is_closing = true,
            }
        }
    }

    /// Notes a change of subscriptions. Returns the channels of which Redis must be notified.
    fn note(
        &self,
        change: SubscriptionChange,
        namespace: &Arc<LocalNamespace>,
        kind: MessageKind,
        channels: Vec<Channel>,
    ) -> Vec<Channel> {
        let mut subscriptions = self.inbox.subscriptions.lock();
        let mut concerns_redis = |channel: &Channel| match change {
            SubscriptionChange::Subscribe => {
                subscriptions.add(channel.clone(), Arc::clone(namespace), kind)
            }
            SubscriptionChange::Unsubscribe => subscriptions.remove(channel, namespace),
        };
        channels.into_iter().filter(|channel| concerns_redis(channel)).collect()
    }

    /// Serves a connection until it is lost or the link is closed.
    async fn serve(&mut self, connection: Connection, watch: &ConnectionWatch) -> ConnectionEnd {
        let mut requests = Requests::default();
        let queue = self.queue.drain(..).collect();
        self.publish(&connection, &mut requests, queue).await;
        let mut ping = interval(PING_INTERVAL);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut check = None;
        loop {
            tokio::select! {
                batch = self.commands.recv() => {
                    let Some(batch) = batch else { return ConnectionEnd::Closed };
                    self.handle_online(&connection, watch, &mut requests, batch).await;
                    if self.is_closing {
                        let _ = timeout(CLOSE_TIMEOUT, requests.finish(&self.outbox)).await;
                        return ConnectionEnd::Closed;
                    }
                }
                () = requests.progress(&self.outbox), if !requests.is_empty() => {}
                () = watch.lost.notified() => {
                    return ConnectionEnd::Lost("the connection to Redis was lost".into());
                }
                _ = ping.tick(), if check.is_none() => {
                    let counters = Arc::clone(&self.inbox.counters);
                    let has_roles = self.server.has_roles();
                    check = Some(health::check(connection.clone(), counters, has_roles));
                }
                fault = health::poll_check(&mut check), if check.is_some() => {
                    check = None;
                    if let Some(reason) = fault {
                        return ConnectionEnd::Lost(reason);
                    }
                }
            }
        }
    }

    async fn handle_online(
        &mut self,
        connection: &Connection,
        watch: &ConnectionWatch,
        requests: &mut Requests,
        batch: Vec<Command>,
    ) {
        let mut publications = Vec::new();
        for command in batch {
            if let Command::Publish(publication) = command {
                publications.push(publication);
                continue;
            }
            self.publish(connection, requests, mem::take(&mut publications)).await;
            match command {
                Command::ChangeSubscriptions { change, namespace, kind, channels } => {
                    let channels = self.note(change, &namespace, kind, channels);
                    if change == SubscriptionChange::Unsubscribe {
                        watch.leave(&channels);
                    }
                    if !channels.is_empty() {
                        let request = change_subscriptions(connection.clone(), change, channels);
                        requests.start(Box::pin(request), &self.outbox).await;
                    }
                }
                Command::CountSubscribers { question, channel, is_sharded } => {
                    let question = Question::new(&self.outbox, question);
                    let request =
                        count_subscribers(connection.clone(), question, channel, is_sharded);
                    requests.start(Box::pin(request), &self.outbox).await;
                }
                Command::Close => self.is_closing = true,
                Command::Publish(_) => {}
            }
        }
        self.publish(connection, requests, publications).await;
    }

    async fn publish(
        &self,
        connection: &Connection,
        requests: &mut Requests,
        publications: Vec<Publication>,
    ) {
        let piece_len = if connection.has_pipelines() { MAX_PIPELINE } else { 1 };
        let mut publications = publications.into_iter().peekable();
        while publications.peek().is_some() {
            let piece = publications.by_ref().take(piece_len).map(|publication| {
                let unconfirmed = Unconfirmed::new(&self.inbox.counters, &publication);
                (publication, unconfirmed)
            });
            let request = publish(connection.clone(), piece.collect());
            requests.start(Box::pin(request), &self.outbox).await;
        }
    }
}

/// Connects, and subscribes to all channels that have subscribers.
async fn connect(
    server: Rc<Server>,
    inbox: Arc<Inbox>,
) -> Result<(Connection, Arc<ConnectionWatch>), String> {
    let watch = Arc::<ConnectionWatch>::default();
    let (push_inbox, push_watch) = (Arc::clone(&inbox), Arc::clone(&watch));
    let push = Arc::new(move |push: PushInfo| {
        match (&push.kind, push.data.first()) {
            // In a Redis Cluster, too: the client would connect again by itself, but it forgets
            // the `SSUBSCRIBE` channels of a server that does not return.
            (PushKind::Disconnection, _) => push_watch.lost.notify_one(),
            (PushKind::SUnsubscribe, Some(Value::BulkString(channel))) => {
                push_watch.handle_left(&Bytes::copy_from_slice(channel));
            }
            _ => push_inbox.handle(push),
        }
        Ok::<(), ()>(())
    });
    let attempt = async {
        let mut connection = server.connect(push).await?;
        let channels = inbox.subscriptions.lock().channels().cloned().collect();
        connection.change(SubscriptionChange::Subscribe, channels).await?;
        Ok(connection)
    };
    match timeout(CONNECT_TIMEOUT, attempt).await {
        Ok(Ok(connection)) => Ok((connection, watch)),
        Ok(Err::<_, RedisError>(error)) => Err(format!("{server}: {error}")),
        Err(_) => Err(format!("{server} does not answer")),
    }
}

/// Lengthens a pause by up to half, so that nodes do not all reconnect at once.
fn with_jitter(pause: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish() % 512;
    pause + pause * (random as u32) / 1024
}
