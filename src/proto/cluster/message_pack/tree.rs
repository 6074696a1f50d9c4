//! A whole message as a flat tree.

use std::borrow::Cow;

use bytes::Bytes;
use bytestring::ByteString;

use super::reader::{Reader, Span};
use super::value::Value;
use crate::proto::cluster::DecodeError;

/// How deep arrays and maps may stand in each other. notepack.io and socket.io-parser
/// recurse: measured on Value 20 to 26, they overflow its stack between 2,200 and 8,400,
/// so nothing that they deliver is refused.
pub const MAX_DEPTH: usize = 10_000;

/// The values of a message in the order in which they stand, sixteen bytes each. No
/// text and no binary data is copied.
///
/// Built in a loop, in linear time, with a small record for each array and map that is
/// open.
#[derive(Debug)]
pub(crate) struct Tree<'a> {
    message: &'a Bytes,
    nodes: Vec<Value>,
}

/// Whether a message is one value, as long as it says, so that notepack.io's decoder can be
/// trusted with it: that one believes lengths, and allocates and loops for them.
#[must_use]
pub fn is_well_formed(message: &Bytes) -> bool {
    Tree::decode(message).is_ok()
}

/// How many values there is room for before memory grows: few messages need more, and
/// long ones are long by their strings and attachments.
const fn room_for_nodes(message_len: usize) -> usize {
    let by_length = message_len / 4;
    if by_length < 256 { by_length } else { 256 }
}

/// An array or a map whose last value has not come.
struct Open {
    index: usize,
    /// How many values, keys included, are to come.
    missing: u64,
    is_map: bool,
}

impl Open {
    /// Takes the next value, which is a key or the value of one in turn.
    const fn take(&mut self, node: Value) -> Result<(), DecodeError> {
        if self.is_map && self.missing.is_multiple_of(2) && !node.is_key() {
            return Err(DecodeError::UnsupportedKey);
        }
        self.missing -= 1;
        Ok(())
    }
}

impl<'a> Tree<'a> {
    /// Index of the value that the message consists of.
    pub(crate) const ROOT: usize = 0;

    /// Decodes the one value that a message consists of.
    pub(crate) fn decode(message: &'a Bytes) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(message)?;
        let mut tree = Self { message, nodes: Vec::with_capacity(room_for_nodes(message.len())) };
        let mut open: Vec<Open> = Vec::new();
        loop {
            let node = Value::read(&mut reader)?;
            if let Some(parent) = open.last_mut() {
                parent.take(node)?;
            }
            open.extend(tree.push(node));
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

    /// Appends a node. Returns what it opens.
    fn push(&mut self, node: Value) -> Option<Open> {
        let index = self.nodes.len();
        self.nodes.push(node);
        let (missing, is_map) = match node {
            Value::Array(children) => (children.count.into(), false),
            Value::Map(children) => (2 * u64::from(children.count), true),
            _ => return None,
        };
        Some(Open { index, missing, is_map })
    }

    /// Notes that the array or map at `index` ends with the last node.
    fn close(&mut self, index: usize) {
        let count = self.nodes.len() as u32; // no more than bytes, which 32 bits count
        if let Some(Value::Array(children) | Value::Map(children)) = self.nodes.get_mut(index) {
            children.end = count;
        }
    }

    /// The value at an index; undefined where there is none.
    pub(crate) fn node(&self, index: usize) -> Value {
        self.nodes.get(index).copied().unwrap_or(Value::Undefined)
    }

    /// Index of the value behind the one at `index`, and behind all that stands in that.
    pub(crate) fn after(&self, index: usize) -> usize {
        match self.node(index) {
            Value::Array(children) | Value::Map(children) => children.end as usize,
            _ => index + 1,
        }
    }

    /// Indices of the values in an array or a map, keys included; none in other values.
    pub(crate) fn children(&self, index: usize) -> impl Iterator<Item = usize> {
        let mut next = index + 1;
        let end = self.after(index);
        std::iter::from_fn(move || {
            let child = next;
            next = self.after(child);
            (child < end).then_some(child)
        })
    }

    /// Index of the property `name`, which is ASCII, of a map. Of duplicate keys the
    /// last one counts.
    pub(crate) fn property(&self, map: usize, name: &str) -> Option<usize> {
        if !matches!(self.node(map), Value::Map(_)) {
            return None;
        }
        let mut children = self.children(map);
        let entries = std::iter::from_fn(|| children.next().zip(children.next()));
        entries.filter(|&(key, _)| self.is_text(key, name)).last().map(|(_, value)| value)
    }

    /// The property `name` of a map; undefined where it is missing.
    pub(crate) fn property_node(&self, map: usize, name: &str) -> Value {
        self.property(map, name).map_or(Value::Undefined, |index| self.node(index))
    }

    /// Whether a key is the ASCII string `text`. Other bytes cannot be decoded to it.
    fn is_text(&self, key: usize, text: &str) -> bool {
        matches!(
            self.node(key),
            Value::String(span) | Value::Buffer(span) if self.bytes(span) == text.as_bytes()
        )
    }

    fn bytes(&self, span: Span) -> &'a [u8] {
        self.message.get(span.range()).unwrap_or_default()
    }

    /// A string. What is no UTF-8 in it becomes U+FFFD, as in Value's
    /// `buffer.toString("utf8")`: one for each maximal part of a character.
    pub(crate) fn text(&self, span: Span) -> Cow<'a, str> {
        let bytes = self.bytes(span);
        match simdutf8::basic::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => String::from_utf8_lossy(bytes),
        }
    }

    /// [`text`](Self::text) that shares the memory of the message.
    pub(crate) fn byte_string(&self, span: Span) -> ByteString {
        ByteString::try_from(self.binary(span)).unwrap_or_else(|_| self.text(span).as_ref().into())
    }

    /// The string at an index; `None` if another value stands there.
    pub(crate) fn string(&self, index: usize) -> Option<ByteString> {
        match self.node(index) {
            Value::String(span) => Some(self.byte_string(span)),
            _ => None,
        }
    }

    /// Binary data, which shares the memory of the message.
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
    fn a_message_is_well_formed_if_it_is_as_long_as_it_says() {
        assert!(is_well_formed(&Bytes::from_static(b"\x81\xa1a\x91\xc9\0\0\0\x01\x05a")));
        for message in [&b""[..], b"\xc1", b"\xc9\xff\xff\xff\xff\0", b"\xdd\xff\xff\xff\xff\x01"] {
            assert!(!is_well_formed(&Bytes::from_static(message)));
        }
    }

    #[test]
    fn the_children_of_a_value_are_found_without_walking_through_them() -> Result<(), DecodeError> {
        let message = Bytes::from_static(b"\x94\x92\x01\x02\x90\x81\xa1a\x91\x03\x04");
        let tree = Tree::decode(&message)?;
        let children: Vec<_> = tree.children(Tree::ROOT).map(|index| tree.node(index)).collect();
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
        assert_eq!(tree.property_node(Tree::ROOT, "a"), Value::Number(3.0));
        assert_eq!(tree.property_node(Tree::ROOT, "d"), Value::Undefined);
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
    fn a_key_that_is_no_plain_value_is_refused() {
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
        let Value::String(span) = tree.node(Tree::ROOT) else { unreachable!() };
        assert_eq!(tree.text(span), "\u{fffd}a\u{fffd}\u{fffd}\u{fffd}\u{fffd}");
        assert_eq!(tree.byte_string(span), tree.text(span));
        Ok(())
    }
}
