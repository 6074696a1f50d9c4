//! JSON texts that are known to be valid, token by token.

use std::iter::Peekable;
use std::vec;

use bytes::Bytes;

use super::EncodeError;
use crate::proto::socket_io::{Placeholder, Placeholders, StringLiteral};

/// A part of a JSON text. Commas, colons and white space are left out.
#[derive(Clone, Copy)]
pub(super) enum Token<'a> {
    Null,
    Boolean(bool),
    Number(&'a [u8]),
    /// A string, which may be a key.
    String(StringLiteral<'a>),
    /// A placeholder, whole, by the index of its attachment.
    Attachment(usize),
    OpenArray,
    OpenObject,
    /// The end of either.
    Close,
}

/// The tokens of a JSON text.
#[derive(Clone)]
pub(super) struct Tokens<'a> {
    json: &'a [u8],
    position: usize,
    placeholders: Peekable<vec::IntoIter<Placeholder>>,
}

impl<'a> Tokens<'a> {
    /// `json` must be valid. Without attachments, nothing in it is a placeholder.
    ///
    /// # Errors
    ///
    /// [`EncodeError::IllegalAttachments`].
    pub(super) fn new(json: &'a [u8], attachments: &[Bytes]) -> Result<Self, EncodeError> {
        let placeholders = match attachments {
            [] => Vec::new(),
            _ => find_placeholders(json, attachments.len())?,
        };
        Ok(Self { json, position: 0, placeholders: placeholders.into_iter().peekable() })
    }

    fn rest(&self) -> &'a [u8] {
        self.json.get(self.position..).unwrap_or_default()
    }

    fn take(&mut self, len: usize, token: Token<'a>) -> Token<'a> {
        self.position += len;
        token
    }

    /// Takes a placeholder, with all that stands in it, or the start of an object.
    fn object(&mut self) -> Token<'a> {
        let start = self.position;
        let Some(placeholder) = self.placeholders.next_if(|next| next.range.start == start) else {
            return self.take(1, Token::OpenObject);
        };
        self.position = placeholder.range.end;
        while self.placeholders.next_if(|inner| inner.range.start < self.position).is_some() {}
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
                b'[' => self.take(1, Token::OpenArray),
                b']' | b'}' => self.take(1, Token::Close),
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

/// The placeholders of a JSON text in the order in which they begin. Each attachment may
/// have one: what looks like a placeholder in a thousand places, in what an application
/// passes on, would make a message of a thousand times its size.
fn find_placeholders(json: &[u8], attachments: usize) -> Result<Vec<Placeholder>, EncodeError> {
    let mut placeholders = Vec::new();
    let mut is_taken = vec![false; attachments];
    for found in Placeholders::new(json, attachments) {
        let placeholder = found.map_err(|_| EncodeError::IllegalAttachments)?;
        match is_taken.get_mut(placeholder.num) {
            Some(taken @ false) => *taken = true,
            _ => return Err(EncodeError::IllegalAttachments),
        }
        placeholders.push(placeholder);
    }
    placeholders.sort_unstable_by_key(|placeholder| placeholder.range.start);
    Ok(placeholders)
}

/// How many values, keys included, stand in each array and object, in the order in
/// which these begin. What stands in placeholders is not counted.
pub(super) fn count_children(tokens: Tokens<'_>) -> Vec<usize> {
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

    use super::{EncodeError, Token, Tokens, count_children};

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
    fn a_text_is_taken_apart() {
        let tokens = texts(r#" [null, true,false ,-1.5e+9,"a\"]",{"k" : {}}] "#, 0);
        let expected = ["[", "null", "true", "false", "-1.5e+9", "a\\\"]", "{", "k", "{"];
        let expected = [&expected[..], &["]", "]", "]"]].concat();
        assert_eq!(tokens, Ok(expected.into_iter().map(str::to_owned).collect()));
    }

    #[test]
    fn a_placeholder_is_one_token_with_all_that_it_holds() {
        let json = concat!(
            r#"[{"_placeholder":true,"num":1,"x":[{"_placeholder":true,"num":2}]},"#,
            r#"{"_placeholder":true,"num":0}]"#
        );
        let expected = ["[", "#1", "#0", "]"].map(str::to_owned).to_vec();
        assert_eq!(texts(json, 3), Ok(expected));
    }

    #[test]
    fn an_attachment_has_one_placeholder() {
        let json = r#"[{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]"#;
        assert_eq!(texts(json, 2), Err(EncodeError::IllegalAttachments));
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
}
