//! A load generator for a server of one's own: `npm run load -- URL …`, see `docs/load.md`.
//!
//! Connects clients, lets them send events at a rate, counts what they receive, and shows it. Unlike
//! in the benchmarks, a connection may be lost: it is counted as an error, and the others go on. Ends
//! after a time, or by Ctrl-C, with a summary.

mod options;
mod tally;
mod view;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, bail, ensure};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::process::allow_descriptors;
use crate::schedule::{Pace, Schedule};
use crate::swarm::Swarm;
use options::{Options, USAGE};
use tally::Tally;
use view::View;

/// Interval between looks for Ctrl-C.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// Deadline for the server to accept the next clients.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Most events sent between two reads.
const MAX_BURST: usize = 64;

/// Most events that wait for their acknowledgements: 24 bytes each, and what the map adds.
const MAX_UNANSWERED: usize = 1_000_000;

/// Runs the generator with the arguments of this process.
pub fn run() -> Result<()> {
    let mut arguments = lexopt::Parser::from_env();
    // The name `live`.
    arguments.next()?;
    let Some(options) = Options::read(arguments)? else {
        println!("{USAGE}");
        return Ok(());
    };
    allow_descriptors(options.clients)?;
    let signals = interrupts()?;
    let view = View::new(options.clients, options.sending.as_ref().is_some_and(|it| it.has_acks));
    let mut generator = Generator {
        swarm: Swarm::connect(options.server, 0)?,
        options,
        signals,
        view,
        tally: Tally::start()?,
        total: Tally::start()?,
        unanswered: HashMap::new(),
        schedule: None,
        sent: 0,
        last_error: None,
    };
    let result = generator.generate();
    generator.summarize()?;
    result
}

/// Ctrl-C and the signal by which supervisors end programs, as a descriptor.
fn interrupts() -> Result<SignalFd> {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGINT);
    signals.add(Signal::SIGTERM);
    signals.thread_block()?;
    Ok(SignalFd::with_flags(&signals, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?)
}

struct Generator {
    options: Options,
    swarm: Swarm,
    signals: SignalFd,
    view: View,
    /// Since the last line.
    tally: Tally,
    /// All but what is in `tally`.
    total: Tally,
    /// The due times of events, by their ack ids.
    unanswered: HashMap<u64, Instant>,
    /// Set when all clients have connected.
    schedule: Option<Schedule>,
    /// Events sent; the next ack id.
    sent: u64,
    last_error: Option<String>,
}

impl Generator {
    fn generate(&mut self) -> Result<()> {
        if !self.connect()? {
            return Ok(());
        }
        let start = Instant::now();
        let rate = self.options.sending.as_ref().map_or(1, |sending| sending.rate);
        let pace = Pace { rate, warm_up: Duration::ZERO, measured: Duration::ZERO };
        self.schedule = Some(Schedule::start(&pace));
        while self.options.seconds.is_none_or(|seconds| start.elapsed() < seconds) {
            self.send()?;
            self.serve()?;
            if self.is_interrupted()? {
                break;
            }
            ensure!(self.swarm.has_ready(), "all connections are lost");
        }
        Ok(())
    }

    /// Connects all clients. Returns false if that was interrupted.
    fn connect(&mut self) -> Result<bool> {
        let mut grown_at = Instant::now();
        while self.swarm.len() < self.options.clients || !self.swarm.is_connected() {
            if self.swarm.grow(self.options.server, self.options.clients)? {
                grown_at = Instant::now();
            }
            self.serve()?;
            if self.is_interrupted()? {
                return Ok(false);
            }
            let waiting = grown_at.elapsed();
            ensure!(waiting < CONNECT_TIMEOUT, "the server does not let clients in");
        }
        if !self.swarm.has_ready() {
            bail!("{}", self.last_error.as_deref().unwrap_or("no client is connected"));
        }
        Ok(true)
    }

    fn is_interrupted(&mut self) -> Result<bool> {
        Ok(self.signals.read_signal()?.is_some())
    }

    /// Sends the events that are due, but not too many.
    fn send(&mut self) -> Result<()> {
        let Some(sending) = &self.options.sending else { return Ok(()) };
        for _ in 0..MAX_BURST {
            let Some(schedule) = self.schedule.filter(|it| it.lateness(self.sent).is_some()) else {
                break;
            };
            let packet = sending.packet(self.sent);
            match self.swarm.send_from_any(self.sent, packet.as_bytes()) {
                Ok(true) => self.tally.sent += 1,
                Ok(false) => bail!("all connections are lost"),
                Err(error) => record_error(&mut self.tally, &mut self.last_error, &error),
            }
            if sending.has_acks {
                ensure!(self.unanswered.len() < MAX_UNANSWERED, "the server does not acknowledge");
                self.unanswered.insert(self.sent, schedule.due(self.sent));
            }
            self.sent += 1;
        }
        Ok(())
    }

    /// Serves the connections once, and shows what has happened since the last time.
    fn serve(&mut self) -> Result<()> {
        let deadline = self.next_deadline();
        let Self { swarm, tally, unanswered, options, last_error, .. } = self;
        let mut lost = Vec::new();
        swarm.poll_tolerant(
            deadline,
            |packet| receive(&packet, options.namespace(), unanswered, tally),
            |error| lost.push(error),
        )?;
        for error in &lost {
            record_error(tally, last_error, error);
        }
        if self.tally.elapsed() >= self.view.interval() {
            self.show()?;
        }
        Ok(())
    }

    /// Returns the time at which there is something to do at the latest.
    fn next_deadline(&self) -> Instant {
        let look = Instant::now() + LOOK_INTERVAL;
        match self.schedule.filter(|_| self.options.sending.is_some()) {
            Some(schedule) => look.min(schedule.due(self.sent)),
            None => look,
        }
    }

    fn show(&mut self) -> Result<()> {
        self.tally.traffic = self.swarm.traffic() - self.total.traffic;
        self.view.show(self.total.elapsed(), self.swarm.ready_len(), &self.tally)?;
        self.total.add(&self.tally)?;
        self.tally = Tally::start()?;
        Ok(())
    }

    fn summarize(&mut self) -> Result<()> {
        self.tally.traffic = self.swarm.traffic() - self.total.traffic;
        self.total.add(&self.tally)?;
        let unanswered = self.unanswered.len();
        let clients = self.swarm.ready_len();
        self.view.summarize(clients, &self.total, unanswered, self.last_error.as_deref())
    }
}

fn record_error(tally: &mut Tally, last_error: &mut Option<String>, error: &Error) {
    tally.errors += 1;
    *last_error = Some(format!("{error:#}"));
}

/// Counts a Socket.IO packet.
///
/// # Errors
///
/// If it is DISCONNECT.
fn receive(
    packet: &[u8],
    namespace: &str,
    unanswered: &mut HashMap<u64, Instant>,
    tally: &mut Tally,
) -> Result<()> {
    match packet.split_first().context("an empty packet")? {
        (b'1', _) => bail!("the server disconnected a client"),
        (b'3', rest) => {
            tally.acks += 1;
            if let Some(due) = ack_id(rest, namespace).and_then(|id| unanswered.remove(&id)) {
                tally.latency.record(Instant::now().saturating_duration_since(due));
            }
        }
        _ => tally.received += 1,
    }
    Ok(())
}

/// Socket.IO v5, "Packet encoding": the namespace, the ack id, and the arguments.
fn ack_id(packet: &[u8], namespace: &str) -> Option<u64> {
    let rest = packet.strip_prefix(namespace.as_bytes())?;
    let digits = rest.split(|&byte| byte == b'[').next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Receives packets in the namespace `/a`, while the events 3 and 7 are not answered. Returns the
    /// events that are left.
    fn received(packets: &[&str]) -> Result<(Tally, Vec<u64>)> {
        let mut tally = Tally::start()?;
        let mut unanswered = [3, 7].map(|id| (id, Instant::now())).into();
        for packet in packets {
            receive(packet.as_bytes(), "/a,", &mut unanswered, &mut tally)?;
        }
        Ok((tally, unanswered.into_keys().collect()))
    }

    #[test]
    fn an_acknowledgement_is_measured_once() -> Result<()> {
        let (tally, left) = received(&["3/a,7[1]", "3/a,7[1]", "3/a,8[]", "37[1]"])?;
        assert_eq!((tally.acks, tally.latency.len(), tally.received), (4, 1, 0));
        assert_eq!(left, [3]);
        Ok(())
    }

    #[test]
    fn whatever_the_server_sends_is_counted() -> Result<()> {
        let (tally, left) = received(&[r#"2/a,["x"]"#, r#"51-/a,["x"]"#, r#"2/a,9["x"]"#])?;
        assert_eq!((tally.received, tally.acks, left.len()), (3, 0, 2));
        Ok(())
    }

    #[test]
    fn a_client_that_the_server_disconnects_is_an_error() {
        assert!(received(&["1/a,"]).is_err());
        assert!(received(&[""]).is_err());
    }
}
