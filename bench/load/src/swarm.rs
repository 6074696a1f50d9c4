//! All clients, and the one poll that serves them.

use std::io::{ErrorKind, Read};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, ensure};
use bytes::Bytes;
use mio::event::Event;
use mio::{Events, Poll, Registry, Token, Waker};

use crate::alarm::Alarm;
use crate::client::{CONNECTIONS, Client, Server};
use crate::connection::Traffic;

const ALARM: Token = Token(usize::MAX);
const STDIN: Token = Token(usize::MAX - 1);

/// Clients that connect at a time, well below the 511 that Node.js lets wait to be
/// accepted.
const MAX_CONNECTING: usize = 64;

/// Interval between clients that connect evenly, if there are not more in it.
const CONNECT_PACE: Duration = Duration::from_millis(1);

/// Deadline for the server to accept clients.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Deadline for it to accept all clients that connect at once: stock takes milliseconds for each.
const CONNECT_ALL_TIMEOUT: Duration = Duration::from_secs(40);

/// Size of the read buffer in bytes.
const READ_BUFFER: usize = 64 << 10;

/// The connected clients.
pub struct Swarm {
    poll: Poll,
    registry: Rc<Registry>,
    events: Events,
    alarm: Alarm,
    clients: Vec<Client>,
    /// Number of clients that have become ready.
    accepted: usize,
    /// Number of clients, from the first on, that are known to be settled.
    settled: usize,
    buffer: Vec<u8>,
}

impl Swarm {
    /// Connects `count` clients. Returns when the server has accepted the last one.
    pub fn connect(server: Server, count: usize) -> Result<Self> {
        let poll = Poll::new()?;
        let mut swarm = Self {
            alarm: Alarm::new(poll.registry(), ALARM)?,
            registry: Rc::new(poll.registry().try_clone()?),
            poll,
            events: Events::with_capacity(1024),
            clients: Vec::with_capacity(count),
            accepted: 0,
            settled: 0,
            buffer: vec![0; READ_BUFFER],
        };
        while swarm.grow(server, count)? {
            swarm.wait_until_connected()?;
        }
        Ok(swarm)
    }

    /// Connects `count` clients, without waiting for one before the next. Returns when the server has
    /// accepted the last one, and calls `accepted` for each as soon as it has.
    pub fn connect_at_once(
        server: Server,
        count: usize,
        mut accepted: impl FnMut(),
    ) -> Result<Self> {
        let mut swarm = Self::connect(server, 0)?;
        let deadline = Instant::now() + CONNECT_ALL_TIMEOUT;
        swarm.connect_more(server, count)?;
        while swarm.accepted < count {
            ensure!(Instant::now() < deadline, "the server does not let clients in");
            let before = swarm.accepted;
            swarm.poll(deadline, |_, _| Ok(()))?;
            (before..swarm.accepted).for_each(|_| accepted());
        }
        Ok(swarm)
    }

    /// Begins to connect `count` clients more, and waits for none.
    pub fn connect_more(&mut self, server: Server, count: usize) -> Result<()> {
        (0..count).try_for_each(|_| self.add_client(server))
    }

    /// Connects `count` clients evenly over a time. Returns when the server has accepted the last one.
    pub fn connect_over(server: Server, count: usize, time: Duration) -> Result<Self> {
        let mut swarm = Self::connect(server, 0)?;
        let start = Instant::now();
        while swarm.len() < count || !swarm.is_connected() {
            let elapsed = start.elapsed();
            ensure!(elapsed < time + CONNECT_TIMEOUT, "the server does not let clients in");
            let share = elapsed.div_duration_f64(time).min(1.0);
            swarm.grow(server, (share * count as f64) as usize)?;
            swarm.poll_for(CONNECT_PACE, |_, _| Ok(()))?;
        }
        Ok(swarm)
    }

    /// Connects some more clients, up to `count` in all, unless others are still connecting.
    /// Returns whether it did.
    pub fn grow(&mut self, server: Server, count: usize) -> Result<bool> {
        if !self.is_connected() {
            return Ok(false);
        }
        let more = MAX_CONNECTING.min(count.saturating_sub(self.clients.len()));
        (0..more).try_for_each(|_| self.add_client(server))?;
        Ok(more > 0)
    }

    /// Closes the latest connections, down to `count`.
    pub fn truncate(&mut self, count: usize) {
        self.clients.truncate(count);
        self.settled = self.settled.min(count);
    }

    /// Returns whether the server has accepted all clients that have not been lost.
    pub fn is_connected(&mut self) -> bool {
        // A client that is settled stays so.
        while self.clients.get(self.settled).is_some_and(Client::is_settled) {
            self.settled += 1;
        }
        self.settled == self.clients.len()
    }

    /// Returns a waker for other threads.
    pub fn waker(&self) -> Result<Waker> {
        Ok(Waker::new(self.poll.registry(), STDIN)?)
    }

    /// Returns the number of clients.
    pub fn len(&self) -> usize {
        self.clients.len()
    }

    /// Returns the number of clients that the server has accepted.
    pub fn ready_len(&self) -> usize {
        self.clients.iter().filter(|client| client.is_ready()).count()
    }

    /// Returns whether the server has accepted a client that has not been lost.
    pub fn has_ready(&self) -> bool {
        self.clients.iter().any(Client::is_ready)
    }

    /// Returns the bytes of all clients since they connected.
    pub fn traffic(&self) -> Traffic {
        self.clients.iter().map(Client::traffic).sum()
    }

    /// Returns whether the kernel has taken everything that was sent.
    pub fn is_flushed(&mut self) -> bool {
        self.clients.iter_mut().all(Client::is_flushed)
    }

    /// Sends an Engine.IO packet in its text form from the client `index modulo their number`.
    pub fn send(&mut self, index: u64, packet: &[u8]) -> Result<()> {
        let index = (index % self.clients.len() as u64) as usize;
        let client = self.clients.get_mut(index).context("no such client")?;
        client.send(packet).with_context(|| format!("client {index}"))
    }

    /// Serves the connections once: waits until something happens, but no longer than
    /// until `deadline`. Calls `received` with each Socket.IO packet that comes, and the
    /// number of the client that it came to.
    pub fn poll(
        &mut self,
        deadline: Instant,
        mut received: impl FnMut(usize, Bytes) -> Result<()>,
    ) -> Result<()> {
        self.poll_events_until(deadline)?;
        self.serve(&mut received)
    }

    /// Serves the connections once, as [`poll`](Self::poll), and gives up those that the server
    /// closes or that break: calls `lost` for each, with the reason.
    pub fn poll_tolerant(
        &mut self,
        deadline: Instant,
        mut received: impl FnMut(Bytes) -> Result<()>,
        lost: impl FnMut(Error),
    ) -> Result<()> {
        self.poll_events_until(deadline)?;
        self.serve_tolerant(&mut received, lost);
        Ok(())
    }

    /// Sends an Engine.IO packet in its text form from the client `index modulo their number`, or
    /// from the next one that is connected. Returns false if none is.
    ///
    /// # Errors
    ///
    /// If the connection breaks, which is given up then.
    pub fn send_from_any(&mut self, index: u64, packet: &[u8]) -> Result<bool> {
        let len = self.clients.len();
        let first = (index % len.max(1) as u64) as usize;
        let mut order = (first..len).chain(0..first);
        let ready = order.find(|&index| self.clients.get(index).is_some_and(Client::is_ready));
        let Some(client) = ready.and_then(|index| self.clients.get_mut(index)) else {
            return Ok(false);
        };
        client.send(packet).inspect_err(|_| client.lose())?;
        Ok(true)
    }

    /// Serves the connections once, as [`poll`](Self::poll) but with a wait that ends imprecisely:
    /// saves a system call.
    pub fn poll_for(
        &mut self,
        wait: Duration,
        mut received: impl FnMut(usize, Bytes) -> Result<()>,
    ) -> Result<()> {
        self.poll_events(Some(wait))?;
        self.serve(&mut received)
    }

    /// Serves the connections once, as [`poll_for`](Self::poll_for), and gives up those that the
    /// server closes or that break. Returns their number.
    pub fn poll_losing(&mut self, wait: Duration) -> Result<usize> {
        self.poll_events(Some(wait))?;
        let mut lost = 0;
        self.serve_tolerant(&mut |_| Ok(()), |_| lost += 1);
        Ok(lost)
    }

    fn serve_tolerant(
        &mut self,
        received: &mut impl FnMut(Bytes) -> Result<()>,
        mut lost: impl FnMut(Error),
    ) {
        for event in &self.events {
            let Token(token) = event.token();
            let client =
                self.clients.get_mut(token / CONNECTIONS).filter(|client| !client.is_lost());
            if let Some(client) = client
                && let Err(error) = serve_client(client, event, &mut self.buffer, received)
            {
                client.lose();
                lost(error);
            }
        }
    }

    /// Closes the connections on which the server's ping is overdue. Returns their number.
    pub fn lose_unpinged(&mut self) -> usize {
        let clients = self.clients.iter_mut();
        clients.filter(|client| !client.is_lost() && client.is_unpinged()).map(Client::lose).count()
    }

    /// Sends an Engine.IO packet in its text form from each client that is connected. Returns their
    /// number.
    pub fn send_from_all(&mut self, packet: &[u8]) -> Result<usize> {
        let clients = self.clients.iter_mut().filter(|client| client.is_ready());
        clients.map(|client| client.send(packet)).try_fold(0, |sent, result| {
            result?;
            Ok(sent + 1)
        })
    }

    /// Keeps the connections open until standard input ends.
    pub fn hold(mut self) -> Result<()> {
        // Shared, since a waker that is dropped takes back its wake.
        let waker = Arc::new(self.waker()?);
        let stdin_waker = Arc::clone(&waker);
        std::thread::spawn(move || {
            // An unreadable standard input has ended, too.
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            stdin_waker.wake()
        });
        loop {
            self.poll_events(None)?;
            if self.events.iter().any(|event| event.token() == STDIN) {
                return Ok(());
            }
            self.serve(&mut |_, _| Ok(()))?;
        }
    }

    fn add_client(&mut self, server: Server) -> Result<()> {
        let index = self.clients.len();
        let client = Client::connect(server, Rc::clone(&self.registry), index * CONNECTIONS)
            .with_context(|| format!("client {index}"))?;
        self.clients.push(client);
        Ok(())
    }

    fn wait_until_connected(&mut self) -> Result<()> {
        let deadline = Instant::now() + CONNECT_TIMEOUT;
        while !self.is_connected() {
            ensure!(Instant::now() < deadline, "the server does not let clients in");
            self.poll(deadline, |_, _| Ok(()))?;
        }
        Ok(())
    }

    fn poll_events_until(&mut self, deadline: Instant) -> Result<()> {
        let wait = deadline.saturating_duration_since(Instant::now());
        if wait.is_zero() {
            self.poll_events(Some(Duration::ZERO))
        } else {
            self.alarm.set(wait)?;
            self.poll_events(None)
        }
    }

    fn poll_events(&mut self, timeout: Option<Duration>) -> Result<()> {
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() == ErrorKind::Interrupted => self.events.clear(),
            polled => polled?,
        }
        Ok(())
    }

    fn serve(&mut self, received: &mut impl FnMut(usize, Bytes) -> Result<()>) -> Result<()> {
        for event in &self.events {
            let Token(token) = event.token();
            let index = token / CONNECTIONS;
            // The alarm is no client, and has nothing to serve; a lost client has not, either.
            if let Some(client) = self.clients.get_mut(index)
                && !client.is_lost()
            {
                let was_ready = client.is_ready();
                serve_client(client, event, &mut self.buffer, &mut |packet| {
                    received(index, packet)
                })
                .with_context(|| format!("client {index}"))?;
                self.accepted += usize::from(client.is_ready() && !was_ready);
            }
        }
        Ok(())
    }
}

fn serve_client(
    client: &mut Client,
    event: &Event,
    buffer: &mut [u8],
    received: &mut impl FnMut(Bytes) -> Result<()>,
) -> Result<()> {
    let Token(token) = event.token();
    let connection = token % CONNECTIONS;
    if event.is_writable() {
        client.flush(connection)?;
    }
    if event.is_readable() {
        client.read(connection, buffer, event.is_read_closed(), received)?;
    }
    Ok(())
}
