//! Placeholders: the references of a payload to attachments.

use std::ops::Range;

use super::DecodeError;
use super::string_literal::StringLiteral;

/// An object `{"_placeholder":true,"num":0}` of a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placeholder {
    /// Position of the object in the payload, in bytes, braces included.
    pub range: Range<usize>,
    /// Index of the attachment that takes its place; always in range.
    pub num: usize,
}

/// Iterates over the placeholders of a payload, in the order in which they end.
///
/// Yields [`DecodeError::IllegalAttachments`] for a placeholder whose `num` is not
/// the index of an attachment in decimal digits, and ends there
/// (CVE-2022-2421: `"num":"splice"`).
///
/// Takes one pass without recursion, and memory for one small record per object that is open at
/// the same time.
#[derive(Debug)]
pub struct Placeholders<'a> {
    json: &'a [u8],
    position: usize,
    attachments: usize,
    open: Vec<OpenObject>,
}

/// An object whose end has not been reached. The last of duplicate keys counts.
#[derive(Debug)]
struct OpenObject {
    start: usize,
    is_placeholder: bool,
    num: Option<usize>,
}

impl<'a> Placeholders<'a> {
    /// `json` must be valid.
    pub(in crate::proto) const fn new(json: &'a [u8], attachments: usize) -> Self {
        Self { json, position: 0, attachments, open: Vec::new() }
    }

    fn open_object(&mut self) {
        let start = self.position;
        self.open.push(OpenObject { start, is_placeholder: false, num: None });
        self.position += 1;
    }

    fn close_object(&mut self) -> Option<Result<Placeholder, DecodeError>> {
        self.position += 1;
        let object = self.open.pop().filter(|object| object.is_placeholder)?;
        let Some(num) = object.num.filter(|&num| num < self.attachments) else {
            self.position = self.json.len();
            return Some(Err(DecodeError::IllegalAttachments));
        };
        Some(Ok(Placeholder { range: object.start..self.position, num }))
    }

    /// Steps over a string. If it is a key of a placeholder, records its value.
    fn string(&mut self) {
        let Some(literal) = self.rest().and_then(StringLiteral::at_start_of) else {
            self.position = self.json.len(); // not reached: the JSON is valid
            return;
        };
        self.position += literal.len();
        let Some(value) = self.rest().and_then(value_of_key) else {
            return;
        };
        let Some(object) = self.open.last_mut() else {
            return;
        };
        if literal.is("_placeholder") {
            object.is_placeholder = value.starts_with(b"true");
        } else if literal.is("num") {
            object.num = index(value);
        }
    }

    fn rest(&self) -> Option<&'a [u8]> {
        self.json.get(self.position..)
    }
}

impl Iterator for Placeholders<'_> {
    type Item = Result<Placeholder, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.position += memchr::memchr3(b'"', b'{', b'}', self.rest()?)?;
            match self.json.get(self.position)? {
                b'"' => self.string(),
                b'{' => self.open_object(),
                _ => {
                    if let Some(found) = self.close_object() {
                        return Some(found);
                    }
                }
            }
        }
    }
}

/// Returns the value that follows a key, or `None` if the string before `rest` is not a key.
fn value_of_key(rest: &[u8]) -> Option<&[u8]> {
    let value = rest.trim_ascii_start().strip_prefix(b":")?;
    Some(value.trim_ascii_start())
}

/// Returns the number at the start of `value` if it consists of decimal digits only.
fn index(value: &[u8]) -> Option<usize> {
    let end = value.iter().position(|byte| !byte.is_ascii_digit())?;
    let (digits, tail) = value.split_at(end);
    if matches!(tail, [b'.' | b'e' | b'E', ..]) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{DecodeError, Placeholders};

    fn nums(json: &str, attachments: usize) -> Result<Vec<usize>, DecodeError> {
        Placeholders::new(json.as_bytes(), attachments)
            .map(|found| found.map(|placeholder| placeholder.num))
            .collect()
    }

    #[test]
    fn placeholders_are_found_at_any_depth() {
        let json =
            r#"["e",{"_placeholder":true,"num":1},{"a":[{"num":0 , "_placeholder" : true}]}]"#;
        assert_eq!(nums(json, 2), Ok(vec![1, 0]));
    }

    #[test]
    fn a_placeholder_reports_where_it_stands() {
        let json = r#"["e",{"_placeholder":true,"num":0}]"#;
        let found = Placeholders::new(json.as_bytes(), 1).next();
        let range = found.and_then(Result::ok).map(|placeholder| placeholder.range);
        assert_eq!(
            range.and_then(|range| json.get(range)),
            Some(r#"{"_placeholder":true,"num":0}"#)
        );
    }

    #[test]
    fn a_string_that_looks_like_a_placeholder_is_none() {
        let json =
            r#"["{\"_placeholder\":true,\"num\":9}","_placeholder",{"a":"_placeholder","num":9}]"#;
        assert_eq!(nums(json, 0), Ok(vec![]));
    }

    #[test]
    fn only_true_makes_a_placeholder() {
        for value in ["false", "1", "\"true\"", "null", "[true]"] {
            let json = format!(r#"[{{"_placeholder":{value},"num":"splice"}}]"#);
            assert_eq!(nums(&json, 1), Ok(vec![]), "{value}");
        }
    }

    #[test]
    fn escapes_do_not_hide_a_placeholder() {
        let json = r#"[{"\u005fplaceholder":true,"n\u0075m":7}]"#;
        assert_eq!(nums(json, 1), Err(DecodeError::IllegalAttachments));
    }

    #[test]
    fn the_last_of_duplicate_keys_counts() {
        let json = r#"[{"_placeholder":true,"num":9,"num":0}]"#;
        assert_eq!(nums(json, 1), Ok(vec![0]));
        let json = r#"[{"_placeholder":true,"_placeholder":false,"num":9}]"#;
        assert_eq!(nums(json, 1), Ok(vec![]));
    }

    #[test]
    fn a_num_that_is_no_index_of_an_attachment_is_refused() {
        for num in [
            "1",
            "-1",
            "-0",
            "0.0",
            "0.5",
            "0e0",
            "\"splice\"",
            "null",
            "[0]",
            "99999999999999999999",
        ] {
            let json = format!(r#"[{{"_placeholder":true,"num":{num}}}]"#);
            assert_eq!(nums(&json, 1), Err(DecodeError::IllegalAttachments), "{num}");
        }
        let json = r#"[{"_placeholder":true}]"#;
        assert_eq!(nums(json, 1), Err(DecodeError::IllegalAttachments));
    }

    #[test]
    fn nothing_follows_an_illegal_placeholder() {
        let json = r#"[{"_placeholder":true},{"_placeholder":true,"num":0}]"#;
        assert_eq!(Placeholders::new(json.as_bytes(), 1).count(), 1);
    }
}
