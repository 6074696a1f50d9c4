//! The command line.

use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Error, Result, bail, ensure};
use lexopt::prelude::*;

use crate::client::{Server, Transport};
use crate::news::{self, Event, Form};
use crate::plan::{Pacing, Plan, Rooms, Turns};
use crate::requests::Times;
use crate::scenario::{Content, INBOUND_LEN};
use crate::schedule::Pace;
use crate::tls;

/// The command line.
pub struct Arguments {
    /// Number of clients.
    pub clients: usize,
    /// The end of the connections to be.
    pub role: Role,
}

/// An end of the connections.
pub enum Role {
    /// The clients of the server that listens there.
    Load(Server, Scenario),
    /// A server that does no more than it must.
    Floor(Plan, With),
}

/// The floor's way of sending.
#[derive(Clone, Copy, Default)]
pub enum With {
    /// One `send(2)` for each recipient.
    #[default]
    Send,
    /// One submission for all recipients.
    IoUring,
}

impl FromStr for With {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Ok(match name {
            "send" => Self::Send,
            "io-uring" => Self::IoUring,
            _ => bail!("--with is send or io-uring, and not {name}"),
        })
    }
}

/// The behaviour of the connected clients.
pub enum Scenario {
    /// Nothing but answer heartbeats.
    Idle,
    /// Connect all at once, and measure how long it takes.
    Connect,
    /// Connect evenly over this time, and answer heartbeats while the server may be blocked.
    Blocked(Duration),
    /// Send events with this content.
    Inbound(Pace, Content),
    /// Send events with this many bytes of text, and measure until they are acknowledged.
    Echo(Pace, usize),
    /// Receive the server's broadcasts.
    Broadcast(Plan),
    /// Receive broadcasts without a plan, until standard input ends.
    Watch,
    /// Send ordinary requests.
    Requests(Times),
}

/// The options of the command line, each at most once, in any order.
#[derive(Default)]
struct Given {
    scenario: Option<String>,
    address: Option<SocketAddr>,
    transport: Option<Transport>,
    tls: bool,
    fresh: bool,
    deflate: bool,
    clients: Option<usize>,
    rate: Option<u32>,
    warm_up: Option<f64>,
    seconds: Option<f64>,
    payload: Option<usize>,
    event: Option<Event>,
    records: bool,
    rooms: Option<usize>,
    rooms_per_client: Option<usize>,
    rooms_per_turn: Option<usize>,
    burst: Option<u64>,
    window: Option<u64>,
    with: Option<With>,
}

impl Arguments {
    /// Reads the arguments of this process.
    pub fn parse() -> Result<Self> {
        let given = Given::read(lexopt::Parser::from_env())?;
        let clients = given.clients.filter(|&n| n > 0).context("--clients is missing or 0")?;
        Ok(Self { clients, role: given.role(clients)? })
    }
}

impl Given {
    fn read(mut parser: lexopt::Parser) -> Result<Self> {
        let mut given = Self::default();
        while let Some(argument) = parser.next()? {
            match argument {
                Value(name) if given.scenario.is_none() => given.scenario = Some(name.string()?),
                Long("address") => given.address = Some(parser.value()?.parse()?),
                Long("transport") => given.transport = Some(parser.value()?.parse()?),
                Long("tls") => given.tls = true,
                Long("fresh") => given.fresh = true,
                Long("deflate") => given.deflate = true,
                Long("records") => given.records = true,
                Long("clients") => given.clients = Some(parser.value()?.parse()?),
                Long("rate") => given.rate = Some(parser.value()?.parse()?),
                Long("warm-up") => given.warm_up = Some(parser.value()?.parse()?),
                Long("seconds") => given.seconds = Some(parser.value()?.parse()?),
                Long("payload") => given.payload = Some(parser.value()?.parse()?),
                Long("event") => given.event = Some(parser.value()?.parse()?),
                Long("rooms") => given.rooms = Some(parser.value()?.parse()?),
                Long("rooms-per-client") => {
                    given.rooms_per_client = Some(parser.value()?.parse()?);
                }
                Long("rooms-per-turn") => given.rooms_per_turn = Some(parser.value()?.parse()?),
                Long("burst") => given.burst = Some(parser.value()?.parse()?),
                Long("with") => given.with = Some(parser.value()?.parse()?),
                Long("window") => given.window = Some(parser.value()?.parse()?),
                _ => return Err(argument.unexpected().into()),
            }
        }
        Ok(given)
    }

    fn role(&self, clients: usize) -> Result<Role> {
        if self.scenario.as_deref() == Some("floor") {
            return Ok(Role::Floor(self.plan(clients)?, self.with.unwrap_or_default()));
        }
        Ok(Role::Load(self.server()?, self.scenario(clients)?))
    }

    fn server(&self) -> Result<Server> {
        Ok(Server {
            transport: self.transport.unwrap_or_default(),
            tls: if self.tls { Some(tls::settings()?) } else { None },
            deflate: self.deflate,
            ..Server::new(self.address.context("--address is missing")?)
        })
    }

    fn scenario(&self, clients: usize) -> Result<Scenario> {
        Ok(match self.scenario.as_deref() {
            Some("idle") => Scenario::Idle,
            Some("connect") => Scenario::Connect,
            Some("blocked") => Scenario::Blocked(self.measured()?),
            Some("inbound") => Scenario::Inbound(self.pace()?, self.content()?),
            Some("echo") => {
                Scenario::Echo(self.pace()?, self.payload.context("--payload is missing")?)
            }
            Some("broadcast") => Scenario::Broadcast(self.plan(clients)?),
            Some("watch") => Scenario::Watch,
            Some("requests") => Scenario::Requests(Times {
                warm_up: self.warm_up()?,
                measured: self.measured()?,
                is_fresh: self.fresh,
            }),
            _ => bail!(
                "the first argument is idle, connect, blocked, inbound, echo, broadcast, watch, \
                 requests or floor"
            ),
        })
    }

    fn pace(&self) -> Result<Pace> {
        Ok(Pace { rate: self.rate()?, warm_up: self.warm_up()?, measured: self.measured()? })
    }

    fn plan(&self, clients: usize) -> Result<Plan> {
        Ok(Plan {
            rooms: self.rooms(clients)?,
            pacing: self.pacing()?,
            form: self.form()?,
            warm_up: self.warm_up()?,
            measured: self.measured()?,
        })
    }

    fn pacing(&self) -> Result<Pacing> {
        Ok(match self.window {
            Some(window) => Pacing::Window(window),
            None => Pacing::Turns(self.turns()?),
        })
    }

    fn turns(&self) -> Result<Turns> {
        Ok(Turns {
            rate: self.rate()?,
            rooms: self.rooms_per_turn.context("--rooms-per-turn is missing")?,
            burst: self.burst.context("--burst is missing")?,
        })
    }

    fn rooms(&self, clients: usize) -> Result<Rooms> {
        let count = self.rooms.filter(|&n| n > 0).context("--rooms is missing or 0")?;
        ensure!(
            clients.is_multiple_of(count),
            "{clients} clients do not fill {count} rooms evenly"
        );
        let per_client = self.rooms_per_client.context("--rooms-per-client is missing")?;
        Ok(Rooms { count, per_client })
    }

    fn form(&self) -> Result<Form> {
        let len = self.payload(news::PACKET_LEN, news::MIN_PACKET_LEN)?;
        Ok(Form { event: self.event.unwrap_or_default(), len })
    }

    fn content(&self) -> Result<Content> {
        let content = Content { len: INBOUND_LEN, has_records: self.records };
        Ok(Content { len: self.payload(content.len, content.min_len())?, ..content })
    }

    fn payload(&self, default: usize, least: usize) -> Result<usize> {
        let payload = self.payload.unwrap_or(default);
        ensure!(payload >= least, "--payload is {payload}, and must be at least {least}");
        Ok(payload)
    }

    fn rate(&self) -> Result<u32> {
        self.rate.filter(|&rate| rate > 0).context("--rate is missing or 0")
    }

    fn warm_up(&self) -> Result<Duration> {
        Ok(Duration::try_from_secs_f64(self.warm_up.context("--warm-up is missing")?)?)
    }

    fn measured(&self) -> Result<Duration> {
        Ok(Duration::try_from_secs_f64(self.seconds.context("--seconds is missing")?)?)
    }
}
