//! Events of connections on their way to JavaScript: numbers in an array that both sides share,
//! and JavaScript values for the events that have some.
//!
//! Measured with Node 20: setting an element of a JavaScript array costs 100 ns, a store into
//! shared memory nothing, and all values together cross as the arguments of one call.

use std::os::fd::AsRawFd;
use std::{mem, ptr};

use bytes::Bytes;
use napi::bindgen_prelude::{FromNapiValue, Function, Unknown};
use napi::{Env, JsValue, Result, check_status, sys};
use napi_derive::napi;

use super::payload::{buffer_value, latin1_value, string_value};
use super::polling::state_number;
use crate::environment::TextMode;
use crate::net::{
    self, EndReason, Event, Failure, Handshake, HandshakeTransport, HeartbeatEvent,
    PassedDescriptor, RateLimitAction,
};
use crate::proto::socket_io::{PacketParts, PacketType};
use crate::proto::websocket::{CloseCode, DecodeError};

/// Numbers in front of the first event: the number of events, 1 if more events wait, and the number
/// of packets among the events. `lib/addon/codes.js` has the same layout.
const HEADER: usize = 3;

/// Numbers of an event: connection id, kind, and two that depend on the kind.
const PER_EVENT: usize = 4;

/// The capacity of an empty [`EventWriter::arguments`] in bytes: those of a few dozen packets.
const ARGUMENTS_BYTES: usize = 4 * 1024;

/// The kind of an event of a connection.
#[napi]
#[derive(Clone, Copy)]
pub enum EventKind {
    /// Value: the message.
    Text = 0,
    /// Value: the message.
    Binary = 1,
    /// Number: the number of reported frames written since the last such event.
    Sent = 2,
    /// Value: the payload.
    Ping = 3,
    /// Value: the payload.
    Pong = 4,
    /// Number: the close code, 1005 if the frame has none, RFC 6455 §7.4.1. Value: the reason.
    Close = 5,
    /// Number: the close code, 0 if the connection ends without a close frame. Two values: the
    /// error's message and its code.
    Failed = 6,
    /// The peer has ended its side.
    PeerEnded = 7,
    /// Number: the index of the reason in `endReasons()`, and 256 times the operating system's
    /// error number.
    Ended = 8,
    /// Number: bytes in the send queue.
    Backlog = 9,
    /// Value: the bytes that were read.
    Raw = 10,
    /// An event of Socket.IO in the main namespace. Numbers: the ack id and 1, 0 without one; the
    /// length of its arguments in UTF-16 code units.
    PacketEvent = 11,
    /// An acknowledgement in the main namespace. Numbers as of an event.
    PacketAck = 12,
    /// An event in the namespace that is its value. Numbers as of an event.
    NamespaceEvent = 13,
    /// An acknowledgement in the namespace that is its value. Numbers as of an event.
    NamespaceAck = 14,
    /// Number: a `HeartbeatStep`.
    Heartbeat = 15,
    /// Number: a `RateLimitStep`.
    RateLimited = 16,
    /// Of a listener. Number: the descriptor of a connection, which must be opened or closed. Length: 1
    /// if its request head has not come in time, else 0.
    Passed = 17,
    /// Of a listener: a request that opens a session. Number: its key. Length: the worker in the first 8
    /// bits, the position of the path in the next 8, then the transport: 0 for polling, 1 for a
    /// WebSocket, 2 for a WebSocket of a polling session that exists. Four values: the head of the
    /// request with the blank line, a byte for each character; an id for the session, or its id; the
    /// address of the peer, and its port. `accept()`, `acceptPolling()`, `acceptUpgrade()`, `refuse()`
    /// or `pass()` is due.
    Handshake = 18,
    /// Of a listener: a TLS connection, whose plaintext goes through a socket. Number: its key. Length:
    /// the worker in the first 8 bits, then 1 if its request head has not come in time. Two values: the
    /// descriptor, which must be opened or closed, and JSON as of `tlsDetails()`. `carry()` is due.
    Stream = 19,
    /// A connection of `carry()` has failed; `end()` is due. Number: the system's error number.
    StreamFailed = 20,
    /// Of a listener: a client and the server do not agree about TLS. Two values: the code of the error,
    /// and the address of the client.
    TlsFailed = 21,
    /// Of a polling session. Number: an `UpgradeStep`.
    Upgrade = 22,
    /// Of a polling session. Value: the payload for a poll that was begun by `poll()`.
    Polled = 23,
    /// Of a polling session. Number: the `PollingState` that the application waits for.
    Reached = 24,
    /// Of a polling session, behind the packets of a payload: `answerPayload()` is due.
    PayloadEnded = 25,
}

/// The number of a heartbeat event; see `HeartbeatEvent` in `src/net/heartbeat.rs`.
#[napi]
#[derive(Clone, Copy)]
pub enum HeartbeatStep {
    /// The worker handles heartbeats that come later; `startHeartbeat()` is due.
    Ready = 0,
    /// A ping was sent; may be late.
    Sent = 1,
    /// The client has sent its pong, in v3 its ping; may be late.
    Received = 2,
    /// The client has not answered in time.
    TimedOut = 3,
}

/// The number of an event of a polling session that changes to a WebSocket; see `UpgradeStep` in
/// `src/net/event.rs`.
#[napi]
#[derive(Clone, Copy)]
pub enum UpgradeStep {
    /// The WebSocket works: a probe has been answered.
    Probed = 0,
    /// The session goes on with the WebSocket.
    Completed = 1,
    /// The session goes on without it.
    Abandoned = 2,
}

/// The number of what is done when a client exceeds its limit; see `RateLimitAction` in
/// `src/net/connection_options.rs`.
#[napi]
#[derive(Clone, Copy)]
pub enum RateLimitStep {
    /// Reading stops until the next window.
    Pause = 0,
    /// Events of Socket.IO without ack id are dropped.
    Drop = 1,
    /// The connection is closed.
    Disconnect = 2,
}

/// Writes the numbers of events, and collects their values.
pub struct EventWriter<'env, 'a> {
    env: &'env Env,
    numbers: &'a mut [u32],
    values: Vec<sys::napi_value>,
    count: usize,
    packets: u32,
    /// The arguments of all packets, as a JSON array that lacks its last bracket.
    arguments: Vec<u8>,
    /// Those of passed connections.
    descriptors: Vec<PassedDescriptor>,
}

impl<'env, 'a> EventWriter<'env, 'a> {
    pub fn new(env: &'env Env, numbers: &'a mut [u32]) -> Self {
        Self {
            env,
            numbers,
            values: Vec::new(),
            count: 0,
            packets: 0,
            arguments: Vec::new(),
            descriptors: Vec::new(),
        }
    }

    /// Returns the number of events that fit into `numbers`.
    pub fn room(&self) -> usize {
        self.numbers.len().saturating_sub(HEADER) / PER_EVENT
    }

    /// Adds an event. A text message that is longer than V8's strings becomes a Buffer in either
    /// mode.
    pub fn push(&mut self, id: u32, event: Event, text_mode: TextMode) -> Result<()> {
        if let (Event::Packet { message, parts }, TextMode::String) = (&event, text_mode) {
            return self.push_packet(id, message, parts);
        }
        let (kind, number) = numbers(&event);
        let length = match &event {
            Event::Handshake(handshake) => location(handshake),
            Event::Stream(stream) => stream.worker as u32 | u32::from(stream.is_overdue) << 8,
            Event::Passed { is_overdue, .. } => (*is_overdue).into(),
            _ => 0,
        };
        self.push_numbers([id, kind as u32, number, length]);
        self.push_values(event, text_mode)
    }

    fn push_packet(&mut self, id: u32, message: &[u8], parts: &PacketParts) -> Result<()> {
        let text = message.get(1..).unwrap_or_default();
        let (namespace, arguments) = (parts.namespace(text), parts.arguments(text));
        let kind = match (parts.packet_type(), namespace) {
            (PacketType::Ack, None) => EventKind::PacketAck,
            (PacketType::Ack, Some(_)) => EventKind::NamespaceAck,
            (_, None) => EventKind::PacketEvent,
            (_, Some(_)) => EventKind::NamespaceEvent,
        };
        let ack_number = parts.ack_id().map_or(0, |id| id + 1);
        self.push_numbers([id, kind as u32, ack_number, utf16_length(arguments)]);
        if let Some(name) = namespace {
            let name = Bytes::copy_from_slice(name);
            self.values.push(text_value(self.env, name, TextMode::String)?);
        }
        if self.packets == 0 {
            self.arguments.reserve(ARGUMENTS_BYTES);
        }
        self.arguments.push(if self.packets == 0 { b'[' } else { b',' });
        self.arguments.extend_from_slice(arguments);
        self.packets += 1;
        Ok(())
    }

    fn push_numbers(&mut self, event: [u32; PER_EVENT]) {
        let start = HEADER + self.count * PER_EVENT;
        if let Some(place) = self.numbers.get_mut(start..start + PER_EVENT) {
            place.copy_from_slice(&event);
            self.count += 1;
        }
    }

    fn push_values(&mut self, event: Event, text_mode: TextMode) -> Result<()> {
        let env = self.env;
        match event {
            Event::Text(text) | Event::Packet { message: text, .. } => {
                self.values.push(text_value(env, text, text_mode)?);
            }
            Event::Polled(payload) => {
                self.values.push(text_value(env, payload, TextMode::String)?);
            }
            Event::Binary(bytes) | Event::Ping(bytes) | Event::Pong(bytes) | Event::Raw(bytes) => {
                self.values.push(buffer_value(env, bytes)?);
            }
            Event::Close { reason, .. } => {
                self.values.push(buffer_value(env, reason.into_bytes())?)
            }
            Event::Failed(failure) => {
                let (message, code) = error_of(failure);
                self.values.push(text_value(env, message.into(), TextMode::String)?);
                self.values.push(text_value(env, code.into(), TextMode::String)?);
            }
            Event::Handshake(handshake) => {
                let Handshake { head, sid, address, port, .. } = *handshake;
                self.values.push(latin1_value(env, &head)?);
                self.values.push(text_value(env, sid.into(), TextMode::String)?);
                self.values.push(text_value(env, address.into(), TextMode::String)?);
                self.values.push(env.create_uint32(port.into())?.raw());
            }
            Event::Stream(stream) => {
                let details = stream.details.to_json();
                let descriptor = stream.descriptor.as_raw_fd().to_string();
                self.descriptors.push(stream.descriptor);
                self.values.push(text_value(env, descriptor.into(), TextMode::String)?);
                self.values.push(text_value(env, details.into(), TextMode::String)?);
            }
            Event::TlsFailed { code, address } => {
                self.values.push(text_value(env, code.into(), TextMode::String)?);
                self.values.push(text_value(env, address.into(), TextMode::String)?);
            }
            Event::Passed { descriptor, .. } => self.descriptors.push(descriptor),
            Event::Sent(_)
            | Event::Backlog(_)
            | Event::PeerEnded
            | Event::StreamFailed(_)
            | Event::Ended(_)
            | Event::RateLimited(_)
            | Event::Upgrade(_)
            | Event::PayloadEnded
            | Event::Reached(_)
            | Event::Heartbeat(_) => {}
        }
        Ok(())
    }

    /// Removes and returns the descriptors of passed connections, whose numbers JavaScript gets.
    pub fn take_descriptors(&mut self) -> Vec<PassedDescriptor> {
        mem::take(&mut self.descriptors)
    }

    /// Completes the header, and returns the result of `collect`, called with the values. If there
    /// are packets, the JSON array of their arguments is the last value.
    pub fn finish(
        mut self,
        has_more: bool,
        collect: &Function<'_, (), ()>,
    ) -> Result<Unknown<'env>> {
        if self.packets > 0 {
            self.arguments.push(b']');
            let arguments = mem::take(&mut self.arguments).into();
            self.values.push(text_value(self.env, arguments, TextMode::String)?);
        }
        if let Some(header) = self.numbers.get_mut(..HEADER) {
            header.copy_from_slice(&[self.count as u32, has_more.into(), self.packets]);
        }
        let env = self.env.raw();
        let (mut receiver, mut result) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: environment, function and values are live within this call from
        // JavaScript, and the pointer and length are those of one live vector.
        unsafe {
            check_status!(sys::napi_get_undefined(env, &mut receiver))?;
            check_status!(sys::napi_call_function(
                env,
                receiver,
                collect.raw(),
                self.values.len(),
                self.values.as_ptr(),
                &mut result,
            ))?;
            Unknown::from_napi_value(env, result)
        }
    }
}

/// Returns the kind of an event, and its number; 0 for a kind that has no number.
fn numbers(event: &Event) -> (EventKind, u32) {
    match event {
        Event::Text(_) | Event::Packet { .. } => (EventKind::Text, 0),
        Event::Binary(_) => (EventKind::Binary, 0),
        Event::Ping(_) => (EventKind::Ping, 0),
        Event::Pong(_) => (EventKind::Pong, 0),
        Event::Raw(_) => (EventKind::Raw, 0),
        Event::Sent(count) => (EventKind::Sent, *count),
        Event::Close { code, .. } => (EventKind::Close, code.map_or(1005, CloseCode::value).into()),
        Event::Failed(failure) => (EventKind::Failed, close_code(*failure).into()),
        Event::Passed { descriptor, .. } => (EventKind::Passed, descriptor.as_raw_fd() as u32),
        Event::Handshake(handshake) => (EventKind::Handshake, handshake.key),
        Event::Stream(stream) => (EventKind::Stream, stream.key),
        Event::StreamFailed(number) => (EventKind::StreamFailed, *number as u32),
        Event::TlsFailed { .. } => (EventKind::TlsFailed, 0),
        Event::Backlog(bytes) => (EventKind::Backlog, u32::try_from(*bytes).unwrap_or(u32::MAX)),
        Event::PeerEnded => (EventKind::PeerEnded, 0),
        Event::Ended(reason) => (EventKind::Ended, end_number(*reason)),
        Event::RateLimited(action) => (EventKind::RateLimited, rate_limit_step(*action) as u32),
        Event::Polled(_) => (EventKind::Polled, 0),
        Event::PayloadEnded => (EventKind::PayloadEnded, 0),
        Event::Upgrade(step) => (EventKind::Upgrade, upgrade_step(*step) as u32),
        Event::Reached(state) => (EventKind::Reached, state_number(*state)),
        Event::Heartbeat(event) => (EventKind::Heartbeat, heartbeat_step(*event) as u32),
    }
}

/// Returns where a handshake waits, and what it asks for, in the bits of one number.
const fn location(handshake: &Handshake) -> u32 {
    let transport = match handshake.transport {
        HandshakeTransport::Polling => 0,
        HandshakeTransport::WebSocket => 1,
        HandshakeTransport::Upgrade => 2,
    };
    handshake.worker as u32 | (handshake.path as u32) << 8 | transport << 16
}

const fn heartbeat_step(event: HeartbeatEvent) -> HeartbeatStep {
    match event {
        HeartbeatEvent::Ready => HeartbeatStep::Ready,
        HeartbeatEvent::Sent => HeartbeatStep::Sent,
        HeartbeatEvent::Received => HeartbeatStep::Received,
        HeartbeatEvent::TimedOut => HeartbeatStep::TimedOut,
    }
}

const fn upgrade_step(step: net::UpgradeStep) -> UpgradeStep {
    match step {
        net::UpgradeStep::Probed => UpgradeStep::Probed,
        net::UpgradeStep::Completed => UpgradeStep::Completed,
        net::UpgradeStep::Abandoned => UpgradeStep::Abandoned,
    }
}

const fn rate_limit_step(action: RateLimitAction) -> RateLimitStep {
    match action {
        RateLimitAction::Pause => RateLimitStep::Pause,
        RateLimitAction::Drop => RateLimitStep::Drop,
        RateLimitAction::Disconnect => RateLimitStep::Disconnect,
    }
}

/// Returns the number of UTF-16 code units of valid UTF-8.
fn utf16_length(text: &[u8]) -> u32 {
    // All bytes but continuations begin a character; four-byte characters have two code units.
    let units = |byte: &u8| u32::from(*byte & 0xc0 != 0x80) + u32::from(*byte >= 0xf0);
    text.iter().map(units).sum()
}

fn text_value(env: &Env, text: Bytes, mode: TextMode) -> Result<sys::napi_value> {
    let string = match mode {
        TextMode::String => string_value(env, &text),
        TextMode::Buffer => None,
    };
    string.map_or_else(|| buffer_value(env, text), Ok)
}

fn close_code(failure: Failure) -> u16 {
    match failure {
        Failure::Protocol(error) => error.close_code().value(),
        Failure::MaxBackpressure { .. } | Failure::Polling(_) => 0,
        Failure::RateLimit => CloseCode::POLICY_VIOLATION.value(),
    }
}

/// Returns the message and the code of the error that JavaScript reports for a failure.
fn error_of(failure: Failure) -> (String, &'static str) {
    match failure {
        Failure::Protocol(error) => (error.to_string(), protocol_code(error)),
        Failure::MaxBackpressure { queued_bytes } => (
            format!(
                "the peer does not keep up: {queued_bytes} bytes wait, more than maxBackpressure"
            ),
            "TURBO_ERR_MAX_BACKPRESSURE",
        ),
        Failure::RateLimit => {
            ("the peer sends more than rateLimit allows".into(), "TURBO_ERR_RATE_LIMIT")
        }
        Failure::Polling(error) => (error.to_string(), "TransportError"),
    }
}

fn protocol_code(error: DecodeError) -> &'static str {
    error.ws_code().unwrap_or("TURBO_ERR_NON_MINIMAL_LENGTH")
}

fn end_number(reason: EndReason) -> u32 {
    let errno = if let EndReason::Io(errno) = reason { errno } else { 0 };
    reason.index() as u32 + (errno.unsigned_abs() << 8)
}
