//! Loads a Socket.IO server, for `bench/`: connects clients over WebSocket, runs one
//! scenario, and prints JSON, one object a line. Every contender meets the same program.
//!
//! ```text
//! socket-io-turbo-load idle    --address IP:PORT --clients N
//! socket-io-turbo-load inbound --address IP:PORT --clients N --rate R --warm-up S --seconds S
//! socket-io-turbo-load echo    … as inbound … --payload BYTES
//! socket-io-turbo-load broadcast --address IP:PORT --clients N PLAN
//! socket-io-turbo-load watch     --address IP:PORT --clients N
//! socket-io-turbo-load floor     --clients N PLAN
//! PLAN: --rooms N --rooms-per-client N --warm-up S --seconds S PACING
//! PACING: --rate R --rooms-per-turn N --burst N, or --window N
//! ```
//!
//! The first line says that all clients are connected; all but `idle` and `watch` print their
//! report (see [`report`]) as the second. Then the connections stay open, heartbeats answered,
//! until standard input ends: who reads the output decides when they close. Whatever the
//! server does wrong ends the program with an error.
//!
//! `watch` goes on receiving, prints a report each quarter of a second, and takes commands:
//! see [`watch`]. `floor` is no client but a server to compare with: see [`floor`].
//!
//! One thread and one epoll instance: the client must stay cheap, for it shares the
//! machine with the server. Linux only (timerfd).

mod alarm;
mod arguments;
mod client;
mod clock;
mod commands;
mod deliveries;
mod floor;
mod news;
mod peer;
mod plan;
mod process;
mod receipts;
mod report;
mod scenario;
mod schedule;
mod swarm;
mod watch;

use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::Result;

use arguments::{Arguments, Role, Scenario};
use swarm::Swarm;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let Arguments { clients, role } = Arguments::parse()?;
    process::allow_descriptors(clients)?;
    match &role {
        Role::Load(address, scenario) => load(*address, clients, scenario),
        Role::Floor(plan) => floor::run(clients, plan),
    }
}

fn load(address: SocketAddr, clients: usize, scenario: &Scenario) -> Result<()> {
    let mut swarm = Swarm::connect(address, clients)?;
    report::print(&report::Connected { connected: clients })?;
    match scenario {
        Scenario::Idle => {}
        Scenario::Inbound(pace) => report::print(&scenario::inbound(&mut swarm, pace)?)?,
        Scenario::Echo(pace, payload) => {
            report::print(&scenario::echo(&mut swarm, pace, *payload)?)?;
        }
        Scenario::Broadcast(plan) => report::print(&scenario::broadcast(&mut swarm, plan)?)?,
        Scenario::Watch => return watch::run(swarm, address),
    }
    swarm.hold()
}
