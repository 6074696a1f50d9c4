//! The events and bytes of all clients in a time.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::connection::Traffic;
use crate::report::Distribution;

/// Counts from a time on.
pub struct Tally {
    start: Instant,
    /// Events sent.
    pub sent: u64,
    /// Packets received, without acknowledgements.
    pub received: u64,
    /// Acknowledgements received.
    pub acks: u64,
    /// Connections that were lost or refused.
    pub errors: u64,
    pub traffic: Traffic,
    /// From when an event was due until it was acknowledged.
    pub latency: Distribution,
}

impl Tally {
    /// Begins to count.
    pub fn start() -> Result<Self> {
        Ok(Self {
            start: Instant::now(),
            sent: 0,
            received: 0,
            acks: 0,
            errors: 0,
            traffic: Traffic::default(),
            latency: Distribution::new()?,
        })
    }

    /// Returns the time since it began.
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Adds what was counted in a part of its time.
    pub fn add(&mut self, part: &Self) -> Result<()> {
        self.sent += part.sent;
        self.received += part.received;
        self.acks += part.acks;
        self.errors += part.errors;
        self.traffic = [self.traffic, part.traffic].into_iter().sum();
        self.latency.add(&part.latency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_add_up() -> Result<()> {
        let mut total = Tally::start()?;
        for acks in [1, 2] {
            let mut part = Tally::start()?;
            (part.sent, part.received, part.acks, part.errors) = (4, 5, acks, 1);
            part.traffic = Traffic { read: 10, written: 20 };
            part.latency.record(Duration::from_millis(acks));
            total.add(&part)?;
        }
        assert_eq!((total.sent, total.received, total.acks, total.errors), (8, 10, 3, 2));
        assert_eq!((total.traffic.read, total.traffic.written), (20, 40));
        assert_eq!(total.latency.len(), 2);
        Ok(())
    }
}
