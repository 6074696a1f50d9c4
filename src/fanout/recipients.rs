//! Whom a broadcast reaches.

use super::{MemberId, RoomId};

/// Who receives a broadcast: who is in one of `rooms` or is one of `members`, and is
/// neither in one of `except_rooms` nor one of `except_members`. Each once.
///
/// Single members are named so that a room of one, such as a socket's own, needs no set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipients {
    /// Rooms whose members receive it.
    pub rooms: Vec<RoomId>,
    /// Members who receive it.
    pub members: Vec<MemberId>,
    /// Rooms whose members do not.
    pub except_rooms: Vec<RoomId>,
    /// Members who do not.
    pub except_members: Vec<MemberId>,
}

impl Recipients {
    /// Takes the four lists out of one array of numbers: their lengths, in the order of the
    /// fields, then what they hold. `None` if the array is shorter than they say.
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
    fn the_lists_stand_one_behind_the_other() {
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
    fn what_stands_behind_the_lists_is_not_theirs() {
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
