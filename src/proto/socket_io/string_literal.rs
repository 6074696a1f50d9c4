//! String literals of a JSON text that is known to be valid.

/// Length of the longest encoding of an ASCII character: `\u0041`.
const LONGEST_ESCAPE: usize = 6;

/// A string literal, quotes included.
#[derive(Clone, Copy)]
pub(in crate::proto) struct StringLiteral<'a>(&'a [u8]);

impl<'a> StringLiteral<'a> {
    /// Returns the literal at the start of valid JSON, or `None` if that starts with another value.
    pub(in crate::proto) fn at_start_of(json: &'a [u8]) -> Option<Self> {
        let mut end = usize::from(json.first() == Some(&b'"'));
        if end == 0 {
            return None;
        }
        loop {
            let at = end + memchr::memchr2(b'"', b'\\', json.get(end..)?)?;
            if json.get(at) == Some(&b'"') {
                return json.get(..=at).map(Self);
            }
            end = at + 2; // an escape is at least two bytes, and none contains a bare quote
        }
    }

    /// Length in bytes, quotes included.
    pub(in crate::proto) fn len(self) -> usize {
        self.0.len()
    }

    /// Returns the literal.
    pub(in crate::proto) fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// Returns the literal without its quotes, with its escapes.
    pub(in crate::proto) fn content(self) -> &'a [u8] {
        self.0.get(1..self.0.len() - 1).unwrap_or_default()
    }

    /// Returns whether the decoded literal equals the ASCII string `expected`.
    pub(in crate::proto) fn is(self, expected: &str) -> bool {
        let content = self.content();
        if content.len() < expected.len() || content.len() > LONGEST_ESCAPE * expected.len() {
            return false;
        }
        content == expected.as_bytes() || (content.contains(&b'\\') && self.decodes_to(expected))
    }

    /// Decodes the literal to compare it. One with a lone surrogate fails to decode, and is not ASCII.
    fn decodes_to(self, expected: &str) -> bool {
        serde_json::from_slice::<String>(self.0).is_ok_and(|decoded| decoded == expected)
    }
}

#[cfg(test)]
mod tests {
    use super::StringLiteral;

    fn literal(json: &str) -> Option<&[u8]> {
        StringLiteral::at_start_of(json.as_bytes()).map(|literal| literal.0)
    }

    #[test]
    fn a_literal_ends_at_its_first_bare_quote() {
        assert_eq!(literal(r#""a":1"#), Some(&br#""a""#[..]));
        assert_eq!(literal(r#""a\"b","c""#), Some(&br#""a\"b""#[..]));
        assert_eq!(literal(r#""a\\","c""#), Some(&br#""a\\""#[..]));
        assert_eq!(literal(r#""""#), Some(&br#""""#[..]));
    }

    #[test]
    fn what_does_not_start_with_a_whole_literal_is_none() {
        for json in ["", "1", "[\"a\"]", "\"", "\"a", "\"a\\", "\"a\\\""] {
            assert_eq!(literal(json), None, "{json}");
        }
    }

    #[test]
    fn escapes_do_not_hide_a_string() {
        let is = |json: &str, expected| {
            StringLiteral::at_start_of(json.as_bytes()).is_some_and(|literal| literal.is(expected))
        };
        assert!(is(r#""num""#, "num"));
        assert!(is(r#""\u006eum""#, "num"));
        assert!(is(r#""\u006e\u0075\u006D""#, "num"));
        assert!(!is(r#""\u006e\ud800""#, "nu"));
        assert!(!is(r#""Num""#, "num"));
        assert!(!is(r#""nu""#, "num"));
    }
}
