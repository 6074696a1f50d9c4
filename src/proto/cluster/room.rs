//! Rooms, as they travel.

use bytestring::ByteString;

/// A room of a broadcast. To JavaScript the rooms `1` and `"1"` are two.
#[derive(Clone, Debug, PartialEq)]
pub enum Room {
    /// A room named by a string; one that was decoded is a slice of its message and
    /// keeps that message in memory.
    Text(ByteString),
    /// A room named by a number.
    Number(f64),
    /// A room named by a boolean.
    Boolean(bool),
    /// The room `null`. An official node writes this for `undefined`, too.
    Null,
    /// An array, a map or the like: JavaScript compares these by identity, so no socket is in it.
    Other,
}

impl From<&'static str> for Room {
    fn from(name: &'static str) -> Self {
        Self::Text(ByteString::from_static(name))
    }
}

#[cfg(test)]
mod tests {
    use super::Room;

    #[test]
    fn a_room_has_40_bytes() {
        assert_eq!(size_of::<Room>(), 40);
    }
}
