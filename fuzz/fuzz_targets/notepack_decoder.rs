//! Decodes the input as a broadcast from another node.
//! What decodes must have a valid payload. Encoded, it loses what notepack.io loses, the
//! upper bits of huge integers; what then decodes must survive being encoded.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use socket_io_turbo::proto::notepack::Broadcast;
use socket_io_turbo::proto::socket_io::{Packet, Payload};

fuzz_target!(|input: &[u8]| {
    let message = Bytes::copy_from_slice(input);
    if let Ok(broadcast) = Broadcast::decode(&message) {
        let uid = Broadcast::peek_uid(&message);
        assert_eq!(uid.is_some(), broadcast.uid.is_some());
        check(broadcast.packet, |packet| {
            let encoded = Broadcast::encode_parts("u", &packet, b"{}").ok()?;
            Some(Broadcast::decode(&encoded).expect("an encoded broadcast decodes").packet)
        });
    }
});

fn check(packet: Packet, round_trip: impl Fn(Packet) -> Option<Packet>) {
    assert_eq!(packet.packet_type.is_binary(), !packet.attachments.is_empty());
    if let Some(payload) = &packet.payload {
        let parsed = Payload::parse(packet.packet_type, payload.as_bytes().clone());
        assert_eq!(parsed.as_ref(), Ok(payload));
    }
    check_round_trip(packet, round_trip);
}

/// A packet with what looks like a placeholder beside its attachments may not be encoded.
fn check_round_trip<T: Clone + PartialEq + std::fmt::Debug>(
    decoded: T,
    round_trip: impl Fn(T) -> Option<T>,
) {
    if let Some(once) = round_trip(decoded) {
        assert_eq!(round_trip(once.clone()), Some(once));
    }
}
