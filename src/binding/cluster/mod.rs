//! What `lib/redis/own-connection.js` and `lib/redis/room-directory.js` call: links to Redis, and the rooms by
//! their names.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use napi::bindgen_prelude::{Buffer, Either, Either4, Function, Null};
use napi::{Env, Error, Result, Status};
use napi_derive::napi;

use super::payload::PayloadArgument;
use super::wake::Wake;
use super::workers::Workers;
use crate::cluster::{
    Address, Answer, Body, Channel, ClientPair, InvalidServer, Kind, Link, LinkOptions, LinkStats,
    LocalNamespace, Outgoing, Publication, RoomName, Server, State, TlsFiles,
};
use crate::proto::cluster::is_well_formed;

/// Where the direct members of a room are, see `Address` in `src/cluster/room_directory.rs`.
#[napi]
pub enum AddressKind {
    Nobody = 0,
    /// Number: the room's.
    Room = 1,
    /// Number: the connection's.
    Member = 2,
}

/// How a channel is subscribed to.
#[napi]
pub enum SubscriptionKind {
    /// `SUBSCRIBE`
    Named = 0,
    /// `PSUBSCRIBE`
    Pattern = 1,
    /// `SSUBSCRIBE`
    Shard = 2,
}

/// What comes on a channel, see `Kind` in `src/cluster/subscriptions.rs`.
#[napi]
pub enum MessageKind {
    Broadcast = 0,
    Request = 1,
    Sharded = 2,
}

/// Whether notepack.io can decode a message without believing lengths that are none.
#[napi(catch_unwind)]
pub fn is_message_pack(message: &[u8]) -> bool {
    is_well_formed(&Bytes::copy_from_slice(message))
}

/// How Redis is run.
#[napi]
pub enum Topology {
    /// One server, of the first URL.
    Single = 0,
    /// The URLs are those of Sentinels.
    Sentinel = 1,
    /// The URLs are those of servers of a Redis Cluster.
    Cluster = 2,
}

/// How a link is to be. `maxPublishQueue` in bytes; `Infinity` is allowed. Certificates and keys
/// as PEM.
#[napi(object)]
pub struct RedisLinkOptions {
    pub topology: Topology,
    pub urls: Vec<String>,
    pub max_publish_queue: f64,
    pub sentinel_name: Option<String>,
    pub username: Option<String>,
    pub password: Option<String>,
    pub ca: Option<String>,
    pub cert: Option<String>,
    pub key: Option<String>,
}

/// What a link has done; see `LinkStats` in `src/cluster/stats.rs`.
#[napi(object)]
pub struct RedisLinkStats {
    pub received: f64,
    pub filtered: f64,
    pub own: f64,
    pub delivered: f64,
    pub passed_to_java_script: f64,
    pub malformed: f64,
    pub published: f64,
    pub publish_dropped: f64,
    pub publish_failed: f64,
    pub queued_bytes: f64,
    pub reconnections: f64,
}

/// What has come.
#[napi]
pub enum RedisEventKind {
    /// `namespace`, `channel` and `message` are there.
    Message = 0,
    Ready = 1,
    Connecting = 2,
    Ended = 3,
    /// `text` is there.
    Error = 4,
    /// `question` is there, and `number` or `text`.
    Answer = 5,
}

/// An event of a link; its kind says what is there.
#[napi(object)]
pub struct RedisEvent {
    pub kind: RedisEventKind,
    pub namespace: Option<u32>,
    pub channel: Option<String>,
    pub message: Option<Buffer>,
    pub question: Option<u32>,
    pub number: Option<f64>,
    pub text: Option<String>,
}

/// Throws what is wrong with the options of a link.
#[napi(catch_unwind)]
pub fn check_redis_link_options(options: RedisLinkOptions) -> Result<()> {
    server(options).map_err(invalid).map(drop)
}

fn invalid(error: InvalidServer) -> Error {
    Error::new(Status::InvalidArg, error.to_string())
}

#[napi]
impl Workers {
    /// A new namespace of the directory; its number is the result.
    #[napi(catch_unwind)]
    pub fn add_namespace(&mut self) -> u32 {
        self.directory_writer.add_namespace() as u32
    }

    /// Ends a namespace.
    #[napi(catch_unwind)]
    pub fn remove_namespace(&mut self, namespace: u32) {
        self.directory_writer.remove_namespace(namespace as usize);
    }

    /// Where all direct members are, from the next `flush()` on, and whether there are others.
    #[napi(catch_unwind)]
    pub fn set_all(&mut self, namespace: u32, kind: AddressKind, number: u32, has_served: bool) {
        self.directory_writer.set_all(namespace as usize, address(kind, number), has_served);
    }

    /// Where the direct members of a room are, from the next `flush()` on, and whether there are
    /// others.
    #[napi(catch_unwind)]
    pub fn set_room(
        &mut self,
        namespace: u32,
        name: RoomArgument,
        kind: AddressKind,
        number: u32,
        has_served: bool,
    ) {
        let (name, address) = (room_name(name), address(kind, number));
        let pool = self.pool.borrow();
        self.directory_writer.set_room(&pool, namespace as usize, name, address, has_served);
    }

    /// A room has no members, from the next `flush()` on.
    #[napi(catch_unwind)]
    pub fn forget_room(&mut self, namespace: u32, name: RoomArgument) {
        self.directory_writer.remove_room(namespace as usize, room_name(name));
    }

    /// Whether JavaScript is to send everything, from the next `flush()` on.
    #[napi(catch_unwind)]
    pub fn set_observed(&mut self, namespace: u32, is_observed: bool) {
        self.directory_writer.set_observed(namespace as usize, is_observed);
    }

    /// Sets whether only JavaScript can tell which rooms there are, or who is in one of them, from the
    /// next `flush()` on; then it gets all messages.
    #[napi(catch_unwind)]
    pub fn set_unreadable(&mut self, namespace: u32, is_unreadable: bool) {
        self.directory_writer.set_unreadable(namespace as usize, is_unreadable);
    }

    /// JavaScript has done with a message: what it has made of it goes with the next `flush()`.
    #[napi(catch_unwind)]
    pub fn handled(&mut self, namespace: u32) {
        self.directory_writer.handled(namespace as usize);
    }
}

/// A link to Redis. Belongs to one environment and is shut down with it at the latest.
#[napi]
pub struct RedisLink {
    link: Rc<RefCell<Link>>,
    wake: Wake,
    nodes: LocalNamespaces,
}

#[napi]
impl RedisLink {
    /// `wake` is called when `take()` has events to give, once until it is called. Throws what
    /// is wrong with the options, or what the operating system says when threads or descriptors
    /// have run out.
    #[napi(constructor, catch_unwind)]
    pub fn new(
        env: Env,
        workers: &Workers,
        options: RedisLinkOptions,
        wake: Function<'_, (), ()>,
    ) -> Result<Self> {
        let wake = Wake::new(&wake)?;
        let of_link = wake.clone();
        let max_publish_queue = options.max_publish_queue as usize;
        let server = server(options).map_err(invalid)?;
        let directory = Arc::clone(workers.directory_writer.directory());
        let broadcaster = workers.pool.borrow().broadcaster().clone();
        let options = LinkOptions { server, max_publish_queue };
        let link = Link::start(options, directory, broadcaster, move || of_link.call());
        let link = link.map_err(|error| Error::from_reason(error.to_string()))?;
        let link = Rc::new(RefCell::new(link));
        // Runs before the function above is finalized: hooks run in reverse order.
        env.add_env_cleanup_hook(Rc::clone(&link), |link| link.borrow_mut().shut_down())?;
        Ok(Self { link, wake, nodes: LocalNamespaces::default() })
    }

    /// Says how a namespace is called, how this node calls itself there, and what stands in
    /// front of the room in the channels of broadcasts.
    #[napi(catch_unwind)]
    pub fn add_node(&mut self, namespace: u32, name: String, uid: String, prefix: String) {
        self.nodes.add(namespace, name, uid, prefix);
    }

    /// Forgets what `addNode()` has said.
    #[napi(catch_unwind)]
    pub fn remove_node(&mut self, namespace: u32) {
        self.nodes.remove(namespace);
    }

    /// Has messages of these channels come for a namespace.
    #[napi(catch_unwind)]
    pub fn subscribe(
        &mut self,
        namespace: u32,
        message_kind: MessageKind,
        kind: SubscriptionKind,
        channels: Vec<String>,
    ) -> Result<()> {
        let node = self.nodes.get(namespace)?;
        let channels = self::channels(&kind, channels);
        self.link.borrow_mut().subscribe(&node, self::kind(message_kind), channels);
        Ok(())
    }

    /// Ends what `subscribe()` began.
    #[napi(catch_unwind)]
    pub fn unsubscribe(
        &mut self,
        namespace: u32,
        message_kind: MessageKind,
        kind: SubscriptionKind,
        channels: Vec<String>,
    ) -> Result<()> {
        let node = self.nodes.get(namespace)?;
        let channels = self::channels(&kind, channels);
        self.link.borrow_mut().unsubscribe(&node, self::kind(message_kind), channels);
        Ok(())
    }

    /// Publishes a message as it is.
    #[napi(catch_unwind)]
    pub fn publish(&self, channel: String, message: Either<String, Buffer>, is_sharded: bool) {
        let message = match message {
            Either::A(text) => Bytes::from(text),
            Either::B(buffer) => Bytes::copy_from_slice(&buffer),
        };
        let (channel, body) = (channel.into(), Body::Raw(message));
        self.link.borrow_mut().publish(Publication { channel, body, is_sharded });
    }

    /// Publishes a packet: the text for clients, its attachments, and its options as JSON.
    #[napi(catch_unwind)]
    pub fn publish_broadcast(
        &self,
        namespace: u32,
        channel: String,
        text: String,
        attachments: Option<Vec<PayloadArgument>>,
        options: String,
        is_sharded: bool,
    ) -> Result<()> {
        let node = self.nodes.get(namespace)?;
        let body = broadcast(node, text, attachments, options, is_sharded)?;
        let channel = channel.into();
        self.link.borrow_mut().publish(Publication { channel, body, is_sharded });
        Ok(())
    }

    /// Asks how many nodes have subscribed to a channel. An answer comes.
    #[napi(catch_unwind)]
    pub fn count_subscribers(&self, question: u32, channel: String, is_sharded: bool) {
        self.link.borrow_mut().count_subscribers(question, channel.into(), is_sharded);
    }

    /// Passes on what has been asked for since the last call.
    #[napi(catch_unwind)]
    pub fn flush(&self) {
        self.link.borrow_mut().flush();
    }

    /// What has come, in its order.
    #[napi(catch_unwind)]
    pub fn take(&self) -> Vec<RedisEvent> {
        self.link.borrow().take().into_iter().map(event).collect()
    }

    /// A message was none.
    #[napi(catch_unwind)]
    pub fn count_malformed(&self) {
        self.link.borrow().count_malformed();
    }

    /// What the link has done.
    #[napi(catch_unwind)]
    pub fn stats(&self) -> RedisLinkStats {
        link_stats(self.link.borrow().stats())
    }

    /// Ends the link when what waits has been published, or a second later. `Ended` tells.
    #[napi(catch_unwind)]
    pub fn close(&self) {
        self.link.borrow_mut().close();
    }

    /// Whether the link keeps the process alive.
    #[napi(catch_unwind)]
    pub fn keep_alive(&self, env: Env, is_alive: bool) -> Result<()> {
        self.wake.keep_alive(env, is_alive)
    }
}

/// Does with messages that JavaScript receives what a link does with its own.
#[napi]
pub struct RedisClientPair {
    pair: ClientPair,
    nodes: LocalNamespaces,
}

#[napi]
impl RedisClientPair {
    #[napi(constructor, catch_unwind)]
    pub fn new(workers: &Workers) -> Self {
        let directory = Arc::clone(workers.directory_writer.directory());
        let broadcaster = workers.pool.borrow().broadcaster().clone();
        Self { pair: ClientPair::new(directory, broadcaster), nodes: LocalNamespaces::default() }
    }

    /// See `RedisLink`.
    #[napi(catch_unwind)]
    pub fn add_node(&mut self, namespace: u32, name: String, uid: String, prefix: String) {
        self.nodes.add(namespace, name, uid, prefix);
    }

    /// See `RedisLink`.
    #[napi(catch_unwind)]
    pub fn remove_node(&mut self, namespace: u32) {
        self.nodes.remove(namespace);
    }

    /// A message has come, after a `flush()` of the workers. Whether JavaScript has to handle it.
    #[napi(catch_unwind)]
    pub fn receive(
        &mut self,
        namespace: u32,
        message_kind: MessageKind,
        channel: String,
        message: PayloadArgument,
    ) -> Result<bool> {
        let (node, kind) = (self.nodes.get(namespace)?, kind(message_kind));
        let message = Bytes::copy_from_slice(message.bytes()?);
        Ok(self.pair.receive(&node, kind, channel.into(), message))
    }

    /// The message that a link would publish; `null` if there is none.
    #[napi(catch_unwind)]
    pub fn encode_broadcast(
        &self,
        namespace: u32,
        text: String,
        attachments: Option<Vec<PayloadArgument>>,
        options: String,
        is_sharded: bool,
    ) -> Result<Option<Buffer>> {
        let node = self.nodes.get(namespace)?;
        let body = broadcast(node, text, attachments, options, is_sharded)?;
        Ok(self.pair.encode(body).map(|message| Vec::from(message).into()))
    }

    /// See `RedisLink`.
    #[napi(catch_unwind)]
    pub fn count_malformed(&self) {
        self.pair.count_malformed();
    }

    /// See `RedisLink`.
    #[napi(catch_unwind)]
    pub fn stats(&self) -> RedisLinkStats {
        link_stats(self.pair.stats())
    }
}

/// The nodes of a process by the numbers of their namespaces.
#[derive(Default)]
struct LocalNamespaces(HashMap<u32, Arc<LocalNamespace>>);

impl LocalNamespaces {
    fn add(&mut self, namespace: u32, name: String, uid: String, prefix: String) {
        let (name, uid, prefix) = (name.into(), uid.into(), prefix.into());
        let node = LocalNamespace { namespace: namespace as usize, name, uid, prefix };
        self.0.insert(namespace, Arc::new(node));
    }

    fn remove(&mut self, namespace: u32) {
        self.0.remove(&namespace);
    }

    fn get(&self, namespace: u32) -> Result<Arc<LocalNamespace>> {
        let node = self.0.get(&namespace).cloned();
        node.ok_or_else(|| Error::new(Status::InvalidArg, "no such namespace"))
    }
}

fn broadcast(
    node: Arc<LocalNamespace>,
    text: String,
    attachments: Option<Vec<PayloadArgument>>,
    options: String,
    is_sharded: bool,
) -> Result<Body> {
    let attachments = attachments.unwrap_or_default();
    let copied = attachments.iter().map(|data| data.bytes().map(Bytes::copy_from_slice));
    let attachments = copied.collect::<Result<_>>()?;
    let (text, options) = (text.into(), options.into());
    Ok(Body::Broadcast { node, is_sharded, text, attachments, options })
}

fn link_stats(stats: LinkStats) -> RedisLinkStats {
    RedisLinkStats {
        received: stats.received as f64,
        filtered: stats.filtered as f64,
        own: stats.own as f64,
        delivered: stats.delivered as f64,
        passed_to_java_script: stats.passed as f64,
        malformed: stats.malformed as f64,
        published: stats.published as f64,
        publish_dropped: stats.publish_dropped as f64,
        publish_failed: stats.publish_failed as f64,
        queued_bytes: stats.queued_bytes as f64,
        reconnections: stats.reconnections as f64,
    }
}

fn server(options: RedisLinkOptions) -> std::result::Result<Server, InvalidServer> {
    let RedisLinkOptions {
        topology, urls, sentinel_name, username, password, ca, cert, key, ..
    } = options;
    let client = cert.zip(key).map(|(cert, key)| (cert.into_bytes(), key.into_bytes()));
    let tls = TlsFiles { ca: ca.map(String::into_bytes), client };
    match topology {
        Topology::Single => Server::single(urls.first().map_or("", String::as_str), &tls),
        Topology::Cluster => Server::cluster(&urls, tls),
        Topology::Sentinel => {
            let name = sentinel_name.unwrap_or_default();
            Server::sentinel(&urls, name, username, password, tls)
        }
    }
}

const fn address(kind: AddressKind, number: u32) -> Address {
    match kind {
        AddressKind::Nobody => Address::Nobody,
        AddressKind::Room => Address::Room(number),
        AddressKind::Member => Address::Member(number),
    }
}

/// The name of a room that other nodes can say.
type RoomArgument = Either4<String, f64, bool, Null>;

fn room_name(name: RoomArgument) -> RoomName {
    match name {
        Either4::A(text) => RoomName::Text(text.into()),
        Either4::B(number) => RoomName::Number(number),
        Either4::C(boolean) => RoomName::Boolean(boolean),
        Either4::D(_) => RoomName::Null,
    }
}

fn channels(kind: &SubscriptionKind, names: Vec<String>) -> Vec<Channel> {
    let channel = match kind {
        SubscriptionKind::Named => Channel::Named,
        SubscriptionKind::Pattern => Channel::Pattern,
        SubscriptionKind::Shard => Channel::Shard,
    };
    names.into_iter().map(|name| channel(name.into())).collect()
}

const fn kind(kind: MessageKind) -> Kind {
    match kind {
        MessageKind::Broadcast => Kind::Broadcast,
        MessageKind::Request => Kind::Request,
        MessageKind::Sharded => Kind::Sharded,
    }
}

fn event(outgoing: Outgoing) -> RedisEvent {
    let nothing = RedisEvent {
        kind: RedisEventKind::Ended,
        namespace: None,
        channel: None,
        message: None,
        question: None,
        number: None,
        text: None,
    };
    match outgoing {
        Outgoing::Message { namespace, channel, message } => RedisEvent {
            kind: RedisEventKind::Message,
            namespace: Some(namespace as u32),
            channel: Some(String::from_utf8_lossy(&channel).into_owned()),
            message: Some(Vec::from(message).into()),
            ..nothing
        },
        Outgoing::State(state) => RedisEvent {
            kind: match state {
                State::Ready => RedisEventKind::Ready,
                State::Connecting => RedisEventKind::Connecting,
                State::Ended => RedisEventKind::Ended,
            },
            ..nothing
        },
        Outgoing::Error(text) => {
            RedisEvent { kind: RedisEventKind::Error, text: Some(text), ..nothing }
        }
        Outgoing::Answer(Answer { id, result }) => RedisEvent {
            kind: RedisEventKind::Answer,
            question: Some(id),
            number: result.as_ref().ok().map(|&number| number as f64),
            text: result.err(),
            ..nothing
        },
    }
}
