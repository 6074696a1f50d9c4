//! Runs sessions for a comparison with engine.io: one program a line as JSON on standard input, its
//! trace as a JSON array on standard output. `__test__/conformance/engine-session.test.js` documents
//! programs and traces.

use std::io::{self, BufWriter, Write};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};
use socket_io_turbo::proto::engine_io::{
    Action, CloseReason, Heartbeat, Packet, ProtocolVersion, Session, Upgrade, UpgradeAction,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Program {
    protocol: u8,
    ping_interval: u64,
    ping_timeout: u64,
    upgrade_timeout: u64,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Step {
    Advance(u64),
    Packet(String),
    Transport(String),
    Writable(bool),
    Send,
    Close,
    Upgrade,
    Probe(String),
}

fn main() -> io::Result<()> {
    let mut output = BufWriter::new(io::stdout().lock());
    for line in io::stdin().lines() {
        let program: Program = serde_json::from_str(&line?)?;
        let mut driver = Driver::new(&program);
        program.steps.iter().for_each(|step| driver.run(step));
        writeln!(output, "{}", Value::from(driver.trace))?;
    }
    output.flush()
}

/// Drives a session whose first transport is polling, without any I/O.
struct Driver {
    start: Instant,
    now: Instant,
    session: Session,
    upgrade: Option<Upgrade>,
    upgrade_timeout: Duration,
    transport: &'static str,
    is_writable: bool,
    has_queued: bool,
    trace: Vec<Value>,
}

impl Driver {
    fn new(program: &Program) -> Self {
        let start = Instant::now();
        let version = if program.protocol == 3 { ProtocolVersion::V3 } else { ProtocolVersion::V4 };
        let heartbeat = Heartbeat {
            ping_interval: Duration::from_millis(program.ping_interval),
            ping_timeout: Duration::from_millis(program.ping_timeout),
        };
        Self {
            start,
            now: start,
            session: Session::open(version, heartbeat, start),
            upgrade: None,
            upgrade_timeout: Duration::from_millis(program.upgrade_timeout),
            transport: "polling",
            is_writable: true,
            has_queued: false,
            trace: Vec::new(),
        }
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::Advance(milliseconds) => self.advance(Duration::from_millis(*milliseconds)),
            Step::Packet(text) => {
                let packet_type = packet(text).packet_type();
                let action = self.session.handle_packet(packet_type, self.now);
                self.act(action);
            }
            Step::Transport(end) if !self.session.is_closed() => self.end_transport(end),
            Step::Writable(is_writable) => self.set_writable(*is_writable),
            Step::Send => self.send(),
            Step::Close => self.close(),
            Step::Upgrade if self.can_upgrade() => {
                self.upgrade = Some(Upgrade::begin(self.upgrade_timeout, self.now));
            }
            Step::Probe(text) => self.probe(text),
            Step::Transport(_) | Step::Upgrade => {}
        }
    }

    /// Handles all timers up to `by` from now, in their order.
    fn advance(&mut self, by: Duration) {
        let end = self.now + by;
        loop {
            let upgrade = self.upgrade.as_ref().map(Upgrade::poll_timeout);
            let session = self.session.poll_timeout();
            let Some(due) = session.into_iter().chain(upgrade).min().filter(|due| *due <= end)
            else {
                break;
            };
            self.now = due;
            if session == Some(due) {
                let action = self.session.handle_timeout(due);
                self.act(action);
            } else {
                let action = self.upgrade.as_mut().and_then(|upgrade| upgrade.handle_timeout(due));
                self.act_on_upgrade(action);
            }
        }
        self.now = end;
    }

    fn act(&mut self, action: Option<Action>) {
        match action {
            None => {}
            Some(Action::SendPing) => {
                self.log("ping");
                self.send();
            }
            Some(Action::SendPong) => {
                self.log("pong");
                self.send();
                self.log("heartbeat");
            }
            Some(Action::Heartbeat) => self.log("heartbeat"),
            Some(Action::Deliver) => self.log("message"),
            Some(Action::Close(reason)) => {
                if reason != CloseReason::TransportClose {
                    self.log(&format!("end {}", self.transport));
                }
                self.log(reason.as_str());
                if self.upgrade.take().is_some() {
                    self.log("end websocket");
                }
            }
        }
    }

    fn act_on_upgrade(&mut self, action: Option<UpgradeAction>) {
        match action {
            None => {}
            Some(UpgradeAction::AnswerProbe) => self.log("answer"),
            Some(UpgradeAction::EndPoll) if self.is_writable => self.log("noop"),
            Some(UpgradeAction::EndPoll) => {}
            Some(UpgradeAction::Abandon) => {
                self.upgrade = None;
                self.log("end websocket");
            }
            Some(UpgradeAction::Complete) => {
                self.upgrade = None;
                self.log("end polling");
                self.transport = "websocket";
                self.session.change_transport();
                self.log("upgrade");
                self.set_writable(true);
            }
        }
    }

    fn end_transport(&mut self, end: &str) {
        let reason = match end {
            "close" => CloseReason::TransportClose,
            "error" => CloseReason::TransportError,
            _ => CloseReason::ParseError,
        };
        let is_dropped = reason == CloseReason::ParseError && !self.session.is_open();
        let action = if is_dropped { None } else { self.session.handle_end(reason) };
        self.act(action);
    }

    fn send(&mut self) {
        self.has_queued |= self.session.is_open() && !self.is_writable;
    }

    fn set_writable(&mut self, is_writable: bool) {
        self.is_writable = is_writable;
        let was_queued = self.has_queued && is_writable;
        self.has_queued &= !is_writable;
        if was_queued && !self.session.is_open() {
            self.force_close();
        }
    }

    fn close(&mut self) {
        if self.session.close() && !self.has_queued {
            self.force_close();
        }
    }

    fn force_close(&mut self) {
        let action = self.session.handle_end(CloseReason::ForcedClose);
        self.act(action);
    }

    fn can_upgrade(&self) -> bool {
        self.upgrade.is_none() && self.transport == "polling" && !self.session.is_closed()
    }

    fn probe(&mut self, text: &str) {
        let Some(upgrade) = &mut self.upgrade else { return };
        let action = match text {
            "close" => {
                // The transport has closed by itself.
                self.upgrade = None;
                return;
            }
            _ => upgrade.handle_packet(&packet(text), self.now),
        };
        self.act_on_upgrade(Some(action));
    }

    fn log(&mut self, what: &str) {
        let milliseconds = (self.now - self.start).as_millis() as u64;
        self.trace.push(json!([milliseconds, what]));
    }
}

/// Decodes a packet of a program, which is valid.
fn packet(text: &str) -> Packet {
    Packet::decode_text(text.to_owned().into())
        .unwrap_or_else(|_| Packet::new(socket_io_turbo::proto::engine_io::PacketType::Noop))
}
