//! Events of connections as JavaScript values: three in a row for each event, the
//! connection's id, the kind and a value.

use std::ptr;

use bytes::Bytes;
use napi::bindgen_prelude::{FromNapiValue, Unknown};
use napi::{Env, Result, check_status, sys};

use super::payload::{buffer_value, string_value};
use crate::net::{EndReason, Event, Failure};
use crate::proto::websocket::{CloseCode, DecodeError};

/// Kinds as `lib/engine.js` knows them.
#[derive(Clone, Copy)]
enum Kind {
    Text = 0,
    Binary = 1,
    Sent = 2,
    Ping = 3,
    Pong = 4,
    Close = 5,
    Failed = 6,
    PeerEnded = 7,
    Ended = 8,
}

/// An array that is being filled.
pub struct EventArray<'a> {
    env: &'a Env,
    array: sys::napi_value,
    length: u32,
}

impl<'a> EventArray<'a> {
    pub fn new(env: &'a Env) -> Result<Self> {
        Ok(Self { env, array: empty_array(env)?, length: 0 })
    }

    /// The array; `true` is added if there are more events to take.
    pub fn finish(mut self, has_more: bool) -> Result<Unknown<'a>> {
        if has_more {
            self.push_value(bool_value(self.env, true)?)?;
        }
        // SAFETY: the array is a live value of this environment.
        unsafe { Unknown::from_napi_value(self.env.raw(), self.array) }
    }

    /// Adds an event. Text is a string if `is_text_as_string`, and if V8 has strings of
    /// its length; else a Buffer.
    pub fn push(&mut self, id: u32, event: Event, is_text_as_string: bool) -> Result<()> {
        let env = self.env;
        let (kind, value) = match event {
            Event::Text(text) => (Kind::Text, text_value(env, text, is_text_as_string)?),
            Event::Binary(bytes) => (Kind::Binary, buffer_value(env, bytes)?),
            Event::Ping(payload) => (Kind::Ping, buffer_value(env, payload)?),
            Event::Pong(payload) => (Kind::Pong, buffer_value(env, payload)?),
            Event::Sent(count) => (Kind::Sent, number_value(env, f64::from(count))?),
            Event::Close { code, reason } => {
                (Kind::Close, close_value(env, code, reason.into_bytes())?)
            }
            Event::Failed(failure) => (Kind::Failed, failure_value(env, failure)?),
            Event::PeerEnded => (Kind::PeerEnded, number_value(env, 0.0)?),
            Event::Ended(reason) => (Kind::Ended, end_value(env, reason)?),
        };
        self.push_value(number_value(env, f64::from(id))?)?;
        self.push_value(number_value(env, f64::from(kind as u8))?)?;
        self.push_value(value)
    }

    fn push_value(&mut self, value: sys::napi_value) -> Result<()> {
        set_element(self.env, self.array, self.length, value)?;
        self.length += 1;
        Ok(())
    }
}

fn text_value(env: &Env, text: Bytes, is_string: bool) -> Result<sys::napi_value> {
    match is_string.then(|| string_value(env, &text)).flatten() {
        Some(value) => Ok(value),
        None => buffer_value(env, text),
    }
}

/// `[code, reason]`, the code 1005 for none, RFC 6455 §7.4.1.
fn close_value(env: &Env, code: Option<CloseCode>, reason: Bytes) -> Result<sys::napi_value> {
    let code = code.map_or(1005, CloseCode::value);
    tuple(env, &[number_value(env, f64::from(code))?, buffer_value(env, reason)?])
}

/// `[message, code, closeCode]` of an error; `closeCode` is 0 where the connection ends
/// without a close frame.
fn failure_value(env: &Env, failure: Failure) -> Result<sys::napi_value> {
    let (message, code, close_code) = match failure {
        Failure::Protocol(error) => {
            (error.to_string(), protocol_code(error), error.close_code().value())
        }
        Failure::MaxBackpressure { queued_bytes } => (
            format!("the peer does not read: {queued_bytes} bytes wait, more than maxBackpressure"),
            "TURBO_ERR_MAX_BACKPRESSURE",
            0,
        ),
    };
    let message = string_value(env, message.as_bytes()).unwrap_or(ptr::null_mut());
    let code = string_value(env, code.as_bytes()).unwrap_or(ptr::null_mut());
    tuple(env, &[message, code, number_value(env, f64::from(close_code))?])
}

fn protocol_code(error: DecodeError) -> &'static str {
    error.ws_code().unwrap_or("TURBO_ERR_NON_MINIMAL_LENGTH")
}

/// `[place among EndReason::NAMES, error number of the operating system or 0]`.
fn end_value(env: &Env, reason: EndReason) -> Result<sys::napi_value> {
    let errno = if let EndReason::Io(errno) = reason { errno } else { 0 };
    tuple(env, &[number_value(env, reason.index() as f64)?, number_value(env, f64::from(errno))?])
}

fn tuple(env: &Env, values: &[sys::napi_value]) -> Result<sys::napi_value> {
    let array = empty_array(env)?;
    for (index, &value) in (0..).zip(values) {
        set_element(env, array, index, value)?;
    }
    Ok(array)
}

fn empty_array(env: &Env) -> Result<sys::napi_value> {
    let mut array = ptr::null_mut();
    // SAFETY: the environment is live.
    check_status!(unsafe { sys::napi_create_array(env.raw(), &mut array) })?;
    Ok(array)
}

fn set_element(
    env: &Env,
    array: sys::napi_value,
    index: u32,
    value: sys::napi_value,
) -> Result<()> {
    // SAFETY: the environment is live, and so are both values within this call from
    // JavaScript; Node-API refuses a null value.
    check_status!(unsafe { sys::napi_set_element(env.raw(), array, index, value) })
}

fn number_value(env: &Env, number: f64) -> Result<sys::napi_value> {
    let mut value = ptr::null_mut();
    // SAFETY: the environment is live.
    check_status!(unsafe { sys::napi_create_double(env.raw(), number, &mut value) })?;
    Ok(value)
}

fn bool_value(env: &Env, value: bool) -> Result<sys::napi_value> {
    let mut result = ptr::null_mut();
    // SAFETY: the environment is live.
    check_status!(unsafe { sys::napi_get_boolean(env.raw(), value, &mut result) })?;
    Ok(result)
}
