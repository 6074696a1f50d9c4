//! Ordinary requests to the HTTP server, by clients that send the next as soon as one is answered.
//! Connections are kept, or each request has one of its own.

use std::io::Read;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use mio::event::Event;
use mio::{Events, Poll, Token};

use crate::client::Server;
use crate::connection::{Connection, Opener, Traffic};
use crate::http::Requests;
use crate::process::cpu_time;
use crate::report::{self, Connected, Distribution, Report};

/// Deadline for an answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Size of the read buffer in bytes.
const READ_BUFFER: usize = 64 << 10;

/// Sends requests for a time, which begins when each of `count` connections has had an answer.
pub fn run(server: Server, count: usize, times: &Times) -> Result<()> {
    let (mut load, cpu_at_start) = (Load::open(server, count, times.is_fresh)?, cpu_time());
    load.send_all()?;
    load.answer_all()?;
    report::print(&Connected { connected: count })?;
    let start = Instant::now();
    load.measured_from = start + times.warm_up;
    load.end = load.measured_from + times.measured;
    load.send_all()?;
    load.answer_all()?;
    report::print(&Report {
        sent: load.answered,
        received: load.answered,
        cpu: (cpu_time() - cpu_at_start).as_micros(),
        traffic: load.openers.iter().map(Opener::traffic).sum::<Traffic>(),
        lateness: Distribution::new()?.summary(),
        latency: load.latency.summary(),
    })?;
    // Until it ends, the connections stay open.
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// The time for which requests are sent.
pub struct Times {
    /// Length of the warm-up.
    pub warm_up: Duration,
    /// Length of the measurement, after the warm-up.
    pub measured: Duration,
    /// True if each request has a connection of its own.
    pub is_fresh: bool,
}

struct Load {
    poll: Poll,
    request: String,
    is_fresh: bool,
    openers: Vec<Opener>,
    connections: Vec<Requests>,
    sent_at: Vec<Instant>,
    /// No request is sent after it.
    end: Instant,
    /// Latencies count from here on.
    measured_from: Instant,
    latency: Distribution,
    answered: u64,
}

impl Load {
    fn open(server: Server, count: usize, is_fresh: bool) -> Result<Self> {
        let (poll, now) = (Poll::new()?, Instant::now());
        let registry = Rc::new(poll.registry().try_clone()?);
        let opener = |token| Opener::new(server, Rc::clone(&registry), token);
        let openers = (0..count).map(opener).collect::<Vec<_>>();
        Ok(Self {
            poll,
            request: format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", server.host()),
            connections: openers.iter().map(|it| Requests::new(it.clone(), 0)).collect(),
            is_fresh,
            openers,
            sent_at: vec![now; count],
            end: now,
            measured_from: now + TIMEOUT,
            latency: Distribution::new()?,
            answered: 0,
        })
    }

    fn send_all(&mut self) -> Result<()> {
        self.sent_at.fill(Instant::now());
        self.connections.iter_mut().try_for_each(|it| it.send(self.request.as_bytes()))
    }

    /// Serves the connections until all requests have been answered, and no more are due.
    fn answer_all(&mut self) -> Result<()> {
        let mut events = Events::with_capacity(1024);
        let mut buffer = vec![0; READ_BUFFER];
        while self.connections.iter().any(Requests::is_waiting) {
            self.poll.poll(&mut events, Some(TIMEOUT))?;
            ensure!(!events.is_empty(), "the server does not answer");
            for event in &events {
                self.serve(event, &mut buffer)?;
            }
        }
        Ok(())
    }

    fn serve(&mut self, event: &Event, buffer: &mut [u8]) -> Result<()> {
        let Token(index) = event.token();
        let connection = self.connections.get_mut(index).context("no such connection")?;
        if event.is_writable() {
            connection.connection().map_or(Ok(()), Connection::flush)?;
        }
        let is_answered =
            event.is_readable() && connection.receive(buffer, event.is_read_closed())?.is_some();
        if !is_answered {
            return Ok(());
        }
        let now = Instant::now();
        self.answered += 1;
        let sent_at = self.sent_at.get_mut(index).context("no such connection")?;
        let since = std::mem::replace(sent_at, now);
        if since >= self.measured_from {
            self.latency.record(now - since);
        }
        if self.is_fresh {
            connection.close();
        }
        if now < self.end { connection.send(self.request.as_bytes()) } else { Ok(()) }
    }
}
