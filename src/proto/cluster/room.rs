//! Rooms of a broadcast.

use bytestring::ByteString;

/// A room of a broadcast. `1` and `"1"` name two rooms.
#[derive(Clone, Debug, PartialEq)]
pub enum Room {
    /// A room named by a string; decoded, it shares the memory of its message, and so keeps it.
    Text(ByteString),
    /// A room named by a number.
    Number(f64),
    /// A room named by a boolean.
    Boolean(bool),
    /// The room `null`, which an official node also writes for `undefined`.
    Null,
    /// An array, a map or the like. JavaScript compares these by identity, so it has no members.
    Other,
}

#[cfg(test)]
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
