//! The commands of `bench/processes/server-process.js`, and their answers.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::broadcasting::{self, Plan};
use crate::server::Server;
use crate::usage::{Measurement, resident_set};

/// Time for the allocator to return memory; `server.js` takes as long.
const SETTLE: Duration = Duration::from_millis(300);

/// A command; `server.js` documents what each does and answers.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(tag = "command", content = "plan", rename_all = "lowercase")]
pub enum Command {
    /// Begins a measurement.
    Start,
    /// Ends it, and reports.
    Stop,
    /// Follows a plan of broadcasts, and reports.
    Broadcast(Plan),
    /// Reports the number of events since the process began.
    Received,
    /// Reports the resident memory.
    Memory,
    /// Computes for some time.
    Block(Block),
}

/// How long to compute.
#[derive(Debug, PartialEq, Deserialize)]
pub struct Block {
    milliseconds: u64,
}

impl Command {
    /// Decodes a line.
    ///
    /// # Errors
    ///
    /// If it is not a command, or one that this server cannot follow.
    pub fn decode(line: &str) -> Result<Self> {
        serde_json::from_str(line).with_context(|| format!("no command: {line}"))
    }
}

/// The server, and the measurement that has begun.
pub struct Session {
    server: Server,
    measurement: Option<Measurement>,
}

impl Session {
    /// Takes over a server that listens.
    pub fn new(server: Server) -> Self {
        Self { server, measurement: None }
    }

    /// Executes a command. Returns the answer.
    pub async fn follow(&mut self, command: Command) -> Result<Value> {
        match command {
            Command::Start => self.start(),
            Command::Stop => self.stop(),
            Command::Broadcast(plan) => {
                answer(&broadcasting::broadcast(&mut self.server, &plan).await?)
            }
            Command::Received => Ok(json!({ "received": self.server.received() })),
            Command::Memory => {
                tokio::time::sleep(SETTLE).await;
                Ok(json!({ "rss": resident_set()? }))
            }
            Command::Block(Block { milliseconds }) => {
                compute_for(Duration::from_millis(milliseconds));
                Ok(json!({}))
            }
        }
    }

    fn start(&mut self) -> Result<Value> {
        self.measurement = Some(Measurement::start(self.server.received())?);
        Ok(json!({}))
    }

    fn stop(&mut self) -> Result<Value> {
        let measurement = self.measurement.take().context("no measurement has begun")?;
        answer(&measurement.end(self.server.received())?)
    }
}

fn answer(report: &impl Serialize) -> Result<Value> {
    Ok(serde_json::to_value(report)?)
}

/// Keeps the thread, as a handler does that computes.
fn compute_for(time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        std::hint::spin_loop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_may_have_a_plan() -> Result<()> {
        assert_eq!(Command::decode(r#"{"command":"start"}"#)?, Command::Start);
        let block = Command::Block(Block { milliseconds: 1200 });
        assert_eq!(Command::decode(r#"{"command":"block","plan":{"milliseconds":1200}}"#)?, block);
        Ok(())
    }

    #[test]
    fn what_it_cannot_follow_is_refused() {
        for line in ["", "start", r#"{"command":"publish"}"#, r#"{"command":"block"}"#] {
            assert!(Command::decode(line).is_err(), "{line}");
        }
    }
}
