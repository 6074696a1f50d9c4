//! Feeds messages to the Socket.IO decoder: the input is split at each 0xff, which
//! no UTF-8 text holds, and a message that starts with 0xfe is an attachment. What
//! decodes must be encoded to messages that decode to the same packet. What is split into
//! parts must decode to a packet with these parts, or be refused.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use socket_io_turbo::proto::socket_io::{DEFAULT_MAX_ATTACHMENTS, Decoder, Packet, PacketParts};

fuzz_target!(|input: &[u8]| {
    let mut decoder = Decoder::default();
    for message in input.split(|&byte| byte == 0xff) {
        let decoded = match message.strip_prefix(b"\xfe") {
            Some(attachment) => decoder.handle_binary(Bytes::copy_from_slice(attachment)),
            None => {
                check_parts(message);
                decoder.handle_text(Bytes::copy_from_slice(message))
            }
        };
        assert!(decoder.awaited_attachments() <= DEFAULT_MAX_ATTACHMENTS);
        if let Ok(Some(packet)) = decoded {
            check(&packet);
        }
    }
});

fn check(packet: &Packet) {
    assert_eq!(packet.packet_type.is_binary(), !packet.attachments.is_empty());
    assert_eq!(decode(packet).as_ref(), Some(packet));
    let Some(payload) = &packet.payload else {
        return;
    };
    for placeholder in payload.placeholders(packet.attachments.len()).flatten() {
        let object = &payload.as_bytes()[placeholder.range];
        assert!(object.starts_with(b"{") && object.ends_with(b"}"));
        assert!(placeholder.num < packet.attachments.len());
    }
}

fn decode(packet: &Packet) -> Option<Packet> {
    let mut decoder = Decoder::default();
    let mut decoded = decoder.handle_text(packet.encode());
    for attachment in &packet.attachments {
        assert_eq!(decoded, Ok(None));
        decoded = decoder.handle_binary(attachment.clone());
    }
    decoded.expect("an encoded packet decodes")
}

fn check_parts(text: &[u8]) {
    let Some(parts) = PacketParts::split(text) else {
        return;
    };
    let Ok(decoded) = Decoder::default().handle_text(Bytes::copy_from_slice(text)) else {
        return;
    };
    let packet = decoded.expect("neither type has attachments");
    assert_eq!(packet.packet_type, parts.packet_type());
    assert_eq!(packet.namespace.as_str().as_bytes(), parts.namespace(text).unwrap_or(b"/"));
    assert_eq!(packet.ack_id, parts.ack_id().map(u64::from));
    let payload = packet.payload.expect("both types have arguments");
    assert_eq!(payload.as_bytes(), parts.arguments(text));
}
