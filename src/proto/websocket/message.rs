//! RFC 6455 §5.4, "Fragmentation": reassembles messages.

use std::mem;

use bytes::{Bytes, BytesMut};
use simdutf8::basic;

use super::frame::Frame;
use super::inflater::{Inflater, inflate};
use super::payload_buffer::{PayloadBuffer, front};
use super::utf8_validator::Utf8Validator;
use super::{DecodeError, Event, FrameHeader, Limits, Opcode};

/// The message that is being received, if there is one.
#[derive(Debug, Default)]
pub(super) struct Message {
    /// The opcode of its first fragment: text or binary.
    opcode: Option<Opcode>,
    is_compressed: bool,
    fragments: u32,
    utf8: Utf8Validator,
    /// The payload; of a compressed message, that of the current fragment.
    payload: PayloadBuffer,
    /// Set after the first of several fragments of a compressed message.
    inflater: Option<Box<Inflater>>,
}

impl Message {
    pub(super) fn is_under_way(&self) -> bool {
        self.opcode.is_some()
    }

    /// Begins a fragment. Returns the length of its payload.
    ///
    /// # Errors
    ///
    /// [`DecodeError::MessageTooLong`] and [`DecodeError::TooManyFragments`].
    pub(super) fn handle_header(
        &mut self,
        header: &FrameHeader,
        limits: &Limits,
    ) -> Result<usize, DecodeError> {
        // RFC 6455 §10.4: limits on the size of a frame and of the whole message.
        let taken = self.payload.len() + self.inflater.as_ref().map_or(0, |all| all.taken());
        let length = usize::try_from(header.payload_len)
            .ok()
            .filter(|&length| length <= limits.max_payload.saturating_sub(taken))
            .ok_or(DecodeError::MessageTooLong)?;
        self.fragments = self.fragments.saturating_add(1);
        if self.fragments > limits.max_fragments {
            return Err(DecodeError::TooManyFragments);
        }
        if self.opcode.is_none() {
            self.opcode = Some(header.opcode);
            self.is_compressed = header.is_compressed;
        }
        Ok(length)
    }

    /// Takes the next `length` bytes of the payload of `frame` off `input`. Returns the message if
    /// these were the last.
    ///
    /// # Errors
    ///
    /// [`DecodeError::InvalidUtf8`], and for a compressed message those of [`inflate`]: ws inflates each
    /// fragment as it comes, too.
    pub(super) fn handle_payload(
        &mut self,
        frame: &Frame,
        input: &mut BytesMut,
        length: usize,
        limits: &Limits,
    ) -> Result<Option<Event>, DecodeError> {
        if self.is_compressed {
            return self.handle_compressed(frame, input, length, limits.max_payload);
        }
        if self.opcode == Some(Opcode::Text) {
            self.utf8.handle_text(front(input, length))?;
        }
        if frame.is_fin && frame.is_complete() {
            let Self { opcode, utf8, mut payload, .. } = mem::take(self);
            utf8.finish()?;
            return Ok(Some(event(opcode, payload.finish(input, length))));
        }
        self.payload.push(input, length, frame.is_fin.then_some(frame.remaining));
        Ok(None)
    }

    fn handle_compressed(
        &mut self,
        frame: &Frame,
        input: &mut BytesMut,
        length: usize,
        max_len: usize,
    ) -> Result<Option<Event>, DecodeError> {
        let Self { payload, inflater, .. } = self;
        if !frame.is_complete() {
            payload.push(input, length, Some(frame.remaining));
            return Ok(None);
        }
        let inflated = if frame.is_fin && inflater.is_none() {
            payload.finish_with(input, length, |whole| inflate(whole, max_len))?
        } else {
            let inflater = inflater.get_or_insert_default();
            payload.finish_with(input, length, |fragment| inflater.push(fragment, max_len))?;
            if !frame.is_fin {
                return Ok(None);
            }
            inflater.finish(max_len)?
        };
        let Self { opcode, .. } = mem::take(self);
        if opcode == Some(Opcode::Text) && basic::from_utf8(&inflated).is_err() {
            return Err(DecodeError::InvalidUtf8);
        }
        Ok(Some(event(opcode, inflated)))
    }
}

/// Returns the event of a message whose first fragment has this opcode.
fn event(opcode: Option<Opcode>, payload: Bytes) -> Event {
    match opcode {
        Some(Opcode::Text) => Event::Text(payload),
        _ => Event::Binary(payload),
    }
}
