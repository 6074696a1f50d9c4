//! The JSON form of a broadcast in the sharded protocol.

use bytes::Bytes;
use serde::de::IgnoredAny;

use super::message::ClusterBroadcast;
use crate::proto::cluster::error::{DecodeError, EncodeError};
use crate::proto::cluster::json::{Tokens, decode_text, number};
use crate::proto::cluster::message_pack::MAX_DEPTH;
use crate::proto::cluster::options::Options;
use crate::proto::cluster::packet::{packet_type, packet_type_of_text};
use crate::proto::socket_io::{Packet, Payload, StringLiteral};

/// Room for the keys, the uid and the type of a message.
const ENVELOPE_CAPACITY: usize = 128;

/// Encodes a broadcast; see [`ClusterBroadcast::encode_parts`].
pub(super) fn encode(
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

/// Decodes a message; see [`ClusterBroadcast::decode`].
///
/// The text is read twice: by serde_json, which accepts what `JSON.parse` accepts, and token by
/// token for the properties of interest. Neither recurses.
pub(super) fn decode(message: &Bytes) -> Result<Option<ClusterBroadcast>, DecodeError> {
    let message = &to_utf8(message);
    if serde_json::from_slice::<IgnoredAny>(message).is_err() {
        return Err(DecodeError::InvalidEnvelope);
    }
    let mut tokens = Tokens::plain(message);
    let envelope = EnvelopeJson::read(&mut tokens);
    if tokens.deepest() > MAX_DEPTH {
        return Err(DecodeError::TooDeep);
    }
    if number::parse(envelope.message_type) != f64::from(ClusterBroadcast::TYPE) {
        return Ok(None);
    }
    let data = envelope.data.ok_or(DecodeError::InvalidEnvelope)?;
    if data.has_request_id || data.packet.as_ref().is_some_and(|packet| packet.has_id) {
        return Ok(None);
    }
    let packet = data.packet.ok_or(DecodeError::InvalidPacketType)?.decode(message)?;
    let options = Options::decode_json(message, data.options)?;
    let text = |json| StringLiteral::at_start_of(json).and_then(|text| decode_text(message, text));
    Ok(options.map(|options| ClusterBroadcast {
        uid: text(envelope.uid),
        namespace: text(envelope.namespace),
        packet,
        options,
    }))
}

/// Replaces invalid UTF-8 by U+FFFD, as Node.js' `buffer.toString()` does.
fn to_utf8(message: &Bytes) -> Bytes {
    if simdutf8::basic::from_utf8(message).is_ok() {
        return message.clone();
    }
    Bytes::from(String::from_utf8_lossy(message).into_owned())
}

/// The properties of a message as they are written; empty if missing. Of duplicate keys, the last
/// counts.
#[derive(Default)]
struct EnvelopeJson<'a> {
    message_type: &'a [u8],
    /// `None` if it is missing or not an object.
    data: Option<DataJson<'a>>,
    uid: &'a [u8],
    namespace: &'a [u8],
}

#[derive(Default)]
struct DataJson<'a> {
    /// `None` if it is missing or not an object.
    packet: Option<PacketJson<'a>>,
    options: &'a [u8],
    has_request_id: bool,
}

#[derive(Default)]
struct PacketJson<'a> {
    packet_type: &'a [u8],
    data: &'a [u8],
    /// True unless the id is missing or null, as in socket.io-parser's `encodeAsString`.
    has_id: bool,
}

impl<'a> EnvelopeJson<'a> {
    fn read(tokens: &mut Tokens<'a>) -> Self {
        let mut envelope = Self::default();
        tokens.visit_object(|key, tokens| {
            if key.is("type") {
                envelope.message_type = tokens.value();
            } else if key.is("data") {
                envelope.data = DataJson::read(tokens);
            } else if key.is("uid") {
                envelope.uid = tokens.value();
            } else if key.is("nsp") {
                envelope.namespace = tokens.value();
            } else {
                tokens.value();
            }
        });
        envelope
    }
}

impl<'a> DataJson<'a> {
    fn read(tokens: &mut Tokens<'a>) -> Option<Self> {
        let mut data = Self::default();
        let is_object = tokens.visit_object(|key, tokens| {
            if key.is("packet") {
                data.packet = PacketJson::read(tokens);
            } else if key.is("opts") {
                data.options = tokens.value();
            } else {
                tokens.value();
                data.has_request_id |= key.is("requestId");
            }
        });
        is_object.then_some(data)
    }
}

impl<'a> PacketJson<'a> {
    fn read(tokens: &mut Tokens<'a>) -> Option<Self> {
        let mut packet = Self::default();
        let is_object = tokens.visit_object(|key, tokens| {
            let value = tokens.value();
            if key.is("type") {
                packet.packet_type = value;
            } else if key.is("data") {
                packet.data = value;
            } else if key.is("id") {
                packet.has_id = value != b"null";
            }
        });
        is_object.then_some(packet)
    }

    /// Decodes the packet. Its payload is a slice of the message.
    fn decode(&self, message: &Bytes) -> Result<Packet, DecodeError> {
        let packet_type = match StringLiteral::at_start_of(self.packet_type) {
            Some(text) => packet_type_of_text(&String::from_utf8_lossy(text.content()))?,
            None => packet_type(number::parse(self.packet_type))?,
        };
        let payload = match self.data {
            // socket.io-parser, `encodeAsString`: null means no payload.
            b"" | b"null" => None,
            data => Some(Payload::of_json(packet_type, message.slice_ref(data))),
        };
        let payload = payload.transpose().map_err(|_| DecodeError::InvalidPayload)?;
        Ok(Packet { payload, ..Packet::new(packet_type) })
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{ClusterBroadcast, DecodeError, decode};
    use crate::proto::cluster::Room;

    type Decoded = Result<Option<ClusterBroadcast>, DecodeError>;

    fn decode_text(message: &str) -> Decoded {
        decode(&Bytes::copy_from_slice(message.as_bytes()))
    }

    fn decode_data(data: &str) -> Decoded {
        decode_text(&format!(r#"{{"type":3,"data":{data},"uid":"u","nsp":"/"}}"#))
    }

    fn decode_packet(packet: &str) -> Decoded {
        decode_data(&format!(r#"{{"packet":{packet},"opts":{{}}}}"#))
    }

    fn decode_options(options: &str) -> Decoded {
        decode_data(&format!(r#"{{"packet":{{"type":2,"data":["e"]}},"opts":{options}}}"#))
    }

    /// The text for the clients.
    fn text(decoded: &Decoded) -> Option<Bytes> {
        Some(decoded.as_ref().ok()?.as_ref()?.packet.encode())
    }

    fn rooms(list: &str) -> Result<Option<Vec<Room>>, DecodeError> {
        let decoded = decode_options(&format!(r#"{{"rooms":{list}}}"#))?;
        Ok(decoded.map(|broadcast| broadcast.options.rooms))
    }

    #[test]
    fn a_payload_stays_as_it_is_written() {
        for data in [
            "[\"e\",\n1.0 ]",
            r#"["\u0065",{"a":1,"a":2,"0":3}]"#,
            r#"["e","\ud800","\uDBFF"]"#,
            "[1,-0,1e999,123456789012345678901234567890]",
        ] {
            let decoded = decode_packet(&format!(r#"{{"type":2, "data": {data} }}"#));
            assert_eq!(text(&decoded), Some(format!("2{data}").into()));
        }
    }

    #[test]
    fn numbers_are_numbers_however_they_are_written() {
        for (three, two) in [("3.0", "2e0"), ("30E-1", "0.2e1"), ("3", "2.000")] {
            let message = format!(
                r#"{{"data":{{"opts":{{}},"packet":{{"data":["e"],"type":{two}}}}},"type":{three}}}"#
            );
            assert_eq!(text(&decode_text(&message)), Some(r#"2["e"]"#.into()), "{message}");
        }
    }

    #[test]
    fn of_duplicate_keys_the_last_one_counts() {
        let decoded = decode_text(
            r#"{"type":4,"data":1,"data":{"opts":[],"packet":[],"opts":{"rooms":"r","rooms":null},
            "packet":{"type":4,"data":0,"id":1,"id":null,"data":["e"],"\u0074ype":2}},"type":3,
            "uid":1,"uid":"u"}"#,
        );
        assert_eq!(text(&decoded), Some(r#"2["e"]"#.into()));
        let uid = decoded.ok().flatten().and_then(|broadcast| broadcast.uid);
        assert_eq!(uid.as_deref(), Some("u"));
        assert_eq!(decode_text(r#"{"type":3,"type":4}"#), Ok(None));
        let decoded = decode_data(r#"{"packet":{"type":2},"opts":{},"packet":null}"#);
        assert_eq!(decoded, Err(DecodeError::InvalidPacketType));
    }

    #[test]
    fn keys_that_mean_nothing_may_be_there() {
        let any = r#""\ud800":"\udc00","x":[{"type":4}],"__proto__":{"type":4,"requestId":1}"#;
        let decoded = decode_text(&format!(
            r#"{{{any},"type":3,"data":{{{any},"packet":{{{any},"type":2,"nsp":7}},"opts":{{{any}}}}}}}"#
        ));
        assert_eq!(text(&decoded), Some("2".into()));
    }

    #[test]
    fn what_awaits_acknowledgements_is_left() {
        for id in ["0", "1", "\"i\"", "[]", "-1", "false"] {
            let packet = format!(r#"{{"type":2,"data":["e"],"id":{id}}}"#);
            assert_eq!(decode_packet(&packet), Ok(None), "{id}");
        }
        for id in ["null", "\"r\"", "{}"] {
            let data = format!(r#"{{"requestId":{id},"packet":{{"type":2}},"opts":{{}}}}"#);
            assert_eq!(decode_data(&data), Ok(None), "{id}");
        }
        assert_eq!(text(&decode_packet(r#"{"type":2,"id":null}"#)), Some("2".into()));
    }

    #[test]
    fn other_messages_are_left() {
        for message in [
            "{}",
            r#"{"type":4,"data":{}}"#,
            r#"{"type":1,"uid":"u","nsp":"/"}"#,
            r#"{"type":"3","data":{"packet":{"type":2},"opts":{}}}"#,
            r#"{"type":12,"data":{"requestId":"r","packet":"\ud800"}}"#,
            r#"{"type":null}"#,
        ] {
            assert_eq!(decode_text(message), Ok(None), "{message}");
        }
    }

    #[test]
    fn what_no_node_sends_is_refused() {
        for message in ["{", "{}x", r#"{"type":3}"#, r#"{"type":3,"data":[]}"#, "{\"a\":\"\t\"}"] {
            assert_eq!(decode_text(message), Err(DecodeError::InvalidEnvelope), "{message}");
        }
        for packet in ["[]", "null", "{}", r#"{"type":"x"}"#, r#"{"type":4}"#, "2"] {
            assert_eq!(decode_packet(packet), Err(DecodeError::InvalidPacketType), "{packet}");
        }
        for data in ["{}", "[]", "[null]", r#"["connect"]"#, "\"e\"", "0"] {
            let packet = format!(r#"{{"type":2,"data":{data}}}"#);
            assert_eq!(decode_packet(&packet), Err(DecodeError::InvalidPayload), "{packet}");
        }
        for options in ["null", r#"{"rooms":1}"#, r#"{"except":{}}"#] {
            assert_eq!(decode_options(options), Err(DecodeError::InvalidOptions), "{options}");
        }
        assert_eq!(decode_data(r#"{"packet":{"type":2}}"#), Err(DecodeError::InvalidOptions));
    }

    #[test]
    fn rooms_are_named_by_plain_values() {
        let list = r#"[ "a","\u0061\"\n" , 1,-1.5e1,null,true,["b",{}],{"c":["d"]},"é" ]"#;
        let expected = ["a".into(), "a\"\n".into(), Room::Number(1.0), Room::Number(-15.0)];
        let others = [Room::Null, Room::Boolean(true), Room::Other, Room::Other];
        assert_eq!(rooms(list), Ok(Some([&expected[..], &others, &["é".into()]].concat())));
        assert_eq!(rooms("[]"), Ok(Some(vec![])));
        assert_eq!(rooms("null"), Ok(Some(vec![])));
        assert_eq!(rooms(r#""""#), Ok(Some(vec![])));
        assert_eq!(rooms(r#""r\u0072é""#), Ok(Some(vec!["r".into(), "é".into()])));
        assert_eq!(rooms(r#""r\ud800""#), Ok(None));
    }

    #[test]
    fn options_that_have_no_properties_reach_everybody() {
        for options in ["[]", r#""""#, "1", "false", r#"{"rooms":"","flags":""}"#] {
            let decoded = decode_options(options).ok().flatten();
            let rooms = decoded.map(|broadcast| broadcast.options.rooms);
            assert_eq!(rooms, Some(vec![]), "{options}");
        }
    }

    #[test]
    fn a_type_may_be_text_or_tell_of_attachments() {
        for packet_type in ["\"2\"", "5", "\"5\""] {
            let decoded = decode_packet(&format!(r#"{{"type":{packet_type},"data":["e"]}}"#));
            assert_eq!(text(&decoded), Some(r#"2["e"]"#.into()), "{packet_type}");
        }
    }

    #[test]
    fn a_room_with_a_lone_surrogate_is_left_to_the_application() {
        for list in [r#"["\ud800"]"#, r#"["a","b\udc00",1]"#, r#"["\ud83d\ud83d\ude00"]"#] {
            assert_eq!(rooms(list), Ok(None), "{list}");
            let options = format!(r#"{{"rooms":["a"],"except":{list}}}"#);
            assert_eq!(decode_options(&options), Ok(None), "{options}");
        }
        assert_eq!(rooms(r#"["\ud83d\ude00"]"#), Ok(Some(vec!["😀".into()])));
        // Nobody is in an array.
        assert_eq!(rooms(r#"[["\ud800"]]"#), Ok(Some(vec![Room::Other])));
    }

    #[test]
    fn names_that_are_no_text_are_none() {
        for name in ["null", "1", "[\"u\"]", r#""\ud800""#] {
            let message = format!(
                r#"{{"type":3,"data":{{"packet":{{"type":2}},"opts":{{}}}},"uid":{name},"nsp":{name}}}"#
            );
            let decoded = decode_text(&message).ok().flatten();
            let names = decoded.map(|broadcast| (broadcast.uid, broadcast.namespace));
            assert_eq!(names, Some((None, None)), "{message}");
        }
    }

    #[test]
    fn what_is_no_utf_8_is_replaced() {
        let message = br#"{"type":3,"data":{"packet":{"type":2,"data":["e","!"]},"opts":{}}}"#;
        let message: Vec<u8> =
            message.iter().map(|&byte| if byte == b'!' { 0xff } else { byte }).collect();
        assert_eq!(text(&decode(&message.into())), Some("2[\"e\",\"\u{fffd}\"]".into()));
    }
}
