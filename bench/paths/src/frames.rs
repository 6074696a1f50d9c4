//! Messages to frames, and what a client sends to events.

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use socket_io_turbo::proto::websocket::{DecodeError, Decoder, Limits, Opcode, Role, encode_frame};

use crate::Measured;

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
const SMALL: usize = 60;
const LARGE: usize = 16 << 10;

/// Encodes a server's frame of a small packet.
pub fn encode_frame_60_bytes() -> Measured {
    encoded(SMALL, None)
}

/// Encodes a server's frame of a large packet.
pub fn encode_frame_16_kib() -> Measured {
    encoded(LARGE, None)
}

/// Encodes a client's frame.
pub fn encode_masked_frame_60_bytes() -> Measured {
    encoded(SMALL, Some(KEY))
}

/// Decodes a small text message, which is copied.
pub fn decode_text_60_bytes() -> Measured {
    decoded(&frame(Opcode::Text, SMALL), 1)
}

/// Decodes a large text message, whose UTF-8 is checked.
pub fn decode_text_16_kib() -> Measured {
    decoded(&frame(Opcode::Text, LARGE), 1)
}

/// Decodes a large binary message.
pub fn decode_binary_16_kib() -> Measured {
    decoded(&frame(Opcode::Binary, LARGE), 1)
}

/// Decodes what many small packets come as to a busy worker: one read.
pub fn decode_100_messages() -> Measured {
    decoded(&frame(Opcode::Text, SMALL).repeat(100), 100)
}

/// Decodes 16 KiB of text that come in fragments of 1 KiB.
pub fn decode_16_fragments() -> Measured {
    let fragment = vec![b'x'; LARGE / 16];
    let fragments = (0..16).flat_map(|index| {
        let opcode = if index == 0 { Opcode::Text } else { Opcode::Continuation };
        encode_frame(index == 15, opcode, &fragment, Some(KEY))
    });
    decoded(&fragments.collect::<Vec<_>>(), 1)
}

/// Decodes a small text message each byte of which comes alone.
pub fn decode_text_byte_by_byte() -> Measured {
    let bytes = frame(Opcode::Text, SMALL).into_iter().map(|byte| BytesMut::from(&[byte][..]));
    let decode_each = |(decoder, inputs): &mut (Decoder, Vec<BytesMut>)| {
        inputs.iter_mut().try_fold(0, |events, input| Ok(events + decode(decoder, input)?))
    };
    Measured::new((decoder(), bytes.collect()), decode_each, is_events(1))
}

fn encoded(len: usize, mask: Option<[u8; 4]>) -> Measured {
    let payload = vec![b'x'; len];
    let encode = move |payload: &mut Vec<u8>| encode_frame(true, Opcode::Text, payload, mask);
    Measured::new(payload, encode, move |frame| frame.len() > len)
}

/// Decodes what a client sent, which is so many messages.
fn decoded(bytes: &[u8], messages: usize) -> Measured {
    let input = (decoder(), BytesMut::from(bytes));
    Measured::new(input, |(decoder, input)| decode(decoder, input), is_events(messages))
}

/// Counts the events in the input.
fn decode(decoder: &mut Decoder, input: &mut BytesMut) -> Result<usize, DecodeError> {
    let mut events = 0;
    while let Some(event) = decoder.poll_event(input)? {
        black_box(event);
        events += 1;
    }
    Ok(events)
}

fn is_events(count: usize) -> impl Fn(&Result<usize, DecodeError>) -> bool {
    move |events| *events == Ok(count)
}

fn decoder() -> Decoder {
    Decoder::new(Role::Server, Limits::default())
}

/// A client's frame of so many bytes of payload.
fn frame(opcode: Opcode, len: usize) -> Bytes {
    encode_frame(true, opcode, &vec![b'x'; len], Some(KEY))
}
