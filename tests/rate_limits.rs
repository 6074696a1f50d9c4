//! Limits of what a peer sends, over real sockets. No test depends on how long something takes: windows
//! last for ever where one must not end, and else the test waits for what comes after it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

#[path = "support/application.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod application;

use std::io::Write;
use std::time::Duration;

use application::{Application, Peer, end_reason, frame, is_end, text};
use socket_io_turbo::net::RateLimitAction::{Disconnect, Drop, Pause};
use socket_io_turbo::net::{
    ConnectionId, ConnectionOptions, EndReason, Event, Failure, HeartbeatEvent, HeartbeatStart,
    RateLimit, RateLimitAction,
};
use socket_io_turbo::proto::engine_io::Heartbeat;
use socket_io_turbo::proto::websocket::{self, Opcode, encode_frame};

const SOON: Duration = Duration::from_millis(30);
const NEVER: Duration = Duration::from_secs(3_600);
const NO_LIMIT: u64 = u64::MAX;

fn limited(action: RateLimitAction, messages: u64, bytes: u64, per: Duration) -> ConnectionOptions {
    let limit = RateLimit { messages, bytes, per, action, is_engine_io: true };
    ConnectionOptions { rate_limit: Some(limit), ..ConnectionOptions::default() }
}

/// Sends text messages at once.
fn send_all(peer: &mut Peer, messages: impl IntoIterator<Item = impl AsRef<str>>) {
    let frames = messages.into_iter().map(|text| frame(Opcode::Text, text.as_ref().as_bytes()));
    peer.stream.write_all(&frames.collect::<Vec<_>>().concat()).unwrap();
}

fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("42[\"e\",{number}]")).collect()
}

fn next_action(application: &mut Application, id: ConnectionId) -> RateLimitAction {
    match application.next_event(id) {
        Event::RateLimited(action) => action,
        other => panic!("{other:?}"),
    }
}

fn next_text(application: &mut Application, id: ConnectionId) -> String {
    text(&application.next_event(id)).to_owned()
}

/// Closes a connection that has exceeded its limit, as the application does. Returns the reason of its
/// end.
fn close(application: &mut Application, id: ConnectionId, peer: &mut Peer) -> EndReason {
    let payload = [&1008_u16.to_be_bytes()[..], b"rate"].concat();
    application.pool.close(id, encode_frame(true, Opcode::Close, &payload, None));
    application.pool.flush();
    match peer.next_event() {
        Some(websocket::Event::Close { code, reason }) => {
            assert_eq!((code.unwrap().value(), &*reason), (1008, "rate"));
        }
        other => panic!("{other:?}"),
    }
    peer.send(Opcode::Close, &payload);
    assert_eq!(peer.next_event(), None);
    peer.stream.shutdown(std::net::Shutdown::Write).unwrap();
    end_reason(&application.events_until(id, is_end))
}

#[test]
fn pause_delivers_all_messages_in_order_over_several_windows() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(limited(Pause, 3, NO_LIMIT, SOON));
    send_all(&mut peer, numbered(10));
    let mut texts = Vec::new();
    let mut pauses = 0;
    while texts.len() < 10 {
        match application.next_event(id) {
            Event::RateLimited(Pause) => {
                pauses += 1;
                assert!(texts.len() % 3 == 0 || pauses < 3, "{texts:?}");
            }
            event => texts.push(text(&event).to_owned()),
        }
    }
    assert_eq!(texts, numbered(10));
    let stats = application.wait_for_stats(|stats| stats.messages_in == 10);
    assert_eq!((stats.rate_limit_pauses, stats.rate_limit_dropped), (pauses, 0));
    assert!(pauses > 0);
}

#[test]
fn pause_keeps_messages_whole_however_they_are_cut() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(limited(Pause, 2, 1_000, SOON / 10));
    peer.stream.set_nodelay(true).unwrap();
    let messages: Vec<_> = (0..40).map(|length| "42[\"e\"]".repeat(length % 8)).collect();
    let frames = messages.iter().map(|text| frame(Opcode::Text, text.as_bytes()));
    for piece in frames.collect::<Vec<_>>().concat().chunks(7) {
        peer.stream.write_all(piece).unwrap();
    }
    for message in messages {
        let event = loop {
            match application.next_event(id) {
                Event::RateLimited(Pause) => {}
                event => break event,
            }
        };
        assert_eq!(text(&event), message);
    }
}

#[test]
fn pause_stops_reading_from_this_peer_only() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(limited(Pause, 2, NO_LIMIT, NEVER));
    let (other, mut other_peer) = application.connect(limited(Pause, NO_LIMIT, NO_LIMIT, NEVER));
    send_all(&mut peer, numbered(100));
    assert_eq!(next_text(&mut application, id), numbered(1)[0]);
    assert_eq!(next_text(&mut application, id), numbered(2)[1]);
    assert_eq!(next_action(&mut application, id), Pause);
    // So much that the peer would be blocked only if nobody read it.
    let before = application.wait_for_stats(|stats| stats.rate_limit_pauses == 1);
    let much = vec![0; 32 * 1024 * 1024];
    peer.stream.set_nonblocking(true).unwrap();
    let mut written = 0;
    while let Ok(length) = peer.stream.write(&much[written..]) {
        written += length;
    }
    assert!(written < much.len());
    send_all(&mut other_peer, numbered(100));
    for number in numbered(100) {
        assert_eq!(next_text(&mut application, other), number);
    }
    let stats = application.wait_for_stats(|stats| stats.messages_in == 102);
    let of_other: usize = numbered(100).iter().map(|text| text.len() + 6).sum();
    assert_eq!(stats.bytes_in - before.bytes_in, of_other as u64);
}

#[test]
fn a_message_of_more_bytes_than_a_window_allows_arrives_with_pause() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(limited(Pause, NO_LIMIT, 100_000, SOON / 10));
    let message = "x".repeat(1_000_000);
    send_all(&mut peer, [message.as_str(), "next"]);
    let events =
        application.events_until(id, |event| matches!(event, Event::Text(text) if text == "next"));
    let texts: Vec<_> = events
        .iter()
        .filter(|event| !matches!(event, Event::RateLimited(Pause)))
        .map(text)
        .collect();
    assert_eq!(texts, [message.as_str(), "next"]);
    let pauses = application.wait_for_stats(|stats| stats.messages_in == 2).rate_limit_pauses;
    assert!(pauses > 0);
}

#[test]
fn control_frames_and_heartbeats_pass_before_a_message_exceeds_the_limit() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(limited(Pause, 1, NO_LIMIT, NEVER));
    send_all(&mut peer, ["2", "3", "41", "3"]);
    peer.send(Opcode::Ping, b"ping");
    for expected in ["2", "3", "41", "3"] {
        assert_eq!(next_text(&mut application, id), expected);
    }
    assert!(matches!(application.next_event(id), Event::Ping(_)));
    send_all(&mut peer, ["42[]"]);
    assert_eq!(next_action(&mut application, id), Pause);
}

#[test]
fn a_flood_of_pings_is_paused_by_its_bytes() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(limited(Pause, NO_LIMIT, 1_000, NEVER));
    let pings = frame(Opcode::Ping, &[7; 125]).repeat(20);
    peer.stream.write_all(&pings).unwrap();
    let events = application.events_until(id, |event| matches!(event, Event::RateLimited(Pause)));
    assert!(events.len() > 7, "{events:?}");
}

#[test]
fn a_closing_handshake_ends_a_pause() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(limited(Pause, 1, NO_LIMIT, NEVER));
    send_all(&mut peer, numbered(5));
    next_text(&mut application, id);
    assert_eq!(next_action(&mut application, id), Pause);
    assert_eq!(close(&mut application, id, &mut peer), EndReason::Closed);
    let stats = application.wait_for_stats(|stats| stats.messages_in == 5);
    assert_eq!(stats.rate_limit_pauses, 1);
}

#[test]
fn a_pause_goes_on_when_the_application_resumes() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(limited(Pause, 1, NO_LIMIT, NEVER));
    send_all(&mut peer, numbered(2));
    next_text(&mut application, id);
    assert_eq!(next_action(&mut application, id), Pause);
    application.pool.pause(id, true);
    application.pool.pause(id, false);
    application.wait_for_commands(id, &mut peer);
    assert_eq!(application.wait_for_stats(|stats| stats.messages_in == 1).rate_limit_pauses, 1);
}

fn with_deadline(deadline_in: Duration) -> HeartbeatStart {
    HeartbeatStart {
        intervals: Heartbeat { ping_interval: NEVER, ping_timeout: NEVER },
        max_loop_lag: NEVER,
        ping_in: None,
        deadline_in: Some(deadline_in),
        has_extended_deadline: true,
    }
}

fn hand_over(application: &mut Application, id: ConnectionId, deadline_in: Duration) {
    application.pool.prepare_heartbeat(id);
    application.pool.flush();
    let ready = application.next_event(id);
    assert!(matches!(ready, Event::Heartbeat(HeartbeatEvent::Ready)), "{ready:?}");
    application.pool.start_heartbeat(id, with_deadline(deadline_in));
    application.pool.flush();
}

#[test]
fn a_peer_whose_answer_waits_for_its_limit_is_not_judged() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(limited(Pause, 1, NO_LIMIT, NEVER));
    send_all(&mut peer, ["42[]", "42[]", "3"]);
    assert_eq!(next_text(&mut application, id), "42[]");
    assert_eq!(next_action(&mut application, id), Pause);
    hand_over(&mut application, id, Duration::ZERO);
    // Judged later than the first, and found dead.
    let (other, _other_peer) = application.connect(limited(Pause, 1, NO_LIMIT, NEVER));
    hand_over(&mut application, other, SOON);
    let timed_out = application.next_event(other);
    assert!(matches!(timed_out, Event::Heartbeat(HeartbeatEvent::TimedOut)), "{timed_out:?}");
    // All events of the first up to now are here: there is none.
    application.pool.terminate(id);
    application.pool.flush();
    assert!(matches!(application.next_event(id), Event::Ended(EndReason::Terminated)));
}

#[test]
fn pings_go_on_while_the_answers_wait() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(limited(Pause, 1, NO_LIMIT, NEVER));
    application.pool.prepare_heartbeat(id);
    application.pool.flush();
    assert!(matches!(application.next_event(id), Event::Heartbeat(HeartbeatEvent::Ready)));
    let intervals = Heartbeat { ping_interval: SOON, ping_timeout: NEVER };
    let start = HeartbeatStart {
        intervals,
        ping_in: Some(SOON),
        deadline_in: None,
        ..with_deadline(NEVER)
    };
    application.pool.start_heartbeat(id, start);
    application.pool.flush();
    assert_eq!(peer.next_text(), "2");
    send_all(&mut peer, ["42[]", "42[]"]);
    for _ in 0..3 {
        assert_eq!(peer.next_text(), "2");
        send_all(&mut peer, ["3"]);
    }
}

#[test]
fn a_pong_behind_a_pause_counts_once_it_is_read() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(limited(Pause, 1, NO_LIMIT, SOON * 2));
    hand_over(&mut application, id, SOON);
    send_all(&mut peer, ["42[]", "42[]", "3", "42[\"last\"]"]);
    let events = application
        .events_until(id, |event| matches!(event, Event::Text(text) if text == "42[\"last\"]"));
    let is_received = |event: &Event| matches!(event, Event::Heartbeat(HeartbeatEvent::Received));
    assert!(events.iter().any(is_received), "{events:?}");
    let is_judged = |event: &Event| matches!(event, Event::Heartbeat(HeartbeatEvent::TimedOut));
    assert!(!events.iter().any(is_judged), "{events:?}");
}

#[test]
fn drop_keeps_all_but_events_without_ack_id() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(limited(Drop, 2, NO_LIMIT, NEVER));
    let kept = ["420[\"acknowledged\"]", "431[]", "40/chat,", "3", "plain"];
    send_all(&mut peer, numbered(5));
    send_all(&mut peer, kept);
    send_all(&mut peer, numbered(3));
    send_all(&mut peer, ["429[\"last\"]"]);
    assert_eq!(next_text(&mut application, id), numbered(1)[0]);
    assert_eq!(next_text(&mut application, id), numbered(2)[1]);
    assert_eq!(next_action(&mut application, id), Drop);
    for expected in kept.into_iter().chain(["429[\"last\"]"]) {
        assert_eq!(next_text(&mut application, id), expected);
    }
    let stats = application.wait_for_stats(|stats| stats.messages_in == 14);
    assert_eq!((stats.rate_limit_dropped, stats.rate_limit_pauses), (6, 0));
}

#[test]
fn drop_takes_the_attachments_of_a_dropped_event_with_it() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(limited(Drop, 3, NO_LIMIT, NEVER));
    let event = br#"452-["e",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;
    for round in 0..2_u8 {
        peer.send(Opcode::Text, event);
        peer.send(Opcode::Binary, &[round]);
        peer.send(Opcode::Binary, &[round; 10_000]);
    }
    send_all(&mut peer, ["427[\"last\"]"]);
    let event = std::str::from_utf8(event).unwrap();
    assert_eq!(next_text(&mut application, id), event);
    for length in [1, 10_000] {
        let attachment = application.next_event(id);
        assert!(matches!(&attachment, Event::Binary(data) if data == &vec![0; length]));
    }
    assert_eq!(next_action(&mut application, id), Drop);
    assert_eq!(next_text(&mut application, id), "427[\"last\"]");
    assert_eq!(application.wait_for_stats(|stats| stats.messages_in == 7).rate_limit_dropped, 1);
}

#[test]
fn a_flood_that_is_dropped_does_not_wake_the_application() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(limited(Drop, 1, NO_LIMIT, NEVER));
    send_all(&mut peer, numbered(2));
    next_text(&mut application, id);
    assert_eq!(next_action(&mut application, id), Drop);
    let before = application.wait_for_stats(|stats| stats.rate_limit_dropped == 1);
    for _ in 0..100 {
        send_all(&mut peer, numbered(1_000));
    }
    let stats = application.wait_for_stats(|stats| stats.rate_limit_dropped == 100_001);
    assert_eq!(stats.notifications, before.notifications);
    assert_eq!(stats.messages_in, 100_002);
}

#[test]
fn disconnect_reports_once_and_drops_all_that_follows() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(limited(Disconnect, 3, NO_LIMIT, NEVER));
    send_all(&mut peer, numbered(1_000));
    for number in numbered(3) {
        assert_eq!(next_text(&mut application, id), number);
    }
    assert_eq!(next_action(&mut application, id), Disconnect);
    assert!(matches!(application.next_event(id), Event::Failed(Failure::RateLimit)));
    send_all(&mut peer, numbered(1_000));
    assert_eq!(close(&mut application, id, &mut peer), EndReason::RateLimit);
    let stats = application.wait_for_stats(|stats| stats.ended[EndReason::RateLimit.index()] == 1);
    assert_eq!((stats.messages_in, stats.rate_limit_dropped), (4, 0));
}

#[test]
fn disconnect_does_not_wait_for_the_end_of_a_huge_message() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(limited(Disconnect, NO_LIMIT, 10_000, NEVER));
    let message = frame(Opcode::Binary, &[7; 100_000]);
    peer.stream.write_all(&message[..20_000]).unwrap();
    assert_eq!(next_action(&mut application, id), Disconnect);
    assert!(matches!(application.next_event(id), Event::Failed(Failure::RateLimit)));
    assert_eq!(close(&mut application, id, &mut peer), EndReason::RateLimit);
}

#[test]
fn fragments_count_by_their_bytes_and_their_message_once() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(limited(Disconnect, 1, 50_000, NEVER));
    let mask = Some([1, 2, 3, 4]);
    let begin = encode_frame(false, Opcode::Text, b"a", mask);
    let middle = encode_frame(false, Opcode::Continuation, b"b", mask);
    let end = encode_frame(true, Opcode::Continuation, b"c", mask);
    peer.stream.write_all(&[&begin[..], &middle.repeat(1_000), &end].concat()).unwrap();
    assert_eq!(next_text(&mut application, id).len(), 1_002);
    peer.stream.write_all(&[&begin[..], &middle.repeat(7_000)].concat()).unwrap();
    assert_eq!(next_action(&mut application, id), Disconnect);
}

#[test]
fn input_before_the_takeover_counts() {
    let mut application = Application::new();
    let frames = numbered(3).into_iter().map(|text| frame(Opcode::Text, text.as_bytes()));
    let input = frames.collect::<Vec<_>>().concat();
    let options = limited(Pause, 1, NO_LIMIT, NEVER);
    let (id, _peer) = application.connect_with_input(options, &input, 1);
    assert_eq!(next_text(&mut application, id), numbered(1)[0]);
    assert_eq!(next_action(&mut application, id), Pause);
}

#[test]
fn a_peer_that_keeps_its_limit_is_never_reported() {
    for action in [Pause, Drop, Disconnect] {
        let mut application = Application::new();
        let (id, mut peer) = application.connect(limited(action, 100, 10_000, NEVER));
        send_all(&mut peer, numbered(100));
        for number in numbered(100) {
            assert_eq!(next_text(&mut application, id), number);
        }
        application.wait_for_commands(id, &mut peer);
        peer.send(Opcode::Ping, b"last");
        assert!(matches!(application.next_event(id), Event::Ping(_)));
    }
}
