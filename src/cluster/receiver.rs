//! Decodes messages and posts broadcasts to the workers.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use super::channel::MessageKind;
use super::namespace::{LocalNamespace, NamespaceId};
use super::room_directory::{LocalRecipients, RoomDirectory};
use super::stats::{LinkCounter, LinkCounters};
use crate::fanout::{LatestKey, PreparedPacket};
use crate::net::{Broadcaster, OutgoingBroadcast};
use crate::proto::cluster::{Broadcast, ClusterBroadcast, Options};
use crate::proto::engine_io::PacketType;
use crate::proto::socket_io::{Namespace, Packet};
use crate::proto::websocket::{Opcode, encode_parts};

/// Pending messages of more bytes than this must be posted.
const MAX_PENDING_BYTES: usize = 4 * 1024 * 1024;

/// Decodes the messages of one link, and posts them in batches.
///
/// 1. [`handle`](Self::handle) takes each message that was received: it drops what is not for its
///    namespace and decodes broadcasts.
/// 2. [`post`](Self::post), at the end of a batch or once [`is_full`](Self::is_full), looks up
///    the recipients, posts to the workers, and returns what JavaScript must serve.
/// 3. [`wait`](Self::wait) blocks while a worker lags.
///
/// It runs on one thread, that of the link, or JavaScript's for a
/// [`ClientPair`](super::ClientPair). It holds the lock of the directory while it posts, so that
/// JavaScript cannot change rooms between the lookup and the workers' queues.
pub(super) struct Receiver {
    directory: Arc<Mutex<RoomDirectory>>,
    broadcaster: Broadcaster,
    counters: Arc<LinkCounters>,
    pending: Vec<Pending>,
    pending_bytes: usize,
    /// The number of pending messages for JavaScript, which may create rooms.
    pending_requests: usize,
}

/// A message that JavaScript must handle.
#[derive(Debug)]
pub struct ServedMessage {
    /// The namespace that it is for.
    pub namespace: NamespaceId,
    /// The channel on which it was received.
    pub channel: Bytes,
    /// The message as it was received.
    pub message: Bytes,
}

/// A message that waits to be posted; decoded if it is a broadcast.
struct Pending {
    namespace: Arc<LocalNamespace>,
    channel: Bytes,
    message: Bytes,
    broadcast: Option<Box<Decoded>>,
}

/// The outcome of decoding a message.
enum Outcome {
    Broadcast(Box<Decoded>),
    /// Only JavaScript can handle it.
    Served,
    Dropped,
}

fn dropped(counter: &LinkCounter) -> Outcome {
    counter.add(1);
    Outcome::Dropped
}

struct Decoded {
    packet: Packet,
    prepared: PreparedPacket,
    /// True if `prepared` includes the frames for Engine.IO v3.
    has_v3: bool,
    options: Options,
}

impl Receiver {
    pub(super) fn new(
        directory: Arc<Mutex<RoomDirectory>>,
        broadcaster: Broadcaster,
        counters: Arc<LinkCounters>,
    ) -> Self {
        let (pending, pending_bytes, pending_requests) = (Vec::new(), 0, 0);
        Self { directory, broadcaster, counters, pending, pending_bytes, pending_requests }
    }

    /// Takes a message for a namespace. Returns whether it may have recipients; then it is
    /// pending.
    pub(super) fn handle(
        &mut self,
        namespace: &Arc<LocalNamespace>,
        kind: MessageKind,
        channel: Bytes,
        message: Bytes,
    ) -> bool {
        let outcome = match kind {
            MessageKind::Broadcast => self.decode(namespace, &channel, &message),
            MessageKind::Sharded => self.decode_sharded(namespace, &message),
            MessageKind::Request => Outcome::Served,
        };
        let broadcast = match outcome {
            Outcome::Broadcast(decoded) => Some(decoded),
            Outcome::Served => None,
            Outcome::Dropped => return false,
        };
        self.pending_bytes += message.len();
        self.pending_requests += usize::from(broadcast.is_none());
        let namespace = Arc::clone(namespace);
        self.pending.push(Pending { namespace, channel, message, broadcast });
        true
    }

    /// Returns whether nothing is pending.
    pub(super) const fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Returns whether so much is pending that it must be posted now.
    pub(super) const fn is_full(&self) -> bool {
        self.pending_bytes > MAX_PENDING_BYTES
    }

    /// Decodes a broadcast of the classic protocol, as @socket.io/redis-adapter's `onmessage`.
    fn decode(&self, namespace: &LocalNamespace, channel: &[u8], message: &Bytes) -> Outcome {
        let Some(room) = room_of(channel, &namespace.prefix) else {
            return dropped(&self.counters.filtered);
        };
        if !room.is_empty() && !self.may_have_room(namespace, room) {
            return dropped(&self.counters.filtered);
        }
        if Broadcast::peek_uid(message) == Some(namespace.uid.as_bytes()) {
            return dropped(&self.counters.own);
        }
        match Broadcast::decode(message) {
            Ok(Broadcast { packet, .. }) if packet.namespace.as_str() != &*namespace.name => {
                dropped(&self.counters.filtered)
            }
            Ok(Broadcast { packet, options, .. }) => self.prepare(packet, options),
            Err(_) => dropped(&self.counters.malformed),
        }
    }

    /// Returns whether a room exists, or may exist once JavaScript has handled earlier messages.
    fn may_have_room(&self, namespace: &LocalNamespace, room: &str) -> bool {
        let directory = self.directory.lock();
        self.pending_requests > 0
            || directory.is_behind(namespace.id)
            || directory.has_room(namespace.id, room)
    }

    /// Decodes a message of the sharded protocol, as socket.io-adapter's
    /// `ClusterAdapter.onMessage`.
    fn decode_sharded(&self, namespace: &LocalNamespace, message: &Bytes) -> Outcome {
        match ClusterBroadcast::decode(message) {
            Ok(Some(ClusterBroadcast { uid, .. })) if uid.as_deref() == Some(&*namespace.uid) => {
                dropped(&self.counters.own)
            }
            Ok(Some(ClusterBroadcast { namespace: name, .. }))
                if name.as_deref() != Some(&*namespace.name) =>
            {
                dropped(&self.counters.filtered)
            }
            Ok(Some(ClusterBroadcast { packet, options, .. })) => {
                let Some(namespace) = Namespace::new(&*namespace.name) else {
                    return dropped(&self.counters.malformed);
                };
                self.prepare(Packet { namespace, ..packet }, options)
            }
            Ok(None) => Outcome::Served,
            Err(_) => dropped(&self.counters.malformed),
        }
    }

    fn prepare(&self, packet: Packet, options: Options) -> Outcome {
        let has_v3 = self.broadcaster.has_v3();
        let prepared = prepare(&packet, has_v3);
        Outcome::Broadcast(Box::new(Decoded { packet, prepared, has_v3, options }))
    }

    /// Posts all pending broadcasts that workers can deliver by themselves. Returns the other
    /// messages, in order, for JavaScript.
    pub(super) fn post(&mut self) -> Vec<ServedMessage> {
        (self.pending_bytes, self.pending_requests) = (0, 0);
        let (mut outgoing, mut served) = (Vec::new(), Vec::new());
        let mut directory = self.directory.lock();
        for Pending { namespace, channel, message, broadcast } in self.pending.drain(..) {
            let recipients = match &broadcast {
                Some(decoded) => directory.find(namespace.id, &decoded.options),
                None => LocalRecipients::Served,
            };
            match (recipients, broadcast) {
                (LocalRecipients::Direct(recipients, workers), Some(decoded)) => {
                    let packet = if decoded.has_v3 == self.broadcaster.has_v3() {
                        decoded.prepared
                    } else {
                        // The first peer of Engine.IO v3 has connected since.
                        prepare(&decoded.packet, true)
                    };
                    let flags = &decoded.options.flags;
                    let is_volatile = flags.is_volatile();
                    let key = flags.latest().map(|key| LatestKey::new(&namespace.name, key));
                    let packet = packet.compressible(flags.is_compressible()).latest(key);
                    outgoing.push(OutgoingBroadcast { packet, recipients, is_volatile, workers });
                }
                (LocalRecipients::Nobody, _) => self.counters.filtered.add(1),
                (LocalRecipients::Served | LocalRecipients::Direct(..), _) => {
                    directory.note_served(namespace.id);
                    served.push(ServedMessage { namespace: namespace.id, channel, message });
                }
            }
        }
        self.counters.delivered.add(outgoing.len());
        if !outgoing.is_empty() {
            self.broadcaster.post(outgoing);
        }
        drop(directory);
        self.counters.served.add(served.len());
        served
    }

    /// Blocks while a worker lags, see [`Broadcaster::wait`].
    pub(super) fn wait(&self) {
        self.broadcaster.wait();
    }
}

/// Returns what JavaScript's `channel.slice(prefix.length, -1)` does; `None` if the channel has
/// another prefix or is not UTF-8.
fn room_of<'a>(channel: &'a [u8], prefix: &str) -> Option<&'a str> {
    let channel = str::from_utf8(channel).ok()?.strip_prefix(prefix)?;
    let mut characters = channel.chars();
    characters.next_back();
    Some(characters.as_str())
}

/// Encodes the frames of a packet.
fn prepare(packet: &Packet, has_v3: bool) -> PreparedPacket {
    let parts = [&[PacketType::Message.digit()], &*packet.encode()];
    let frame = encode_parts(true, Opcode::Text, &parts, None);
    let attachments: Vec<&[u8]> = packet.attachments.iter().map(Bytes::as_ref).collect();
    PreparedPacket::new(frame, &attachments, has_v3)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use parking_lot::Mutex;

    use super::super::room_directory::Address;
    use super::super::room_name::RoomName;
    use super::super::stats::LinkStats;
    use super::*;

    const OPTIONS: &str = r#"{"rooms":["r"],"except":[],"flags":{}}"#;

    /// A namespace whose room `r` is room 7 of the workers, and whose room `p` JavaScript serves.
    struct Scene {
        receiver: Receiver,
        namespace: Arc<LocalNamespace>,
    }

    impl Scene {
        fn new() -> Self {
            let mut directory = RoomDirectory::default();
            let id = directory.add_namespace();
            directory.set_all(id, Address::Room(1), true);
            let text = |name: &str| RoomName::Text(name.into());
            directory.set_room(id, text("r"), Address::Room(7), None, false);
            directory.set_room(id, text("p"), Address::Nobody, None, true);
            let (directory, counters) = (Arc::new(Mutex::new(directory)), Arc::default());
            let receiver = Receiver::new(directory, Broadcaster::default(), counters);
            let (name, uid, prefix) = ("/".into(), "own".into(), "k#/#".into());
            Self { receiver, namespace: Arc::new(LocalNamespace { id, name, uid, prefix }) }
        }

        fn receive(&mut self, kind: MessageKind, channel: &'static str, message: Bytes) {
            self.receiver.handle(&self.namespace, kind, channel.into(), message);
        }

        /// Posts all messages. Returns the counters, and how many messages JavaScript must serve.
        fn outcome(&mut self) -> (LinkStats, usize) {
            let served = self.receiver.post().len();
            (self.receiver.counters.read(), served)
        }
    }

    fn packet(text: &'static str) -> Packet {
        let packet = crate::proto::socket_io::Decoder::default().handle_text(text.into());
        packet
            .ok()
            .flatten()
            .unwrap_or_else(|| Packet::new(crate::proto::socket_io::PacketType::Event))
    }

    fn classic(uid: &str, text: &'static str, options: &str) -> Bytes {
        Broadcast::encode_parts(uid, &packet(text), options.as_bytes()).unwrap_or_default()
    }

    fn sharded(uid: &str, namespace: &str) -> Bytes {
        let packet = packet(r#"2["e"]"#);
        ClusterBroadcast::encode_parts(uid, namespace, &packet, OPTIONS.as_bytes())
            .unwrap_or_default()
    }

    #[test]
    fn a_broadcast_is_posted_to_the_workers_alone() {
        let mut scene = Scene::new();
        scene.receive(MessageKind::Broadcast, "k#/#r#", classic("a", r#"2["e"]"#, OPTIONS));
        scene.receive(MessageKind::Broadcast, "k#/#", classic("a", r#"2["e"]"#, OPTIONS));
        scene.receive(MessageKind::Sharded, "k#/#", sharded("a", "/"));
        let expected = LinkStats { delivered: 3, ..LinkStats::default() };
        assert_eq!(scene.outcome(), (expected, 0));
    }

    #[test]
    fn a_message_for_another_node_is_not_decoded() {
        let mut scene = Scene::new();
        let nonsense = || Bytes::from_static(b"\xc1");
        scene.receive(MessageKind::Broadcast, "k#/#unknown#", nonsense());
        scene.receive(MessageKind::Broadcast, "other#/#r#", nonsense());
        scene.receive(MessageKind::Broadcast, "k#/#r#", classic("a", r#"2/n,["e"]"#, OPTIONS));
        scene.receive(MessageKind::Sharded, "k#/#", sharded("a", "/n"));
        let unknown = OPTIONS.replace("[\"r\"]", "[\"unknown\"]");
        scene.receive(MessageKind::Broadcast, "k#/#", classic("a", r#"2["e"]"#, &unknown));
        let expected = LinkStats { filtered: 5, ..LinkStats::default() };
        assert_eq!(scene.outcome(), (expected, 0));
    }

    #[test]
    fn the_own_broadcasts_of_a_node_are_not_sent_again() {
        let mut scene = Scene::new();
        scene.receive(MessageKind::Broadcast, "k#/#r#", classic("own", r#"2["e"]"#, OPTIONS));
        scene.receive(MessageKind::Sharded, "k#/#", sharded("own", "/"));
        assert_eq!(scene.outcome(), (LinkStats { own: 2, ..LinkStats::default() }, 0));
    }

    #[test]
    fn a_malformed_message_is_dropped_and_counted() {
        let mut scene = Scene::new();
        let whole = classic("a", r#"2["e"]"#, OPTIONS);
        for end in 0..whole.len() {
            scene.receive(MessageKind::Broadcast, "k#/#", whole.slice(..end));
        }
        for message in [&b"\xdd\xff\xff\xff\xff\x01"[..], b"{", b"\xc6\xff\xff\xff\xff"] {
            scene.receive(MessageKind::Broadcast, "k#/#", Bytes::from_static(message));
            scene.receive(MessageKind::Sharded, "k#/#", Bytes::from_static(message));
        }
        let malformed = whole.len() as u64 + 6;
        assert_eq!(scene.outcome(), (LinkStats { malformed, ..LinkStats::default() }, 0));
    }

    #[test]
    fn no_broadcast_overtakes_a_message_that_javascript_serves() {
        let mut scene = Scene::new();
        let broadcast = || classic("a", r#"2["e"]"#, OPTIONS);
        let polling = OPTIONS.replace("[\"r\"]", "[\"p\"]");
        scene.receive(MessageKind::Broadcast, "k#/#r#", broadcast());
        scene.receive(MessageKind::Broadcast, "k#/#p#", classic("a", r#"2["e"]"#, &polling));
        scene.receive(MessageKind::Broadcast, "k#/#r#", broadcast());
        let expected = LinkStats { delivered: 1, served: 2, ..LinkStats::default() };
        assert_eq!(scene.outcome(), (expected, 2));
        for _ in 0..2 {
            scene.receiver.directory.lock().note_handled(scene.namespace.id);
        }
        scene.receive(MessageKind::Broadcast, "k#/#r#", broadcast());
        scene.receive(MessageKind::Request, "k-request#/#", Bytes::from_static(b"{}"));
        scene.receive(MessageKind::Broadcast, "k#/#r#", broadcast());
        let expected = LinkStats { delivered: 2, served: 4, ..LinkStats::default() };
        assert_eq!(scene.outcome(), (expected, 2));
    }

    #[test]
    fn a_room_may_be_created_by_a_message_that_is_not_handled_yet() {
        let mut scene = Scene::new();
        let options = OPTIONS.replace("[\"r\"]", "[\"fresh\"]");
        let broadcast = || classic("a", r#"2["e"]"#, &options);
        scene.receive(MessageKind::Request, "k-request#/#", Bytes::from_static(b"{}"));
        scene.receive(MessageKind::Broadcast, "k#/#fresh#", broadcast());
        let expected = LinkStats { served: 2, ..LinkStats::default() };
        assert_eq!(scene.outcome(), (expected, 2));
        scene.receive(MessageKind::Broadcast, "k#/#fresh#", broadcast());
        let expected = LinkStats { served: 3, ..LinkStats::default() };
        assert_eq!(scene.outcome(), (expected, 1));
        for _ in 0..3 {
            scene.receiver.directory.lock().note_handled(scene.namespace.id);
        }
        scene.receive(MessageKind::Broadcast, "k#/#fresh#", broadcast());
        let expected = LinkStats { served: 3, filtered: 1, ..LinkStats::default() };
        assert_eq!(scene.outcome(), (expected, 0));
    }

    #[test]
    fn a_receiver_is_full_beyond_its_limit_of_bytes() {
        let mut scene = Scene::new();
        let request = Bytes::from(vec![0; MAX_PENDING_BYTES]);
        scene.receive(MessageKind::Request, "k-request#/#", request);
        assert!(!scene.receiver.is_full() && !scene.receiver.is_empty());
        scene.receive(MessageKind::Request, "k-request#/#", Bytes::from_static(b"{"));
        assert!(scene.receiver.is_full());
        assert_eq!(scene.receiver.post().len(), 2);
        assert!(!scene.receiver.is_full() && scene.receiver.is_empty());
    }

    #[test]
    fn a_room_stands_between_the_prefix_and_the_last_character() {
        for (channel, room) in
            [("k#/#", Some("")), ("k#/#a#b#", Some("a#b")), ("k#/#é", Some("")), ("k#/", None)]
        {
            assert_eq!(room_of(channel.as_bytes(), "k#/#"), room);
        }
        assert_eq!(room_of(b"k#/#\xff#", "k#/#"), None);
    }
}
