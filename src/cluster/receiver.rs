//! What becomes of a message that has come.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use super::directory::Recipience;
use super::outbox::{Outbox, Outgoing as ToApplication};
use super::stats::{Counter, Counters};
use super::subscriptions::Kind;
use super::{Directory, NamespaceId};
use crate::fanout::PreparedPacket;
use crate::net::{Broadcaster, Outgoing};
use crate::proto::engine_io::PacketType;
use crate::proto::notepack::{Broadcast, ClusterBroadcast, Options};
use crate::proto::socket_io::{Namespace, Packet};
use crate::proto::websocket::{Opcode, encode_parts};

/// Messages that have come are posted at the latest when they have so many bytes.
const MAX_PENDING_BYTES: usize = 4 * 1024 * 1024;

/// A namespace on this node.
#[derive(Debug)]
pub struct Node {
    /// Its number in the directory.
    pub namespace: NamespaceId,
    /// Its name.
    pub name: Box<str>,
    /// What the node calls itself.
    pub uid: Box<str>,
    /// What stands in front of the room in the channels of its broadcasts.
    pub prefix: Box<str>,
}

/// Takes messages, and posts what has come together in one piece.
pub(super) struct Receiver {
    directory: Arc<Mutex<Directory>>,
    broadcaster: Broadcaster,
    outbox: Arc<Outbox>,
    counters: Arc<Counters>,
    pending: Vec<Pending>,
    pending_bytes: usize,
}

/// A message, decoded if it is a broadcast.
struct Pending {
    node: Arc<Node>,
    kind: Kind,
    channel: Bytes,
    message: Bytes,
    broadcast: Option<Box<Decoded>>,
}

/// What a message is.
enum Found {
    Broadcast(Box<Decoded>),
    /// Something for the application.
    Other,
    Nothing,
}

fn ignored(counter: &Counter) -> Found {
    counter.add(1);
    Found::Nothing
}

struct Decoded {
    packet: Packet,
    prepared: PreparedPacket,
    options: Options,
}

impl Receiver {
    pub(super) fn new(
        directory: Arc<Mutex<Directory>>,
        broadcaster: Broadcaster,
        outbox: Arc<Outbox>,
        counters: Arc<Counters>,
    ) -> Self {
        let (pending, pending_bytes) = (Vec::new(), 0);
        Self { directory, broadcaster, outbox, counters, pending, pending_bytes }
    }

    /// A message has come for a node.
    pub(super) fn handle(&mut self, node: &Arc<Node>, kind: Kind, channel: Bytes, message: Bytes) {
        let found = match kind {
            Kind::Broadcast => self.decode(node, &channel, &message),
            Kind::Sharded => self.decode_sharded(node, &message),
            Kind::Request => Found::Other,
        };
        let broadcast = match found {
            Found::Broadcast(decoded) => Some(decoded),
            Found::Other => None,
            Found::Nothing => return,
        };
        self.pending_bytes += message.len();
        self.pending.push(Pending { node: Arc::clone(node), kind, channel, message, broadcast });
        if self.pending_bytes > MAX_PENDING_BYTES {
            self.post();
        }
    }

    /// @socket.io/redis-adapter, `onmessage`.
    fn decode(&self, node: &Node, channel: &[u8], message: &Bytes) -> Found {
        let Some(room) = room_of(channel, &node.prefix) else {
            return ignored(&self.counters.filtered);
        };
        if !room.is_empty() && !self.directory.lock().has_room(node.namespace, room) {
            return ignored(&self.counters.filtered);
        }
        if Broadcast::peek_uid(message) == Some(node.uid.as_bytes()) {
            return ignored(&self.counters.own);
        }
        match Broadcast::decode(message) {
            Ok(Broadcast { packet, .. }) if packet.namespace.as_str() != &*node.name => {
                ignored(&self.counters.filtered)
            }
            Ok(Broadcast { packet, options, .. }) => self.prepare(packet, options),
            Err(_) => ignored(&self.counters.malformed),
        }
    }

    /// socket.io-adapter, `ClusterAdapter.onMessage`.
    fn decode_sharded(&self, node: &Node, message: &Bytes) -> Found {
        match ClusterBroadcast::decode(message) {
            Ok(Some(ClusterBroadcast { uid, .. })) if uid.as_deref() == Some(&*node.uid) => {
                ignored(&self.counters.own)
            }
            Ok(Some(ClusterBroadcast { namespace, .. }))
                if namespace.as_deref() != Some(&*node.name) =>
            {
                ignored(&self.counters.filtered)
            }
            Ok(Some(ClusterBroadcast { packet, options, .. })) => {
                let Some(namespace) = Namespace::new(&*node.name) else {
                    return ignored(&self.counters.malformed);
                };
                self.prepare(Packet { namespace, ..packet }, options)
            }
            Ok(None) => Found::Other,
            Err(_) => ignored(&self.counters.malformed),
        }
    }

    fn prepare(&self, packet: Packet, options: Options) -> Found {
        let prepared = prepare(&packet, self.broadcaster.has_version_3());
        Found::Broadcast(Box::new(Decoded { packet, prepared, options }))
    }

    /// Whether something has come that is not posted.
    pub(super) fn is_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Posts what has come. Waits for who is too far behind.
    pub(super) fn post(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        self.pending_bytes = 0;
        let (mut outgoing, mut passed) = (Vec::new(), Vec::new());
        let mut directory = self.directory.lock();
        for pending in self.pending.drain(..) {
            let found = match &pending.broadcast {
                Some(decoded) => directory.find(pending.node.namespace, &decoded.options),
                None => Recipience::Application,
            };
            match (found, pending.broadcast) {
                (Recipience::Direct(recipients, workers), Some(decoded)) => {
                    let packet = if self.broadcaster.has_version_3() {
                        // It may have been prepared before.
                        prepare(&decoded.packet, true)
                    } else {
                        decoded.prepared
                    };
                    let is_volatile = decoded.options.flags.is_volatile();
                    outgoing.push(Outgoing { packet, recipients, is_volatile, workers });
                }
                (Recipience::Nobody, _) => self.counters.filtered.add(1),
                (Recipience::Application | Recipience::Direct(..), _) => {
                    directory.pass(pending.node.namespace);
                    passed.push(ToApplication::Message {
                        namespace: pending.node.namespace,
                        kind: pending.kind,
                        channel: pending.channel,
                        message: pending.message,
                    });
                }
            }
        }
        self.counters.delivered.add(outgoing.len());
        if !outgoing.is_empty() {
            self.broadcaster.post(outgoing);
        }
        drop(directory);
        self.counters.passed.add(passed.len());
        passed.into_iter().for_each(|message| self.outbox.push(message));
        self.outbox.wait();
        self.broadcaster.wait();
    }
}

/// `channel.slice(prefix.length, -1)` in JavaScript. `None` if the prefix is another, or if
/// it is no text.
fn room_of<'a>(channel: &'a [u8], prefix: &str) -> Option<&'a str> {
    let channel = str::from_utf8(channel).ok()?.strip_prefix(prefix)?;
    let mut characters = channel.chars();
    characters.next_back();
    Some(characters.as_str())
}

/// The frames of a packet.
fn prepare(packet: &Packet, has_version_3: bool) -> PreparedPacket {
    let parts = [&[PacketType::Message.digit()], &*packet.encode()];
    let frame = encode_parts(true, Opcode::Text, &parts, None);
    let attachments: Vec<&[u8]> = packet.attachments.iter().map(Bytes::as_ref).collect();
    PreparedPacket::new(frame, &attachments, has_version_3)
}
