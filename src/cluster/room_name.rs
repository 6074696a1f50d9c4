//! Names of rooms.

use std::hash::{Hash, Hasher};

/// The name of a room, equal and hashed as a key of a JavaScript `Map`: `1` and `"1"` name two
/// rooms.
#[derive(Clone, Debug)]
pub enum RoomName {
    /// A string.
    Text(Box<str>),
    /// A number; not NaN.
    Number(f64),
    /// A boolean.
    Boolean(bool),
    /// `null`.
    Null,
}

/// Returns bits that are equal for equal numbers. To a `Map`, both zeros are equal.
fn comparable(number: f64) -> u64 {
    (number + 0.0).to_bits()
}

impl PartialEq for RoomName {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(name), Self::Text(other)) => name == other,
            (Self::Number(name), Self::Number(other)) => comparable(*name) == comparable(*other),
            (Self::Boolean(name), Self::Boolean(other)) => name == other,
            (Self::Null, Self::Null) => true,
            _ => false,
        }
    }
}

impl Eq for RoomName {}

impl Hash for RoomName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Text(name) => name.hash(state),
            Self::Number(number) => comparable(*number).hash(state),
            Self::Boolean(boolean) => boolean.hash(state),
            Self::Null => 0_u8.hash(state),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RoomName;

    #[test]
    fn zeros_name_one_room() {
        assert!(RoomName::Number(0.0) == RoomName::Number(-0.0));
    }
}
