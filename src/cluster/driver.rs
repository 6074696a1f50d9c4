//! The thread of a link: it connects, and serves the connection until that is lost.

use std::collections::VecDeque;
use std::future::Future;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::mem;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use bytes::Bytes;
use redis::{PushInfo, PushKind, RedisError, Value};
use tokio::runtime::Builder;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::inbox::{Inbox, Watch};
use super::link::Command;
use super::outbox::{Outbox, Outgoing, State};
use super::publication::Publication;
use super::receiver::LocalNamespace;
use super::requests::{Question, Requests, Sending, answer, change_channels, count, publish};
use super::stats::Counters;
use super::subscriptions::{Channel, Kind};
use super::topology::{Change, Connection, Server};

/// Redis is asked so often whether it is there.
const PING_INTERVAL: Duration = Duration::from_secs(5);

/// If nothing comes by then, the connection is lost.
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// The pauses between attempts to connect: they double.
const MIN_PAUSE: Duration = Duration::from_millis(100);

const MAX_PAUSE: Duration = Duration::from_secs(2);

/// How long it may take to connect and subscribe.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Publications that are sent in one piece.
const MAX_PIPELINE: usize = 128;

/// What has been published leaves before the end, if Redis takes it by then.
const FAREWELL: Duration = Duration::from_secs(1);

/// The life of a link's thread. `ready` hears whether it begins; if not, for want of
/// descriptors.
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
            let waiting = VecDeque::new();
            let driver = Driver { server, inbox, outbox, commands, waiting, is_closing: false };
            runtime.block_on(driver.run());
            // A name may still be looked up, for as long as the resolver likes.
            runtime.shutdown_background();
        }
        Err(error) => drop(ready.send(Err(error))),
    }
    outbox.push(Outgoing::State(State::Ended));
}

/// What a link's thread does.
struct Driver {
    server: Rc<Server>,
    inbox: Arc<Inbox>,
    outbox: Arc<Outbox>,
    commands: UnboundedReceiver<Vec<Command>>,
    /// What is to be published once there is a connection.
    waiting: VecDeque<Publication>,
    is_closing: bool,
}

/// Why a connection is over.
enum End {
    Closed,
    Lost(String),
}

impl Driver {
    async fn run(mut self) {
        let inbox = Arc::clone(&self.inbox);
        tokio::task::spawn_local(async move { inbox.post().await });
        let mut connections = 0;
        while let Some((connection, watch)) = self.connect().await {
            connections += 1;
            if connections > 1 {
                self.inbox.counters.reconnections.add(1);
            }
            self.outbox.push(Outgoing::State(State::Ready));
            match self.serve(connection, &watch).await {
                End::Closed => break,
                End::Lost(reason) => self.outbox.push(Outgoing::Error(reason)),
            }
        }
        for publication in self.waiting.drain(..) {
            drop(Sending::new(&self.inbox.counters, &publication));
        }
    }

    /// A connection with all its subscriptions, and what tells of its loss. `None` if the link
    /// is to end first.
    async fn connect(&mut self) -> Option<(Connection, Arc<Watch>)> {
        self.outbox.push(Outgoing::State(State::Connecting));
        let mut pause = MIN_PAUSE;
        loop {
            let attempt = connect(Rc::clone(&self.server), Arc::clone(&self.inbox));
            match self.work_offline(attempt).await? {
                Ok(connected) => return Some(connected),
                Err(error) => self.outbox.push(Outgoing::Error(error)),
            }
            self.work_offline(sleep(with_jitter(pause))).await?;
            pause = (pause * 2).min(MAX_PAUSE);
        }
    }

    /// Waits for a future, and does what can be done without a connection. `None` if the link
    /// is to end first.
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
                Command::Change { change, node, kind, channels } => {
                    self.note(change, &node, kind, channels);
                }
                Command::Publish(publication) => self.waiting.push_back(publication),
                Command::Count { question, .. } => {
                    let result = Err("there is no connection to Redis".into());
                    answer(&self.outbox, question, result);
                }
                Command::Close => self.is_closing = true,
            }
        }
    }

    /// Notes a change of subscriptions. Those channels are the result that Redis has to be told
    /// of.
    fn note(
        &self,
        change: Change,
        node: &Arc<LocalNamespace>,
        kind: Kind,
        channels: Vec<Channel>,
    ) -> Vec<Channel> {
        let mut subscriptions = self.inbox.subscriptions.lock();
        let mut is_news = |channel: &Channel| match change {
            Change::Subscribe => subscriptions.add(channel.clone(), Arc::clone(node), kind),
            Change::Unsubscribe => subscriptions.remove(channel, node),
        };
        channels.into_iter().filter(|channel| is_news(channel)).collect()
    }

    async fn serve(&mut self, connection: Connection, watch: &Watch) -> End {
        let mut requests = Requests::default();
        let waiting = self.waiting.drain(..).collect();
        self.publish(&connection, &mut requests, waiting).await;
        let mut ping = interval(PING_INTERVAL);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut check = None;
        loop {
            tokio::select! {
                batch = self.commands.recv() => {
                    let Some(batch) = batch else { return End::Closed };
                    self.handle_online(&connection, watch, &mut requests, batch).await;
                    if self.is_closing {
                        let _ = timeout(FAREWELL, requests.finish(&self.outbox)).await;
                        return End::Closed;
                    }
                }
                () = requests.progress(&self.outbox), if !requests.is_empty() => {}
                () = watch.lost.notified() => return End::Lost("the connection to Redis was lost".into()),
                _ = ping.tick(), if check.is_none() => {
                    let counters = Arc::clone(&self.inbox.counters);
                    let has_roles = self.server.has_roles();
                    check = Some(Box::pin(fault(connection.clone(), counters, has_roles)));
                }
                fault = poll_check(&mut check), if check.is_some() => {
                    check = None;
                    if let Some(reason) = fault {
                        return End::Lost(reason);
                    }
                }
            }
        }
    }

    async fn handle_online(
        &mut self,
        connection: &Connection,
        watch: &Watch,
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
                Command::Change { change, node, kind, channels } => {
                    let channels = self.note(change, &node, kind, channels);
                    if change == Change::Unsubscribe {
                        watch.leave(&channels);
                    }
                    if !channels.is_empty() {
                        let request = change_channels(connection.clone(), change, channels);
                        requests.start(Box::pin(request), &self.outbox).await;
                    }
                }
                Command::Count { question, channel, is_sharded } => {
                    let question = Question::new(&self.outbox, question);
                    let request = count(connection.clone(), question, channel, is_sharded);
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
        let together = if connection.has_pipelines() { MAX_PIPELINE } else { 1 };
        let mut publications = publications.into_iter().peekable();
        while publications.peek().is_some() {
            let some = publications.by_ref().take(together);
            let sent = some.map(|publication| {
                let sending = Sending::new(&self.inbox.counters, &publication);
                (publication, sending)
            });
            let request = publish(connection.clone(), sent.collect());
            requests.start(Box::pin(request), &self.outbox).await;
        }
    }
}

/// Connects, and subscribes to what is wanted.
async fn connect(
    server: Rc<Server>,
    inbox: Arc<Inbox>,
) -> Result<(Connection, Arc<Watch>), String> {
    let watch = Arc::<Watch>::default();
    let (of_push, watching) = (Arc::clone(&inbox), Arc::clone(&watch));
    let push = Arc::new(move |push: PushInfo| {
        match (&push.kind, push.data.first()) {
            // In a Redis Cluster, too: the client would connect again, but it loses what is
            // subscribed to by `SSUBSCRIBE` on a server that does not come back.
            (PushKind::Disconnection, _) => watching.lost.notify_one(),
            (PushKind::SUnsubscribe, Some(Value::BulkString(channel))) => {
                watching.handle_left(&Bytes::copy_from_slice(channel));
            }
            _ => of_push.handle(push),
        }
        Ok::<(), ()>(())
    });
    let work = async {
        let mut connection = server.connect(push).await?;
        let channels = inbox.subscriptions.lock().channels().cloned().collect();
        connection.change(Change::Subscribe, channels).await?;
        Ok(connection)
    };
    match timeout(CONNECT_TIMEOUT, work).await {
        Ok(Ok(connection)) => Ok((connection, watch)),
        Ok(Err::<_, RedisError>(error)) => Err(format!("{server}: {error}")),
        Err(_) => Err(format!("{server} does not answer")),
    }
}

/// Up to half longer, so that nodes do not all come at once.
fn with_jitter(pause: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish() % 512;
    pause + pause * (random as u32) / 1024
}

type Check = Pin<Box<dyn Future<Output = Option<String>>>>;

async fn poll_check(check: &mut Option<Check>) -> Option<String> {
    match check {
        Some(check) => check.await,
        None => None,
    }
}

/// What is wrong with a connection, if something is.
async fn fault(
    mut connection: Connection,
    counters: Arc<Counters>,
    has_roles: bool,
) -> Option<String> {
    let received = counters.received.value();
    let question = redis::cmd(if has_roles { "ROLE" } else { "PING" });
    match timeout(PING_TIMEOUT, question.query_async(&mut connection)).await {
        Ok(Ok(Value::Array(role))) if !is_master(&role) => {
            Some("the server is no longer the master".into())
        }
        Ok(Ok(_)) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) if counters.received.value() != received => None,
        Err(_) => Some("Redis does not answer".into()),
    }
}

fn is_master(role: &[Value]) -> bool {
    matches!(role.first(), Some(Value::BulkString(name)) if name == b"master")
}
