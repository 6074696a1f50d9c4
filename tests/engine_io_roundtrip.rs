//! Engine.IO packets and payloads survive encoding and decoding, and no input
//! breaks the decoder.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use socket_io_turbo::proto::engine_io::{
    EncodedPacket, Handshake, Packet, PacketType, PayloadDecoder, encode_payload,
};

fn packet() -> impl Strategy<Value = Packet> {
    let packet_type = (b'0'..=b'6').prop_filter_map("a packet type", PacketType::from_digit);
    prop_oneof![
        (packet_type, "[^\u{1e}]{0,16}")
            .prop_map(|(packet_type, data)| Packet::Text { packet_type, data: data.into() }),
        vec(any::<u8>(), 0..64).prop_map(|data| Packet::Binary(data.into())),
    ]
}

proptest! {
    #[test]
    fn a_packet_decodes_to_itself(packet in packet()) {
        let decoded = match packet.encode() {
            EncodedPacket::Text(text) => Packet::decode_text(text),
            EncodedPacket::Binary(data) => Ok(Packet::Binary(data)),
        };
        prop_assert_eq!(decoded, Ok(packet));
    }

    #[test]
    fn a_payload_decodes_to_its_packets(packets in vec(packet(), 1..20)) {
        let decoded: Result<Vec<_>, _> = PayloadDecoder::new(encode_payload(&packets)).collect();
        prop_assert_eq!(decoded, Ok(packets));
    }

    #[test]
    fn arbitrary_payloads_never_panic(bytes in vec(any::<u8>(), 0..64)) {
        PayloadDecoder::new(Bytes::from(bytes)).for_each(drop);
    }

    #[test]
    fn payloads_that_look_right_never_panic(text in "[0-9b\u{1e}A-D=+/ \n]{0,64}") {
        PayloadDecoder::new(Bytes::from(text)).for_each(drop);
    }

    #[test]
    fn a_handshake_decodes_to_itself(
        sid in any::<String>(),
        upgrades in vec(any::<String>(), 0..3),
        numbers in any::<[u64; 3]>(),
    ) {
        let [ping_interval, ping_timeout, max_payload] = numbers;
        let handshake = Handshake { sid, upgrades, ping_interval, ping_timeout, max_payload };
        let Packet::Text { packet_type, data } = handshake.encode() else {
            return Err(TestCaseError::fail("a handshake is text"));
        };
        prop_assert_eq!(packet_type, PacketType::Open);
        prop_assert_eq!(Handshake::decode(&data), Ok(handshake));
    }
}
