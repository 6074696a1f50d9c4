//! The flags of a broadcast.

use bytes::Bytes;
use bytestring::ByteString;

use super::json::{Token, Tokens, decode_text, number};
use super::message_pack::Tree;

/// The most bytes of a key: `lib/adapter/latest.js` has up to 256 characters of UTF-16, of up to three bytes.
const MAX_KEY_BYTES: usize = 3 * 256;

/// The flags of a broadcast that matter to its receiver: `volatile`, which socket.io-adapter reads
/// as a condition; `compress`, which engine.io compares with `false`; and `latest`, the key of
/// `turbo.latest()`, which other packages ignore.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    is_volatile: bool,
    is_incompressible: bool,
    latest: Option<ByteString>,
}

impl Flags {
    /// Decodes the flags at an index of a message.
    pub(super) fn decode(tree: &Tree<'_>, index: usize) -> Self {
        Self {
            is_volatile: tree.property_value(index, "volatile").is_truthy(),
            is_incompressible: tree.property_value(index, "compress").is_false(),
            latest: tree.property(index, "latest").and_then(|key| tree.string(key)).filter(is_key),
        }
    }

    /// Decodes the flags in `json`, a part of `message` and valid. A key with a lone surrogate is
    /// ignored.
    pub(super) fn decode_json(message: &Bytes, json: &[u8]) -> Self {
        let mut flags = Self::default();
        Tokens::plain(json).visit_object(|key, tokens| {
            let value = tokens.value();
            if key.is("volatile") {
                flags.is_volatile = is_truthy(value);
            } else if key.is("compress") {
                flags.is_incompressible = value == b"false";
            } else if key.is("latest") {
                flags.latest = decode_key(message, value);
            }
        });
        flags
    }

    /// Returns whether the packet is dropped for clients whose send queue is not empty.
    #[must_use]
    pub const fn is_volatile(&self) -> bool {
        self.is_volatile
    }

    /// Returns whether the packet is compressed for clients with which that is negotiated.
    #[must_use]
    pub const fn is_compressible(&self) -> bool {
        !self.is_incompressible
    }

    /// Returns the key of a packet that replaces an older one of the same key where that waits.
    #[must_use]
    pub fn latest(&self) -> Option<&str> {
        self.latest.as_deref()
    }
}

fn decode_key(message: &Bytes, json: &[u8]) -> Option<ByteString> {
    match Tokens::plain(json).next() {
        Some(Token::String(literal)) => decode_text(message, literal).filter(is_key),
        _ => None,
    }
}

fn is_key(key: &ByteString) -> bool {
    (1..=MAX_KEY_BYTES).contains(&key.len())
}

/// Returns whether a value of JSON is true in a condition of JavaScript.
fn is_truthy(json: &[u8]) -> bool {
    match json {
        b"null" | b"false" | b"\"\"" => false,
        [b'-' | b'0'..=b'9', ..] => number::parse(json) != 0.0,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::Flags;

    fn decode(json: &str) -> Flags {
        let message = Bytes::copy_from_slice(json.as_bytes());
        Flags::decode_json(&message, &message)
    }

    fn is_volatile(json: &str) -> bool {
        decode(json).is_volatile()
    }

    #[test]
    fn a_key_is_a_string_of_limited_length() {
        let latest = |json: &str| decode(json).latest().map(str::to_owned);
        assert_eq!(latest(r#"{"latest":"a\u0062"}"#), Some("ab".into()));
        assert_eq!(latest(r#"{"latest":"a","latest":"b","volatile":true}"#), Some("b".into()));
        for other in ["{}", r#"{"latest":""}"#, r#"{"latest":1}"#, r#"{"latest":["a"]}"#] {
            assert_eq!(latest(other), None, "{other}");
        }
        for lone in [r#"{"latest":"\ud800"}"#, r#"{"latest":"a","latest":null}"#] {
            assert_eq!(latest(lone), None, "{lone}");
        }
        let long = "\u{20ac}".repeat(256);
        assert_eq!(latest(&format!(r#"{{"latest":"{long}"}}"#)), Some(long.clone()));
        assert_eq!(latest(&format!(r#"{{"latest":"{long}x"}}"#)), None);
    }

    #[test]
    fn volatile_is_a_condition() {
        assert!(!is_volatile("{}"));
        for falsy in ["null", "false", "0", "-0.0", "0e5", "1e-400", "\"\""] {
            assert!(!is_volatile(&format!("{{\"volatile\":{falsy}}}")), "{falsy}");
        }
        for truthy in
            ["true", "[]", "{}", "\"\\ud800\"", "\"no\"", "-1", "5e-324", "1e300", "1e999"]
        {
            assert!(is_volatile(&format!("{{\"volatile\":{truthy}}}")), "{truthy}");
        }
    }

    #[test]
    fn compress_is_compared_with_false() {
        let is_compressible = |json: &str| decode(json).is_compressible();
        for other in ["{}", r#"{"compress":true}"#, r#"{"compress":null}"#, r#"{"compress":0}"#] {
            assert!(is_compressible(other), "{other}");
        }
        assert!(!is_compressible(r#"{"volatile":true,"compress": false}"#));
    }

    #[test]
    fn the_last_of_duplicate_flags_counts_however_it_is_written() {
        assert!(!is_volatile(r#"{"volatile":true,"\u0076olatile" : 0 }"#));
        assert!(is_volatile(r#"{"volatile":false,"volatile":1,"x":{"volatile":false}}"#));
    }

    #[test]
    fn a_value_other_than_an_object_has_no_flags() {
        for json in ["null", "0", "\"volatile\"", r#"[{"volatile":true}]"#, "[]"] {
            assert!(!is_volatile(json), "{json}");
        }
    }
}
