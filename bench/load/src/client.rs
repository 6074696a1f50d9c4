//! One Socket.IO client.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bytes::{Buf, Bytes, BytesMut};
use mio::net::TcpStream;
use serde::Deserialize;
use socket_io_turbo::proto::engine_io::{Packet, PacketType};
use socket_io_turbo::proto::websocket::{Decoder, Event, Limits, Opcode, Role, encode_frame};

/// Deadline of the TCP handshake. On loopback the kernel answers for the server at once, unless too
/// many connections wait to be accepted.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Most bytes queued for a server that does not read; beyond, the run fails.
const MAX_PENDING: usize = 4 << 20;

/// The longest response head in bytes.
const MAX_HEAD: usize = 8 << 10;

/// A connection and its stage.
pub struct Client {
    stream: TcpStream,
    stage: Stage,
    decoder: Decoder,
    /// Bytes that the kernel has not taken yet.
    pending: BytesMut,
    heartbeat: Heartbeat,
}

/// The times of the server's heartbeat.
struct Heartbeat {
    /// Time of the last ping, or of the open packet.
    last: Instant,
    /// The longest time until the next ping; unlimited before the open packet.
    limit: Duration,
}

enum Stage {
    /// Before the response to the upgrade request; with its first bytes.
    Upgrading(BytesMut),
    /// Before the open packet, and before the answer to CONNECT.
    Joining,
    Ready,
    Lost,
}

/// The times in the open packet, in milliseconds.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Handshake {
    ping_interval: u64,
    ping_timeout: u64,
}

impl Client {
    /// Connects, and asks for the upgrade.
    pub fn connect(address: SocketAddr) -> Result<Self> {
        let stream = std::net::TcpStream::connect_timeout(&address, CONNECT_TIMEOUT)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut client = Self {
            stream: TcpStream::from_std(stream),
            stage: Stage::Upgrading(BytesMut::new()),
            decoder: Decoder::new(Role::Client, Limits::default()),
            pending: BytesMut::new(),
            heartbeat: Heartbeat { last: Instant::now(), limit: Duration::MAX },
        };
        client.write(upgrade_request(address).as_bytes())?;
        Ok(client)
    }

    /// The socket, to register it.
    pub fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// Returns whether the client is connected to the main namespace.
    pub fn is_ready(&self) -> bool {
        matches!(self.stage, Stage::Ready)
    }

    /// Returns whether the connection has been lost.
    pub fn is_lost(&self) -> bool {
        matches!(self.stage, Stage::Lost)
    }

    /// Returns whether the server's ping is overdue: engine.io-client then closes the connection.
    pub fn is_unpinged(&self) -> bool {
        self.heartbeat.last.elapsed() > self.heartbeat.limit
    }

    /// Closes the connection, or gives up one that is closed.
    pub fn lose(&mut self) {
        self.stage = Stage::Lost;
        self.pending.clear();
        // One that the server has closed cannot be shut down.
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    /// Returns whether the kernel has taken everything that was sent.
    pub fn is_flushed(&self) -> bool {
        self.pending.is_empty()
    }

    /// Sends an Engine.IO packet in its text form.
    pub fn send(&mut self, packet: &[u8]) -> Result<()> {
        self.write(&encode_frame(true, Opcode::Text, packet, Some(masking_key())))
    }

    /// Goes on writing what the kernel did not take before.
    pub fn flush(&mut self) -> Result<()> {
        while !self.pending.is_empty() {
            match write_some(&mut self.stream, &self.pending)? {
                0 => break,
                written => self.pending.advance(written),
            }
        }
        Ok(())
    }

    /// Reads everything available, `buffer` at a time, and the end of the stream if `is_ended`.
    /// Calls `received` with each Socket.IO packet once the client is ready.
    pub fn read(
        &mut self,
        buffer: &mut [u8],
        is_ended: bool,
        received: &mut impl FnMut(Bytes) -> Result<()>,
    ) -> Result<()> {
        loop {
            let length = match self.stream.read(buffer) {
                Ok(0) => bail!("the server ended the connection"),
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error).context("the connection broke"),
            };
            self.handle_bytes(buffer.get(..length).unwrap_or_default().into(), received)?;
            // Bytes after a short read cause another event; the end does not.
            if length < buffer.len() && !is_ended {
                return Ok(());
            }
        }
    }

    fn handle_bytes(
        &mut self,
        mut input: BytesMut,
        received: &mut impl FnMut(Bytes) -> Result<()>,
    ) -> Result<()> {
        if let Stage::Upgrading(head) = &mut self.stage {
            head.extend_from_slice(&input);
            let Some(head_len) = response_len(head)? else { return Ok(()) };
            input = head.split_off(head_len);
            self.stage = Stage::Joining;
        }
        while let Some(event) = self.decoder.poll_event(&mut input)? {
            self.handle_event(event, received)?;
        }
        Ok(())
    }

    fn handle_event(
        &mut self,
        event: Event,
        received: &mut impl FnMut(Bytes) -> Result<()>,
    ) -> Result<()> {
        match event {
            Event::Text(text) => self.handle_packet(Packet::decode_text(text)?, received),
            Event::Ping(payload) => {
                self.write(&encode_frame(true, Opcode::Pong, &payload, Some(masking_key())))
            }
            Event::Pong(_) => Ok(()),
            Event::Binary(_) => bail!("the server sent a binary message"),
            Event::Close { code, reason } => bail!("the server closed: {code:?} {reason}"),
        }
    }

    fn handle_packet(
        &mut self,
        packet: Packet,
        received: &mut impl FnMut(Bytes) -> Result<()>,
    ) -> Result<()> {
        let Packet::Text { packet_type, data } = packet else { bail!("base64 over WebSocket") };
        match packet_type {
            PacketType::Open => self.handle_open(&data),
            PacketType::Ping => {
                self.heartbeat.last = Instant::now();
                self.send(b"3")
            }
            PacketType::Message if self.is_ready() => received(data),
            PacketType::Message => self.handle_connect(&data),
            other => bail!("the server sent a packet of type {other:?}"),
        }
    }

    /// Engine.IO v4, "Handshake".
    fn handle_open(&mut self, handshake: &[u8]) -> Result<()> {
        let handshake: Handshake =
            serde_json::from_slice(handshake).context("no handshake of Engine.IO")?;
        let limit = Duration::from_millis(handshake.ping_interval + handshake.ping_timeout);
        self.heartbeat = Heartbeat { last: Instant::now(), limit };
        self.send(b"40")
    }

    /// Socket.IO v5, "Connection to a namespace": the answer is a CONNECT with a sid.
    fn handle_connect(&mut self, answer: &[u8]) -> Result<()> {
        let text = String::from_utf8_lossy(answer);
        ensure!(text.starts_with(r#"0{"sid":"#), "the server refused to connect: {text}");
        self.stage = Stage::Ready;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let written =
            if self.pending.is_empty() { write_some(&mut self.stream, bytes)? } else { 0 };
        self.pending.extend_from_slice(bytes.get(written..).unwrap_or_default());
        ensure!(self.pending.len() <= MAX_PENDING, "the server does not keep up with reading");
        Ok(())
    }
}

/// Writes what the kernel takes. Returns its length.
fn write_some(stream: &mut TcpStream, bytes: &[u8]) -> Result<usize> {
    loop {
        match stream.write(bytes) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(0),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            written => return written.context("the connection broke"),
        }
    }
}

fn upgrade_request(address: SocketAddr) -> String {
    // The key is RFC 6455's own example: no cache stands between, so any will do.
    format!(
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {address}\r\n\
         Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// Returns the length of the response head, or `None` if it is incomplete.
fn response_len(input: &[u8]) -> Result<Option<usize>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head_len) = response.parse(input)? else {
        ensure!(input.len() <= MAX_HEAD, "the response head does not end");
        return Ok(None);
    };
    ensure!(response.code == Some(101), "the server answered {:?}", response.code);
    Ok(Some(head_len))
}

/// Returns a new key for each frame, RFC 6455 §5.3. It need not be unpredictable here.
fn masking_key() -> [u8; 4] {
    fastrand::u32(..).to_ne_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";

    #[test]
    fn a_response_head_may_come_in_pieces() -> Result<()> {
        for length in 0..HEAD.len() {
            assert_eq!(response_len(&HEAD[..length])?, None);
        }
        assert_eq!(response_len(&[HEAD, b"\x81\x01x"].concat())?, Some(HEAD.len()));
        Ok(())
    }

    #[test]
    fn a_refusal_and_an_endless_head_are_errors() {
        assert!(response_len(b"HTTP/1.1 400 Bad Request\r\n\r\n").is_err());
        let endless = [b"HTTP/1.1 101 Ok\r\nName: ".as_slice(), &[b'x'; MAX_HEAD]].concat();
        assert!(response_len(&endless).is_err());
    }
}
