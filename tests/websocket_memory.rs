//! Allocations of the WebSocket decoder, with peers that try to make it allocate more.

mod support;

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use socket_io_turbo::proto::websocket::{
    DecodeError, Decoder, Event, FrameHeader, Limits, Opcode, Role, encode_frame,
};

use support::counting_allocator::{CountingAllocator, measure};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
const UNLIMITED: Limits = Limits { max_payload: usize::MAX, max_fragments: u32::MAX };

fn decoder() -> Decoder {
    Decoder::new(Role::Server, UNLIMITED)
}

fn header(is_fin: bool, opcode: Opcode, payload_len: u64) -> BytesMut {
    BytesMut::from(
        &*FrameHeader { is_fin, mask: Some(KEY), ..FrameHeader::whole(opcode, payload_len) }
            .encode(),
    )
}

fn frame(is_fin: bool, opcode: Opcode, payload: &[u8]) -> Bytes {
    encode_frame(is_fin, opcode, payload, Some(KEY))
}

#[test]
fn a_length_beyond_what_can_be_counted_is_refused_without_allocating() {
    let mut input = header(true, Opcode::Binary, 1 << 62);
    let (refused, allocations) = measure(|| decoder().poll_event(&mut input));
    assert_eq!(refused, Err(DecodeError::UnsupportedPayloadLength));
    assert_eq!(allocations.count, 0);
}

#[test]
fn a_length_beyond_the_limit_is_refused_without_allocating() {
    let mut decoder = Decoder::new(Role::Server, Limits::default());
    let mut input = header(true, Opcode::Binary, 1 << 40);
    let (refused, allocations) = measure(|| decoder.poll_event(&mut input));
    assert_eq!(refused, Err(DecodeError::MessageTooLong));
    assert_eq!(allocations.count, 0);
}

#[test]
fn an_announced_payload_allocates_nothing_until_it_comes() {
    let mut decoder = decoder();
    let mut input = header(true, Opcode::Binary, 1 << 50);
    let (polled, allocations) = measure(|| decoder.poll_event(&mut input));
    assert_eq!((polled, allocations.count), (Ok(None), 0));
    input.extend_from_slice(b"one");
    let (polled, allocations) = measure(|| decoder.poll_event(&mut input));
    assert_eq!(polled, Ok(None));
    assert!(allocations.bytes <= 8192, "{allocations:?}");
}

#[test]
fn a_message_that_comes_byte_by_byte_is_copied_in_linear_time() {
    const LENGTH: usize = 1 << 20;
    let mut decoder = decoder();
    let mut input = header(true, Opcode::Binary, LENGTH as u64);
    assert_eq!(decoder.poll_event(&mut input), Ok(None));
    input.reserve(16);
    let (event, allocations) = measure(|| {
        let mut event = Ok(None);
        for _ in 0..LENGTH {
            input.extend_from_slice(b"x");
            event = decoder.poll_event(&mut input);
        }
        event
    });
    assert!(matches!(event, Ok(Some(Event::Binary(payload))) if payload.len() == LENGTH));
    assert!(allocations.bytes < 3 * LENGTH, "{allocations:?}");
}

#[test]
fn tiny_fragments_are_joined_in_linear_time() {
    // CVE-2026-48779
    const FRAGMENTS: usize = 200_000;
    let mut decoder = decoder();
    let mut wire = BytesMut::from(&*frame(false, Opcode::Binary, b""));
    let fragment = frame(false, Opcode::Continuation, b"x");
    (0..FRAGMENTS).for_each(|_| wire.extend_from_slice(&fragment));
    wire.extend_from_slice(&frame(true, Opcode::Continuation, b""));
    let start = Instant::now();
    let (event, allocations) = measure(|| decoder.poll_event(&mut wire));
    assert!(matches!(event, Ok(Some(Event::Binary(payload))) if payload.len() == FRAGMENTS));
    assert!(allocations.bytes < 4 * FRAGMENTS && allocations.count < 30, "{allocations:?}");
    assert!(start.elapsed() < Duration::from_secs(5), "took {:?}", start.elapsed());
}

#[test]
fn endless_empty_fragments_are_refused_without_allocating() {
    // CVE-2026-62389
    let mut decoder = Decoder::new(Role::Server, Limits::default());
    let mut wire = BytesMut::from(&*frame(false, Opcode::Text, b""));
    let fragment = frame(false, Opcode::Continuation, b"");
    (0..20_000).for_each(|_| wire.extend_from_slice(&fragment));
    let (refused, allocations) = measure(|| decoder.poll_event(&mut wire));
    assert_eq!(refused, Err(DecodeError::TooManyFragments));
    assert_eq!(allocations.count, 0);
}

#[test]
fn a_long_message_in_one_read_is_not_copied() {
    let mut decoder = decoder();
    let mut input = BytesMut::from(&*frame(true, Opcode::Text, &[b'x'; 100_000]));
    let payload_start = input.as_ptr().wrapping_add(14);
    let (event, allocations) = measure(|| decoder.poll_event(&mut input));
    assert!(matches!(event, Ok(Some(Event::Text(payload))) if payload.as_ptr() == payload_start));
    assert!(allocations.bytes < 128, "{allocations:?}");
}

#[test]
fn a_short_message_costs_one_allocation_of_its_length() {
    let mut decoder = decoder();
    let mut input = BytesMut::from(&*frame(true, Opcode::Text, &[b'x'; 60]));
    let (event, allocations) = measure(|| decoder.poll_event(&mut input));
    assert!(matches!(event, Ok(Some(Event::Text(payload))) if payload.len() == 60));
    assert_eq!((allocations.count, allocations.bytes), (1, 60));
}

#[test]
fn an_empty_message_does_not_hold_on_to_the_input() {
    let mut decoder = decoder();
    let mut input = BytesMut::from(&*frame(true, Opcode::Text, b""));
    let capacity = input.capacity();
    let event = decoder.poll_event(&mut input);
    assert_eq!(event, Ok(Some(Event::Text(Bytes::new()))));
    assert!(input.try_reclaim(capacity));
}

#[test]
fn an_idle_decoder_holds_128_bytes() {
    // Its buffers are taken out with each message: `payload_buffer.rs` tests that.
    assert!(size_of::<Decoder>() <= 128, "{}", size_of::<Decoder>());
}
