//! Finds the recipients of a broadcast.

use socket_io_turbo::fanout::{Recipients, RoomId, Rooms};

use crate::Measured;

/// Each member is in the namespace, and in ten of the other rooms.
const MEMBERS: u32 = 1_000;
const ROOMS: u32 = 1_000;
const ROOMS_PER_MEMBER: u32 = 10;

/// The room of all.
const NAMESPACE: RoomId = 0;

/// From one room of a member to the next, so that no two members are together in all.
const ROOM_STRIDE: u32 = 97;

/// Takes the recipients of a broadcast out of what JavaScript sends.
pub fn decode_recipients() -> Measured {
    let numbers = vec![2, 1, 1, 1, 3, 4, 700, 5, 6];
    let check = |recipients: &Option<Recipients>| {
        recipients.as_ref().is_some_and(|recipients| recipients.except_members == [6])
    };
    Measured::new(numbers, |numbers| Recipients::decode(numbers), check)
}

/// Broadcasts to a namespace.
pub fn recipients_of_all() -> Measured {
    recipients(to(&[NAMESPACE]), MEMBERS)
}

/// Broadcasts to a namespace, the sender excepted.
pub fn recipients_of_all_but_one() -> Measured {
    recipients(Recipients { except_members: vec![500], ..to(&[NAMESPACE]) }, MEMBERS - 1)
}

/// Broadcasts to a room of ten.
pub fn recipients_of_a_room() -> Measured {
    recipients(to(&[500]), ROOMS_PER_MEMBER)
}

/// Broadcasts to a hundred rooms of ten, all members of which are told apart.
pub fn recipients_of_100_rooms() -> Measured {
    let rooms = (1..=100).collect::<Vec<_>>();
    let union = |member: &u32| rooms_of(*member).any(|room| rooms.contains(&room));
    let expected = (0..MEMBERS).filter(union).count() as u32;
    recipients(to(&rooms), expected)
}

/// Broadcasts to a namespace, a room of ten excepted.
pub fn recipients_of_all_but_a_room() -> Measured {
    let all_but_a_room = Recipients { except_rooms: vec![500], ..to(&[NAMESPACE]) };
    recipients(all_but_a_room, MEMBERS - ROOMS_PER_MEMBER)
}

/// A member joins ten rooms, and leaves all.
pub fn join_and_leave_10_rooms() -> Measured {
    let join_and_leave = |rooms: &mut Rooms| {
        rooms_of(MEMBERS).for_each(|room| rooms.join(room, MEMBERS));
        rooms.leave_all(MEMBERS);
    };
    Measured::new(populated(), join_and_leave, |()| true)
}

fn recipients(of: Recipients, expected: u32) -> Measured {
    let count = |(rooms, of): &mut (Rooms, Recipients)| {
        let (mut count, mut last) = (0, 0);
        rooms.for_each(of, |member| (count, last) = (count + 1, member));
        (count, last)
    };
    Measured::new((populated(), of), count, move |(count, _)| *count == expected)
}

fn to(rooms: &[RoomId]) -> Recipients {
    Recipients { rooms: rooms.into(), ..Recipients::default() }
}

fn populated() -> Rooms {
    let mut rooms = Rooms::default();
    for member in 0..MEMBERS {
        rooms.join(NAMESPACE, member);
        rooms_of(member).for_each(|room| rooms.join(room, member));
    }
    rooms
}

/// The rooms of a member, beside the namespace.
fn rooms_of(member: u32) -> impl Iterator<Item = RoomId> {
    (0..ROOMS_PER_MEMBER).map(move |index| 1 + (member + index * ROOM_STRIDE) % ROOMS)
}
