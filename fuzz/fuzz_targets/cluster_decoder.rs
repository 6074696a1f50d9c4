//! Decodes the input as a broadcast of another node, by either protocol. A decoded packet must have
//! a valid payload. Encoding loses what notepack.io loses, the upper bits of huge integers; a second
//! round trip must lose nothing. JSON must have the values that serde_json finds.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use socket_io_turbo::proto::cluster::{Broadcast, ClusterBroadcast, DecodeError, Room};
use socket_io_turbo::proto::socket_io::{Packet, Payload};

fuzz_target!(|input: &[u8]| {
    let message = Bytes::copy_from_slice(input);
    if let Ok(broadcast) = Broadcast::decode(&message) {
        let uid = Broadcast::peek_uid(&message);
        assert_eq!(uid.is_some(), broadcast.uid.is_some());
        check(broadcast.packet, |packet| {
            let encoded = Broadcast::encode_parts("u", packet, b"{}").ok()?;
            Some(Broadcast::decode(&encoded).expect("an encoded broadcast decodes").packet)
        });
    }
    let decoded = ClusterBroadcast::decode(&message);
    if let (b'{', Ok(value)) = (input.first().unwrap_or(&0), serde_json::from_slice(input)) {
        check_json(&decoded, &value);
    }
    if let Ok(Some(broadcast)) = decoded {
        check(broadcast.packet, |packet| {
            let encoded = ClusterBroadcast::encode_parts("u", "/", packet, b"{}").ok()?;
            let decoded = ClusterBroadcast::decode(&encoded).expect("an encoded broadcast decodes");
            Some(decoded.expect("it awaits no acknowledgement").packet)
        });
    }
});

fn check(packet: Packet, round_trip: impl Fn(&Packet) -> Option<Packet>) {
    assert_eq!(packet.packet_type.is_binary(), !packet.attachments.is_empty());
    if let Some(payload) = &packet.payload {
        let parsed = Payload::parse(packet.packet_type, payload.as_bytes().clone());
        assert_eq!(parsed.as_ref(), Ok(payload));
    }
    // A packet with what looks like a placeholder beside its attachments may be refused.
    if let Some(once) = round_trip(&packet) {
        assert_eq!(round_trip(&once), Some(once));
    }
}

/// Compares a decoded message of JSON, without lone surrogates, with its value.
fn check_json(decoded: &Result<Option<ClusterBroadcast>, DecodeError>, message: &Value) {
    let data = &message["data"];
    let packet = &data["packet"];
    let is_broadcast = message["type"].as_f64() == Some(3.0);
    let is_left = data.get("requestId").is_some() || packet["id"] != Value::Null;
    match decoded {
        Ok(None) => assert!(!is_broadcast || is_left),
        Ok(Some(broadcast)) => {
            assert!(is_broadcast && !is_left);
            assert_eq!(broadcast.uid.as_deref(), message["uid"].as_str());
            assert_eq!(broadcast.namespace.as_deref(), message["nsp"].as_str());
            let payload = broadcast.packet.payload.as_ref();
            let payload =
                payload.map_or(Ok(Value::Null), |json| serde_json::from_slice(json.as_bytes()));
            assert_eq!(&payload.expect("a payload is JSON"), &packet["data"]);
            let options = &data["opts"];
            assert_eq!(broadcast.options.rooms, rooms(&options["rooms"]));
            assert_eq!(broadcast.options.except, rooms(&options["except"]));
        }
        Err(_) => assert!(is_broadcast),
    }
}

fn rooms(list: &Value) -> Vec<Room> {
    let room = |room: &Value| match room {
        Value::String(name) => Room::Text(name.as_str().into()),
        Value::Number(number) => number.as_f64().map_or(Room::Other, Room::Number),
        Value::Bool(boolean) => Room::Boolean(*boolean),
        Value::Null => Room::Null,
        _ => Room::Other,
    };
    list.as_array().into_iter().flatten().map(room).collect()
}
