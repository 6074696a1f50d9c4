//! Broadcasts of which a slow peer gets the latest only, over real sockets.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

#[path = "support/application.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod application;

use application::{Application, MUCH, Peer};
use bytes::Bytes;
use socket_io_turbo::fanout::{LatestKey, PreparedPacket, Recipients, RoomId};
use socket_io_turbo::net::{ConnectionId, ConnectionOptions};
use socket_io_turbo::proto::websocket::{self, Opcode, encode_frame};

fn text_frame(text: &str) -> Bytes {
    encode_frame(true, Opcode::Text, text.as_bytes(), None)
}

/// Returns a frame that the kernel does not accept at once.
fn long_frame() -> Bytes {
    text_frame(&"x".repeat(MUCH))
}

fn packet(key: &str, text: &str, attachments: &[&[u8]]) -> PreparedPacket {
    PreparedPacket::new(text_frame(text), attachments, false).latest(Some(LatestKey::new("/", key)))
}

/// A peer that does not read yet, one that does, and the room of both.
struct Scene {
    application: Application,
    slow: (ConnectionId, Peer),
    quick: Peer,
    room: RoomId,
}

impl Scene {
    /// Begins with bytes in the send queue of the slow peer.
    fn new() -> Self {
        let mut application = Application::new();
        let slow = application.connect(ConnectionOptions::default());
        let (id, quick) = application.connect(ConnectionOptions::default());
        let room = application.pool.create_room();
        [slow.0, id].into_iter().for_each(|id| application.pool.join(room, id));
        application.pool.send(slow.0, long_frame(), false);
        application.pool.flush();
        application.wait_for_stats(|stats| stats.writes > 0 && stats.queued_bytes > 0);
        Self { application, slow, quick, room }
    }

    fn broadcast(&mut self, packet: PreparedPacket) {
        let recipients = Recipients { rooms: vec![self.room], ..Recipients::default() };
        self.application.pool.broadcast(packet, recipients, false);
        self.application.pool.flush();
    }

    fn broadcast_latest(&mut self, key: &str, text: &str) {
        self.broadcast(packet(key, text, &[]));
        // A peer that reads gets each of them.
        assert_eq!(self.quick.next_text(), text);
    }
}

fn next_binary(peer: &mut Peer) -> Bytes {
    match peer.next_event() {
        Some(websocket::Event::Binary(bytes)) => bytes,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_peer_that_does_not_read_gets_the_latest_of_each_key() {
    const ROUNDS: usize = 20;
    const KEYS: usize = 200;
    let mut scene = Scene::new();
    let idle = scene.application.pool.stats().next().unwrap();
    let written =
        |scene: &Scene| scene.application.pool.traffic(scene.slow.0).unwrap().bytes_written;
    let written_before = written(&scene);
    let mut sent = Vec::new();
    for round in 0..ROUNDS {
        for key in 0..KEYS {
            let text = format!("{key} in round {round:02}");
            scene.broadcast_latest(&key.to_string(), &text);
            sent.push(text);
        }
        if round == 0 {
            scene.broadcast(PreparedPacket::new(text_frame("without a key"), &[], false));
            assert_eq!(scene.quick.next_text(), "without a key");
            sent.push("without a key".into());
        }
    }
    let latest: Vec<_> = (0..KEYS).map(|key| format!("{key} in round {:02}", ROUNDS - 1)).collect();
    let to_slow = [latest, vec!["without a key".to_owned()]].concat();
    let len = |texts: &[String]| texts.iter().map(|text| text_frame(text).len()).sum::<usize>();
    let replaced = (KEYS * (ROUNDS - 1)) as u64;
    // The kernel may take more of the first frame meanwhile.
    let total = (long_frame().len() + len(&to_slow) + len(&sent)) as u64;
    let stats = scene.application.wait_for_stats(|stats| {
        stats.replaced == replaced && stats.queued_bytes + stats.bytes_out == total
    });
    assert_eq!(stats.frames_out - idle.frames_out, 2 * (KEYS * ROUNDS + 1) as u64);
    assert_eq!(written(&scene) - written_before, len(&to_slow) as u64);
    let slow = &mut scene.slow.1;
    assert_eq!(slow.next_text().len(), MUCH);
    let received: Vec<_> = (0..=KEYS).map(|_| slow.next_text()).collect();
    assert_eq!(received, to_slow);
    scene.application.wait_for_stats(|stats| stats.queued_bytes == 0);
}

#[test]
fn a_packet_is_replaced_with_its_attachments_or_not_at_all() {
    let mut scene = Scene::new();
    scene.broadcast(packet("a", "old head", &[b"old"]));
    scene.broadcast(packet("b", "other head", &[b"other"]));
    scene.broadcast(packet("a", "head", &[b"new", b"and more"]));
    scene.application.wait_for_stats(|stats| stats.replaced == 1);
    let slow = &mut scene.slow.1;
    assert_eq!(slow.next_text().len(), MUCH);
    assert_eq!(slow.next_text(), "head");
    assert_eq!([next_binary(slow), next_binary(slow)], [&b"new"[..], b"and more"]);
    assert_eq!(slow.next_text(), "other head");
    assert_eq!(next_binary(slow), &b"other"[..]);
}

#[test]
fn a_packet_that_has_begun_to_leave_is_left_alone() {
    let mut scene = Scene::new();
    let Scene { application, slow: (_, slow), .. } = &mut scene;
    // The first packet of the key is so long that it cannot leave at once.
    assert_eq!(slow.next_text().len(), MUCH);
    application.wait_for_stats(|stats| stats.queued_bytes == 0);
    let before = application.pool.stats().next().unwrap();
    let long = "x".repeat(MUCH);
    let recipients = || Recipients { members: vec![scene.slow.0], ..Recipients::default() };
    for text in [long.as_str(), "replaced", "latest"] {
        scene.application.pool.broadcast(packet("a", text, &[]), recipients(), false);
        scene.application.pool.flush();
        scene
            .application
            .wait_for_stats(|stats| stats.bytes_out > before.bytes_out && stats.queued_bytes > 0);
    }
    scene.application.wait_for_stats(|stats| stats.replaced == 1);
    assert_eq!(scene.slow.1.next_text().len(), MUCH);
    assert_eq!(scene.slow.1.next_text(), "latest");
}

#[test]
fn a_peer_that_reads_gets_all_packets_of_a_turn() {
    let mut application = Application::new();
    let (id, mut peer) = application.connect(ConnectionOptions::default());
    let texts: Vec<_> = (0..200).map(|number| number.to_string()).collect();
    for text in &texts {
        let recipients = Recipients { members: vec![id], ..Recipients::default() };
        application.pool.broadcast(packet("a", text, &[]), recipients, false);
    }
    application.pool.flush();
    let received: Vec<_> = texts.iter().map(|_| peer.next_text()).collect();
    assert_eq!(received, texts);
    let stats = application.wait_for_stats(|stats| stats.queued_bytes == 0);
    assert_eq!(stats.replaced, 0);
}

#[test]
fn a_close_frame_is_not_overtaken() {
    let mut scene = Scene::new();
    scene.broadcast_latest("a", "first");
    let id = scene.slow.0;
    scene.application.pool.close(id, encode_frame(true, Opcode::Close, b"\x03\xe8", None));
    scene.broadcast_latest("a", "too late");
    let slow = &mut scene.slow.1;
    assert_eq!(slow.next_text().len(), MUCH);
    assert_eq!(slow.next_text(), "first");
    assert!(matches!(slow.next_event(), Some(websocket::Event::Close { .. })));
}
