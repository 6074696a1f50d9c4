//! The flags of a broadcast.

use bytes::Bytes;
use serde::de::IgnoredAny;

use super::EncodeError;
use super::message_writer::MessageWriter;
use super::node::Node;
use super::tree::Tree;

/// Those flags of a broadcast that whoever receives it looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags {
    is_volatile: bool,
    is_compressed: bool,
}

impl Flags {
    /// Flags from what `JSON.stringify` made of them, such as `{"volatile":true}`.
    ///
    /// # Errors
    ///
    /// [`EncodeError::InvalidJson`] also where it is nested beyond
    /// [`MAX_DEPTH`](super::MAX_DEPTH), and [`EncodeError::TooLong`].
    pub fn parse(json: Bytes) -> Result<Self, EncodeError> {
        if serde_json::from_slice::<IgnoredAny>(&json).is_err() {
            return Err(EncodeError::InvalidJson);
        }
        let mut writer = MessageWriter::default();
        writer.write_json(&json, &[])?;
        let message = writer.finish();
        let tree = Tree::decode(&message).map_err(|_| EncodeError::InvalidJson)?;
        Ok(Self::decode(&tree, Tree::ROOT))
    }

    /// The flags that a message has at an index. socket.io-adapter reads `flags.volatile` as a
    /// condition; engine.io compresses unless `compress` is false itself.
    pub(super) fn decode(tree: &Tree<'_>, index: usize) -> Self {
        Self {
            is_volatile: tree.property_node(index, "volatile").is_truthy(),
            is_compressed: tree.property_node(index, "compress") != Node::Boolean(false),
        }
    }

    /// Whether the packet is dropped for clients to which something waits already.
    #[must_use]
    pub const fn is_volatile(self) -> bool {
        self.is_volatile
    }

    /// Whether the packet may be compressed.
    #[must_use]
    pub const fn is_compressed(self) -> bool {
        self.is_compressed
    }
}

impl Default for Flags {
    /// Those of `{}`.
    fn default() -> Self {
        Self { is_volatile: false, is_compressed: true }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{EncodeError, Flags};

    fn parse(json: &'static str) -> Result<(bool, bool), EncodeError> {
        let flags = Flags::parse(Bytes::from_static(json.as_bytes()))?;
        Ok((flags.is_volatile(), flags.is_compressed()))
    }

    #[test]
    fn volatile_is_a_condition_and_compress_only_false_itself() {
        assert_eq!(parse("{}"), Ok((false, true)));
        assert_eq!(parse(r#"{"volatile":true,"compress":false}"#), Ok((true, false)));
        assert_eq!(parse(r#"{"volatile":"no","compress":0}"#), Ok((true, true)));
        assert_eq!(parse(r#"{"volatile":0,"compress":null}"#), Ok((false, true)));
        assert_eq!(parse(r#"{"volatile":"","compress":true}"#), Ok((false, true)));
        assert_eq!(parse("null"), Ok((false, true)));
    }

    #[test]
    fn the_default_is_what_an_empty_object_gives() {
        assert_eq!(Flags::parse(Bytes::from_static(b"{}")), Ok(Flags::default()));
    }

    #[test]
    fn what_is_no_json_is_refused() {
        assert_eq!(parse("{"), Err(EncodeError::InvalidJson));
    }
}
