//! The flags of a broadcast.

use super::json::{Tokens, number};
use super::message_pack::{Tree, Value};

/// Those flags of a broadcast that whoever receives it looks at. socket.io-adapter reads
/// `volatile` as a condition; engine.io compresses unless `compress` is false itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags {
    is_volatile: bool,
    is_compressed: bool,
}

impl Flags {
    /// The flags at an index of a message.
    pub(super) fn decode(tree: &Tree<'_>, index: usize) -> Self {
        Self {
            is_volatile: tree.property_node(index, "volatile").is_truthy(),
            is_compressed: tree.property_node(index, "compress") != Value::Boolean(false),
        }
    }

    /// The flags that valid JSON says.
    pub(super) fn decode_json(json: &[u8]) -> Self {
        let mut flags = Self::default();
        Tokens::plain(json).visit_object(|key, tokens| {
            let value = tokens.value();
            if key.is("volatile") {
                flags.is_volatile = is_truthy(value);
            } else if key.is("compress") {
                flags.is_compressed = value != b"false";
            }
        });
        flags
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

/// Whether JavaScript takes a value of JSON for true in a condition.
fn is_truthy(json: &[u8]) -> bool {
    match json {
        b"null" | b"false" | b"\"\"" => false,
        [b'-' | b'0'..=b'9', ..] => number::parse(json) != 0.0,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::Flags;

    fn decode(json: &str) -> (bool, bool) {
        let flags = Flags::decode_json(json.as_bytes());
        (flags.is_volatile(), flags.is_compressed())
    }

    #[test]
    fn volatile_is_a_condition_and_compress_only_false_itself() {
        assert_eq!(decode("{}"), (false, true));
        assert_eq!(decode(r#"{"volatile":true,"compress":false}"#), (true, false));
        assert_eq!(decode(r#"{"volatile":"no","compress":0}"#), (true, true));
        assert_eq!(decode(r#"{"volatile":"","compress":true}"#), (false, true));
        for falsy in ["null", "false", "0", "-0.0", "0e5", "1e-400", "\"\""] {
            assert_eq!(decode(&format!("{{\"volatile\":{falsy}}}")), (false, true), "{falsy}");
        }
        for truthy in ["true", "[]", "{}", "\"\\ud800\"", "-1", "5e-324", "1e300", "1e999"] {
            assert_eq!(decode(&format!("{{\"volatile\":{truthy}}}")), (true, true), "{truthy}");
        }
    }

    #[test]
    fn the_last_of_duplicate_flags_counts_however_it_is_written() {
        assert_eq!(decode(r#"{"volatile":true,"\u0076olatile" : 0 }"#), (false, true));
        assert_eq!(decode(r#"{"compress":false,"x":{"compress":true}}"#), (false, false));
    }

    #[test]
    fn what_is_no_object_has_no_flags() {
        for json in ["null", "0", "\"volatile\"", r#"[{"volatile":true}]"#, "[]"] {
            assert_eq!(decode(json), (false, true), "{json}");
        }
    }
}
