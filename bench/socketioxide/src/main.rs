//! The Socket.IO server of one round, wholly in Rust: socketioxide on hyper, to which `bench/` compares.
//! It serves the same events as `bench/processes/server.js`, with the defaults of its library.
//!
//! ```text
//! socket-io-turbo-socketioxide [PING_INTERVAL PING_TIMEOUT]   in milliseconds
//! ```
//!
//! Standard input holds commands, `{ "command": …, "plan": … }`, a line each; the answer to each is a
//! line on standard output, see [`Command`]. The first line, `{ "port": … }`, is printed when the server
//! listens. The process ends with standard input.
//!
//! One thread runs everything, as in Node.js, so that each contender has the same means.

mod broadcasting;
mod command;
mod news;
mod server;
mod usage;

use std::io::Write;

use anyhow::Result;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

use command::{Command, Session};
use server::{Heartbeat, Server};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    usage::allow_descriptors()?;
    let server = Server::listen(Heartbeat::from_arguments(std::env::args().skip(1))?).await?;
    print(&json!({ "port": server.port() }))?;
    let mut session = Session::new(server);
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let answer = match Command::decode(&line) {
            Ok(command) => session.follow(command).await,
            Err(error) => Err(error),
        };
        print(&answer.unwrap_or_else(|error| json!({ "error": format!("{error:#}") })))?;
    }
    Ok(())
}

/// Prints one line, at once.
fn print(line: &Value) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}")?;
    Ok(stdout.flush()?)
}
