//! Decodes frames.

use bytes::BytesMut;

use super::control::decode_control;
use super::frame::Frame;
use super::message::Message;
use super::partial_header::PartialHeader;
use super::payload_buffer::PayloadBuffer;
use super::{DecodeError, Event, FrameHeader, Limits, Role};

/// Decodes the bytes of one connection into [`Event`]s, however they are cut.
///
/// The caller reads into a `BytesMut`, then calls [`poll_event`](Self::poll_event) until it returns
/// `None`. The decoder does no I/O and has no clock.
///
/// Holds at most one incomplete message and one incomplete control frame, each in at most twice
/// the bytes received of it, and a page. Nothing is allocated for bytes that are only announced.
/// Between messages no buffer is held, only the 128 bytes of this type.
///
/// ```
/// use bytes::BytesMut;
/// use socket_io_turbo::proto::websocket::{Decoder, Event, Limits, Role};
///
/// // RFC 6455 §5.7: a masked text frame.
/// let mut input = BytesMut::from(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58".as_slice());
/// let mut decoder = Decoder::new(Role::Server, Limits::default());
/// assert_eq!(decoder.poll_event(&mut input)?, Some(Event::Text("Hello".into())));
/// assert_eq!(decoder.poll_event(&mut input)?, None);
/// # Ok::<(), socket_io_turbo::proto::websocket::DecodeError>(())
/// ```
#[derive(Debug)]
pub struct Decoder {
    role: Role,
    limits: Limits,
    is_inflating: bool,
    state: State,
    header: PartialHeader,
    /// The frame whose payload is incomplete.
    frame: Option<Frame>,
    message: Message,
    /// The payload of a control frame, which may stand between fragments.
    control: PayloadBuffer,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Open,
    Closed,
    Failed(DecodeError),
}

impl Decoder {
    /// Creates a decoder for one end of a connection.
    #[must_use]
    pub fn new(role: Role, limits: Limits) -> Self {
        Self {
            role,
            limits,
            is_inflating: false,
            state: State::Open,
            header: PartialHeader::default(),
            frame: None,
            message: Message::default(),
            control: PayloadBuffer::default(),
        }
    }

    /// Takes compressed messages, too: permessage-deflate has been negotiated without context takeover
    /// of the peer, RFC 7692 §7.1.1. [`Limits::max_payload`] holds for such a message in both forms. One in
    /// fragments has an inflater of some 60 KiB while it is under way.
    #[must_use]
    pub const fn inflating(mut self) -> Self {
        self.is_inflating = true;
        self
    }

    /// Changes the largest size of a message in bytes, from the next frame on.
    pub const fn set_max_payload(&mut self, max_payload: usize) {
        self.limits.max_payload = max_payload;
    }

    /// Takes bytes off the front of `input` until an event is complete. Returns `None` once
    /// `input` is empty; the bytes of an incomplete frame are kept here, so that one read buffer
    /// serves all connections of a worker. Until then, `input` may hold more bytes of this
    /// connection: a caller that stops polling earlier has to keep them.
    ///
    /// A message of more than 4 KiB that lies in `input` in one complete frame is not copied: it
    /// is unmasked in place and split off, and shares the memory of `input` until it is dropped.
    /// The next `BytesMut::reserve` reuses that memory if the message has been dropped by then,
    /// and allocates otherwise. All other messages own their memory.
    ///
    /// After a close frame all input is dropped, RFC 6455 §5.5.1.
    ///
    /// # Errors
    ///
    /// The peer's violation of the protocol or of a limit, as soon as the bytes that show it are
    /// there. From then on all input is dropped, and the same error is returned.
    pub fn poll_event(&mut self, input: &mut BytesMut) -> Result<Option<Event>, DecodeError> {
        let polled = match self.state {
            State::Open => self.decode(input),
            State::Closed => Ok(None),
            State::Failed(error) => Err(error),
        };
        match polled {
            Ok(Some(Event::Close { .. })) => self.finish(State::Closed),
            Err(error) => self.finish(State::Failed(error)),
            Ok(_) => {}
        }
        if !matches!(self.state, State::Open) {
            input.clear();
        }
        polled
    }

    /// Returns whether a close frame has been received. False after an error.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    fn decode(&mut self, input: &mut BytesMut) -> Result<Option<Event>, DecodeError> {
        loop {
            let frame = match self.frame.take() {
                Some(frame) => frame,
                None => match self.poll_frame(input)? {
                    Some(frame) => frame,
                    None => return Ok(None),
                },
            };
            let event = self.decode_payload(frame, input)?;
            if event.is_some() || self.frame.is_some() {
                return Ok(event);
            }
        }
    }

    fn poll_frame(&mut self, input: &mut BytesMut) -> Result<Option<Frame>, DecodeError> {
        let is_in_message = self.message.is_under_way();
        let header = self.header.poll_header(input, self.role, is_in_message, self.is_inflating)?;
        header.map(|header| self.begin_frame(&header)).transpose()
    }

    fn begin_frame(&mut self, header: &FrameHeader) -> Result<Frame, DecodeError> {
        let payload_len = if header.opcode.is_control() {
            // At most 125, as the header has been checked.
            header.payload_len as usize
        } else {
            self.message.handle_header(header, &self.limits)?
        };
        Ok(Frame::new(header, payload_len))
    }

    /// Takes the available payload of `frame` off `input`. Keeps the frame if its payload is
    /// incomplete; `input` is empty then.
    fn decode_payload(
        &mut self,
        mut frame: Frame,
        input: &mut BytesMut,
    ) -> Result<Option<Event>, DecodeError> {
        let length = frame.unmask(input);
        if !frame.is_complete() {
            self.frame = Some(frame);
        }
        if frame.opcode.is_control() {
            self.handle_control(&frame, input, length)
        } else {
            self.message.handle_payload(&frame, input, length, &self.limits)
        }
    }

    fn handle_control(
        &mut self,
        frame: &Frame,
        input: &mut BytesMut,
        length: usize,
    ) -> Result<Option<Event>, DecodeError> {
        if frame.is_complete() {
            return decode_control(frame.opcode, self.control.finish(input, length)).map(Some);
        }
        self.control.push(input, length, Some(frame.remaining));
        Ok(None)
    }

    /// Ends decoding and releases every buffer.
    fn finish(&mut self, state: State) {
        *self = Self { state, ..Self::new(self.role, self.limits) };
    }
}
