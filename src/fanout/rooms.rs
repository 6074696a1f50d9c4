//! Rooms and their members.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::mem;

use roaring::{MultiOps, RoaringBitmap};

use super::{MemberId, Recipients, RoomId};

/// The members of each room of one worker.
///
/// [`join`](Self::join), [`leave`](Self::leave), [`leave_all`](Self::leave_all) and
/// [`remove`](Self::remove) change them; unknown ids are ignored, or added by `join`.
/// [`for_each`](Self::for_each) finds the recipients of a broadcast.
///
/// Members are bitmaps: the union or difference of rooms is an operation on bitmaps, 10,000
/// neighbouring members take 8 KiB, and a few scattered ones two bytes each. Ids should be small:
/// there is an entry for each id up to the greatest.
#[derive(Debug, Default)]
pub struct Rooms {
    /// Indexed by room.
    members: Vec<RoaringBitmap>,
    /// Indexed by member.
    rooms_of: Vec<BTreeSet<RoomId>>,
}

impl Rooms {
    /// Adds a member to a room, unless it is in it.
    pub fn join(&mut self, room: RoomId, member: MemberId) {
        if entry(&mut self.members, room).insert(member) {
            entry(&mut self.rooms_of, member).insert(room);
        }
    }

    /// Removes a member from a room, if it is in it.
    pub fn leave(&mut self, room: RoomId, member: MemberId) {
        if entry(&mut self.members, room).remove(member) {
            entry(&mut self.rooms_of, member).remove(&room);
        }
    }

    /// Removes a member from all its rooms.
    pub fn leave_all(&mut self, member: MemberId) {
        let Some(rooms) = self.rooms_of.get_mut(member as usize) else { return };
        for room in mem::take(rooms) {
            entry(&mut self.members, room).remove(member);
        }
    }

    /// Empties a room; its id may be reused.
    pub fn remove(&mut self, room: RoomId) {
        let Some(members) = self.members.get_mut(room as usize) else { return };
        for member in mem::take(members) {
            entry(&mut self.rooms_of, member).remove(&room);
        }
    }

    /// Calls `handle` with each recipient, in ascending order.
    pub fn for_each(&self, recipients: &Recipients, handle: impl FnMut(MemberId)) {
        let chosen = self.union(&recipients.rooms, &recipients.members);
        let except = self.union(&recipients.except_rooms, &recipients.except_members);
        if except.is_empty() {
            chosen.iter().for_each(handle);
        } else {
            (chosen.as_ref() - except.as_ref()).into_iter().for_each(handle);
        }
    }

    fn union(&self, rooms: &[RoomId], members: &[MemberId]) -> Cow<'_, RoaringBitmap> {
        let mut bitmaps = rooms.iter().filter_map(|&room| self.members.get(room as usize));
        let mut union = match rooms {
            [_] if members.is_empty() => {
                return bitmaps.next_back().map_or_else(Cow::default, Cow::Borrowed);
            }
            _ => bitmaps.union(),
        };
        union.extend(members);
        Cow::Owned(union)
    }
}

/// Returns the entry of an id; extends the table if it is too short.
fn entry<T: Default>(entries: &mut Vec<T>, id: u32) -> &mut T {
    let index = id as usize;
    if entries.len() <= index {
        entries.resize_with(index + 1, T::default);
    }
    #[expect(clippy::indexing_slicing, reason = "the table is long enough now")]
    &mut entries[index]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::{MemberId, Recipients, RoomId, Rooms};

    fn recipients(rooms: &Rooms, of: &Recipients) -> Vec<MemberId> {
        let mut members = Vec::new();
        rooms.for_each(of, |member| members.push(member));
        members
    }

    fn rooms(memberships: &[(RoomId, MemberId)]) -> Rooms {
        let mut rooms = Rooms::default();
        memberships.iter().for_each(|&(room, member)| rooms.join(room, member));
        rooms
    }

    fn to(rooms: &[RoomId]) -> Recipients {
        Recipients { rooms: rooms.into(), ..Recipients::default() }
    }

    #[test]
    fn a_member_of_several_rooms_receives_once() {
        let rooms = rooms(&[(0, 7), (1, 7), (1, 8)]);
        let of = Recipients { members: vec![8, 9], ..to(&[0, 1]) };
        assert_eq!(recipients(&rooms, &of), [7, 8, 9]);
    }

    #[test]
    fn members_that_are_excepted_receive_nothing() {
        let rooms = rooms(&[(0, 1), (0, 2), (0, 3), (0, 4), (1, 2)]);
        let of = Recipients { except_rooms: vec![1], except_members: vec![4, 9], ..to(&[0]) };
        assert_eq!(recipients(&rooms, &of), [1, 3]);
    }

    #[test]
    fn a_member_that_has_left_all_rooms_is_in_none() {
        let mut rooms = rooms(&[(0, 1), (1, 1), (1, 2)]);
        rooms.leave_all(1);
        assert_eq!(recipients(&rooms, &to(&[0, 1])), [2]);
        rooms.join(1, 1);
        assert_eq!(recipients(&rooms, &to(&[0, 1])), [1, 2]);
    }

    #[test]
    fn a_room_that_was_removed_is_empty() {
        let mut rooms = rooms(&[(0, 1), (0, 2), (3, 2)]);
        rooms.remove(0);
        assert_eq!(recipients(&rooms, &to(&[0, 3])), [2]);
        rooms.leave_all(2);
        assert_eq!(recipients(&rooms, &to(&[0, 3])), [] as [MemberId; 0]);
    }

    #[test]
    fn unknown_rooms_have_no_members() {
        let mut rooms = Rooms::default();
        rooms.leave(5, 6);
        rooms.leave_all(100);
        rooms.remove(100);
        let of = Recipients { except_rooms: vec![1000], ..to(&[1000]) };
        assert_eq!(recipients(&rooms, &of), [] as [MemberId; 0]);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Join(RoomId, MemberId),
        Leave(RoomId, MemberId),
        LeaveAll(MemberId),
        Remove(RoomId),
    }

    fn step() -> impl Strategy<Value = Step> {
        let (room, member) = (0..6_u32, 0..12_u32);
        prop_oneof![
            6 => (room.clone(), member.clone()).prop_map(|(room, id)| Step::Join(room, id)),
            3 => (room.clone(), member.clone()).prop_map(|(room, id)| Step::Leave(room, id)),
            1 => member.prop_map(Step::LeaveAll),
            1 => room.prop_map(Step::Remove),
        ]
    }

    /// Applies a step to the oracle, a set of pairs of room and member.
    fn apply(model: &mut BTreeSet<(RoomId, MemberId)>, step: &Step) {
        match *step {
            Step::Join(room, member) => drop(model.insert((room, member))),
            Step::Leave(room, member) => drop(model.remove(&(room, member))),
            Step::LeaveAll(member) => model.retain(|&(_, other)| other != member),
            Step::Remove(room) => model.retain(|&(other, _)| other != room),
        }
    }

    proptest! {
        #[test]
        fn recipients_are_those_of_a_list_of_pairs(
            steps in prop::collection::vec(step(), 0..80),
            to in prop::collection::vec(0..7_u32, 0..4),
            members in prop::collection::vec(0..12_u32, 0..3),
            except_rooms in prop::collection::vec(0..7_u32, 0..3),
            except_members in prop::collection::vec(0..12_u32, 0..3),
        ) {
            let (mut rooms, mut model) = (Rooms::default(), BTreeSet::new());
            for step in &steps {
                apply(&mut model, step);
                match *step {
                    Step::Join(room, member) => rooms.join(room, member),
                    Step::Leave(room, member) => rooms.leave(room, member),
                    Step::LeaveAll(member) => rooms.leave_all(member),
                    Step::Remove(room) => rooms.remove(room),
                }
            }
            let is_in = |of: &[RoomId], member| of.iter().any(|&room| model.contains(&(room, member)));
            let expected: Vec<MemberId> = (0..12)
                .filter(|&member| is_in(&to, member) || members.contains(&member))
                .filter(|&member| !is_in(&except_rooms, member) && !except_members.contains(&member))
                .collect();
            let of = Recipients { rooms: to.clone(), members, except_rooms: except_rooms.clone(), except_members };
            prop_assert_eq!(recipients(&rooms, &of), expected);
        }
    }
}
