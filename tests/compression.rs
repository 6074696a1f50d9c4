//! Compressed connections, over real sockets.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

#[path = "support/application.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod application;

use std::sync::Arc;

use application::{Application, Peer, text};
use bytes::Bytes;
use socket_io_turbo::fanout::{Frames, PreparedPacket, Recipients, SharedFrames};
use socket_io_turbo::net::{ConnectionId, ConnectionOptions, Event, Failure, Volatile};
use socket_io_turbo::proto::websocket::{
    self, Compression, DecodeError, Limits, Opcode, encode_frame,
};

fn options() -> ConnectionOptions {
    let compression = Some(Compression::default());
    ConnectionOptions { compression, ..ConnectionOptions::default() }
}

fn connect(application: &mut Application) -> (ConnectionId, Peer) {
    let (id, mut peer) = application.connect(options());
    peer.inflate();
    (id, peer)
}

fn long_text() -> String {
    "compressible ".repeat(500)
}

fn frame_of(text: &str) -> Bytes {
    encode_frame(true, Opcode::Text, text.as_bytes(), None)
}

/// Returns the bytes that the first worker has written, once it has written something else.
fn bytes_out(application: &Application, before: u64) -> u64 {
    application
        .wait_for_stats(|stats| stats.bytes_out > before && stats.queued_bytes == 0)
        .bytes_out
}

#[test]
fn only_what_is_compressible_is_compressed() {
    let mut application = Application::new();
    let (id, mut peer) = connect(&mut application);
    let frame = frame_of(&long_text());
    let shared = Frames::Shared(Arc::new(SharedFrames::new(frame.clone())));
    let (plain, mut before) = (frame.len(), 0);
    for (frames, is_compressed) in
        [(Frames::Compressible(frame.clone()), true), (shared, true), (Frames::Plain(frame), false)]
    {
        application.pool.send(id, frames, false);
        application.pool.flush();
        assert_eq!(peer.next_text(), long_text());
        let written = bytes_out(&application, before) - before;
        assert_eq!(written < plain as u64 / 10, is_compressed, "{written}");
        before += written;
        let traffic = application.pool.traffic(id).unwrap();
        assert_eq!(traffic.bytes_written, before);
    }
}

#[test]
fn a_volatile_packet_is_compressed() {
    let mut application = Application::new();
    let (id, mut peer) = connect(&mut application);
    let frame = Frames::Compressible(frame_of(&long_text()));
    application.pool.send_volatile(id, frame, Volatile::First);
    application.pool.flush();
    assert_eq!(peer.next_text(), long_text());
    assert!(bytes_out(&application, 0) < 200);
}

#[test]
fn a_broadcast_is_compressed_for_those_that_have_negotiated_it() {
    let mut application = Application::new();
    let (compressing, mut first) = connect(&mut application);
    let (plain, mut second) = application.connect(ConnectionOptions::default());
    let room = application.pool.create_room();
    application.pool.join(room, compressing);
    application.pool.join(room, plain);
    for is_compressible in [true, false] {
        let before = [compressing, plain].map(|id| written(&application, id));
        let packet = PreparedPacket::new(frame_of(&long_text()), &[&[7; 3000]], false);
        let recipients = Recipients { rooms: vec![room], ..Recipients::default() };
        application.pool.broadcast(packet.compressible(is_compressible), recipients, false);
        application.pool.flush();
        for peer in [&mut first, &mut second] {
            assert_eq!(peer.next_text(), long_text());
            let attachment = websocket::Event::Binary(vec![7; 3000].into());
            assert_eq!(peer.next_event(), Some(attachment));
        }
        let after = [compressing, plain].map(|id| written(&application, id));
        assert_eq!(after[0] - before[0] < 200, is_compressible);
        assert!(after[1] - before[1] > 9000);
    }
}

fn written(application: &Application, id: ConnectionId) -> u64 {
    application.pool.traffic(id).unwrap().bytes_written
}

#[test]
fn a_compressed_message_is_received() {
    let mut application = Application::new();
    let (id, mut peer) = connect(&mut application);
    // RFC 7692 §7.2.3.1
    peer.send_compressed(b"\xf2\x48\xcd\xc9\xc9\x07\x00");
    assert_eq!(text(&application.next_event(id)), "Hello");
    peer.send(Opcode::Text, b"plain");
    assert_eq!(text(&application.next_event(id)), "plain");
}

#[test]
fn a_bomb_fails_its_own_connection_only() {
    let mut application = Application::new();
    let limits = Limits { max_payload: 1 << 20, ..Limits::default() };
    let (id, mut peer) = application.connect(ConnectionOptions { limits, ..options() });
    let (other, mut other_peer) = connect(&mut application);
    let zeros = encode_frame(true, Opcode::Binary, &vec![0; 64 << 20], None);
    let bomb = Compression::default().compress(&zeros).unwrap();
    // Behind a header of 4 bytes, since it has less than 64 KiB.
    peer.send_compressed(&bomb[4..]);
    let event = application.next_event(id);
    let too_long = Failure::Protocol(DecodeError::MessageTooLong);
    assert!(matches!(event, Event::Failed(failure) if failure == too_long), "{event:?}");
    other_peer.send(Opcode::Text, b"unharmed");
    assert_eq!(text(&application.next_event(other)), "unharmed");
}

#[test]
fn messages_that_become_long_wait_until_the_application_takes_them() {
    const MESSAGES: usize = 60;
    let mut application = Application::new();
    let (id, mut peer) = connect(&mut application);
    let (other, mut other_peer) = connect(&mut application);
    let frame = encode_frame(true, Opcode::Binary, &vec![0; 950_000], None);
    let message = Compression::default().compress(&frame).unwrap();
    assert!(message.len() < 1000);
    // Behind a header of 4 bytes; all of them are in one read.
    for _ in 0..MESSAGES {
        peer.send_compressed(&message[4..]);
    }
    let stats = application.wait_for_stats(|stats| stats.stalls > 0);
    assert!(stats.messages_in < 10, "{} messages", stats.messages_in);
    other_peer.send(Opcode::Text, b"behind");
    for _ in 0..MESSAGES {
        assert_eq!(text(&application.next_event(id)).len(), 950_000);
    }
    assert_eq!(text(&application.next_event(other)), "behind");
    peer.send(Opcode::Text, b"the last");
    assert_eq!(text(&application.next_event(id)), "the last");
}
