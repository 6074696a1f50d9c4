//! A client of the floor.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::{Bytes, BytesMut};
use socket_io_turbo::proto::websocket::{Decoder, Event, Limits, Opcode, Role, encode_frame};

/// Deadline for a client to send, or to receive.
pub const TIMEOUT: Duration = Duration::from_secs(5);

/// Size of a read in bytes; a client never sends as much at once.
const READ_BUFFER: usize = 4 << 10;

/// RFC 6455 §1.3: what answers the key that bench/load sends, the RFC's own example.
const UPGRADE: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// Engine.IO v4, "Handshake". No ping is ever due: a round is shorter.
const OPEN: &str = r#"0{"sid":"floor","upgrades":[],"pingInterval":300000,"pingTimeout":20000,"maxPayload":1000000}"#;

/// Socket.IO v5, "Connection to a namespace": what is asked, and the answer.
const CONNECT: &[u8] = b"40";
const CONNECTED: &str = r#"40{"sid":"floor"}"#;

/// A connection that blocks; what is sent is short, so it blocks only to read.
pub struct Peer {
    stream: TcpStream,
    decoder: Decoder,
    input: BytesMut,
}

impl Peer {
    /// Waits for the next client and accepts it.
    ///
    /// # Errors
    ///
    /// If it is not the load client.
    pub fn accept(listener: &TcpListener) -> Result<Self> {
        let mut peer = Self {
            stream: listener.accept()?.0,
            decoder: Decoder::new(Role::Server, Limits::default()),
            input: BytesMut::new(),
        };
        peer.stream.set_nodelay(true)?;
        peer.stream.set_read_timeout(Some(TIMEOUT))?;
        peer.stream.set_write_timeout(Some(TIMEOUT))?;
        peer.upgrade()?;
        peer.join()?;
        Ok(peer)
    }

    /// Sends frames by one `send(2)`.
    pub fn send(&mut self, frames: &[u8]) -> Result<()> {
        let sent = self.stream.write(frames)?;
        ensure!(sent == frames.len(), "a client does not keep up with reading");
        Ok(())
    }

    /// Waits for a text message.
    pub fn receive(&mut self) -> Result<Bytes> {
        loop {
            match self.received()? {
                Some(text) => return Ok(text),
                None => self.read()?,
            }
        }
    }

    /// Returns the next text message that has been read.
    pub fn received(&mut self) -> Result<Option<Bytes>> {
        match self.decoder.poll_event(&mut self.input)? {
            Some(Event::Text(text)) => Ok(Some(text)),
            Some(event) => anyhow::bail!("a client sent {event:?}"),
            None => Ok(None),
        }
    }

    fn upgrade(&mut self) -> Result<()> {
        while !self.input.ends_with(b"\r\n\r\n") {
            self.read()?;
        }
        self.input.clear();
        self.send(UPGRADE.as_bytes())
    }

    fn join(&mut self) -> Result<()> {
        self.send(&text_frame(OPEN))?;
        let packet = self.receive()?;
        ensure!(packet == CONNECT, "a client sent {packet:?} to connect");
        self.send(&text_frame(CONNECTED))
    }

    fn read(&mut self) -> Result<()> {
        let mut buffer = [0; READ_BUFFER];
        let length = self.stream.read(&mut buffer).context("a client sends nothing")?;
        ensure!(length > 0, "a client ended the connection");
        self.input.extend_from_slice(buffer.get(..length).unwrap_or_default());
        Ok(())
    }
}

impl AsRawFd for Peer {
    fn as_raw_fd(&self) -> RawFd {
        self.stream.as_raw_fd()
    }
}

/// Returns a frame with an Engine.IO packet in its text form.
pub fn text_frame(packet: &str) -> Bytes {
    encode_frame(true, Opcode::Text, packet.as_bytes(), None)
}
