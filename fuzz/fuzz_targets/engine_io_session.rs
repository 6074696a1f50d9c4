//! Plays the input as the life of an Engine.IO session: packets, ends, timeouts, and time that passes.
//! The session must end once at most, do nothing afterwards, and never ask for a time that has passed.

#![no_main]

use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use socket_io_turbo::proto::engine_io::{
    Action, CloseReason, Heartbeat, PacketType, ProtocolVersion, Session,
};

/// Calls of `handle_timeout()` that one time can need: a ping is due, then its answer.
const MAX_CALLS: usize = 2;

struct Driver {
    session: Session,
    now: Instant,
    ends: usize,
}

impl Driver {
    fn handle(&mut self, action: Option<Action>) {
        self.ends += usize::from(matches!(action, Some(Action::Close(_))));
        assert!(self.ends <= 1);
        assert_eq!(self.session.is_closed(), self.ends == 1);
        assert!(!self.session.is_closed() || self.session.poll_timeout().is_none());
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        for _ in 0..MAX_CALLS {
            let action = self.session.handle_timeout(self.now);
            self.handle(action);
        }
        assert!(self.session.poll_timeout().is_none_or(|due| due > self.now));
    }

    fn step(&mut self, step: u8, argument: u8) {
        match step % 8 {
            0 => {
                let ended = self.session.handle_end(CloseReason::TransportClose);
                self.handle(ended);
            }
            1 => self.session.change_transport(),
            2 => {
                let was_open = self.session.is_open();
                assert_eq!(self.session.close(), was_open);
                assert!(!self.session.is_open());
            }
            3 | 4 => self.pass(Duration::from_millis(argument.into())),
            _ => {
                let Some(packet_type) = PacketType::from_digit(b'0' + argument % 7) else { return };
                let was_open = self.session.is_open();
                let action = self.session.handle_packet(packet_type, self.now);
                assert!(was_open || action.is_none());
                self.handle(action);
            }
        }
    }
}

fuzz_target!(|input: &[u8]| {
    let [version, interval, timeout, steps @ ..] = input else { return };
    let version = if version % 2 == 0 { ProtocolVersion::V4 } else { ProtocolVersion::V3 };
    let heartbeat = Heartbeat {
        ping_interval: Duration::from_millis(u64::from(*interval) + 1),
        ping_timeout: Duration::from_millis(u64::from(*timeout) + 1),
    };
    let now = Instant::now();
    let mut driver = Driver { session: Session::open(version, heartbeat, now), now, ends: 0 };
    for step in steps.chunks_exact(2) {
        driver.step(step[0], step[1]);
    }
    // A peer that is awaited and silent is given up, however it has behaved before.
    if driver.session.poll_timeout().is_some() {
        driver.pass(heartbeat.ping_interval);
        driver.pass(heartbeat.ping_interval + heartbeat.ping_timeout);
        assert!(driver.session.is_closed());
    }
});
