//! Broadcasts after a plan, as `bench/processes/broadcasting.js` does.

use std::time::Duration;

use anyhow::{Context, Error, Result, anyhow, ensure};
use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use socketioxide::extract::SocketRef;
use socketioxide::{BroadcastError, SocketIo};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::news::{Event, Filler, News};
use crate::server::Server;
use crate::usage::{Measurement, Usage};

/// Distance between the rooms of a client, so that no two clients share all of them.
const ROOM_STRIDE: usize = 97;

/// Microseconds per second.
const MICROSECONDS: f64 = 1e6;

/// The plan; `broadcasting.js` documents the fields.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    rooms: usize,
    rooms_per_client: usize,
    #[serde(flatten)]
    pacing: Pacing,
    payload: Option<usize>,
    #[serde(default)]
    event: Event,
    warm_up: f64,
    seconds: f64,
}

/// The condition for the next broadcast.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(untagged)]
enum Pacing {
    /// A client has said `next`; so many may be on their way.
    Window { window: usize },
    /// It is due.
    Turns(Turns),
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Turns {
    rate: f64,
    rooms_per_turn: usize,
    burst: usize,
}

/// The usage of a measurement, and the number of messages sent.
#[derive(Debug, Serialize)]
pub struct Report {
    #[serde(flatten)]
    usage: Usage,
    /// Broadcasts that were measured.
    broadcasts: u64,
    /// Broadcasts in all.
    sent: u64,
}

/// Follows the plan, then sends `end`. All clients have to be connected.
pub async fn broadcast(server: &mut Server, plan: &Plan) -> Result<Report> {
    let mut sender = Sender::new(server.io(), plan);
    let report = match plan.pacing {
        Pacing::Window { window } => send_in_window(&mut sender, server, window, plan).await,
        Pacing::Turns(turns) => send_turns(&mut sender, server, turns, plan).await,
    }?;
    sender.end().await?;
    Ok(report)
}

/// Broadcasts turn by turn. The measurement begins and ends when a turn is due.
async fn send_turns(
    sender: &mut Sender,
    server: &Server,
    turns: Turns,
    plan: &Plan,
) -> Result<Report> {
    let first = (turns.rate * plan.warm_up).round() as usize;
    let count = (turns.rate * (plan.warm_up + plan.seconds)).round() as usize;
    let (start, now) = (Instant::now(), monotonic_time()?);
    let offset = |turn| Duration::from_micros((turn as f64 * MICROSECONDS / turns.rate) as u64);
    let mut measured = None;
    for turn in 0..count {
        sleep_until(start + offset(turn)).await;
        if turn == first {
            measured = Some((Measurement::start(server.received())?, sender.count));
        }
        sender.send_turn(turn, turns, now + offset(turn)).await?;
    }
    sleep_until(start + offset(count)).await;
    let (measurement, before) = measured.context("nothing to measure")?;
    sender.report(measurement.end(server.received())?, before)
}

/// Broadcasts as fast as the clients receive.
async fn send_in_window(
    sender: &mut Sender,
    server: &mut Server,
    window: usize,
    plan: &Plan,
) -> Result<Report> {
    for _ in 0..window {
        sender.send(0, monotonic_time()?).await?;
    }
    let warm = Instant::now() + Duration::from_secs_f64(plan.warm_up);
    send_until(warm, sender, server).await?;
    let (measurement, before) = (Measurement::start(server.received())?, sender.count);
    send_until(warm + Duration::from_secs_f64(plan.seconds), sender, server).await?;
    sender.report(measurement.end(server.received())?, before)
}

async fn send_until(end: Instant, sender: &mut Sender, server: &mut Server) -> Result<()> {
    while let Ok(next) = timeout_at(end, server.next()).await {
        next?;
        sender.send(0, monotonic_time()?).await?;
    }
    Ok(())
}

/// Numbered broadcasts of one Socket.IO packet each, all of one length.
struct Sender {
    io: SocketIo,
    sockets: Vec<SocketRef>,
    event: Event,
    filler: Filler,
    /// Number of broadcasts to each room.
    sent: Vec<u64>,
    /// Number of broadcasts, to all rooms together.
    count: u64,
}

impl Sender {
    /// Lets the clients join their rooms.
    fn new(io: &SocketIo, plan: &Plan) -> Self {
        let sockets = io.sockets();
        if plan.rooms > 1 {
            for (client, socket) in sockets.iter().enumerate() {
                let rooms = (0..plan.rooms_per_client).map(|index| client + index * ROOM_STRIDE);
                socket.join(rooms.map(|room| room_name(room % plan.rooms)).collect::<Vec<_>>());
            }
        }
        Self {
            io: io.clone(),
            sockets,
            event: plan.event,
            filler: Filler::new(plan.payload),
            sent: vec![0; plan.rooms],
            count: 0,
        }
    }

    async fn send_turn(&mut self, turn: usize, turns: Turns, due: Duration) -> Result<()> {
        for index in 0..turns.rooms_per_turn {
            for _ in 0..turns.burst {
                self.send((turn * turns.rooms_per_turn + index) % self.sent.len(), due).await?;
            }
        }
        Ok(())
    }

    /// Broadcasts to a room what is due.
    async fn send(&mut self, room: usize, due: Duration) -> Result<()> {
        let news = News { room, number: self.number(room)?, due: due.as_micros() };
        match self.event {
            Event::News => {
                let recipients = match self.sent.len() {
                    1 => self.io.broadcast(),
                    _ => self.io.to(room_name(room)),
                };
                recipients.emit("news", &self.filler.news(&news)).await.map_err(failure)?;
            }
            Event::Tick => {
                let tick = self.filler.tick(&news);
                self.sockets.iter().try_for_each(|socket| socket.emit("tick", &tick))?;
            }
        }
        Ok(())
    }

    /// Counts a broadcast. Returns the number of those to the room before it.
    fn number(&mut self, room: usize) -> Result<u64> {
        let sent = self.sent.get_mut(room).context("no such room")?;
        let number = *sent;
        *sent += 1;
        self.count += 1;
        Ok(number)
    }

    /// Sends `end`, after as many broadcasts to each room.
    async fn end(&self) -> Result<()> {
        let first = self.sent.first().context("no room")?;
        ensure!(self.sent.iter().all(|sent| sent == first), "some rooms had more broadcasts");
        self.io.emit("end", first).await.map_err(failure)
    }

    fn report(&self, usage: Usage, before: u64) -> Result<Report> {
        Ok(Report { usage, broadcasts: self.count - before, sent: self.count })
    }
}

/// An error of socketioxide, which cannot be shared by threads as those of `anyhow` can.
fn failure(error: BroadcastError) -> Error {
    anyhow!("cannot broadcast: {error}")
}

fn room_name(room: usize) -> String {
    format!("room {room}")
}

/// `CLOCK_MONOTONIC`, which the load client reads, too.
fn monotonic_time() -> Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_MONOTONIC)?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_has_turns_or_a_window() -> Result<()> {
        let turns: Plan = serde_json::from_str(
            r#"{"clients":5,"rooms":1,"roomsPerClient":1,"rate":40,"roomsPerTurn":1,"burst":1,
            "event":"tick","warmUp":0.8,"seconds":2}"#,
        )?;
        let expected = Turns { rate: 40.0, rooms_per_turn: 1, burst: 1 };
        assert_eq!(turns.pacing, Pacing::Turns(expected));
        assert_eq!((turns.event, turns.payload), (Event::Tick, None));
        let window: Plan = serde_json::from_str(
            r#"{"rooms":1,"roomsPerClient":1,"window":4,"payload":64,"warmUp":1,"seconds":2}"#,
        )?;
        assert_eq!(window.pacing, Pacing::Window { window: 4 });
        Ok(())
    }
}
