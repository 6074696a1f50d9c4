//! The plan of a broadcasting server, which `bench/processes/broadcasting.js` follows, too.

use std::time::Duration;

use crate::news::Form;
use crate::schedule::Pace;

/// Distance between the rooms of a client, so that no two clients share all of them.
const ROOM_STRIDE: usize = 97;

/// The recipients and the pacing of broadcasts.
#[derive(Clone, Copy)]
pub struct Plan {
    /// The recipients.
    pub rooms: Rooms,
    /// The pacing.
    pub pacing: Pacing,
    /// The form of each broadcast.
    pub form: Form,
    /// Length of the warm-up.
    pub warm_up: Duration,
    /// Length of the measurement, after the warm-up.
    pub measured: Duration,
}

/// The distribution of clients over rooms.
#[derive(Clone, Copy)]
pub struct Rooms {
    /// Number of rooms, of equally many clients; 1 stands for all clients.
    pub count: usize,
    /// Number of rooms of each client.
    pub per_client: usize,
}

/// The condition for the next broadcast.
#[derive(Clone, Copy)]
pub enum Pacing {
    /// It is due.
    Turns(Turns),
    /// All clients have the broadcast this many places before it. There is one room.
    Window(u64),
}

/// The broadcasts of one turn.
#[derive(Clone, Copy)]
pub struct Turns {
    /// Turns per second.
    pub rate: u32,
    /// Number of rooms per turn, in their order.
    pub rooms: usize,
    /// Broadcasts to each of them.
    pub burst: u64,
}

impl Plan {
    /// Returns the pace of `rate` turns per second.
    pub fn pace(&self, rate: u32) -> Pace {
        Pace { rate, warm_up: self.warm_up, measured: self.measured }
    }
}

impl Rooms {
    /// Returns the number of clients in each room.
    pub fn recipients(self, clients: usize) -> usize {
        clients * self.per_client / self.count
    }

    /// Returns the clients in a room.
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
