//! Text messages that are and are not UTF-8, after the Autobahn suite's group 6.

#[path = "support/decoding.rs"]
mod decoding;

use bytes::Bytes;
use socket_io_turbo::proto::websocket::{CloseCode, DecodeError, Event, Opcode};

use Opcode::{Binary, Continuation, Text};
use decoding::*;

/// Autobahn 6.6 to 6.22: valid.
const VALID: &[&str] = &[
    "Hello-µ@ßöäüàá-UTF-8!!",
    "κόσμε",
    "\0",
    "\u{80}",
    "\u{800}",
    "\u{10000}",
    "\u{7f}",
    "\u{7ff}",
    "\u{ffff}",
    "\u{10ffff}",
    "\u{d7ff}",
    "\u{e000}",
    "\u{fffd}",
    "\u{fffe}",
    "\u{1fffe}",
    "\u{feff}",
];

/// Autobahn 6.3 to 6.21: invalid.
const INVALID: &[&[u8]] = &[
    b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",
    b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90\x80\x80edited",
    // First characters above Unicode, and sequences of five and six bytes.
    b"\xf4\x90\x80\x80",
    b"\xf7\xbf\xbf\xbf",
    b"\xf8\x88\x80\x80\x80",
    b"\xfb\xbf\xbf\xbf\xbf",
    b"\xfc\x84\x80\x80\x80\x80",
    b"\xfd\xbf\xbf\xbf\xbf\xbf",
    // Continuation bytes alone.
    b"\x80",
    b"\xbf",
    b"\x80\xbf\x80\xbf\x80\xbf",
    // Starts alone, each followed by a space.
    b"\xc2 \xc3 \xdf ",
    b"\xe0 \xe1 \xef ",
    b"\xf0 \xf4 ",
    b"\xf8 \xfb ",
    b"\xfc \xfd ",
    // Sequences whose last byte is missing.
    b"\xc2",
    b"\xe0\xa0",
    b"\xf0\x90\x80",
    b"\xdf",
    b"\xef\xbf",
    b"\xf4\x8f\xbf",
    b"\xe0\xa0\xf0\x90\x80",
    // Bytes that never occur.
    b"\xfe",
    b"\xff",
    b"\xfe\xfe\xff\xff",
    // Overlong.
    b"\xc0\xaf",
    b"\xe0\x80\xaf",
    b"\xf0\x80\x80\xaf",
    b"\xf8\x80\x80\x80\xaf",
    b"\xfc\x80\x80\x80\x80\xaf",
    b"\xc1\xbf",
    b"\xe0\x9f\xbf",
    b"\xf0\x8f\xbf\xbf",
    b"\xc0\x80",
    b"\xe0\x80\x80",
    // Surrogates, alone and in pairs.
    b"\xed\xa0\x80",
    b"\xed\xad\xbf",
    b"\xed\xae\x80",
    b"\xed\xaf\xbf",
    b"\xed\xb0\x80",
    b"\xed\xbe\x80",
    b"\xed\xbf\xbf",
    b"\xed\xa0\x80\xed\xb0\x80",
    b"\xed\xaf\xbf\xed\xbf\xbf",
];

/// `payload` as one frame, and cut into two fragments at every byte.
fn all_fragmentations(payload: &[u8]) -> Vec<Vec<Bytes>> {
    let cut = |end: usize| {
        let (head, tail) = payload.split_at(end);
        vec![frame(MORE, Text, head), frame(FIN, Continuation, tail)]
    };
    [vec![frame(FIN, Text, payload)]].into_iter().chain((0..=payload.len()).map(cut)).collect()
}

#[test]
fn valid_text_is_accepted_wherever_it_is_fragmented() {
    for &valid in VALID {
        for frames in all_fragmentations(valid.as_bytes()) {
            assert_decoded(&frames, &[text(valid)]);
        }
    }
}

#[test]
fn invalid_text_is_refused_wherever_it_is_fragmented() {
    for &invalid in INVALID {
        for frames in all_fragmentations(invalid) {
            assert_refused(&frames, &[], DecodeError::InvalidUtf8);
        }
    }
    assert_eq!(DecodeError::InvalidUtf8.close_code(), CloseCode::INVALID_PAYLOAD);
}

#[test]
fn every_sequence_is_accepted_in_binary() {
    for &invalid in INVALID {
        assert_decoded(&[frame(FIN, Binary, invalid)], &[binary(invalid)]);
    }
}

#[test]
fn invalid_text_is_refused_before_its_frame_has_come() {
    // Autobahn 6.4: U+110000 is known to be invalid from its second byte.
    let wire = frame(FIN, Text, [b"caf\xc3\xa9 \xf4\x90".as_slice(), &[b'x'; 1000]].concat());
    let header = 8;
    let (events, error) = decode(&wire[..header + 7]);
    assert_eq!((events.len(), error), (0, None));
    assert_eq!(decode(&wire[..header + 8]).1, Some(DecodeError::InvalidUtf8));
}

#[test]
fn invalid_text_is_refused_before_its_message_has_come() {
    let frames = [frame(MORE, Text, "κόσμε"), frame(MORE, Continuation, b"\xed\xa0")];
    assert_refused(&frames, &[], DecodeError::InvalidUtf8);
}

#[test]
fn a_ping_within_a_character_does_not_disturb_it() {
    let frames =
        [frame(MORE, Text, b"\xf0\x9f"), ping("\u{e9}"), frame(FIN, Continuation, b"\x98\x80")];
    assert_decoded(&frames, &[Event::Ping("é".into()), text("😀")]);
}
