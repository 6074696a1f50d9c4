//! Peers that do not read, and an application that does not take events, over real sockets.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

#[path = "support/application.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod application;

use std::io::Write;
use std::time::{Duration, Instant};

use application::{Application, MUCH, big_frame, end_reason, frame, is_end};
use socket_io_turbo::net::{
    ConnectionOptions, EndReason, Event, Failure, MAX_HELD_BYTES, WorkerStats,
};
use socket_io_turbo::proto::websocket::{Opcode, encode_frame};

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
    // A single message may have any length; a further one, while it is queued, may not.
    application.pool.send(slow, big_frame(), false);
    application.pool.flush();
    application.wait_for_stats(|stats| stats.queued_bytes > 0);
    application.send_text(slow, "one too many");
    application.pool.flush();
    let events = application.events_until(slow, is_end);
    assert!(matches!(events[0], Event::Failed(Failure::MaxBackpressure { queued_bytes })
        if queued_bytes > MUCH / 4));
    assert_eq!(end_reason(&events), EndReason::MaxBackpressure);
    application.send_text(other, "still here");
    application.pool.flush();
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
        application.pool.send(id, text.clone(), false);
        application.pool.send(id, text.clone(), false);
        application.pool.flush();
        application.wait_for_stats(|stats| stats.queued_bytes > 0);
        for _ in 0..2 {
            assert_eq!(peer.next_text().len(), MUCH);
        }
        application.wait_for_stats(|stats| stats.queued_bytes == 0 && stats.connections == 1);
    }
}

#[test]
fn a_slow_peer_is_counted_until_it_has_caught_up() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(ConnectionOptions::default());
    application.pool.send(id, encode_frame(true, Opcode::Text, &vec![b'x'; MUCH], None), false);
    application.pool.flush();
    let before = application.wait_for_stats(|stats| stats.slow_clients == 1).delivery;
    let seen = Instant::now();
    application.send_text(id, "behind it");
    application.pool.flush();
    assert_eq!(before.buckets.iter().sum::<u64>(), 0);
    let waited = seen.elapsed();
    assert_eq!(peer.next_text().len(), MUCH);
    assert_eq!(peer.next_text(), "behind it");
    let caught_up = |stats: &WorkerStats| stats.slow_clients == 0 && stats.queued_bytes == 0;
    let after = application.wait_for_stats(caught_up).delivery;
    assert_eq!(after.buckets.iter().sum::<u64>(), 2);
    // Times are measured to 100 µs.
    assert!(Duration::from_micros(after.sum + 200) >= waited, "{after:?}, {waited:?}");
}

#[test]
fn a_slow_peer_is_not_counted_any_more_when_it_has_ended() {
    let mut application = Application::new();
    let (id, peer) = application.connect(ConnectionOptions::default());
    application.pool.send(id, big_frame(), false);
    application.pool.flush();
    application.wait_for_stats(|stats| stats.slow_clients == 1);
    drop(peer);
    assert!(matches!(end_reason(&application.events_until(id, is_end)), EndReason::Io(_)));
    application.wait_for_stats(|stats| stats.slow_clients == 0 && stats.queued_bytes == 0);
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
fn a_worker_stops_reading_until_the_application_takes_events() {
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
fn a_worker_counts_the_packets_that_the_application_has_not_taken() {
    const COUNT: usize = 8_000;
    let mut application = Application::new();
    let (id, mut peer) = application.connect(ConnectionOptions::default());
    application.pool.split_packets(id, true);
    application.wait_for_commands(id, &mut peer);
    let mut stream = peer.stream.try_clone().unwrap();
    let sender = std::thread::spawn(move || {
        let packet = format!(r#"42["{}"]"#, "x".repeat(4000));
        let message = frame(Opcode::Text, packet.as_bytes());
        (0..COUNT).for_each(|_| stream.write_all(&message).unwrap());
    });
    let stats = application.wait_for_stats(|stats| stats.stalls > 0);
    assert!(stats.bytes_in as usize <= 2 * MAX_HELD_BYTES, "{stats:?}");
    for _ in 0..COUNT {
        assert!(matches!(application.next_event(id), Event::Packet { .. }));
    }
    sender.join().unwrap();
}
