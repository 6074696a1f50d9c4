//! Loads a Socket.IO server, for `bench/`: connects clients over WebSocket, runs one
//! scenario, and prints JSON, one object a line. Every contender meets the same program.
//!
//! ```text
//! socket-io-turbo-load idle    --address IP:PORT --clients N
//! socket-io-turbo-load inbound --address IP:PORT --clients N --rate R --warm-up S --seconds S
//! socket-io-turbo-load echo    … as inbound … --payload BYTES
//! ```
//!
//! The first line says that all clients are connected; `inbound` and `echo` print their
//! [`report::Report`] as the second. Then the connections stay open, heartbeats answered,
//! until standard input ends: who reads the output decides when they close. Whatever the
//! server does wrong ends the program with an error.
//!
//! One thread and one epoll instance: the client must stay cheap, for it shares the
//! machine with the server. Linux only (timerfd).

mod alarm;
mod arguments;
mod client;
mod process;
mod report;
mod scenario;
mod schedule;
mod swarm;

use std::process::ExitCode;

use anyhow::Result;

use arguments::{Arguments, Scenario};
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
    let arguments = Arguments::parse()?;
    process::allow_descriptors(arguments.clients)?;
    let mut swarm = Swarm::connect(arguments.address, arguments.clients)?;
    report::print(&report::Connected { connected: arguments.clients })?;
    match &arguments.scenario {
        Scenario::Idle => {}
        Scenario::Inbound(pace) => report::print(&scenario::inbound(&mut swarm, pace)?)?,
        Scenario::Echo(pace, payload) => {
            report::print(&scenario::echo(&mut swarm, pace, *payload)?)?;
        }
    }
    swarm.hold()
}
