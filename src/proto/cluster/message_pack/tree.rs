//! Decodes a message into a flat tree of values.

use std::borrow::Cow;

use bytes::Bytes;
use bytestring::ByteString;

use super::reader::{Reader, Span};
use super::value::Value;
use crate::proto::cluster::error::DecodeError;

/// The deepest nesting of arrays and maps. notepack.io and socket.io-parser recurse: measured on
/// Node.js 20 to 26, they overflow the stack between 2,200 and 8,400, so nothing that they can
/// decode is refused.
pub const MAX_DEPTH: usize = 10_000;

/// The values of a message in order of position, sixteen bytes each. Text and binary data are not
/// copied.
///
/// Decoding is a loop in linear time, and keeps a small record for each open array and map.
#[derive(Debug)]
pub(crate) struct Tree<'a> {
    message: &'a Bytes,
    values: Vec<Value>,
}

/// Returns whether `message` is exactly one well-formed MessagePack value. notepack.io's decoder
/// must not be given others: it allocates and loops for any length that it reads.
#[must_use]
pub fn is_well_formed(message: &Bytes) -> bool {
    Tree::decode(message).is_ok()
}

/// Returns for how many values memory is reserved: few messages have more, and long ones are long
/// by their strings and attachments.
const fn room_for_values(message_len: usize) -> usize {
    let by_length = message_len / 4;
    if by_length < 256 { by_length } else { 256 }
}

/// An array or a map that is not complete.
struct Open {
    index: usize,
    /// The number of missing values, keys included.
    missing: u64,
    is_map: bool,
}

impl Open {
    /// Takes the next value; in a map, keys and values alternate.
    const fn take(&mut self, value: Value) -> Result<(), DecodeError> {
        if self.is_map && self.missing.is_multiple_of(2) && !value.is_key() {
            return Err(DecodeError::UnsupportedKey);
        }
        self.missing -= 1;
        Ok(())
    }
}

impl<'a> Tree<'a> {
    /// The index of the value that a message consists of.
    pub(crate) const ROOT: usize = 0;

    /// Decodes the one value that a message consists of.
    pub(crate) fn decode(message: &'a Bytes) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(message)?;
        let mut tree = Self { message, values: Vec::with_capacity(room_for_values(message.len())) };
        let mut open: Vec<Open> = Vec::new();
        loop {
            let value = Value::read(&mut reader)?;
            if let Some(parent) = open.last_mut() {
                parent.take(value)?;
            }
            open.extend(tree.push(value));
            if open.len() > MAX_DEPTH {
                return Err(DecodeError::TooDeep);
            }
            while let Some(complete) = open.pop_if(|open| open.missing == 0) {
                tree.close(complete.index);
            }
            if open.is_empty() {
                break;
            }
        }
        if reader.remaining() > 0 { Err(DecodeError::TrailingBytes) } else { Ok(tree) }
    }

    /// Appends a value. Returns it if it is an array or a map.
    fn push(&mut self, value: Value) -> Option<Open> {
        let index = self.values.len();
        self.values.push(value);
        let (missing, is_map) = match value {
            Value::Array(children) => (children.count.into(), false),
            Value::Map(children) => (2 * u64::from(children.count), true),
            _ => return None,
        };
        Some(Open { index, missing, is_map })
    }

    /// Notes that the array or map at `index` ends with the last value.
    fn close(&mut self, index: usize) {
        let count = self.values.len() as u32; // no more than bytes, which 32 bits count
        if let Some(Value::Array(children) | Value::Map(children)) = self.values.get_mut(index) {
            children.end = count;
        }
    }

    /// Returns the value at an index; undefined beyond the end.
    pub(crate) fn value(&self, index: usize) -> Value {
        self.values.get(index).copied().unwrap_or(Value::Undefined)
    }

    /// Returns the index of the value behind the one at `index` and its children.
    pub(crate) fn after(&self, index: usize) -> usize {
        match self.value(index) {
            Value::Array(children) | Value::Map(children) => children.end as usize,
            _ => index + 1,
        }
    }

    /// Returns the indices of the values in an array or a map, keys included. Other values have no
    /// children.
    pub(crate) fn children(&self, index: usize) -> impl Iterator<Item = usize> {
        let mut next = index + 1;
        let end = self.after(index);
        std::iter::from_fn(move || {
            let child = next;
            next = self.after(child);
            (child < end).then_some(child)
        })
    }

    /// Returns the index of a map's property `name`, which is ASCII. Of duplicate keys, the last
    /// counts.
    pub(crate) fn property(&self, map: usize, name: &str) -> Option<usize> {
        if !matches!(self.value(map), Value::Map(_)) {
            return None;
        }
        let mut children = self.children(map);
        let entries = std::iter::from_fn(|| children.next().zip(children.next()));
        entries.filter(|&(key, _)| self.is_text(key, name)).last().map(|(_, value)| value)
    }

    /// Returns the property `name` of a map; undefined if it is missing.
    pub(crate) fn property_value(&self, map: usize, name: &str) -> Value {
        self.property(map, name).map_or(Value::Undefined, |index| self.value(index))
    }

    /// Returns whether a key is the ASCII string `text`, which no other bytes decode to.
    fn is_text(&self, key: usize, text: &str) -> bool {
        matches!(
            self.value(key),
            Value::String(span) | Value::Buffer(span) if self.bytes(span) == text.as_bytes()
        )
    }

    fn bytes(&self, span: Span) -> &'a [u8] {
        self.message.get(span.range()).unwrap_or_default()
    }

    /// Returns a string, with U+FFFD for each maximal part of an invalid character, as Node.js'
    /// `buffer.toString("utf8")` does.
    pub(crate) fn text(&self, span: Span) -> Cow<'a, str> {
        let bytes = self.bytes(span);
        match simdutf8::basic::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => String::from_utf8_lossy(bytes),
        }
    }

    /// Returns [`text`](Self::text), sharing the memory of the message.
    pub(crate) fn byte_string(&self, span: Span) -> ByteString {
        ByteString::try_from(self.binary(span)).unwrap_or_else(|_| self.text(span).as_ref().into())
    }

    /// Returns the string at an index; `None` if the value is not a string.
    pub(crate) fn string(&self, index: usize) -> Option<ByteString> {
        match self.value(index) {
            Value::String(span) => Some(self.byte_string(span)),
            _ => None,
        }
    }

    /// Returns binary data, sharing the memory of the message.
    pub(crate) fn binary(&self, span: Span) -> Bytes {
        self.message.slice_ref(self.bytes(span))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{DecodeError, MAX_DEPTH, Tree, Value, is_well_formed};

    fn refusal(message: &'static [u8]) -> Option<DecodeError> {
        Tree::decode(&Bytes::from_static(message)).err()
    }

    #[test]
    fn a_message_is_well_formed_if_its_lengths_are_right() {
        assert!(is_well_formed(&Bytes::from_static(b"\x81\xa1a\x91\xc9\0\0\0\x01\x05a")));
        for message in [&b""[..], b"\xc1", b"\xc9\xff\xff\xff\xff\0", b"\xdd\xff\xff\xff\xff\x01"] {
            assert!(!is_well_formed(&Bytes::from_static(message)));
        }
    }

    #[test]
    fn the_children_of_a_value_are_found_without_walking_through_them() -> Result<(), DecodeError> {
        let message = Bytes::from_static(b"\x94\x92\x01\x02\x90\x81\xa1a\x91\x03\x04");
        let tree = Tree::decode(&message)?;
        let children: Vec<_> = tree.children(Tree::ROOT).map(|index| tree.value(index)).collect();
        assert!(matches!(
            children[..],
            [Value::Array(_), Value::Array(_), Value::Map(_), Value::Number(4.0)]
        ));
        assert_eq!(tree.children(2).count(), 0);
        Ok(())
    }

    #[test]
    fn a_property_is_found_by_its_name() -> Result<(), DecodeError> {
        let message = Bytes::from_static(b"\x84\xa1b\x01\xa1a\x02\xa1a\x03\xa1c\x91\x04");
        let tree = Tree::decode(&message)?;
        assert_eq!(tree.property_value(Tree::ROOT, "a"), Value::Number(3.0));
        assert_eq!(tree.property_value(Tree::ROOT, "d"), Value::Undefined);
        assert_eq!(tree.property(1, "a"), None);
        Ok(())
    }

    #[test]
    fn a_message_is_one_value() {
        assert_eq!(refusal(b""), Some(DecodeError::Truncated));
        assert_eq!(refusal(b"\x92\x01"), Some(DecodeError::Truncated));
        assert_eq!(refusal(b"\x01\x02"), Some(DecodeError::TrailingBytes));
        assert_eq!(refusal(b"\x90"), None);
    }

    #[test]
    fn a_key_other_than_a_plain_value_is_refused() {
        for message in [b"\x81\x90\x01" as &[u8], b"\x81\x80\x01", b"\x81\xd6\xff\0\0\0\0\x01"] {
            assert_eq!(refusal(message), Some(DecodeError::UnsupportedKey));
        }
        assert_eq!(refusal(b"\x81\xd4\x01\x02\x01"), Some(DecodeError::UnsupportedKey));
        assert_eq!(refusal(b"\x81\xc7\x00\x00\x01"), Some(DecodeError::UnsupportedKey));
        assert_eq!(refusal(b"\x82\xc0\x90\xc4\x01a\x80"), None);
    }

    #[test]
    fn depth_is_limited() {
        let nested = |depth| Bytes::from([vec![0x91; depth], vec![0xc0]].concat());
        assert!(Tree::decode(&nested(MAX_DEPTH)).is_ok());
        let refused = Tree::decode(&nested(MAX_DEPTH + 1)).err();
        assert_eq!(refused, Some(DecodeError::TooDeep));
    }

    #[test]
    fn a_broken_character_is_replaced_by_its_maximal_parts() -> Result<(), DecodeError> {
        let message = Bytes::from_static(b"\xa7\xe2\x82a\xed\xa0\x80\xff");
        let tree = Tree::decode(&message)?;
        let Value::String(span) = tree.value(Tree::ROOT) else { unreachable!() };
        assert_eq!(tree.text(span), "\u{fffd}a\u{fffd}\u{fffd}\u{fffd}\u{fffd}");
        assert_eq!(tree.byte_string(span), tree.text(span));
        Ok(())
    }
}
