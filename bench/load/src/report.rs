//! The output: lines of JSON.

use std::io::Write;
use std::time::Duration;

use anyhow::Result;
use hdrhistogram::Histogram;
use serde::Serialize;

use crate::connection::Traffic;

/// The longest time that a [`Distribution`] distinguishes.
const LONGEST: Duration = Duration::from_secs(60);

/// Report that all clients are connected.
#[derive(Serialize)]
pub struct Connected {
    /// Number of clients.
    pub connected: usize,
}

/// Report of clients that connect at once.
#[derive(Serialize)]
pub struct Connecting {
    /// User and system time of this program until all were connected, in microseconds.
    pub cpu: u128,
    /// From when all were to connect until a client was connected.
    pub latency: Summary,
}

/// Report of the clients of a server that was blocked.
#[derive(Serialize)]
pub struct Survival {
    /// Clients whose connection the server closed, or whose connection broke.
    pub closed: usize,
    /// Clients that closed their connection, since the server's ping was overdue.
    pub unpinged: usize,
    /// Clients that are connected, each of which has sent a `message`.
    pub left: usize,
}

/// Report of a paced scenario, warm-up included unless a field says otherwise.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Messages sent, and taken by the kernel.
    pub sent: u64,
    /// Answers received; 0 if none is expected.
    pub received: u64,
    /// User and system time of this program while it sent and waited for answers, in
    /// microseconds.
    pub cpu: u128,
    /// Bytes of the connections meanwhile.
    pub traffic: Traffic,
    /// From the due time of a message to the call that sends it, after the warm-up:
    /// how well this program kept to its schedule.
    pub lateness: Summary,
    /// From the due time of a message to its answer, after the warm-up.
    pub latency: Summary,
}

/// Report of a broadcasting server's clients, warm-up included unless a field says otherwise.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reception {
    /// Messages received.
    pub received: u64,
    /// Messages received within the measured time.
    pub received_meanwhile: u64,
    /// User and system time of this program until the end had come to all clients, in
    /// microseconds.
    pub cpu: u128,
    /// Bytes of the connections meanwhile.
    pub traffic: Traffic,
    /// From when a broadcast was due until a recipient received it, after the warm-up.
    pub latency: Summary,
    /// From when a broadcast was due until its last recipient received it, after the
    /// warm-up.
    pub until_last: Summary,
}

/// Report of the race's clients since the previous line.
#[derive(Serialize)]
pub struct Interval {
    /// Its length.
    pub seconds: f64,
    /// Number of clients that the server has accepted.
    pub clients: usize,
    /// Broadcasts received, by all clients together.
    pub deliveries: u64,
    /// User and system time of this program, in microseconds.
    pub cpu: u128,
    /// From when a broadcast was due until a client received it.
    pub latency: Summary,
    /// Seconds from `reconnect` until all clients were connected, if they have been since.
    pub back: Option<f64>,
}

/// Report that the floor listens.
#[derive(Serialize)]
pub struct Listening {
    /// Its port on 127.0.0.1.
    pub port: u16,
}

/// Report of the floor, without the warm-up.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Length of the measurement.
    pub seconds: f64,
    /// Broadcasts sent.
    pub broadcasts: u64,
    /// Broadcasts sent, warm-up included.
    pub sent: u64,
    /// User time of the process, in microseconds.
    pub user: i64,
    /// System time of the process, in microseconds.
    pub system: i64,
    /// Voluntary and involuntary ones of the process.
    pub context_switches: i64,
    /// Memory of the process that is resident in the end, in bytes.
    pub rss: u64,
}

/// Times in microseconds; all 0 if nothing was recorded.
#[derive(Serialize)]
pub struct Summary {
    /// The median.
    pub p50: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

/// Times, kept to three digits.
pub struct Distribution(Histogram<u64>);

impl Distribution {
    /// Nothing recorded.
    pub fn new() -> Result<Self> {
        Ok(Self(Histogram::new_with_max(LONGEST.as_nanos() as u64, 3)?))
    }

    /// Records a time, at most [`LONGEST`].
    pub fn record(&mut self, time: Duration) {
        self.0.saturating_record(time.as_nanos() as u64);
    }

    /// Adds the times of another distribution.
    pub fn add(&mut self, other: &Self) -> Result<()> {
        Ok(self.0.add(&other.0)?)
    }

    /// Forgets all that was recorded.
    pub fn clear(&mut self) {
        self.0.reset();
    }

    /// Returns the number of recorded times.
    #[cfg(test)]
    pub fn len(&self) -> u64 {
        self.0.len()
    }

    /// Returns the figures that are reported.
    pub fn summary(&self) -> Summary {
        let microseconds = |nanoseconds: u64| nanoseconds as f64 / 1e3;
        Summary {
            p50: microseconds(self.0.value_at_quantile(0.5)),
            p99: microseconds(self.0.value_at_quantile(0.99)),
            max: microseconds(self.0.max()),
        }
    }
}

/// Prints one line, at once.
pub fn print(line: &impl Serialize) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    serde_json::to_writer(&mut stdout, line)?;
    stdout.write_all(b"\n")?;
    Ok(stdout.flush()?)
}
