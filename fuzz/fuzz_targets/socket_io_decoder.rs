//! Feeds messages to the Socket.IO decoder: the input is split at each 0xff, which
//! no UTF-8 text holds, and a message that starts with 0xfe is an attachment. What
//! decodes must be encoded to messages that decode to the same packet.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use socket_io_turbo::proto::socket_io::{DEFAULT_MAX_ATTACHMENTS, Decoder, Packet};

fuzz_target!(|input: &[u8]| {
    let mut decoder = Decoder::default();
    for message in input.split(|&byte| byte == 0xff) {
        let decoded = match message.strip_prefix(b"\xfe") {
            Some(attachment) => decoder.handle_binary(Bytes::copy_from_slice(attachment)),
            None => decoder.handle_text(Bytes::copy_from_slice(message)),
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
