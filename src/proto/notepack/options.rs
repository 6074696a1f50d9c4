//! Whom a broadcast reaches, and how.

use super::node::Node;
use super::tree::Tree;
use super::{DecodeError, Flags, Room};

/// The options of a broadcast.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// The rooms that it reaches, each perhaps more than once; empty for everybody.
    pub rooms: Vec<Room>,
    /// The rooms that it leaves out.
    pub except: Vec<Room>,
    /// What else was asked for.
    pub flags: Flags,
}

impl Options {
    /// The options at an index of a message.
    ///
    /// @socket.io/redis-adapter, `onmessage`: `new Set(opts.rooms)`, so that rooms may be
    /// missing.
    pub(super) fn decode(tree: &Tree<'_>, index: usize) -> Result<Self, DecodeError> {
        if !matches!(tree.node(index), Node::Map(_)) {
            return Err(DecodeError::InvalidOptions);
        }
        let flags = tree.property(index, "flags");
        Ok(Self {
            rooms: decode_rooms(tree, tree.property(index, "rooms"))?,
            except: decode_rooms(tree, tree.property(index, "except"))?,
            flags: flags.map_or_else(Flags::default, |flags| Flags::decode(tree, flags)),
        })
    }
}

fn decode_rooms(tree: &Tree<'_>, index: Option<usize>) -> Result<Vec<Room>, DecodeError> {
    let Some(index) = index else {
        return Ok(Vec::new());
    };
    match tree.node(index) {
        Node::Null | Node::Undefined => Ok(Vec::new()),
        // An array of two to JavaScript.
        Node::Extension(extension_type, _) => {
            Ok(vec![Room::Number(extension_type.into()), Room::Other])
        }
        Node::Array(_) => Ok(tree.children(index).map(|room| decode_room(tree, room)).collect()),
        _ => Err(DecodeError::InvalidOptions),
    }
}

fn decode_room(tree: &Tree<'_>, index: usize) -> Room {
    match tree.node(index) {
        Node::String(span) => Room::Text(tree.byte_string(span)),
        Node::Number(number) => Room::Number(number),
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
    fn rooms_are_strings_or_numbers() {
        let message = b"\x82\xa5rooms\x93\xa1a\x01\xc0\xa6except\x91\xcb\x3f\xf8\0\0\0\0\0\0";
        let options = Options {
            rooms: vec!["a".into(), Room::Number(1.0), Room::Other],
            except: vec![Room::Number(1.5)],
            flags: Flags::default(),
        };
        assert_eq!(decode(message), Ok(options));
    }

    #[test]
    fn everything_may_be_missing() {
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
    fn what_is_no_list_of_rooms_is_refused() {
        for message in [b"\x81\xa5rooms\xa1a" as &[u8], b"\x81\xa6except\x80", b"\xc0", b"\x90"] {
            assert_eq!(decode(message), Err(DecodeError::InvalidOptions), "{message:x?}");
        }
    }
}
