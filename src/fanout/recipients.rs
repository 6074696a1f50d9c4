//! The recipients of a broadcast.

use super::{MemberId, RoomId};

/// The recipients of a broadcast: the members of `rooms`, and `members`, without the members of
/// `except_rooms` and `except_members`. Each receives it once.
///
/// A room with one member, such as a socket's own, needs no set if the member stands for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipients {
    /// Rooms whose members receive it.
    pub rooms: Vec<RoomId>,
    /// Further members that receive it.
    pub members: Vec<MemberId>,
    /// Rooms whose members do not receive it.
    pub except_rooms: Vec<RoomId>,
    /// Further members that do not receive it.
    pub except_members: Vec<MemberId>,
}

impl Recipients {
    /// Decodes the four lists from one array: their lengths, in the order of the fields, then their
    /// ids. `None` if the array is too short. `lib/addon/codes.js` has the same layout.
    #[must_use]
    pub fn decode(numbers: &[u32]) -> Option<Self> {
        let (lengths, mut rest) = numbers.split_first_chunk::<4>()?;
        let [rooms, members, except_rooms, except_members] = lengths.map(|length| {
            let (list, others) = rest.split_at_checked(length as usize)?;
            rest = others;
            Some(list.to_vec())
        });
        Some(Self {
            rooms: rooms?,
            members: members?,
            except_rooms: except_rooms?,
            except_members: except_members?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Recipients;

    #[test]
    fn the_lists_follow_their_lengths_in_order() {
        let decoded = Recipients::decode(&[2, 1, 0, 3, 10, 11, 20, 40, 41, 42]);
        let expected = Recipients {
            rooms: vec![10, 11],
            members: vec![20],
            except_rooms: vec![],
            except_members: vec![40, 41, 42],
        };
        assert_eq!(decoded, Some(expected));
    }

    #[test]
    fn numbers_behind_the_lists_are_ignored() {
        assert_eq!(Recipients::decode(&[0, 0, 0, 0, 7]), Some(Recipients::default()));
    }

    #[test]
    fn an_array_that_is_too_short_is_refused() {
        assert_eq!(Recipients::decode(&[]), None);
        assert_eq!(Recipients::decode(&[1, 0, 0]), None);
        assert_eq!(Recipients::decode(&[1, 0, 0, 0]), None);
        assert_eq!(Recipients::decode(&[1, 1, 0, u32::MAX, 5, 6, 7]), None);
    }
}
