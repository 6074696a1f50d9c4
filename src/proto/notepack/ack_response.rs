//! Acknowledgements on their way to the node that asked for them.

use bytes::Bytes;
use bytestring::ByteString;
use serde::de::IgnoredAny;

use super::json_writer::{Serialized, serialize};
use super::message_writer::MessageWriter;
use super::node::Node;
use super::tree::Tree;
use super::{DecodeError, EncodeError};
use crate::proto::socket_io::Packet;

/// @socket.io/redis-adapter, `RequestType.BROADCAST_ACK`.
const TYPE: u8 = 9;

/// The message `{type: 9, requestId, packet}` of the response channels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AckResponse {
    /// The request that a client acknowledges.
    pub request_id: ByteString,
    /// What it acknowledges with, as JSON with placeholders; `None` for undefined.
    json: Option<Bytes>,
    /// What the placeholders stand for.
    attachments: Vec<Bytes>,
}

impl AckResponse {
    /// The response for a client's ACK: its first argument, and undefined if it has none.
    #[must_use]
    pub fn new(request_id: ByteString, ack: &Packet) -> Self {
        let json = ack.payload.as_ref().and_then(|payload| first_element(payload.as_bytes()));
        Self { request_id, json, attachments: ack.attachments.clone() }
    }

    /// What the client acknowledges with, as JSON; `None` for undefined.
    #[must_use]
    pub const fn json(&self) -> Option<&Bytes> {
        self.json.as_ref()
    }

    /// What the placeholders of the JSON stand for.
    #[must_use]
    pub fn attachments(&self) -> &[Bytes] {
        &self.attachments
    }

    /// Decodes a message. Strings and attachments share its memory.
    ///
    /// # Errors
    ///
    /// See [`DecodeError`]. Responses of other types are [`DecodeError::InvalidEnvelope`];
    /// they are JSON.
    pub fn decode(message: &Bytes) -> Result<Self, DecodeError> {
        let tree = Tree::decode(message)?;
        if tree.property_node(Tree::ROOT, "type") != Node::Number(TYPE.into()) {
            return Err(DecodeError::InvalidEnvelope);
        }
        let request_id = tree.property(Tree::ROOT, "requestId").and_then(|id| tree.string(id));
        let packet = tree.property(Tree::ROOT, "packet");
        let packet = packet.filter(|&packet| tree.node(packet) != Node::Undefined);
        let serialized = packet.map(|packet| serialize(&tree, packet));
        let (json, attachments) =
            serialized.map(|Serialized { json, attachments }| (json, attachments)).unzip();
        Ok(Self {
            request_id: request_id.ok_or(DecodeError::InvalidEnvelope)?,
            json,
            attachments: attachments.unwrap_or_default(),
        })
    }

    /// Encodes the message, byte by byte as notepack.io would.
    ///
    /// # Errors
    ///
    /// [`EncodeError::TooLong`] and [`EncodeError::IllegalAttachments`].
    pub fn encode(&self) -> Result<Bytes, EncodeError> {
        let json_len = self.json.as_ref().map_or(0, Bytes::len);
        let mut writer = MessageWriter::with_content(json_len);
        writer.write_map_header(2 + usize::from(self.json.is_some()))?;
        writer.write_text("type")?;
        writer.write_number(TYPE.into());
        writer.write_text("requestId")?;
        writer.write_text(&self.request_id)?;
        if let Some(json) = &self.json {
            writer.write_text("packet")?;
            writer.write_json(json, &self.attachments)?;
        }
        Ok(writer.finish())
    }
}

/// The first element of a JSON array, as it is written.
fn first_element(array: &Bytes) -> Option<Bytes> {
    let elements = array.get(1..)?;
    let mut values = serde_json::Deserializer::from_slice(elements).into_iter::<IgnoredAny>();
    values.next()?.ok()?;
    Some(array.slice(1..=values.byte_offset()))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{AckResponse, DecodeError, Packet, first_element};
    use crate::proto::socket_io::{PacketType, Payload};

    const MESSAGE: &[u8] = b"\x83\xa4type\x09\xa9requestId\xa6ghijkl\xa6packet\x92\x01\xc4\x01A";

    fn decode(message: &[u8]) -> Result<AckResponse, DecodeError> {
        AckResponse::decode(&Bytes::copy_from_slice(message))
    }

    #[test]
    fn a_message_survives_decoding_and_encoding() -> Result<(), DecodeError> {
        let response = decode(MESSAGE)?;
        assert_eq!(response.request_id, "ghijkl");
        assert_eq!(response.json(), Some(&r#"[1,{"_placeholder":true,"num":0}]"#.into()));
        assert_eq!(response.attachments(), ["A"]);
        assert_eq!(response.encode(), Ok(Bytes::from_static(MESSAGE)));
        Ok(())
    }

    #[test]
    fn a_client_s_first_argument_is_sent() {
        let json = r#"[{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]"#;
        let ack = Packet {
            payload: Payload::parse(PacketType::BinaryAck, json.into()).ok(),
            attachments: vec!["A".into(), "B".into()],
            ..Packet::new(PacketType::BinaryAck)
        };
        let encoded = AckResponse::new("r".into(), &ack).encode();
        let expected = b"\x83\xa4type\x09\xa9requestId\xa1r\xa6packet\xc4\x01B";
        assert_eq!(encoded, Ok(Bytes::from_static(expected)));
    }

    #[test]
    fn without_an_argument_nothing_is_sent() {
        let empty = Packet {
            payload: Payload::parse(PacketType::Ack, Bytes::from_static(b"[]")).ok(),
            ..Packet::new(PacketType::Ack)
        };
        let response = AckResponse::new("r".into(), &empty);
        assert_eq!(response.json(), None);
        assert_eq!(
            response.encode(),
            Ok(Bytes::from_static(b"\x82\xa4type\x09\xa9requestId\xa1r"))
        );
        assert_eq!(AckResponse::new("r".into(), &Packet::new(PacketType::Ack)), response);
        let undefined = decode(b"\x83\xa4type\x09\xa9requestId\xa1r\xa6packet\xd4\0\0");
        assert_eq!(undefined, Ok(response));
    }

    #[test]
    fn the_first_element_is_taken_as_it_is_written() {
        let first = |json: &'static str| first_element(&Bytes::from_static(json.as_bytes()));
        for (array, element) in [
            ("[1,2]", Some("1")),
            ("[1]", Some("1")),
            (r#"["a,]",2]"#, Some(r#""a,]""#)),
            ("[[1,{}],2]", Some("[1,{}]")),
            ("[null]", Some("null")),
            ("[]", None),
        ] {
            assert_eq!(first(array).as_deref(), element.map(str::as_bytes), "{array}");
        }
    }

    #[test]
    fn a_message_is_refused_wherever_it_is_cut() {
        for end in 0..MESSAGE.len() {
            assert_eq!(decode(&MESSAGE[..end]), Err(DecodeError::Truncated), "{end}");
        }
    }

    #[test]
    fn what_is_no_such_response_is_refused() {
        for message in [b"\x81\xa4type\x09" as &[u8], b"\x80", b"\xc0", b"\x81\xa4type\x08"] {
            assert_eq!(decode(message), Err(DecodeError::InvalidEnvelope), "{message:x?}");
        }
    }
}
