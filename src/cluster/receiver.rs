//! What becomes of a message that has come.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use super::outbox::{Outbox, Outgoing as ToApplication};
use super::room_directory::Recipience;
use super::stats::{Counter, Counters};
use super::subscriptions::Kind;
use super::{NamespaceId, RoomDirectory};
use crate::fanout::PreparedPacket;
use crate::net::{Broadcaster, OutgoingBroadcast};
use crate::proto::cluster::{Broadcast, ClusterBroadcast, Options};
use crate::proto::engine_io::PacketType;
use crate::proto::socket_io::{Namespace, Packet};
use crate::proto::websocket::{Opcode, encode_parts};

/// Messages that have come are posted at the latest when they have so many bytes.
const MAX_PENDING_BYTES: usize = 4 * 1024 * 1024;

/// A namespace on this node.
#[derive(Debug)]
pub struct LocalNamespace {
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
    directory: Arc<Mutex<RoomDirectory>>,
    broadcaster: Broadcaster,
    outbox: Arc<Outbox>,
    counters: Arc<Counters>,
    pending: Vec<Pending>,
    pending_bytes: usize,
    /// How many of them are for the application, which may make rooms of them.
    pending_requests: usize,
}

/// A message, decoded if it is a broadcast.
struct Pending {
    node: Arc<LocalNamespace>,
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
    /// Whether for peers that speak Engine.IO v3, too.
    has_v3: bool,
    options: Options,
}

impl Receiver {
    pub(super) fn new(
        directory: Arc<Mutex<RoomDirectory>>,
        broadcaster: Broadcaster,
        outbox: Arc<Outbox>,
        counters: Arc<Counters>,
    ) -> Self {
        let (pending, pending_bytes, pending_requests) = (Vec::new(), 0, 0);
        Self { directory, broadcaster, outbox, counters, pending, pending_bytes, pending_requests }
    }

    /// A message has come for a node. Whether somebody may want it is the result.
    pub(super) fn handle(
        &mut self,
        node: &Arc<LocalNamespace>,
        kind: Kind,
        channel: Bytes,
        message: Bytes,
    ) -> bool {
        let found = match kind {
            Kind::Broadcast => self.decode(node, &channel, &message),
            Kind::Sharded => self.decode_sharded(node, &message),
            Kind::Request => Found::Other,
        };
        let broadcast = match found {
            Found::Broadcast(decoded) => Some(decoded),
            Found::Other => None,
            Found::Nothing => return false,
        };
        self.pending_bytes += message.len();
        self.pending_requests += usize::from(broadcast.is_none());
        self.pending.push(Pending { node: Arc::clone(node), channel, message, broadcast });
        if self.pending_bytes > MAX_PENDING_BYTES {
            self.post();
        }
        true
    }

    /// @socket.io/redis-adapter, `onmessage`.
    fn decode(&self, node: &LocalNamespace, channel: &[u8], message: &Bytes) -> Found {
        let Some(room) = room_of(channel, &node.prefix) else {
            return ignored(&self.counters.filtered);
        };
        if !room.is_empty() && !self.may_have_room(node, room) {
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

    /// Whether there is a room, or there may be when the application has handled what came before.
    fn may_have_room(&self, node: &LocalNamespace, room: &str) -> bool {
        let directory = self.directory.lock();
        self.pending_requests > 0
            || directory.is_behind(node.namespace)
            || directory.has_room(node.namespace, room)
    }

    /// socket.io-adapter, `ClusterAdapter.onMessage`.
    fn decode_sharded(&self, node: &LocalNamespace, message: &Bytes) -> Found {
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
        let has_v3 = self.broadcaster.has_v3();
        let prepared = prepare(&packet, has_v3);
        Found::Broadcast(Box::new(Decoded { packet, prepared, has_v3, options }))
    }

    /// Posts what has come. Waits for who is too far behind.
    pub(super) fn post(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        (self.pending_bytes, self.pending_requests) = (0, 0);
        let (mut outgoing, mut passed) = (Vec::new(), Vec::new());
        let mut directory = self.directory.lock();
        for pending in self.pending.drain(..) {
            let found = match &pending.broadcast {
                Some(decoded) => directory.find(pending.node.namespace, &decoded.options),
                None => Recipience::Application,
            };
            match (found, pending.broadcast) {
                (Recipience::Direct(recipients, workers), Some(decoded)) => {
                    let packet = if decoded.has_v3 == self.broadcaster.has_v3() {
                        decoded.prepared
                    } else {
                        // The first such peer has come meanwhile.
                        prepare(&decoded.packet, true)
                    };
                    let is_volatile = decoded.options.flags.is_volatile();
                    outgoing.push(OutgoingBroadcast { packet, recipients, is_volatile, workers });
                }
                (Recipience::Nobody, _) => self.counters.filtered.add(1),
                (Recipience::Application | Recipience::Direct(..), _) => {
                    directory.pass(pending.node.namespace);
                    passed.push(ToApplication::Message {
                        namespace: pending.node.namespace,
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

    use super::super::room_directory::{Address, RoomName};
    use super::super::stats::LinkStats;
    use super::*;

    const OPTIONS: &str = r#"{"rooms":["r"],"except":[],"flags":{}}"#;

    /// A node whose room `r` is the workers' seventh, and whose room `p` is the application's.
    struct Scene {
        receiver: Receiver,
        node: Arc<LocalNamespace>,
    }

    impl Scene {
        fn new() -> Self {
            let mut directory = RoomDirectory::default();
            let namespace = directory.add_namespace();
            directory.set_all(namespace, Address::Room(1), true);
            let text = |name: &str| RoomName::Text(name.into());
            directory.set_room(namespace, text("r"), Address::Room(7), None, false);
            directory.set_room(namespace, text("p"), Address::Nobody, None, true);
            let (directory, outbox) = (Arc::new(Mutex::new(directory)), Outbox::new(|| ()));
            let (outbox, counters) = (Arc::new(outbox), Arc::<Counters>::default());
            let receiver = Receiver::new(directory, Broadcaster::default(), outbox, counters);
            let (name, uid, prefix) = ("/".into(), "own".into(), "k#/#".into());
            Self { receiver, node: Arc::new(LocalNamespace { namespace, name, uid, prefix }) }
        }

        fn receive(&mut self, kind: Kind, channel: &'static str, message: Bytes) {
            self.receiver.handle(&self.node, kind, channel.into(), message);
        }

        /// What has become of all that has come.
        fn outcome(&mut self) -> (LinkStats, usize) {
            self.receiver.post();
            (self.receiver.counters.read(), self.receiver.outbox.take().len())
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
    fn a_broadcast_goes_to_the_workers_alone() {
        let mut scene = Scene::new();
        scene.receive(Kind::Broadcast, "k#/#r#", classic("a", r#"2["e"]"#, OPTIONS));
        scene.receive(Kind::Broadcast, "k#/#", classic("a", r#"2["e"]"#, OPTIONS));
        scene.receive(Kind::Sharded, "k#/#", sharded("a", "/"));
        let expected = LinkStats { delivered: 3, ..LinkStats::default() };
        assert_eq!(scene.outcome(), (expected, 0));
    }

    #[test]
    fn what_is_not_for_this_node_is_not_decoded() {
        let mut scene = Scene::new();
        let nonsense = || Bytes::from_static(b"\xc1");
        scene.receive(Kind::Broadcast, "k#/#unknown#", nonsense());
        scene.receive(Kind::Broadcast, "other#/#r#", nonsense());
        scene.receive(Kind::Broadcast, "k#/#r#", classic("a", r#"2/n,["e"]"#, OPTIONS));
        scene.receive(Kind::Sharded, "k#/#", sharded("a", "/n"));
        let unknown = OPTIONS.replace("[\"r\"]", "[\"unknown\"]");
        scene.receive(Kind::Broadcast, "k#/#", classic("a", r#"2["e"]"#, &unknown));
        let expected = LinkStats { filtered: 5, ..LinkStats::default() };
        assert_eq!(scene.outcome(), (expected, 0));
    }

    #[test]
    fn what_this_node_has_published_is_not_sent_again() {
        let mut scene = Scene::new();
        scene.receive(Kind::Broadcast, "k#/#r#", classic("own", r#"2["e"]"#, OPTIONS));
        scene.receive(Kind::Sharded, "k#/#", sharded("own", "/"));
        assert_eq!(scene.outcome(), (LinkStats { own: 2, ..LinkStats::default() }, 0));
    }

    #[test]
    fn what_is_no_message_is_dropped_and_counted() {
        let mut scene = Scene::new();
        let whole = classic("a", r#"2["e"]"#, OPTIONS);
        for end in 0..whole.len() {
            scene.receive(Kind::Broadcast, "k#/#", whole.slice(..end));
        }
        for message in [&b"\xdd\xff\xff\xff\xff\x01"[..], b"{", b"\xc6\xff\xff\xff\xff"] {
            scene.receive(Kind::Broadcast, "k#/#", Bytes::from_static(message));
            scene.receive(Kind::Sharded, "k#/#", Bytes::from_static(message));
        }
        let malformed = whole.len() as u64 + 6;
        assert_eq!(scene.outcome(), (LinkStats { malformed, ..LinkStats::default() }, 0));
    }

    #[test]
    fn nothing_overtakes_what_the_application_has() {
        let mut scene = Scene::new();
        let broadcast = || classic("a", r#"2["e"]"#, OPTIONS);
        let polling = OPTIONS.replace("[\"r\"]", "[\"p\"]");
        scene.receive(Kind::Broadcast, "k#/#r#", broadcast());
        scene.receive(Kind::Broadcast, "k#/#p#", classic("a", r#"2["e"]"#, &polling));
        scene.receive(Kind::Broadcast, "k#/#r#", broadcast());
        let expected = LinkStats { delivered: 1, passed: 2, ..LinkStats::default() };
        assert_eq!(scene.outcome(), (expected, 2));
        for _ in 0..2 {
            scene.receiver.directory.lock().handled(scene.node.namespace);
        }
        scene.receive(Kind::Broadcast, "k#/#r#", broadcast());
        scene.receive(Kind::Request, "k-request#/#", Bytes::from_static(b"{}"));
        scene.receive(Kind::Broadcast, "k#/#r#", broadcast());
        let expected = LinkStats { delivered: 2, passed: 4, ..LinkStats::default() };
        assert_eq!(scene.outcome(), (expected, 2));
    }

    #[test]
    fn a_room_may_come_of_what_the_application_has_not_handled() {
        let mut scene = Scene::new();
        let options = OPTIONS.replace("[\"r\"]", "[\"fresh\"]");
        let broadcast = || classic("a", r#"2["e"]"#, &options);
        scene.receive(Kind::Request, "k-request#/#", Bytes::from_static(b"{}"));
        scene.receive(Kind::Broadcast, "k#/#fresh#", broadcast());
        let expected = LinkStats { passed: 2, ..LinkStats::default() };
        assert_eq!(scene.outcome(), (expected, 2));
        scene.receive(Kind::Broadcast, "k#/#fresh#", broadcast());
        let expected = LinkStats { passed: 3, ..LinkStats::default() };
        assert_eq!(scene.outcome(), (expected, 1));
        for _ in 0..3 {
            scene.receiver.directory.lock().handled(scene.node.namespace);
        }
        scene.receive(Kind::Broadcast, "k#/#fresh#", broadcast());
        let expected = LinkStats { passed: 3, filtered: 1, ..LinkStats::default() };
        assert_eq!(scene.outcome(), (expected, 0));
    }

    #[test]
    fn messages_of_many_bytes_are_posted_at_once() {
        let mut scene = Scene::new();
        scene.receive(Kind::Request, "k-request#/#", Bytes::from(vec![0; MAX_PENDING_BYTES]));
        assert!(!scene.receiver.pending.is_empty());
        scene.receive(Kind::Request, "k-request#/#", Bytes::from_static(b"{"));
        assert!(scene.receiver.pending.is_empty());
    }

    #[test]
    fn a_room_is_what_stands_between_the_prefix_and_the_last_character() {
        for (channel, room) in
            [("k#/#", Some("")), ("k#/#a#b#", Some("a#b")), ("k#/#é", Some("")), ("k#/", None)]
        {
            assert_eq!(room_of(channel.as_bytes(), "k#/#"), room);
        }
        assert_eq!(room_of(b"k#/#\xff#", "k#/#"), None);
    }
}
