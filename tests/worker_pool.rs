//! Workers of a pool, their threads and the ids of connections, over real sockets.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

#[path = "support/application.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod application;

use application::{Application, Peer, is_end};
use socket_io_turbo::net::{ConnectionId, ConnectionOptions};

#[test]
fn shutting_down_writes_queued_frames_and_closes_all_connections() {
    let mut application = Application::new();
    let (first, mut peer) = application.connect(ConnectionOptions::default());
    let (_, mut idle) = application.connect(ConnectionOptions::default());
    application.send_text(first, "last words");
    application.pool.shut_down();
    assert_eq!(peer.next_text(), "last words");
    assert!(peer.next_event().is_none());
    assert!(idle.next_event().is_none());
    // Commands do nothing, and nothing panics.
    application.send_text(first, "nobody");
    application.pool.flush();
    assert!(!application.pool.take(1, |_, event| panic!("{event:?}")));
}

#[test]
fn an_id_is_reused_after_its_release() {
    let mut application = Application::new();
    let (first, _peer) = application.connect(ConnectionOptions::default());
    application.pool.terminate(first);
    application.pool.flush();
    application.wait_for_stats(|stats| stats.connections == 0 && stats.opened == 1);
    let (second, mut other) = application.connect(ConnectionOptions::default());
    assert_ne!(first, second);
    application.send_text(first, "to nobody");
    application.send_text(second, "to the second");
    application.pool.flush();
    assert_eq!(other.next_text(), "to the second");
    application.events_until(first, is_end);
    let (third, mut peer) = application.connect(ConnectionOptions::default());
    assert_eq!(third, first);
    application.send_text(third, "to the third");
    application.pool.flush();
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
        application.pool.flush();
        assert_eq!(peer.next_text(), "hello");
    }
    let opened = application.pool.stats().map(|stats| stats.opened).collect::<Vec<_>>();
    assert_eq!(opened, [2, 2, 2]);
}

/// Returns the ids of the I/O threads of this process.
#[cfg(target_os = "linux")]
fn io_threads() -> Vec<std::ffi::OsString> {
    let is_ours = |entry: &std::fs::DirEntry| {
        std::fs::read_to_string(entry.path().join("comm"))
            .is_ok_and(|name| name == "socket.io-turbo\n")
    };
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    tasks.flatten().filter(is_ours).map(|entry| entry.file_name()).collect()
}

/// Sends a message and waits until the peer has it.
fn assert_serves(application: &mut Application, id: ConnectionId, peer: &mut Peer) {
    application.send_text(id, "hello");
    application.pool.flush();
    assert_eq!(peer.next_text(), "hello");
}

#[test]
fn pools_of_one_thread_end_one_by_one() {
    let mut applications = [(); 3].map(|()| Application::new());
    let mut ends = applications.each_mut().map(|each| each.connect(ConnectionOptions::default()));
    for ((id, peer), application) in ends.iter_mut().zip(&mut applications) {
        assert_serves(application, *id, peer);
    }
    applications[1].pool.shut_down();
    assert!(ends[1].1.next_event().is_none());
    for index in [0, 2] {
        let (id, peer) = &mut ends[index];
        assert_serves(&mut applications[index], *id, peer);
    }
}

#[test]
fn a_pool_without_connections_rests_and_starts_again() {
    let mut application = Application::new();
    for round in 1..=3 {
        let (id, mut peer) = application.connect(ConnectionOptions::default());
        application.pool.rest();
        assert_serves(&mut application, id, &mut peer);
        application.pool.terminate(id);
        application.pool.flush();
        application.events_until(id, is_end);
        application.pool.rest();
        let stats = application.pool.stats().collect::<Vec<_>>();
        let [stats] = stats.as_slice() else { panic!("{stats:?}") };
        assert_eq!((stats.opened, stats.connections, stats.frames_out), (round, 0, round));
        application.notify_again();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn pools_of_one_thread_share_a_thread_which_ends_with_the_last() {
    // A process of its own has no threads of other tests.
    let name = "pools_of_one_thread_share_a_thread_which_ends_with_the_last";
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
    // The kernel removes a thread from its list shortly after it has been joined.
    while !io_threads().is_empty() {
        std::thread::yield_now();
    }
    drop(ends);
}
