//! Clients that receive whatever is broadcast, for the race (`examples/race/`): no plan says how
//! much or how long, and their number changes while they do.
//!
//! Standard input holds commands, see [`Command`]; each quarter of a second a line reports the
//! deliveries, see [`Interval`]. Whenever the slowest client has received one more broadcast, a client
//! sends its number to the server, `have`, so that the server can bound what is in flight.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::client::Server;
use crate::clock::monotonic_time;
use crate::commands::{Command, Commands};
use crate::process::{allow_descriptors, cpu_time};
use crate::receipts::{Receipt, Receipts};
use crate::report::{self, Distribution, Interval};
use crate::scenario::REST;
use crate::swarm::Swarm;

/// Interval between the lines printed.
const INTERVAL: Duration = Duration::from_millis(250);

/// Deadline for the server to accept new clients. It is busy, perhaps overloaded.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Receives until standard input ends.
pub fn run(swarm: Swarm, server: Server) -> Result<()> {
    let commands = Commands::read(swarm.waker()?);
    let mut watch = Watch {
        server,
        wanted: swarm.len(),
        grown_at: Instant::now(),
        reconnecting: None,
        swarm,
        receipts: Receipts::default(),
        told: None,
        tally: Tally::start()?,
    };
    while watch.obey(&commands)? {
        watch.resize()?;
        watch.receive()?;
        watch.tell()?;
        watch.report()?;
    }
    Ok(())
}

struct Watch {
    server: Server,
    swarm: Swarm,
    /// Number of clients to have.
    wanted: usize,
    /// Time of the last growth.
    grown_at: Instant,
    /// Time since which all clients reconnect, if they do.
    reconnecting: Option<Instant>,
    receipts: Receipts,
    /// The last number that the server has been sent.
    told: Option<u64>,
    tally: Tally,
}

impl Watch {
    /// Executes pending commands. Returns whether to go on.
    fn obey(&mut self, commands: &Commands) -> Result<bool> {
        while let Some(command) = commands.next()? {
            match command {
                Command::Clients(count) => self.want(count)?,
                Command::Reconnect => self.reconnect()?,
                Command::End => return Ok(false),
            }
        }
        Ok(true)
    }

    fn want(&mut self, count: usize) -> Result<()> {
        allow_descriptors(count)?;
        self.wanted = count;
        Ok(())
    }

    /// Closes all connections, and begins to connect all clients, as after a restart of a proxy.
    fn reconnect(&mut self) -> Result<()> {
        let now = Instant::now();
        // Those before are closed by then, so that their descriptors are free.
        self.swarm.truncate(0);
        self.receipts = Receipts::default();
        self.told = None;
        self.grown_at = now;
        self.reconnecting = Some(now);
        self.swarm.connect_more(self.server, self.wanted)
    }

    /// Once all clients are connected, connects some more, or closes those beyond the wanted number.
    fn resize(&mut self) -> Result<()> {
        if !self.swarm.is_connected() {
            let waiting = self.grown_at.elapsed();
            ensure!(waiting < CONNECT_TIMEOUT, "the server does not let clients in");
        } else if let Some(start) = self.reconnecting.take() {
            self.tally.back = Some(start.elapsed());
        } else if self.swarm.grow(self.server, self.wanted)? {
            self.grown_at = Instant::now();
        } else {
            self.swarm.truncate(self.wanted);
            self.receipts.truncate(self.wanted);
        }
        Ok(())
    }

    /// Serves the connections once, and rests.
    fn receive(&mut self) -> Result<()> {
        let Self { swarm, receipts, tally, .. } = self;
        swarm.poll_for(tally.remaining(), |client, packet| {
            let receipt = Receipt::decode(&packet)?;
            tally.record(receipt);
            receipts.record(client, receipt.number)
        })?;
        std::thread::sleep(REST);
        Ok(())
    }

    fn tell(&mut self) -> Result<()> {
        let slowest = self.receipts.slowest();
        if let Some(number) = slowest
            && slowest > self.told
        {
            self.swarm.send(0, format!(r#"42["have",{number}]"#).as_bytes())?;
            self.told = slowest;
        }
        Ok(())
    }

    fn report(&mut self) -> Result<()> {
        if self.tally.remaining().is_zero() {
            report::print(&self.tally.take(self.swarm.ready_len()))?;
        }
        Ok(())
    }
}

/// The deliveries since the last report.
struct Tally {
    start: Instant,
    cpu_at_start: Duration,
    deliveries: u64,
    latency: Distribution,
    /// The time that all clients took to reconnect.
    back: Option<Duration>,
}

impl Tally {
    fn start() -> Result<Self> {
        let latency = Distribution::new()?;
        let start = Instant::now();
        Ok(Self { start, cpu_at_start: cpu_time(), deliveries: 0, latency, back: None })
    }

    /// Returns the time until the report is due.
    fn remaining(&self) -> Duration {
        INTERVAL.saturating_sub(self.start.elapsed())
    }

    fn record(&mut self, receipt: Receipt) {
        self.deliveries += 1;
        self.latency.record(monotonic_time().saturating_sub(receipt.due));
    }

    /// Ends the interval, and begins the next.
    fn take(&mut self, clients: usize) -> Interval {
        let (now, cpu) = (Instant::now(), cpu_time());
        let interval = Interval {
            seconds: (now - self.start).as_secs_f64(),
            clients,
            deliveries: self.deliveries,
            cpu: (cpu - self.cpu_at_start).as_micros(),
            latency: self.latency.summary(),
            back: self.back.take().map(|time| time.as_secs_f64()),
        };
        self.latency.clear();
        (self.start, self.cpu_at_start, self.deliveries) = (now, cpu, 0);
        interval
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_holds_what_came_in_it() -> Result<()> {
        let mut tally = Tally::start()?;
        tally.record(Receipt { number: 0, due: monotonic_time() });
        tally.record(Receipt { number: 0, due: monotonic_time() });
        let interval = tally.take(2);
        assert_eq!((interval.clients, interval.deliveries), (2, 2));
        assert_eq!(tally.take(2).deliveries, 0);
        assert_eq!(tally.latency.len(), 0);
        Ok(())
    }
}
