//! One Socket.IO client.

use std::io::{ErrorKind, Read, Write};
use std::iter::Sum;
use std::net::{Shutdown, SocketAddr};
use std::ops::Sub;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bytes::{Buf, Bytes, BytesMut};
use mio::net::TcpStream;
use serde::{Deserialize, Serialize};
use socket_io_turbo::proto::engine_io::{Packet, PacketType};
use socket_io_turbo::proto::websocket::{Decoder, Event, Limits, Opcode, Role, encode_frame};

use crate::deflate::{self, Deflate};

/// Deadline of the TCP handshake. On loopback the kernel answers for the server at once, unless too
/// many connections wait to be accepted.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Most bytes queued for a server that does not read; beyond, the run fails.
const MAX_PENDING: usize = 4 << 20;

/// The longest response head in bytes.
const MAX_HEAD: usize = 8 << 10;

/// The header of offers and answers.
const EXTENSIONS: &str = "Sec-WebSocket-Extensions";

/// The server to connect to.
#[derive(Clone, Copy, Debug)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    /// True if permessage-deflate is offered, which the server has to accept then.
    pub deflate: bool,
    /// The settings of clients for a server that is not of the benchmarks.
    pub site: Option<&'static Site>,
}

/// A server that people load with [`live`](crate::live). It may send whatever it likes.
#[derive(Debug, PartialEq, Eq)]
pub struct Site {
    /// The value of the header `Host`.
    pub host: String,
    /// The path of Engine.IO, with slashes around it.
    pub path: String,
    /// The text in front of the data of packets: none, or the namespace and a comma.
    pub namespace: String,
    /// The JSON behind CONNECT, or nothing.
    pub auth: String,
}

impl Server {
    /// Returns a server of the benchmarks.
    pub const fn new(address: SocketAddr, deflate: bool) -> Self {
        Self { address, deflate, site: None }
    }
}

/// Bytes of the connections, without the headers of TCP.
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

/// A connection and its stage.
pub struct Client {
    stream: TcpStream,
    traffic: Traffic,
    stage: Stage,
    site: Option<&'static Site>,
    /// True if the extension has been offered.
    offers_deflate: bool,
    /// The extension once the server has accepted it.
    deflate: Option<Box<Deflate>>,
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
    pub fn connect(server: Server) -> Result<Self> {
        let stream = std::net::TcpStream::connect_timeout(&server.address, CONNECT_TIMEOUT)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut client = Self {
            stream: TcpStream::from_std(stream),
            traffic: Traffic::default(),
            stage: Stage::Upgrading(BytesMut::new()),
            site: server.site,
            offers_deflate: server.deflate,
            deflate: None,
            decoder: Decoder::new(Role::Client, Limits::default()),
            pending: BytesMut::new(),
            heartbeat: Heartbeat { last: Instant::now(), limit: Duration::MAX },
        };
        client.write(upgrade_request(server).as_bytes())?;
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

    /// Returns whether the client is connected, or has been lost.
    pub fn is_settled(&self) -> bool {
        self.is_ready() || self.is_lost()
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

    /// Returns the bytes since the connection began.
    pub fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// Sends an Engine.IO packet in its text form.
    pub fn send(&mut self, packet: &[u8]) -> Result<()> {
        match &mut self.deflate {
            None => self.write(&encode_frame(true, Opcode::Text, packet, Some(masking_key()))),
            Some(deflate) => {
                let frame = deflate.encode_text(packet, masking_key())?;
                self.write(&frame)
            }
        }
    }

    /// Goes on writing what the kernel did not take before.
    pub fn flush(&mut self) -> Result<()> {
        while !self.pending.is_empty() {
            match write_some(&mut self.stream, &self.pending)? {
                0 => break,
                written => {
                    self.traffic.written += written as u64;
                    self.pending.advance(written);
                }
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
            self.traffic.read += length as u64;
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
            let Some(response) = Response::parse(head)? else { return Ok(()) };
            input = head.split_off(response.head_len);
            self.deflate = negotiated(self.offers_deflate, response.extension.as_deref())?;
            self.stage = Stage::Joining;
        }
        if let Some(deflate) = &mut self.deflate {
            input = deflate.decode_frames(&input)?;
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
            // An attachment.
            Event::Binary(_) if self.site.is_some() => Ok(()),
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
        match self.site {
            None => self.send(b"40"),
            Some(Site { namespace, auth, .. }) => {
                self.send(format!("40{namespace}{auth}").as_bytes())
            }
        }
    }

    /// Socket.IO v5, "Connection to a namespace": the answer is a CONNECT with a sid.
    fn handle_connect(&mut self, answer: &[u8]) -> Result<()> {
        let text = String::from_utf8_lossy(answer);
        let namespace = self.site.map(|site| site.namespace.as_str()).unwrap_or_default();
        let rest = text.strip_prefix('0').and_then(|rest| rest.strip_prefix(namespace));
        let is_accepted = rest.is_some_and(|rest| rest.starts_with(r#"{"sid":"#));
        ensure!(is_accepted, "the server refused to connect: {text}");
        self.stage = Stage::Ready;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let written =
            if self.pending.is_empty() { write_some(&mut self.stream, bytes)? } else { 0 };
        self.traffic.written += written as u64;
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

fn upgrade_request(Server { address, deflate, site }: Server) -> String {
    let offer =
        if deflate { format!("{EXTENSIONS}: {}\r\n", deflate::OFFER) } else { String::new() };
    let path = site.map_or("/socket.io/", |site| &site.path);
    let host = site.map_or_else(|| address.to_string(), |site| site.host.clone());
    // The key is RFC 6455's own example: no cache stands between, so any will do.
    format!(
        "GET {path}?EIO=4&transport=websocket HTTP/1.1\r\nHost: {host}\r\n\
         Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{offer}\r\n"
    )
}

/// The response to an upgrade request.
#[derive(Debug, PartialEq, Eq)]
struct Response {
    head_len: usize,
    /// The value of `Sec-WebSocket-Extensions`.
    extension: Option<String>,
}

impl Response {
    /// Parses the response head, or returns `None` if it is incomplete.
    fn parse(input: &[u8]) -> Result<Option<Self>> {
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut response = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(head_len) = response.parse(input)? else {
            ensure!(input.len() <= MAX_HEAD, "the response head does not end");
            return Ok(None);
        };
        ensure!(response.code == Some(101), "the server answered {:?}", response.code);
        let mut headers = response.headers.iter();
        let header = headers.find(|header| header.name.eq_ignore_ascii_case(EXTENSIONS));
        let extension = header.map(|header| String::from_utf8_lossy(header.value).into_owned());
        Ok(Some(Self { head_len, extension }))
    }
}

/// Returns permessage-deflate if it was offered.
///
/// # Errors
///
/// If the server has not accepted it, or has accepted what was not offered.
fn negotiated(is_offered: bool, extension: Option<&str>) -> Result<Option<Box<Deflate>>> {
    match (is_offered, extension) {
        (true, Some(extension)) => Ok(Some(Box::new(Deflate::new(extension)?))),
        (true, None) => bail!("the server does not accept permessage-deflate"),
        (false, Some(extension)) => bail!("the server has extension {extension} of its own accord"),
        (false, None) => Ok(None),
    }
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
            assert_eq!(Response::parse(&HEAD[..length])?, None);
        }
        let response = Response { head_len: HEAD.len(), extension: None };
        assert_eq!(Response::parse(&[HEAD, b"\x81\x01x"].concat())?, Some(response));
        Ok(())
    }

    #[test]
    fn an_extension_is_accepted_if_it_was_offered() -> Result<()> {
        let head = b"HTTP/1.1 101 Ok\r\nsec-websocket-extensions: permessage-deflate\r\n\r\n";
        let extension = Response::parse(head)?.and_then(|response| response.extension);
        assert_eq!(extension.as_deref(), Some("permessage-deflate"));
        assert!(negotiated(true, extension.as_deref())?.is_some());
        assert!(negotiated(false, extension.as_deref()).is_err());
        assert!(negotiated(false, None)?.is_none());
        assert!(negotiated(true, None).is_err());
        Ok(())
    }

    #[test]
    fn an_offer_stands_in_the_request() {
        let address = SocketAddr::from(([127, 0, 0, 1], 80));
        let request = |deflate| upgrade_request(Server::new(address, deflate));
        let offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";
        assert!(request(true).ends_with(offer));
        assert_eq!(request(true).replace(offer, "\r\n"), request(false));
    }

    #[test]
    fn a_request_names_the_host_and_the_path_of_a_site() {
        let site = Box::leak(Box::new(Site {
            host: "chat.test:8080".to_owned(),
            path: "/chat/".to_owned(),
            namespace: String::new(),
            auth: String::new(),
        }));
        let address = SocketAddr::from(([127, 0, 0, 1], 8080));
        let request = upgrade_request(Server { site: Some(site), ..Server::new(address, false) });
        let start = "GET /chat/?EIO=4&transport=websocket HTTP/1.1\r\nHost: chat.test:8080\r\n";
        assert!(request.starts_with(start), "{request}");
    }

    #[test]
    fn a_refusal_and_an_endless_head_are_errors() {
        assert!(Response::parse(b"HTTP/1.1 400 Bad Request\r\n\r\n").is_err());
        let endless = [b"HTTP/1.1 101 Ok\r\nName: ".as_slice(), &[b'x'; MAX_HEAD]].concat();
        assert!(Response::parse(&endless).is_err());
    }
}
