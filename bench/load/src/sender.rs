//! Sends frames of the floor.

use anyhow::{Context, Result};
use bytes::Bytes;

use crate::peer::Peer;
use crate::ring::Ring;

/// The floor's peers, with the system call that reaches them.
pub struct Sender {
    peers: Vec<Peer>,
    /// The ring, unless each peer gets its own `send(2)`.
    ring: Option<Ring>,
}

impl Sender {
    /// Sends to `peers` by one `send(2)` each, or by `ring`.
    pub fn new(peers: Vec<Peer>, mut ring: Option<Ring>) -> Result<Self> {
        if let Some(ring) = &mut ring {
            ring.register(&peers)?;
        }
        Ok(Self { peers, ring })
    }

    /// Sends the same to some of the peers, by their numbers.
    pub fn send(&mut self, recipients: &[usize], frames: &Bytes) -> Result<()> {
        match &mut self.ring {
            None => recipients.iter().try_for_each(|&number| self.peer(number)?.send(frames)),
            Some(ring) => ring.send(recipients, frames),
        }
    }

    /// Sends the same to all.
    pub fn send_to_all(&mut self, frames: &Bytes) -> Result<()> {
        let all = (0..self.peers.len()).collect::<Vec<_>>();
        self.send(&all, frames)
    }

    /// One of the peers.
    pub fn peer(&mut self, number: usize) -> Result<&mut Peer> {
        self.peers.get_mut(number).context("no such peer")
    }
}
