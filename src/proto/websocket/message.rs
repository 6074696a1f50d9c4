//! RFC 6455 §5.4, "Fragmentation": reassembles messages.

use std::mem;

use bytes::{Bytes, BytesMut};
use simdutf8::basic;

use super::frame::Frame;
use super::inflater::inflate;
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
    payload: PayloadBuffer,
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
        let length = usize::try_from(header.payload_len)
            .ok()
            .filter(|&length| length <= limits.max_payload.saturating_sub(self.payload.len()))
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
    /// [`DecodeError::InvalidUtf8`]; for a compressed message, at its end, that and those of
    /// [`inflate`].
    pub(super) fn handle_payload(
        &mut self,
        frame: &Frame,
        input: &mut BytesMut,
        length: usize,
        limits: &Limits,
    ) -> Result<Option<Event>, DecodeError> {
        if self.opcode == Some(Opcode::Text) && !self.is_compressed {
            self.utf8.handle_text(front(input, length))?;
        }
        if frame.is_fin && frame.is_complete() {
            return self.finish(input, length, limits).map(Some);
        }
        self.payload.push(input, length, frame.is_fin.then_some(frame.remaining));
        Ok(None)
    }

    fn finish(
        &mut self,
        input: &mut BytesMut,
        length: usize,
        limits: &Limits,
    ) -> Result<Event, DecodeError> {
        let mut message = mem::take(self);
        let is_text = message.opcode == Some(Opcode::Text);
        let payload = if message.is_compressed {
            message.inflate(input, length, limits, is_text)?
        } else {
            message.utf8.finish()?;
            message.payload.finish(input, length)
        };
        Ok(if is_text { Event::Text(payload) } else { Event::Binary(payload) })
    }

    fn inflate(
        &mut self,
        input: &mut BytesMut,
        length: usize,
        limits: &Limits,
        is_text: bool,
    ) -> Result<Bytes, DecodeError> {
        let inflated = self
            .payload
            .finish_with(input, length, |payload| inflate(payload, limits.max_payload))?;
        if is_text && basic::from_utf8(&inflated).is_err() {
            return Err(DecodeError::InvalidUtf8);
        }
        Ok(inflated)
    }
}
