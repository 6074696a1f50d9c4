//! Decodes frames of a client however they are cut, for the tests of the WebSocket decoder.

#![allow(dead_code, reason = "each test file uses its part")]

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use socket_io_turbo::proto::websocket::{
    CloseCode, DecodeError, Decoder, Event, Limits, Opcode, Role, encode_frame,
};

pub const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
pub const FIN: bool = true;
pub const MORE: bool = false;

/// The events of an input, and the error that ended it.
pub type Decoded = (Vec<Event>, Option<DecodeError>);

/// Decodes `wire` in reads that end at each of `cuts`.
pub fn decode_cut(wire: &[u8], cuts: impl IntoIterator<Item = usize>, limits: Limits) -> Decoded {
    decode_by(Decoder::new(Role::Server, limits), wire, cuts)
}

/// As [`decode_cut`], by a decoder of any kind.
pub fn decode_by(
    mut decoder: Decoder,
    wire: &[u8],
    cuts: impl IntoIterator<Item = usize>,
) -> Decoded {
    let (mut events, mut start, mut input) = (Vec::new(), 0, BytesMut::new());
    for end in cuts.into_iter().chain([wire.len()]) {
        input.extend_from_slice(&wire[start..end]);
        start = end;
        loop {
            match decoder.poll_event(&mut input) {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(error) => return (events, Some(error)),
            }
        }
        assert!(input.is_empty(), "all input is taken");
    }
    (events, None)
}

pub fn decode(wire: &[u8]) -> Decoded {
    decode_cut(wire, [], Limits::default())
}

/// Encodes a frame of a client.
pub fn frame(is_fin: bool, opcode: Opcode, payload: impl AsRef<[u8]>) -> Bytes {
    encode_frame(is_fin, opcode, payload.as_ref(), Some(KEY))
}

pub fn close(payload: impl AsRef<[u8]>) -> Bytes {
    frame(FIN, Opcode::Close, payload)
}

pub fn ping(payload: &'static str) -> Bytes {
    frame(FIN, Opcode::Ping, payload)
}

pub fn text(payload: impl Into<Bytes>) -> Event {
    Event::Text(payload.into())
}

pub fn binary(payload: impl Into<Bytes>) -> Event {
    Event::Binary(payload.into())
}

pub fn closed(code: u16, reason: &'static str) -> Event {
    Event::Close { code: CloseCode::new(code), reason: ByteString::from_static(reason) }
}

#[track_caller]
pub fn assert_decoded(frames: &[Bytes], events: &[Event]) {
    assert_eq!(decode(&frames.concat()), (events.to_vec(), None));
}

/// Asserts that the frames yield `events`, then `error`, however they are cut.
#[track_caller]
pub fn assert_refused(frames: &[Bytes], events: &[Event], error: DecodeError) {
    let wire = frames.concat();
    let refused = (events.to_vec(), Some(error));
    assert_eq!(decode(&wire), refused);
    assert_eq!(decode_cut(&wire, 1..wire.len(), Limits::default()), refused);
}
