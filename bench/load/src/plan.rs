//! What a server broadcasts: `bench/processes/broadcasting.js` follows the same plan.

use std::time::Duration;

use crate::schedule::Pace;

/// From one room of a client to the next, so that no two clients are together in all.
const ROOM_STRIDE: usize = 97;

/// To whom, and when.
#[derive(Clone, Copy)]
pub struct Plan {
    /// To whom.
    pub rooms: Rooms,
    /// When.
    pub pacing: Pacing,
    /// How long each packet of Socket.IO is, in bytes.
    pub payload: usize,
    /// How long to broadcast before anything is measured.
    pub warm_up: Duration,
    /// How long to broadcast after that.
    pub measured: Duration,
}

/// How the clients are spread over rooms.
#[derive(Clone, Copy)]
pub struct Rooms {
    /// How many rooms there are, of equally many clients; a room of all stands for none.
    pub count: usize,
    /// How many rooms each client is in.
    pub per_client: usize,
}

/// What has to happen before the next broadcast.
#[derive(Clone, Copy)]
pub enum Pacing {
    /// It has to be due.
    Turns(Turns),
    /// All clients have to have the one so many places before it. There is one room.
    Window(u64),
}

/// What is broadcast at a time.
#[derive(Clone, Copy)]
pub struct Turns {
    /// How many turns there are per second.
    pub rate: u32,
    /// To how many rooms, those that come next.
    pub rooms: usize,
    /// How often to each of them.
    pub burst: u64,
}

impl Plan {
    /// The pace of so many turns per second.
    pub fn pace(&self, rate: u32) -> Pace {
        Pace { rate, warm_up: self.warm_up, measured: self.measured }
    }
}

impl Rooms {
    /// How many of the clients are in each room.
    pub fn recipients(self, clients: usize) -> usize {
        clients * self.per_client / self.count
    }

    /// Which of the clients are in a room.
    pub fn recipients_of(self, room: usize, clients: usize) -> Vec<usize> {
        (0..clients).filter(|&client| self.of(client).any(|its| its == room)).collect()
    }

    fn of(self, client: usize) -> impl Iterator<Item = usize> {
        (0..self.per_client).map(move |index| (client + index * ROOM_STRIDE) % self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_rooms_have_as_many_recipients() {
        let rooms = Rooms { count: 100, per_client: 5 };
        for room in 0..rooms.count {
            assert_eq!(rooms.recipients_of(room, 200).len(), 10);
        }
        assert_eq!(rooms.recipients(200), 10);
    }

    #[test]
    fn a_room_of_all_is_a_room() {
        let rooms = Rooms { count: 1, per_client: 1 };
        assert_eq!(rooms.recipients_of(0, 3), [0, 1, 2]);
    }
}
