//! Broadcasts between nodes whose adapter extends the ClusterAdapter of socket.io-adapter 2.5, such
//! as that of @socket.io/redis-adapter's sharded protocol.

mod json;
mod message;
mod message_pack;

use bytes::Bytes;
use serde::de::IgnoredAny;

use super::error::{DecodeError, EncodeError};
use crate::proto::socket_io::Packet;

pub use message::ClusterBroadcast;

impl ClusterBroadcast {
    /// Decodes a message. Attachments and JSON share its memory.
    ///
    /// Returns `None` if JavaScript must handle it: it is of another type; it awaits
    /// acknowledgements, so that `data` has a `requestId` or the packet an `id`; or a room is
    /// named by a string with a lone surrogate, which JSON allows and this codec cannot hold.
    ///
    /// # Errors
    ///
    /// See [`DecodeError`]; [`DecodeError::InvalidEnvelope`] also for invalid JSON.
    pub fn decode(message: &Bytes) -> Result<Option<Self>, DecodeError> {
        if message.first() == Some(&b'{') {
            json::decode(message)
        } else {
            message_pack::decode(message)
        }
    }

    /// Encodes the message of a packet, whose namespace is left out, and of its options, as
    /// `JSON.stringify` prints them: in JSON, or in MessagePack if the packet has attachments.
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
            json::encode(uid, namespace, packet, options)
        } else {
            message_pack::encode(uid, namespace, packet, options)
        }
    }
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
