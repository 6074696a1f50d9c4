//! The MessagePack form of a broadcast in the sharded protocol.

use bytes::Bytes;

use super::message::ClusterBroadcast;
use crate::proto::cluster::error::{DecodeError, EncodeError};
use crate::proto::cluster::message_pack::{MessageWriter, Tree, Value};
use crate::proto::cluster::options::Options;
use crate::proto::cluster::packet::{decode_content, write_packet};
use crate::proto::socket_io::Packet;

/// Encodes a broadcast; see [`ClusterBroadcast::encode_parts`].
pub(super) fn encode(
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

/// Decodes a message; see [`ClusterBroadcast::decode`].
pub(super) fn decode(message: &Bytes) -> Result<Option<ClusterBroadcast>, DecodeError> {
    let tree = Tree::decode(message)?;
    if !matches!(tree.value(Tree::ROOT), Value::Map(_)) {
        return Err(DecodeError::InvalidEnvelope);
    }
    if tree.property_value(Tree::ROOT, "type") != Value::Number(ClusterBroadcast::TYPE.into()) {
        return Ok(None);
    }
    let data = tree.property(Tree::ROOT, "data").ok_or(DecodeError::InvalidEnvelope)?;
    if !matches!(tree.value(data), Value::Map(_)) {
        return Err(DecodeError::InvalidEnvelope);
    }
    if tree.property_value(data, "requestId") != Value::Undefined {
        return Ok(None);
    }
    let packet = tree.property(data, "packet").ok_or(DecodeError::InvalidPacketType)?;
    if !matches!(tree.property_value(packet, "id"), Value::Undefined | Value::Null) {
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
