//! Handshakes on a listener, over real sockets: the requests that are offered, and their answers.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

#[path = "support/application.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod application;
#[path = "support/listening.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod listening;

use std::io::Write;
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

use application::{end_reason, is_end, text};
use listening::{ACCEPTED, Listening, OPENING, options, read_head, read_string, read_to_end};
use socket_io_turbo::net::{
    ConnectionOptions, EndReason, Event, Handshake, HandshakeTransport, HeartbeatEvent,
    ListenerOptions, SessionOptions,
};
use socket_io_turbo::proto::engine_io::Heartbeat;
use socket_io_turbo::proto::websocket::{Opcode, OpeningHandshake};

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
    // Unread bytes would reset the connection, and the response would be lost.
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
