//! JSON payloads.

use bytes::Bytes;
use serde::de::IgnoredAny;

use super::string_literal::StringLiteral;
use super::{DecodeError, PacketType, Placeholders};

/// Event names that Socket.IO itself or Node's `EventEmitter` uses.
const RESERVED_EVENTS: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// A valid JSON text of the shape that its packet type demands.
///
/// Cheap to clone. A decoded payload is a slice of its message and keeps that message in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload(Bytes);

impl Payload {
    /// Checks that `json` is valid and fits `packet_type`, without copying it:
    ///
    /// - CONNECT: an object;
    /// - DISCONNECT: nothing fits;
    /// - EVENT, BINARY_EVENT: an array that starts with a number or with a string
    ///   that is no reserved event name;
    /// - ACK, BINARY_ACK: an array;
    /// - CONNECT_ERROR: a string or an object.
    ///
    /// A text is valid if `JSON.parse` accepts it: lone surrogate escapes and numbers of any size
    /// are. White space may follow the value, but not precede it: there socket.io-parser takes it
    /// for a part of the ack id.
    ///
    /// The caller must have checked that `json` is UTF-8.
    ///
    /// # Errors
    ///
    /// [`DecodeError::InvalidPayload`].
    pub fn parse(packet_type: PacketType, json: Bytes) -> Result<Self, DecodeError> {
        if is_json(&json) {
            Self::of_json(packet_type, json)
        } else {
            Err(DecodeError::InvalidPayload)
        }
    }

    /// Checks, as [`parse`](Self::parse), that a valid JSON text fits `packet_type`.
    pub(in crate::proto) fn of_json(
        packet_type: PacketType,
        json: Bytes,
    ) -> Result<Self, DecodeError> {
        if has_shape_of(packet_type, &json) {
            Ok(Self(json))
        } else {
            Err(DecodeError::InvalidPayload)
        }
    }

    /// Returns the JSON text.
    #[must_use]
    pub const fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// Iterates over the placeholders of this payload, and checks each against the number of
    /// `attachments`.
    #[must_use]
    pub fn placeholders(&self, attachments: usize) -> Placeholders<'_> {
        Placeholders::new(&self.0, attachments)
    }
}

/// serde_json, by measurement (built for baseline x86-64 as the package is, run on
/// a processor with AVX2; ns per text, best of nine rounds):
///
/// | text | serde_json 1.0.154 | sonic-rs 0.5.10 | simd-json 0.19.0, tape |
/// | --- | --- | --- | --- |
/// | small event, 40 bytes | 27 | 63 | 80 |
/// | 20 records, 1.8 KB | 2,027 | 2,715 | 3,025 |
/// | 1,000 records, 91 KB | 97,578 | 136,110 | 153,672 |
/// | 64 KiB string with quotes and newlines | 32,771 | 37,262 | 44,674 |
/// | 64 KiB string without escapes | 8,244 | 3,768 | 15,769 |
///
/// It is also the only one of the three that agrees with `JSON.parse`: simd-json
/// refuses `"\ud800"`, `1e999` and integers of 30 digits, sonic-rs takes `"\u12g4"`
/// and overflows the stack at a nesting of 1,000,000. serde_json skips a value in a
/// loop, with one byte of memory for each open bracket.
fn is_json(json: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(json).is_ok()
}

/// Socket.IO v5, "Packet encoding"; socket.io-parser, `isPayloadValid`.
fn has_shape_of(packet_type: PacketType, json: &[u8]) -> bool {
    let first = json.first();
    match packet_type {
        PacketType::Connect => first == Some(&b'{'),
        PacketType::Disconnect => false,
        PacketType::Event | PacketType::BinaryEvent => is_event(json),
        PacketType::Ack | PacketType::BinaryAck => first == Some(&b'['),
        PacketType::ConnectError => matches!(first, Some(b'{' | b'"')),
    }
}

fn is_event(json: &[u8]) -> bool {
    let Some(elements) = json.strip_prefix(b"[").map(<[u8]>::trim_ascii_start) else {
        return false;
    };
    match StringLiteral::at_start_of(elements) {
        Some(name) => !RESERVED_EVENTS.iter().any(|reserved| name.is(reserved)),
        None => matches!(elements.first(), Some(b'-' | b'0'..=b'9')),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{PacketType, Payload, RESERVED_EVENTS};

    fn fits(packet_type: PacketType, json: &str) -> bool {
        Payload::parse(packet_type, Bytes::copy_from_slice(json.as_bytes())).is_ok()
    }

    #[test]
    fn each_packet_type_takes_its_own_shape() {
        use PacketType::{Ack, BinaryAck, BinaryEvent, Connect, ConnectError, Disconnect, Event};
        let takes = |json| {
            [Connect, Disconnect, Event, Ack, ConnectError, BinaryEvent, BinaryAck]
                .map(|packet_type| u8::from(fits(packet_type, json)))
        };
        assert_eq!(takes(r#"{"a":1}"#), [1, 0, 0, 0, 1, 0, 0]);
        assert_eq!(takes(r#""text""#), [0, 0, 0, 0, 1, 0, 0]);
        assert_eq!(takes("[]"), [0, 0, 0, 1, 0, 0, 1]);
        assert_eq!(takes(r#"["e"]"#), [0, 0, 1, 1, 0, 1, 1]);
        assert_eq!(takes("[-1.5e9]"), [0, 0, 1, 1, 0, 1, 1]);
        assert_eq!(takes(r#"[{"toString":"foo"}]"#), [0, 0, 0, 1, 0, 0, 1]);
        assert_eq!(takes("[null]"), [0, 0, 0, 1, 0, 0, 1]);
        for json in ["", "null", "true", "1", "undefined"] {
            assert_eq!(takes(json), [0; 7], "{json}");
        }
    }

    #[test]
    fn a_reserved_event_name_is_refused_however_it_is_written() {
        for name in RESERVED_EVENTS {
            let escaped: String = name.chars().map(|c| format!("\\u{:04x}", c as u32)).collect();
            assert!(!fits(PacketType::Event, &format!("[\"{name}\"]")));
            assert!(!fits(PacketType::Event, &format!("[ \n\"{escaped}\" ,1]")));
            assert!(fits(PacketType::Event, &format!("[\"{name} \"]")));
        }
    }

    #[test]
    fn json_is_what_json_parse_takes() {
        for element in [
            r#""\ud800""#,
            r#""\udc00\ud800""#,
            "1e999",
            "-0",
            "123456789012345678901234567890",
            "\"\u{7f}\u{2028}\"",
            r#"{"a":1,"a":2}"#,
            " \t\r\n1 ",
        ] {
            assert!(fits(PacketType::Ack, &format!("[{element}]")), "{element}");
        }
    }

    #[test]
    fn what_json_parse_refuses_is_refused() {
        for element in [
            "01",
            "1.",
            ".5",
            "+1",
            "-",
            "1,",
            "nul",
            "\"\t\"",
            r#""\x""#,
            r#""\u12g4""#,
            "1 2",
            "{1:1}",
            r#"{"a" 1}"#,
            r#"{"a":1,}"#,
            "NaN",
            "\u{a0}1",
            "\u{feff}1",
            "\u{b}1",
            "\"a",
            "'a'",
            "]",
            "1] [",
            "}",
        ] {
            assert!(!fits(PacketType::Ack, &format!("[{element}]")), "{element}");
        }
    }
}
