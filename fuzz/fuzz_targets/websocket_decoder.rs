//! Feeds one connection's bytes to the WebSocket decoder whole, cut at random, and byte
//! by byte: all must give the same events. The first byte of the input is the role,
//! whether messages may be compressed, and the seed of the cuts; the rest is what came
//! from the peer.

#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use socket_io_turbo::proto::websocket::{DecodeError, Decoder, Event, Limits, Role};

const LIMITS: Limits = Limits { max_payload: 1024, max_fragments: 8 };

fuzz_target!(|input: &[u8]| {
    let Some((&seed, wire)) = input.split_first() else { return };
    let role = if seed & 1 == 0 { Role::Server } else { Role::Client };
    let decoder = || {
        let decoder = Decoder::new(role, LIMITS);
        if seed & 2 == 0 { decoder } else { decoder.inflating() }
    };
    let whole = decode(decoder(), [wire]);
    assert_eq!(decode(decoder(), Cuts { rest: wire, state: u32::from(seed) + 1 }), whole);
    assert_eq!(decode(decoder(), wire.chunks(1)), whole);
    whole.0.iter().for_each(check);
});

fn decode<'a>(
    mut decoder: Decoder,
    reads: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Event>, Option<DecodeError>) {
    let (mut events, mut input) = (Vec::new(), BytesMut::new());
    for read in reads {
        input.extend_from_slice(read);
        loop {
            match decoder.poll_event(&mut input) {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(error) => return (events, Some(error)),
            }
        }
        assert!(input.is_empty());
    }
    (events, None)
}

fn check(event: &Event) {
    match event {
        Event::Text(text) => {
            assert!(text.len() <= LIMITS.max_payload && std::str::from_utf8(text).is_ok());
        }
        Event::Binary(payload) => assert!(payload.len() <= LIMITS.max_payload),
        Event::Ping(payload) | Event::Pong(payload) => assert!(payload.len() <= 125),
        Event::Close { code, reason } => {
            assert!(reason.len() <= 123 && (code.is_some() || reason.is_empty()));
        }
    }
}

/// Pieces of random length.
struct Cuts<'a> {
    rest: &'a [u8],
    state: u32,
}

impl<'a> Iterator for Cuts<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        // xorshift32
        self.state ^= self.state << 13;
        self.state ^= self.state >> 17;
        self.state ^= self.state << 5;
        if self.rest.is_empty() {
            return None;
        }
        let (piece, rest) = self.rest.split_at((self.state as usize % 24).min(self.rest.len()));
        self.rest = rest;
        Some(piece)
    }
}
