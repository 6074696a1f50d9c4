//! Socket.IO packets survive encoding and decoding, and no input breaks the decoder.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};
use socket_io_turbo::proto::socket_io::{Decoder, Namespace, Packet, PacketType, Payload};

/// Decodes the messages of one packet.
fn decode(text: Bytes, attachments: &[Bytes]) -> Option<Packet> {
    let mut decoder = Decoder::default();
    let mut decoded = decoder.handle_text(text);
    for attachment in attachments {
        assert_eq!(decoded, Ok(None));
        decoded = decoder.handle_binary(attachment.clone());
    }
    decoded.ok().flatten()
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec((any::<String>(), inner), 0..6).prop_map(|entries| entries.into_iter().collect()),
        ]
    })
}

/// A payload that fits the type; placeholders for `attachments` stand at its end.
fn payload(packet_type: PacketType, value: Value, attachments: usize) -> Option<Value> {
    let placeholders = (0..attachments).map(|num| json!({ "_placeholder": true, "num": num }));
    match packet_type {
        PacketType::Connect => Some(json!({ "auth": value })),
        PacketType::Disconnect => None,
        PacketType::ConnectError => Some(json!({ "message": value })),
        PacketType::Event | PacketType::BinaryEvent => {
            Some([json!("event"), value].into_iter().chain(placeholders).collect())
        }
        PacketType::Ack | PacketType::BinaryAck => {
            Some([value].into_iter().chain(placeholders).collect())
        }
    }
}

fn packet() -> impl Strategy<Value = Packet> {
    let packet_type = (b'0'..=b'6').prop_filter_map("a packet type", PacketType::from_digit);
    let namespace = "(/[^,]{0,12})?";
    let attachments = vec(vec(any::<u8>(), 0..16), 1..=10);
    (packet_type, namespace, option::of(any::<u64>()), option::of(value()), attachments).prop_map(
        |(packet_type, namespace, ack_id, value, attachments)| {
            let attachments = if packet_type.is_binary() { attachments } else { Vec::new() };
            let json = value.and_then(|value| payload(packet_type, value, attachments.len()));
            let json = json.map(|json| Bytes::from(json.to_string()));
            Packet {
                packet_type,
                namespace: Namespace::new(namespace).unwrap_or_default(),
                ack_id,
                payload: json.and_then(|json| Payload::parse(packet_type, json).ok()),
                attachments: attachments.into_iter().map(Bytes::from).collect(),
            }
        },
    )
}

/// Text made of what means something to the decoder.
fn packet_like_text() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        "[0-9]",
        "[-/,\\[\\]{}:\" .eE\\\\u]",
        Just("[\"e\"".to_owned()),
        Just("\"connect\"".to_owned()),
        Just("{\"_placeholder\":true,\"num\":".to_owned()),
        any::<char>().prop_map(String::from),
    ];
    vec(token, 0..24).prop_map(|tokens| tokens.concat())
}

/// Asserts that a decoded packet is encoded to messages that decode to the same.
fn check_input(text: Bytes) {
    let mut decoder = Decoder::default();
    let mut decoded = decoder.handle_text(text);
    while decoder.awaited_attachments() > 0 {
        decoded = decoder.handle_binary(Bytes::from_static(b"attachment"));
    }
    if let Ok(Some(packet)) = decoded {
        assert_eq!(decode(packet.encode(), &packet.attachments), Some(packet));
    }
}

proptest! {
    #[test]
    fn a_packet_decodes_to_itself(packet in packet()) {
        prop_assert_eq!(decode(packet.encode(), &packet.attachments), Some(packet));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..64)) {
        check_input(Bytes::from(bytes));
    }

    #[test]
    fn texts_that_look_like_packets_never_panic(text in packet_like_text()) {
        check_input(Bytes::from(text));
    }

    #[test]
    fn a_packet_cut_anywhere_never_panics(packet in packet(), cut in any::<prop::sample::Index>()) {
        let text = packet.encode();
        check_input(text.slice(..cut.index(text.len())));
    }

    #[test]
    fn payloads_are_what_serde_json_parses(text in "[\\[{]?[-0-9a-z\\[\\]{}:,.\" \\\\]{0,12}[\\]}]?") {
        let parsed = serde_json::from_str::<Value>(&text);
        // Value refuses what has no Rust value: lone surrogates and huge numbers.
        prop_assume!(parsed.is_ok() || !text.contains(['\\', 'e', 'E']));
        let is_array = parsed.is_ok_and(|value| value.is_array()) && text.starts_with('[');
        prop_assert_eq!(Payload::parse(PacketType::Ack, Bytes::from(text)).is_ok(), is_array);
    }
}
