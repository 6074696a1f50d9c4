//! Broadcasts survive encoding and decoding, and no message makes the decoder panic.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};
use socket_io_turbo::proto::cluster::{Broadcast, ClusterBroadcast, Options, Room};
use socket_io_turbo::proto::socket_io::{Namespace, Packet, PacketType, Payload};

/// Generates a value whose JSON is the same in JavaScript: no fractions, no keys that are indices.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-(1_i64 << 53)..1 << 53).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 20, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..20).prop_map(Value::from),
            vec(("k.*", inner), 0..20).prop_map(|entries| entries.into_iter().collect()),
        ]
    })
}

fn packet() -> impl Strategy<Value = Packet> {
    let attachments = vec(vec(any::<u8>(), 0..300).prop_map(Bytes::from), 0..4);
    let ack_id = option::of(0..1_u64 << 53);
    ("(/[^,]{0,12})?", ack_id, value(), attachments).prop_map(
        |(namespace, ack_id, value, attachments)| {
            let packet_type = PacketType::Event.on_wire(!attachments.is_empty());
            let nums = 0..attachments.len();
            let placeholders = nums.map(|num| json!({ "_placeholder": true, "num": num }));
            let data: Value = [json!("e"), value].into_iter().chain(placeholders).collect();
            Packet {
                packet_type,
                namespace: Namespace::new(namespace).unwrap_or_default(),
                ack_id,
                payload: Payload::parse(packet_type, Bytes::from(data.to_string())).ok(),
                attachments,
            }
        },
    )
}

fn rooms() -> impl Strategy<Value = Value> {
    let room =
        prop_oneof![any::<String>().prop_map(Value::from), any::<i32>().prop_map(Value::from)];
    vec(prop_oneof![room, Just(Value::Null)], 0..20).prop_map(Value::from)
}

/// The arguments of an encoder.
#[derive(Clone, Debug)]
struct Parts {
    uid: String,
    packet: Packet,
    options: Value,
}

fn parts() -> impl Strategy<Value = Parts> {
    let flags = prop_oneof![
        Just(json!({ "volatile": true })),
        Just(json!({ "compress": false })),
        Just(json!({}))
    ];
    (any::<String>(), packet(), rooms(), rooms(), flags).prop_map(
        |(uid, packet, rooms, except, flags)| {
            let options = json!({ "rooms": rooms, "except": except, "flags": flags });
            Parts { uid, packet, options }
        },
    )
}

impl Parts {
    #[expect(clippy::expect_used, reason = "clippy takes only #[test] functions for tests")]
    fn encode(&self) -> Bytes {
        let options = self.options.to_string();
        Broadcast::encode_parts(&self.uid, &self.packet, options.as_bytes()).expect("it is encoded")
    }

    /// Encodes a message of the sharded protocol, for the namespace of the packet.
    #[expect(clippy::expect_used, reason = "clippy takes only #[test] functions for tests")]
    fn encode_sharded(&self) -> Bytes {
        let (options, namespace) = (self.options.to_string(), self.packet.namespace.as_str());
        ClusterBroadcast::encode_parts(&self.uid, namespace, &self.packet, options.as_bytes())
            .expect("it is encoded")
    }
}

/// Returns the rooms of a list in the options.
fn rooms_of(list: &Value) -> Vec<Room> {
    let room = |room: &Value| match room {
        Value::String(name) => Room::Text(name.as_str().into()),
        Value::Number(number) => number.as_f64().map_or(Room::Other, Room::Number),
        Value::Bool(boolean) => Room::Boolean(*boolean),
        Value::Null => Room::Null,
        _ => Room::Other,
    };
    list.as_array().into_iter().flatten().map(room).collect()
}

fn check_options(options: &Options, expected: &Value) {
    assert_eq!(options.rooms, rooms_of(&expected["rooms"]));
    assert_eq!(options.except, rooms_of(&expected["except"]));
    assert_eq!(options.flags.is_volatile(), expected["flags"]["volatile"] == true);
}

/// Generates a broadcast of either protocol with some bytes replaced.
fn broken_message() -> impl Strategy<Value = Vec<u8>> {
    let replacement = (any::<prop::sample::Index>(), any::<u8>());
    (parts(), any::<bool>(), vec(replacement, 1..6)).prop_map(
        |(parts, is_sharded, replacements)| {
            let message = if is_sharded { parts.encode_sharded() } else { parts.encode() };
            let mut message = Vec::from(message);
            for (at, byte) in replacements {
                if !message.is_empty() {
                    let at = at.index(message.len());
                    message[at] = byte;
                }
            }
            message
        },
    )
}

/// Encodes and decodes a packet. Returns `None` if it cannot be encoded, because it has what looks
/// like a placeholder beside its attachments.
#[expect(clippy::expect_used, reason = "clippy takes only #[test] functions for tests")]
fn round_trip(packet: &Packet) -> Option<Packet> {
    let encoded = Broadcast::encode_parts("u", packet, b"{}").ok()?;
    Some(Broadcast::decode(&encoded).expect("an encoded broadcast decodes").packet)
}

/// Does the same by the sharded protocol, for packets of `/` without an ack id.
#[expect(clippy::expect_used, reason = "clippy takes only #[test] functions for tests")]
fn sharded_round_trip(packet: &Packet) -> Option<Packet> {
    let encoded = ClusterBroadcast::encode_parts("u", "/", packet, b"{}").ok()?;
    let decoded = ClusterBroadcast::decode(&encoded).expect("an encoded broadcast decodes");
    Some(decoded.expect("it awaits no acknowledgement").packet)
}

/// Checks that a message which decodes has a valid payload. Encoding loses what notepack.io loses,
/// the upper bits of huge integers; a second round trip must lose nothing.
fn check_message(message: Vec<u8>) {
    let message = Bytes::from(message);
    if let Ok(Broadcast { packet, .. }) = Broadcast::decode(&message) {
        check_packet(&packet, round_trip);
    }
    if let Ok(Some(ClusterBroadcast { packet, .. })) = ClusterBroadcast::decode(&message) {
        check_packet(&packet, sharded_round_trip);
    }
}

fn check_packet(packet: &Packet, round_trip: impl Fn(&Packet) -> Option<Packet>) {
    if let Some(payload) = &packet.payload {
        let parsed = Payload::parse(packet.packet_type, payload.as_bytes().clone());
        assert_eq!(parsed.as_ref(), Ok(payload));
    }
    if let Some(once) = round_trip(packet) {
        assert_eq!(round_trip(&once), Some(once));
    }
}

proptest! {
    #[test]
    fn a_broadcast_decodes_to_itself(parts in parts()) {
        let message = parts.encode();
        prop_assert_eq!(Broadcast::peek_uid(&message), Some(parts.uid.as_bytes()));
        let Broadcast { uid, packet, options } = Broadcast::decode(&message).unwrap();
        prop_assert_eq!((uid.as_deref(), packet), (Some(&*parts.uid), parts.packet));
        check_options(&options, &parts.options);
    }

    #[test]
    fn a_broadcast_of_the_sharded_protocol_decodes_to_itself(parts in parts()) {
        let message = parts.encode_sharded();
        prop_assert_eq!(message.starts_with(b"{"), parts.packet.attachments.is_empty());
        let decoded = ClusterBroadcast::decode(&message).unwrap();
        prop_assert_eq!(decoded.is_none(), parts.packet.ack_id.is_some());
        if let Some(ClusterBroadcast { uid, namespace: name, packet, options }) = decoded {
            let namespace = parts.packet.namespace.clone();
            prop_assert_eq!(uid.as_deref(), Some(&*parts.uid));
            prop_assert_eq!(name.as_deref(), Some(namespace.as_str()));
            prop_assert_eq!(Packet { namespace, ..packet }, parts.packet);
            check_options(&options, &parts.options);
        }
    }

    #[test]
    fn a_message_cut_anywhere_is_refused(parts in parts(), cut in any::<prop::sample::Index>()) {
        let message = parts.encode();
        prop_assert!(Broadcast::decode(&message.slice(..cut.index(message.len()))).is_err());
        let message = parts.encode_sharded();
        prop_assert!(ClusterBroadcast::decode(&message.slice(..cut.index(message.len()))).is_err());
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..64)) {
        check_message(bytes);
    }

    #[test]
    fn broken_messages_never_panic(message in broken_message()) {
        check_message(message);
    }
}
