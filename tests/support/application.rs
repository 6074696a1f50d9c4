//! An engine with real sockets, and the peers at their other ends.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use socket_io_turbo::net::{ConnectionId, ConnectionOptions, Event, WorkerPool};
use socket_io_turbo::proto::websocket::{self, Decoder, Limits, Opcode, Role, encode_frame};

/// A test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(20);

const MASK: Option<[u8; 4]> = Some([1, 2, 3, 4]);

/// An engine and what it has told.
pub struct Application {
    pub engine: WorkerPool,
    notifications: Receiver<()>,
    listener: TcpListener,
    /// All but backlogs, which may come at any time where much is sent.
    events: Vec<(ConnectionId, Event)>,
    backlogs: Vec<(ConnectionId, usize)>,
}

impl Application {
    pub fn new() -> Self {
        let (notify, notifications) = channel();
        let engine = WorkerPool::new(move || notify.send(()).unwrap_or_default());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self { engine, notifications, listener, events: Vec::new(), backlogs: Vec::new() }
    }

    /// Has the engine notify again, after it has rested.
    pub fn notify_again(&mut self) {
        let (notify, notifications) = channel();
        self.notifications = notifications;
        self.engine.notify_by(move || notify.send(()).unwrap_or_default());
    }

    /// A connection and its peer.
    pub fn connect(&mut self, options: ConnectionOptions) -> (ConnectionId, Peer) {
        self.connect_with_input(options, b"", 1)
    }

    pub fn connect_with_input(
        &mut self,
        options: ConnectionOptions,
        input: &[u8],
        io_threads: usize,
    ) -> (ConnectionId, Peer) {
        let (stream, peer) = self.accept();
        (self.open(stream, options, input, io_threads), peer)
    }

    /// A connection that is not the engine's yet, and its peer.
    pub fn accept(&self) -> (TcpStream, Peer) {
        let peer = TcpStream::connect(self.listener.local_addr().unwrap()).unwrap();
        let (stream, _) = self.listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        peer.set_read_timeout(Some(PATIENCE)).unwrap();
        (stream, Peer::new(peer))
    }

    pub fn open(
        &mut self,
        stream: TcpStream,
        options: ConnectionOptions,
        input: &[u8],
        io_threads: usize,
    ) -> ConnectionId {
        let id = self.engine.open(stream, input, Arc::new(options), io_threads, (0, 0)).unwrap();
        self.engine.flush();
        id
    }

    /// The next event of a connection.
    pub fn next_event(&mut self, id: ConnectionId) -> Event {
        let start = Instant::now();
        loop {
            if let Some(index) = self.events.iter().position(|(of, _)| *of == id) {
                return self.events.remove(index).1;
            }
            assert!(start.elapsed() < PATIENCE, "no event");
            self.take();
        }
    }

    /// Events of a connection up to and with the first that is chosen.
    pub fn events_until(&mut self, id: ConnectionId, is_last: fn(&Event) -> bool) -> Vec<Event> {
        let mut events = Vec::new();
        while !events.last().is_some_and(is_last) {
            events.push(self.next_event(id));
        }
        events
    }

    /// What the application has been told of the bytes that wait for a connection, up to now.
    pub fn backlogs(&mut self, id: ConnectionId) -> Vec<usize> {
        self.take();
        self.backlogs.iter().filter(|(of, _)| *of == id).map(|(_, bytes)| *bytes).collect()
    }

    /// Waits until the counters of the first worker satisfy `is_reached`.
    pub fn wait_for_stats(
        &self,
        is_reached: impl Fn(&socket_io_turbo::net::WorkerStats) -> bool,
    ) -> socket_io_turbo::net::WorkerStats {
        let start = Instant::now();
        loop {
            let stats = self.engine.stats().next().unwrap();
            if is_reached(&stats) {
                return stats;
            }
            assert!(start.elapsed() < PATIENCE, "{stats:?}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub fn send_text(&mut self, id: ConnectionId, text: &str) {
        self.engine.send(id, encode_frame(true, Opcode::Text, text.as_bytes(), None), true);
    }

    fn take(&mut self) {
        let Self { events, backlogs, .. } = self;
        let mut ended = Vec::new();
        let has_more = self.engine.take(64, |id, event| {
            ended.extend(matches!(event, Event::Ended(_)).then_some(id));
            match event {
                Event::Backlog(bytes) => backlogs.push((id, bytes)),
                event => events.push((id, event)),
            }
        });
        ended.into_iter().for_each(|id| self.engine.release(id));
        if !has_more {
            let _ = self.notifications.recv_timeout(Duration::from_millis(50));
        }
    }
}

/// The client's end of a connection.
pub struct Peer {
    pub stream: TcpStream,
    decoder: Decoder,
    input: BytesMut,
}

impl Peer {
    fn new(stream: TcpStream) -> Self {
        let decoder = Decoder::new(Role::Client, Limits::default());
        Self { stream, decoder, input: BytesMut::new() }
    }

    pub fn send(&mut self, opcode: Opcode, payload: &[u8]) {
        self.stream.write_all(&frame(opcode, payload)).unwrap();
    }

    /// The next event; `None` when the connection has ended.
    pub fn next_event(&mut self) -> Option<websocket::Event> {
        let mut buffer = vec![0; 65_536];
        loop {
            if let Some(event) = self.decoder.poll_event(&mut self.input).unwrap() {
                return Some(event);
            }
            let length = self.stream.read(&mut buffer).unwrap();
            if length == 0 {
                return None;
            }
            self.input.extend_from_slice(&buffer[..length]);
        }
    }

    pub fn next_text(&mut self) -> String {
        match self.next_event() {
            Some(websocket::Event::Text(text)) => String::from_utf8(text.to_vec()).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// Ends the connection with a reset instead of a FIN.
    pub fn reset(self) {
        let socket = socket2::SockRef::from(&self.stream);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    }
}

/// A client's frame.
pub fn frame(opcode: Opcode, payload: &[u8]) -> Bytes {
    encode_frame(true, opcode, payload, MASK)
}
