//! Broadcasts of the classic protocol.

use bytes::Bytes;
use bytestring::ByteString;
use serde::de::IgnoredAny;

use super::error::{DecodeError, EncodeError};
use super::message_pack::{Children, MessageWriter, Reader, Tree, Value};
use super::options::Options;
use super::packet::{decode_packet, write_packet};
use crate::proto::socket_io::Packet;

/// The message `[uid, packet, {rooms, except, flags}]` of the classic protocol, which awaits no
/// acknowledgement.
///
/// ```
/// use socket_io_turbo::proto::cluster::Broadcast;
/// use socket_io_turbo::proto::socket_io::Decoder;
///
/// // A packet and its options, as the publisher has them.
/// let packet = Decoder::new(0).handle_text(r#"2["news",1]"#.into()).unwrap().unwrap();
/// let options = br#"{"rooms":["r"],"except":[],"flags":{"volatile":true}}"#;
/// let message = Broadcast::encode_parts("node1", &packet, options).unwrap();
///
/// // A node ignores its own broadcasts, and decodes the others.
/// assert_eq!(Broadcast::peek_uid(&message), Some(&b"node1"[..]));
/// let broadcast = Broadcast::decode(&message).unwrap();
/// assert_eq!(broadcast.packet.encode(), r#"2["news",1]"#);
/// assert!(broadcast.options.flags.is_volatile());
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Broadcast {
    /// The uid of the node that published it, or `emitter`; `None` if it is not a string, and so
    /// not the uid of a node.
    pub uid: Option<ByteString>,
    /// The packet for the clients, with the publisher's ack id.
    pub packet: Packet,
    /// The recipients and flags.
    pub options: Options,
}

impl Broadcast {
    /// Returns the uid with which a message begins, without decoding the rest: of the messages
    /// that a node must ignore, most are its own.
    #[must_use]
    pub fn peek_uid(message: &[u8]) -> Option<&[u8]> {
        let mut reader = Reader::new(message).ok()?;
        let Value::Array(Children { count: 1.., .. }) = Value::read(&mut reader).ok()? else {
            return None;
        };
        match Value::read(&mut reader).ok()? {
            Value::String(span) => message.get(span.range()),
            _ => None,
        }
    }

    /// Decodes a message. Strings and attachments share its memory.
    ///
    /// # Errors
    ///
    /// See [`DecodeError`].
    pub fn decode(message: &Bytes) -> Result<Self, DecodeError> {
        let tree = Tree::decode(message)?;
        if !matches!(tree.value(Tree::ROOT), Value::Array(_)) {
            return Err(DecodeError::InvalidEnvelope);
        }
        let mut elements = tree.children(Tree::ROOT);
        let mut element = || elements.next().ok_or(DecodeError::InvalidEnvelope);
        let (uid, packet, options) = (element()?, element()?, element()?);
        // @socket.io/redis-adapter sets properties of the options.
        if !tree.value(options).is_object() {
            return Err(DecodeError::InvalidOptions);
        }
        Ok(Self {
            uid: tree.string(uid),
            packet: decode_packet(&tree, packet)?,
            options: Options::decode(&tree, options)?,
        })
    }

    /// Encodes the message of a packet and of its options as `JSON.stringify` prints them,
    /// `{"rooms":[…],"except":[…],"flags":{…}}`, to the same bytes as notepack.io.
    ///
    /// # Errors
    ///
    /// See [`EncodeError`].
    pub fn encode_parts(uid: &str, packet: &Packet, options: &[u8]) -> Result<Bytes, EncodeError> {
        if serde_json::from_slice::<IgnoredAny>(options).is_err() {
            return Err(EncodeError::InvalidJson);
        }
        let mut writer = MessageWriter::for_packet(packet);
        writer.write_array_header(3)?;
        writer.write_text(uid)?;
        write_packet(&mut writer, packet, Some(packet.namespace.as_str()))?;
        writer.write_json(options, &[])?;
        Ok(writer.finish())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{Broadcast, DecodeError, EncodeError};

    const MESSAGE: &[u8] = b"\x93\xa6abcdef\x83\xa4type\x02\xa4data\x92\xa1e\xc4\x01A\xa3nsp\xa1/\
        \x83\xa5rooms\x92\xa1r\x01\xa6except\x90\xa5flags\x81\xa8volatile\xc3";

    fn decode(message: &[u8]) -> Result<Broadcast, DecodeError> {
        Broadcast::decode(&Bytes::copy_from_slice(message))
    }

    #[test]
    fn a_message_survives_decoding_and_encoding() -> Result<(), DecodeError> {
        let Broadcast { uid, packet, options } = decode(MESSAGE)?;
        assert_eq!(uid.as_deref(), Some("abcdef"));
        assert_eq!(packet.encode(), r#"51-["e",{"_placeholder":true,"num":0}]"#);
        assert_eq!(options.rooms.len(), 2);
        assert!(options.flags.is_volatile());
        let encode = |options: &str| Broadcast::encode_parts("abcdef", &packet, options.as_bytes());
        let options = r#"{"rooms":["r",1],"except":[],"flags":{"volatile":true}}"#;
        assert_eq!(encode(options), Ok(Bytes::from_static(MESSAGE)));
        assert_eq!(encode("{"), Err(EncodeError::InvalidJson));
        Ok(())
    }

    #[test]
    fn the_uid_is_read_without_decoding() {
        assert_eq!(Broadcast::peek_uid(MESSAGE), Some(&b"abcdef"[..]));
        assert_eq!(Broadcast::peek_uid(b"\x93\xa1a\xc0\xc1"), Some(&b"a"[..]));
        for message in [b"" as &[u8], b"\x90", b"\x93\xc0\xc0\xc0", b"\xa1a", b"\x93\xa6abc"] {
            assert_eq!(Broadcast::peek_uid(message), None);
        }
    }

    #[test]
    fn a_uid_that_is_not_a_string_is_missing() -> Result<(), DecodeError> {
        let message = [b"\x93\xc0", &MESSAGE[8..]].concat();
        assert_eq!(decode(&message)?.uid, None);
        Ok(())
    }

    #[test]
    fn elements_beyond_the_third_are_ignored() {
        let message = [b"\x94", &MESSAGE[1..], b"\x81\xa1a\xc0"].concat();
        assert_eq!(decode(&message), decode(MESSAGE));
    }

    #[test]
    fn a_message_is_refused_wherever_it_is_cut() {
        for end in 0..MESSAGE.len() {
            assert_eq!(decode(&MESSAGE[..end]), Err(DecodeError::Truncated), "{end}");
        }
        let message = [MESSAGE, b"\xc0"].concat();
        assert_eq!(decode(&message), Err(DecodeError::TrailingBytes));
    }

    #[test]
    fn a_message_other_than_an_array_of_three_is_refused() {
        for message in [b"\xc0" as &[u8], b"\x80", b"\x90", b"\x92\xa1a\x80", b"\xa3abc"] {
            assert_eq!(decode(message), Err(DecodeError::InvalidEnvelope), "{message:x?}");
        }
    }
}
