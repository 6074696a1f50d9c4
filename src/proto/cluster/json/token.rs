//! The tokens of JSON that is known to be valid.

use std::iter::Peekable;
use std::vec;

use bytes::Bytes;
use bytestring::ByteString;

use crate::proto::cluster::error::EncodeError;
use crate::proto::socket_io::{Placeholder, StringLiteral};

/// A token of JSON. Commas, colons and white space are skipped.
#[derive(Clone, Copy)]
pub(crate) enum Token<'a> {
    Null,
    Boolean(bool),
    Number(&'a [u8]),
    /// A string, which may be a key.
    String(StringLiteral<'a>),
    /// A whole placeholder, by the index of its attachment.
    Attachment(usize),
    OpenArray,
    OpenObject,
    /// The end of an array or an object.
    Close,
}

/// An iterator over the tokens of a JSON text. It does not recurse.
#[derive(Clone)]
pub(crate) struct Tokens<'a> {
    json: &'a [u8],
    position: usize,
    /// The number of open arrays and objects.
    depth: usize,
    /// The largest `depth` so far.
    deepest: usize,
    placeholders: Peekable<vec::IntoIter<Placeholder>>,
}

impl<'a> Tokens<'a> {
    /// Returns the tokens of a text with placeholders of `attachments`. `json` must be valid.
    /// Without attachments, it has no placeholders.
    ///
    /// # Errors
    ///
    /// [`EncodeError::IllegalAttachments`] if an attachment has no placeholder.
    pub(crate) fn new(json: &'a [u8], attachments: &[Bytes]) -> Result<Self, EncodeError> {
        match attachments {
            [] => Ok(Self::plain(json)),
            _ => Ok(Self {
                placeholders: find_placeholders(json, attachments.len())?.into_iter().peekable(),
                ..Self::plain(json)
            }),
        }
    }

    /// Returns the tokens of a text without placeholders. `json` must be valid.
    pub(crate) fn plain(json: &'a [u8]) -> Self {
        let placeholders = Vec::new().into_iter().peekable();
        Self { json, position: 0, depth: 0, deepest: 0, placeholders }
    }

    /// Returns how deep arrays and objects have been nested so far.
    pub(crate) const fn deepest(&self) -> usize {
        self.deepest
    }

    /// Skips the next value of a plain text, which must be there, and returns it as it is written.
    pub(crate) fn value(&mut self) -> &'a [u8] {
        let separators = self.rest().iter().take_while(|byte| b" \t\n\r,:".contains(byte));
        let start = self.position + separators.count();
        if let Some(Token::OpenArray | Token::OpenObject) = self.next() {
            self.close();
        }
        self.json.get(start..self.position).unwrap_or_default()
    }

    /// Skips the rest of the array or object that was opened last.
    pub(crate) fn close(&mut self) {
        let depth = self.depth;
        while self.depth >= depth && self.next().is_some() {}
    }

    /// Skips the next value of a plain text. If it is an object, calls `visit` behind each of its
    /// keys; `visit` must skip the value. Returns whether it is an object.
    pub(crate) fn visit_object(
        &mut self,
        mut visit: impl FnMut(StringLiteral<'a>, &mut Self),
    ) -> bool {
        match self.next() {
            Some(Token::OpenObject) => {}
            Some(Token::OpenArray) => {
                self.close();
                return false;
            }
            _ => return false,
        }
        while let Some(Token::String(key)) = self.next() {
            visit(key, self);
        }
        true
    }

    fn rest(&self) -> &'a [u8] {
        self.json.get(self.position..).unwrap_or_default()
    }

    fn take(&mut self, len: usize, token: Token<'a>) -> Token<'a> {
        self.position += len;
        token
    }

    fn open(&mut self, token: Token<'a>) -> Token<'a> {
        self.depth += 1;
        self.deepest = self.deepest.max(self.depth);
        self.take(1, token)
    }

    /// Reads a placeholder, or the start of an object.
    fn object(&mut self) -> Token<'a> {
        let start = self.position;
        let Some(placeholder) = self.placeholders.next_if(|next| next.range.start == start) else {
            return self.open(Token::OpenObject);
        };
        self.position = placeholder.range.end;
        Token::Attachment(placeholder.num)
    }

    fn string(&mut self) -> Option<Token<'a>> {
        let literal = StringLiteral::at_start_of(self.rest())?;
        Some(self.take(literal.len(), Token::String(literal)))
    }

    fn number(&mut self) -> Option<Token<'a>> {
        let rest = self.rest();
        let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
        let len = rest.iter().take_while(|byte| is_part(byte)).count();
        Some(self.take(len, Token::Number(rest.get(..len)?)))
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            return Some(match self.json.get(self.position)? {
                b'"' => return self.string(),
                b'-' | b'0'..=b'9' => return self.number(),
                b'{' => self.object(),
                b'[' => self.open(Token::OpenArray),
                b']' | b'}' => {
                    self.depth = self.depth.saturating_sub(1);
                    self.take(1, Token::Close)
                }
                b'n' => self.take(4, Token::Null),
                b't' => self.take(4, Token::Boolean(true)),
                b'f' => self.take(5, Token::Boolean(false)),
                _ => {
                    self.position += 1;
                    continue;
                }
            });
        }
    }
}

/// Decodes a string literal of a message; `None` if it has a lone surrogate. Without escapes, the
/// string shares the memory of the message.
pub(crate) fn decode_text(message: &Bytes, literal: StringLiteral<'_>) -> Option<ByteString> {
    let content = literal.content();
    match memchr::memchr(b'\\', content) {
        None => ByteString::try_from(message.slice_ref(content)).ok(),
        Some(_) => serde_json::from_slice::<String>(literal.as_bytes()).ok().map(ByteString::from),
    }
}

/// A placeholder as socket.io-parser writes it, up to its number.
const PLACEHOLDER: &[u8] = br#"{"_placeholder":true,"num":"#;

/// Finds the placeholders of a JSON text, one for each attachment, in order of position.
///
/// Beside attachments, an application may send an object that looks like a placeholder, and clients
/// replace it by the attachment, too. So of several with the same number, one is taken and the
/// others remain objects: a message does not become longer than its packet. socket.io-parser
/// numbers attachments in the order of their placeholders: if placeholders are taken in that order,
/// a receiver makes the same text for its clients, whichever of them is taken.
fn find_placeholders(json: &[u8], attachments: usize) -> Result<Vec<Placeholder>, EncodeError> {
    let mut in_order = Vec::new();
    let mut firsts = vec![None; attachments];
    for found in placeholders(json) {
        if let Some(first @ None) = firsts.get_mut(found.num) {
            *first = Some(found.clone());
        }
        if found.num == in_order.len() && found.num < attachments {
            in_order.push(found);
        }
    }
    if in_order.len() == attachments {
        return Ok(in_order);
    }
    let firsts: Option<Vec<_>> = firsts.into_iter().collect();
    let mut placeholders = firsts.ok_or(EncodeError::IllegalAttachments)?;
    placeholders.sort_unstable_by_key(|placeholder| placeholder.range.start);
    Ok(placeholders)
}

/// Finds everything that looks like a placeholder as socket.io-parser writes it. A string cannot:
/// its quotes are escaped.
fn placeholders(json: &[u8]) -> impl Iterator<Item = Placeholder> {
    memchr::memmem::find_iter(json, PLACEHOLDER).filter_map(move |start| {
        let digits_at = start + PLACEHOLDER.len();
        let rest = json.get(digits_at..)?;
        let len = rest.iter().position(|byte| !byte.is_ascii_digit())?;
        let num = str::from_utf8(rest.get(..len)?).ok()?.parse().ok()?;
        let end = digits_at + len + 1;
        (rest.get(len) == Some(&b'}')).then_some(Placeholder { range: start..end, num })
    })
}

/// Counts the values in each array and object, keys included, in the order in which these begin.
/// A placeholder counts as one value.
pub(crate) fn count_children(tokens: Tokens<'_>) -> Vec<usize> {
    let mut counts: Vec<usize> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    for token in tokens {
        if matches!(token, Token::Close) {
            open.pop();
            continue;
        }
        if let Some(count) = open.last().and_then(|&parent| counts.get_mut(parent)) {
            *count += 1;
        }
        if matches!(token, Token::OpenArray | Token::OpenObject) {
            open.push(counts.len());
            counts.push(0);
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{EncodeError, Token, Tokens, count_children, decode_text};

    fn texts(json: &str, attachments: usize) -> Result<Vec<String>, EncodeError> {
        let attachments = vec![Bytes::new(); attachments];
        let tokens = Tokens::new(json.as_bytes(), &attachments)?;
        let text = |token| match token {
            Token::Null => "null".to_owned(),
            Token::Boolean(boolean) => boolean.to_string(),
            Token::Number(digits) => String::from_utf8_lossy(digits).into_owned(),
            Token::String(literal) => String::from_utf8_lossy(literal.content()).into_owned(),
            Token::Attachment(num) => format!("#{num}"),
            Token::OpenArray => "[".to_owned(),
            Token::OpenObject => "{".to_owned(),
            Token::Close => "]".to_owned(),
        };
        Ok(tokens.map(text).collect())
    }

    #[test]
    fn a_text_is_split_into_tokens() {
        let tokens = texts(r#" [null, true,false ,-1.5e+9,"a\"]",{"k" : {}}] "#, 0);
        let expected = ["[", "null", "true", "false", "-1.5e+9", "a\\\"]", "{", "k", "{"];
        let expected = [&expected[..], &["]", "]", "]"]].concat();
        assert_eq!(tokens, Ok(expected.into_iter().map(str::to_owned).collect()));
    }

    #[test]
    fn a_placeholder_is_one_token() {
        let json = r#"[{"_placeholder":true,"num":0},{"a":{"_placeholder":true,"num":1}}]"#;
        let expected = ["[", "#0", "{", "a", "#1", "]", "]"].map(str::to_owned).to_vec();
        assert_eq!(texts(json, 2), Ok(expected));
    }

    #[test]
    fn an_attachment_has_one_placeholder_and_the_others_are_objects() {
        let object = |num| ["{", "_placeholder", "true", "num", num, "]"];
        let place = |num| format!(r#"{{"_placeholder":true,"num":{num}}}"#);
        for (json, attachments, expected) in [
            (
                format!("[{},{}]", place("0"), place("0")),
                1,
                [&["[", "#0"], &object("0")[..], &["]"]],
            ),
            (
                format!("[{},{}]", place("7"), place("0")),
                1,
                [&["["], &object("7")[..], &["#0", "]"]],
            ),
            (
                format!("[{},{}]", place("1"), place("0")),
                1,
                [&["["], &object("1")[..], &["#0", "]"]],
            ),
            (
                format!("[{},{},{}]", place("0"), place("10"), place("1")),
                2,
                [&["[", "#0"], &object("10")[..], &["#1", "]"]],
            ),
        ] {
            let expected = expected.concat().into_iter().map(str::to_owned).collect();
            assert_eq!(texts(&json, attachments), Ok(expected), "{json}");
        }
        let json = r#"[{"_placeholder":true,"num":0,"x":{"_placeholder":true,"num":0}}]"#;
        let expected = ["[", "{", "_placeholder", "true", "num", "0", "x", "#0", "]", "]"];
        assert_eq!(texts(json, 1), Ok(expected.map(str::to_owned).to_vec()));
        let json = r#"["{\"_placeholder\":true,\"num\":0}"]"#;
        assert_eq!(texts(json, 1), Err(EncodeError::IllegalAttachments));
    }

    #[test]
    fn attachments_may_be_numbered_in_another_order() {
        let json = r#"[{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]"#;
        assert_eq!(texts(json, 2), Ok(["[", "#1", "#0", "]"].map(str::to_owned).to_vec()));
    }

    #[test]
    fn without_attachments_there_are_no_placeholders() {
        let json = r#"{"_placeholder":true,"num":7}"#;
        let expected = ["{", "_placeholder", "true", "num", "7", "]"].map(str::to_owned).to_vec();
        assert_eq!(texts(json, 0), Ok(expected));
        assert_eq!(texts(json, 1), Err(EncodeError::IllegalAttachments));
    }

    #[test]
    fn children_are_counted_for_each_array_and_object() -> Result<(), EncodeError> {
        let tokens = Tokens::new(br#"[1,[],{"a":[2,3],"b":{"c":4}},"x"]"#, &[])?;
        assert_eq!(count_children(tokens), [4, 0, 4, 2, 2]);
        Ok(())
    }

    #[test]
    fn a_value_is_skipped_and_returned_as_it_is_written() {
        let mut tokens = Tokens::plain(br#" {"k" : [ 1, {"a" :"]" } ] , "l":-1e5 , "m":"\"" } "#);
        let mut found = Vec::new();
        assert!(tokens.visit_object(|key, tokens| {
            let parts = [key.content(), tokens.value()];
            found.push(parts.map(|part| String::from_utf8_lossy(part).into_owned()));
        }));
        let expected = [["k", r#"[ 1, {"a" :"]" } ]"#], ["l", "-1e5"], ["m", r#""\"""#]];
        assert_eq!(found, expected.map(|parts| parts.map(str::to_owned)));
        assert!(tokens.next().is_none());
        assert_eq!(tokens.deepest(), 3);
    }

    #[test]
    fn a_value_other_than_an_object_is_skipped_without_a_visit() {
        let mut tokens = Tokens::plain(br#"[[{"a":1},[]],"b",null,{},2]"#);
        assert!(matches!(tokens.next(), Some(Token::OpenArray)));
        let mut visit = || tokens.visit_object(|_, _| unreachable!());
        assert_eq!([visit(), visit(), visit(), visit()], [false, false, false, true]);
        assert_eq!(tokens.value(), b"2");
        assert!(matches!(tokens.next(), Some(Token::Close)));
    }

    #[test]
    fn closing_an_array_skips_the_rest_of_it() {
        let mut tokens = Tokens::plain(b"[[1,[2],[[3]]],4]");
        assert!(matches!(tokens.next(), Some(Token::OpenArray)));
        assert!(matches!(tokens.next(), Some(Token::OpenArray)));
        tokens.close();
        assert_eq!(tokens.value(), b"4");
    }

    #[test]
    fn a_text_shares_the_memory_of_its_message_unless_it_has_escapes() {
        let message = Bytes::from_static(br#"["ab","\u0061\"","\ud800","a\udc00"]"#);
        let texts: Vec<_> = Tokens::plain(&message)
            .filter_map(|token| match token {
                Token::String(literal) => Some(decode_text(&message, literal)),
                _ => None,
            })
            .collect();
        let expected = [Some("ab"), Some("a\""), None, None];
        assert_eq!(texts.iter().map(Option::as_deref).collect::<Vec<_>>(), expected);
        assert_eq!(texts[0].as_ref().map(|text| text.as_ptr()), Some(message[2..].as_ptr()));
    }
}
