//! Messages, commands and options of a connection on an I/O worker, over real sockets.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

#[path = "support/application.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod application;

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use application::{Application, big_frame, frame, is_end, text};
use socket_io_turbo::net::{ConnectionOptions, Event, Failure, SocketOption};
use socket_io_turbo::proto::socket_io::PacketType;
use socket_io_turbo::proto::websocket::{self, DecodeError, Limits, Opcode, encode_frame};
use socket2::SockRef;

const MASK: Option<[u8; 4]> = Some([1, 2, 3, 4]);

#[test]
fn a_message_reaches_the_application() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(ConnectionOptions::default());
    peer.send(Opcode::Text, "día".as_bytes());
    assert_eq!(text(&application.next_event(id)), "día");
}

#[test]
fn input_read_before_the_takeover_comes_first() {
    let mut application = Application::new();
    let whole = frame(Opcode::Text, b"early");
    let mut input = frame(Opcode::Text, b"first").to_vec();
    input.extend_from_slice(&whole[..4]);
    let (id, mut peer) = application.connect_with_input(ConnectionOptions::default(), &input, 1);
    peer.stream.write_all(&whole[4..]).unwrap();
    assert_eq!(text(&application.next_event(id)), "first");
    assert_eq!(text(&application.next_event(id)), "early");
}

#[test]
fn frames_leave_in_order_and_are_reported() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(ConnectionOptions::default());
    for index in 0..200 {
        application.send_text(id, &index.to_string());
    }
    application.pool.flush();
    for index in 0..200 {
        assert_eq!(peer.next_text(), index.to_string());
    }
    let mut sent = 0;
    while sent < 200 {
        match application.next_event(id) {
            Event::Sent(count) => sent += count,
            other => panic!("{other:?}"),
        }
    }
    let stats = application.wait_for_stats(|stats| stats.queued_bytes == 0);
    assert_eq!(stats.frames_out, 200);
    // 64 frames in one system call.
    assert!(stats.writes <= 10, "{} writes", stats.writes);
}

#[test]
fn a_frame_that_the_kernel_has_not_accepted_is_not_reported() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(ConnectionOptions::default());
    application.pool.send(id, big_frame(), true);
    application.pool.flush();
    application.wait_for_stats(|stats| stats.queued_bytes > 0 && stats.bytes_out > 0);
    peer.send(Opcode::Text, b"nothing before this");
    assert_eq!(text(&application.next_event(id)), "nothing before this");
    assert!(matches!(peer.next_event(), Some(websocket::Event::Binary(_))));
    assert!(matches!(application.next_event(id), Event::Sent(1)));
}

#[test]
fn a_frame_is_reported_only_on_request() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(ConnectionOptions::default());
    let frame = encode_frame(true, Opcode::Text, b"quiet", None);
    application.pool.send(id, frame.clone(), false);
    application.pool.flush();
    assert_eq!(peer.next_text(), "quiet");
    application.pool.send(id, frame.clone(), false);
    application.pool.send(id, frame, true);
    application.pool.flush();
    assert!(matches!(application.next_event(id), Event::Sent(1)));
}

#[test]
fn pings_are_answered_by_the_worker_and_reported() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(ConnectionOptions::default());
    peer.send(Opcode::Ping, b"are you there?");
    assert!(matches!(peer.next_event(), Some(websocket::Event::Pong(payload))
        if payload == "are you there?"));
    assert!(matches!(application.next_event(id), Event::Ping(payload)
        if payload == "are you there?"));
}

#[test]
fn pings_are_left_to_the_application_if_the_options_say_so() {
    let mut application = Application::new();
    let options = ConnectionOptions { has_automatic_pongs: false, ..Default::default() };
    let (id, mut peer) = application.connect(options);
    peer.send(Opcode::Ping, b"1");
    assert!(matches!(application.next_event(id), Event::Ping(_)));
    application.send_text(id, "no pong before this");
    application.pool.flush();
    assert_eq!(peer.next_text(), "no pong before this");
}

#[test]
fn a_paused_connection_is_not_read() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(ConnectionOptions::default());
    application.pool.pause(id, true);
    application.pool.flush();
    application.wait_for_stats(|stats| stats.wakes >= 2);
    peer.send(Opcode::Text, b"waits");
    let (other, mut other_peer) = application.connect(ConnectionOptions::default());
    other_peer.send(Opcode::Text, b"comes");
    assert_eq!(text(&application.next_event(other)), "comes");
    assert_eq!(application.pool.stats().next().unwrap().messages_in, 1);
    application.pool.pause(id, false);
    application.pool.flush();
    assert_eq!(text(&application.next_event(id)), "waits");
}

#[test]
fn a_peer_that_sends_byte_by_byte_is_understood() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(ConnectionOptions::default());
    peer.stream.set_nodelay(true).unwrap();
    for byte in frame(Opcode::Text, b"slowly") {
        peer.stream.write_all(&[byte]).unwrap();
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(text(&application.next_event(id)), "slowly");
    let mut nothing = [0; 1];
    peer.stream.set_nonblocking(true).unwrap();
    assert!(peer.stream.read(&mut nothing).is_err());
}

#[test]
fn a_command_in_the_same_batch_as_a_frame_is_not_missed() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(ConnectionOptions::default());
    application.pool.pause(id, true);
    application.pool.flush();
    peer.send(Opcode::Text, b"first");
    application.send_text(id, "go");
    application.pool.pause(id, false);
    application.pool.flush();
    assert_eq!(peer.next_text(), "go");
    let events = application.events_until(id, |event| matches!(event, Event::Text(_)));
    assert_eq!(events.last().map(text), Some("first"));
    application.send_text(id, "last");
    application.pool.end(id);
    application.pool.flush();
    assert_eq!(peer.next_text(), "last");
    assert!(peer.next_event().is_none());
}

#[test]
fn the_traffic_of_a_connection_is_counted() {
    let mut application = Application::new();
    let (stream, mut peer) = application.accept();
    let options = Arc::new(ConnectionOptions::default());
    let id = application.pool.open(stream, b"", options, 1, (100, 1000)).unwrap();
    application.pool.flush();
    peer.send(Opcode::Text, b"four");
    assert_eq!(text(&application.next_event(id)), "four");
    let before = application.pool.traffic(id).unwrap();
    assert_eq!((before.bytes_read, before.bytes_written), (100 + 2 + 4 + 4, 1000));
    application.send_text(id, "answer");
    // Counted at once, before the worker has the frame.
    assert_eq!(application.pool.traffic(id).unwrap().bytes_written, 1000 + 2 + 6);
    peer.send(Opcode::Ping, b"");
    assert!(matches!(application.next_event(id), Event::Ping(_)));
    assert!(matches!(peer.next_event(), Some(websocket::Event::Pong(_))));
    application.pool.flush();
    assert_eq!(peer.next_text(), "answer");
    assert_eq!(application.pool.traffic(id).unwrap().bytes_written, 1000 + 2 + 6 + 2);
    application.pool.terminate(id);
    application.pool.flush();
    application.events_until(id, is_end);
    assert_eq!(application.pool.traffic(id), None);
}

#[test]
fn raw_input_is_reported_while_tapped() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(ConnectionOptions::default());
    application.pool.tap(id, true);
    application.wait_for_commands(id, &mut peer);
    peer.send(Opcode::Text, b"raw");
    let bytes = frame(Opcode::Text, b"raw");
    assert!(matches!(application.next_event(id), Event::Raw(raw) if raw == bytes));
    assert_eq!(text(&application.next_event(id)), "raw");
    application.pool.tap(id, false);
    application.send_text(id, "no longer");
    application.pool.flush();
    assert_eq!(peer.next_text(), "no longer");
    assert!(matches!(application.next_event(id), Event::Sent(1)));
    peer.send(Opcode::Text, b"alone");
    assert_eq!(text(&application.next_event(id)), "alone");
}

#[test]
fn injected_input_is_read() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(ConnectionOptions::default());
    let whole = frame(Opcode::Text, b"in two halves");
    application.pool.input(id, &whole[..5]);
    application.pool.input(id, &whole[5..]);
    application.pool.flush();
    assert_eq!(text(&application.next_event(id)), "in two halves");
    peer.send(Opcode::Text, b"from the peer");
    assert_eq!(text(&application.next_event(id)), "from the peer");
}

#[test]
fn a_message_beyond_the_limit_is_refused_at_its_header() {
    let mut application = Application::new();
    let limits = Limits { max_payload: 100, ..Default::default() };
    let (id, mut peer) = application.connect(ConnectionOptions { limits, ..Default::default() });
    // Two bytes, the extended length, the masking key.
    peer.stream.write_all(&frame(Opcode::Binary, &[0; 200])[..8]).unwrap();
    let expected = Failure::Protocol(DecodeError::MessageTooLong);
    assert!(matches!(application.next_event(id), Event::Failed(failure) if failure == expected));
}

#[test]
fn the_limit_of_messages_can_be_changed() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(ConnectionOptions::default());
    application.pool.limit_payload(id, 4);
    application.send_text(id, "limited");
    application.pool.flush();
    assert_eq!(peer.next_text(), "limited");
    assert!(matches!(application.next_event(id), Event::Sent(1)));
    peer.send(Opcode::Text, b"four");
    peer.send(Opcode::Text, b"fives");
    assert_eq!(text(&application.next_event(id)), "four");
    let expected = Failure::Protocol(DecodeError::MessageTooLong);
    assert!(matches!(application.next_event(id), Event::Failed(failure) if failure == expected));
}

#[test]
fn packets_are_split_between_two_commands() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(ConnectionOptions::default());
    let packet = r#"42/día,7["a",{}]"#;
    for is_split in [false, true, false] {
        application.pool.split_packets(id, is_split);
        application.wait_for_commands(id, &mut peer);
        peer.send(Opcode::Text, packet.as_bytes());
        match application.next_event(id) {
            Event::Packet { message, parts } if is_split => {
                let text = &message[1..];
                assert_eq!(message, packet.as_bytes());
                assert_eq!(parts.packet_type(), PacketType::Event);
                assert_eq!(parts.namespace(text), Some("/día".as_bytes()));
                assert_eq!(parts.ack_id(), Some(7));
                assert_eq!(parts.arguments(text), br#"["a",{}]"#);
            }
            event => assert_eq!((is_split, text(&event)), (false, packet)),
        }
    }
    assert_eq!(application.pool.stats().next().unwrap().messages_in, 3);
}

#[test]
fn messages_that_are_no_events_stay_whole_while_packets_are_split() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(ConnectionOptions::default());
    application.pool.split_packets(id, true);
    application.wait_for_commands(id, &mut peer);
    let others = ["", "4", "3", "40", r#"32["a"]"#, r#"b2["a"]"#, r#"451-["a"]"#, r#"42["a"] "#];
    for other in others {
        peer.send(Opcode::Text, other.as_bytes());
        assert_eq!(text(&application.next_event(id)), other);
    }
    peer.send(Opcode::Binary, br#"42["a"]"#);
    assert!(matches!(application.next_event(id), Event::Binary(_)));
    // In fragments, it is the same message.
    peer.stream.write_all(&encode_frame(false, Opcode::Text, br#"42["#, MASK)).unwrap();
    peer.stream.write_all(&encode_frame(true, Opcode::Continuation, br#""a"]"#, MASK)).unwrap();
    assert!(matches!(application.next_event(id), Event::Packet { .. }));
}

#[test]
fn options_of_the_socket_are_set() {
    let mut application = Application::new();
    let (stream, _peer) = application.accept();
    let same = stream.try_clone().unwrap();
    let socket = SockRef::from(&same);
    let id = application.open(stream, ConnectionOptions::default(), b"", 1);
    let (delay, interval, count) = (Some(61), Some(7), Some(3));
    application.pool.configure(id, SocketOption::NoDelay(true));
    application
        .pool
        .configure(id, SocketOption::KeepAlive { is_enabled: true, delay, interval, count });
    application.pool.configure(id, SocketOption::TypeOfService(0x10));
    application.pool.flush();
    // The option, not `wakes`, which counts a batch before it has been executed.
    while socket.tos_v4().unwrap() != 0x10 {
        std::thread::yield_now();
    }
    assert!(socket.tcp_nodelay().unwrap() && socket.keepalive().unwrap());
    assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(61));
    let (delay, interval, count) = (None, None, None);
    application.pool.configure(id, SocketOption::NoDelay(false));
    application
        .pool
        .configure(id, SocketOption::KeepAlive { is_enabled: false, delay, interval, count });
    application.pool.flush();
    while socket.tcp_nodelay().unwrap() || socket.keepalive().unwrap() {
        std::thread::yield_now();
    }
}
