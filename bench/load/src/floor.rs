//! The floors under all servers, which do nothing but send. One thread, one frame for all
//! recipients of a broadcast; what a burst has for a recipient leaves at once. With `send`,
//! one `send(2)` for each: who makes a system call for each recipient has to do as much.
//! With `io-uring`, one system call for all of them.

use std::io::Read;
use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bytes::Bytes;

use crate::arguments::With;
use crate::clock::monotonic_time;
use crate::news::{Broadcast, Form, News};
use crate::peer::{Peer, text_frame};
use crate::plan::{Pacing, Plan, Turns};
use crate::process::{Consumption, consumption, resident_set};
use crate::report::{self, Listening, Usage};
use crate::ring::Ring;
use crate::schedule::Schedule;
use crate::sender::Sender;

/// Accepts `clients` clients, waits for a line on standard input, and broadcasts.
pub fn run(clients: usize, plan: &Plan, with: With) -> Result<()> {
    let ring = match with {
        With::Send => None,
        With::IoUring => Some(Ring::new()?),
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    report::print(&Listening { port: listener.local_addr()?.port() })?;
    let peers = (0..clients).map(|_| Peer::accept(&listener)).collect::<Result<_>>()?;
    let mut floor = Floor::new(Sender::new(peers, ring)?, clients, plan);
    std::io::stdin().read_line(&mut String::new())?;
    report::print(&floor.broadcast(plan)?)?;
    // Until it ends, the connections stay open.
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// The clients and their rooms.
struct Floor {
    sender: Sender,
    rooms: Vec<Room>,
    form: Form,
    broadcasts: u64,
}

struct Room {
    recipients: Vec<usize>,
    broadcasts: u64,
}

impl Floor {
    fn new(sender: Sender, clients: usize, &Plan { rooms, form, .. }: &Plan) -> Self {
        let room = |room| Room { recipients: rooms.recipients_of(room, clients), broadcasts: 0 };
        Self { sender, rooms: (0..rooms.count).map(room).collect(), form, broadcasts: 0 }
    }

    fn broadcast(&mut self, plan: &Plan) -> Result<Usage> {
        let usage = match plan.pacing {
            Pacing::Turns(turns) => {
                self.send_turns(turns, &Schedule::start(&plan.pace(turns.rate)))
            }
            Pacing::Window(window) => self.send_in_window(window, plan),
        }?;
        self.send_end()?;
        Ok(usage)
    }

    /// Both ends of the measurement are when a turn is due.
    fn send_turns(&mut self, turns: Turns, schedule: &Schedule) -> Result<Usage> {
        let start = monotonic_time();
        let mut measurement = None;
        for turn in 0..schedule.len() {
            let due = schedule.due(turn);
            sleep_until(due);
            if schedule.is_measured(turn) && measurement.is_none() {
                measurement = Some(Measurement::start(self.broadcasts)?);
            }
            self.send_turn(turn as usize, turns, start + (due - schedule.due(0)))?;
        }
        sleep_until(schedule.due(schedule.len()));
        measurement.context("nothing to measure")?.end(self.broadcasts)
    }

    fn send_turn(&mut self, turn: usize, turns: Turns, due: Duration) -> Result<()> {
        let first = turn * turns.rooms;
        (first..first + turns.rooms)
            .try_for_each(|room| self.send_burst(room % self.rooms.len(), turns.burst, due))
    }

    /// At most `window` broadcasts are on their way. Client 0 says when one has arrived; as many
    /// as have arrived meanwhile are sent at once.
    fn send_in_window(&mut self, window: u64, plan: &Plan) -> Result<Usage> {
        let end_of_warm_up = Instant::now() + plan.warm_up;
        (0..window).try_for_each(|_| self.send_burst(0, 1, monotonic_time()))?;
        self.send_until(end_of_warm_up)?;
        let measurement = Measurement::start(self.broadcasts)?;
        self.send_until(end_of_warm_up + plan.measured)?;
        measurement.end(self.broadcasts)
    }

    fn send_until(&mut self, end: Instant) -> Result<()> {
        while Instant::now() < end {
            let peer = self.sender.peer(0)?;
            peer.receive()?;
            let mut broadcasts = 1;
            while peer.received()?.is_some() {
                broadcasts += 1;
            }
            self.send_burst(0, broadcasts, monotonic_time())?;
        }
        Ok(())
    }

    fn send_burst(&mut self, room: usize, len: u64, due: Duration) -> Result<()> {
        let Room { recipients, broadcasts } = self.rooms.get_mut(room).context("no such room")?;
        let numbers = *broadcasts..*broadcasts + len;
        *broadcasts = numbers.end;
        self.broadcasts += len;
        let news = |number| News::Broadcast(Broadcast { room, number, due });
        let frames = numbers.map(|number| frame(&news(number), self.form));
        self.sender.send(recipients, &frames.collect::<Vec<_>>().concat().into())
    }

    fn send_end(&mut self) -> Result<()> {
        let broadcasts = self.rooms.first().context("no room")?.broadcasts;
        self.sender.send_to_all(&frame(&News::End { broadcasts }, self.form))
    }
}

/// A measurement of this process.
struct Measurement {
    start: Instant,
    used: Consumption,
    broadcasts: u64,
}

impl Measurement {
    fn start(broadcasts: u64) -> Result<Self> {
        Ok(Self { start: Instant::now(), used: consumption()?, broadcasts })
    }

    fn end(&self, broadcasts: u64) -> Result<Usage> {
        let used = consumption()?;
        Ok(Usage {
            seconds: self.start.elapsed().as_secs_f64(),
            broadcasts: broadcasts - self.broadcasts,
            sent: broadcasts,
            user: used.user - self.used.user,
            system: used.system - self.used.system,
            context_switches: used.context_switches - self.used.context_switches,
            rss: resident_set()?,
        })
    }
}

/// The Engine.IO packet of an event, framed.
fn frame(news: &News, form: Form) -> Bytes {
    text_frame(&format!("4{}", news.encode(form)))
}

fn sleep_until(due: Instant) {
    std::thread::sleep(due.saturating_duration_since(Instant::now()));
}
