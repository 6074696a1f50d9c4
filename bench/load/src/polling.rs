//! Long-polling of a client, as a browser does it: one connection on which a request waits for packets,
//! and another on which packets are sent.

use anyhow::{Result, ensure};
use bytes::Bytes;
use socket_io_turbo::proto::engine_io::PayloadDecoder;

use crate::connection::Opener;
use crate::http::Requests;

/// Separates the packets of a payload, Engine.IO v4, "Payload encoding".
const SEPARATOR: u8 = 0x1e;

/// The connections of one client.
pub struct Polling {
    opener: Opener,
    gets: Requests,
    posts: Requests,
    /// Empty before the open packet.
    sid: String,
    /// The payload of the next POST.
    outgoing: Vec<u8>,
    /// True once packets come another way.
    is_paused: bool,
}

impl Polling {
    /// Connects, and asks for a session.
    pub fn open(opener: Opener, get_index: usize, post_index: usize) -> Result<Self> {
        let mut polling = Self {
            gets: Requests::new(opener.clone(), get_index),
            posts: Requests::new(opener.clone(), post_index),
            opener,
            sid: String::new(),
            outgoing: Vec::new(),
            is_paused: false,
        };
        polling.poll()?;
        Ok(polling)
    }

    /// The requests that wait for packets.
    pub fn gets(&mut self) -> &mut Requests {
        &mut self.gets
    }

    /// The requests that send packets.
    pub fn posts(&mut self) -> &mut Requests {
        &mut self.posts
    }

    /// Continues in a session.
    pub fn join(&mut self, sid: String) {
        self.sid = sid;
    }

    /// Polls no more once the request that waits has been answered.
    pub fn pause(&mut self) {
        self.is_paused = true;
    }

    /// Returns whether no more packets come or go.
    pub fn has_paused(&self) -> bool {
        self.is_paused
            && self.outgoing.is_empty()
            && !self.gets.is_waiting()
            && !self.posts.is_waiting()
    }

    /// Returns whether nothing waits to be sent.
    pub fn is_flushed(&self) -> bool {
        self.outgoing.is_empty() && !self.posts.is_waiting()
    }

    /// Sends an Engine.IO packet in its text form, with others where a request is under way.
    pub fn send(&mut self, packet: &[u8]) -> Result<()> {
        if !self.outgoing.is_empty() {
            self.outgoing.push(SEPARATOR);
        }
        self.outgoing.extend_from_slice(packet);
        self.post()
    }

    /// Reads packets, and returns them when all are there. Then [`poll`](Self::poll) is due.
    pub fn receive(&mut self, buffer: &mut [u8], is_ended: bool) -> Result<Option<PayloadDecoder>> {
        Ok(self.gets.receive(buffer, is_ended)?.map(PayloadDecoder::new))
    }

    /// Reads the server's answer to packets that were sent, and sends the next.
    pub fn confirm(&mut self, buffer: &mut [u8], is_ended: bool) -> Result<()> {
        let Some(body) = self.posts.receive(buffer, is_ended)? else { return Ok(()) };
        ensure!(body == Bytes::from_static(b"ok"), "the server answered {body:?} to packets");
        self.post()
    }

    /// Asks for packets, unless it has been paused.
    pub fn poll(&mut self) -> Result<()> {
        if self.is_paused {
            return Ok(());
        }
        let sid = Some(self.sid.as_str()).filter(|sid| !sid.is_empty());
        let request = self.opener.server().request("GET", "polling", sid) + "\r\n";
        self.gets.send(request.as_bytes())
    }

    fn post(&mut self) -> Result<()> {
        if self.outgoing.is_empty() || self.posts.is_waiting() {
            return Ok(());
        }
        let mut request = self.opener.server().request("POST", "polling", Some(&self.sid));
        request += "Content-Type: text/plain;charset=UTF-8\r\n";
        request += &format!("Content-Length: {}\r\n\r\n", self.outgoing.len());
        let body = std::mem::take(&mut self.outgoing);
        self.posts.send(&[request.as_bytes(), &body].concat())
    }
}
