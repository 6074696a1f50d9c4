//! A listener of a worker pool, and the peers that connect to it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use socket_io_turbo::net::{
    ConnectionId, ConnectionOptions, Event, Handshake, ListenerOptions, PassedDescriptor,
};

use crate::application::{Application, PATIENCE, Peer, is_end};

/// A request that opens a session with a WebSocket; the key is the example of RFC 6455 §1.3.
pub const OPENING: &str = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n\
    Host: localhost\r\n\
    Connection: Upgrade\r\n\
    Upgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// The response to it, up to further headers.
pub const ACCEPTED: &str = "HTTP/1.1 101 Switching Protocols\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";

/// A request that is none of Engine.IO's.
pub const OTHER: &str = "GET /index.html HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Returns options with two paths.
pub fn options() -> ListenerOptions {
    ListenerOptions {
        paths: vec!["/chat/".into(), "/socket.io/".into()],
        max_header_size: 16 * 1024,
        ..ListenerOptions::default()
    }
}

/// A listener of a pool.
pub struct Listening {
    pub application: Application,
    pub id: ConnectionId,
    pub address: SocketAddr,
}

impl Listening {
    pub fn new(options: ListenerOptions) -> Self {
        Self::on_threads(options, 1)
    }

    pub fn on_threads(options: ListenerOptions, io_threads: usize) -> Self {
        let mut application = Application::new();
        let (id, address) = application.listen(options, io_threads);
        Self { application, id, address }
    }

    pub fn dial(&self, request: &str) -> Peer {
        let mut peer = Peer::dial(self.address);
        peer.stream.write_all(request.as_bytes()).unwrap();
        peer
    }

    /// Returns a connection that has been passed.
    pub fn next_passed(&mut self) -> TcpStream {
        blocking(self.next_descriptor().claim().into())
    }

    /// Returns the same before it is claimed.
    pub fn next_descriptor(&mut self) -> PassedDescriptor {
        match self.application.next_event(self.id) {
            Event::Passed { descriptor, is_overdue: false } => descriptor,
            other => panic!("{other:?}"),
        }
    }

    pub fn next_handshake(&mut self) -> Box<Handshake> {
        match self.application.next_event(self.id) {
            Event::Handshake(handshake) => handshake,
            other => panic!("{other:?}"),
        }
    }

    /// Connects a peer whose handshake waits.
    pub fn open(&mut self) -> (Box<Handshake>, Peer) {
        let peer = self.dial(OPENING);
        (self.next_handshake(), peer)
    }

    pub fn accept(&mut self, handshake: &Handshake, options: ConnectionOptions) -> ConnectionId {
        let Handshake { worker, key, .. } = *handshake;
        let id = self.application.pool.accept(worker, key, Arc::new(options), b"A: b\r\n").unwrap();
        self.application.pool.flush();
        id
    }

    /// Connects a peer and accepts its handshake.
    pub fn connect(&mut self, options: ConnectionOptions) -> (ConnectionId, Peer) {
        let (handshake, mut peer) = self.open();
        let id = self.accept(&handshake, options);
        assert_eq!(read_head(&mut peer.stream), format!("{ACCEPTED}A: b\r\n\r\n"));
        (id, peer)
    }

    pub fn close(&mut self) {
        self.application.pool.close_listener(self.id);
        self.application.pool.flush();
    }

    pub fn configure(&mut self, options: ListenerOptions) {
        self.application.pool.configure_listener(self.id, options, 1).unwrap();
        self.application.pool.flush();
    }

    pub fn assert_ends(&mut self) {
        let id = self.id;
        assert!(is_end(&self.application.next_event(id)));
    }

    pub fn wait_for_connections(&self, count: usize) {
        let start = Instant::now();
        while self.application.pool.http_connections(self.id) != count {
            assert!(start.elapsed() < PATIENCE, "{count} connections are awaited");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

pub fn blocking(stream: TcpStream) -> TcpStream {
    stream.set_nonblocking(false).unwrap();
    stream
}

/// Reads a request or response up to its blank line.
pub fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    String::from_utf8(head).unwrap()
}

pub fn read_to_end(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

/// Reads this many bytes.
pub fn read_string(stream: &mut TcpStream, length: usize) -> String {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}
