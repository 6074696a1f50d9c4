//! Listeners, over real sockets: the connections that they pass, the requests that they offer, and how
//! they end.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

#[path = "support/application.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod application;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use application::{Application, Peer, end_reason, is_end, text};
use socket_io_turbo::net::{
    ConnectionId, ConnectionOptions, EndReason, Event, Handshake, HandshakeTransport,
    HeartbeatEvent, ListenerOptions, SessionOptions,
};
use socket_io_turbo::proto::engine_io::Heartbeat;
use socket_io_turbo::proto::websocket::{Opcode, OpeningHandshake};

/// A request that opens a session with a WebSocket; the key is the example of RFC 6455 §1.3.
const OPENING: &str = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n\
    Host: localhost\r\n\
    Connection: Upgrade\r\n\
    Upgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// The response to it, up to further headers.
const ACCEPTED: &str = "HTTP/1.1 101 Switching Protocols\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";

const OTHER: &str = "GET /index.html HTTP/1.1\r\nHost: localhost\r\n\r\n";

fn options() -> ListenerOptions {
    ListenerOptions {
        paths: vec!["/chat/".into(), "/socket.io/".into()],
        max_header_size: 16 * 1024,
        ..ListenerOptions::default()
    }
}

/// A listener of a pool.
struct Listening {
    application: Application,
    id: ConnectionId,
    address: SocketAddr,
}

impl Listening {
    fn new(options: ListenerOptions) -> Self {
        Self::on_threads(options, 1)
    }

    fn on_threads(options: ListenerOptions, io_threads: usize) -> Self {
        let mut application = Application::new();
        let (id, address) = application.listen(options, io_threads);
        Self { application, id, address }
    }

    fn dial(&self, request: &str) -> Peer {
        let mut peer = Peer::dial(self.address);
        peer.stream.write_all(request.as_bytes()).unwrap();
        peer
    }

    /// Returns a connection that has been passed.
    fn next_passed(&mut self) -> TcpStream {
        match self.application.next_event(self.id) {
            Event::Passed { descriptor, is_overdue: false } => blocking(descriptor.into()),
            other => panic!("{other:?}"),
        }
    }

    fn next_handshake(&mut self) -> Box<Handshake> {
        match self.application.next_event(self.id) {
            Event::Handshake(handshake) => handshake,
            other => panic!("{other:?}"),
        }
    }

    /// Connects a peer whose handshake waits.
    fn open(&mut self) -> (Box<Handshake>, Peer) {
        let peer = self.dial(OPENING);
        (self.next_handshake(), peer)
    }

    fn accept(&mut self, handshake: &Handshake, options: ConnectionOptions) -> ConnectionId {
        let Handshake { worker, key, .. } = *handshake;
        let id = self.application.pool.accept(worker, key, Arc::new(options), b"A: b\r\n").unwrap();
        self.application.pool.flush();
        id
    }

    /// Connects a peer and accepts its handshake.
    fn connect(&mut self, options: ConnectionOptions) -> (ConnectionId, Peer) {
        let (handshake, mut peer) = self.open();
        let id = self.accept(&handshake, options);
        assert_eq!(read_head(&mut peer.stream), format!("{ACCEPTED}A: b\r\n\r\n"));
        (id, peer)
    }

    fn close(&mut self) {
        self.application.pool.close_listener(self.id);
        self.application.pool.flush();
    }

    fn configure(&mut self, options: ListenerOptions) {
        self.application.pool.configure_listener(self.id, options, 1).unwrap();
        self.application.pool.flush();
    }

    fn assert_ends(&mut self) {
        let id = self.id;
        assert!(is_end(&self.application.next_event(id)));
    }

    fn wait_for_connections(&self, count: usize) {
        while self.application.pool.http_connections(self.id) != count {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn blocking(stream: TcpStream) -> TcpStream {
    stream.set_nonblocking(false).unwrap();
    stream
}

/// Reads a request or response up to its blank line.
fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    String::from_utf8(head).unwrap()
}

fn read_to_end(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn other_requests_are_passed_with_all_their_bytes() {
    let mut listening = Listening::new(options());
    for request in [
        OTHER,
        "GET /socket.io/x HTTP/1.1\r\nHost: a\r\n\r\nbody",
        "GET /socket.io/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /socket.io/?EIO=4 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n1",
        "OPTIONS /socket.io/?EIO=4 HTTP/1.1\r\n",
        "\x16\x03\x01\x02",
        "?",
    ] {
        let mut peer = listening.dial(request);
        let mut stream = listening.next_passed();
        let mut received = vec![0; request.len()];
        stream.read_exact(&mut received).unwrap();
        assert_eq!(received, request.as_bytes());
        stream.write_all(b"answer").unwrap();
        drop(stream);
        assert_eq!(read_to_end(&mut peer.stream), "answer");
        assert_eq!(listening.application.pool.http_connections(listening.id), 0);
    }
}

#[test]
fn handshakes_that_differ_from_those_that_are_served_are_passed() {
    let mut listening = Listening::new(options());
    for (part, other) in [
        ("EIO=4", "EIO=3"),
        ("EIO=4", "EIO=4&EIO=3"),
        ("=websocket", "=polling"),
        ("EIO=4", "EIO=4&sid=abc"),
        ("EIO=4", "EIO=4&b64=1"),
        ("/socket.io/", "/socket.io/x/"),
        ("/socket.io/", "/other/"),
        ("GET", "PUT"),
        ("HTTP/1.1", "HTTP/1.0"),
        ("Upgrade: websocket", "Upgrade: h2c"),
        ("Version: 13", "Version: 7"),
        ("dGhl", "dGh="),
        ("Host: localhost", "Host: localhost\r\nSec-WebSocket-Protocol: a"),
        ("Host: localhost", "Host: localhost\r\nExpect: 100-continue"),
        ("Connection: Upgrade", "Connection: Upgrade\t"),
    ] {
        let request = OPENING.replacen(part, other, 1);
        assert_ne!(request, OPENING);
        let _peer = listening.dial(&request);
        assert_eq!(read_head(&mut listening.next_passed()), request);
    }
}

#[test]
fn a_handshake_is_offered() {
    let mut listening = Listening::new(options());
    let (first, peer) = listening.open();
    assert_eq!((first.worker, first.path), (0, 1));
    assert_eq!(first.transport, HandshakeTransport::WebSocket);
    assert_eq!(first.head, OPENING);
    assert_eq!(first.address, "127.0.0.1");
    assert_eq!(first.port, peer.stream.local_addr().unwrap().port());
    assert_eq!(first.sid.len(), 20);
    let _other = listening.dial(&OPENING.replacen("/socket.io/?", "/chat/?a=%20&", 1));
    let second = listening.next_handshake();
    assert_eq!(second.path, 0);
    assert!(second.key != first.key && second.sid != first.sid);
    assert_eq!(listening.application.pool.http_connections(listening.id), 2);
    drop(peer);
}

#[test]
fn a_handshake_is_offered_once_its_head_is_complete() {
    let mut listening = Listening::new(options());
    let mut peer = listening.dial("");
    listening.wait_for_connections(1);
    for byte in OPENING.as_bytes() {
        peer.stream.write_all(&[*byte]).unwrap();
    }
    assert_eq!(listening.next_handshake().head, OPENING);
}

#[test]
fn a_connection_is_passed_once_it_cannot_be_a_handshake() {
    let mut listening = Listening::new(options());
    let mut peer = listening.dial("GET /socket.io/");
    listening.wait_for_connections(1);
    peer.stream.write_all(b"a").unwrap();
    let mut received = [0; 16];
    listening.next_passed().read_exact(&mut received).unwrap();
    assert_eq!(&received, b"GET /socket.io/a");
}

#[test]
fn a_head_that_is_too_long_is_passed() {
    let max_header_size = 1024;
    let mut listening = Listening::new(ListenerOptions { max_header_size, ..options() });
    let beginning = OPENING.trim_end().to_owned() + "\r\nA: ";
    let _peer = listening.dial(&format!("{beginning}{}", "a".repeat(1024 - beginning.len())));
    assert!(read_string(&mut listening.next_passed(), 1024).starts_with(&beginning));
    let fitting = format!("{beginning}{}\r\n\r\n", "a".repeat(1020 - beginning.len()));
    let _peer = listening.dial(&fitting);
    assert_eq!(listening.next_handshake().head, fitting);
}

fn read_string(stream: &mut TcpStream, length: usize) -> String {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn an_accepted_handshake_is_a_connection() {
    let mut listening = Listening::new(options());
    let (handshake, mut peer) = listening.open();
    peer.send(Opcode::Text, b"early");
    let application = &mut listening.application;
    let Handshake { worker, key, .. } = *handshake;
    let accepted = application.pool.accept(worker, key, Arc::default(), b"A: b\r\n");
    let id = accepted.unwrap();
    application.send_text(id, "first");
    application.pool.flush();
    assert_eq!(read_head(&mut peer.stream), format!("{ACCEPTED}A: b\r\n\r\n"));
    assert_eq!(peer.next_text(), "first");
    let events = [application.next_event(id), application.next_event(id)];
    assert!(events.iter().any(|event| matches!(event, Event::Sent(1))), "{events:?}");
    assert!(events.iter().any(|event| matches!(event, Event::Text(_))), "{events:?}");
    application.wait_for_stats(|stats| stats.connections == 1 && stats.opened == 1);
    assert_eq!(application.pool.http_connections(listening.id), 0);
    let traffic = application.pool.traffic(id).unwrap();
    assert_eq!(traffic.bytes_read as usize, OPENING.len() + 6 + "early".len());
    let written = OpeningHandshake::accept_len(b"A: b\r\n") + 2 + "first".len();
    assert_eq!(traffic.bytes_written as usize, written);
    assert!(socket2::SockRef::from(&peer.stream).peer_addr().is_ok());
    application.pool.terminate(id);
    application.pool.flush();
    assert_eq!(end_reason(&application.events_until(id, is_end)), EndReason::Terminated);
}

#[test]
fn a_session_has_heartbeats_and_split_packets_from_its_first_moment() {
    let heartbeat = Heartbeat {
        ping_interval: Duration::from_millis(20),
        ping_timeout: Duration::from_secs(600),
    };
    let session = Some(SessionOptions { heartbeat, max_loop_lag: Duration::from_secs(600) });
    let mut listening = Listening::new(options());
    let (id, mut peer) = listening.connect(ConnectionOptions { session, ..Default::default() });
    assert_eq!(peer.next_text(), "2");
    peer.send(Opcode::Text, b"3");
    peer.send(Opcode::Text, b"42[\"event\"]");
    let events = listening.application.events_until(id, |it| matches!(it, Event::Packet { .. }));
    let steps = events.iter().filter(|it| matches!(it, Event::Heartbeat(_)));
    let has = |step| steps.clone().any(|it| matches!(it, Event::Heartbeat(of) if *of == step));
    assert!(has(HeartbeatEvent::Sent) && has(HeartbeatEvent::Received), "{events:?}");
    assert!(!has(HeartbeatEvent::Ready), "{events:?}");
    assert_eq!(peer.next_text(), "2");
}

#[test]
fn a_session_whose_peer_does_not_answer_is_reported() {
    let heartbeat = Heartbeat {
        ping_interval: Duration::from_millis(5),
        ping_timeout: Duration::from_millis(5),
    };
    let session = Some(SessionOptions { heartbeat, max_loop_lag: Duration::from_secs(600) });
    let mut listening = Listening::new(options());
    let (id, _peer) = listening.connect(ConnectionOptions { session, ..Default::default() });
    let is_timeout = |it: &Event| matches!(it, Event::Heartbeat(HeartbeatEvent::TimedOut));
    listening.application.events_until(id, is_timeout);
}

#[test]
fn a_refused_handshake_gets_its_response() {
    let mut listening = Listening::new(options());
    let (handshake, mut peer) = listening.open();
    // What is unread would reset the connection, and the response be lost.
    peer.send(Opcode::Text, &[7; 20_000]);
    let response = "HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\nno";
    let pool = &mut listening.application.pool;
    pool.refuse(handshake.worker, handshake.key, response.as_bytes());
    pool.flush();
    assert_eq!(read_to_end(&mut peer.stream), response);
    listening.wait_for_connections(0);
}

#[test]
fn a_handshake_can_be_passed() {
    let mut listening = Listening::new(options());
    let (handshake, mut peer) = listening.open();
    peer.stream.write_all(b"more").unwrap();
    listening.application.pool.pass(handshake.worker, handshake.key);
    listening.application.pool.flush();
    let mut stream = listening.next_passed();
    assert_eq!(read_head(&mut stream), OPENING);
    assert_eq!(read_string(&mut stream, 4), "more");
    assert_eq!(listening.application.pool.http_connections(listening.id), 0);
}

#[test]
fn an_answer_reaches_its_handshake_alone() {
    let mut listening = Listening::new(options());
    let mut waiting = [(); 3].map(|()| listening.open());
    let (passed, _) = &waiting[1];
    let (worker, key) = (passed.worker, passed.key);
    listening.application.pool.pass(worker, key);
    listening.application.pool.flush();
    listening.next_passed();
    let pool = &mut listening.application.pool;
    assert_eq!(pool.accept(worker, key, Arc::default(), b""), None);
    assert_eq!(pool.accept(worker + 1, waiting[0].0.key, Arc::default(), b""), None);
    pool.refuse(worker, key, b"no");
    pool.pass(worker, key);
    pool.flush();
    for (handshake, peer) in waiting.iter_mut().step_by(2).rev() {
        let (worker, key) = (handshake.worker, handshake.key);
        let pool = &mut listening.application.pool;
        let id = pool.accept(worker, key, Arc::default(), b"").unwrap();
        listening.application.send_text(id, "yours");
        listening.application.pool.flush();
        assert_eq!(read_head(&mut peer.stream), format!("{ACCEPTED}\r\n"));
        assert_eq!(peer.next_text(), "yours");
    }
}

#[test]
fn a_connection_whose_peer_has_gone_ends_at_once() {
    let mut listening = Listening::new(options());
    let (handshake, mut peer) = listening.open();
    peer.stream.shutdown(Shutdown::Write).unwrap();
    let (worker, key) = (handshake.worker, handshake.key);
    // Handshakes of one worker are handled in the order of their bytes.
    let (_later, _other) = listening.open();
    let id = listening.application.pool.accept(worker, key, Arc::default(), b"").unwrap();
    listening.application.pool.flush();
    let events = listening.application.events_until(id, is_end);
    assert_eq!((events.len(), end_reason(&events)), (1, EndReason::PeerEnded));
    assert_eq!(read_to_end(&mut peer.stream), "");
}

#[test]
fn a_peer_that_ends_before_its_request_is_complete_is_passed() {
    let mut listening = Listening::new(options());
    for request in ["GET /socket.io/?EIO", OPENING] {
        let peer = listening.dial(request.split_at(request.len() - 1).0);
        peer.stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(
            read_to_end(&mut listening.next_passed()),
            request.split_at(request.len() - 1).0
        );
    }
}

#[test]
fn a_peer_that_ends_behind_its_request_has_gone() {
    // The second connection waits in the kernel until all that its peer sends has arrived.
    let max_per_second = Some(0.001);
    let mut listening = Listening::new(ListenerOptions { max_per_second, ..options() });
    listening.open();
    let peer = listening.dial(OPENING);
    peer.stream.shutdown(Shutdown::Write).unwrap();
    listening.configure(options());
    let handshake = listening.next_handshake();
    let id = listening.accept(&handshake, ConnectionOptions::default());
    let events = listening.application.events_until(id, is_end);
    assert_eq!((events.len(), end_reason(&events)), (1, EndReason::PeerEnded));
}

#[test]
fn a_peer_that_ends_without_a_request_is_forgotten() {
    let listening = Listening::new(options());
    let mut peer = listening.dial("");
    listening.wait_for_connections(1);
    peer.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&mut peer.stream), "");
    listening.dial("").reset();
    listening.wait_for_connections(0);
}

#[test]
fn in_passing_mode_all_connections_are_passed_at_once() {
    let mut listening = Listening::new(ListenerOptions { is_passing: true, ..options() });
    let mut peers = [listening.dial(""), listening.dial(OPENING)];
    let mut streams = [listening.next_passed(), listening.next_passed()];
    for stream in &mut streams {
        stream.write_all(b"hello").unwrap();
    }
    drop(streams);
    for peer in &mut peers {
        let mut received = [0; 5];
        peer.stream.read_exact(&mut received).unwrap();
        assert_eq!(&received, b"hello");
    }
}

#[test]
fn waiting_connections_are_passed_when_passing_begins() {
    let mut listening = Listening::new(options());
    let _peers = [listening.dial(""), listening.dial("GET /socket.io/")];
    listening.wait_for_connections(2);
    let (handshake, mut peer) = listening.open();
    listening.configure(ListenerOptions { is_passing: true, ..options() });
    drop([listening.next_passed(), listening.next_passed()]);
    // A handshake waits for its answer.
    listening.accept(&handshake, ConnectionOptions::default());
    assert_eq!(read_head(&mut peer.stream), format!("{ACCEPTED}A: b\r\n\r\n"));
    listening.configure(options());
    listening.open();
}

#[test]
fn new_paths_hold_for_connections_that_wait() {
    let mut listening = Listening::new(options());
    let mut peer = listening.dial("GET /socket.io/?EIO=4");
    listening.wait_for_connections(1);
    listening.configure(ListenerOptions { paths: vec!["/new/".into()], ..options() });
    let other = listening.dial(&OPENING.replacen("/socket.io/", "/new/", 1));
    assert_eq!(listening.next_handshake().path, 0);
    drop(other);
    peer.stream.write_all(b"&").unwrap();
    listening.next_passed();
}

#[test]
fn a_late_request_head_is_answered_as_node_does() {
    let headers_timeout = Some(Duration::from_millis(30));
    let mut listening = Listening::new(ListenerOptions { headers_timeout, ..options() });
    for beginning in ["", "GET /socket.io/?EIO=4"] {
        let mut peer = listening.dial(beginning);
        let expected = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n";
        assert_eq!(read_to_end(&mut peer.stream), expected);
    }
    listening.wait_for_connections(0);
    // A handshake that waits for the application is complete.
    let (handshake, mut peer) = listening.open();
    assert!(read_to_end(&mut listening.dial("").stream).contains("408"));
    listening.accept(&handshake, ConnectionOptions::default());
    assert_eq!(read_head(&mut peer.stream), format!("{ACCEPTED}A: b\r\n\r\n"));
}

#[test]
fn a_connection_whose_request_head_is_late_is_passed_where_that_is_wanted() {
    let headers_timeout = Some(Duration::from_millis(30));
    let options = ListenerOptions { headers_timeout, is_passing_overdue: true, ..options() };
    let mut listening = Listening::new(options);
    let _peer = listening.dial("GET /soc");
    let event = listening.application.next_event(listening.id);
    let Event::Passed { descriptor, is_overdue: true } = event else { panic!("{event:?}") };
    assert_eq!(read_string(&mut blocking(descriptor.into()), 8), "GET /soc");
}

#[test]
fn a_time_limit_that_is_set_later_holds_for_connections_that_wait() {
    let mut listening = Listening::new(options());
    let mut peer = listening.dial("");
    listening.wait_for_connections(1);
    let headers_timeout = Some(Duration::from_millis(30));
    listening.configure(ListenerOptions { headers_timeout, ..options() });
    assert!(read_to_end(&mut peer.stream).starts_with("HTTP/1.1 408 "));
}

#[test]
fn connections_are_spread_over_the_workers() {
    let mut listening = Listening::on_threads(options(), 3);
    let mut workers = [0; 3];
    let mut connections = Vec::new();
    for _ in 0..6 {
        let (handshake, peer) = listening.open();
        workers[handshake.worker] += 1;
        let id = listening.accept(&handshake, ConnectionOptions::default());
        connections.push((id, peer));
    }
    assert_eq!(workers, [2, 2, 2]);
    for (id, peer) in &mut connections {
        assert_eq!(read_head(&mut peer.stream), format!("{ACCEPTED}A: b\r\n\r\n"));
        listening.application.send_text(*id, "hello");
        listening.application.pool.flush();
        assert_eq!(peer.next_text(), "hello");
    }
}

#[test]
fn more_workers_can_serve_later() {
    let mut listening = Listening::new(options());
    let waiting = listening.open();
    let batches = listening.application.pool.stats().next().unwrap().wakes;
    listening.application.pool.configure_listener(listening.id, options(), 2).unwrap();
    listening.application.pool.flush();
    listening.application.wait_for_stats(|stats| stats.wakes > batches);
    let next = listening.open();
    assert_eq!([waiting.0.worker, next.0.worker], [0, 1]);
    for (handshake, _) in [&waiting, &next] {
        listening.application.pool.refuse(handshake.worker, handshake.key, b"no");
    }
    listening.close();
    listening.assert_ends();
}

#[test]
fn a_closed_listener_ends_once_its_last_connection_has() {
    for io_threads in [1, 3] {
        let mut listening = Listening::on_threads(options(), io_threads);
        let mut waiting = [(); 3].map(|()| listening.dial(""));
        listening.wait_for_connections(3);
        let (handshake, mut peer) = listening.open();
        listening.close();
        for peer in &mut waiting {
            peer.stream.write_all(OTHER.as_bytes()).unwrap();
            listening.next_passed();
        }
        let id = listening.accept(&handshake, ConnectionOptions::default());
        listening.assert_ends();
        // Its port is free, and its id as well.
        TcpListener::bind(listening.address).unwrap();
        assert_eq!(read_head(&mut peer.stream), format!("{ACCEPTED}A: b\r\n\r\n"));
        let application = &mut listening.application;
        application.send_text(id, "still here");
        application.pool.flush();
        assert_eq!(peer.next_text(), "still here");
        assert_eq!(application.listen(options(), 1).0, listening.id);
    }
}

#[test]
fn connections_without_a_handshake_can_be_closed() {
    let mut listening = Listening::on_threads(options(), 2);
    let mut waiting = [(); 3].map(|()| listening.dial(""));
    listening.wait_for_connections(3);
    let id = listening.id;
    // A connection before its first request is not idle, as in Node.js.
    listening.application.pool.close_http_connections(id, true);
    listening.application.pool.flush();
    let (first, rest) = waiting.split_at_mut(1);
    first[0].stream.write_all(OTHER.as_bytes()).unwrap();
    listening.next_passed();
    let (handshake, mut peer) = listening.open();
    // What is unread would reset the connection.
    rest[0].stream.write_all(b"GET /soc").unwrap();
    listening.application.pool.close_http_connections(id, false);
    listening.close();
    for peer in rest {
        assert_eq!(read_to_end(&mut peer.stream), "");
    }
    listening.accept(&handshake, ConnectionOptions::default());
    assert_eq!(read_head(&mut peer.stream), format!("{ACCEPTED}A: b\r\n\r\n"));
    listening.assert_ends();
}

#[test]
fn a_shutdown_closes_the_socket_and_all_connections() {
    let mut listening = Listening::on_threads(options(), 2);
    let mut waiting = [(); 2].map(|()| listening.dial(""));
    listening.wait_for_connections(2);
    let (_handshake, mut peer) = listening.open();
    listening.application.pool.shut_down();
    for peer in &mut waiting {
        assert_eq!(read_to_end(&mut peer.stream), "");
    }
    // Its request has not been read.
    let error = peer.stream.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    TcpListener::bind(listening.address).unwrap();
}

#[test]
fn events_that_nobody_takes_close_their_connections() {
    let listening = Listening::new(ListenerOptions { is_passing: true, ..options() });
    let mut peer = listening.dial("");
    listening.application.wait_for_stats(|stats| stats.notifications == 1);
    drop(listening);
    assert_eq!(read_to_end(&mut peer.stream), "");
}

#[test]
fn nothing_is_accepted_while_the_application_has_much_to_take() {
    let mut listening = Listening::new(options());
    let (id, mut peer) = listening.connect(ConnectionOptions::default());
    let waiting = listening.dial("");
    listening.wait_for_connections(1);
    for _ in 0..6 {
        peer.send(Opcode::Binary, &[7; 1024 * 1024]);
    }
    let before = listening.application.wait_for_stats(|stats| stats.stalls > 0).stalls;
    let mut waiting = waiting;
    waiting.stream.write_all(OTHER.as_bytes()).unwrap();
    let _next = listening.dial(OPENING);
    // The connection that waits and the listener have stalled as well.
    listening.application.wait_for_stats(|stats| stats.stalls >= before + 2);
    assert_eq!(listening.application.pool.http_connections(listening.id), 1);
    let is_binary = |event: &Event| matches!(event, Event::Binary(_));
    for _ in 0..6 {
        listening.application.events_until(id, is_binary);
    }
    let of_both = [(); 2].map(|()| listening.application.next_event(listening.id));
    let has = |is_it: fn(&Event) -> bool| of_both.iter().any(is_it);
    assert!(has(|it| matches!(it, Event::Passed { .. })), "{of_both:?}");
    assert!(has(|it| matches!(it, Event::Handshake(_))), "{of_both:?}");
}

#[test]
fn more_connections_than_the_limit_wait() {
    let max_per_second = Some(0.001);
    let mut listening = Listening::new(ListenerOptions { max_per_second, ..options() });
    let mut peers = [(); 2].map(|()| listening.dial(OPENING));
    let handshake = listening.next_handshake();
    let id = listening.accept(&handshake, ConnectionOptions::default());
    assert_eq!(read_head(&mut peers[0].stream), format!("{ACCEPTED}A: b\r\n\r\n"));
    // The worker has looked at all that was ready several times.
    for _ in 0..8 {
        listening.application.wait_for_commands(id, &mut peers[0]);
    }
    assert_eq!(listening.application.pool.http_connections(listening.id), 0);
    listening.configure(options());
    listening.next_handshake();
}

#[cfg(target_os = "linux")]
#[test]
fn accepting_goes_on_when_there_are_descriptors_again() {
    // A process of its own has a limit of its own.
    let name = "accepting_goes_on_when_there_are_descriptors_again";
    if std::env::var_os("TURBO_ALONE").is_none() {
        let mut command = std::process::Command::new("sh");
        let test = std::env::current_exe().unwrap();
        command.args(["-c", "ulimit -n 64 && exec \"$0\" --exact \"$1\""]).arg(test).arg(name);
        assert!(command.env("TURBO_ALONE", "1").status().unwrap().success());
        return;
    }
    let mut listening = Listening::new(options());
    let mut files: Vec<_> =
        std::iter::repeat_with(|| std::fs::File::open("/dev/null")).map_while(Result::ok).collect();
    // One is for the peer, whom the kernel connects.
    files.pop();
    let _peer = listening.dial(OPENING);
    assert_eq!(listening.application.pool.http_connections(listening.id), 0);
    files.clear();
    assert_eq!(listening.next_handshake().head, OPENING);
}

#[test]
fn text_of_an_accepted_connection_is_its_own() {
    let mut listening = Listening::new(options());
    let mut connections = [(); 3].map(|()| listening.connect(ConnectionOptions::default()));
    for (index, (_, peer)) in connections.iter_mut().enumerate() {
        peer.send(Opcode::Text, format!("from {index}").as_bytes());
    }
    for (index, (id, _)) in connections.iter().enumerate() {
        assert_eq!(text(&listening.application.next_event(*id)), format!("from {index}"));
    }
}
