//! Listeners, over real sockets: the connections that they accept and pass, and how they end.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

#[path = "support/application.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod application;
#[path = "support/listening.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod listening;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use application::{PATIENCE, Peer, is_end};
use listening::{
    ACCEPTED, Listening, OPENING, OTHER, blocking, options, read_head, read_string, read_to_end,
};
use socket_io_turbo::net::{
    ConnectionOptions, Event, Handshake, HandshakeTransport, ListenerOptions, PassedDescriptor,
    PollingOptions,
};
use socket_io_turbo::proto::websocket::Opcode;

#[test]
fn other_requests_are_passed_with_all_their_bytes() {
    let mut listening = Listening::new(options());
    for request in [
        OTHER,
        "GET /socket.io/x HTTP/1.1\r\nHost: a\r\n\r\nbody",
        "GET /socket.io/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /socket.io/?EIO=4 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n1",
        "OPTIONS /socket.io/?EIO=4 HTTP/1.1\r\n",
        "\x16\x03\x01\x02",
        "?",
    ] {
        let mut peer = listening.dial(request);
        let mut stream = listening.next_passed();
        let mut received = vec![0; request.len()];
        stream.read_exact(&mut received).unwrap();
        assert_eq!(received, request.as_bytes());
        stream.write_all(b"answer").unwrap();
        drop(stream);
        assert_eq!(read_to_end(&mut peer.stream), "answer");
        assert_eq!(listening.application.pool.http_connections(listening.id), 0);
    }
}

#[test]
fn a_connection_is_passed_once_it_cannot_be_a_handshake() {
    let mut listening = Listening::new(options());
    let mut peer = listening.dial("GET /socket.io/");
    listening.wait_for_connections(1);
    peer.stream.write_all(b"a").unwrap();
    let mut received = [0; 16];
    listening.next_passed().read_exact(&mut received).unwrap();
    assert_eq!(&received, b"GET /socket.io/a");
}

#[test]
fn a_peer_that_ends_before_its_request_is_complete_is_passed() {
    let mut listening = Listening::new(options());
    for request in ["GET /socket.io/?EIO", OPENING] {
        let peer = listening.dial(request.split_at(request.len() - 1).0);
        peer.stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(
            read_to_end(&mut listening.next_passed()),
            request.split_at(request.len() - 1).0
        );
    }
}

#[test]
fn a_peer_that_ends_without_a_request_is_forgotten() {
    let listening = Listening::new(options());
    let mut peer = listening.dial("");
    listening.wait_for_connections(1);
    peer.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&mut peer.stream), "");
    listening.dial("").reset();
    listening.wait_for_connections(0);
}

#[test]
fn in_passing_mode_all_connections_are_passed_at_once() {
    let mut listening = Listening::new(ListenerOptions { is_passing: true, ..options() });
    let mut peers = [listening.dial(""), listening.dial(OPENING)];
    let mut streams = [listening.next_passed(), listening.next_passed()];
    for stream in &mut streams {
        stream.write_all(b"hello").unwrap();
    }
    drop(streams);
    for peer in &mut peers {
        let mut received = [0; 5];
        peer.stream.read_exact(&mut received).unwrap();
        assert_eq!(&received, b"hello");
    }
}

#[test]
fn waiting_connections_are_passed_when_passing_begins() {
    let mut listening = Listening::new(options());
    let _peers = [listening.dial(""), listening.dial("GET /socket.io/")];
    listening.wait_for_connections(2);
    let (handshake, mut peer) = listening.open();
    listening.configure(ListenerOptions { is_passing: true, ..options() });
    drop([listening.next_passed(), listening.next_passed()]);
    // A handshake waits for its answer.
    listening.accept(&handshake, ConnectionOptions::default());
    assert_eq!(read_head(&mut peer.stream), format!("{ACCEPTED}A: b\r\n\r\n"));
    listening.configure(options());
    listening.open();
}

#[test]
fn new_paths_hold_for_connections_that_wait() {
    let mut listening = Listening::new(options());
    let mut peer = listening.dial("GET /socket.io/?EIO=4");
    listening.wait_for_connections(1);
    listening.configure(ListenerOptions { paths: vec!["/new/".into()], ..options() });
    let _other = listening.dial(&OPENING.replacen("/socket.io/", "/new/", 1));
    peer.stream.write_all(b"&").unwrap();
    assert_eq!(next_passed_and_handshake(&mut listening).path, 0);
}

/// Waits for a connection that is passed, and for a handshake, which it returns. Either may be first.
fn next_passed_and_handshake(listening: &mut Listening) -> Box<Handshake> {
    let events = [(); 2].map(|()| listening.application.next_event(listening.id));
    match events {
        [Event::Passed { is_overdue: false, .. }, Event::Handshake(handshake)]
        | [Event::Handshake(handshake), Event::Passed { is_overdue: false, .. }] => handshake,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_late_request_head_is_answered_as_node_does() {
    let headers_timeout = Some(Duration::from_millis(30));
    let mut listening = Listening::new(ListenerOptions { headers_timeout, ..options() });
    for beginning in ["", "GET /socket.io/?EIO=4"] {
        let mut peer = listening.dial(beginning);
        let expected = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n";
        assert_eq!(read_to_end(&mut peer.stream), expected);
    }
    listening.wait_for_connections(0);
    // A handshake that waits for the application is complete.
    let (handshake, mut peer) = listening.open();
    assert!(read_to_end(&mut listening.dial("").stream).contains("408"));
    listening.accept(&handshake, ConnectionOptions::default());
    assert_eq!(read_head(&mut peer.stream), format!("{ACCEPTED}A: b\r\n\r\n"));
}

#[test]
fn a_connection_whose_request_head_is_late_is_passed_where_that_is_wanted() {
    let headers_timeout = Some(Duration::from_millis(30));
    let options = ListenerOptions { headers_timeout, is_passing_overdue: true, ..options() };
    let mut listening = Listening::new(options);
    let _peer = listening.dial("GET /soc");
    let event = listening.application.next_event(listening.id);
    let Event::Passed { descriptor, is_overdue: true } = event else { panic!("{event:?}") };
    assert_eq!(read_string(&mut blocking(descriptor.claim().into()), 8), "GET /soc");
}

#[test]
fn a_time_limit_that_is_set_later_holds_for_connections_that_wait() {
    let mut listening = Listening::new(options());
    let mut peer = listening.dial("");
    listening.wait_for_connections(1);
    let headers_timeout = Some(Duration::from_millis(30));
    listening.configure(ListenerOptions { headers_timeout, ..options() });
    assert!(read_to_end(&mut peer.stream).starts_with("HTTP/1.1 408 "));
}

#[test]
fn a_closed_listener_ends_once_its_last_connection_has() {
    for io_threads in [1, 3] {
        let mut listening = Listening::on_threads(options(), io_threads);
        let mut waiting = [(); 3].map(|()| listening.dial(""));
        listening.wait_for_connections(3);
        let (handshake, mut peer) = listening.open();
        listening.close();
        for peer in &mut waiting {
            peer.stream.write_all(OTHER.as_bytes()).unwrap();
            listening.next_passed();
        }
        let id = listening.accept(&handshake, ConnectionOptions::default());
        listening.assert_ends();
        // Its port is free, and its id as well.
        TcpListener::bind(listening.address).unwrap();
        assert_eq!(read_head(&mut peer.stream), format!("{ACCEPTED}A: b\r\n\r\n"));
        let application = &mut listening.application;
        application.send_text(id, "still here");
        application.pool.flush();
        assert_eq!(peer.next_text(), "still here");
        assert_eq!(application.listen(options(), 1).0, listening.id);
    }
}

#[test]
fn a_session_that_is_over_does_not_end_again_with_its_websocket() {
    let mut listening = Listening::new(options());
    let _poll =
        listening.dial("GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n");
    let handshake = listening.next_handshake();
    let sid = handshake.sid.clone();
    let query = format!("/?sid={sid}&");
    let polling = PollingOptions {
        first_lines: String::new(),
        opening_lines: String::new(),
        origin: None,
        compression_threshold: None,
        max_payload: 1000,
        initial_packets: 0,
        upgrade_timeout: Duration::from_secs(60),
    };
    let Listening { application, .. } = &mut listening;
    let options = || Arc::new(ConnectionOptions::default());
    let id = application
        .pool
        .accept_polling(handshake.worker, handshake.key, options(), sid, polling)
        .unwrap();
    application.pool.flush();
    application.wait_for_stats(|stats| stats.connections == 1);
    let peer = listening.dial(&OPENING.replacen("/?", &query, 1));
    let upgrade = listening.next_handshake();
    assert_eq!(upgrade.transport, HandshakeTransport::Upgrade);
    let Listening { application, .. } = &mut listening;
    application.pool.terminate(id);
    application.pool.flush();
    application.wait_for_stats(|stats| stats.connections == 0);
    drop(peer);
    assert!(application.pool.accept_upgrade(upgrade.worker, upgrade.key, id, options(), b""));
    application.pool.flush();
    assert!(is_end(&application.next_event(id)));
    // Another connection gets the id, and no event but its own.
    let (next, mut peer) = listening.connect(ConnectionOptions::default());
    assert_eq!(next, id);
    listening.application.wait_for_commands(id, &mut peer);
}

#[test]
fn a_listener_that_has_had_no_connection_ends_when_it_is_closed() {
    for io_threads in [1, 3] {
        let mut listening = Listening::on_threads(options(), io_threads);
        listening.close();
        listening.assert_ends();
        TcpListener::bind(listening.address).unwrap();
    }
}

#[test]
fn connections_without_a_handshake_can_be_closed() {
    let mut listening = Listening::on_threads(options(), 2);
    let mut waiting = [(); 3].map(|()| listening.dial(""));
    listening.wait_for_connections(3);
    let id = listening.id;
    // A connection before its first request is not idle, as in Node.js.
    listening.application.pool.close_http_connections(id, true);
    listening.application.pool.flush();
    let (first, rest) = waiting.split_at_mut(1);
    first[0].stream.write_all(OTHER.as_bytes()).unwrap();
    listening.next_passed();
    let (handshake, mut peer) = listening.open();
    // Unread bytes would reset the connection.
    rest[0].stream.write_all(b"GET /soc").unwrap();
    listening.application.pool.close_http_connections(id, false);
    listening.close();
    for peer in rest {
        assert_eq!(read_to_end(&mut peer.stream), "");
    }
    listening.accept(&handshake, ConnectionOptions::default());
    assert_eq!(read_head(&mut peer.stream), format!("{ACCEPTED}A: b\r\n\r\n"));
    listening.assert_ends();
}

#[test]
fn a_passed_connection_ends_with_those_that_were_closed_while_it_was_on_its_way() {
    for (are_fresh_idle, is_idle_only) in
        [(true, true), (true, false), (false, false), (false, true)]
    {
        let quiet = ListenerOptions { are_fresh_idle, ..options() };
        let mut listening = Listening::new(quiet.clone());
        let peer = listening.dial("");
        listening.wait_for_connections(1);
        listening.configure(ListenerOptions { is_passing: true, ..quiet });
        let served = (listening.next_descriptor(), peer);
        let mut pass = |request: &str| {
            let peer = listening.dial(request);
            (listening.next_descriptor(), peer)
        };
        let (accepted, with_input) = (pass(""), pass("GET"));
        let is_overtaken = |(descriptor, _): &(PassedDescriptor, Peer)| descriptor.is_overtaken();
        assert!(!is_overtaken(&served) && !is_overtaken(&accepted));
        listening.application.pool.close_http_connections(listening.id, is_idle_only);
        let are_closed = are_fresh_idle || !is_idle_only;
        assert_eq!([&served, &accepted].map(is_overtaken), [are_closed; 2]);
        // Its bytes may still be on their way.
        let start = Instant::now();
        while is_overtaken(&with_input) && start.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(1));
        }
        assert!(!is_overtaken(&with_input));
        let later = (listening.dial(""), listening.next_descriptor());
        assert!(!later.1.is_overtaken());
    }
}

#[test]
fn a_shutdown_closes_the_socket_and_all_connections() {
    let mut listening = Listening::on_threads(options(), 2);
    let mut waiting = [(); 2].map(|()| listening.dial(""));
    listening.wait_for_connections(2);
    let (_handshake, mut peer) = listening.open();
    listening.application.pool.shut_down();
    for peer in &mut waiting {
        assert_eq!(read_to_end(&mut peer.stream), "");
    }
    // Its request has not been read.
    let error = peer.stream.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    TcpListener::bind(listening.address).unwrap();
}

#[test]
fn events_that_nobody_takes_close_their_connections() {
    let listening = Listening::new(ListenerOptions { is_passing: true, ..options() });
    let mut peer = listening.dial("");
    listening.application.wait_for_stats(|stats| stats.notifications == 1);
    drop(listening);
    assert_eq!(read_to_end(&mut peer.stream), "");
}

#[test]
fn nothing_is_accepted_while_the_application_has_much_to_take() {
    let mut listening = Listening::new(options());
    let (id, mut peer) = listening.connect(ConnectionOptions::default());
    let waiting = listening.dial("");
    listening.wait_for_connections(1);
    for _ in 0..6 {
        peer.send(Opcode::Binary, &[7; 1024 * 1024]);
    }
    let before = listening.application.wait_for_stats(|stats| stats.stalls > 0).stalls;
    let mut waiting = waiting;
    waiting.stream.write_all(OTHER.as_bytes()).unwrap();
    let _next = listening.dial(OPENING);
    // The connection that waits and the listener have stalled as well.
    listening.application.wait_for_stats(|stats| stats.stalls >= before + 2);
    assert_eq!(listening.application.pool.http_connections(listening.id), 1);
    let is_binary = |event: &Event| matches!(event, Event::Binary(_));
    for _ in 0..6 {
        listening.application.events_until(id, is_binary);
    }
    next_passed_and_handshake(&mut listening);
}

#[test]
fn more_connections_than_the_limit_wait() {
    let max_per_second = Some(0.001);
    let mut listening = Listening::new(ListenerOptions { max_per_second, ..options() });
    let mut peers = [(); 2].map(|()| listening.dial(OPENING));
    let handshake = listening.next_handshake();
    let id = listening.accept(&handshake, ConnectionOptions::default());
    assert_eq!(read_head(&mut peers[0].stream), format!("{ACCEPTED}A: b\r\n\r\n"));
    // The worker has looked at all that was ready several times.
    for _ in 0..8 {
        listening.application.wait_for_commands(id, &mut peers[0]);
    }
    assert_eq!(listening.application.pool.http_connections(listening.id), 0);
    listening.configure(options());
    listening.next_handshake();
}

#[cfg(target_os = "linux")]
#[test]
fn accepting_goes_on_when_there_are_descriptors_again() {
    // A process of its own has a limit of its own.
    let name = "accepting_goes_on_when_there_are_descriptors_again";
    if std::env::var_os("TURBO_ALONE").is_none() {
        let mut command = std::process::Command::new("sh");
        let test = std::env::current_exe().unwrap();
        command.args(["-c", "ulimit -n 64 && exec \"$0\" --exact \"$1\""]).arg(test).arg(name);
        assert!(command.env("TURBO_ALONE", "1").status().unwrap().success());
        return;
    }
    let mut listening = Listening::new(options());
    let mut files: Vec<_> =
        std::iter::repeat_with(|| std::fs::File::open("/dev/null")).map_while(Result::ok).collect();
    // One is for the peer, whom the kernel connects.
    files.pop();
    let _peer = listening.dial(OPENING);
    assert_eq!(listening.application.pool.http_connections(listening.id), 0);
    files.clear();
    assert_eq!(listening.next_handshake().head, OPENING);
}
