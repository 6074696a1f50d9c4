//! Loads a Socket.IO server. `live` is a load generator for people, see [`live`]; all else is for
//! `bench/`: connects clients over WebSocket, runs one
//! scenario, and prints JSON, one object a line. Every contender meets the same program.
//!
//! ```text
//! socket-io-turbo-load idle    --address IP:PORT --clients N
//! socket-io-turbo-load connect --address IP:PORT --clients N
//! socket-io-turbo-load blocked --address IP:PORT --clients N --seconds S
//! socket-io-turbo-load inbound --address IP:PORT --clients N --rate R --warm-up S --seconds S
//!                              [--payload BYTES] [--records]
//! socket-io-turbo-load echo    … as inbound … --payload BYTES
//! socket-io-turbo-load broadcast --address IP:PORT --clients N PLAN
//! socket-io-turbo-load watch     --address IP:PORT --clients N
//! socket-io-turbo-load requests  --address IP:PORT --clients N --warm-up S --seconds S [--fresh]
//! socket-io-turbo-load floor     --clients N PLAN [--with send|io-uring]
//! PLAN: --rooms N --rooms-per-client N --warm-up S --seconds S [--payload BYTES]
//!       [--event news|tick|quotes|rows] PACING
//! PACING: --rate R --rooms-per-turn N --burst N, or --window N
//! ```
//!
//! With `--transport polling` clients use long-polling, and with `--transport upgrade` WebSocket after
//! it, as clients do by default. With `--tls` the server is one of https, with any certificate.
//! With `--deflate`, all connections have permessage-deflate, or the program fails. The events of
//! `inbound` hold a text, or with `--records` JSON records, which compress as real ones do.
//!
//! The payload is the length of a Socket.IO packet; that of `echo` is the length of its
//! text. The first line says that all clients are connected; all but `idle` and `watch` print
//! their report (see [`report`]) as the second. Then the connections stay open, heartbeats
//! answered, until standard input ends: who reads the output decides when they close. Whatever
//! the server does wrong ends the program with an error.
//!
//! The clients of `connect` do so at once, and those of `blocked` evenly within `--seconds`; other
//! clients connect as fast as the server lets them in. `blocked` prints its report when a line comes on
//! standard input. A connection may be lost until then, and only then.
//!
//! `requests` are ordinary ones of HTTP, on connections that are kept, or with `--fresh` each on a new one: see [`requests`].
//!
//! `watch` goes on receiving, prints a report each quarter of a second, and takes commands:
//! see [`watch`].
//!
//! `floor` is no client but a server to compare with: see [`floor`]. Where the kernel does
//! not let it send as it is told to, it ends with status [`UNAVAILABLE`] before it listens.
//!
//! One thread and one epoll instance: the client must stay cheap, for it shares the
//! machine with the server. Linux only (timerfd).

mod alarm;
mod arguments;
mod client;
mod clock;
mod commands;
mod connection;
mod deflate;
mod deliveries;
mod filler;
mod floor;
mod http;
mod live;
mod news;
mod peer;
mod plan;
mod polling;
mod process;
mod receipts;
mod records;
mod report;
mod requests;
mod ring;
mod scenario;
mod schedule;
mod sender;
mod swarm;
mod tls;
mod watch;
mod websocket;

use std::process::ExitCode;

use anyhow::Result;

use arguments::{Arguments, Role, Scenario};
use client::Server;
use ring::Unavailable;
use swarm::Swarm;

/// sysexits(3): a service is unavailable.
const UNAVAILABLE: u8 = 69;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            if error.is::<Unavailable>() { UNAVAILABLE.into() } else { ExitCode::FAILURE }
        }
    }
}

fn run() -> Result<()> {
    if std::env::args().nth(1).as_deref() == Some("live") {
        return live::run();
    }
    let Arguments { clients, role } = Arguments::parse()?;
    match &role {
        Role::Load(server, scenario) => {
            process::allow_descriptors(clients * server.transport.connections())?;
            load(*server, clients, scenario)
        }
        Role::Floor(plan, with) => {
            process::allow_descriptors(clients)?;
            floor::run(clients, plan, *with)
        }
    }
}

fn load(server: Server, clients: usize, scenario: &Scenario) -> Result<()> {
    let mut swarm = match scenario {
        Scenario::Connect => return connect(server, clients),
        Scenario::Requests(times) => return requests::run(server, clients, times),
        Scenario::Blocked(time) => Swarm::connect_over(server, clients, *time),
        _ => Swarm::connect(server, clients),
    }?;
    print_connected(&swarm)?;
    match scenario {
        Scenario::Idle | Scenario::Connect | Scenario::Requests(_) => {}
        Scenario::Blocked(_) => report::print(&scenario::survive(&mut swarm)?)?,
        Scenario::Inbound(pace, content) => {
            report::print(&scenario::inbound(&mut swarm, pace, *content)?)?;
        }
        Scenario::Echo(pace, payload) => {
            report::print(&scenario::echo(&mut swarm, pace, *payload)?)?;
        }
        Scenario::Broadcast(plan) => report::print(&scenario::broadcast(&mut swarm, plan)?)?,
        Scenario::Watch => return watch::run(swarm, server),
    }
    swarm.hold()
}

fn connect(server: Server, clients: usize) -> Result<()> {
    let (swarm, connecting) = scenario::connect(server, clients)?;
    print_connected(&swarm)?;
    report::print(&connecting)?;
    swarm.hold()
}

fn print_connected(swarm: &Swarm) -> Result<()> {
    report::print(&report::Connected { connected: swarm.len() })
}
