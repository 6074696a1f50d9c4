//! Broadcasts and volatile packets, over real sockets.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

#[path = "support/application.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod application;

use std::time::Duration;

use application::{Application, MUCH, Peer};
use bytes::Bytes;
use socket_io_turbo::fanout::{PreparedPacket, Recipients, RoomId};
use socket_io_turbo::net::{ConnectionId, ConnectionOptions, EndReason, Event, Failure, Volatile};
use socket_io_turbo::proto::websocket::{self, Opcode, encode_frame};

fn connect(application: &mut Application, count: usize) -> Vec<(ConnectionId, Peer)> {
    (0..count).map(|_| application.connect(ConnectionOptions::default())).collect()
}

fn text_frame(text: &str) -> Bytes {
    encode_frame(true, Opcode::Text, text.as_bytes(), None)
}

fn packet(text: &str) -> PreparedPacket {
    PreparedPacket::new(text_frame(text), &[], false)
}

fn to(room: RoomId) -> Recipients {
    Recipients { rooms: vec![room], ..Recipients::default() }
}

fn only(member: ConnectionId) -> Recipients {
    Recipients { members: vec![member], ..Recipients::default() }
}

/// Creates a room of these members.
fn room_of(application: &mut Application, members: &[(ConnectionId, Peer)]) -> RoomId {
    let room = application.pool.create_room();
    members.iter().for_each(|(id, _)| application.pool.join(room, *id));
    room
}

fn broadcast(application: &mut Application, text: &str, recipients: Recipients) {
    application.pool.broadcast(packet(text), recipients, false);
}

fn broadcast_volatile(application: &mut Application, text: &str, recipients: Recipients) {
    application.pool.broadcast(packet(text), recipients, true);
}

/// Returns the messages of each member up to "end", which is sent to all of them.
fn received(
    application: &mut Application,
    room: RoomId,
    members: &mut [(ConnectionId, Peer)],
) -> Vec<Vec<String>> {
    application.pool.flush();
    broadcast(application, "end", to(room));
    application.pool.flush();
    members.iter_mut().map(|(_, peer)| texts_until_end(peer)).collect()
}

fn texts_until_end(peer: &mut Peer) -> Vec<String> {
    std::iter::from_fn(|| Some(peer.next_text())).take_while(|text| text != "end").collect()
}

#[test]
fn a_broadcast_reaches_the_members_of_the_room_at_that_moment() {
    let mut application = Application::new();
    let mut members = connect(&mut application, 3);
    let all = room_of(&mut application, &members);
    let room = application.pool.create_room();
    broadcast(&mut application, "nobody", to(room));
    application.pool.join(room, members[0].0);
    broadcast(&mut application, "first", to(room));
    application.pool.join(room, members[1].0);
    application.pool.leave(room, members[0].0);
    broadcast(&mut application, "second", to(room));
    let received = received(&mut application, all, &mut members);
    assert_eq!(received, [vec!["first"], vec!["second"], vec![]]);
}

#[test]
fn rooms_members_and_exceptions_combine() {
    let mut application = Application::new();
    let mut members = connect(&mut application, 4);
    let all = room_of(&mut application, &members);
    let pair = room_of(&mut application, &members[..2]);
    let mut recipients = Recipients { members: vec![members[1].0, members[2].0], ..to(pair) };
    broadcast(&mut application, "three", recipients.clone());
    recipients.except_members = vec![members[1].0];
    broadcast(&mut application, "two", recipients);
    let but_the_pair = Recipients { except_rooms: vec![pair], ..to(all) };
    broadcast(&mut application, "others", but_the_pair);
    let received = received(&mut application, all, &mut members);
    let expected: [Vec<&str>; 4] =
        [vec!["three", "two"], vec!["three"], vec!["three", "two", "others"], vec!["others"]];
    assert_eq!(received, expected);
}

#[test]
fn packets_to_one_and_to_many_keep_their_order() {
    let mut application = Application::new();
    let mut members = connect(&mut application, 2);
    let all = room_of(&mut application, &members);
    for round in 0..50 {
        application.send_text(members[0].0, &format!("one {round}"));
        broadcast(&mut application, &format!("all {round}"), to(all));
        application.pool.send_volatile(members[1].0, text_frame("never"), Volatile::First);
        if round % 7 == 0 {
            application.pool.flush();
        }
    }
    let received = received(&mut application, all, &mut members);
    let expected: Vec<String> =
        (0..50).flat_map(|round| [format!("one {round}"), format!("all {round}")]).collect();
    assert_eq!(received[0], expected);
    assert!(!received[1].iter().any(|text| text == "never"));
}

#[test]
fn attachments_are_encoded_for_the_version_of_the_peer() {
    let mut application = Application::new();
    let mut members = connect(&mut application, 2);
    let all = room_of(&mut application, &members);
    application.pool.use_version_3(members[1].0);
    let packet = PreparedPacket::new(text_frame("head"), &[b"ab"], true);
    application.pool.broadcast(packet, to(all), false);
    application.pool.flush();
    for ((_, peer), expected) in members.iter_mut().zip([b"ab".as_slice(), b"\x04ab"]) {
        assert_eq!(peer.next_text(), "head");
        match peer.next_event() {
            Some(websocket::Event::Binary(attachment)) => assert_eq!(attachment, expected),
            other => panic!("{other:?}"),
        }
    }
    let stats = application.wait_for_stats(|stats| stats.frames_out == 4);
    assert_eq!(stats.broadcasts, 1);
}

#[test]
fn a_connection_that_has_ended_is_in_no_room() {
    let mut application = Application::new();
    let mut members = connect(&mut application, 2);
    let all = room_of(&mut application, &members);
    let (old, peer) = members.remove(0);
    peer.reset();
    while !matches!(application.next_event(old), Event::Ended(_)) {}
    // Its id is reused.
    let (new, mut peer) = application.connect(ConnectionOptions::default());
    assert_eq!(new, old);
    broadcast(&mut application, "all", to(all));
    broadcast(&mut application, "end", Recipients { members: vec![new], ..to(all) });
    application.pool.flush();
    assert_eq!(texts_until_end(&mut peer), [] as [&str; 0]);
    assert_eq!(texts_until_end(&mut members[0].1), ["all"]);
}

#[test]
fn a_removed_room_is_empty_and_its_id_free() {
    let mut application = Application::new();
    let mut members = connect(&mut application, 2);
    let all = room_of(&mut application, &members);
    let room = room_of(&mut application, &members);
    application.pool.remove_room(room);
    broadcast(&mut application, "nobody", to(room));
    let next = application.pool.create_room();
    assert_eq!(next, room);
    broadcast(&mut application, "nobody yet", to(next));
    let received = received(&mut application, all, &mut members);
    assert_eq!(received, [[] as [&str; 0]; 2]);
}

#[test]
fn a_volatile_packet_is_dropped_after_another_of_the_same_turn_only() {
    let mut application = Application::new();
    let mut members = connect(&mut application, 3);
    let all = room_of(&mut application, &members);
    application.send_text(members[0].0, "first");
    broadcast_volatile(&mut application, "dropped for one", to(all));
    broadcast_volatile(&mut application, "dropped", to(all));
    application.pool.begin_turn();
    broadcast_volatile(&mut application, "another turn", to(all));
    application.pool.flush();
    broadcast_volatile(&mut application, "another batch", to(all));
    let received = received(&mut application, all, &mut members);
    let later = ["another turn", "another batch"];
    assert_eq!(received[0], [["first"].as_slice(), &later].concat());
    assert_eq!(received[1], [["dropped for one"].as_slice(), &later].concat());
    assert_eq!(received[2], received[1]);
    let stats = application.wait_for_stats(|stats| stats.volatile_dropped > 0);
    assert_eq!(stats.volatile_dropped, 4);
}

#[test]
fn attachments_are_dropped_with_their_volatile_packet() {
    let mut application = Application::new();
    let mut members = connect(&mut application, 1);
    let all = room_of(&mut application, &members);
    let id = members[0].0;
    let send = |application: &mut Application, head: &str, attachment: &str| {
        application.pool.send_volatile(id, text_frame(head), Volatile::First);
        application.pool.send_volatile(id, text_frame(attachment), Volatile::Continued);
    };
    send(&mut application, "head", "attachment");
    send(&mut application, "dropped", "with it");
    application.pool.begin_turn();
    send(&mut application, "head 2", "attachment 2");
    let received = received(&mut application, all, &mut members);
    assert_eq!(received, [["head", "attachment", "head 2", "attachment 2"]]);
}

#[test]
fn a_volatile_broadcast_skips_a_peer_that_does_not_read() {
    let mut application = Application::new();
    let mut members = connect(&mut application, 2);
    let all = room_of(&mut application, &members);
    let big = encode_frame(true, Opcode::Text, &vec![b'x'; MUCH], None);
    application.pool.send(members[0].0, big, false);
    application.pool.flush();
    application.wait_for_stats(|stats| stats.writes > 0 && stats.queued_bytes > 0);
    broadcast_volatile(&mut application, "volatile", to(all));
    application.pool.flush();
    assert_eq!(members[1].1.next_text(), "volatile");
    let received = received(&mut application, all, &mut members);
    assert_eq!(received[0].iter().map(String::len).collect::<Vec<_>>(), [MUCH]);
    assert_eq!(received[1], [] as [&str; 0]);
}

#[test]
fn a_peer_that_does_not_read_is_cut_off_and_the_others_never_notice() {
    let mut application = Application::new();
    let options = ConnectionOptions {
        max_backpressure: 8 << 20,
        backpressure_timeout: Duration::ZERO,
        ..Default::default()
    };
    let (slow, _peer) = application.connect(options);
    let mut members = connect(&mut application, 1);
    let all = room_of(&mut application, &members);
    application.pool.join(all, slow);
    let text = "x".repeat(64 << 10);
    let mut events = Vec::new();
    while events.is_empty() {
        broadcast(&mut application, &text, to(all));
        application.pool.flush();
        assert_eq!(members[0].1.next_text(), text);
        let stats = application.pool.stats().next().unwrap();
        if stats.connections == 1 {
            events = application.events_until(slow, |event| matches!(event, Event::Ended(_)));
        }
    }
    // The backlog is reported whenever it has doubled, since the kernel has taken all of it: its buffers
    // grow.
    let reported = application.backlogs(slow);
    let backlogs = reported.rsplit(|bytes| *bytes == 0).next().unwrap_or_default();
    assert!(backlogs.is_sorted_by(|before, after| 2 * before < *after), "{backlogs:?}");
    assert!((6..=8).contains(&backlogs.len()), "{backlogs:?}");
    let [Event::Failed(Failure::MaxBackpressure { queued_bytes }), Event::Ended(reason)] =
        &events[..]
    else {
        panic!("{events:?}")
    };
    assert!(*queued_bytes > 8 << 20 && *queued_bytes < 9 << 20, "{queued_bytes}");
    assert_eq!(*reason, EndReason::MaxBackpressure);
}

#[test]
fn the_backlog_of_a_slow_peer_is_reported_and_that_it_has_drained() {
    let mut application = Application::new();
    let options = ConnectionOptions { high_water_mark: 1 << 20, ..Default::default() };
    let (slow, mut peer) = application.connect(options);
    let big = encode_frame(true, Opcode::Text, &vec![b'x'; MUCH], None);
    application.pool.send(slow, big, false);
    application.pool.flush();
    application.wait_for_stats(|stats| stats.queued_bytes > 0);
    let reported = |application: &mut Application, count| loop {
        let backlogs = application.backlogs(slow);
        if backlogs.len() == count {
            return backlogs[count - 1];
        }
    };
    let waiting = reported(&mut application, 1);
    assert!(waiting > 1 << 20 && waiting < MUCH, "{waiting}");
    assert_eq!(peer.next_text().len(), MUCH);
    assert_eq!(reported(&mut application, 2), 0);
}

#[test]
fn all_workers_take_part() {
    let mut application = Application::new();
    let options = ConnectionOptions::default;
    let mut members: Vec<_> =
        (0..6).map(|_| application.connect_with_input(options(), b"", 3)).collect();
    let all = room_of(&mut application, &members);
    broadcast(&mut application, "all", to(all));
    for (index, (id, _)) in members.iter().enumerate() {
        broadcast(&mut application, &format!("only {index}"), only(*id));
    }
    let received = received(&mut application, all, &mut members);
    let expected: Vec<_> =
        (0..6).map(|index| vec!["all".to_owned(), format!("only {index}")]).collect();
    assert_eq!(received, expected);
    // A broadcast to a single connection is sent to its worker alone.
    let broadcasts: u64 = application.pool.stats().map(|stats| stats.broadcasts).sum();
    assert_eq!(broadcasts, 3 + 6 + 3);
}
