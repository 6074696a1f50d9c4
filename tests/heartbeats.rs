//! Heartbeats on an I/O worker, over real sockets. Times are short, and no test depends on how long
//! something takes: it waits for an event, or for what cannot come before another.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

#[path = "support/application.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod application;

use std::thread;
use std::time::Duration;

use application::{Application, Peer, text};
use socket_io_turbo::net::{
    ConnectionId, ConnectionOptions, Event, HeartbeatEvent, HeartbeatStart, MAX_HELD_BYTES,
};
use socket_io_turbo::proto::engine_io::Heartbeat;
use socket_io_turbo::proto::websocket::Opcode;

const SOON: Duration = Duration::from_millis(30);
const NEVER: Duration = Duration::from_secs(3_600);

/// Returns the start of a session in which nothing is due.
fn quiet() -> HeartbeatStart {
    HeartbeatStart {
        intervals: Heartbeat { ping_interval: NEVER, ping_timeout: NEVER },
        max_loop_lag: NEVER,
        ping_in: None,
        deadline_in: None,
        has_extended_deadline: false,
    }
}

fn with_intervals(ping_interval: Duration, ping_timeout: Duration) -> HeartbeatStart {
    let intervals = Heartbeat { ping_interval, ping_timeout };
    HeartbeatStart { intervals, ping_in: Some(ping_interval), ..quiet() }
}

const READY: HeartbeatEvent = HeartbeatEvent::Ready;
const SENT: HeartbeatEvent = HeartbeatEvent::Sent;
const RECEIVED: HeartbeatEvent = HeartbeatEvent::Received;
const TIMED_OUT: HeartbeatEvent = HeartbeatEvent::TimedOut;

/// Waits for the next event of a connection, which must be about the heartbeat.
fn next_step(application: &mut Application, id: ConnectionId) -> HeartbeatEvent {
    match application.next_event(id) {
        Event::Heartbeat(event) => event,
        other => panic!("{other:?}"),
    }
}

/// Opens a connection whose worker has the heartbeat.
fn connect(application: &mut Application, start: HeartbeatStart) -> (ConnectionId, Peer) {
    let (id, peer) = application.connect(ConnectionOptions::default());
    hand_over(application, id, start);
    (id, peer)
}

/// Lets the worker handle heartbeats of a connection that has no session yet.
fn prepare(application: &mut Application, id: ConnectionId) {
    application.pool.prepare_heartbeat(id);
    application.pool.flush();
    assert_eq!(next_step(application, id), READY);
}

fn hand_over(application: &mut Application, id: ConnectionId, start: HeartbeatStart) {
    prepare(application, id);
    application.pool.start_heartbeat(id, start);
    application.pool.flush();
}

fn hand_over_reported(application: &mut Application, id: ConnectionId, start: HeartbeatStart) {
    application.pool.prepare_heartbeat(id);
    application.pool.report_heartbeat(id, true);
    application.pool.flush();
    assert_eq!(next_step(application, id), READY);
    application.pool.start_heartbeat(id, start);
    application.pool.flush();
}

/// Sends a message of the peer, and waits until it is reported; heartbeats may be before it.
fn send_and_wait(application: &mut Application, id: ConnectionId, peer: &mut Peer) {
    peer.send(Opcode::Text, b"4message");
    while !matches!(application.next_event(id), Event::Text(message) if message == "4message") {}
}

#[test]
fn a_worker_pings_again_after_each_pong_and_keeps_the_pongs_to_itself() {
    let mut application = Application::new();
    let (id, mut peer) = connect(&mut application, with_intervals(SOON, NEVER));
    for _ in 0..3 {
        assert_eq!(peer.next_text(), "2");
        peer.send(Opcode::Text, b"3");
    }
    peer.send(Opcode::Text, b"4message");
    let events = application
        .events_until(id, |event| matches!(event, Event::Text(text) if text == "4message"));
    for (index, event) in events[..events.len() - 1].iter().enumerate() {
        let expected = if index % 2 == 0 { SENT } else { RECEIVED };
        assert!(matches!(event, Event::Heartbeat(step) if *step == expected), "{events:?}");
    }
    let stats = application.wait_for_stats(|stats| stats.messages_in == 4);
    assert!(stats.frames_out >= 3, "{stats:?}");
}

#[test]
fn a_ping_comes_only_after_the_pong_to_the_one_before() {
    let mut application = Application::new();
    let (id, mut peer) = connect(&mut application, with_intervals(SOON, SOON * 10));
    assert_eq!(peer.next_text(), "2");
    assert_eq!(next_step(&mut application, id), SENT);
    assert_eq!(next_step(&mut application, id), TIMED_OUT);
    application.send_text(id, "first");
    application.pool.flush();
    assert_eq!(peer.next_text(), "first");
}

#[test]
fn pings_are_reported_although_nothing_else_is() {
    let mut application = Application::new();
    let (id, _peer) = connect(&mut application, with_intervals(SOON, NEVER));
    assert_eq!(next_step(&mut application, id), SENT);
}

#[test]
fn a_session_goes_on_where_the_application_was() {
    let mut application = Application::new();
    let start = HeartbeatStart { ping_in: Some(Duration::ZERO), ..quiet() };
    let (_, mut peer) = connect(&mut application, start);
    assert_eq!(peer.next_text(), "2");
    let start = HeartbeatStart { deadline_in: Some(Duration::ZERO), ..quiet() };
    let (id, _peer) = connect(&mut application, start);
    assert_eq!(next_step(&mut application, id), TIMED_OUT);
}

#[test]
fn a_pong_after_the_report_and_before_the_start_counts() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(ConnectionOptions::default());
    prepare(&mut application, id);
    peer.send(Opcode::Text, b"3");
    application.wait_for_stats(|stats| stats.messages_in == 1);
    let intervals = Heartbeat { ping_interval: SOON, ping_timeout: NEVER };
    let start = HeartbeatStart { intervals, deadline_in: Some(Duration::ZERO), ..quiet() };
    application.pool.start_heartbeat(id, start);
    application.pool.flush();
    assert_eq!(peer.next_text(), "2");
    assert_eq!(next_step(&mut application, id), RECEIVED);
    assert_eq!(next_step(&mut application, id), SENT);
}

#[test]
fn a_message_after_the_report_and_before_the_start_extends_the_deadline() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(ConnectionOptions::default());
    prepare(&mut application, id);
    send_and_wait(&mut application, id, &mut peer);
    application.pool.start_heartbeat(id, HeartbeatStart { deadline_in: Some(SOON), ..quiet() });
    application.pool.flush();
    outlive(&mut application, id, &mut peer, SOON);
}

/// Verifies that a deadline has been extended: a connection whose deadline is later times out first.
fn outlive(application: &mut Application, id: ConnectionId, peer: &mut Peer, deadline: Duration) {
    let start = HeartbeatStart { deadline_in: Some(deadline * 2), ..quiet() };
    let (other, _peer) = connect(application, start);
    assert_eq!(next_step(application, other), TIMED_OUT);
    peer.send(Opcode::Text, b"4alive");
    assert_eq!(text(&application.next_event(id)), "4alive");
}

#[test]
fn a_message_extends_the_deadline_once() {
    let mut application = Application::new();
    let intervals = Heartbeat { ping_interval: NEVER, ping_timeout: NEVER };
    let start = HeartbeatStart { intervals, deadline_in: Some(SOON * 50), ..quiet() };
    let (id, mut peer) = connect(&mut application, start);
    send_and_wait(&mut application, id, &mut peer);
    outlive(&mut application, id, &mut peer, SOON * 50);

    let start = HeartbeatStart { has_extended_deadline: true, ..start };
    let (id, mut peer) = connect(&mut application, start);
    send_and_wait(&mut application, id, &mut peer);
    assert_eq!(next_step(&mut application, id), TIMED_OUT);
}

#[test]
fn what_is_no_exact_heartbeat_goes_to_the_application() {
    let mut application = Application::new();
    let (id, mut peer) = connect(&mut application, quiet());
    let packets = ["3probe", "2", "2probe", "4", "", "33"];
    for packet in packets {
        peer.send(Opcode::Text, packet.as_bytes());
    }
    for packet in packets {
        assert_eq!(text(&application.next_event(id)), packet);
    }
    peer.send(Opcode::Binary, b"3");
    assert!(matches!(application.next_event(id), Event::Binary(data) if data == "3"));
}

#[test]
fn a_pong_with_data_counts_as_in_engine_io() {
    let mut application = Application::new();
    let intervals = Heartbeat { ping_interval: SOON, ping_timeout: NEVER };
    let (id, mut peer) = connect(&mut application, HeartbeatStart { intervals, ..quiet() });
    peer.send(Opcode::Text, b"3data");
    assert_eq!(text(&application.next_event(id)), "3data");
    assert_eq!(peer.next_text(), "2");
}

#[test]
fn reported_heartbeats_are_events_in_order() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(ConnectionOptions::default());
    hand_over_reported(&mut application, id, with_intervals(SOON, NEVER));
    for _ in 0..3 {
        assert_eq!(peer.next_text(), "2");
        peer.send(Opcode::Text, b"4before");
        peer.send(Opcode::Text, b"3");
        assert_eq!(next_step(&mut application, id), SENT);
        assert_eq!(text(&application.next_event(id)), "4before");
        assert_eq!(next_step(&mut application, id), RECEIVED);
    }
}

#[test]
fn a_released_heartbeat_is_the_applications() {
    let mut application = Application::new();
    let (id, mut peer) = connect(&mut application, with_intervals(SOON, NEVER));
    assert_eq!(peer.next_text(), "2");
    assert_eq!(next_step(&mut application, id), SENT);
    application.pool.release_heartbeat(id);
    application.send_text(id, "released");
    application.pool.flush();
    assert_eq!(peer.next_text(), "released");
    peer.send(Opcode::Text, b"3");
    loop {
        match application.next_event(id) {
            Event::Text(pong) => break assert_eq!(pong, "3"),
            Event::Sent(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_closing_session_sends_no_ping_but_times_out() {
    let mut application = Application::new();
    let (id, mut peer) = connect(&mut application, with_intervals(SOON, SOON));
    application.pool.close_heartbeat(id);
    application.pool.flush();
    assert_eq!(next_step(&mut application, id), TIMED_OUT);
    application.send_text(id, "last");
    application.pool.flush();
    assert_eq!(peer.next_text(), "last");
}

#[test]
fn a_ping_of_a_v3_peer_is_answered_and_moves_its_deadline() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(ConnectionOptions::default());
    application.pool.use_version_3(id);
    let intervals = Heartbeat { ping_interval: SOON, ping_timeout: SOON };
    let start = HeartbeatStart { intervals, deadline_in: Some(NEVER), ..quiet() };
    hand_over(&mut application, id, start);
    peer.send(Opcode::Text, b"2");
    assert_eq!(peer.next_text(), "3");
    assert_eq!(next_step(&mut application, id), RECEIVED);
    assert_eq!(next_step(&mut application, id), TIMED_OUT);
}

#[test]
fn a_reported_ping_of_a_v3_peer_is_an_event_where_the_ping_was() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(ConnectionOptions::default());
    application.pool.use_version_3(id);
    hand_over_reported(&mut application, id, quiet());
    for packet in ["4before", "2", "4after", "2probe", "3"] {
        peer.send(Opcode::Text, packet.as_bytes());
    }
    assert_eq!(text(&application.next_event(id)), "4before");
    assert_eq!(next_step(&mut application, id), RECEIVED);
    for packet in ["4after", "2probe", "3"] {
        assert_eq!(text(&application.next_event(id)), packet);
    }
    assert_eq!(peer.next_text(), "3");
}

#[test]
fn no_peer_is_judged_while_the_application_has_not_taken_its_messages() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(ConnectionOptions::default());
    prepare(&mut application, id);
    let message = vec![b'4'; MAX_HELD_BYTES / 8];
    let mut sent = 0;
    while application.pool.stats().next().unwrap().stalls == 0 {
        peer.send(Opcode::Text, &message);
        sent += 1;
        application.wait_for_stats(|stats| stats.messages_in == sent || stats.stalls > 0);
    }
    // Stays in the kernel.
    peer.send(Opcode::Text, b"3");
    let intervals = Heartbeat { ping_interval: SOON, ping_timeout: NEVER };
    let overdue = HeartbeatStart {
        intervals,
        deadline_in: Some(Duration::ZERO),
        has_extended_deadline: true,
        ..quiet()
    };
    application.pool.start_heartbeat(id, overdue);
    application.send_text(id, "started");
    application.pool.flush();
    assert_eq!(peer.next_text(), "started");
    // The worker looks at the deadline several times; if it has not, the test shows less.
    thread::sleep(SOON * 4);
    // Another ping shows that the pong was in time.
    while !matches!(application.next_event(id), Event::Heartbeat(step) if step == SENT) {}
    assert_eq!(peer.next_text(), "2");
}

#[test]
fn a_peer_is_judged_when_its_input_is_read() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(ConnectionOptions::default());
    application.pool.pause(id, true);
    application.pool.flush();
    // More than the worker reads at once.
    let messages = application::frame(Opcode::Text, &[b'4'; 1_000]).repeat(200);
    std::io::Write::write_all(&mut peer.stream, &messages).unwrap();
    peer.send(Opcode::Text, b"3");
    hand_over(&mut application, id, quiet());
    let intervals = Heartbeat { ping_interval: SOON, ping_timeout: NEVER };
    let overdue = HeartbeatStart {
        intervals,
        deadline_in: Some(Duration::ZERO),
        has_extended_deadline: true,
        ..quiet()
    };
    // In one batch: the pong is in the kernel when the deadline is judged.
    application.pool.pause(id, false);
    application.pool.start_heartbeat(id, overdue);
    application.pool.flush();
    let events = application.events_until(id, |event| matches!(event, Event::Heartbeat(_)));
    assert!(matches!(events.last(), Some(Event::Heartbeat(RECEIVED))), "{:?}", events.last());
    assert_eq!(peer.next_text(), "2");
}

#[test]
fn a_paused_peer_is_judged() {
    let mut application = Application::new();
    let (id, mut peer) = connect(&mut application, with_intervals(SOON, SOON * 2));
    application.pool.pause(id, true);
    application.pool.flush();
    assert_eq!(peer.next_text(), "2");
    peer.send(Opcode::Text, b"3");
    assert_eq!(next_step(&mut application, id), SENT);
    assert_eq!(next_step(&mut application, id), TIMED_OUT);
}

#[test]
fn a_peer_that_never_pauses_is_judged() {
    let mut application = Application::new();
    let (id, peer) = connect(&mut application, with_intervals(SOON, SOON));
    let mut stream = peer.stream.try_clone().unwrap();
    let flood = thread::spawn(move || {
        let message = application::frame(Opcode::Text, &[b'4'; 1024]);
        while std::io::Write::write_all(&mut stream, &message).is_ok() {}
    });
    while !matches!(application.next_event(id), Event::Heartbeat(TIMED_OUT)) {}
    drop(peer);
    application.pool.terminate(id);
    application.pool.flush();
    application.events_until(id, application::is_end);
    flood.join().unwrap();
}

#[test]
fn an_application_that_hangs_sends_no_pings_until_it_takes_events() {
    let mut application = Application::new();
    let start = HeartbeatStart { max_loop_lag: SOON, ..with_intervals(SOON * 3, NEVER) };
    let (_, mut peer) = connect(&mut application, start);
    // Until a sign of life is due, and a while after.
    peer.stream.set_read_timeout(Some(SOON * 30)).unwrap();
    let mut pings = 0;
    while peer.stream.peek(&mut [0; 1]).is_ok() {
        assert_eq!(peer.next_text(), "2");
        peer.send(Opcode::Text, b"3");
        pings += 1;
        assert!(pings < 200);
    }
    peer.stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    application.pool.take(64, |_, _| ());
    assert_eq!(peer.next_text(), "2");
}

#[test]
fn an_application_that_hangs_answers_no_pings_of_v3_peers_until_it_takes_events() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(ConnectionOptions::default());
    application.pool.use_version_3(id);
    let lag = Duration::ZERO;
    hand_over(&mut application, id, HeartbeatStart { max_loop_lag: lag, ..quiet() });
    peer.send(Opcode::Text, b"4message");
    application.wait_for_stats(|stats| stats.notifications == 2);
    peer.send(Opcode::Text, b"2");
    application.wait_for_stats(|stats| stats.messages_in == 2);
    assert_eq!(application.pool.stats().next().unwrap().frames_out, 0);
    application.pool.take(64, |_, _| ());
    assert_eq!(peer.next_text(), "3");
}

#[test]
fn a_v3_peer_that_reads_nothing_has_a_bounded_number_of_pongs() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(ConnectionOptions::default());
    application.pool.use_version_3(id);
    hand_over(&mut application, id, quiet());
    application.pool.send(id, application::big_frame(), false);
    application.pool.flush();
    application.wait_for_stats(|stats| stats.queued_bytes > 0);
    let pings = application::frame(Opcode::Text, b"2").repeat(5_000);
    std::io::Write::write_all(&mut peer.stream, &pings).unwrap();
    send_and_wait(&mut application, id, &mut peer);
    let stats = application.wait_for_stats(|stats| stats.messages_in == 5_001);
    assert!((2..=2_000).contains(&stats.frames_out), "{stats:?}");
}
