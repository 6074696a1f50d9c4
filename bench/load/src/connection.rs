//! A TCP connection to the server, with TLS or without, that never blocks.

use std::cell::Cell;
use std::io::{ErrorKind, Read, Write};
use std::iter::Sum;
use std::net::Shutdown;
use std::ops::Sub;
use std::rc::Rc;

use anyhow::{Context, Result, ensure};
use bytes::{Buf, BytesMut};
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use rustls::ClientConnection;
use serde::Serialize;

use crate::client::Server;
use crate::tls;

/// Most bytes queued for a server that does not read; beyond, the run fails.
const MAX_PENDING: usize = 4 << 20;

/// Bytes of the connections, without the headers of TCP; with TLS, those of its records.
#[derive(Clone, Copy, Default, Serialize)]
pub struct Traffic {
    /// Read by clients.
    pub read: u64,
    /// Written by clients, and taken by the kernel.
    pub written: u64,
}

impl Sum for Traffic {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            read: sum.read + one.read,
            written: sum.written + one.written,
        })
    }
}

impl Sub for Traffic {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self { read: self.read - before.read, written: self.written - before.written }
    }
}

/// Opens the connections of one client.
#[derive(Clone)]
pub struct Opener {
    server: Server,
    registry: Rc<Registry>,
    /// That of the client's first connection; those of the others follow.
    first_token: usize,
    traffic: Rc<Cell<Traffic>>,
}

impl Opener {
    /// Opens connections whose events have the token `first_token` or one that follows.
    pub fn new(server: Server, registry: Rc<Registry>, first_token: usize) -> Self {
        Self { server, registry, first_token, traffic: Rc::default() }
    }

    /// The server to connect to.
    pub fn server(&self) -> Server {
        self.server
    }

    /// Returns the bytes of all connections so far.
    pub fn traffic(&self) -> Traffic {
        self.traffic.get()
    }

    /// Begins to connect; the events of the connection have the token `index` behind the first.
    pub fn open(&self, index: usize) -> Result<Connection> {
        let mut stream = TcpStream::connect(self.server.address).context("cannot connect")?;
        stream.set_nodelay(true)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.registry.register(&mut stream, Token(self.first_token + index), interest)?;
        Ok(Connection {
            stream: Counted { stream, traffic: Rc::clone(&self.traffic) },
            is_connected: false,
            tls: self.server.tls.map(tls::connect).transpose()?.map(Box::new),
            pending: BytesMut::new(),
        })
    }
}

/// A connection, whose bytes are counted.
pub struct Connection {
    stream: Counted,
    /// True once the server's kernel has answered.
    is_connected: bool,
    tls: Option<Box<ClientConnection>>,
    /// Bytes that the kernel has not taken yet; with TLS, it holds them.
    pending: BytesMut,
}

/// The bytes of one read.
pub struct Received {
    /// The bytes.
    pub bytes: BytesMut,
    /// True if the server has ended the connection.
    pub is_ended: bool,
}

impl Connection {
    /// Returns whether the kernel has taken everything that was written.
    pub fn is_flushed(&self) -> bool {
        self.pending.is_empty() && self.tls.as_ref().is_none_or(|tls| !tls.wants_write())
    }

    /// Closes the connection, if it is not closed.
    pub fn shut_down(&self) {
        // One that the server has closed cannot be shut down.
        let _ = self.stream.stream.shutdown(Shutdown::Both);
    }

    /// Writes bytes, or queues them until [`flush`](Self::flush).
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        if let Some(tls) = &mut self.tls {
            tls.writer().write_all(bytes)?;
            return self.flush_tls();
        }
        let is_first = self.is_connected && self.pending.is_empty();
        let written = if is_first { self.stream.write_some(bytes)? } else { 0 };
        self.pending.extend_from_slice(bytes.get(written..).unwrap_or_default());
        ensure!(self.pending.len() <= MAX_PENDING, "the server does not keep up with reading");
        Ok(())
    }

    /// Goes on writing what the kernel did not take before.
    pub fn flush(&mut self) -> Result<()> {
        if !self.is_connected {
            if let Some(error) = self.stream.stream.take_error()? {
                return Err(error).context("cannot connect");
            }
            self.is_connected = true;
        }
        while !self.pending.is_empty() {
            match self.stream.write_some(&self.pending)? {
                0 => break,
                written => self.pending.advance(written),
            }
        }
        self.flush_tls()
    }

    fn flush_tls(&mut self) -> Result<()> {
        let Some(tls) = self.tls.as_mut().filter(|_| self.is_connected) else { return Ok(()) };
        while tls.wants_write() {
            match tls.write_tls(&mut self.stream) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                written => written.context("the connection broke")?,
            };
        }
        Ok(())
    }

    /// Reads everything available, `buffer` at a time, and the end of the stream if `is_ended`.
    pub fn receive(&mut self, buffer: &mut [u8], is_ended: bool) -> Result<Received> {
        let mut received = Received { bytes: BytesMut::new(), is_ended: false };
        if self.tls.is_some() {
            self.receive_tls(buffer, &mut received)?;
            return Ok(received);
        }
        while let Some(length) = self.stream.read_some(buffer)? {
            received.is_ended = length == 0;
            received.bytes.extend_from_slice(buffer.get(..length).unwrap_or_default());
            // Bytes after a short read cause another event; the end does not.
            if length == 0 || (length < buffer.len() && !is_ended) {
                break;
            }
        }
        Ok(received)
    }

    fn receive_tls(&mut self, buffer: &mut [u8], received: &mut Received) -> Result<()> {
        let Some(tls) = &mut self.tls else { return Ok(()) };
        loop {
            let is_open = match tls.read_tls(&mut self.stream) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                length => length.context("the connection broke")? > 0,
            };
            tls.process_new_packets().context("TLS failed")?;
            loop {
                match tls.reader().read(buffer) {
                    Ok(length) if length > 0 => {
                        received.bytes.extend_from_slice(buffer.get(..length).unwrap_or_default());
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    // With or without `close_notify`.
                    _ => {
                        received.is_ended = true;
                        return Ok(());
                    }
                }
            }
            if !is_open {
                received.is_ended = true;
                break;
            }
        }
        self.flush_tls()
    }
}

/// A stream whose bytes are counted.
struct Counted {
    stream: TcpStream,
    traffic: Rc<Cell<Traffic>>,
}

impl Counted {
    /// Writes what the kernel takes. Returns its length.
    fn write_some(&mut self, bytes: &[u8]) -> Result<usize> {
        loop {
            match self.write(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(0),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                written => return written.context("the connection broke"),
            }
        }
    }

    /// Returns the length of what is available, which is 0 at the end, or `None` if nothing is.
    fn read_some(&mut self, buffer: &mut [u8]) -> Result<Option<usize>> {
        loop {
            match self.read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                length => return length.map(Some).context("the connection broke"),
            }
        }
    }

    fn count(&self, read: usize, written: usize) {
        let Traffic { read: read_before, written: written_before } = self.traffic.get();
        self.traffic.set(Traffic {
            read: read_before + read as u64,
            written: written_before + written as u64,
        });
    }
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.stream.read(buffer)?;
        self.count(length, 0);
        Ok(length)
    }
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let length = self.stream.write(bytes)?;
        self.count(0, length);
        Ok(length)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
