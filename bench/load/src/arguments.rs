//! The command line.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use lexopt::prelude::*;

/// What to do, and to whom.
pub struct Arguments {
    /// Where the server listens.
    pub address: SocketAddr,
    /// How many clients connect.
    pub clients: usize,
    /// What they do once connected.
    pub scenario: Scenario,
}

/// What the clients do.
pub enum Scenario {
    /// Nothing but answer heartbeats.
    Idle,
    /// Send events of about 60 bytes.
    Inbound(Pace),
    /// Send events with so many bytes of text, and measure until they come back.
    Echo(Pace, usize),
}

/// How fast and how long all clients together send.
pub struct Pace {
    /// Messages per second, at least 1.
    pub rate: u32,
    /// How long to send before anything is measured.
    pub warm_up: Duration,
    /// How long to send after that.
    pub measured: Duration,
}

/// Options as they are given, each at most once, in any order.
#[derive(Default)]
struct Given {
    scenario: Option<String>,
    address: Option<SocketAddr>,
    clients: Option<usize>,
    rate: Option<u32>,
    warm_up: Option<f64>,
    seconds: Option<f64>,
    payload: Option<usize>,
}

impl Arguments {
    /// Reads the arguments of this process.
    pub fn parse() -> Result<Self> {
        let given = Given::read(lexopt::Parser::from_env())?;
        Ok(Self {
            address: given.address.context("--address is missing")?,
            clients: given.clients.filter(|&n| n > 0).context("--clients is missing or 0")?,
            scenario: given.scenario()?,
        })
    }
}

impl Given {
    fn read(mut parser: lexopt::Parser) -> Result<Self> {
        let mut given = Self::default();
        while let Some(argument) = parser.next()? {
            match argument {
                Value(name) if given.scenario.is_none() => given.scenario = Some(name.string()?),
                Long("address") => given.address = Some(parser.value()?.parse()?),
                Long("clients") => given.clients = Some(parser.value()?.parse()?),
                Long("rate") => given.rate = Some(parser.value()?.parse()?),
                Long("warm-up") => given.warm_up = Some(parser.value()?.parse()?),
                Long("seconds") => given.seconds = Some(parser.value()?.parse()?),
                Long("payload") => given.payload = Some(parser.value()?.parse()?),
                _ => return Err(argument.unexpected().into()),
            }
        }
        Ok(given)
    }

    fn scenario(&self) -> Result<Scenario> {
        Ok(match self.scenario.as_deref() {
            Some("idle") => Scenario::Idle,
            Some("inbound") => Scenario::Inbound(self.pace()?),
            Some("echo") => {
                Scenario::Echo(self.pace()?, self.payload.context("--payload is missing")?)
            }
            _ => bail!("the first argument is idle, inbound or echo"),
        })
    }

    fn pace(&self) -> Result<Pace> {
        let rate = self.rate.context("--rate is missing")?;
        ensure!(rate > 0, "--rate is 0");
        Ok(Pace {
            rate,
            warm_up: Duration::try_from_secs_f64(self.warm_up.context("--warm-up is missing")?)?,
            measured: Duration::try_from_secs_f64(self.seconds.context("--seconds is missing")?)?,
        })
    }
}
