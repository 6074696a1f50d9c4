//! A link to Redis: a thread with one connection, which it makes again when it is lost.

use std::collections::{HashMap, VecDeque};
use std::future::{Future, poll_fn};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::mem;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::task::Poll;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use parking_lot::Mutex;
use redis::aio::ConnectionLike;
use redis::{Pipeline, PushInfo, PushKind, RedisError, Value};
use tokio::runtime::Builder;
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::outbox::{Answer, Outbox, Outgoing, State};
use super::publication::Publication;
use super::receiver::{Node, Receiver};
use super::rest::Rest;
use super::server::{Change, Connection, Server};
use super::stats::Counters;
use super::subscriptions::{Channel, Kind, Subscriber, Subscriptions};
use super::{Directory, LinkStats};
use crate::net::{Broadcaster, Pace, Tempo};

/// Redis is asked so often whether it is there.
const PING_INTERVAL: Duration = Duration::from_secs(5);

/// If nothing comes by then, the connection is lost.
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// The pauses between attempts to connect: they double.
const MIN_PAUSE: Duration = Duration::from_millis(100);
const MAX_PAUSE: Duration = Duration::from_secs(2);

/// How long it may take to connect and subscribe.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// From this rate of broadcasts for nobody here on, a link that hears nothing else reads them in
/// larger pieces. What comes for somebody may be late by one such rest; what is to be published is
/// not, as that ends it.
const MUCH_ADO: Tempo = Tempo {
    busy_events_per_second: 1_000,
    rest: Duration::from_millis(2),
    window: Duration::from_millis(20),
};

/// Publications that are sent in one piece.
const MAX_PIPELINE: usize = 128;

/// What has been published leaves before the end, if Redis takes it by then.
const FAREWELL: Duration = Duration::from_secs(1);

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

enum Command {
    Change { change: Change, node: Arc<Node>, kind: Kind, channels: Vec<Channel> },
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
        directory: Arc<Mutex<Directory>>,
        broadcaster: Broadcaster,
        notify: impl Fn() + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let LinkOptions { server, max_publish_queue } = options;
        let (commands, receiver) = unbounded_channel();
        let counters = Arc::<Counters>::default();
        let outbox = Arc::new(Outbox::new(notify));
        let rest = Arc::<Rest>::default();
        let inbox = Inbox {
            receiver: Mutex::new(Receiver::new(
                directory,
                broadcaster,
                Arc::clone(&outbox),
                Arc::clone(&counters),
            )),
            subscriptions: Mutex::default(),
            counters: Arc::clone(&counters),
            due: Notify::new(),
            wanted: AtomicUsize::new(0),
            unwanted: AtomicUsize::new(0),
            rest: Arc::clone(&rest),
        };
        let of_thread = Arc::clone(&outbox);
        let (ready, started) = sync_channel(1);
        let thread = thread::Builder::new()
            .name("sio-turbo-redis".into())
            .spawn(move || run(server, Arc::new(inbox), &of_thread, receiver, &ready))?;
        started.recv().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))?;
        let (queued, thread) = (Vec::new(), Some(thread));
        Ok(Self { queued, commands, counters, outbox, rest, max_publish_queue, thread })
    }

    /// Has messages of these channels come for a node.
    pub fn subscribe(&mut self, node: &Arc<Node>, kind: Kind, channels: Vec<Channel>) {
        self.change(Change::Subscribe, node, kind, channels);
    }

    /// Ends what [`subscribe`](Self::subscribe) began.
    pub fn unsubscribe(&mut self, node: &Arc<Node>, kind: Kind, channels: Vec<Channel>) {
        self.change(Change::Unsubscribe, node, kind, channels);
    }

    fn change(&mut self, change: Change, node: &Arc<Node>, kind: Kind, channels: Vec<Channel>) {
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
    /// [`State::Ended`] tells.
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

fn answer(outbox: &Outbox, id: u32, result: Result<i64, String>) {
    outbox.push(Outgoing::Answer(Answer { id, result }));
}

/// The life of a link's thread. `ready` hears whether it begins; if not, for want of
/// descriptors.
fn run(
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

/// Where messages come in.
struct Inbox {
    receiver: Mutex<Receiver>,
    subscriptions: Mutex<Subscriptions>,
    counters: Arc<Counters>,
    /// Something has come.
    due: Notify,
    /// How many messages have come since, for somebody here and for nobody.
    wanted: AtomicUsize,
    unwanted: AtomicUsize,
    rest: Arc<Rest>,
}

impl Inbox {
    fn handle(&self, push: PushInfo) {
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
    async fn post(&self) {
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
struct Watch {
    lost: Notify,
    /// By channel: how often its `SUNSUBSCRIBE` has been sent and not been answered.
    leaving: Mutex<HashMap<Bytes, usize>>,
}

impl Watch {
    fn leave(&self, channels: &[Channel]) {
        let mut leaving = self.leaving.lock();
        for channel in channels {
            if let Channel::Shard(name) = channel {
                *leaving.entry(name.clone()).or_default() += 1;
            }
        }
    }

    /// We have left a shard's channel. Where nobody has asked for that, its slot is another server's
    /// now, and all is subscribed to again.
    fn handle_left(&self, channel: &Bytes) {
        let mut leaving = self.leaving.lock();
        match leaving.get_mut(channel) {
            None => self.lost.notify_one(),
            Some(1) => drop(leaving.remove(channel)),
            Some(count) => *count -= 1,
        }
    }
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

/// Something that Redis is to answer. What it refuses is the error.
type Request = Pin<Box<dyn Future<Output = Result<(), String>>>>;

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
        node: &Arc<Node>,
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

/// Requests that Redis has not answered.
#[derive(Default)]
struct Requests(FuturesUnordered<Request>);

impl Requests {
    /// Sends a request behind those that were started before: what is polled first is sent
    /// first.
    async fn start(&mut self, mut request: Request, outbox: &Outbox) {
        match poll_fn(|context| Poll::Ready(request.as_mut().poll(context))).await {
            Poll::Ready(result) => report(result, outbox),
            Poll::Pending => self.0.push(request),
        }
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Waits for an answer.
    async fn progress(&mut self, outbox: &Outbox) {
        if let Some(result) = self.0.next().await {
            report(result, outbox);
        }
    }

    /// Waits for all answers.
    async fn finish(&mut self, outbox: &Outbox) {
        while !self.is_empty() {
            self.progress(outbox).await;
        }
    }
}

fn report(result: Result<(), String>, outbox: &Outbox) {
    if let Err(error) = result {
        outbox.push(Outgoing::Error(error));
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
        Ok(Err::<_, RedisError>(error)) => Err(error.to_string()),
        Err(_) => Err("Redis does not answer".into()),
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

async fn change_channels(
    mut connection: Connection,
    change: Change,
    channels: Vec<Channel>,
) -> Result<(), String> {
    refused(connection.change(change, channels).await)
}

/// What Redis refuses is an error. That a connection is lost is told once, elsewhere.
fn refused(result: Result<(), RedisError>) -> Result<(), String> {
    match result {
        Err(error) if !error.is_unrecoverable_error() => Err(error.to_string()),
        _ => Ok(()),
    }
}

async fn count(
    mut connection: Connection,
    mut question: Question,
    channel: Bytes,
    is_sharded: bool,
) -> Result<(), String> {
    let kind = if is_sharded { "SHARDNUMSUB" } else { "NUMSUB" };
    let mut command = redis::cmd("PUBSUB");
    command.arg(kind).arg(&*channel);
    question.result = connection.count(&command).await.map_err(|error| error.to_string());
    Ok(())
}

/// A question that Redis has not answered. Dropped, it is answered with what is known.
struct Question {
    id: u32,
    outbox: Arc<Outbox>,
    result: Result<i64, String>,
}

impl Question {
    fn new(outbox: &Arc<Outbox>, id: u32) -> Self {
        let result = Err("the connection to Redis was lost".into());
        Self { id, outbox: Arc::clone(outbox), result }
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        let result = mem::replace(&mut self.result, Ok(0));
        answer(&self.outbox, self.id, result);
    }
}

/// A publication that Redis has not answered. Dropped, it has failed.
struct Sending {
    counters: Arc<Counters>,
    bytes: usize,
    is_done: bool,
}

impl Sending {
    fn new(counters: &Arc<Counters>, publication: &Publication) -> Self {
        Self { counters: Arc::clone(counters), bytes: publication.len(), is_done: false }
    }

    fn succeed(mut self) {
        self.is_done = true;
        self.counters.published.add(1);
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.counters.queued_bytes.subtract(self.bytes);
        if !self.is_done {
            self.counters.publish_failed.add(1);
        }
    }
}

async fn publish(
    mut connection: Connection,
    publications: Vec<(Publication, Sending)>,
) -> Result<(), String> {
    let mut pipeline = Pipeline::new();
    let mut sendings = Vec::with_capacity(publications.len());
    for (publication, sending) in publications {
        let name = if publication.is_sharded { "SPUBLISH" } else { "PUBLISH" };
        if let Some(message) = publication.body.encode() {
            pipeline.cmd(name).arg(&*publication.channel).arg(&*message);
            sendings.push(sending);
        }
    }
    if sendings.is_empty() {
        return Ok(());
    }
    let answers = connection.req_packed_commands(&pipeline, 0, sendings.len()).await;
    let answers = match answers {
        Ok(answers) => answers,
        Err(error) => return refused(Err(error)),
    };
    let mut refusal = Ok(());
    for (sending, answer) in sendings.into_iter().zip(answers) {
        match answer {
            Value::ServerError(error) => refusal = Err(RedisError::from(error).to_string()),
            _ => sending.succeed(),
        }
    }
    refusal
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
