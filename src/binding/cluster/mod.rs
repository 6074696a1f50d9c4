//! Calls of `lib/redis/`: the room directory, links to Redis, and messages of the application's
//! Redis clients.

mod client_pair;
mod directory;
mod event;
mod link;
mod options;

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use napi::{Error, Result, Status};
use napi_derive::napi;
use parking_lot::Mutex;

use super::payload::PayloadArgument;
use super::workers::Workers;
use crate::cluster::{self, Body, LinkStats, LocalNamespace, RoomDirectory};
use crate::net::Broadcaster;
use crate::proto::cluster::is_well_formed;

/// The kind of messages on a channel, see `MessageKind` in `src/cluster/channel.rs`.
#[napi]
pub enum MessageKind {
    Broadcast = 0,
    Request = 1,
    Sharded = 2,
}

impl From<MessageKind> for cluster::MessageKind {
    fn from(kind: MessageKind) -> Self {
        match kind {
            MessageKind::Broadcast => Self::Broadcast,
            MessageKind::Request => Self::Request,
            MessageKind::Sharded => Self::Sharded,
        }
    }
}

/// The counters of a link; see `LinkStats` in `src/cluster/stats.rs`.
#[napi(object)]
pub struct RedisLinkStats {
    pub received: f64,
    pub filtered: f64,
    pub own: f64,
    pub delivered: f64,
    pub served: f64,
    pub malformed: f64,
    pub published: f64,
    pub publish_dropped: f64,
    pub publish_failed: f64,
    pub queued_bytes: f64,
    pub reconnections: f64,
}

impl From<LinkStats> for RedisLinkStats {
    fn from(stats: LinkStats) -> Self {
        Self {
            received: stats.received as f64,
            filtered: stats.filtered as f64,
            own: stats.own as f64,
            delivered: stats.delivered as f64,
            served: stats.served as f64,
            malformed: stats.malformed as f64,
            published: stats.published as f64,
            publish_dropped: stats.publish_dropped as f64,
            publish_failed: stats.publish_failed as f64,
            queued_bytes: stats.queued_bytes as f64,
            reconnections: stats.reconnections as f64,
        }
    }
}

/// Returns whether `message` is exactly one well-formed MessagePack value. notepack.io must not
/// decode others, since it allocates and loops for any length that it reads.
#[napi(catch_unwind)]
pub fn is_message_pack(message: &[u8]) -> bool {
    is_well_formed(&Bytes::copy_from_slice(message))
}

/// The namespaces that have joined one transport, by id.
#[derive(Default)]
struct LocalNamespaces(HashMap<u32, Arc<LocalNamespace>>);

impl LocalNamespaces {
    fn add(&mut self, id: u32, name: String, uid: String, prefix: String) {
        let (name, uid, prefix) = (name.into(), uid.into(), prefix.into());
        let namespace = LocalNamespace { id: id as usize, name, uid, prefix };
        self.0.insert(id, Arc::new(namespace));
    }

    fn remove(&mut self, id: u32) {
        self.0.remove(&id);
    }

    fn get(&self, id: u32) -> Result<Arc<LocalNamespace>> {
        let namespace = self.0.get(&id).cloned();
        namespace.ok_or_else(|| Error::new(Status::InvalidArg, "no such namespace"))
    }
}

/// Returns what a receiver shares with the workers of its environment.
fn shared_with(workers: &Workers) -> (Arc<Mutex<RoomDirectory>>, Broadcaster) {
    let environment = workers.environment.borrow();
    let directory = Arc::clone(environment.directory_writer().directory());
    (directory, environment.pool().broadcaster().clone())
}

/// Returns a broadcast that is to be published. Attachments are copied.
fn broadcast(
    namespace: Arc<LocalNamespace>,
    text: String,
    attachments: Option<Vec<PayloadArgument>>,
    options: String,
    is_sharded: bool,
) -> Result<Body> {
    let attachments = attachments.unwrap_or_default();
    let copied = attachments.iter().map(|data| data.bytes().map(Bytes::copy_from_slice));
    let attachments = copied.collect::<Result<_>>()?;
    let (text, options) = (text.into(), options.into());
    Ok(Body::Broadcast { namespace, is_sharded, text, attachments, options })
}
