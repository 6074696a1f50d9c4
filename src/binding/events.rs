//! Events of connections for JavaScript: numbers in an array that both sides share, and
//! JavaScript values where an event has one. Measured with Node 20: setting an element of
//! a JavaScript array costs 100 ns, a store into shared memory nothing, and all values
//! together go over as the arguments of one call.

use std::ptr;

use bytes::Bytes;
use napi::bindgen_prelude::{FromNapiValue, Function, Unknown};
use napi::{Env, JsValue, Result, check_status, sys};

use super::payload::{buffer_value, string_value};
use crate::net::{EndReason, Event, Failure};
use crate::proto::websocket::{CloseCode, DecodeError};

/// Numbers before the first event: how many events there are, and whether there are more.
const HEADER: usize = 2;

/// Numbers of an event: connection, kind, and one that depends on the kind.
const PER_EVENT: usize = 3;

/// Kinds as `lib/engine/workers.js` knows them.
#[derive(Clone, Copy)]
enum Kind {
    /// Value: the message.
    Text = 0,
    /// Value: the message.
    Binary = 1,
    /// Number: how many.
    Sent = 2,
    /// Value: the payload.
    Ping = 3,
    /// Value: the payload.
    Pong = 4,
    /// Number: the code, 1005 for none, RFC 6455 §7.4.1. Value: the reason.
    Close = 5,
    /// Number: the close code, 0 where the connection ends without a close frame. Value:
    /// message and code of the error.
    Failed = 6,
    PeerEnded = 7,
    /// Number: the place among `EndReason::NAMES`, and 256 times the operating system's
    /// error number.
    Ended = 8,
    /// Number: how many bytes wait.
    Backlog = 9,
    /// Value: what was read.
    Raw = 10,
}

/// Events on their way to JavaScript.
pub struct EventWriter<'env, 'a> {
    env: &'env Env,
    numbers: &'a mut [u32],
    values: Vec<sys::napi_value>,
    count: usize,
}

impl<'env, 'a> EventWriter<'env, 'a> {
    pub fn new(env: &'env Env, numbers: &'a mut [u32]) -> Self {
        Self { env, numbers, values: Vec::new(), count: 0 }
    }

    /// How many events there is room for.
    pub fn room(&self) -> usize {
        self.numbers.len().saturating_sub(HEADER) / PER_EVENT
    }

    /// Adds an event. Text is a string if `is_text_as_string`, and if V8 has strings of
    /// its length; else a Buffer.
    pub fn push(&mut self, id: u32, event: Event, is_text_as_string: bool) -> Result<()> {
        let env = self.env;
        let (kind, number, value) = match event {
            Event::Text(text) => (Kind::Text, 0, Some(text_value(env, text, is_text_as_string)?)),
            Event::Binary(bytes) => (Kind::Binary, 0, Some(buffer_value(env, bytes)?)),
            Event::Ping(payload) => (Kind::Ping, 0, Some(buffer_value(env, payload)?)),
            Event::Pong(payload) => (Kind::Pong, 0, Some(buffer_value(env, payload)?)),
            Event::Raw(bytes) => (Kind::Raw, 0, Some(buffer_value(env, bytes)?)),
            Event::Sent(count) => (Kind::Sent, count, None),
            Event::Close { code, reason } => {
                let code = code.map_or(1005, CloseCode::value);
                (Kind::Close, code.into(), Some(buffer_value(env, reason.into_bytes())?))
            }
            Event::Failed(failure) => {
                (Kind::Failed, close_code(failure).into(), Some(failure_value(env, failure)?))
            }
            Event::Backlog(bytes) => {
                (Kind::Backlog, u32::try_from(bytes).unwrap_or(u32::MAX), None)
            }
            Event::PeerEnded => (Kind::PeerEnded, 0, None),
            Event::Ended(reason) => (Kind::Ended, end_number(reason), None),
        };
        self.values.extend(value);
        self.push_numbers([id, kind as u32, number]);
        Ok(())
    }

    fn push_numbers(&mut self, event: [u32; PER_EVENT]) {
        let start = HEADER + self.count * PER_EVENT;
        if let Some(place) = self.numbers.get_mut(start..start + PER_EVENT) {
            place.copy_from_slice(&event);
            self.count += 1;
        }
    }

    /// Completes the numbers, and gives the values to `collect`, whose result is the
    /// result.
    pub fn finish(self, has_more: bool, collect: &Function<'_, (), ()>) -> Result<Unknown<'env>> {
        if let Some(header) = self.numbers.get_mut(..HEADER) {
            header.copy_from_slice(&[self.count as u32, has_more.into()]);
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

fn text_value(env: &Env, text: Bytes, is_string: bool) -> Result<sys::napi_value> {
    match is_string.then(|| string_value(env, &text)).flatten() {
        Some(value) => Ok(value),
        None => buffer_value(env, text),
    }
}

fn close_code(failure: Failure) -> u16 {
    match failure {
        Failure::Protocol(error) => error.close_code().value(),
        Failure::MaxBackpressure { .. } => 0,
    }
}

/// Message and code of an error, with a line break between them.
fn failure_value(env: &Env, failure: Failure) -> Result<sys::napi_value> {
    let text = match failure {
        Failure::Protocol(error) => format!("{error}\n{}", protocol_code(error)),
        Failure::MaxBackpressure { queued_bytes } => format!(
            "the peer does not keep up: {queued_bytes} bytes wait, more than maxBackpressure\n\
             TURBO_ERR_MAX_BACKPRESSURE"
        ),
    };
    text_value(env, text.into(), true)
}

fn protocol_code(error: DecodeError) -> &'static str {
    error.ws_code().unwrap_or("TURBO_ERR_NON_MINIMAL_LENGTH")
}

fn end_number(reason: EndReason) -> u32 {
    let errno = if let EndReason::Io(errno) = reason { errno } else { 0 };
    reason.index() as u32 + (errno.unsigned_abs() << 8)
}
