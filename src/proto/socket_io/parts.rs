//! The parts of an event or an acknowledgement whose arguments the caller parses.

use super::PacketType;

/// The most bytes of a text that is split. Longer ones gain nothing: parsing their arguments takes
/// most of the time.
const MAX_SPLIT_BYTES: usize = 4 * 1024;

/// The largest ack id that is split off; it and the next number fit into 32 bits.
const MAX_ACK_ID: u32 = u32::MAX - 1;

/// The positions of the parts of an EVENT or ACK packet in its text.
///
/// Only texts in canonical form are split, so that the parts determine the text: no leading zeros in
/// the ack id, no white space around the arguments, the main namespace left out.
///
/// The arguments begin with `[`, which the last byte closes, if they are JSON at all. So the
/// arguments of many packets can be joined by commas and parsed by one call: if that succeeds, each
/// element of the result is the value of the arguments at its place. Otherwise each has to be
/// parsed by itself.
///
/// Socket.IO v5, "Packet encoding".
///
/// ```
/// use socket_io_turbo::proto::socket_io::{PacketParts, PacketType};
///
/// let text = br#"2/chat,7["hi",{}]"#;
/// let parts = PacketParts::split(text).unwrap();
/// assert_eq!(parts.packet_type(), PacketType::Event);
/// assert_eq!(parts.namespace(text), Some(&b"/chat"[..]));
/// assert_eq!(parts.ack_id(), Some(7));
/// assert_eq!(parts.arguments(text), br#"["hi",{}]"#);
/// assert_eq!(PacketParts::split(br#"2["a"],["b"]"#), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketParts {
    is_ack: bool,
    ack_id: Option<u32>,
    /// The position behind the namespace; 0 without one.
    namespace_end: u16,
    arguments_start: u16,
}

impl PacketParts {
    /// Splits the text of a packet. Returns `None` for all packets that a decoder must look at.
    #[must_use]
    pub fn split(text: &[u8]) -> Option<Self> {
        if text.len() > MAX_SPLIT_BYTES {
            return None;
        }
        let (first, after_type) = text.split_first()?;
        let is_ack = match first {
            b'2' => false,
            b'3' => true,
            _ => return None,
        };
        let after_namespace = skip_namespace(after_type)?;
        let (ack_id, arguments) = take_ack_id(after_namespace)?;
        is_one_array(arguments).then_some(())?;
        let position = |rest: &[u8]| u16::try_from(text.len() - rest.len()).ok();
        Some(Self {
            is_ack,
            ack_id,
            namespace_end: match after_namespace.len() == after_type.len() {
                true => 0,
                false => position(after_namespace)? - 1,
            },
            arguments_start: position(arguments)?,
        })
    }

    /// Returns [`PacketType::Event`] or [`PacketType::Ack`].
    #[must_use]
    pub const fn packet_type(&self) -> PacketType {
        if self.is_ack { PacketType::Ack } else { PacketType::Event }
    }

    /// Returns the ack id.
    #[must_use]
    pub const fn ack_id(&self) -> Option<u32> {
        self.ack_id
    }

    /// Returns the name of the namespace in the `text` that was split; `None` for the main one.
    #[must_use]
    pub fn namespace<'a>(&self, text: &'a [u8]) -> Option<&'a [u8]> {
        text.get(1..self.namespace_end.into())
    }

    /// Returns the arguments in the `text` that was split, an array in JSON.
    #[must_use]
    pub fn arguments<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        text.get(self.arguments_start.into()..).unwrap_or_default()
    }
}

/// Returns what follows the namespace and its comma; `None` if the namespace is not canonical.
fn skip_namespace(rest: &[u8]) -> Option<&[u8]> {
    if rest.first() != Some(&b'/') {
        return Some(rest);
    }
    let comma = memchr::memchr(b',', rest)?;
    (comma > 1).then(|| rest.get(comma + 1..))?
}

/// Returns the ack id, if there is one, and what follows it; `None` if it is not canonical.
fn take_ack_id(rest: &[u8]) -> Option<(Option<u32>, &[u8])> {
    let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if length == 0 {
        return Some((None, rest));
    }
    let (digits, arguments) = rest.split_at(length);
    if length > 1 && digits.first() == Some(&b'0') {
        return None;
    }
    let id = digits
        .iter()
        .try_fold(0_u32, |id, digit| id.checked_mul(10)?.checked_add(u32::from(digit - b'0')))?;
    (id <= MAX_ACK_ID).then_some((Some(id), arguments))
}

/// Returns whether a text begins with a bracket that its last byte closes, counting brackets and
/// braces outside of strings as JSON's grammar does. It may still be malformed.
fn is_one_array(text: &[u8]) -> bool {
    if text.first() != Some(&b'[') {
        return false;
    }
    let mut depth = 0_usize;
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        match byte {
            b'"' => {
                let has_ended = skip_string(&mut rest);
                if !has_ended {
                    return false;
                }
            }
            b'[' | b'{' => depth += 1,
            b']' | b'}' => {
                depth -= 1;
                if depth == 0 {
                    return rest.as_slice().is_empty();
                }
            }
            _ => {}
        }
    }
    false
}

/// Skips the rest of a string; returns whether it ends.
fn skip_string(rest: &mut std::slice::Iter<'_, u8>) -> bool {
    while let Some(byte) = rest.next() {
        match byte {
            b'"' => return true,
            b'\\' => {
                rest.next();
            }
            _ => {}
        }
    }
    false
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may")]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::{MAX_SPLIT_BYTES, PacketParts, is_one_array};
    use crate::proto::socket_io::PacketType;

    /// Returns type, namespace, ack id and arguments.
    fn split(text: &str) -> Option<(PacketType, Option<&str>, Option<u32>, &str)> {
        let parts = PacketParts::split(text.as_bytes())?;
        let namespace = parts.namespace(text.as_bytes());
        let namespace = namespace.map(|name| std::str::from_utf8(name).unwrap());
        let arguments = std::str::from_utf8(parts.arguments(text.as_bytes())).unwrap();
        Some((parts.packet_type(), namespace, parts.ack_id(), arguments))
    }

    #[test]
    fn events_and_acknowledgements_are_split() {
        use PacketType::{Ack, Event};
        assert_eq!(split(r#"2["a"]"#), Some((Event, None, None, r#"["a"]"#)));
        assert_eq!(split(r#"20["a"]"#), Some((Event, None, Some(0), r#"["a"]"#)));
        assert_eq!(split("342[]"), Some((Ack, None, Some(42), "[]")));
        assert_eq!(split("3/ä?b,1[{}]"), Some((Ack, Some("/ä?b"), Some(1), "[{}]")));
        assert_eq!(split("2/a,[1]"), Some((Event, Some("/a"), None, "[1]")));
        assert_eq!(split("24294967294[1]"), Some((Event, None, Some(4_294_967_294), "[1]")));
    }

    #[test]
    fn brackets_in_strings_do_not_count() {
        for arguments in [r#"["]"]"#, r#"["\"]"]"#, r#"["\\","["]"#, r#"[{"a}":"]"},[]]"#] {
            let text = format!("2{arguments}");
            assert_eq!(split(&text).map(|parts| parts.3), Some(arguments), "{arguments}");
        }
    }

    #[test]
    fn other_texts_are_left_to_the_decoder() {
        let texts = [
            "",
            "2",
            "0",
            "1",
            "4{}",
            "51-[\"a\"]",
            "2{}",
            "2\"a\"",
            "2 [\"a\"]",
            "2[\"a\"] ",
            "201[\"a\"]",
            "24294967295[1]",
            "299999999999[1]",
            "2/,[1]",
            "2/a",
            "2/a[1]",
            "2[",
            "2]",
            "2[\"]",
            "2[\"\\\"]",
            "2[1],[2]",
            "2[1]]",
            "2[[1]",
            "2[{]",
            "2[\"a\"",
        ];
        for text in texts {
            assert_eq!(split(text), None, "{text}");
        }
    }

    #[test]
    fn long_texts_are_left_to_the_decoder() {
        let arguments = |length: usize| format!("2[\"{}\"]", "a".repeat(length - 5));
        assert!(split(&arguments(MAX_SPLIT_BYTES)).is_some());
        assert!(split(&arguments(MAX_SPLIT_BYTES + 1)).is_none());
    }

    /// Returns arguments that are well-formed.
    fn well_formed() -> impl Strategy<Value = String> {
        let value = prop::sample::select(vec![
            "1",
            "null",
            r#""a""#,
            r#""]""#,
            r#""[{""#,
            r#""\"""#,
            "[]",
            "[[1],2]",
            "{}",
            r#"{"]":["}"]}"#,
            " 1 ",
        ]);
        prop::collection::vec(value, 0..4).prop_map(|values| format!("[{}]", values.join(",")))
    }

    /// Returns what is one array by its brackets, and mostly malformed.
    fn bracketed() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "[", "]", "{", "}", "\"", "\\", ",", ":", "1", "\"a\"", "null", " ", "\"]\"", "[]",
        ]);
        prop::collection::vec(piece, 0..6)
            .prop_map(|pieces| format!("[{}]", pieces.concat()))
            .prop_filter("brackets that match", |text| is_one_array(text.as_bytes()))
    }

    proptest! {
        #[test]
        fn joined_arguments_that_parse_are_parsed_as_alone(
            texts in prop::collection::vec(prop_oneof![4 => well_formed(), 1 => bracketed()], 1..4),
        ) {
            prop_assert!(texts.iter().all(|text| is_one_array(text.as_bytes())));
            let joined = serde_json::from_str::<Vec<Value>>(&format!("[{}]", texts.join(",")));
            let alone: Result<Vec<Value>, _> =
                texts.iter().map(|text| serde_json::from_str::<Value>(text)).collect();
            prop_assert_eq!(joined.ok(), alone.ok());
        }

        #[test]
        fn arrays_of_json_are_recognized(value in prop::collection::vec(".*", 0..5)) {
            prop_assert!(is_one_array(serde_json::to_string(&value).unwrap().as_bytes()));
        }
    }
}
