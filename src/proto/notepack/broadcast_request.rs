//! Broadcasts that await acknowledgements.

use bytes::Bytes;
use bytestring::ByteString;

use super::message_writer::MessageWriter;
use super::node::Node;
use super::options::Options;
use super::packet::{decode_packet, write_packet};
use super::tree::Tree;
use super::{DecodeError, EncodeError};
use crate::proto::socket_io::Packet;

/// @socket.io/redis-adapter, `RequestType.BROADCAST`.
const TYPE: u8 = 7;

/// The message `{uid, requestId, type: 7, packet, opts}` of the request channel.
#[derive(Clone, Debug, PartialEq)]
pub struct BroadcastRequest {
    /// The node that sent it; `None` if it is no string.
    pub uid: Option<ByteString>,
    /// What the responses refer to.
    pub request_id: ByteString,
    /// What the clients get. Whoever sends it on gives it the ack id, and the namespace
    /// of the channel, which @socket.io/redis-adapter does not compare with its own.
    pub packet: Packet,
    /// Whom it reaches. @socket.io/redis-adapter does not look at the flags.
    pub options: Options,
}

impl BroadcastRequest {
    /// Decodes a message. Strings and attachments share its memory.
    ///
    /// # Errors
    ///
    /// See [`DecodeError`]. Requests of other types are [`DecodeError::InvalidEnvelope`];
    /// they are JSON.
    pub fn decode(message: &Bytes) -> Result<Self, DecodeError> {
        let tree = Tree::decode(message)?;
        if tree.property_node(Tree::ROOT, "type") != Node::Number(TYPE.into()) {
            return Err(DecodeError::InvalidEnvelope);
        }
        let property = |name| tree.property(Tree::ROOT, name).ok_or(DecodeError::InvalidEnvelope);
        Ok(Self {
            uid: tree.property(Tree::ROOT, "uid").and_then(|uid| tree.string(uid)),
            request_id: tree.string(property("requestId")?).ok_or(DecodeError::InvalidEnvelope)?,
            packet: decode_packet(&tree, property("packet")?)?,
            options: Options::decode(&tree, property("opts")?)?,
        })
    }

    /// Encodes the message, byte by byte as notepack.io would.
    ///
    /// # Errors
    ///
    /// [`EncodeError::TooLong`] and [`EncodeError::IllegalAttachments`].
    pub fn encode(&self) -> Result<Bytes, EncodeError> {
        let mut writer = MessageWriter::for_packet(&self.packet);
        writer.write_map_header(5)?;
        writer.write_text("uid")?;
        writer.write_optional_text(self.uid.as_deref())?;
        writer.write_text("requestId")?;
        writer.write_text(&self.request_id)?;
        writer.write_text("type")?;
        writer.write_number(TYPE.into());
        writer.write_text("packet")?;
        write_packet(&mut writer, &self.packet)?;
        writer.write_text("opts")?;
        self.options.write(&mut writer)?;
        Ok(writer.finish())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{BroadcastRequest, DecodeError};

    const MESSAGE: &[u8] = b"\x85\xa3uid\xa6abcdef\xa9requestId\xa6ghijkl\xa4type\x07\
        \xa6packet\x83\xa4type\x02\xa4data\x91\xa1e\xa3nsp\xa1/\
        \xa4opts\x83\xa5rooms\x90\xa6except\x90\xa5flags\x81\xa7timeout\xcd\x03\xe8";

    fn decode(message: &[u8]) -> Result<BroadcastRequest, DecodeError> {
        BroadcastRequest::decode(&Bytes::copy_from_slice(message))
    }

    #[test]
    fn a_message_survives_decoding_and_encoding() -> Result<(), DecodeError> {
        let request = decode(MESSAGE)?;
        assert_eq!(request.uid.as_deref(), Some("abcdef"));
        assert_eq!(request.request_id, "ghijkl");
        assert_eq!(request.packet.encode(), r#"2["e"]"#);
        assert_eq!(request.options.flags.as_bytes(), r#"{"timeout":1000}"#);
        assert_eq!(request.encode(), Ok(Bytes::from_static(MESSAGE)));
        Ok(())
    }

    #[test]
    fn a_message_is_refused_wherever_it_is_cut() {
        for end in 0..MESSAGE.len() {
            assert_eq!(decode(&MESSAGE[..end]), Err(DecodeError::Truncated), "{end}");
        }
    }

    #[test]
    fn what_is_no_such_request_is_refused() {
        let of_type_6: Vec<u8> =
            MESSAGE.iter().map(|&byte| if byte == 7 { 6 } else { byte }).collect();
        for message in [&of_type_6[..], b"\x81\xa4type\x07", b"\x90", b"\xc0"] {
            assert_eq!(decode(message), Err(DecodeError::InvalidEnvelope), "{message:x?}");
        }
    }
}
