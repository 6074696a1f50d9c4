//! Decodes the input as an Engine.IO payload. The packets must be encoded to a
//! payload that decodes to the same, and what reads as a handshake to a handshake.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use socket_io_turbo::proto::engine_io::{Handshake, Packet, PayloadDecoder, encode_payload};

fuzz_target!(|input: &[u8]| {
    let decoded = PayloadDecoder::new(Bytes::copy_from_slice(input));
    let packets: Vec<Packet> = decoded.map_while(Result::ok).collect();
    packets.iter().for_each(check_handshake);
    if !packets.is_empty() {
        let again: Result<Vec<_>, _> = PayloadDecoder::new(encode_payload(&packets)).collect();
        assert_eq!(again, Ok(packets));
    }
});

fn check_handshake(packet: &Packet) {
    let Packet::Text { data, .. } = packet else {
        return;
    };
    let Ok(handshake) = Handshake::decode(data) else {
        return;
    };
    let Packet::Text { data, .. } = handshake.encode() else {
        panic!("a handshake is text");
    };
    assert_eq!(Handshake::decode(&data), Ok(handshake));
}
