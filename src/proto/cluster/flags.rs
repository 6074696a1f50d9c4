//! The flags of a broadcast.

use super::json::{Tokens, number};
use super::message_pack::Tree;

/// The flags of a broadcast that matter to its receiver: `volatile`, which socket.io-adapter reads
/// as a condition, and `compress`, which engine.io compares with `false`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    is_volatile: bool,
    is_incompressible: bool,
}

impl Flags {
    /// Decodes the flags at an index of a message.
    pub(super) fn decode(tree: &Tree<'_>, index: usize) -> Self {
        Self {
            is_volatile: tree.property_value(index, "volatile").is_truthy(),
            is_incompressible: tree.property_value(index, "compress").is_false(),
        }
    }

    /// Decodes the flags in valid JSON.
    pub(super) fn decode_json(json: &[u8]) -> Self {
        let mut flags = Self::default();
        Tokens::plain(json).visit_object(|key, tokens| {
            let value = tokens.value();
            if key.is("volatile") {
                flags.is_volatile = is_truthy(value);
            } else if key.is("compress") {
                flags.is_incompressible = value == b"false";
            }
        });
        flags
    }

    /// Returns whether the packet is dropped for clients whose send queue is not empty.
    #[must_use]
    pub const fn is_volatile(self) -> bool {
        self.is_volatile
    }

    /// Returns whether the packet is compressed for clients with which that is negotiated.
    #[must_use]
    pub const fn is_compressible(self) -> bool {
        !self.is_incompressible
    }
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
    use super::Flags;

    fn is_volatile(json: &str) -> bool {
        Flags::decode_json(json.as_bytes()).is_volatile()
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
        let is_compressible = |json: &str| Flags::decode_json(json.as_bytes()).is_compressible();
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
