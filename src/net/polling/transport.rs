//! Long-polling, in the place of a connection's socket.

use std::cell::RefCell;
use std::io::IoSlice;
use std::mem;
use std::rc::Rc;
use std::time::{Duration, Instant};

use zlib_rs::{Deflate, DeflateConfig, DeflateFlush, Status};

use super::{Exchange, Payload, Probe, Upgrading};
use crate::net::PollingState;
use crate::net::connection_task::ConnectionTask;
use crate::proto::engine_io::{PacketType, Upgrade};
use crate::proto::http::{Content, ContentCoding, Values};

/// Bytes by which the room for compressed packets grows.
const CHUNK: usize = 16 * 1024;

/// Options of a polling session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PollingOptions {
    /// Header lines of all responses, in front of others, each with CRLF.
    pub first_lines: String,
    /// Further header lines of the response with the open packet, each with CRLF.
    pub opening_lines: String,
    /// The value of `Origin` that these lines are for; a request with another is left to the
    /// application. `None` if they do not depend on it.
    pub origin: Option<Option<Vec<u8>>>,
    /// Packets of fewer bytes are not compressed; `None` if packets never are.
    pub compression_threshold: Option<usize>,
    /// The longest payload of the client in bytes.
    pub max_payload: usize,
    /// The number of packets that go with the open packet; others wait for the next poll.
    pub initial_packets: usize,
    /// Time within which an upgrade must be complete.
    pub upgrade_timeout: Duration,
}

impl PollingOptions {
    /// Returns whether the header lines are right for a request with this `Origin`.
    pub(in crate::net) fn has_lines_for(&self, origin: Values<'_>) -> bool {
        let Some(expected) = &self.origin else { return true };
        match origin {
            Values::Absent => expected.is_none(),
            Values::Single(origin) => expected.as_deref() == Some(origin),
            Values::Repeated => false,
        }
    }
}

/// A payload of the client that has not been answered.
#[derive(Debug)]
struct Received {
    exchange: Rc<Exchange>,
    step: Step,
}

/// The progress of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// More of it is to come.
    Incomplete,
    /// The application does not know that it is complete.
    Complete,
    /// The application has its packets, and is about to have it answered.
    Reported,
}

/// The transport of a session between its requests.
///
/// Takes whole frames from the connection's queue while a request of the client is pending, a *poll*;
/// all that is taken until [`end_batch`](Self::end_batch) is one response.
#[derive(Debug)]
pub(in crate::net) struct PollingTransport {
    sid: Box<str>,
    options: PollingOptions,
    /// The pending poll.
    poll: Option<Rc<Exchange>>,
    payload: Payload,
    /// True if a packet of the payload may be compressed.
    is_compressible: bool,
    /// Set while a poll that has just come takes what waits for it.
    is_new_poll: bool,
    /// The packets that the first response still takes; `None` once it was sent.
    opening: Option<usize>,
    /// Set while requests are left to the application.
    pub(in crate::net) is_passing: bool,
    /// The payload that the client sends, until it is answered.
    received: Option<Received>,
    /// Set while the application waits for the end of the payload.
    awaits_received: bool,
    /// Set while the application waits for a poll that takes nothing.
    awaits_writable: bool,
    /// Set when the close packet was sent, the last of the session.
    is_closed: bool,
    /// The packet for a poll that is pending when the session ends.
    last_packet: PacketType,
    /// The WebSocket to which the client wants to change.
    probe: Option<Rc<Probe>>,
}

impl PollingTransport {
    /// Creates the transport of a session whose first poll is the request that opens it.
    pub(in crate::net) fn new(sid: &str, options: PollingOptions) -> Self {
        Self {
            sid: sid.into(),
            opening: Some(1 + options.initial_packets),
            options,
            poll: None,
            payload: Payload::default(),
            is_compressible: false,
            is_new_poll: false,
            is_passing: false,
            received: None,
            awaits_received: false,
            awaits_writable: false,
            is_closed: false,
            last_packet: PacketType::Close,
            probe: None,
        }
    }

    /// Returns the options of the session.
    pub(in crate::net) const fn options(&self) -> &PollingOptions {
        &self.options
    }

    /// Returns the id of the session.
    pub(in crate::net) const fn sid(&self) -> &str {
        &self.sid
    }

    /// Returns whether packets go out at once.
    pub(in crate::net) const fn has_poll(&self) -> bool {
        self.poll.is_some()
    }

    /// Has [`take_awaited`](Self::take_awaited) return true once.
    pub(in crate::net) const fn await_state(&mut self, awaited: PollingState) {
        *self.awaited(awaited) = true;
    }

    /// Returns whether the application waits for this state, which is reached.
    pub(in crate::net) const fn take_awaited(&mut self, reached: PollingState) -> bool {
        mem::replace(self.awaited(reached), false)
    }

    const fn awaited(&mut self, state: PollingState) -> &mut bool {
        match state {
            PollingState::Received => &mut self.awaits_received,
            PollingState::Writable => &mut self.awaits_writable,
        }
    }

    /// Makes a request the pending poll.
    pub(in crate::net) fn begin_poll(&mut self, exchange: Rc<Exchange>) {
        self.poll = Some(exchange);
        self.is_new_poll = true;
    }

    /// Forgets the pending poll, whose connection has ended. Returns whether it was this one.
    pub(in crate::net) fn drop_poll(&mut self, exchange: &Rc<Exchange>) -> bool {
        self.poll.take_if(|poll| Rc::ptr_eq(poll, exchange)).is_some()
    }

    /// Forgets the pending poll, if it is one of the application.
    pub(in crate::net) fn drop_application_poll(&mut self) {
        self.poll.take_if(|poll| poll.is_of_application());
    }

    /// Takes whole frames. Returns their length; `None` if they have to wait for a poll.
    pub(in crate::net) fn write(&mut self, slices: &[IoSlice<'_>]) -> Option<usize> {
        self.poll.as_ref()?;
        // Others wait for the next poll, as in engine.io.
        let slices = match &mut self.opening {
            Some(0) => return None,
            Some(left) => {
                // Each is one packet.
                let (taken, _) = slices.split_at(slices.len().min(*left));
                *left -= taken.len();
                taken
            }
            None => slices,
        };
        let mut taken = 0;
        for frames in slices {
            let length = self.payload.push_frames(frames, self.is_new_poll);
            taken += length;
            if length < frames.len() {
                break;
            }
        }
        (taken > 0).then_some(taken)
    }

    /// Marks the packets that are sent next as such that may be compressed.
    pub(in crate::net) const fn allow_compression(&mut self) {
        self.is_compressible = true;
    }

    /// Sends the packets that were taken.
    pub(in crate::net) fn end_batch(&mut self) {
        self.is_new_poll = false;
        if !self.payload.is_empty() {
            self.respond();
        }
    }

    /// Returns whether the close packet was sent, after which the session is over.
    pub(in crate::net) const fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Ends the pending poll, if there is one, without a packet of the application: the client pauses
    /// polling before it upgrades.
    pub(in crate::net) fn end_poll(&mut self) {
        if self.poll.is_some() && self.payload.is_empty() {
            self.payload.push(PacketType::Noop);
            self.respond();
        }
    }

    /// Lets the pending poll end with a noop instead of a close packet, since the client has closed the
    /// session itself.
    pub(in crate::net) const fn handle_close_packet(&mut self) {
        self.last_packet = PacketType::Noop;
    }

    /// Begins to receive a payload, unless another is being received.
    pub(in crate::net) fn begin_payload(&mut self, exchange: &Rc<Exchange>) -> bool {
        let is_first = self.received.is_none();
        if is_first {
            self.received =
                Some(Received { exchange: Rc::clone(exchange), step: Step::Incomplete });
        }
        is_first
    }

    /// Has the payload answered when the application has handled it.
    pub(in crate::net) const fn complete_payload(&mut self) {
        if let Some(received) = &mut self.received {
            received.step = Step::Complete;
        }
    }

    /// Returns true once, when a payload is complete.
    pub(in crate::net) fn take_complete_payload(&mut self) -> bool {
        let mut received = self.received.as_mut();
        let complete = received.as_mut().filter(|received| received.step == Step::Complete);
        complete.map(|received| received.step = Step::Reported).is_some()
    }

    /// Returns whether the client sends a payload, or waits for the answer to one.
    pub(in crate::net) const fn is_receiving(&self) -> bool {
        self.received.is_some()
    }

    /// Answers a payload that is complete. Returns whether there is one.
    pub(in crate::net) fn answer_payload(&mut self) -> bool {
        let received = self.received.take_if(|received| received.step != Step::Incomplete);
        if let Some(Received { exchange, .. }) = &received {
            exchange.respond(Content::Ok, &self.options.first_lines, "");
        }
        received.is_some()
    }

    /// Leaves the answer to a payload to the application, if that has the request. Returns whether it has.
    pub(in crate::net) fn leave_payload(&mut self) -> bool {
        self.received.take_if(|received| received.exchange.is_of_application()).is_some()
    }

    /// Forgets a payload whose connection has ended.
    pub(in crate::net) fn drop_payload(&mut self) {
        self.received = None;
    }

    /// Ends the connection whose payload is incomplete, if there is one.
    pub(in crate::net) fn abort_payload(&self) {
        let received = self.received.as_ref();
        if let Some(received) = received.filter(|received| received.step == Step::Incomplete) {
            received.exchange.abort();
        }
    }

    /// Refuses a request that overlaps another.
    pub(in crate::net) fn refuse(&self, exchange: &Exchange) {
        exchange.respond(Content::BadRequest, &self.options.first_lines, "");
    }

    /// Begins a change to a WebSocket, unless one has begun. The caller spawns the task.
    pub(in crate::net) fn begin_upgrade(
        &mut self,
        session: &Rc<ConnectionTask>,
        upgrading: Upgrading,
    ) -> Option<Rc<Probe>> {
        if self.probe.is_some() {
            return None;
        }
        let machine = Upgrade::begin(self.options.upgrade_timeout, Instant::now());
        let probe = Rc::new(Probe::new(Rc::clone(session), upgrading, machine));
        self.probe = Some(Rc::clone(&probe));
        Some(probe)
    }

    /// Forgets the WebSocket.
    pub(in crate::net) fn end_upgrade(&mut self) {
        self.probe = None;
    }

    /// Returns whether there is a WebSocket to which the client wants to change.
    pub(in crate::net) const fn is_upgrading(&self) -> bool {
        self.probe.is_some()
    }

    /// Ends the session.
    pub(in crate::net) fn finish(&mut self) {
        self.end_batch();
        self.answer_payload();
        self.abort_payload();
        if self.poll.is_some() {
            self.payload.push(self.last_packet);
            self.respond();
        }
        if let Some(probe) = self.probe.take() {
            probe.handle_session_end();
        }
    }

    fn respond(&mut self) {
        let Some(poll) = self.poll.take() else { return };
        self.opening = None;
        self.is_closed = self.payload.has_close();
        let text = mem::take(&mut self.payload).into_text();
        let text = match poll.respond_to_application(text) {
            Some(text) => text,
            None => return,
        };
        let is_compressible = mem::take(&mut self.is_compressible)
            && self.options.compression_threshold.is_some_and(|threshold| text.len() >= threshold);
        let coding = poll.coding().filter(|_| is_compressible);
        let compressed = coding.and_then(|coding| Some((coding, compress(coding, &text)?)));
        let content = match &compressed {
            Some((coding, compressed)) => Content::Compressed(*coding, compressed),
            None => Content::Payload(&text),
        };
        let opening_lines = mem::take(&mut self.options.opening_lines);
        poll.respond(content, &self.options.first_lines, &opening_lines);
    }
}

thread_local! {
    static COMPRESSORS: RefCell<[Option<Deflate>; 2]> = const { RefCell::new([None, None]) };
}

/// Compresses with zlib's defaults, as Node.js does.
fn compress(coding: ContentCoding, text: &[u8]) -> Option<Vec<u8>> {
    COMPRESSORS.with_borrow_mut(|[gzip, deflate]| {
        let (compressor, window_bits) = match coding {
            // zlib: 16 more for gzip.
            ContentCoding::Gzip => (gzip, 15 + 16),
            ContentCoding::Deflate => (deflate, 15),
        };
        let compressor = compressor.get_or_insert_with(|| {
            Deflate::new_with_config(DeflateConfig { window_bits, ..DeflateConfig::default() })
        });
        compress_by(compressor, text)
    })
}

fn compress_by(compressor: &mut Deflate, text: &[u8]) -> Option<Vec<u8>> {
    compressor.reset();
    let mut output = Vec::new();
    loop {
        let (taken, filled) = (usize::try_from(compressor.total_in()).ok()?, output.len());
        output.resize(filled + CHUNK, 0);
        let input = text.get(taken..)?;
        let status =
            compressor.compress(input, output.get_mut(filled..)?, DeflateFlush::Finish).ok()?;
        output.truncate(usize::try_from(compressor.total_out()).ok()?);
        if status == Status::StreamEnd {
            return Some(output);
        }
        if output.len() == filled {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use zlib_rs::{Inflate, InflateFlush};

    use super::compress;
    use crate::proto::http::ContentCoding;

    #[test]
    fn compressed_packets_are_what_they_were() {
        let long: Vec<u8> =
            (0..200_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        for text in [&b"4hello"[..], &b"4hello".repeat(1000), &long] {
            for (coding, window_bits) in [(ContentCoding::Gzip, 31), (ContentCoding::Deflate, 15)] {
                for _ in 0..2 {
                    let compressed = compress(coding, text).unwrap();
                    let mut inflate = Inflate::new(true, window_bits);
                    let mut output = vec![0; text.len()];
                    inflate.decompress(&compressed, &mut output, InflateFlush::Finish).unwrap();
                    assert_eq!(output, text);
                }
            }
        }
    }
}
