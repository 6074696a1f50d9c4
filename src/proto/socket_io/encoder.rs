//! Encodes packets.

use std::io::Write;

use bytes::Bytes;

use super::Packet;

/// Room for the packet type, the attachment count, an ack id and punctuation.
const HEADER_CAPACITY: usize = 48;

impl Packet {
    /// Encodes the text message of this packet. On the wire the attachments follow it, one binary
    /// message each.
    ///
    /// The type is binary exactly if there are attachments, as in socket.io-parser; those of types
    /// that cannot have any are not counted.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let payload = self.payload.as_ref().map_or(&b""[..], |payload| payload.as_bytes());
        let capacity = HEADER_CAPACITY + self.namespace.as_str().len() + payload.len();
        let mut text = Vec::with_capacity(capacity);
        self.encode_header(&mut text);
        text.extend_from_slice(payload);
        Bytes::from(text)
    }

    // Socket.IO v5, "Packet encoding":
    // <packet type>[<# of binary attachments>-][<namespace>,][<acknowledgment id>]
    fn encode_header(&self, text: &mut Vec<u8>) {
        let packet_type = self.packet_type.on_wire(!self.attachments.is_empty());
        text.push(packet_type.digit());
        if packet_type.is_binary() {
            write_number(text, self.attachments.len() as u64);
            text.push(b'-');
        }
        if !self.namespace.is_main() {
            text.extend_from_slice(self.namespace.as_str().as_bytes());
            text.push(b',');
        }
        if let Some(ack_id) = self.ack_id {
            write_number(text, ack_id);
        }
    }
}

fn write_number(text: &mut Vec<u8>, number: u64) {
    // Writing to a Vec cannot fail.
    let _ = write!(text, "{number}");
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::{Namespace, Packet, PacketType, Payload};

    fn payload(packet_type: PacketType, json: &'static str) -> Option<Payload> {
        Payload::parse(packet_type, Bytes::from_static(json.as_bytes())).ok()
    }

    #[test]
    fn the_specification_s_examples_are_encoded() {
        let admin = Namespace::new("/admin").unwrap_or_default();
        let connect = Packet { namespace: admin.clone(), ..Packet::new(PacketType::Connect) };
        assert_eq!(connect.encode(), "0/admin,");

        let event = Packet {
            namespace: admin,
            ack_id: Some(456),
            payload: payload(PacketType::Event, r#"["project:delete",123]"#),
            ..Packet::new(PacketType::Event)
        };
        assert_eq!(event.encode(), r#"2/admin,456["project:delete",123]"#);
    }

    #[test]
    fn an_event_with_attachments_travels_as_a_binary_event() {
        let json = r#"["baz",{"_placeholder":true,"num":0}]"#;
        let event = Packet {
            payload: payload(PacketType::Event, json),
            attachments: vec![Bytes::from_static(&[1, 2])],
            ..Packet::new(PacketType::Event)
        };
        assert_eq!(event.encode(), format!("51-{json}"));
    }

    #[test]
    fn a_binary_event_without_attachments_travels_as_an_event() {
        assert_eq!(Packet::new(PacketType::BinaryEvent).encode(), "2");
    }
}
