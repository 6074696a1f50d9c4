//! Checks deliveries: each client has to receive each broadcast to its rooms once, and in order.
//!
//! The server chooses the rooms of a client, which are learned from its messages; the number of rooms
//! of a client, and of recipients of a room, is known in advance. So a message that is lost, doubled,
//! overtaken or astray is found at once, or at the end.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::news::{Broadcast, Form, News};
use crate::plan::Plan;
use crate::report::Distribution;

/// The deliveries to all clients.
pub struct Deliveries {
    clients: Vec<Client>,
    rooms: Vec<Room>,
    rooms_per_client: usize,
    recipients: usize,
    form: Form,
    ended: usize,
    received: u64,
    completed: u64,
    times: Times,
}

#[derive(Clone, Default)]
struct Client {
    memberships: Vec<Membership>,
    has_ended: bool,
}

#[derive(Clone)]
struct Membership {
    room: usize,
    /// The number of the next broadcast.
    next: u64,
}

/// The broadcasts to a room that some of its recipients have not received.
#[derive(Clone, Default)]
struct Room {
    /// Number of recipients that have received each, the oldest first.
    receipts: VecDeque<usize>,
    /// The number of the oldest.
    first: u64,
}

/// Latencies, without the warm-up.
struct Times {
    warm_up: Duration,
    measured: Duration,
    measured_from: Option<Duration>,
    received_meanwhile: u64,
    latency: Distribution,
    until_last: Distribution,
}

impl Deliveries {
    /// Expects the broadcasts of `plan` at each of `clients`.
    pub fn new(clients: usize, plan: &Plan) -> Result<Self> {
        let rooms = plan.rooms;
        Ok(Self {
            clients: vec![Client::default(); clients],
            rooms: vec![Room::default(); rooms.count],
            rooms_per_client: rooms.per_client,
            recipients: rooms.recipients(clients),
            form: plan.form,
            ended: 0,
            received: 0,
            completed: 0,
            times: Times::new(plan)?,
        })
    }

    /// Checks a Socket.IO packet that a client received at `now`.
    ///
    /// # Errors
    ///
    /// If the packet is unexpected, or a previous one is missing.
    pub fn handle_packet(&mut self, client: usize, packet: &[u8], now: Duration) -> Result<()> {
        match News::decode(packet, self.form)? {
            News::Broadcast(broadcast) => self.handle_broadcast(client, broadcast, now),
            News::End { broadcasts } => self.handle_end(client, broadcasts),
        }
    }

    /// Returns the number of messages received.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Returns the number of messages received between the warm-up and the end of the plan, whenever
    /// they were due.
    pub fn received_meanwhile(&self) -> u64 {
        self.times.received_meanwhile
    }

    /// Returns the number of broadcasts that all their recipients have received.
    pub fn completed(&self) -> u64 {
        self.completed
    }

    /// Returns whether all clients have received the end.
    pub fn have_ended(&self) -> bool {
        self.ended == self.clients.len()
    }

    /// Returns the times from when a broadcast was due until a recipient received it.
    pub fn latency(&self) -> &Distribution {
        &self.times.latency
    }

    /// Returns the times from when a broadcast was due until its last recipient received it.
    pub fn until_last(&self) -> &Distribution {
        &self.times.until_last
    }

    fn handle_broadcast(&mut self, client: usize, news: Broadcast, now: Duration) -> Result<()> {
        let client = self.clients.get_mut(client).context("no such client")?;
        client.handle_broadcast(&news, self.rooms_per_client)?;
        let room = self.rooms.get_mut(news.room).context("no such room")?;
        let is_last = room.handle_receipt(news.number, self.recipients)?;
        self.times.record(&news, now, is_last);
        self.received += 1;
        self.completed += u64::from(is_last);
        Ok(())
    }

    fn handle_end(&mut self, client: usize, broadcasts: u64) -> Result<()> {
        self.ended += 1;
        let client = self.clients.get_mut(client).context("no such client")?;
        client.handle_end(broadcasts, self.rooms_per_client)
    }
}

impl Client {
    fn handle_broadcast(&mut self, news: &Broadcast, rooms: usize) -> Result<()> {
        ensure!(!self.has_ended, "a broadcast after the end");
        let Broadcast { room, number, .. } = *news;
        let next = match self.memberships.iter_mut().find(|known| known.room == room) {
            Some(membership) => &mut membership.next,
            None => self.join(room, rooms)?,
        };
        ensure!(number == *next, "broadcast {number} to room {room} came instead of {next}");
        *next += 1;
        Ok(())
    }

    /// Adds a room that was unknown until now. Returns the number of its next broadcast.
    fn join(&mut self, room: usize, rooms: usize) -> Result<&mut u64> {
        ensure!(self.memberships.len() < rooms, "room {room} is one too many");
        self.memberships.push(Membership { room, next: 0 });
        self.memberships.last_mut().map(|membership| &mut membership.next).context("just pushed")
    }

    fn handle_end(&mut self, broadcasts: u64, rooms: usize) -> Result<()> {
        ensure!(!self.has_ended, "a second end");
        self.has_ended = true;
        let known = self.memberships.len();
        ensure!(known == rooms, "nothing came from {} rooms", rooms - known);
        for Membership { room, next } in &self.memberships {
            ensure!(*next == broadcasts, "{next} of {broadcasts} broadcasts to room {room} came");
        }
        Ok(())
    }
}

impl Room {
    /// Counts a receipt of broadcast `number`. Returns whether it was the last. Recipients receive
    /// broadcasts in order, so the oldest is complete first.
    fn handle_receipt(&mut self, number: u64, recipients: usize) -> Result<bool> {
        let index = number.checked_sub(self.first).context("a recipient too many")? as usize;
        if index == self.receipts.len() {
            self.receipts.push_back(0);
        }
        let receipts = self.receipts.get_mut(index).context("a number was left out")?;
        *receipts += 1;
        let is_last = *receipts == recipients;
        if is_last {
            self.receipts.pop_front();
            self.first += 1;
        }
        Ok(is_last)
    }
}

impl Times {
    fn new(plan: &Plan) -> Result<Self> {
        Ok(Self {
            warm_up: plan.warm_up,
            measured: plan.measured,
            measured_from: None,
            received_meanwhile: 0,
            latency: Distribution::new()?,
            until_last: Distribution::new()?,
        })
    }

    fn record(&mut self, news: &Broadcast, now: Duration, is_last: bool) {
        // The warm-up begins with the first broadcast.
        let measured_from = *self.measured_from.get_or_insert(news.due + self.warm_up);
        let is_meanwhile = (measured_from..measured_from + self.measured).contains(&now);
        self.received_meanwhile += u64::from(is_meanwhile);
        if news.due < measured_from {
            return;
        }
        let latency = now.saturating_sub(news.due);
        self.latency.record(latency);
        if is_last {
            self.until_last.record(latency);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::news::Event;
    use crate::plan::{Pacing, Rooms};

    const FORM: Form = Form { event: Event::News, len: 100 };
    const TEN_MILLISECONDS: Duration = Duration::from_millis(10);

    /// Broadcasts for 20 ms, of which the first 10 are the warm-up.
    fn plan(count: usize, per_client: usize) -> Plan {
        Plan {
            rooms: Rooms { count, per_client },
            pacing: Pacing::Window(1),
            form: FORM,
            warm_up: TEN_MILLISECONDS,
            measured: TEN_MILLISECONDS,
        }
    }

    /// Two clients, both in each of two rooms.
    fn two_rooms() -> Result<Deliveries> {
        Deliveries::new(2, &plan(2, 2))
    }

    /// Two clients in the one room.
    fn one_room() -> Result<Deliveries> {
        Deliveries::new(2, &plan(1, 1))
    }

    /// Delivers broadcast `number`, due after so many times 10 ms and received 5 ms later.
    fn deliver(to: &mut Deliveries, client: usize, room: usize, number: u64) -> Result<()> {
        let due = TEN_MILLISECONDS * number as u32;
        let packet = News::Broadcast(Broadcast { room, number, due }).encode(FORM);
        to.handle_packet(client, packet.as_bytes(), due + TEN_MILLISECONDS / 2)
    }

    fn end(to: &mut Deliveries, client: usize, broadcasts: u64) -> Result<()> {
        let packet = News::End { broadcasts }.encode(FORM);
        to.handle_packet(client, packet.as_bytes(), Duration::ZERO)
    }

    #[test]
    fn a_broadcast_is_complete_with_its_last_recipient() -> Result<()> {
        let mut deliveries = one_room()?;
        deliver(&mut deliveries, 0, 0, 0)?;
        deliver(&mut deliveries, 0, 0, 1)?;
        assert_eq!((deliveries.received(), deliveries.completed()), (2, 0));
        deliver(&mut deliveries, 1, 0, 0)?;
        assert_eq!((deliveries.received(), deliveries.completed()), (3, 1));
        Ok(())
    }

    #[test]
    fn the_rooms_are_counted_apart() -> Result<()> {
        let mut deliveries = two_rooms()?;
        for (client, room) in [(0, 1), (0, 0), (1, 0), (1, 1)] {
            deliver(&mut deliveries, client, room, 0)?;
        }
        assert_eq!(deliveries.completed(), 2);
        end(&mut deliveries, 0, 1)?;
        assert!(!deliveries.have_ended());
        end(&mut deliveries, 1, 1)?;
        assert!(deliveries.have_ended());
        Ok(())
    }

    #[test]
    fn what_comes_twice_or_too_early_is_refused() -> Result<()> {
        let mut deliveries = one_room()?;
        assert!(deliver(&mut deliveries, 0, 0, 1).is_err());
        deliver(&mut deliveries, 0, 0, 0)?;
        assert!(deliver(&mut deliveries, 0, 0, 0).is_err());
        Ok(())
    }

    #[test]
    fn what_is_lost_is_found_at_the_end() -> Result<()> {
        let mut deliveries = two_rooms()?;
        deliver(&mut deliveries, 0, 0, 0)?;
        assert!(end(&mut deliveries, 0, 1).is_err(), "nothing came from room 1");
        deliver(&mut deliveries, 1, 0, 0)?;
        deliver(&mut deliveries, 1, 1, 0)?;
        assert!(end(&mut deliveries, 1, 2).is_err(), "one of two came");
        Ok(())
    }

    #[test]
    fn nothing_comes_after_the_end() -> Result<()> {
        let mut deliveries = one_room()?;
        deliver(&mut deliveries, 0, 0, 0)?;
        end(&mut deliveries, 0, 1)?;
        assert!(deliver(&mut deliveries, 0, 0, 1).is_err());
        assert!(end(&mut deliveries, 0, 1).is_err());
        Ok(())
    }

    #[test]
    fn a_client_is_in_no_more_rooms_and_a_room_has_no_more_recipients_than_planned() -> Result<()> {
        let mut deliveries = Deliveries::new(4, &plan(2, 1))?;
        deliver(&mut deliveries, 0, 0, 0)?;
        assert!(deliver(&mut deliveries, 0, 1, 0).is_err());
        deliver(&mut deliveries, 1, 0, 0)?;
        assert!(deliver(&mut deliveries, 2, 0, 0).is_err());
        Ok(())
    }

    #[test]
    fn the_warm_up_is_received_and_not_measured() -> Result<()> {
        let mut deliveries = one_room()?;
        for number in 0..3 {
            deliver(&mut deliveries, 0, 0, number)?;
            deliver(&mut deliveries, 1, 0, number)?;
        }
        assert_eq!((deliveries.latency().len(), deliveries.until_last().len()), (4, 2));
        Ok(())
    }

    #[test]
    fn what_is_received_meanwhile_may_have_been_due_before() -> Result<()> {
        let mut deliveries = one_room()?;
        for (number, received) in [(0, 9), (1, 10), (2, 19), (3, 20)] {
            let news = Broadcast { room: 0, number, due: Duration::from_millis(number) };
            let packet = News::Broadcast(news).encode(FORM);
            deliveries.handle_packet(0, packet.as_bytes(), Duration::from_millis(received))?;
        }
        assert_eq!((deliveries.received(), deliveries.received_meanwhile()), (4, 2));
        Ok(())
    }
}
