//! Receipts of a server that broadcasts without end.
//!
//! ```text
//! 2["race",345,1234567890,"The quick brown fox …"]
//!        number  due, µs   text, of any length
//! ```
//!
//! `examples/race/broadcaster.js` sends them.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

const RACE: &[u8] = br#"2["race","#;

/// The largest distance between clients, in broadcasts. The server allows far fewer in flight.
const MAX_APART: u64 = 1_000;

/// A broadcast of the race.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// Number of broadcasts before it.
    pub number: u64,
    /// Its due time, as [`monotonic_time`](crate::clock::monotonic_time).
    pub due: Duration,
}

impl Receipt {
    /// Decodes a Socket.IO packet.
    ///
    /// # Errors
    ///
    /// If it is another packet.
    pub fn decode(packet: &[u8]) -> Result<Self> {
        decode(packet).with_context(|| format!("no broadcast: {}", String::from_utf8_lossy(packet)))
    }
}

fn decode(packet: &[u8]) -> Option<Receipt> {
    let mut fields = packet.strip_prefix(RACE)?.splitn(3, |&byte| byte == b',');
    let number = decimal(fields.next()?)?;
    let due = Duration::from_micros(decimal(fields.next()?)?);
    fields.next()?;
    Some(Receipt { number, due })
}

fn decimal(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The progress of each client. A client may begin with any number; from then on no broadcast may be
/// lost, doubled or overtaken.
#[derive(Default)]
pub struct Receipts {
    /// The last number of each client; `None` before its first.
    last: Vec<Option<u64>>,
    /// Of how many clients a number is the last, from that of the slowest on.
    counts: VecDeque<usize>,
    /// The number of the slowest.
    first: u64,
}

impl Receipts {
    /// Records a broadcast that a client received.
    ///
    /// # Errors
    ///
    /// If it is not the one after the client's last.
    pub fn record(&mut self, client: usize, number: u64) -> Result<()> {
        if client >= self.last.len() {
            self.last.resize(client + 1, None);
        }
        let last = self.last.get_mut(client).context("no such client")?.replace(number);
        let next = last.map_or(number, |last| last + 1);
        ensure!(number == next, "broadcast {number} came instead of {next}");
        *self.count(number)? += 1;
        self.forget(last);
        Ok(())
    }

    /// Forgets the clients from this one on.
    pub fn truncate(&mut self, clients: usize) {
        for last in self.last.split_off(clients.min(self.last.len())) {
            self.forget(last);
        }
    }

    /// Returns the last broadcast that all clients have, of those that have any.
    pub fn slowest(&self) -> Option<u64> {
        (!self.counts.is_empty()).then_some(self.first)
    }

    /// Of how many clients the number is the last.
    fn count(&mut self, number: u64) -> Result<&mut usize> {
        if self.counts.is_empty() {
            self.first = number;
        }
        ensure!(number.abs_diff(self.first) < MAX_APART, "broadcast {number} is astray");
        while number < self.first {
            self.counts.push_front(0);
            self.first -= 1;
        }
        let index = (number - self.first) as usize;
        if index >= self.counts.len() {
            self.counts.resize(index + 1, 0);
        }
        self.counts.get_mut(index).context("no such broadcast")
    }

    /// A number is no longer the last of one client.
    fn forget(&mut self, last: Option<u64>) {
        let index = last.and_then(|last| last.checked_sub(self.first));
        if let Some(count) = index.and_then(|index| self.counts.get_mut(index as usize)) {
            *count -= 1;
        }
        while self.counts.front() == Some(&0) {
            self.counts.pop_front();
            self.first += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records the receipts of two clients.
    fn two_clients(first: u64, second: u64) -> Result<Receipts> {
        let mut receipts = Receipts::default();
        receipts.record(0, first)?;
        receipts.record(1, second)?;
        Ok(receipts)
    }

    #[test]
    fn a_broadcast_has_a_number_and_a_due_time() -> Result<()> {
        let receipt = Receipt { number: 345, due: Duration::from_micros(1_234_567_890) };
        assert_eq!(Receipt::decode(br#"2["race",345,1234567890,"a,b"]"#)?, receipt);
        Ok(())
    }

    #[test]
    fn anything_else_is_refused() {
        for packet in ["", "2[]", r#"2["race",1,2]"#, r#"2["race",1,x,""]"#, r#"2["race",-1,2,""]"#]
        {
            assert!(Receipt::decode(packet.as_bytes()).is_err(), "{packet}");
        }
    }

    #[test]
    fn the_slowest_client_counts() -> Result<()> {
        let mut receipts = two_clients(7, 7)?;
        receipts.record(0, 8)?;
        receipts.record(0, 9)?;
        assert_eq!(receipts.slowest(), Some(7));
        receipts.record(1, 8)?;
        assert_eq!(receipts.slowest(), Some(8));
        Ok(())
    }

    #[test]
    fn who_joins_begins_with_any_number_also_with_one_that_others_have() -> Result<()> {
        let mut receipts = two_clients(7, 7)?;
        receipts.record(2, 6)?;
        assert_eq!(receipts.slowest(), Some(6));
        receipts.record(2, 7)?;
        receipts.record(3, 9)?;
        assert_eq!(receipts.slowest(), Some(7));
        Ok(())
    }

    #[test]
    fn who_leaves_is_not_waited_for() -> Result<()> {
        let mut receipts = two_clients(8, 5)?;
        receipts.truncate(1);
        assert_eq!(receipts.slowest(), Some(8));
        receipts.truncate(0);
        assert_eq!(receipts.slowest(), None);
        receipts.record(0, 2)?;
        assert_eq!(receipts.slowest(), Some(2));
        Ok(())
    }

    #[test]
    fn what_is_lost_doubled_or_astray_is_refused() -> Result<()> {
        assert!(two_clients(7, 7)?.record(0, 7).is_err());
        assert!(two_clients(7, 7)?.record(0, 9).is_err());
        assert!(two_clients(7, 7 + MAX_APART).is_err());
        Ok(())
    }
}
