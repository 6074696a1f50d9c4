//! Turns values into JSON and attachments.

use std::io::Write;
use std::mem;

use bytes::Bytes;

use super::date;
use super::object::{Property, append_properties};
use super::reader::Span;
use super::tree::Tree;
use super::value::Value;
use crate::proto::cluster::json::number;

/// Memory reserved for each value: most are short.
const BYTES_PER_VALUE: usize = 8;

/// A value as socket.io-parser's encoder sends it.
#[derive(Debug, Default)]
pub(crate) struct Serialized {
    /// JSON with placeholders.
    pub json: Bytes,
    /// The attachments of the placeholders.
    pub attachments: Vec<Bytes>,
}

/// Serialises the value at an index: socket.io-parser's `deconstructPacket`, then
/// `JSON.stringify`. Undefined becomes null, as within an array.
///
/// It is a loop in linear time, and keeps a small record for each open array and object, and for
/// each of their properties.
pub(crate) fn serialize(tree: &Tree<'_>, index: usize) -> Serialized {
    let mut writer = JsonWriter {
        tree,
        text: Vec::with_capacity(BYTES_PER_VALUE * (tree.after(index) - index)),
        attachments: Vec::new(),
        open: Vec::new(),
        properties: Vec::new(),
    };
    writer.write_value(index);
    while let Some(open) = writer.open.pop() {
        writer.resume(open);
    }
    Serialized { json: Bytes::from(writer.text), attachments: writer.attachments }
}

struct JsonWriter<'t, 'a> {
    tree: &'t Tree<'a>,
    text: Vec<u8>,
    attachments: Vec<Bytes>,
    open: Vec<Open>,
    /// The properties of all open objects, outermost first.
    properties: Vec<Property<'a>>,
}

/// An array or an object that is not complete.
#[derive(Clone, Copy)]
enum Open {
    /// The values from index `next` up to `end` are yet to be written.
    Array { next: usize, end: usize },
    /// Its properties start at `first`; those from `next` on are yet to be written.
    Object { first: usize, next: usize },
}

impl JsonWriter<'_, '_> {
    /// Writes the next part of an array or an object.
    fn resume(&mut self, open: Open) {
        match open {
            Open::Array { next, end } if next < end => {
                self.separate();
                self.open.push(Open::Array { next: self.tree.after(next), end });
                self.write_value(next);
            }
            Open::Array { .. } => self.text.push(b']'),
            Open::Object { first, next } => match self.properties.get_mut(next) {
                Some(property) => {
                    let (key, value) = (mem::take(&mut property.key), property.value);
                    self.open.push(Open::Object { first, next: next + 1 });
                    self.write_property(&key, value);
                }
                None => {
                    self.properties.truncate(first);
                    self.text.push(b'}');
                }
            },
        }
    }

    /// Writes a property, unless it is undefined.
    fn write_property(&mut self, key: &str, value: usize) {
        if self.tree.value(value) == Value::Undefined {
            return;
        }
        self.separate();
        self.write_text(key);
        self.text.push(b':');
        self.write_value(value);
    }

    /// Writes a comma unless this is the first element or property.
    fn separate(&mut self) {
        if !matches!(self.text.last(), Some(b'[' | b'{')) {
            self.text.push(b',');
        }
    }

    /// Writes a value; of an array or an object, the start.
    fn write_value(&mut self, index: usize) {
        match self.tree.value(index) {
            Value::Null | Value::Undefined => self.text.extend_from_slice(b"null"),
            Value::Boolean(true) => self.text.extend_from_slice(b"true"),
            Value::Boolean(false) => self.text.extend_from_slice(b"false"),
            Value::Number(number) => number::write_json(number, &mut self.text),
            Value::String(span) => self.write_text(&self.tree.text(span)),
            Value::Date(time) => date::write_json(time, &mut self.text),
            Value::Buffer(span) | Value::ArrayBuffer(span) => self.write_attachment(span),
            Value::Extension(extension_type, span) => {
                self.text.push(b'[');
                number::write_json(extension_type.into(), &mut self.text);
                self.text.push(b',');
                self.write_attachment(span);
                self.text.push(b']');
            }
            Value::Array(children) => {
                self.text.push(b'[');
                self.open.push(Open::Array { next: index + 1, end: children.end as usize });
            }
            Value::Map(_) => {
                self.text.push(b'{');
                let first = self.properties.len();
                append_properties(self.tree, index, &mut self.properties);
                self.open.push(Open::Object { first, next: first });
            }
        }
    }

    /// Writes a string. serde_json escapes it as ECMA-262's `QuoteJSONString` does.
    fn write_text(&mut self, text: &str) {
        // Writing to a Vec cannot fail.
        let _ = serde_json::to_writer(&mut self.text, text);
    }

    fn write_attachment(&mut self, span: Span) {
        // Writing to a Vec cannot fail.
        let _ = write!(self.text, r#"{{"_placeholder":true,"num":{}}}"#, self.attachments.len());
        self.attachments.push(self.tree.binary(span));
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{Serialized, Tree, serialize};
    use crate::proto::cluster::error::DecodeError;

    fn serialized(message: &'static [u8]) -> Result<Serialized, DecodeError> {
        Tree::decode(&Bytes::from_static(message)).map(|tree| serialize(&tree, Tree::ROOT))
    }

    fn json(message: &'static [u8]) -> String {
        serialized(message).map_or_else(
            |error| error.to_string(),
            |serialized| String::from_utf8_lossy(&serialized.json).into_owned(),
        )
    }

    #[test]
    fn values_become_json() {
        assert_eq!(
            json(b"\x95\xc0\xc2\xc3\xff\xcb\x7f\xf0\0\0\0\0\0\0"),
            "[null,false,true,-1,null]"
        );
        assert_eq!(json(b"\x82\xa1a\x90\xa1b\x80"), r#"{"a":[],"b":{}}"#);
        assert_eq!(
            json(b"\x92\x91\x92\x01\x02\x81\xa1a\x81\xa1b\x03"),
            r#"[[[1,2]],{"a":{"b":3}}]"#
        );
        assert_eq!(json(b"\xd6\xff\0\0\0\0"), r#""1970-01-01T00:00:00.000Z""#);
    }

    #[test]
    fn strings_are_escaped_as_in_javascript() {
        assert_eq!(
            json(b"\xa9\0\x1f\x08\n\"\\/\x7f\xff"),
            "\"\\u0000\\u001f\\b\\n\\\"\\\\/\u{7f}\u{fffd}\""
        );
    }

    #[test]
    fn undefined_is_left_out_of_objects_and_null_in_arrays() {
        assert_eq!(json(b"\x82\xa1a\xd4\0\0\xa1b\x91\xd4\0\0"), r#"{"b":[null]}"#);
        assert_eq!(json(b"\x82\xa1a\x01\xa1a\xd4\0\0"), "{}");
    }

    #[test]
    fn attachments_are_numbered_in_the_order_of_the_properties() -> Result<(), DecodeError> {
        let message = b"\x82\xa1a\xc4\x01A\xa10\x92\xc7\x01\0B\xd4\x05C";
        let serialized = serialized(message)?;
        let expected = concat!(
            r#"{"0":[{"_placeholder":true,"num":0},[5,{"_placeholder":true,"num":1}]],"#,
            r#""a":{"_placeholder":true,"num":2}}"#
        );
        assert_eq!(serialized.json, expected);
        assert_eq!(serialized.attachments, ["B", "C", "A"]);
        Ok(())
    }

    #[test]
    fn an_attachment_that_a_duplicate_key_replaces_is_not_sent() -> Result<(), DecodeError> {
        let serialized = serialized(b"\x82\xa1a\xc4\x01A\xa1a\x01")?;
        assert_eq!(serialized.json, r#"{"a":1}"#);
        assert!(serialized.attachments.is_empty());
        Ok(())
    }
}
