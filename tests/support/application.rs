//! A worker pool with real sockets, and the peers at their other ends.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use socket_io_turbo::net::{
    ConnectionId, ConnectionOptions, EndReason, Event, ListenerOptions, WorkerPool, WorkerStats,
};
use socket_io_turbo::proto::websocket::{self, Decoder, Limits, Opcode, Role, encode_frame};

/// The time after which a test that waits fails.
pub const PATIENCE: Duration = Duration::from_secs(20);

const MASK: Option<[u8; 4]> = Some([1, 2, 3, 4]);

/// A pool, and the events that it has reported.
pub struct Application {
    pub pool: WorkerPool,
    notifications: Receiver<()>,
    listener: TcpListener,
    /// Events that have not been returned. Backlogs are apart: where much is sent, they may be
    /// reported at any time.
    events: Vec<(ConnectionId, Event)>,
    backlogs: Vec<(ConnectionId, usize)>,
}

impl Application {
    pub fn new() -> Self {
        let (notify, notifications) = channel();
        let pool = WorkerPool::new(move || notify.send(()).unwrap_or_default());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self { pool, notifications, listener, events: Vec::new(), backlogs: Vec::new() }
    }

    /// Lets the pool notify again after a rest.
    pub fn notify_again(&mut self) {
        let (notify, notifications) = channel();
        self.notifications = notifications;
        self.pool.notify_by(move || notify.send(()).unwrap_or_default());
    }

    /// Opens a connection.
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

    /// Has the pool listen on a free port. Returns the id of the listener, and its address.
    pub fn listen(
        &mut self,
        options: ListenerOptions,
        io_threads: usize,
    ) -> (ConnectionId, SocketAddr) {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let address = socket.local_addr().unwrap();
        let id = self.pool.listen(socket, options, io_threads).unwrap();
        self.pool.flush();
        (id, address)
    }

    /// Returns a connection that the pool does not own yet, and its peer.
    pub fn accept(&self) -> (TcpStream, Peer) {
        let peer = Peer::dial(self.listener.local_addr().unwrap());
        let (stream, _) = self.listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        (stream, peer)
    }

    pub fn open(
        &mut self,
        stream: TcpStream,
        options: ConnectionOptions,
        input: &[u8],
        io_threads: usize,
    ) -> ConnectionId {
        let id = self.pool.open(stream, input, Arc::new(options), io_threads, (0, 0)).unwrap();
        self.pool.flush();
        id
    }

    /// Waits for the next event of a connection.
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

    /// Waits for the events of a connection up to and including one that `is_last`.
    pub fn events_until(&mut self, id: ConnectionId, is_last: fn(&Event) -> bool) -> Vec<Event> {
        let mut events = Vec::new();
        while !events.last().is_some_and(is_last) {
            events.push(self.next_event(id));
        }
        events
    }

    /// Returns all backlogs of a connection that have been reported up to now.
    pub fn backlogs(&mut self, id: ConnectionId) -> Vec<usize> {
        self.take();
        self.backlogs.iter().filter(|(of, _)| *of == id).map(|(_, bytes)| *bytes).collect()
    }

    /// Waits until the counters of the first worker satisfy `is_reached`.
    pub fn wait_for_stats(&self, is_reached: impl Fn(&WorkerStats) -> bool) -> WorkerStats {
        let start = Instant::now();
        loop {
            let stats = self.pool.stats().next().unwrap();
            if is_reached(&stats) {
                return stats;
            }
            assert!(start.elapsed() < PATIENCE, "{stats:?}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub fn send_text(&mut self, id: ConnectionId, text: &str) {
        self.pool.send(id, encode_frame(true, Opcode::Text, text.as_bytes(), None), true);
    }

    /// Waits until the worker has executed all commands up to now. The peer and the application get
    /// one text and its report, which must be the next.
    pub fn wait_for_commands(&mut self, id: ConnectionId, peer: &mut Peer) {
        self.send_text(id, "commanded");
        self.pool.flush();
        assert_eq!(peer.next_text(), "commanded");
        assert!(matches!(self.next_event(id), Event::Sent(1)));
    }

    fn take(&mut self) {
        let Self { events, backlogs, .. } = self;
        let mut ended = Vec::new();
        let has_more = self.pool.take(64, |id, event| {
            ended.extend(matches!(event, Event::Ended(_)).then_some(id));
            match event {
                Event::Backlog(bytes) => backlogs.push((id, bytes)),
                event => events.push((id, event)),
            }
        });
        ended.into_iter().for_each(|id| self.pool.release(id));
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
    /// Connects to an address.
    pub fn dial(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let decoder = Decoder::new(Role::Client, Limits::default());
        Self { stream, decoder, input: BytesMut::new() }
    }

    /// Takes compressed messages from now on.
    pub fn inflate(&mut self) {
        self.decoder = Decoder::new(Role::Client, Limits::default()).inflating();
    }

    pub fn send(&mut self, opcode: Opcode, payload: &[u8]) {
        self.stream.write_all(&frame(opcode, payload)).unwrap();
    }

    /// Sends a text message by its compressed payload.
    pub fn send_compressed(&mut self, payload: &[u8]) {
        let mut frame = frame(Opcode::Text, payload).to_vec();
        frame[0] |= 0x40; // RSV1
        self.stream.write_all(&frame).unwrap();
    }

    /// Waits for the next event; `None` when the connection has ended.
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

    /// Ends the connection with a TCP reset instead of a FIN.
    pub fn reset(self) {
        let socket = socket2::SockRef::from(&self.stream);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    }
}

/// More bytes than the kernel's buffers of a connection hold.
pub const MUCH: usize = 32 * 1024 * 1024;

/// Returns a server's frame that the kernel does not accept at once.
pub fn big_frame() -> Bytes {
    encode_frame(true, Opcode::Binary, &vec![7; MUCH], None)
}

pub fn is_end(event: &Event) -> bool {
    matches!(event, Event::Ended(_))
}

/// Returns the reason of the last event, which must be the end.
pub fn end_reason(events: &[Event]) -> EndReason {
    match events.last() {
        Some(Event::Ended(reason)) => *reason,
        other => panic!("{other:?}"),
    }
}

/// Returns the text of a text message.
pub fn text(event: &Event) -> &str {
    match event {
        Event::Text(text) => std::str::from_utf8(text).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// Encodes a client's frame.
pub fn frame(opcode: Opcode, payload: &[u8]) -> Bytes {
    encode_frame(true, opcode, payload, MASK)
}
