//! The headers and payloads of Engine.IO and Socket.IO.

use bytes::Bytes;
use socket_io_turbo::proto::engine_io;
use socket_io_turbo::proto::socket_io::{Decoder, Namespace, Packet, PacketType, Payload};

use crate::Measured;

/// An event of about 60 bytes.
const EVENT: &str = r#"2["message",{"n":12345,"text":"this is message 12345"}]"#;

/// Decodes a message of Engine.IO.
pub fn decode_engine_io_message() -> Measured {
    let text = Bytes::from(format!("4{EVENT}"));
    Measured::new(
        text,
        |text| engine_io::Packet::decode_text(text.clone()),
        |packet| matches!(packet, Ok(engine_io::Packet::Text { data, .. }) if data == EVENT),
    )
}

/// Decodes an event.
pub fn decode_event() -> Measured {
    decoded(EVENT)
}

/// Decodes an event with all that a header can have.
pub fn decode_event_of_namespace() -> Measured {
    decoded(r#"2/tenants/1234,5678["message",{"n":12345,"text":"this is message 12345"}]"#)
}

/// Decodes the text of an event whose attachment is still to come, and that.
pub fn decode_event_with_attachment() -> Measured {
    let text = r#"51-["upload",{"name":"file","data":{"_placeholder":true,"num":0}}]"#;
    let messages = (Decoder::default(), Bytes::from(text), Bytes::from_static(&[0; 1024]));
    Measured::new(
        messages,
        |(decoder, text, attachment)| {
            decoder.handle_text(text.clone())?;
            decoder.handle_binary(attachment.clone())
        },
        |packet| matches!(packet, Ok(Some(packet)) if packet.attachments.len() == 1),
    )
}

/// Encodes an event of a namespace, with an ack id.
pub fn encode_event() -> Measured {
    let packet = Packet {
        packet_type: PacketType::Event,
        namespace: Namespace::new("/tenants/1234").unwrap_or_else(Namespace::main),
        ack_id: Some(5678),
        payload: payload(),
        attachments: Vec::new(),
    };
    Measured::new(
        packet,
        |packet| packet.encode(),
        |text| text.starts_with(b"2/tenants/1234,5678["),
    )
}

fn decoded(text: &'static str) -> Measured {
    let input = (Decoder::default(), Bytes::from(text));
    Measured::new(
        input,
        |(decoder, text)| decoder.handle_text(text.clone()),
        |packet| matches!(packet, Ok(Some(packet)) if packet.payload.is_some()),
    )
}

fn payload() -> Option<Payload> {
    Payload::parse(PacketType::Event, Bytes::from(EVENT).slice(1..)).ok()
}
