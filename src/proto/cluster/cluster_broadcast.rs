//! Broadcasts between nodes that extend the ClusterAdapter of socket.io-adapter 2.5, such as those
//! of @socket.io/redis-adapter's sharded protocol.

use bytes::Bytes;
use bytestring::ByteString;
use serde::de::IgnoredAny;

use super::message_pack::{MessageWriter, Tree, Value};
use super::options::Options;
use super::packet::{decode_content, write_packet};
use super::{DecodeError, EncodeError, json_message};
use crate::proto::socket_io::Packet;

/// Room for what stands around the values of a message of JSON.
const ENVELOPE_CAPACITY: usize = 128;

/// The message `{type: 3, data: {packet, opts}, uid, nsp}`: JSON, or MessagePack if there is
/// binary data in it.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterBroadcast {
    /// The node that sent it; `None` if that is no string, or one with a lone surrogate.
    pub uid: Option<ByteString>,
    /// The namespace that it is for; `None` as for `uid`.
    pub namespace: Option<ByteString>,
    /// What the clients get. Whoever sends it on gives it the namespace of the message. That of
    /// JSON is as the publisher wrote it.
    pub packet: Packet,
    /// Whom it reaches, and how.
    pub options: Options,
}

impl ClusterBroadcast {
    /// socket.io-adapter, `MessageType.BROADCAST`.
    pub(super) const TYPE: u8 = 3;

    /// Decodes a message. `None` if it is another, or awaits acknowledgements: `data` then has
    /// a `requestId`, or the packet an `id`. `None` also if a room is named by a string with a
    /// lone surrogate, as JSON has them: the application can tell it from others. Attachments
    /// and JSON share the memory of the message.
    ///
    /// # Errors
    ///
    /// See [`DecodeError`]; [`DecodeError::InvalidEnvelope`] also for what is no JSON.
    pub fn decode(message: &Bytes) -> Result<Option<Self>, DecodeError> {
        if message.first() == Some(&b'{') {
            json_message::decode(message)
        } else {
            decode_message_pack(message)
        }
    }

    /// Encodes the message of a packet, whose namespace is left out, and of what
    /// `JSON.stringify` made of its options: as JSON, or if the packet has attachments, as
    /// MessagePack.
    ///
    /// # Errors
    ///
    /// See [`EncodeError`].
    pub fn encode_parts(
        uid: &str,
        namespace: &str,
        packet: &Packet,
        options: &[u8],
    ) -> Result<Bytes, EncodeError> {
        if serde_json::from_slice::<IgnoredAny>(options).is_err() {
            return Err(EncodeError::InvalidJson);
        }
        if packet.attachments.is_empty() {
            encode_json(uid, namespace, packet, options)
        } else {
            encode_message_pack(uid, namespace, packet, options)
        }
    }
}

fn encode_json(
    uid: &str,
    namespace: &str,
    packet: &Packet,
    options: &[u8],
) -> Result<Bytes, EncodeError> {
    let payload = packet.payload.as_ref().map_or(&b""[..], |payload| payload.as_bytes());
    let text_len = payload.len() + options.len() + uid.len() + namespace.len();
    let mut message = Vec::with_capacity(ENVELOPE_CAPACITY + text_len);
    message.extend_from_slice(br#"{"type":3,"data":{"packet":{"type":"#);
    message.push(packet.packet_type.on_wire(false).digit());
    if !payload.is_empty() {
        message.extend_from_slice(br#","data":"#);
        message.extend_from_slice(payload);
    }
    if let Some(id) = packet.ack_id {
        message.extend_from_slice(br#","id":"#);
        message.extend_from_slice(id.to_string().as_bytes());
    }
    message.extend_from_slice(br#"},"opts":"#);
    message.extend_from_slice(options);
    for (key, value) in [(&br#"},"uid":"#[..], uid), (br#","nsp":"#, namespace)] {
        message.extend_from_slice(key);
        // serde_json escapes a string as ECMA-262's `QuoteJSONString` does.
        serde_json::to_writer(&mut message, value).map_err(|_| EncodeError::InvalidJson)?;
    }
    message.push(b'}');
    Ok(Bytes::from(message))
}

fn encode_message_pack(
    uid: &str,
    namespace: &str,
    packet: &Packet,
    options: &[u8],
) -> Result<Bytes, EncodeError> {
    let mut writer = MessageWriter::for_packet(packet);
    writer.write_map_header(4)?;
    writer.write_text("type")?;
    writer.write_number(ClusterBroadcast::TYPE.into());
    writer.write_text("data")?;
    writer.write_map_header(2)?;
    writer.write_text("packet")?;
    write_packet(&mut writer, packet, None)?;
    writer.write_text("opts")?;
    writer.write_json(options, &[])?;
    for (name, value) in [("uid", uid), ("nsp", namespace)] {
        writer.write_text(name)?;
        writer.write_text(value)?;
    }
    Ok(writer.finish())
}

fn decode_message_pack(message: &Bytes) -> Result<Option<ClusterBroadcast>, DecodeError> {
    let tree = Tree::decode(message)?;
    if !matches!(tree.node(Tree::ROOT), Value::Map(_)) {
        return Err(DecodeError::InvalidEnvelope);
    }
    if tree.property_node(Tree::ROOT, "type") != Value::Number(ClusterBroadcast::TYPE.into()) {
        return Ok(None);
    }
    let data = tree.property(Tree::ROOT, "data").ok_or(DecodeError::InvalidEnvelope)?;
    if !matches!(tree.node(data), Value::Map(_)) {
        return Err(DecodeError::InvalidEnvelope);
    }
    if tree.property_node(data, "requestId") != Value::Undefined {
        return Ok(None);
    }
    let packet = tree.property(data, "packet").ok_or(DecodeError::InvalidPacketType)?;
    if !matches!(tree.property_node(packet, "id"), Value::Undefined | Value::Null) {
        return Ok(None);
    }
    let options = tree.property(data, "opts").ok_or(DecodeError::InvalidOptions)?;
    let string = |name| tree.property(Tree::ROOT, name).and_then(|index| tree.string(index));
    Ok(Some(ClusterBroadcast {
        uid: string("uid"),
        namespace: string("nsp"),
        packet: decode_content(&tree, packet)?,
        options: Options::decode(&tree, options)?,
    }))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{ClusterBroadcast, DecodeError, EncodeError};
    use crate::proto::cluster::Room;
    use crate::proto::socket_io::{Decoder, Packet, PacketType};

    const OPTIONS: &str = r#"{"rooms":["r",1,null],"except":["x"],"flags":{"volatile":true}}"#;

    fn encode(text: &'static str, attachments: &[&'static [u8]]) -> Option<Bytes> {
        let mut decoder = Decoder::new(usize::MAX);
        let mut packet = decoder.handle_text(text.into()).ok()?;
        for attachment in attachments {
            packet = decoder.handle_binary(Bytes::from_static(attachment)).ok()?;
        }
        ClusterBroadcast::encode_parts("u", "/n", &packet?, OPTIONS.as_bytes()).ok()
    }

    #[test]
    fn a_packet_of_text_is_json() -> Result<(), DecodeError> {
        let message = encode(r#"2/n,["e",{"a":"é"}]"#, &[]).unwrap_or_default();
        let expected = r#"{"type":3,"data":{"packet":{"type":2,"data":["e",{"a":"é"}]},"opts":{"rooms":["r",1,null],"except":["x"],"flags":{"volatile":true}}},"uid":"u","nsp":"/n"}"#;
        assert_eq!(message, expected);
        let Some(broadcast) = ClusterBroadcast::decode(&message)? else {
            return Err(DecodeError::InvalidEnvelope);
        };
        assert_eq!(broadcast.packet.encode(), r#"2["e",{"a":"é"}]"#);
        assert_eq!(
            (broadcast.uid.as_deref(), broadcast.namespace.as_deref()),
            (Some("u"), Some("/n"))
        );
        assert_eq!(broadcast.options.rooms, [Room::from("r"), Room::Number(1.0), Room::Null]);
        assert_eq!(broadcast.options.except, [Room::from("x")]);
        assert!(broadcast.options.flags.is_volatile());
        Ok(())
    }

    #[test]
    fn a_packet_with_attachments_is_message_pack() -> Result<(), DecodeError> {
        let text = r#"51-/n,["e",{"_placeholder":true,"num":0}]"#;
        let message = encode(text, &[b"A"]).unwrap_or_default();
        assert_eq!(message.first(), Some(&0x84));
        let Some(broadcast) = ClusterBroadcast::decode(&message)? else {
            return Err(DecodeError::InvalidEnvelope);
        };
        assert_eq!(broadcast.packet.encode(), r#"51-["e",{"_placeholder":true,"num":0}]"#);
        assert_eq!(broadcast.packet.attachments, ["A"]);
        assert_eq!(
            (broadcast.uid.as_deref(), broadcast.namespace.as_deref()),
            (Some("u"), Some("/n"))
        );
        assert_eq!(broadcast.options.rooms.len(), 3);
        Ok(())
    }

    #[test]
    fn a_packet_keeps_its_type_its_id_and_that_it_has_no_payload() {
        assert_eq!(
            encode("37[]", &[]).unwrap_or_default(),
            format!(
                r#"{{"type":3,"data":{{"packet":{{"type":3,"data":[],"id":7}},"opts":{OPTIONS}}},"uid":"u","nsp":"/n"}}"#
            )
        );
        assert_eq!(
            encode("2", &[]).unwrap_or_default(),
            format!(
                r#"{{"type":3,"data":{{"packet":{{"type":2}},"opts":{OPTIONS}}},"uid":"u","nsp":"/n"}}"#
            )
        );
        let binary = encode(r#"51-7["e",{"_placeholder":true,"num":0}]"#, &[b"A"]);
        let packet = b"\xa6packet\x83\xa4type\x02\xa4data\x92\xa1e\xc4\x01A\xa2id\x07\xa4opts";
        let binary = binary.unwrap_or_default();
        assert!(binary.windows(packet.len()).any(|part| part == packet), "{binary:?}");
    }

    #[test]
    fn names_are_quoted() {
        let packet = Packet::new(PacketType::Event);
        let message = ClusterBroadcast::encode_parts("\"\u{1f}", "/\\ž", &packet, b"{}");
        assert_eq!(
            message.unwrap_or_default(),
            r#"{"type":3,"data":{"packet":{"type":2},"opts":{}},"uid":"\"\u001f","nsp":"/\\ž"}"#
        );
    }

    #[test]
    fn options_that_are_no_json_are_refused() {
        for attachments in [vec![], vec![Bytes::from_static(b"A")]] {
            let packet = Packet { attachments, ..Packet::new(PacketType::Event) };
            let encoded = ClusterBroadcast::encode_parts("u", "/", &packet, b"{");
            assert_eq!(encoded, Err(EncodeError::InvalidJson));
        }
    }

    /// The message `{type: 3, data: {packet: {type: 2, data: ["e"]}, opts: {}}}` with another
    /// property, or none, in the packet and in the data.
    fn message_pack(in_packet: &[u8], in_data: &[u8]) -> Bytes {
        let count = |more: &[u8]| 0x82 + u8::from(!more.is_empty());
        let data = [&b"\x82\xa4type\x03\xa4data"[..], &[count(in_data)], in_data].concat();
        let packet = [&b"\xa6packet"[..], &[count(in_packet)], in_packet].concat();
        Bytes::from([&data, &packet, &b"\xa4type\x02\xa4data\x91\xa1e\xa4opts\x80"[..]].concat())
    }

    /// The text of the packet that a message is decoded to.
    fn decoded_text(message: &Bytes) -> Result<Option<Bytes>, DecodeError> {
        Ok(ClusterBroadcast::decode(message)?.map(|broadcast| broadcast.packet.encode()))
    }

    #[test]
    fn what_awaits_acknowledgements_is_left() {
        for id in [&b"\x00"[..], b"\xff", b"\xa0", b"\x90"] {
            let in_data = [b"\xa9requestId", id].concat();
            assert_eq!(decoded_text(&message_pack(b"", &in_data)), Ok(None));
            let in_packet = [b"\xa2id", id].concat();
            assert_eq!(decoded_text(&message_pack(&in_packet, b"")), Ok(None));
        }
        assert_eq!(decoded_text(&message_pack(b"", b"\xa9requestId\xc0")), Ok(None));
    }

    #[test]
    fn an_undefined_id_is_none_and_null_is_no_id_of_a_packet() {
        for (in_packet, in_data) in [
            (&b""[..], &b""[..]),
            (b"", b"\xa9requestId\xd4\0\0"),
            (b"\xa2id\xc0", b""),
            (b"\xa2id\xd4\0\0", b""),
        ] {
            let text = decoded_text(&message_pack(in_packet, in_data));
            assert_eq!(text, Ok(Some(r#"2["e"]"#.into())), "{in_packet:x?} {in_data:x?}");
        }
    }

    #[test]
    fn a_namespace_in_the_packet_means_nothing() {
        for in_packet in [&b"\xa3nsp\xa2/x"[..], b"\xa3nsp\xa1x", b"\xa3nsp\xc0"] {
            let text = decoded_text(&message_pack(in_packet, b""));
            assert_eq!(text, Ok(Some(r#"2["e"]"#.into())), "{in_packet:x?}");
        }
    }

    #[test]
    fn other_messages_of_message_pack_are_left() {
        for message in [&b"\x82\xa4type\x05\xa4data\x80"[..], b"\x81\xa4type\xa13", b"\x80"] {
            assert_eq!(ClusterBroadcast::decode(&Bytes::from_static(message)), Ok(None));
        }
    }

    #[test]
    fn message_pack_that_no_node_sends_is_refused() {
        for (message, error) in [
            (&b""[..], DecodeError::Truncated),
            (b"\x90", DecodeError::InvalidEnvelope),
            (b"\xdd\xff\xff\xff\xff\x01", DecodeError::Truncated),
            (b"\x81\xa4type\x03", DecodeError::InvalidEnvelope),
            (b"\x82\xa4type\x03\xa4data\xc0", DecodeError::InvalidEnvelope),
            (b"\x82\xa4type\x03\xa4data\x80", DecodeError::InvalidPacketType),
            (
                b"\x82\xa4type\x03\xa4data\x81\xa6packet\x81\xa4type\x02",
                DecodeError::InvalidOptions,
            ),
        ] {
            let decoded = ClusterBroadcast::decode(&Bytes::from_static(message));
            assert_eq!(decoded, Err(error), "{message:x?}");
        }
    }

    #[test]
    fn a_message_is_refused_wherever_it_is_cut() {
        let text = r#"51-["e",{"_placeholder":true,"num":0}]"#;
        for message in [encode(r#"2["e","é"]"#, &[]), encode(text, &[b"A"])] {
            let message = message.unwrap_or_default();
            for end in 0..message.len() {
                assert!(ClusterBroadcast::decode(&message.slice(..end)).is_err(), "{end}");
            }
        }
    }
}
