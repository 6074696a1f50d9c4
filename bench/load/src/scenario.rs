//! The scenarios of connected clients.

use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;

use crate::client::Server;
use crate::clock::monotonic_time;
use crate::connection::Traffic;
use crate::deliveries::Deliveries;
use crate::filler::filler;
use crate::plan::{Pacing, Plan};
use crate::process::cpu_time;
use crate::records::rows;
use crate::report::{Connecting, Distribution, Reception, Report, Survival};
use crate::schedule::{Pace, Schedule};
use crate::swarm::Swarm;

/// Most messages sent between two polls, so that a client behind its schedule still reads.
const MAX_BURST: u64 = 64;

/// Deadline after the last message for everything to be sent and answered.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest silence of a server that has begun and not ended.
const MAX_SILENCE: Duration = Duration::from_secs(10);

/// Rest of receiving clients after each read, which is the error of a latency at most. A client on the
/// server's machine that waits for each message makes the server pay for waking it, and lose its core
/// to it; clients on other machines do not. Measured with 1,000 clients and 40 broadcasts per second
/// (CPU of the server per delivered message; context switches of the server per broadcast):
///
/// | rest | ws: CPU | switches | floor: CPU |
/// | --- | --- | --- | --- |
/// | none | 14.7 µs | 380 | 4.3 µs |
/// | 200 µs | 12.4 µs | 30 | 4.5 µs |
/// | 1 ms | 12.1 µs | 10 | 4.4 µs |
pub const REST: Duration = Duration::from_micros(200);

/// Interval between looks for pings that are overdue, which is the error of their time.
const HEARTBEAT_PACE: Duration = Duration::from_millis(5);

/// An event that lets the server broadcast again.
const NEXT: &[u8] = br#"42["next"]"#;

/// The length of an inbound packet of Socket.IO unless another is asked for, in bytes.
pub const INBOUND_LEN: usize = 60;

/// The shortest that has room for any number, in bytes.
const MIN_INBOUND_LEN: usize = EMPTY_INBOUND_LEN + u64::MAX.ilog10() as usize + 1;

/// One without number and text.
const EMPTY_INBOUND_LEN: usize = r#"2["message",{"n":,"text":""}]"#.len();

/// The name of the records in a packet.
const RECORDS: &str = r#","records":"#;

/// How many arrays of records there are. A prime, so that clients which take turns send all of them,
/// each one: no window reaches back to the same.
const ARRAYS: usize = 61;

/// The content of inbound events.
#[derive(Clone, Copy)]
pub struct Content {
    /// The length of a packet of Socket.IO in bytes.
    pub len: usize,
    /// True if it holds JSON records, which are followed by a text that fills it up.
    pub has_records: bool,
}

impl Content {
    /// Returns the shortest length that has room for any number, in bytes.
    pub fn min_len(self) -> usize {
        if self.has_records {
            MIN_INBOUND_LEN + RECORDS.len() + "[]".len()
        } else {
            MIN_INBOUND_LEN
        }
    }
}

/// The packets of inbound events.
struct InboundPackets {
    len: usize,
    /// Members of an object, in JSON, that stand behind the number.
    members: Vec<String>,
    text: String,
}

impl InboundPackets {
    fn new(content: Content) -> Self {
        let members = if content.has_records {
            let len = content.len - MIN_INBOUND_LEN - RECORDS.len();
            (0..ARRAYS).map(|seed| RECORDS.to_owned() + &rows(len, seed as u64)).collect()
        } else {
            vec![String::new()]
        };
        Self { len: content.len, members, text: filler(content.len) }
    }

    /// Returns the Engine.IO packet of an event, filled up with text.
    fn packet(&self, index: u64) -> String {
        let number = index.to_string();
        let array = (index % self.members.len() as u64) as usize;
        let members = self.members.get(array).map(String::as_str).unwrap_or_default();
        let len = self.len.saturating_sub(EMPTY_INBOUND_LEN + number.len() + members.len());
        let text = self.text.get(..len).unwrap_or_default();
        format!(r#"42["message",{{"n":{number}{members},"text":"{text}"}}]"#)
    }
}

/// Connects all clients at once.
pub fn connect(server: Server, clients: usize) -> Result<(Swarm, Connecting)> {
    let (start, cpu_at_start) = (Instant::now(), cpu_time());
    let mut latency = Distribution::new()?;
    let swarm = Swarm::connect_at_once(server, clients, || latency.record(start.elapsed()))?;
    let cpu = (cpu_time() - cpu_at_start).as_micros();
    Ok((swarm, Connecting { cpu, latency: latency.summary() }))
}

/// Answers heartbeats until a line comes on standard input, and closes connections on which the
/// server's ping is overdue, as engine.io-client does. Then each client that is left sends a
/// `message`.
pub fn survive(swarm: &mut Swarm) -> Result<Survival> {
    let (sender, line) = channel();
    std::thread::spawn(move || {
        // An unreadable standard input has ended, which ends this scenario, too.
        let _ = std::io::stdin().read_line(&mut String::new());
        sender.send(())
    });
    let (mut closed, mut unpinged) = (0, 0);
    while line.try_recv().is_err() {
        closed += swarm.poll_losing(HEARTBEAT_PACE)?;
        // After it has read all pings that have come.
        unpinged += swarm.lose_unpinged();
    }
    let packets = InboundPackets::new(Content { len: INBOUND_LEN, has_records: false });
    let left = swarm.send_from_all(packets.packet(0).as_bytes())?;
    drain(swarm)?;
    Ok(Survival { closed, unpinged, left })
}

/// The clients take turns in sending a numbered event.
pub fn inbound(swarm: &mut Swarm, pace: &Pace, content: Content) -> Result<Report> {
    let packets = InboundPackets::new(content);
    let mut sending = Sending::start(swarm, pace)?;
    sending.send_all(swarm, |index| packets.packet(index), |_, _| Ok(()))?;
    drain(swarm)?;
    Ok(sending.report(swarm, 0, &Distribution::new()?))
}

/// Waits until the kernel has taken everything that was sent.
fn drain(swarm: &mut Swarm) -> Result<()> {
    let deadline = Instant::now() + DRAIN_TIMEOUT;
    while !swarm.is_flushed() {
        ensure!(Instant::now() < deadline, "the server stopped reading");
        swarm.poll(deadline, |_, _| Ok(()))?;
    }
    Ok(())
}

/// The clients take turns in sending an event with `payload` bytes of text, which the
/// server acknowledges with the same text. Answers that are late by more than
/// [`DRAIN_TIMEOUT`] are missing in the report.
pub fn echo(swarm: &mut Swarm, pace: &Pace, payload: usize) -> Result<Report> {
    let text = filler(payload);
    let mut sending = Sending::start(swarm, pace)?;
    let mut echoes = Echoes::new(sending.schedule, &text)?;
    let event = |index| format!(r#"42{index}["echo","{text}"]"#);
    sending.send_all(swarm, event, |_, packet| echoes.handle_packet(&packet))?;
    let deadline = Instant::now() + DRAIN_TIMEOUT;
    while echoes.received < sending.schedule.len() && Instant::now() < deadline {
        swarm.poll(deadline, |_, packet| echoes.handle_packet(&packet))?;
    }
    Ok(sending.report(swarm, echoes.received, &echoes.latency))
}

/// Receives until the server sends `end`; it begins when it likes, such as when the clients of another
/// server are connected, too. With a window, a client sends `next` for each broadcast that
/// all its recipients have.
pub fn broadcast(swarm: &mut Swarm, plan: &Plan) -> Result<Reception> {
    let (cpu_at_start, traffic_at_start) = (cpu_time(), swarm.traffic());
    let mut deliveries = Deliveries::new(swarm.len(), plan)?;
    while !deliveries.have_ended() {
        let completed = deliveries.completed();
        receive(swarm, &mut deliveries)?;
        if matches!(plan.pacing, Pacing::Window(_)) {
            (completed..deliveries.completed()).try_for_each(|_| swarm.send(0, NEXT))?;
        }
    }
    Ok(Reception {
        received: deliveries.received(),
        received_meanwhile: deliveries.received_meanwhile(),
        cpu: (cpu_time() - cpu_at_start).as_micros(),
        traffic: swarm.traffic() - traffic_at_start,
        latency: deliveries.latency().summary(),
        until_last: deliveries.until_last().summary(),
    })
}

/// Serves the connections once, and rests.
///
/// # Errors
///
/// If a connection is lost, a packet is unexpected, or the server falls silent.
fn receive(swarm: &mut Swarm, deliveries: &mut Deliveries) -> Result<()> {
    let start = Instant::now();
    swarm.poll_for(MAX_SILENCE, |client, packet| {
        deliveries.handle_packet(client, &packet, monotonic_time())
    })?;
    let is_silent = deliveries.received() > 0 && start.elapsed() >= MAX_SILENCE;
    ensure!(!is_silent, "the server has fallen silent");
    std::thread::sleep(REST);
    Ok(())
}

/// A sender that keeps a schedule, and its statistics.
struct Sending {
    schedule: Schedule,
    lateness: Distribution,
    cpu_at_start: Duration,
    traffic_at_start: Traffic,
}

impl Sending {
    fn start(swarm: &Swarm, pace: &Pace) -> Result<Self> {
        Ok(Self {
            cpu_at_start: cpu_time(),
            traffic_at_start: swarm.traffic(),
            lateness: Distribution::new()?,
            schedule: Schedule::start(pace),
        })
    }

    /// Sends `event(index)` for each message of the schedule when it is due.
    fn send_all(
        &mut self,
        swarm: &mut Swarm,
        event: impl Fn(u64) -> String,
        mut received: impl FnMut(usize, Bytes) -> Result<()>,
    ) -> Result<()> {
        let mut index = 0;
        while index < self.schedule.len() {
            let burst_end = self.schedule.len().min(index + MAX_BURST);
            while index < burst_end
                && let Some(late) = self.schedule.lateness(index)
            {
                self.record_lateness(index, late);
                swarm.send(index, event(index).as_bytes())?;
                index += 1;
            }
            swarm.poll(self.schedule.due(index), &mut received)?;
        }
        Ok(())
    }

    fn record_lateness(&mut self, index: u64, late: Duration) {
        if self.schedule.is_measured(index) {
            self.lateness.record(late);
        }
    }

    fn report(&self, swarm: &Swarm, received: u64, latency: &Distribution) -> Report {
        Report {
            sent: self.schedule.len(),
            received,
            cpu: (cpu_time() - self.cpu_at_start).as_micros(),
            traffic: swarm.traffic() - self.traffic_at_start,
            lateness: self.lateness.summary(),
            latency: latency.summary(),
        }
    }
}

/// The acknowledgements received.
struct Echoes {
    schedule: Schedule,
    /// The JSON after each ack id.
    data: String,
    /// By index: true once the message has been answered.
    answered: Vec<bool>,
    received: u64,
    latency: Distribution,
}

impl Echoes {
    fn new(schedule: Schedule, text: &str) -> Result<Self> {
        Ok(Self {
            schedule,
            data: format!(r#"["{text}"]"#),
            answered: vec![false; schedule.len() as usize],
            received: 0,
            latency: Distribution::new()?,
        })
    }

    /// Socket.IO v5, "Packet encoding": an ACK is 3, the ack id, and the arguments.
    fn handle_packet(&mut self, packet: &[u8]) -> Result<()> {
        let now = Instant::now();
        let packet = std::str::from_utf8(packet)?;
        let id = packet.strip_prefix('3').and_then(|rest| rest.strip_suffix(&self.data));
        let index: u64 = id.context("what came is no echo")?.parse()?;
        let answered = self.answered.get_mut(index as usize).context("an unknown ack id")?;
        ensure!(!std::mem::replace(answered, true), "a second answer to message {index}");
        self.received += 1;
        if self.schedule.is_measured(index) {
            self.latency.record(now.saturating_duration_since(self.schedule.due(index)));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn echoes() -> Result<Echoes> {
        let second = Duration::from_secs(1);
        let pace = Pace { rate: 2, warm_up: Duration::ZERO, measured: second };
        Echoes::new(Schedule::start(&pace), "text")
    }

    #[test]
    fn an_inbound_packet_is_as_long_as_asked() {
        for has_records in [false, true] {
            let shortest = Content { len: 0, has_records }.min_len();
            for len in [shortest, 90, 16_384] {
                let packets = InboundPackets::new(Content { len, has_records });
                for index in [0, 12_345, u64::MAX] {
                    assert_eq!(packets.packet(index).len(), "4".len() + len);
                }
            }
        }
    }

    #[test]
    fn an_inbound_packet_holds_a_text_or_records() {
        let packet = |len, has_records| InboundPackets::new(Content { len, has_records }).packet(7);
        assert_eq!(packet(50, false), r#"42["message",{"n":7,"text":"The quick brown fox "}]"#);
        let records = packet(62, true);
        assert_eq!(records, r#"42["message",{"n":7,"records":[],"text":"The quick brown fox"}]"#);
        assert!(packet(1_000, true).starts_with(r#"42["message",{"n":7,"records":[{"id":""#));
    }

    #[test]
    fn each_message_is_answered_once() -> Result<()> {
        let mut echoes = echoes()?;
        echoes.handle_packet(br#"31["text"]"#)?;
        echoes.handle_packet(br#"30["text"]"#)?;
        assert_eq!(echoes.received, 2);
        assert!(echoes.handle_packet(br#"30["text"]"#).is_err());
        Ok(())
    }

    #[test]
    fn what_was_not_sent_is_refused() -> Result<()> {
        let packets = [r#"30["texT"]"#, r#"32["text"]"#, r#"3["text"]"#, r#"20["text"]"#, "3"];
        for packet in packets {
            assert!(echoes()?.handle_packet(packet.as_bytes()).is_err(), "{packet}");
        }
        Ok(())
    }
}
