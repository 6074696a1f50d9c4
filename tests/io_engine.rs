//! Connections on I/O workers, over real sockets.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

#[path = "support/application.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod application;

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

use application::{Application, Peer, frame};
use bytes::Bytes;
use socket_io_turbo::net::{
    ConnectionId, ConnectionOptions, EndReason, Event, Failure, MAX_HELD_BYTES, SocketOption,
};
use socket_io_turbo::proto::websocket::{
    self, CloseCode, DecodeError, Limits, Opcode, encode_close, encode_frame,
};
use socket2::SockRef;

/// More than the kernel's buffers of a connection hold.
const MUCH: usize = 32 * 1024 * 1024;

fn is_end(event: &Event) -> bool {
    matches!(event, Event::Ended(_))
}

fn end_reason(events: &[Event]) -> EndReason {
    match events.last() {
        Some(Event::Ended(reason)) => *reason,
        other => panic!("{other:?}"),
    }
}

fn text(event: &Event) -> &str {
    match event {
        Event::Text(text) => std::str::from_utf8(text).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn big_frame() -> Bytes {
    encode_frame(true, Opcode::Binary, &vec![7; MUCH], None)
}

#[test]
fn a_message_reaches_the_application() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(ConnectionOptions::default());
    peer.send(Opcode::Text, "día".as_bytes());
    assert_eq!(text(&application.next_event(id)), "día");
}

#[test]
fn what_was_read_before_the_takeover_comes_first() {
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
    application.engine.flush();
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
fn a_frame_that_the_kernel_has_not_taken_is_not_reported() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(ConnectionOptions::default());
    application.engine.send(id, big_frame(), true);
    application.engine.flush();
    application.wait_for_stats(|stats| stats.queued_bytes > 0 && stats.bytes_out > 0);
    peer.send(Opcode::Text, b"nothing before this");
    assert_eq!(text(&application.next_event(id)), "nothing before this");
    assert!(matches!(peer.next_event(), Some(websocket::Event::Binary(_))));
    assert!(matches!(application.next_event(id), Event::Sent(1)));
}

#[test]
fn a_frame_is_reported_only_if_that_is_wanted() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(ConnectionOptions::default());
    let frame = encode_frame(true, Opcode::Text, b"quiet", None);
    application.engine.send(id, frame.clone(), false);
    application.engine.flush();
    assert_eq!(peer.next_text(), "quiet");
    application.engine.send(id, frame.clone(), false);
    application.engine.send(id, frame, true);
    application.engine.flush();
    assert!(matches!(application.next_event(id), Event::Sent(1)));
}

#[test]
fn a_peer_that_does_not_read_is_cut_off_and_others_are_not() {
    let mut application = Application::new();
    let options = ConnectionOptions {
        max_backpressure: MUCH / 4,
        backpressure_timeout: Duration::from_millis(20),
        ..Default::default()
    };
    let (slow, _stalled) = application.connect(options.clone());
    let (other, mut peer) = application.connect(options);
    // One message may be of any length; what follows while it waits may not.
    application.engine.send(slow, big_frame(), false);
    application.engine.flush();
    application.wait_for_stats(|stats| stats.queued_bytes > 0);
    application.send_text(slow, "one too many");
    application.engine.flush();
    let events = application.events_until(slow, is_end);
    assert!(matches!(events[0], Event::Failed(Failure::MaxBackpressure { queued_bytes })
        if queued_bytes > MUCH / 4));
    assert_eq!(end_reason(&events), EndReason::MaxBackpressure);
    application.send_text(other, "still here");
    application.engine.flush();
    assert_eq!(peer.next_text(), "still here");
    application.wait_for_stats(|stats| stats.queued_bytes == 0 && stats.connections == 1);
}

#[test]
fn a_peer_that_catches_up_in_time_is_not_cut_off() {
    let mut application = Application::new();
    let options = ConnectionOptions {
        max_backpressure: 1,
        backpressure_timeout: Duration::from_secs(3600),
        ..Default::default()
    };
    let (id, mut peer) = application.connect(options);
    let text = encode_frame(true, Opcode::Text, &vec![b'x'; MUCH], None);
    for _ in 0..2 {
        application.engine.send(id, text.clone(), false);
        application.engine.send(id, text.clone(), false);
        application.engine.flush();
        application.wait_for_stats(|stats| stats.queued_bytes > 0);
        for _ in 0..2 {
            assert_eq!(peer.next_text().len(), MUCH);
        }
        application.wait_for_stats(|stats| stats.queued_bytes == 0 && stats.connections == 1);
    }
}

#[test]
fn the_application_answers_a_close_frame_after_what_it_sends() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(ConnectionOptions::default());
    peer.stream.write_all(&encode_close(CloseCode::NORMAL, "bye", Some([0; 4])).unwrap()).unwrap();
    // The peer may end its side at once.
    peer.stream.shutdown(Shutdown::Write).unwrap();
    match application.next_event(id) {
        Event::Close { code, reason } => {
            assert_eq!((code, &*reason), (Some(CloseCode::NORMAL), "bye"));
        }
        other => panic!("{other:?}"),
    }
    application.send_text(id, "last words");
    application.engine.close(id, encode_close(CloseCode::NORMAL, "bye", None).unwrap());
    application.send_text(id, "too late");
    application.engine.flush();
    assert_eq!(peer.next_text(), "last words");
    assert!(matches!(peer.next_event(), Some(websocket::Event::Close { .. })));
    assert!(peer.next_event().is_none());
    assert_eq!(end_reason(&application.events_until(id, is_end)), EndReason::Closed);
}

#[test]
fn our_side_ends_when_both_close_frames_are_through() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(ConnectionOptions::default());
    application.engine.close(id, encode_close(CloseCode::GOING_AWAY, "", None).unwrap());
    application.engine.flush();
    assert!(matches!(peer.next_event(), Some(websocket::Event::Close { .. })));
    // Messages before the peer's close frame still come.
    peer.send(Opcode::Text, b"one more");
    peer.send(Opcode::Close, &1001_u16.to_be_bytes());
    assert_eq!(text(&application.next_event(id)), "one more");
    assert!(peer.next_event().is_none());
    drop(peer);
    assert_eq!(end_reason(&application.events_until(id, is_end)), EndReason::Closed);
}

#[test]
fn a_peer_that_does_not_answer_the_close_frame_is_given_up() {
    let mut application = Application::new();
    let close_timeout = Duration::from_millis(50);
    let (id, _peer) =
        application.connect(ConnectionOptions { close_timeout, ..Default::default() });
    application.engine.close(id, encode_close(CloseCode::NORMAL, "", None).unwrap());
    application.engine.flush();
    assert_eq!(end_reason(&application.events_until(id, is_end)), EndReason::CloseTimeout);
}

#[test]
fn ending_without_a_close_frame_flushes_first() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(ConnectionOptions::default());
    application.send_text(id, "last");
    application.engine.end(id);
    application.engine.flush();
    assert_eq!(peer.next_text(), "last");
    assert!(peer.next_event().is_none());
    drop(peer);
    assert_eq!(end_reason(&application.events_until(id, is_end)), EndReason::PeerEnded);
}

#[test]
fn a_violation_is_told_once_and_what_follows_is_dropped() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(ConnectionOptions::default());
    peer.send(Opcode::Text, b"good");
    peer.stream.write_all(&[0x83, 0x80, 0, 0, 0, 0]).unwrap();
    assert_eq!(text(&application.next_event(id)), "good");
    let expected = Failure::Protocol(DecodeError::InvalidOpcode(3));
    assert!(matches!(application.next_event(id), Event::Failed(failure) if failure == expected));
    peer.send(Opcode::Text, b"dropped");
    let close = encode_close(CloseCode::PROTOCOL_ERROR, "", None).unwrap();
    application.engine.close(id, close);
    application.engine.flush();
    assert!(matches!(peer.next_event(), Some(websocket::Event::Close { .. })));
    assert!(peer.next_event().is_none());
    drop(peer);
    let events = application.events_until(id, is_end);
    assert_eq!((events.len(), end_reason(&events)), (1, EndReason::ProtocolError));
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
fn a_reset_ends_the_connection() {
    let mut application = Application::new();
    let (id, peer) = application.connect(ConnectionOptions::default());
    application.wait_for_stats(|stats| stats.connections == 1);
    peer.reset();
    assert!(matches!(end_reason(&application.events_until(id, is_end)), EndReason::Io(error)
        if error != 0));
}

#[test]
fn a_peer_that_ends_its_side_still_gets_what_waits() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(ConnectionOptions::default());
    application.engine.send(id, big_frame(), true);
    application.engine.flush();
    application.wait_for_stats(|stats| stats.queued_bytes > 0);
    peer.stream.shutdown(Shutdown::Write).unwrap();
    assert!(matches!(application.next_event(id), Event::PeerEnded));
    application.send_text(id, "an answer");
    application.engine.end(id);
    application.engine.flush();
    assert!(matches!(peer.next_event(), Some(websocket::Event::Binary(_))));
    assert_eq!(peer.next_text(), "an answer");
    assert_eq!(end_reason(&application.events_until(id, is_end)), EndReason::PeerEnded);
}

#[test]
fn terminating_sends_what_the_socket_takes() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(ConnectionOptions::default());
    application.send_text(id, "sent before");
    application.engine.terminate(id);
    application.send_text(id, "sent after");
    application.engine.flush();
    assert_eq!(peer.next_text(), "sent before");
    let events = application.events_until(id, is_end);
    assert_eq!(end_reason(&events), EndReason::Terminated);
}

#[test]
fn pings_are_answered_by_the_worker_and_told() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(ConnectionOptions::default());
    peer.send(Opcode::Ping, b"are you there?");
    assert!(matches!(peer.next_event(), Some(websocket::Event::Pong(payload))
        if payload == "are you there?"));
    assert!(matches!(application.next_event(id), Event::Ping(payload)
        if payload == "are you there?"));
}

#[test]
fn pings_are_left_to_the_application_if_it_wants_so() {
    let mut application = Application::new();
    let options = ConnectionOptions { has_automatic_pongs: false, ..Default::default() };
    let (id, mut peer) = application.connect(options);
    peer.send(Opcode::Ping, b"1");
    assert!(matches!(application.next_event(id), Event::Ping(_)));
    application.send_text(id, "no pong before this");
    application.engine.flush();
    assert_eq!(peer.next_text(), "no pong before this");
}

#[test]
fn a_peer_that_pings_and_does_not_read_is_cut_off() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(ConnectionOptions::default());
    let pings = frame(Opcode::Ping, b"").repeat(1000);
    peer.stream.write_all(&pings).unwrap();
    let events = application.events_until(id, is_end);
    assert_eq!(end_reason(&events), EndReason::TooManyPings);
}

#[test]
fn a_paused_connection_is_not_read() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(ConnectionOptions::default());
    application.engine.pause(id, true);
    application.engine.flush();
    application.wait_for_stats(|stats| stats.wakes >= 2);
    peer.send(Opcode::Text, b"waits");
    let (other, mut other_peer) = application.connect(ConnectionOptions::default());
    other_peer.send(Opcode::Text, b"comes");
    assert_eq!(text(&application.next_event(other)), "comes");
    assert_eq!(application.engine.stats().next().unwrap().messages_in, 1);
    application.engine.pause(id, false);
    application.engine.flush();
    assert_eq!(text(&application.next_event(id)), "waits");
}

#[test]
fn a_worker_stops_reading_while_the_application_is_busy() {
    const MESSAGE: usize = 64 * 1024;
    const COUNT: usize = 512;
    let mut application = Application::new();
    let (id, peer) = application.connect(ConnectionOptions::default());
    let mut stream = peer.stream.try_clone().unwrap();
    let sender = std::thread::spawn(move || {
        let message = frame(Opcode::Binary, &[1; MESSAGE]);
        (0..COUNT).for_each(|_| stream.write_all(&message).unwrap());
    });
    let stats = application.wait_for_stats(|stats| stats.stalls > 0);
    assert!(stats.bytes_in as usize <= 2 * MAX_HELD_BYTES, "{stats:?}");
    for _ in 0..COUNT {
        assert!(matches!(application.next_event(id), Event::Binary(_)));
    }
    sender.join().unwrap();
}

#[test]
fn shutting_down_writes_what_is_queued_and_closes_all() {
    let mut application = Application::new();
    let (first, mut peer) = application.connect(ConnectionOptions::default());
    let (_, mut idle) = application.connect(ConnectionOptions::default());
    application.send_text(first, "last words");
    application.engine.shut_down();
    assert_eq!(peer.next_text(), "last words");
    assert!(peer.next_event().is_none());
    assert!(idle.next_event().is_none());
    // Nothing works any more, and nothing breaks.
    application.send_text(first, "nobody");
    application.engine.flush();
    assert!(!application.engine.take(1, |_, event| panic!("{event:?}")));
}

#[test]
fn a_number_is_used_again_when_it_is_released() {
    let mut application = Application::new();
    let (first, _peer) = application.connect(ConnectionOptions::default());
    application.engine.terminate(first);
    application.engine.flush();
    application.wait_for_stats(|stats| stats.connections == 0 && stats.opened == 1);
    let (second, mut other) = application.connect(ConnectionOptions::default());
    assert_ne!(first, second);
    application.send_text(first, "to nobody");
    application.send_text(second, "to the second");
    application.engine.flush();
    assert_eq!(other.next_text(), "to the second");
    application.events_until(first, is_end);
    let (third, mut peer) = application.connect(ConnectionOptions::default());
    assert_eq!(third, first);
    application.send_text(third, "to the third");
    application.engine.flush();
    assert_eq!(peer.next_text(), "to the third");
}

#[test]
fn connections_are_spread_over_the_workers() {
    let mut application = Application::new();
    let peers = (0..6)
        .map(|_| application.connect_with_input(ConnectionOptions::default(), b"", 3))
        .collect::<Vec<_>>();
    for (id, mut peer) in peers {
        application.send_text(id, "hello");
        application.engine.flush();
        assert_eq!(peer.next_text(), "hello");
    }
    let opened = application.engine.stats().map(|stats| stats.opened).collect::<Vec<_>>();
    assert_eq!(opened, [2, 2, 2]);
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
    application.engine.pause(id, true);
    application.engine.flush();
    peer.send(Opcode::Text, b"first");
    application.send_text(id, "go");
    application.engine.pause(id, false);
    application.engine.flush();
    assert_eq!(peer.next_text(), "go");
    let events = application.events_until(id, |event| matches!(event, Event::Text(_)));
    assert_eq!(events.last().map(text), Some("first"));
    application.send_text(id, "last");
    application.engine.end(id);
    application.engine.flush();
    assert_eq!(peer.next_text(), "last");
    assert!(peer.next_event().is_none());
}

/// The ids of this process's I/O threads.
#[cfg(target_os = "linux")]
fn io_threads() -> Vec<std::ffi::OsString> {
    let is_ours = |entry: &std::fs::DirEntry| {
        std::fs::read_to_string(entry.path().join("comm"))
            .is_ok_and(|name| name == "socket.io-turbo\n")
    };
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    tasks.flatten().filter(is_ours).map(|entry| entry.file_name()).collect()
}

/// An echo of the application's.
fn assert_serves(application: &mut Application, id: ConnectionId, peer: &mut Peer) {
    application.send_text(id, "hello");
    application.engine.flush();
    assert_eq!(peer.next_text(), "hello");
}

#[test]
fn engines_of_one_thread_end_one_by_one() {
    let mut applications = [(); 3].map(|()| Application::new());
    let mut ends = applications.each_mut().map(|each| each.connect(ConnectionOptions::default()));
    for ((id, peer), application) in ends.iter_mut().zip(&mut applications) {
        assert_serves(application, *id, peer);
    }
    applications[1].engine.shut_down();
    assert!(ends[1].1.next_event().is_none());
    for index in [0, 2] {
        let (id, peer) = &mut ends[index];
        assert_serves(&mut applications[index], *id, peer);
    }
}

#[test]
fn an_engine_without_connections_rests_and_goes_on() {
    let mut application = Application::new();
    for round in 1..=3 {
        let (id, mut peer) = application.connect(ConnectionOptions::default());
        application.engine.rest();
        assert_serves(&mut application, id, &mut peer);
        application.engine.terminate(id);
        application.engine.flush();
        application.events_until(id, is_end);
        application.engine.rest();
        let stats = application.engine.stats().collect::<Vec<_>>();
        let [stats] = stats.as_slice() else { panic!("{stats:?}") };
        assert_eq!((stats.opened, stats.connections, stats.frames_out), (round, 0, round));
        application.notify_again();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn engines_of_one_thread_share_a_thread_which_ends_with_the_last() {
    // In a process of its own no other test's threads are there.
    let name = "engines_of_one_thread_share_a_thread_which_ends_with_the_last";
    if std::env::var_os("TURBO_ALONE").is_none() {
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        let status = command.args(["--exact", name]).env("TURBO_ALONE", "1").status().unwrap();
        assert!(status.success());
        return;
    }
    let mut applications = [(); 3].map(|()| Application::new());
    let ends = applications.each_mut().map(|each| each.connect(ConnectionOptions::default()));
    assert_eq!(io_threads().len(), 1);
    let [first, second, third] = applications;
    drop((first, third));
    assert_eq!(io_threads().len(), 1);
    drop(second);
    // The kernel takes a thread off its list a little after it has been joined.
    while !io_threads().is_empty() {
        std::thread::yield_now();
    }
    drop(ends);
}

#[test]
fn the_traffic_of_a_connection_is_counted() {
    let mut application = Application::new();
    let (stream, mut peer) = application.accept();
    let options = Arc::new(ConnectionOptions::default());
    let id = application.engine.open(stream, b"", options, 1, (100, 1000)).unwrap();
    application.engine.flush();
    peer.send(Opcode::Text, b"four");
    assert_eq!(text(&application.next_event(id)), "four");
    let before = application.engine.traffic(id).unwrap();
    assert_eq!((before.bytes_read, before.bytes_written), (100 + 2 + 4 + 4, 1000));
    application.send_text(id, "answer");
    // At once, before the worker knows.
    assert_eq!(application.engine.traffic(id).unwrap().bytes_written, 1000 + 2 + 6);
    peer.send(Opcode::Ping, b"");
    assert!(matches!(application.next_event(id), Event::Ping(_)));
    assert!(matches!(peer.next_event(), Some(websocket::Event::Pong(_))));
    application.engine.flush();
    assert_eq!(peer.next_text(), "answer");
    assert_eq!(application.engine.traffic(id).unwrap().bytes_written, 1000 + 2 + 6 + 2);
    application.engine.terminate(id);
    application.engine.flush();
    application.events_until(id, is_end);
    assert_eq!(application.engine.traffic(id), None);
}

#[test]
fn a_reset_by_the_application_reaches_the_peer() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(ConnectionOptions::default());
    application.engine.reset(id);
    application.engine.flush();
    assert_eq!(end_reason(&application.events_until(id, is_end)), EndReason::Terminated);
    let error = peer.stream.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn what_is_read_is_reported_as_it_is_while_tapped() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(ConnectionOptions::default());
    application.engine.tap(id, true);
    application.send_text(id, "tapped");
    application.engine.flush();
    assert_eq!(peer.next_text(), "tapped");
    assert!(matches!(application.next_event(id), Event::Sent(1)));
    peer.send(Opcode::Text, b"raw");
    let bytes = frame(Opcode::Text, b"raw");
    assert!(matches!(application.next_event(id), Event::Raw(raw) if raw == bytes));
    assert_eq!(text(&application.next_event(id)), "raw");
    application.engine.tap(id, false);
    application.send_text(id, "no longer");
    application.engine.flush();
    assert_eq!(peer.next_text(), "no longer");
    assert!(matches!(application.next_event(id), Event::Sent(1)));
    peer.send(Opcode::Text, b"alone");
    assert_eq!(text(&application.next_event(id)), "alone");
}

#[test]
fn what_the_application_puts_in_is_read() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(ConnectionOptions::default());
    let whole = frame(Opcode::Text, b"in two halves");
    application.engine.input(id, &whole[..5]);
    application.engine.input(id, &whole[5..]);
    application.engine.flush();
    assert_eq!(text(&application.next_event(id)), "in two halves");
    peer.send(Opcode::Text, b"from the peer");
    assert_eq!(text(&application.next_event(id)), "from the peer");
}

#[test]
fn the_limit_of_messages_can_be_changed() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(ConnectionOptions::default());
    application.engine.limit_payload(id, 4);
    application.send_text(id, "limited");
    application.engine.flush();
    assert_eq!(peer.next_text(), "limited");
    assert!(matches!(application.next_event(id), Event::Sent(1)));
    peer.send(Opcode::Text, b"four");
    peer.send(Opcode::Text, b"fives");
    assert_eq!(text(&application.next_event(id)), "four");
    let expected = Failure::Protocol(DecodeError::MessageTooLong);
    assert!(matches!(application.next_event(id), Event::Failed(failure) if failure == expected));
}

#[test]
fn options_of_the_socket_are_set() {
    let mut application = Application::new();
    let (stream, _peer) = application.accept();
    let same = stream.try_clone().unwrap();
    let socket = SockRef::from(&same);
    let id = application.open(stream, ConnectionOptions::default(), b"", 1);
    let (delay, interval, count) = (Some(61), Some(7), Some(3));
    application.engine.configure(id, SocketOption::NoDelay(true));
    application
        .engine
        .configure(id, SocketOption::KeepAlive { is_enabled: true, delay, interval, count });
    application.engine.configure(id, SocketOption::TypeOfService(0x10));
    application.engine.flush();
    // `wakes` counts a batch before it is done.
    while socket.tos_v4().unwrap() != 0x10 {
        std::thread::yield_now();
    }
    assert!(socket.tcp_nodelay().unwrap() && socket.keepalive().unwrap());
    assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(61));
    let (delay, interval, count) = (None, None, None);
    application.engine.configure(id, SocketOption::NoDelay(false));
    application
        .engine
        .configure(id, SocketOption::KeepAlive { is_enabled: false, delay, interval, count });
    application.engine.flush();
    while socket.tcp_nodelay().unwrap() || socket.keepalive().unwrap() {
        std::thread::yield_now();
    }
}
