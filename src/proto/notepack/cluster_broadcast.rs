//! Broadcasts between nodes that extend the ClusterAdapter of socket.io-adapter 2.5, such as those
//! of @socket.io/redis-adapter's sharded protocol.

use bytes::Bytes;
use bytestring::ByteString;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::message_writer::MessageWriter;
use super::node::Node;
use super::options::Options;
use super::packet::decode_packet;
use super::tree::Tree;
use super::{DecodeError, EncodeError, Flags, Room};
use crate::proto::socket_io::{Packet, PacketType, Payload};

/// socket.io-adapter, `MessageType.BROADCAST`.
const TYPE: u8 = 3;

/// The message `{type: 3, data: {packet, opts}, uid, nsp}`: JSON, or MessagePack if there is
/// binary data in it.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterBroadcast {
    /// The node that sent it; `None` if it is no string.
    pub uid: Option<ByteString>,
    /// The namespace that it is for; `None` if it is no string.
    pub namespace: Option<ByteString>,
    /// What the clients get. Whoever sends it on gives it the namespace of the message.
    pub packet: Packet,
    /// Whom it reaches, and how.
    pub options: Options,
}

impl ClusterBroadcast {
    /// Decodes a message. `None` if it is another, or awaits acknowledgements: `data` then has
    /// a `requestId`. Attachments and JSON share its memory.
    ///
    /// # Errors
    ///
    /// See [`DecodeError`]; [`DecodeError::InvalidEnvelope`] also for what is no JSON.
    pub fn decode(message: &Bytes) -> Result<Option<Self>, DecodeError> {
        if message.first() == Some(&b'{') {
            decode_json(message)
        } else {
            decode_message_pack(message)
        }
    }

    /// Encodes the message of a packet and of what `JSON.stringify` made of its options: as
    /// JSON, or if the packet has attachments, as MessagePack.
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
        let data = packet.payload.as_ref().map_or(&b"[]"[..], |payload| payload.as_bytes());
        if packet.attachments.is_empty() {
            return encode_json(uid, namespace, data, options);
        }
        let mut writer = MessageWriter::for_packet(packet);
        writer.write_map_header(4)?;
        writer.write_text("type")?;
        writer.write_number(TYPE.into());
        writer.write_text("data")?;
        writer.write_map_header(2)?;
        writer.write_text("packet")?;
        writer.write_map_header(2)?;
        writer.write_text("type")?;
        writer.write_number(f64::from(packet.packet_type.on_wire(false) as u8));
        writer.write_text("data")?;
        writer.write_json(data, &packet.attachments)?;
        writer.write_text("opts")?;
        writer.write_json(options, &[])?;
        for (name, value) in [("uid", uid), ("nsp", namespace)] {
            writer.write_text(name)?;
            writer.write_text(value)?;
        }
        Ok(writer.finish())
    }
}

fn encode_json(
    uid: &str,
    namespace: &str,
    data: &[u8],
    options: &[u8],
) -> Result<Bytes, EncodeError> {
    let quote = |text| serde_json::to_vec(text).map_err(|_| EncodeError::InvalidJson);
    let parts: [&[u8]; 9] = [
        br#"{"type":3,"data":{"packet":{"type":2,"data":"#,
        data,
        br#"},"opts":"#,
        options,
        br#"},"uid":"#,
        &quote(uid)?,
        br#","nsp":"#,
        &quote(namespace)?,
        b"}",
    ];
    Ok(Bytes::from(parts.concat()))
}

#[derive(Deserialize)]
struct JsonMessage<'a> {
    r#type: serde_json::Number,
    #[serde(default)]
    uid: serde_json::Value,
    #[serde(default)]
    nsp: serde_json::Value,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonData<'a> {
    #[serde(borrow)]
    packet: JsonPacket<'a>,
    opts: JsonOptions,
    request_id: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct JsonPacket<'a> {
    r#type: serde_json::Number,
    #[serde(borrow)]
    data: &'a RawValue,
    id: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct JsonOptions {
    rooms: Option<Vec<serde_json::Value>>,
    except: Option<Vec<serde_json::Value>>,
    #[serde(default)]
    flags: serde_json::Value,
}

fn decode_json(message: &Bytes) -> Result<Option<ClusterBroadcast>, DecodeError> {
    let envelope: JsonMessage<'_> =
        serde_json::from_slice(message).map_err(|_| DecodeError::InvalidEnvelope)?;
    let Some(data) = envelope.data.filter(|_| envelope.r#type.as_u64() == Some(TYPE.into())) else {
        return Ok(None);
    };
    let data: JsonData<'_> =
        serde_json::from_str(data.get()).map_err(|_| DecodeError::InvalidEnvelope)?;
    if data.request_id.is_some() || data.packet.id.is_some() {
        return Ok(None);
    }
    if data.packet.r#type.as_u64() != Some(PacketType::Event as u64) {
        return Err(DecodeError::InvalidPacketType);
    }
    let payload =
        Payload::of_json(PacketType::Event, message.slice_ref(data.packet.data.get().as_bytes()));
    let payload = Some(payload.map_err(|_| DecodeError::InvalidPayload)?);
    let flags = serde_json::to_vec(&data.opts.flags).unwrap_or_default();
    Ok(Some(ClusterBroadcast {
        uid: text(envelope.uid),
        namespace: text(envelope.nsp),
        packet: Packet { payload, ..Packet::new(PacketType::Event) },
        options: Options {
            rooms: rooms(data.opts.rooms),
            except: rooms(data.opts.except),
            flags: Flags::parse(flags.into()).map_err(|_| DecodeError::InvalidOptions)?,
        },
    }))
}

fn text(value: serde_json::Value) -> Option<ByteString> {
    match value {
        serde_json::Value::String(text) => Some(text.into()),
        _ => None,
    }
}

fn rooms(names: Option<Vec<serde_json::Value>>) -> Vec<Room> {
    let room = |name: serde_json::Value| match name {
        serde_json::Value::String(name) => Room::Text(name.into()),
        serde_json::Value::Number(number) => number.as_f64().map_or(Room::Other, Room::Number),
        _ => Room::Other,
    };
    names.unwrap_or_default().into_iter().map(room).collect()
}

fn decode_message_pack(message: &Bytes) -> Result<Option<ClusterBroadcast>, DecodeError> {
    let tree = Tree::decode(message)?;
    if !matches!(tree.node(Tree::ROOT), Node::Map(_)) {
        return Err(DecodeError::InvalidEnvelope);
    }
    let data = tree.property(Tree::ROOT, "data");
    let is_broadcast = tree.property_node(Tree::ROOT, "type") == Node::Number(TYPE.into());
    let Some(data) = data.filter(|_| is_broadcast) else { return Ok(None) };
    if !matches!(tree.property_node(data, "requestId"), Node::Undefined | Node::Null) {
        return Ok(None);
    }
    let property = |name| tree.property(data, name).ok_or(DecodeError::InvalidEnvelope);
    let packet = decode_packet(&tree, property("packet")?)?;
    if packet.ack_id.is_some() {
        return Ok(None);
    }
    let string = |name| tree.property(Tree::ROOT, name).and_then(|index| tree.string(index));
    Ok(Some(ClusterBroadcast {
        uid: string("uid"),
        namespace: string("nsp"),
        packet,
        options: Options::decode(&tree, property("opts")?)?,
    }))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{ClusterBroadcast, DecodeError};
    use crate::proto::notepack::Room;
    use crate::proto::socket_io::Decoder;

    const OPTIONS: &str = r#"{"rooms":["r",1,null],"except":["x"],"flags":{"volatile":true}}"#;

    fn encode(text: &'static str, attachments: &[&'static [u8]]) -> Option<Bytes> {
        let mut decoder = Decoder::new(usize::MAX);
        let mut packet = decoder.handle_text(text.into()).ok()?;
        for attachment in attachments {
            packet = decoder.handle_binary(Bytes::from_static(attachment)).ok()?;
        }
        ClusterBroadcast::encode_parts("u", "/n", &packet?, OPTIONS.as_bytes()).ok()
    }

    fn decode(message: &str) -> Result<Option<ClusterBroadcast>, DecodeError> {
        ClusterBroadcast::decode(&Bytes::copy_from_slice(message.as_bytes()))
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
        assert_eq!(broadcast.options.rooms, [Room::from("r"), Room::Number(1.0), Room::Other]);
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
    fn other_messages_are_left() {
        for message in [
            r#"{"type":4,"data":{}}"#,
            r#"{"type":3}"#,
            r#"{"type":1,"uid":"u","nsp":"/"}"#,
            r#"{"type":3,"data":{"packet":{"type":2,"data":["e"]},"opts":{},"requestId":"r"}}"#,
            r#"{"type":3,"data":{"packet":{"type":2,"data":["e"],"id":1},"opts":{}}}"#,
        ] {
            assert_eq!(decode(message), Ok(None), "{message}");
        }
        let message = Bytes::from_static(b"\x82\xa4type\x05\xa4data\x80");
        assert_eq!(ClusterBroadcast::decode(&message), Ok(None));
    }

    #[test]
    fn what_no_node_sends_is_refused() {
        for (message, error) in [
            ("{", DecodeError::InvalidEnvelope),
            ("{}", DecodeError::InvalidEnvelope),
            (r#"{"type":"3","data":{}}"#, DecodeError::InvalidEnvelope),
            (r#"{"type":3,"data":{}}"#, DecodeError::InvalidEnvelope),
            (
                r#"{"type":3,"data":{"packet":{"type":5,"data":["e"]},"opts":{}}}"#,
                DecodeError::InvalidPacketType,
            ),
            (
                r#"{"type":3,"data":{"packet":{"type":2,"data":{}},"opts":{}}}"#,
                DecodeError::InvalidPayload,
            ),
            (
                r#"{"type":3,"data":{"packet":{"type":2,"data":["e"]},"opts":{"rooms":"r"}}}"#,
                DecodeError::InvalidEnvelope,
            ),
        ] {
            assert_eq!(decode(message), Err(error), "{message}");
        }
        for message in [&b"\x90"[..], b"\xdd\xff\xff\xff\xff\x01", b""] {
            assert!(ClusterBroadcast::decode(&Bytes::from_static(message)).is_err());
        }
    }
}
