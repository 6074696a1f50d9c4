//! Compressed messages, RFC 7692, by behaviour, in the case groups 12 and 13 of the Autobahn suite.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

#[path = "support/decoding.rs"]
mod decoding;

use bytes::{Bytes, BytesMut};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use socket_io_turbo::proto::websocket::{
    Compression, DecodeError, Decoder, Event, FrameHeader, Limits, Opcode, Role, encode_frame,
};

use Opcode::{Binary, Continuation, Text};
use decoding::{Decoded, FIN, KEY, binary, decode_by, frame, text};

/// Compresses every message that becomes shorter.
const ALL: Compression = Compression { threshold: 1, ..Compression::DEFAULT };

/// Returns the payload of a compressed message.
fn compress(payload: &[u8]) -> Bytes {
    let plain = encode_frame(FIN, Binary, payload, None);
    let frame = ALL.compress(&plain).expect("a shorter message");
    let (_, start) = FrameHeader::decode(&frame, Role::Client, false, true).unwrap().unwrap();
    frame.slice(start..)
}

/// Encodes a client's frame with RSV1.
fn compressed_frame(is_fin: bool, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut frame = encode_frame(is_fin, opcode, payload, Some(KEY)).to_vec();
    frame[0] |= 0x40;
    frame
}

fn decode_cut(wire: &[u8], cuts: impl IntoIterator<Item = usize>, limits: Limits) -> Decoded {
    decode_by(Decoder::new(Role::Server, limits).inflating(), wire, cuts)
}

fn decode(wire: &[u8]) -> Decoded {
    decode_cut(wire, [], Limits::default())
}

#[test]
fn messages_of_all_sizes_are_inflated() {
    for length in [16, 64, 256, 1024, 4096, 8192, 16_384, 32_768, 65_536, 131_072] {
        let payload = "12".repeat(length / 2);
        let compressed = compress(payload.as_bytes());
        let wire = compressed_frame(FIN, Text, &compressed);
        assert_eq!(decode(&wire), (vec![text(payload.clone())], None));
        let wire = compressed_frame(FIN, Binary, &compressed);
        assert_eq!(decode(&wire), (vec![binary(payload)], None));
    }
}

#[test]
fn fragments_are_inflated_together_with_control_frames_between_them() {
    let payload = "0123456789".repeat(50);
    let compressed = compress(payload.as_bytes());
    let (first, last) = compressed.split_at(5);
    let wire = [
        compressed_frame(false, Text, first),
        frame(FIN, Opcode::Ping, "p").to_vec(),
        frame(false, Continuation, "").to_vec(),
        encode_frame(FIN, Continuation, last, Some(KEY)).to_vec(),
    ]
    .concat();
    assert_eq!(decode(&wire), (vec![Event::Ping("p".into()), text(payload)], None));
}

#[test]
fn a_fragment_is_refused_before_what_follows_it() {
    let ping = frame(FIN, Opcode::Ping, "p").to_vec();
    let wire = [compressed_frame(false, Text, b"\x07garbage"), ping.clone()].concat();
    let (events, error) = decode(&wire);
    assert!(events.is_empty() && matches!(error, Some(DecodeError::InvalidDeflate(_))));
    let bomb = compress(&[b'x'; 5000]);
    let wire = [compressed_frame(false, Text, &bomb), ping].concat();
    let limits = Limits { max_payload: 4096, ..Limits::default() };
    assert_eq!(decode_cut(&wire, [], limits), (vec![], Some(DecodeError::MessageTooLong)));
}

#[test]
fn plain_and_compressed_messages_may_alternate() {
    let payload = "again and ".repeat(20);
    let compressed = compressed_frame(FIN, Text, &compress(payload.as_bytes()));
    let plain = frame(FIN, Text, &payload).to_vec();
    let wire = [&*compressed, &plain, &compressed, &plain].concat();
    assert_eq!(decode(&wire), (vec![text(payload); 4], None));
}

#[test]
fn an_empty_message_is_inflated_to_nothing() {
    for payload in [b"".as_slice(), b"\0", b"\x02\0", b"\x03\0\0"] {
        let wire = compressed_frame(FIN, Text, payload);
        assert_eq!(decode(&wire), (vec![text("")], None), "{payload:?}");
    }
}

#[test]
fn rsv1_is_refused_without_the_extension_and_behind_the_first_fragment() {
    let compressed = compress(&[b'x'; 100]);
    let wire = compressed_frame(FIN, Text, &compressed);
    let mut plain = Decoder::new(Role::Server, Limits::default());
    let refused = plain.poll_event(&mut BytesMut::from(&*wire));
    assert_eq!(refused, Err(DecodeError::UnexpectedRsv1));
    for wire in [
        [compressed_frame(false, Text, &compressed), compressed_frame(FIN, Continuation, b"")],
        [compressed_frame(FIN, Opcode::Ping, b""), Vec::new()],
    ] {
        assert_eq!(decode(&wire.concat()).1, Some(DecodeError::UnexpectedRsv1));
    }
}

#[test]
fn text_is_checked_when_it_is_inflated() {
    let invalid = [&[b'a'; 100][..], b"\xc3\x28"].concat();
    let wire = compressed_frame(FIN, Text, &compress(&invalid));
    assert_eq!(decode(&wire), (vec![], Some(DecodeError::InvalidUtf8)));
    let wire = compressed_frame(FIN, Binary, &compress(&invalid));
    assert_eq!(decode(&wire), (vec![binary(invalid)], None));
}

#[test]
fn the_limit_holds_for_the_message_in_both_forms() {
    let limits = |max_payload| Limits { max_payload, ..Limits::default() };
    let compressed = compress(&[b'x'; 1000]);
    let wire = compressed_frame(FIN, Binary, &compressed);
    let too_long = Some(DecodeError::MessageTooLong);
    assert_eq!(decode_cut(&wire, [], limits(1000)), (vec![binary(vec![b'x'; 1000])], None));
    assert_eq!(decode_cut(&wire, [], limits(999)), (vec![], too_long));
    assert_eq!(decode_cut(&wire[..6], [], limits(compressed.len() - 1)), (vec![], too_long));
}

#[test]
fn what_is_not_deflate_is_refused_with_the_code_of_ws() {
    let (events, error) = decode(&compressed_frame(FIN, Text, b"\x07garbage"));
    let error = error.expect("an error");
    assert!(events.is_empty());
    assert_eq!((error.close_code().value(), error.ws_code()), (1007, Some("Z_DATA_ERROR")));
    assert_eq!(error.to_string(), "invalid block type");
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        "[ab]{20,3000}".prop_map(String::into_bytes),
        "(\"name\":[0-9]{1,4},){5,100}".prop_map(String::into_bytes),
    ]
}

proptest! {
    #[test]
    fn messages_arrive_however_they_are_fragmented_and_cut(
        sent in vec((payload(), vec(0_usize..400, 0..4), any::<bool>()), 1..5),
        cuts in btree_set(0_usize..5000, 0..30),
    ) {
        let (mut wire, mut expected) = (Vec::new(), Vec::new());
        for (payload, lengths, is_compressed) in sent {
            let mut rest = if is_compressed { compress(&payload) } else { payload.clone().into() };
            let mut opcode = Binary;
            for length in lengths {
                let fragment = rest.split_to(length.min(rest.len()));
                wire.extend(encode(is_compressed, false, opcode, &fragment));
                opcode = Continuation;
            }
            wire.extend(encode(is_compressed, FIN, opcode, &rest));
            expected.push(binary(payload));
        }
        let cuts = cuts.into_iter().filter(|cut| *cut < wire.len());
        prop_assert_eq!(decode_cut(&wire, cuts, Limits::default()), (expected, None));
    }

    #[test]
    fn no_compressed_payload_panics_or_exceeds_the_limit(
        payload in vec(any::<u8>(), 0..200),
        fragment in 0_usize..200,
    ) {
        let limits = Limits { max_payload: 4096, ..Limits::default() };
        let (first, last) = payload.split_at(fragment.min(payload.len()));
        let wire = [
            compressed_frame(false, Text, first),
            encode_frame(FIN, Continuation, last, Some(KEY)).to_vec(),
        ]
        .concat();
        for event in decode_cut(&wire, [], limits).0 {
            prop_assert!(matches!(event, Event::Text(text) if text.len() <= 4096));
        }
    }
}

fn encode(is_compressed: bool, is_fin: bool, opcode: Opcode, fragment: &[u8]) -> Vec<u8> {
    if is_compressed && opcode != Continuation {
        compressed_frame(is_fin, opcode, fragment)
    } else {
        encode_frame(is_fin, opcode, fragment, Some(KEY)).to_vec()
    }
}
