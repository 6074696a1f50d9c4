//! The options of a broadcast: recipients and flags.

use std::collections::HashSet;
use std::iter;

use bytes::Bytes;
use bytestring::ByteString;

use super::error::DecodeError;
use super::flags::Flags;
use super::json::{Token, Tokens, decode_text, number};
use super::message_pack::{Tree, Value};
use super::room::Room;

/// The options of a broadcast.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// The rooms of its recipients, possibly with duplicates; empty for all sockets.
    pub rooms: Vec<Room>,
    /// The rooms whose members are no recipients.
    pub except: Vec<Room>,
    /// The flags.
    pub flags: Flags,
}

impl Options {
    /// Decodes the options at an index of a message. A value other than a map has no properties,
    /// and so no rooms: emitters in PHP write an empty array for no options.
    ///
    /// @socket.io/redis-adapter, `onmessage`; socket.io-adapter, `decodeOptions`: they call
    /// `new Set(opts.rooms)`, so `rooms` may be missing, or text.
    pub(super) fn decode(tree: &Tree<'_>, index: usize) -> Result<Self, DecodeError> {
        if matches!(tree.value(index), Value::Null | Value::Undefined) {
            return Err(DecodeError::InvalidOptions);
        }
        let flags = tree.property(index, "flags");
        Ok(Self {
            rooms: decode_rooms(tree, tree.property(index, "rooms"))?,
            except: decode_rooms(tree, tree.property(index, "except"))?,
            flags: flags.map_or_else(Flags::default, |flags| Flags::decode(tree, flags)),
        })
    }

    /// Decodes the options in `json`, a part of `message` and valid. Returns `None` if a room is
    /// named by a string with a lone surrogate, which Rust's strings cannot hold.
    pub(super) fn decode_json(message: &Bytes, json: &[u8]) -> Result<Option<Self>, DecodeError> {
        let (mut rooms, mut except, mut flags) = (&b"null"[..], &b"null"[..], &b"null"[..]);
        let is_object = Tokens::plain(json).visit_object(|key, tokens| {
            let value = tokens.value();
            if key.is("rooms") {
                rooms = value;
            } else if key.is("except") {
                except = value;
            } else if key.is("flags") {
                flags = value;
            }
        });
        if !is_object && matches!(json, b"" | b"null") {
            return Err(DecodeError::InvalidOptions);
        }
        let (rooms, except) = (rooms_of_json(message, rooms)?, rooms_of_json(message, except)?);
        let flags = Flags::decode_json(message, flags);
        Ok(rooms.zip(except).map(|(rooms, except)| Self { rooms, except, flags }))
    }
}

fn rooms_of_json(message: &Bytes, json: &[u8]) -> Result<Option<Vec<Room>>, DecodeError> {
    let mut tokens = Tokens::plain(json);
    match tokens.next() {
        Some(Token::OpenArray) => {}
        Some(Token::Null) => return Ok(Some(Vec::new())),
        Some(Token::String(text)) => {
            return Ok(decode_text(message, text).map(|text| characters(&text)));
        }
        _ => return Err(DecodeError::InvalidOptions),
    }
    let next = || match tokens.next()? {
        Token::Close => None,
        token => Some(room_of_json(message, token, &mut tokens)),
    };
    Ok(iter::from_fn(next).collect())
}

/// Decodes the room that begins with a token.
fn room_of_json(message: &Bytes, token: Token<'_>, tokens: &mut Tokens<'_>) -> Option<Room> {
    match token {
        Token::String(name) => return decode_text(message, name).map(Room::Text),
        Token::Number(digits) => return Some(Room::Number(number::parse(digits))),
        Token::Boolean(boolean) => return Some(Room::Boolean(boolean)),
        Token::Null => return Some(Room::Null),
        Token::OpenArray | Token::OpenObject => tokens.close(),
        _ => {}
    }
    Some(Room::Other)
}

/// Returns what `new Set(text)` does: rooms named by the text's characters, which share its memory.
fn characters(text: &ByteString) -> Vec<Room> {
    let mut seen = HashSet::new();
    let first = |&(_, character): &(usize, char)| seen.insert(character);
    let slice = |(start, character): (usize, char)| {
        text.slice_ref(text.get(start..start + character.len_utf8()).unwrap_or_default())
    };
    text.char_indices().filter(first).map(slice).map(Room::Text).collect()
}

fn decode_rooms(tree: &Tree<'_>, index: Option<usize>) -> Result<Vec<Room>, DecodeError> {
    let Some(index) = index else {
        return Ok(Vec::new());
    };
    match tree.value(index) {
        Value::Null | Value::Undefined => Ok(Vec::new()),
        // To JavaScript, an array of two.
        Value::Extension(extension_type, _) => {
            Ok(vec![Room::Number(extension_type.into()), Room::Other])
        }
        Value::String(span) => Ok(characters(&tree.byte_string(span))),
        Value::Buffer(span) => {
            let mut seen = HashSet::new();
            let bytes = tree.binary(span).into_iter().filter(|&byte| seen.insert(byte));
            Ok(bytes.map(|byte| Room::Number(byte.into())).collect())
        }
        Value::Array(_) => Ok(tree.children(index).map(|room| decode_room(tree, room)).collect()),
        _ => Err(DecodeError::InvalidOptions),
    }
}

fn decode_room(tree: &Tree<'_>, index: usize) -> Room {
    match tree.value(index) {
        Value::String(span) => Room::Text(tree.byte_string(span)),
        Value::Number(number) => Room::Number(number),
        Value::Boolean(boolean) => Room::Boolean(boolean),
        Value::Null => Room::Null,
        _ => Room::Other,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{DecodeError, Flags, Options, Room, Tree};

    fn decode(message: &'static [u8]) -> Result<Options, DecodeError> {
        let message = Bytes::from_static(message);
        Options::decode(&Tree::decode(&message)?, Tree::ROOT)
    }

    #[test]
    fn rooms_are_named_by_plain_values() {
        let message =
            b"\x82\xa5rooms\x96\xa1a\x01\xc0\xc3\xc2\x90\xa6except\x91\xcb\x3f\xf8\0\0\0\0\0\0";
        let (yes, no) = (Room::Boolean(true), Room::Boolean(false));
        let options = Options {
            rooms: vec!["a".into(), Room::Number(1.0), Room::Null, yes, no, Room::Other],
            except: vec![Room::Number(1.5)],
            flags: Flags::default(),
        };
        assert_eq!(decode(message), Ok(options));
    }

    #[test]
    fn all_options_may_be_missing() {
        assert_eq!(decode(b"\x80"), Ok(Options::default()));
        assert_eq!(decode(b"\x82\xa5rooms\xc0\xa6except\xd4\0\0"), Ok(Options::default()));
    }

    #[test]
    fn an_extension_is_a_list_of_two() -> Result<(), DecodeError> {
        let rooms = decode(b"\x81\xa5rooms\xd4\x05x")?.rooms;
        assert_eq!(rooms, [Room::Number(5.0), Room::Other]);
        Ok(())
    }

    #[test]
    fn a_value_without_properties_means_no_rooms() {
        for message in [b"\x90" as &[u8], b"\x91\x01", b"\xa0", b"\xc3", b"\xd4\x05x"] {
            assert_eq!(decode(message), Ok(Options::default()), "{message:x?}");
        }
        // socket.io-python-emitter.
        let message = b"\x82\xa5rooms\xa0\xa5flags\xa0";
        assert_eq!(decode(message), Ok(Options::default()));
    }

    #[test]
    fn text_and_bytes_are_lists_of_characters_and_bytes() -> Result<(), DecodeError> {
        assert_eq!(decode(b"\x81\xa5rooms\xa1r")?.rooms, ["r".into()]);
        let rooms = decode(b"\x81\xa5rooms\xa8r\xc3\xa9r\xf0\x9f\x98\x80")?.rooms;
        assert_eq!(rooms, ["r".into(), "é".into(), "😀".into()]);
        let rooms = decode(b"\x81\xa5rooms\xc4\x03\x01\xff\x01")?.rooms;
        assert_eq!(rooms, [Room::Number(1.0), Room::Number(255.0)]);
        Ok(())
    }

    #[test]
    fn rooms_other_than_a_list_are_refused() {
        for message in
            [b"\x81\xa5rooms\x05" as &[u8], b"\x81\xa6except\x80", b"\x81\xa5rooms\xc2", b"\xc0"]
        {
            assert_eq!(decode(message), Err(DecodeError::InvalidOptions), "{message:x?}");
        }
    }
}
