//! The floor under all servers: one that does nothing but send. One thread, one frame
//! for all recipients of a broadcast, one `send(2)` for each; what a burst has for a
//! recipient leaves at once. Who makes a system call for each recipient has to do as much.

use std::io::Read;
use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::clock::monotonic_time;
use crate::news::{Broadcast, News};
use crate::peer::{Peer, text_frame};
use crate::plan::{Pacing, Plan, Rooms, Turns};
use crate::process::cpu_time;
use crate::report::{self, Listening, Usage};
use crate::schedule::Schedule;

/// Lets so many clients in, waits for a line on standard input, and broadcasts.
pub fn run(clients: usize, plan: &Plan) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    report::print(&Listening { port: listener.local_addr()?.port() })?;
    let mut floor = Floor::accept(&listener, clients, plan.rooms)?;
    std::io::stdin().read_line(&mut String::new())?;
    report::print(&floor.broadcast(plan)?)?;
    // Until it ends, the connections stay open.
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// The clients, and who of them is where.
struct Floor {
    peers: Vec<Peer>,
    rooms: Vec<Room>,
    broadcasts: u64,
}

struct Room {
    recipients: Vec<usize>,
    broadcasts: u64,
}

impl Floor {
    fn accept(listener: &TcpListener, clients: usize, plan: Rooms) -> Result<Self> {
        let peers = (0..clients).map(|_| Peer::accept(listener)).collect::<Result<_>>()?;
        let rooms = (0..plan.count).map(|room| Room::new(plan.recipients_of(room, clients)));
        Ok(Self { peers, rooms: rooms.collect(), broadcasts: 0 })
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
            if schedule.is_measured(turn) {
                measurement.get_or_insert_with(|| Measurement::start(self.broadcasts));
            }
            self.send_turn(turn as usize, turns, start + (due - schedule.due(0)))?;
        }
        sleep_until(schedule.due(schedule.len()));
        Ok(measurement.context("nothing to measure")?.end(self.broadcasts))
    }

    fn send_turn(&mut self, turn: usize, turns: Turns, due: Duration) -> Result<()> {
        let first = turn * turns.rooms;
        (first..first + turns.rooms)
            .try_for_each(|room| self.send_burst(room % self.rooms.len(), turns.burst, due))
    }

    /// At most `window` broadcasts are on their way. Client 0 says when one has arrived.
    fn send_in_window(&mut self, window: u64, plan: &Plan) -> Result<Usage> {
        let end_of_warm_up = Instant::now() + plan.warm_up;
        (0..window).try_for_each(|_| self.send_burst(0, 1, monotonic_time()))?;
        self.send_until(end_of_warm_up)?;
        let measurement = Measurement::start(self.broadcasts);
        self.send_until(end_of_warm_up + plan.measured)?;
        Ok(measurement.end(self.broadcasts))
    }

    fn send_until(&mut self, end: Instant) -> Result<()> {
        while Instant::now() < end {
            self.peers.first_mut().context("no client")?.receive()?;
            self.send_burst(0, 1, monotonic_time())?;
        }
        Ok(())
    }

    fn send_burst(&mut self, room: usize, len: u64, due: Duration) -> Result<()> {
        let Room { recipients, broadcasts } = self.rooms.get_mut(room).context("no such room")?;
        let numbers = *broadcasts..*broadcasts + len;
        *broadcasts = numbers.end;
        self.broadcasts += len;
        let frame =
            |number| text_frame(&message(&News::Broadcast(Broadcast { room, number, due })));
        let frames = numbers.flat_map(frame).collect::<Vec<u8>>();
        recipients
            .iter()
            .try_for_each(|&peer| self.peers.get_mut(peer).context("no such peer")?.send(&frames))
    }

    fn send_end(&mut self) -> Result<()> {
        let broadcasts = self.rooms.first().context("no room")?.broadcasts;
        let frame = text_frame(&message(&News::End { broadcasts }));
        self.peers.iter_mut().try_for_each(|peer| peer.send(&frame))
    }
}

impl Room {
    fn new(recipients: Vec<usize>) -> Self {
        Self { recipients, broadcasts: 0 }
    }
}

/// What is used from now on.
struct Measurement {
    start: Instant,
    cpu: Duration,
    broadcasts: u64,
}

impl Measurement {
    fn start(broadcasts: u64) -> Self {
        Self { start: Instant::now(), cpu: cpu_time(), broadcasts }
    }

    fn end(&self, broadcasts: u64) -> Usage {
        Usage {
            seconds: self.start.elapsed().as_secs_f64(),
            broadcasts: broadcasts - self.broadcasts,
            cpu: (cpu_time() - self.cpu).as_micros(),
        }
    }
}

/// The Engine.IO packet of an event.
fn message(news: &News) -> String {
    format!("4{}", news.encode())
}

fn sleep_until(due: Instant) {
    std::thread::sleep(due.saturating_duration_since(Instant::now()));
}
