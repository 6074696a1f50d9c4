//! The packet of a broadcast.

use super::error::{DecodeError, EncodeError};
use super::json::number::safe_integer;
use super::message_pack::{MessageWriter, Tree, Value, serialize};
use crate::proto::socket_io::{Namespace, Packet, PacketType, Payload};

/// Decodes the packet at an index of a message.
pub(super) fn decode_packet(tree: &Tree<'_>, index: usize) -> Result<Packet, DecodeError> {
    Ok(Packet {
        namespace: decode_namespace(tree, tree.property_value(index, "nsp"))?,
        ack_id: decode_ack_id(tree.property_value(index, "id"))?,
        ..decode_content(tree, index)?
    })
}

/// Decodes the packet at an index of a message, without its namespace and its ack id.
pub(super) fn decode_content(tree: &Tree<'_>, index: usize) -> Result<Packet, DecodeError> {
    let packet_type = match tree.property_value(index, "type") {
        Value::Number(number) => packet_type(number)?,
        Value::String(span) => packet_type_of_text(&tree.text(span))?,
        _ => return Err(DecodeError::InvalidPacketType),
    };
    let mut packet = Packet::new(packet_type);
    if let Some(data) = tree.property(index, "data") {
        decode_data(tree, data, &mut packet)?;
    }
    Ok(packet)
}

/// Returns the packet type of a number, without regard to attachments. Socket.IO v5, "Packet
/// types": only events and acknowledgements are broadcast. Emitters of Socket.IO 2 publish a
/// packet with binary data under its binary type, with the data in place.
pub(super) fn packet_type(number: f64) -> Result<PacketType, DecodeError> {
    use PacketType::{Ack, BinaryAck, BinaryEvent, Event};
    [Event, Ack, BinaryEvent, BinaryAck]
        .into_iter()
        .find(|&packet_type| number == f64::from(packet_type as u8))
        .map(|packet_type| packet_type.on_wire(false))
        .ok_or(DecodeError::InvalidPacketType)
}

/// Returns the packet type of a text, such as `"2"`, which some emitters publish: official nodes
/// print it in front of the packet as they print a number.
pub(super) fn packet_type_of_text(text: &str) -> Result<PacketType, DecodeError> {
    match text.as_bytes() {
        [digit @ b'0'..=b'9'] => packet_type((digit - b'0').into()),
        _ => Err(DecodeError::InvalidPacketType),
    }
}

/// Decodes `nsp`. @socket.io/redis-adapter, `onmessage`: without it, the packet is for `/`.
fn decode_namespace(tree: &Tree<'_>, value: Value) -> Result<Namespace, DecodeError> {
    match value {
        Value::Undefined => Ok(Namespace::main()),
        Value::String(span) => {
            Namespace::new(tree.byte_string(span)).ok_or(DecodeError::InvalidNamespace)
        }
        _ => Err(DecodeError::InvalidNamespace),
    }
}

fn decode_ack_id(value: Value) -> Result<Option<u64>, DecodeError> {
    match value {
        Value::Null | Value::Undefined => Ok(None),
        Value::Number(number) => safe_integer(number)
            .and_then(|id| u64::try_from(id).ok())
            .ok_or(DecodeError::InvalidAckId)
            .map(Some),
        _ => Err(DecodeError::InvalidAckId),
    }
}

fn decode_data(tree: &Tree<'_>, index: usize, packet: &mut Packet) -> Result<(), DecodeError> {
    // socket.io-parser, `encodeAsString`: null means no payload.
    if matches!(tree.value(index), Value::Null | Value::Undefined) {
        return Ok(());
    }
    let serialized = serialize(tree, index);
    let payload = Payload::of_json(packet.packet_type, serialized.json);
    packet.payload = Some(payload.map_err(|_| DecodeError::InvalidPayload)?);
    packet.attachments = serialized.attachments;
    packet.packet_type = packet.packet_type.on_wire(!packet.attachments.is_empty());
    Ok(())
}

/// Writes a packet with its properties in the order of socket.io's, and with `nsp` if `namespace`
/// is given.
pub(super) fn write_packet(
    writer: &mut MessageWriter,
    packet: &Packet,
    namespace: Option<&str>,
) -> Result<(), EncodeError> {
    let optional = [packet.payload.is_some(), namespace.is_some(), packet.ack_id.is_some()];
    writer.write_map_header(1 + optional.map(usize::from).iter().sum::<usize>())?;
    writer.write_text("type")?;
    writer.write_number(f64::from(packet.packet_type.on_wire(false) as u8));
    if let Some(payload) = &packet.payload {
        writer.write_text("data")?;
        writer.write_json(payload.as_bytes(), &packet.attachments)?;
    }
    if let Some(namespace) = namespace {
        writer.write_text("nsp")?;
        writer.write_text(namespace)?;
    }
    if let Some(ack_id) = packet.ack_id {
        writer.write_text("id")?;
        writer.write_number(ack_id as f64);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{
        DecodeError, MessageWriter, Packet, PacketType, Tree, decode_packet, write_packet,
    };

    fn decode(message: &'static [u8]) -> Result<Packet, DecodeError> {
        let message = Bytes::from_static(message);
        decode_packet(&Tree::decode(&message)?, Tree::ROOT)
    }

    #[test]
    fn a_packet_is_decoded_whatever_the_order_of_its_keys() -> Result<(), DecodeError> {
        let packet =
            decode(b"\x85\xa3nsp\xa2/a\xa4data\x91\xa1e\xa2id\x07\xa1x\x91\xc0\xa4type\x02")?;
        assert_eq!(packet.encode(), r#"2/a,7["e"]"#);
        Ok(())
    }

    #[test]
    fn attachments_make_a_packet_binary() -> Result<(), DecodeError> {
        let packet = decode(b"\x82\xa4type\x02\xa4data\x92\xa1e\xc4\x01A")?;
        assert_eq!(packet.packet_type, PacketType::BinaryEvent);
        assert_eq!(packet.encode(), r#"51-["e",{"_placeholder":true,"num":0}]"#);
        assert_eq!(packet.attachments, ["A"]);
        Ok(())
    }

    #[test]
    fn a_type_may_be_text_or_binary() -> Result<(), DecodeError> {
        let with_binary = r#"51-["e",{"_placeholder":true,"num":0}]"#;
        assert_eq!(decode(b"\x82\xa4type\xa12\xa4data\x91\xa1e")?.encode(), r#"2["e"]"#);
        assert_eq!(decode(b"\x82\xa4type\x05\xa4data\x91\xa1e")?.encode(), r#"2["e"]"#);
        for message in [
            &b"\x82\xa4type\x05\xa4data\x92\xa1e\xc4\x01A"[..],
            b"\x82\xa4type\xa15\xa4data\x92\xa1e\xc4\x01A",
            b"\x82\xa4type\xa12\xa4data\x92\xa1e\xc4\x01A",
        ] {
            assert_eq!(decode(message)?.encode(), with_binary, "{message:x?}");
        }
        assert_eq!(decode(b"\x81\xa4type\x06"), Ok(Packet::new(PacketType::Ack)));
        Ok(())
    }

    #[test]
    fn a_packet_without_data_has_no_payload() {
        let bare = Ok(Packet::new(PacketType::Event));
        assert_eq!(decode(b"\x81\xa4type\x02"), bare);
        assert_eq!(decode(b"\x83\xa4type\x02\xa4data\xc0\xa2id\xc0"), bare);
    }

    #[test]
    fn a_packet_that_clients_refuse_is_refused() {
        for (message, error) in [
            (&b"\xc0"[..], DecodeError::InvalidPacketType),
            (b"\x80", DecodeError::InvalidPacketType),
            (b"\x81\xa4type\x04", DecodeError::InvalidPacketType),
            (b"\x81\xa4type\xa14", DecodeError::InvalidPacketType),
            (b"\x81\xa4type\xa3\x32.0", DecodeError::InvalidPacketType),
            (b"\x81\xa4type\xc3", DecodeError::InvalidPacketType),
            (b"\x82\xa4type\x02\xa3nsp\xc0", DecodeError::InvalidNamespace),
            (b"\x82\xa4type\x02\xa3nsp\xa1a", DecodeError::InvalidNamespace),
            (b"\x82\xa4type\x02\xa2id\xff", DecodeError::InvalidAckId),
            (b"\x82\xa4type\x02\xa2id\xa11", DecodeError::InvalidAckId),
            (b"\x82\xa4type\x02\xa4data\x80", DecodeError::InvalidPayload),
            (b"\x82\xa4type\x02\xa4data\x91\xa7connect", DecodeError::InvalidPayload),
        ] {
            assert_eq!(decode(message), Err(error), "{message:x?}");
        }
    }

    #[test]
    fn a_packet_is_written_as_socket_io_builds_it() -> Result<(), DecodeError> {
        let message = b"\x84\xa4type\x02\xa4data\x92\xa1e\xc4\x01A\xa3nsp\xa1/\xa2id\x07";
        let mut writer = MessageWriter::default();
        assert_eq!(write_packet(&mut writer, &decode(message)?, Some("/")), Ok(()));
        assert_eq!(writer.finish(), message[..]);
        Ok(())
    }
}
