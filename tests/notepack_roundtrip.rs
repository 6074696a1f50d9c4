//! Broadcasts survive encoding and decoding, and no message breaks the decoder.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};
use socket_io_turbo::proto::notepack::{Broadcast, Flags, Options, Room};
use socket_io_turbo::proto::socket_io::{Namespace, Packet, PacketType, Payload};

/// A value whose JSON is the same in JavaScript: no fractions, no keys that are indices.
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

fn rooms() -> impl Strategy<Value = Vec<Room>> {
    let room = prop_oneof![
        any::<String>().prop_map(|name| Room::Text(name.into())),
        any::<i32>().prop_map(|number| Room::Number(number.into())),
        Just(Room::Other),
    ];
    vec(room, 0..20)
}

fn options() -> impl Strategy<Value = Options> {
    let flags =
        prop_oneof![Just(r#"{"volatile":true}"#), Just(r#"{"compress":false}"#), Just("{}")];
    (rooms(), rooms(), flags).prop_map(|(rooms, except, flags)| {
        let flags = Flags::parse(Bytes::from_static(flags.as_bytes())).unwrap_or_default();
        Options { rooms, except, flags }
    })
}

fn broadcast() -> impl Strategy<Value = Broadcast> {
    (option::of(any::<String>()), packet(), options()).prop_map(|(uid, packet, options)| {
        Broadcast { uid: uid.map(|uid| uid.into()), packet, options }
    })
}

/// Bytes of a broadcast with some of them replaced.
fn broken_message() -> impl Strategy<Value = Vec<u8>> {
    let replacement = (any::<prop::sample::Index>(), any::<u8>());
    (broadcast(), vec(replacement, 1..6)).prop_map(|(broadcast, replacements)| {
        let mut message = broadcast.encode().map(Vec::from).unwrap_or_default();
        for (at, byte) in replacements {
            if !message.is_empty() {
                let at = at.index(message.len());
                message[at] = byte;
            }
        }
        message
    })
}

/// The packet of a broadcast that has been encoded and decoded; `None` if it cannot be,
/// as what looks like a placeholder stands beside its attachments.
#[expect(clippy::expect_used, reason = "clippy takes only #[test] functions for tests")]
fn round_trip(broadcast: &Broadcast) -> Option<Broadcast> {
    let encoded = broadcast.encode().ok()?;
    Some(Broadcast::decode(&encoded).expect("an encoded broadcast decodes"))
}

/// What decodes has a valid payload. Encoded, it loses what notepack.io loses, the upper
/// bits of huge integers; what then decodes survives being encoded.
fn check_message(message: Vec<u8>) {
    let Ok(broadcast) = Broadcast::decode(&Bytes::from(message)) else {
        return;
    };
    let packet = &broadcast.packet;
    if let Some(payload) = &packet.payload {
        let parsed = Payload::parse(packet.packet_type, payload.as_bytes().clone());
        assert_eq!(parsed.as_ref(), Ok(payload));
    }
    if let Some(once) = round_trip(&broadcast) {
        assert_eq!(round_trip(&once).map(|twice| twice.packet), Some(once.packet));
    }
}

proptest! {
    #[test]
    fn a_broadcast_decodes_to_itself(broadcast in broadcast()) {
        let message = broadcast.encode().unwrap();
        prop_assert_eq!(Broadcast::peek_uid(&message), broadcast.uid.as_deref().map(str::as_bytes));
        prop_assert_eq!(Broadcast::decode(&message), Ok(broadcast));
    }

    #[test]
    fn a_message_cut_anywhere_is_refused(
        broadcast in broadcast(),
        cut in any::<prop::sample::Index>(),
    ) {
        let message = broadcast.encode().unwrap();
        prop_assert!(Broadcast::decode(&message.slice(..cut.index(message.len()))).is_err());
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
