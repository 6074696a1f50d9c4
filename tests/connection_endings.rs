//! The ends of connections on an I/O worker, over real sockets.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

#[path = "support/application.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod application;

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use application::{Application, big_frame, end_reason, is_end, text};
use bytes::Bytes;
use socket_io_turbo::net::{ConnectionOptions, EndReason, Event, Failure};
use socket_io_turbo::proto::websocket::{self, CloseCode, DecodeError, Opcode, encode_frame};

/// Encodes a close frame.
fn close_frame(code: u16, reason: &str, mask: Option<[u8; 4]>) -> Bytes {
    let payload = [&code.to_be_bytes(), reason.as_bytes()].concat();
    encode_frame(true, Opcode::Close, &payload, mask)
}

#[test]
fn the_application_may_send_before_it_answers_a_close_frame() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(ConnectionOptions::default());
    peer.stream.write_all(&close_frame(1000, "bye", Some([0; 4]))).unwrap();
    // The peer is allowed to end its side at once.
    peer.stream.shutdown(Shutdown::Write).unwrap();
    match application.next_event(id) {
        Event::Close { code, reason } => {
            assert_eq!((code, &*reason), (CloseCode::new(1000), "bye"));
        }
        other => panic!("{other:?}"),
    }
    application.send_text(id, "last words");
    application.pool.close(id, close_frame(1000, "bye", None));
    application.send_text(id, "too late");
    application.pool.flush();
    assert_eq!(peer.next_text(), "last words");
    assert!(matches!(peer.next_event(), Some(websocket::Event::Close { .. })));
    assert!(peer.next_event().is_none());
    assert_eq!(end_reason(&application.events_until(id, is_end)), EndReason::Closed);
}

#[test]
fn our_side_ends_after_both_close_frames() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(ConnectionOptions::default());
    application.pool.close(id, close_frame(1001, "", None));
    application.pool.flush();
    assert!(matches!(peer.next_event(), Some(websocket::Event::Close { .. })));
    // Messages in front of the peer's close frame are still reported.
    peer.send(Opcode::Text, b"one more");
    peer.send(Opcode::Close, &1001_u16.to_be_bytes());
    assert_eq!(text(&application.next_event(id)), "one more");
    assert!(peer.next_event().is_none());
    drop(peer);
    assert_eq!(end_reason(&application.events_until(id, is_end)), EndReason::Closed);
}

#[test]
fn a_peer_that_does_not_answer_the_close_frame_is_abandoned() {
    let mut application = Application::new();
    let close_timeout = Duration::from_millis(50);
    let (id, _peer) =
        application.connect(ConnectionOptions { close_timeout, ..Default::default() });
    application.pool.close(id, close_frame(1000, "", None));
    application.pool.flush();
    assert_eq!(end_reason(&application.events_until(id, is_end)), EndReason::CloseTimeout);
}

#[test]
fn ending_without_a_close_frame_flushes_first() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(ConnectionOptions::default());
    application.send_text(id, "last");
    application.pool.end(id);
    application.pool.flush();
    assert_eq!(peer.next_text(), "last");
    assert!(peer.next_event().is_none());
    drop(peer);
    assert_eq!(end_reason(&application.events_until(id, is_end)), EndReason::PeerEnded);
}

#[test]
fn a_violation_is_reported_once_and_further_input_is_dropped() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(ConnectionOptions::default());
    peer.send(Opcode::Text, b"good");
    peer.stream.write_all(&[0x83, 0x80, 0, 0, 0, 0]).unwrap();
    assert_eq!(text(&application.next_event(id)), "good");
    let expected = Failure::Protocol(DecodeError::InvalidOpcode(3));
    assert!(matches!(application.next_event(id), Event::Failed(failure) if failure == expected));
    peer.send(Opcode::Text, b"dropped");
    let close = close_frame(1002, "", None);
    application.pool.close(id, close);
    application.pool.flush();
    assert!(matches!(peer.next_event(), Some(websocket::Event::Close { .. })));
    assert!(peer.next_event().is_none());
    drop(peer);
    let events = application.events_until(id, is_end);
    assert_eq!((events.len(), end_reason(&events)), (1, EndReason::ProtocolError));
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
fn a_reset_by_the_application_reaches_the_peer() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(ConnectionOptions::default());
    application.pool.reset(id);
    application.pool.flush();
    assert_eq!(end_reason(&application.events_until(id, is_end)), EndReason::Terminated);
    let error = peer.stream.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn a_peer_that_ends_its_side_still_receives_queued_frames() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(ConnectionOptions::default());
    application.pool.send(id, big_frame(), true);
    application.pool.flush();
    application.wait_for_stats(|stats| stats.queued_bytes > 0);
    peer.stream.shutdown(Shutdown::Write).unwrap();
    assert!(matches!(application.next_event(id), Event::PeerEnded));
    application.send_text(id, "an answer");
    application.pool.end(id);
    application.pool.flush();
    assert!(matches!(peer.next_event(), Some(websocket::Event::Binary(_))));
    assert_eq!(peer.next_text(), "an answer");
    assert_eq!(end_reason(&application.events_until(id, is_end)), EndReason::PeerEnded);
}

#[test]
fn terminating_sends_what_the_socket_accepts() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(ConnectionOptions::default());
    application.send_text(id, "sent before");
    application.pool.terminate(id);
    application.send_text(id, "sent after");
    application.pool.flush();
    assert_eq!(peer.next_text(), "sent before");
    let events = application.events_until(id, is_end);
    assert_eq!(end_reason(&events), EndReason::Terminated);
}
