//! The flags of a broadcast.

use super::json::{Tokens, number};
use super::message_pack::Tree;

/// The flags of a broadcast that matter to its receiver: `volatile`, which socket.io-adapter reads
/// as a condition. Nothing that is sent here is compressed, so `compress` is ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    is_volatile: bool,
}

impl Flags {
    /// Decodes the flags at an index of a message.
    pub(super) fn decode(tree: &Tree<'_>, index: usize) -> Self {
        Self { is_volatile: tree.property_value(index, "volatile").is_truthy() }
    }

    /// Decodes the flags in valid JSON.
    pub(super) fn decode_json(json: &[u8]) -> Self {
        let mut flags = Self::default();
        Tokens::plain(json).visit_object(|key, tokens| {
            let value = tokens.value();
            if key.is("volatile") {
                flags.is_volatile = is_truthy(value);
            }
        });
        flags
    }

    /// Returns whether the packet is dropped for clients whose send queue is not empty.
    #[must_use]
    pub const fn is_volatile(self) -> bool {
        self.is_volatile
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
