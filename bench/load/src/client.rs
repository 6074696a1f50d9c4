//! One Socket.IO client.

use std::net::SocketAddr;
use std::rc::Rc;
use std::str::FromStr;
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, bail, ensure};
use bytes::Bytes;
use mio::Registry;
use socket_io_turbo::proto::engine_io::{Handshake, Packet, PacketType};

use crate::connection::{Connection, Opener, Traffic};
use crate::polling::Polling;
use crate::tls;
use crate::websocket::WebSocket;

/// The connections of a client, and their tokens.
pub const CONNECTIONS: usize = 3;
const WEBSOCKET: usize = 0;
const GETS: usize = 1;
const POSTS: usize = 2;

/// The server to connect to.
#[derive(Clone, Copy, Debug)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    /// The way of packets.
    pub transport: Transport,
    /// The settings of TLS, if it is a server of https.
    pub tls: Option<tls::Settings>,
    /// True if permessage-deflate is offered, which the server has to accept then.
    pub deflate: bool,
    /// The settings of clients for a server that is not of the benchmarks.
    pub site: Option<&'static Site>,
}

/// The transports of Engine.IO that clients use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// WebSocket from the beginning.
    #[default]
    WebSocket,
    /// Long-polling, without an upgrade.
    Polling,
    /// Long-polling and then WebSocket, as clients do by default.
    Upgrade,
}

impl Transport {
    /// Returns the largest number of connections of a client.
    pub const fn connections(self) -> usize {
        match self {
            Self::WebSocket => 1,
            Self::Polling | Self::Upgrade => CONNECTIONS,
        }
    }
}

impl FromStr for Transport {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Ok(match name {
            "websocket" => Self::WebSocket,
            "polling" => Self::Polling,
            "upgrade" => Self::Upgrade,
            _ => bail!("--transport is websocket, polling or upgrade, and not {name}"),
        })
    }
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
    pub const fn new(address: SocketAddr) -> Self {
        let transport = Transport::WebSocket;
        Self { address, transport, tls: None, deflate: false, site: None }
    }

    /// The value of the header `Host`.
    pub fn host(self) -> String {
        self.site.map_or_else(|| self.address.to_string(), |site| site.host.clone())
    }

    /// Returns the first lines of a request of Engine.IO, for a session if there is one.
    pub fn request(self, method: &str, transport: &str, sid: Option<&str>) -> String {
        let path = self.site.map_or("/socket.io/", |site| &site.path);
        let session = sid.map(|sid| format!("&sid={sid}")).unwrap_or_default();
        format!(
            "{method} {path}?EIO=4&transport={transport}{session} HTTP/1.1\r\nHost: {}\r\n",
            self.host()
        )
    }
}

/// A session and its stage.
pub struct Client {
    opener: Opener,
    /// The transport until the client has upgraded.
    polling: Option<Polling>,
    /// The transport, or the one to which the client upgrades.
    websocket: Option<WebSocket>,
    stage: Stage,
    heartbeat: Heartbeat,
}

/// The times of the server's heartbeat.
struct Heartbeat {
    /// Time of the last ping, or of the open packet.
    last: Instant,
    /// The longest time until the next ping; unlimited before the open packet.
    limit: Duration,
}

#[derive(PartialEq, Eq)]
enum Stage {
    /// Before the answer to CONNECT.
    Joining,
    Joined,
    Lost,
}

impl Client {
    /// Connects, and asks for a session. The events of its connections have the token `first_token`
    /// or one of the next of [`CONNECTIONS`].
    pub fn connect(server: Server, registry: Rc<Registry>, first_token: usize) -> Result<Self> {
        let opener = Opener::new(server, registry, first_token);
        let mut client = Self {
            polling: None,
            websocket: None,
            stage: Stage::Joining,
            heartbeat: Heartbeat { last: Instant::now(), limit: Duration::MAX },
            opener,
        };
        if server.transport == Transport::WebSocket {
            client.websocket = Some(WebSocket::open(&client.opener, WEBSOCKET, None)?);
        } else {
            client.polling = Some(Polling::open(client.opener.clone(), GETS, POSTS)?);
        }
        Ok(client)
    }

    /// Returns whether the client is connected to the main namespace, by the transport that it is to
    /// have in the end.
    pub fn is_ready(&self) -> bool {
        let has_upgraded =
            self.opener.server().transport != Transport::Upgrade || self.polling.is_none();
        self.stage == Stage::Joined && has_upgraded
    }

    /// Returns whether the client is connected, or has been lost.
    pub fn is_settled(&self) -> bool {
        self.is_ready() || self.is_lost()
    }

    /// Returns whether the connection has been lost.
    pub fn is_lost(&self) -> bool {
        self.stage == Stage::Lost
    }

    /// Returns whether the server's ping is overdue: engine.io-client then closes the connection.
    pub fn is_unpinged(&self) -> bool {
        self.heartbeat.last.elapsed() > self.heartbeat.limit
    }

    /// Closes the connections, or gives up those that are closed.
    pub fn lose(&mut self) {
        self.stage = Stage::Lost;
        for index in 0..CONNECTIONS {
            if let Some(connection) = self.connection(index) {
                connection.shut_down();
            }
        }
    }

    /// Returns whether the kernel has taken everything that was sent.
    pub fn is_flushed(&mut self) -> bool {
        self.is_lost()
            || (self.polling.as_ref().is_none_or(Polling::is_flushed)
                && self.websocket.as_mut().is_none_or(|it| it.connection().is_flushed()))
    }

    /// Returns the bytes since the client has connected.
    pub fn traffic(&self) -> Traffic {
        self.opener.traffic()
    }

    /// Sends an Engine.IO packet in its text form.
    pub fn send(&mut self, packet: &[u8]) -> Result<()> {
        match (&mut self.polling, &mut self.websocket) {
            (Some(polling), _) => polling.send(packet),
            (None, Some(websocket)) => websocket.send(packet),
            (None, None) => bail!("a client without a transport"),
        }
    }

    /// Goes on writing to a connection what the kernel did not take before.
    pub fn flush(&mut self, connection: usize) -> Result<()> {
        self.connection(connection).map_or(Ok(()), Connection::flush)
    }

    /// Reads everything available from a connection, `buffer` at a time, and the end of the stream if
    /// `is_ended`. Calls `received` with each Socket.IO packet once the client is ready.
    pub fn read(
        &mut self,
        connection: usize,
        buffer: &mut [u8],
        is_ended: bool,
        received: &mut impl FnMut(Bytes) -> Result<()>,
    ) -> Result<()> {
        match connection {
            WEBSOCKET => self.read_websocket(buffer, is_ended, received),
            GETS => self.read_payload(buffer, is_ended, received),
            _ => {
                let Some(polling) = &mut self.polling else { return Ok(()) };
                polling.confirm(buffer, is_ended)?;
                self.upgrade_if_paused()
            }
        }
    }

    fn read_websocket(
        &mut self,
        buffer: &mut [u8],
        is_ended: bool,
        received: &mut impl FnMut(Bytes) -> Result<()>,
    ) -> Result<()> {
        let Some(websocket) = &mut self.websocket else { return Ok(()) };
        let was_open = websocket.is_open();
        websocket.receive(buffer, is_ended)?;
        if self.polling.is_some() && !was_open && websocket.is_open() {
            websocket.send(b"2probe")?;
        }
        while let Some(text) = self.websocket.as_mut().map_or(Ok(None), WebSocket::next_text)? {
            self.handle_packet(Packet::decode_text(text)?, received)?;
        }
        Ok(())
    }

    fn read_payload(
        &mut self,
        buffer: &mut [u8],
        is_ended: bool,
        received: &mut impl FnMut(Bytes) -> Result<()>,
    ) -> Result<()> {
        let Some(polling) = &mut self.polling else { return Ok(()) };
        let Some(packets) = polling.receive(buffer, is_ended)? else { return Ok(()) };
        for packet in packets {
            self.handle_packet(packet?, received)?;
        }
        self.polling.as_mut().map_or(Ok(()), Polling::poll)?;
        self.upgrade_if_paused()
    }

    /// Leaves long-polling once the server has answered the probe and all requests, as
    /// engine.io-client does.
    fn upgrade_if_paused(&mut self) -> Result<()> {
        if let (Some(polling), Some(websocket)) = (&self.polling, &mut self.websocket)
            && polling.has_paused()
        {
            websocket.send(b"5")?;
            self.polling = None;
        }
        Ok(())
    }

    fn connection(&mut self, index: usize) -> Option<&mut Connection> {
        match index {
            WEBSOCKET => self.websocket.as_mut().map(WebSocket::connection),
            GETS => self.polling.as_mut().and_then(|it| it.gets().connection()),
            _ => self.polling.as_mut().and_then(|it| it.posts().connection()),
        }
    }

    fn handle_packet(
        &mut self,
        packet: Packet,
        received: &mut impl FnMut(Bytes) -> Result<()>,
    ) -> Result<()> {
        let Packet::Text { packet_type, data } = packet else { bail!("a binary packet as text") };
        match packet_type {
            PacketType::Open => self.handle_open(&data),
            PacketType::Ping => {
                self.heartbeat.last = Instant::now();
                self.send(b"3")
            }
            PacketType::Message if self.stage == Stage::Joined => received(data),
            PacketType::Message => self.handle_connect(&data),
            PacketType::Pong if *data == *b"probe" => {
                self.polling.as_mut().context("a probe without polling")?.pause();
                self.upgrade_if_paused()
            }
            PacketType::Noop if self.polling.is_some() => Ok(()),
            other => bail!("the server sent a packet of type {other:?}"),
        }
    }

    /// Engine.IO v4, "Handshake".
    fn handle_open(&mut self, handshake: &Bytes) -> Result<()> {
        let handshake = Handshake::decode(handshake).context("no handshake of Engine.IO")?;
        let limit = Duration::from_millis(handshake.ping_interval + handshake.ping_timeout);
        self.heartbeat = Heartbeat { last: Instant::now(), limit };
        let server = self.opener.server();
        if server.transport == Transport::Upgrade {
            let sid = Some(handshake.sid.as_str());
            self.websocket = Some(WebSocket::open(&self.opener, WEBSOCKET, sid)?);
        }
        if let Some(polling) = &mut self.polling {
            polling.join(handshake.sid);
        }
        match server.site {
            None => self.send(b"40"),
            Some(Site { namespace, auth, .. }) => {
                self.send(format!("40{namespace}{auth}").as_bytes())
            }
        }
    }

    /// Socket.IO v5, "Connection to a namespace": the answer is a CONNECT with a sid.
    fn handle_connect(&mut self, answer: &[u8]) -> Result<()> {
        let text = String::from_utf8_lossy(answer);
        let site = self.opener.server().site;
        let namespace = site.map(|site| site.namespace.as_str()).unwrap_or_default();
        let rest = text.strip_prefix('0').and_then(|rest| rest.strip_prefix(namespace));
        let is_accepted = rest.is_some_and(|rest| rest.starts_with(r#"{"sid":"#));
        ensure!(is_accepted, "the server refused to connect: {text}");
        self.stage = Stage::Joined;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_names_the_host_and_the_path_of_a_site() {
        let site = Box::leak(Box::new(Site {
            host: "chat.test:8080".to_owned(),
            path: "/chat/".to_owned(),
            namespace: String::new(),
            auth: String::new(),
        }));
        let server = Server::new(([127, 0, 0, 1], 8080).into());
        let request = Server { site: Some(site), ..server }.request("GET", "websocket", None);
        let first = "GET /chat/?EIO=4&transport=websocket HTTP/1.1\r\nHost: chat.test:8080\r\n";
        assert_eq!(request, first);
    }

    #[test]
    fn a_request_names_its_session() {
        let request =
            Server::new(([127, 0, 0, 1], 80).into()).request("POST", "polling", Some("x"));
        let first = "POST /socket.io/?EIO=4&transport=polling&sid=x HTTP/1.1\r\n";
        assert_eq!(request, format!("{first}Host: 127.0.0.1:80\r\n"));
    }
}
