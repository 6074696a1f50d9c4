//! Calls of `lib/redis/own-connection.js`: a link to Redis.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use napi::bindgen_prelude::{Buffer, Either, Function};
use napi::{Env, Error, Result};
use napi_derive::napi;

use super::event::RedisEvent;
use super::options::{RedisLinkOptions, server};
use super::{LocalNamespaces, MessageKind, RedisLinkStats, broadcast, shared_with};
use crate::binding::payload::PayloadArgument;
use crate::binding::wake::Wake;
use crate::binding::workers::Workers;
use crate::cluster::{Body, Channel, Link, LinkOptions, Publication};

/// The command that subscribes to a channel.
#[napi]
pub enum SubscriptionKind {
    /// `SUBSCRIBE`
    Named = 0,
    /// `PSUBSCRIBE`
    Pattern = 1,
    /// `SSUBSCRIBE`
    Shard = 2,
}

fn channels(kind: &SubscriptionKind, names: Vec<String>) -> Vec<Channel> {
    let channel = match kind {
        SubscriptionKind::Named => Channel::Named,
        SubscriptionKind::Pattern => Channel::Pattern,
        SubscriptionKind::Shard => Channel::Shard,
    };
    names.into_iter().map(|name| channel(name.into())).collect()
}

/// A link to Redis. It belongs to one environment, and is shut down with it at the latest.
/// Commands are queued until `flush()`.
#[napi]
pub struct RedisLink {
    link: Rc<RefCell<Link>>,
    wake: Wake,
    namespaces: LocalNamespaces,
}

#[napi]
impl RedisLink {
    /// Starts a link. It calls `wake` when `take()` has events to return, and not again until
    /// that was called. Throws if the options are invalid, or if the process has run out of
    /// threads or descriptors.
    #[napi(constructor, catch_unwind)]
    pub fn new(
        env: Env,
        workers: &Workers,
        options: RedisLinkOptions,
        wake: Function<'_, (), ()>,
    ) -> Result<Self> {
        let wake = Wake::new(&wake)?;
        let notify = wake.clone();
        let max_publish_queue = options.max_publish_queue as usize;
        let options = LinkOptions { server: server(options)?, max_publish_queue };
        let (directory, broadcaster) = shared_with(workers);
        let link = Link::start(options, directory, broadcaster, move || notify.call());
        let link = link.map_err(|error| Error::from_reason(error.to_string()))?;
        let link = Rc::new(RefCell::new(link));
        // Runs before the function above is finalized: hooks run in reverse order.
        env.add_env_cleanup_hook(Rc::clone(&link), |link| link.borrow_mut().shut_down())?;
        Ok(Self { link, wake, namespaces: LocalNamespaces::default() })
    }

    /// Adds a namespace, with its name, the uid of its adapter, and the part of a broadcast's
    /// channel in front of the room's name.
    #[napi(catch_unwind)]
    pub fn add_node(&mut self, namespace: u32, name: String, uid: String, prefix: String) {
        self.namespaces.add(namespace, name, uid, prefix);
    }

    /// Removes a namespace.
    #[napi(catch_unwind)]
    pub fn remove_node(&mut self, namespace: u32) {
        self.namespaces.remove(namespace);
    }

    /// Subscribes a namespace to channels.
    #[napi(catch_unwind)]
    pub fn subscribe(
        &mut self,
        namespace: u32,
        message_kind: MessageKind,
        kind: SubscriptionKind,
        names: Vec<String>,
    ) -> Result<()> {
        let namespace = self.namespaces.get(namespace)?;
        let channels = channels(&kind, names);
        self.link.borrow_mut().subscribe(&namespace, message_kind.into(), channels);
        Ok(())
    }

    /// Ends subscriptions of a namespace, with the same arguments.
    #[napi(catch_unwind)]
    pub fn unsubscribe(
        &mut self,
        namespace: u32,
        message_kind: MessageKind,
        kind: SubscriptionKind,
        names: Vec<String>,
    ) -> Result<()> {
        let namespace = self.namespaces.get(namespace)?;
        let channels = channels(&kind, names);
        self.link.borrow_mut().unsubscribe(&namespace, message_kind.into(), channels);
        Ok(())
    }

    /// Publishes an encoded message.
    #[napi(catch_unwind)]
    pub fn publish(&self, channel: String, message: Either<String, Buffer>, is_sharded: bool) {
        let message = match message {
            Either::A(text) => Bytes::from(text),
            Either::B(buffer) => Bytes::copy_from_slice(&buffer),
        };
        let (channel, body) = (channel.into(), Body::Raw(message));
        self.link.borrow_mut().publish(Publication { channel, body, is_sharded });
    }

    /// Publishes a packet: its text for clients, its attachments, and its options as JSON.
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
        let namespace = self.namespaces.get(namespace)?;
        let body = broadcast(namespace, text, attachments, options, is_sharded)?;
        let channel = channel.into();
        self.link.borrow_mut().publish(Publication { channel, body, is_sharded });
        Ok(())
    }

    /// Asks for the number of subscribers of a channel. The answer is an event with the id
    /// `question`.
    #[napi(catch_unwind)]
    pub fn count_subscribers(&self, question: u32, channel: String, is_sharded: bool) {
        self.link.borrow_mut().count_subscribers(question, channel.into(), is_sharded);
    }

    /// Sends the queued commands to the link's thread.
    #[napi(catch_unwind)]
    pub fn flush(&self) {
        self.link.borrow_mut().flush();
    }

    /// Takes all events, in order.
    #[napi(catch_unwind)]
    pub fn take(&self) -> Vec<RedisEvent> {
        self.link.borrow().take().into_iter().map(RedisEvent::from).collect()
    }

    /// Counts a message that could not be decoded.
    #[napi(catch_unwind)]
    pub fn count_malformed(&self) {
        self.link.borrow().count_malformed();
    }

    /// Returns the counters.
    #[napi(catch_unwind)]
    pub fn stats(&self) -> RedisLinkStats {
        self.link.borrow().stats().into()
    }

    /// Ends the link once Redis has accepted all publications, or after a second. The last event
    /// is `Ended`.
    #[napi(catch_unwind)]
    pub fn close(&self) {
        self.link.borrow_mut().close();
    }

    /// Sets whether the link keeps the process alive.
    #[napi(catch_unwind)]
    pub fn keep_alive(&self, env: Env, is_alive: bool) -> Result<()> {
        self.wake.keep_alive(env, is_alive)
    }
}
