//! Calls of `lib/redis/client-pair.js`: messages that JavaScript receives and publishes.

use bytes::Bytes;
use napi::Result;
use napi::bindgen_prelude::Buffer;
use napi_derive::napi;

use super::{LocalNamespaces, MessageKind, RedisLinkStats, broadcast, shared_with};
use crate::binding::payload::PayloadArgument;
use crate::binding::workers::Workers;
use crate::cluster::ClientPair;

/// Decodes and delivers messages that JavaScript has received, as a link does with its own.
#[napi]
pub struct RedisClientPair {
    pair: ClientPair,
    namespaces: LocalNamespaces,
}

#[napi]
impl RedisClientPair {
    #[napi(constructor, catch_unwind)]
    pub fn new(workers: &Workers) -> Self {
        let (directory, broadcaster) = shared_with(workers);
        let pair = ClientPair::new(directory, broadcaster);
        Self { pair, namespaces: LocalNamespaces::default() }
    }

    /// As the method of `RedisLink`.
    #[napi(catch_unwind)]
    pub fn add_node(&mut self, namespace: u32, name: String, uid: String, prefix: String) {
        self.namespaces.add(namespace, name, uid, prefix);
    }

    /// As the method of `RedisLink`.
    #[napi(catch_unwind)]
    pub fn remove_node(&mut self, namespace: u32) {
        self.namespaces.remove(namespace);
    }

    /// Handles a message; the caller must have flushed the workers. Returns whether JavaScript
    /// must serve it.
    #[napi(catch_unwind)]
    pub fn receive(
        &mut self,
        namespace: u32,
        message_kind: MessageKind,
        channel: String,
        message: PayloadArgument,
    ) -> Result<bool> {
        let namespace = self.namespaces.get(namespace)?;
        let message = Bytes::copy_from_slice(message.bytes()?);
        Ok(self.pair.receive(&namespace, message_kind.into(), channel.into(), message))
    }

    /// Encodes the message that a link would publish; `null` if it cannot be encoded.
    #[napi(catch_unwind)]
    pub fn encode_broadcast(
        &self,
        namespace: u32,
        text: String,
        attachments: Option<Vec<PayloadArgument>>,
        options: String,
        is_sharded: bool,
    ) -> Result<Option<Buffer>> {
        let namespace = self.namespaces.get(namespace)?;
        let body = broadcast(namespace, text, attachments, options, is_sharded)?;
        Ok(self.pair.encode(body).map(|message| Vec::from(message).into()))
    }

    /// As the method of `RedisLink`.
    #[napi(catch_unwind)]
    pub fn count_malformed(&self) {
        self.pair.count_malformed();
    }

    /// As the method of `RedisLink`.
    #[napi(catch_unwind)]
    pub fn stats(&self) -> RedisLinkStats {
        self.pair.stats().into()
    }
}
