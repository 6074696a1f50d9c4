//! The WebSocket decoder by behaviour, in the case groups of the Autobahn suite; its UTF-8 is in
//! `websocket_utf8.rs`.

#[path = "support/decoding.rs"]
mod decoding;

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use proptest::collection::vec;
use proptest::prelude::*;
use socket_io_turbo::proto::websocket::{
    CloseCode, DecodeError, Decoder, Event, Limits, Opcode, Role, encode_frame,
};

use Opcode::{Binary, Continuation, Text};
use decoding::*;

mod framing {
    use super::*;

    #[test]
    fn messages_of_all_length_encodings_are_decoded() {
        for length in [0, 1, 125, 126, 127, 128, 65_535, 65_536, 1 << 20] {
            let payload = "x".repeat(length);
            assert_decoded(&[frame(FIN, Text, &payload)], &[text(payload.clone())]);
            assert_decoded(&[frame(FIN, Binary, &payload)], &[binary(payload)]);
        }
    }

    #[test]
    fn a_client_takes_unmasked_frames() {
        let mut input = BytesMut::from(&*encode_frame(FIN, Text, b"Hello", None));
        let polled = Decoder::new(Role::Client, Limits::default()).poll_event(&mut input);
        assert_eq!(polled, Ok(Some(text("Hello"))));
    }

    #[test]
    fn an_unmasked_frame_is_refused_by_a_server() {
        assert_refused(&[Bytes::from_static(b"\x81\x00")], &[], DecodeError::ExpectedMask);
    }

    #[test]
    fn a_masked_frame_is_refused_by_a_client() {
        let mut input = BytesMut::from(&*frame(FIN, Text, "Hello"));
        let refused = Decoder::new(Role::Client, Limits::default()).poll_event(&mut input);
        assert_eq!(refused, Err(DecodeError::UnexpectedMask));
    }

    #[test]
    fn a_length_that_is_not_minimal_is_refused() {
        let wire = Bytes::from_static(b"\x82\xfe\x00\x7d");
        assert_refused(&[wire], &[], DecodeError::NonMinimalLength);
        let wire = Bytes::from_static(b"\x82\xff\0\0\0\0\0\0\xff\xff");
        assert_refused(&[wire], &[], DecodeError::NonMinimalLength);
    }

    #[test]
    fn a_length_with_its_top_bit_set_is_refused() {
        let wire = Bytes::from_static(b"\x82\xff\x80\0\0\0\0\0\0\0");
        assert_refused(&[wire], &[], DecodeError::UnsupportedPayloadLength);
    }
}

mod pings_and_pongs {
    use super::*;

    #[test]
    fn a_ping_gives_its_payload() {
        assert_decoded(&[ping("")], &[Event::Ping(Bytes::new())]);
        let payload = [0xfe; 125];
        let frames = [frame(FIN, Opcode::Ping, payload)];
        assert_decoded(&frames, &[Event::Ping(Bytes::copy_from_slice(&payload))]);
    }

    #[test]
    fn an_unsolicited_pong_gives_its_payload() {
        let frames = [frame(FIN, Opcode::Pong, "x"), ping("y")];
        assert_decoded(&frames, &[Event::Pong("x".into()), Event::Ping("y".into())]);
    }

    #[test]
    fn a_control_frame_of_more_than_125_bytes_is_refused() {
        for opcode in [Opcode::Ping, Opcode::Pong, Opcode::Close] {
            let error = DecodeError::InvalidControlPayloadLength(126);
            assert_refused(&[frame(FIN, opcode, [0; 126])], &[], error);
            let error = DecodeError::InvalidControlPayloadLength(127);
            assert_refused(&[frame(FIN, opcode, [0; 65_536])], &[], error);
        }
    }

    #[test]
    fn a_fragmented_control_frame_is_refused() {
        for opcode in [Opcode::Ping, Opcode::Pong, Opcode::Close] {
            assert_refused(&[frame(MORE, opcode, "x")], &[], DecodeError::ExpectedFin);
        }
    }
}

mod reserved_bits {
    use super::*;

    #[test]
    fn a_frame_with_a_reserved_bit_is_refused() {
        for opcode in [0x0, 0x1, 0x2, 0x8, 0x9, 0xa] {
            for rsv in 1..=7 {
                let wire = Bytes::copy_from_slice(&[0x80 | rsv << 4 | opcode, 0x80, 0, 0, 0, 0]);
                let error = match rsv {
                    4 => DecodeError::UnexpectedRsv1,
                    _ => DecodeError::UnexpectedRsv23,
                };
                assert_refused(&[frame(FIN, Text, "before"), wire], &[text("before")], error);
            }
        }
    }
}

mod opcodes {
    use super::*;

    #[test]
    fn a_reserved_opcode_is_refused() {
        for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
            let wire = Bytes::copy_from_slice(&[0x80 | opcode, 0x80, 0, 0, 0, 0]);
            let error = DecodeError::InvalidOpcode(opcode);
            assert_refused(&[frame(FIN, Text, "x"), wire, ping("y")], &[text("x")], error);
        }
    }
}

mod fragmentation {
    use super::*;

    #[test]
    fn fragments_are_put_together() {
        let frames = [
            frame(MORE, Text, "frag"),
            frame(MORE, Continuation, "men"),
            frame(FIN, Continuation, "ts"),
            frame(MORE, Binary, "a"),
            frame(FIN, Continuation, ""),
        ];
        assert_decoded(&frames, &[text("fragments"), binary("a")]);
    }

    #[test]
    fn a_message_of_empty_fragments_is_empty() {
        let frames =
            [frame(MORE, Text, ""), frame(MORE, Continuation, ""), frame(FIN, Continuation, "")];
        assert_decoded(&frames, &[text("")]);
    }

    #[test]
    fn control_frames_stand_between_fragments() {
        let frames = [
            frame(MORE, Text, "a"),
            ping("1"),
            frame(MORE, Continuation, "b"),
            frame(FIN, Opcode::Pong, "2"),
            frame(FIN, Continuation, "c"),
        ];
        let events = [Event::Ping("1".into()), Event::Pong("2".into()), text("abc")];
        assert_decoded(&frames, &events);
    }

    #[test]
    fn a_close_frame_between_fragments_ends_the_message() {
        let frames = [frame(MORE, Text, "a"), close(""), frame(FIN, Continuation, "b")];
        assert_decoded(&frames, &[Event::Close { code: None, reason: ByteString::new() }]);
    }

    #[test]
    fn a_continuation_of_nothing_is_refused() {
        for is_fin in [MORE, FIN] {
            let frames = [frame(FIN, Text, "a"), frame(is_fin, Continuation, "b")];
            assert_refused(&frames, &[text("a")], DecodeError::InvalidOpcode(0));
        }
    }

    #[test]
    fn a_message_within_a_message_is_refused() {
        for opcode in [Text, Binary] {
            let frames = [frame(MORE, Text, "a"), frame(FIN, opcode, "b")];
            assert_refused(&frames, &[], DecodeError::InvalidOpcode(opcode as u8));
        }
    }
}

mod close_handling {
    use super::*;

    #[test]
    fn a_close_frame_gives_its_code_and_reason() {
        let reason = "é".repeat(61);
        let frames = [close([b"\x03\xe8".as_slice(), reason.as_bytes()].concat())];
        let expected = Event::Close { code: CloseCode::new(1000), reason: reason.into() };
        assert_decoded(&frames, &[expected]);
        assert_decoded(&[close(b"\x0b\xb8")], &[closed(3000, "")]);
    }

    #[test]
    fn a_close_frame_without_payload_gives_no_code() {
        assert_decoded(&[close("")], &[Event::Close { code: None, reason: ByteString::new() }]);
    }

    #[test]
    fn nothing_is_decoded_after_a_close_frame() {
        let garbage = Bytes::from_static(b"\xff\xff\xff\xff");
        let frames = [close(b"\x03\xe8"), frame(FIN, Text, "late"), ping("late"), garbage];
        assert_decoded(&frames, &[closed(1000, "")]);
    }

    #[test]
    fn a_decoder_says_whether_it_is_closed() {
        let mut decoder = Decoder::new(Role::Server, Limits::default());
        assert!(!decoder.is_closed());
        assert!(decoder.poll_event(&mut BytesMut::from(&*close(""))).is_ok());
        assert!(decoder.is_closed());
        assert_eq!(decoder.poll_event(&mut BytesMut::from(&*ping("late"))), Ok(None));
    }

    #[test]
    fn a_close_frame_of_one_byte_is_refused() {
        assert_refused(&[close("x")], &[], DecodeError::InvalidControlPayloadLength(1));
    }

    #[test]
    fn a_code_that_must_not_be_sent_is_refused() {
        // Autobahn 7.9
        for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535_u16] {
            assert_refused(&[close(code.to_be_bytes())], &[], DecodeError::InvalidCloseCode(code));
        }
    }

    #[test]
    fn a_code_that_may_be_sent_is_accepted() {
        // Autobahn 7.7
        let codes = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014];
        for code in codes.into_iter().chain([3000, 3999, 4000, 4999_u16]) {
            assert_decoded(&[close(code.to_be_bytes())], &[closed(code, "")]);
        }
    }

    #[test]
    fn a_reason_that_is_not_utf_8_is_refused() {
        assert_refused(&[close(b"\x03\xe8\xce\xba\xed\xa0\x80")], &[], DecodeError::InvalidUtf8);
        assert_refused(&[close(b"\x03\xe8\xc3")], &[], DecodeError::InvalidUtf8);
    }

    #[test]
    fn an_error_stays_and_drops_all_input() {
        let mut decoder = Decoder::new(Role::Server, Limits::default());
        let mut input = BytesMut::from(b"\x83\x80rest".as_slice());
        assert_eq!(decoder.poll_event(&mut input), Err(DecodeError::InvalidOpcode(3)));
        assert!(input.is_empty());
        input.extend_from_slice(&ping("late"));
        assert_eq!(decoder.poll_event(&mut input), Err(DecodeError::InvalidOpcode(3)));
        assert!(input.is_empty() && !decoder.is_closed());
    }
}

mod limits {
    use super::*;

    const LIMITS: Limits = Limits { max_payload: 10, max_fragments: 3 };

    fn decode_limited(frames: &[Bytes]) -> Decoded {
        decode_cut(&frames.concat(), [], LIMITS)
    }

    #[test]
    fn a_message_as_long_as_the_limit_is_accepted() {
        let frames = [frame(FIN, Text, "0123456789"), frame(FIN, Binary, "0123456789")];
        let events = vec![text("0123456789"), binary("0123456789")];
        assert_eq!(decode_limited(&frames), (events, None));
    }

    #[test]
    fn a_longer_message_is_refused_on_its_header() {
        let header = &frame(FIN, Text, "0123456789a")[..6];
        let refused = decode_limited(&[Bytes::copy_from_slice(header)]);
        assert_eq!(refused, (vec![], Some(DecodeError::MessageTooLong)));
        assert_eq!(DecodeError::MessageTooLong.close_code(), CloseCode::MESSAGE_TOO_BIG);
    }

    #[test]
    fn the_limit_holds_over_all_fragments() {
        let first = frame(MORE, Text, "012345");
        let fitting = [first.clone(), frame(FIN, Continuation, "6789")];
        assert_eq!(decode_limited(&fitting), (vec![text("0123456789")], None));
        let header = frame(FIN, Continuation, "6789a").slice(..6);
        let refused = decode_limited(&[first, header]);
        assert_eq!(refused, (vec![], Some(DecodeError::MessageTooLong)));
    }

    #[test]
    fn the_limit_is_that_of_each_message() {
        let message = [frame(MORE, Text, "01234"), frame(FIN, Continuation, "56789")].concat();
        let (events, error) = decode_limited(&vec![message.into(); 20]);
        assert_eq!((events.len(), error), (20, None));
    }

    #[test]
    fn control_frames_do_not_count_as_the_message() {
        let ping = frame(FIN, Opcode::Ping, [b'x'; 125]);
        let frames = [frame(MORE, Text, "01234"), ping, frame(FIN, Continuation, "56789")];
        let (events, error) = decode_limited(&frames);
        assert_eq!((events.len(), error), (2, None));
    }

    #[test]
    fn more_fragments_than_the_limit_are_refused_though_empty() {
        let first = frame(MORE, Text, "");
        let next = frame(MORE, Continuation, "");
        let fitting = [first.clone(), next.clone(), frame(FIN, Continuation, "")];
        assert_eq!(decode_limited(&fitting), (vec![text("")], None));
        let refused = decode_limited(&[first, next.clone(), next.clone(), next]);
        assert_eq!(refused, (vec![], Some(DecodeError::TooManyFragments)));
        assert_eq!(DecodeError::TooManyFragments.close_code(), CloseCode::POLICY_VIOLATION);
    }
}

mod cuts {
    use super::*;

    /// Sequences of frames whose states all differ somewhere.
    fn sequences() -> Vec<Vec<Bytes>> {
        let long = "κόσμε 😀 ".repeat(20);
        vec![
            vec![frame(FIN, Text, "Hello"), frame(FIN, Binary, b"\x00\xff"), frame(FIN, Text, "")],
            vec![
                frame(MORE, Text, b"\xf0"),
                ping("between"),
                frame(MORE, Continuation, b"\x9f\x98"),
                frame(MORE, Continuation, ""),
                frame(FIN, Continuation, b"\x80!"),
                close(b"\x03\xe8bye"),
                frame(FIN, Text, "late"),
            ],
            vec![frame(FIN, Text, &long), frame(FIN, Opcode::Pong, ""), frame(FIN, Binary, long)],
            vec![ping("x"), close("")],
            vec![frame(FIN, Text, "a"), close(b"\x03\xed")],
            vec![frame(FIN, Text, "a"), frame(MORE, Text, "b\u{e9}"), frame(FIN, Text, "c")],
            vec![frame(FIN, Text, "a"), frame(FIN, Text, b"caf\xc3\xa9\xf4\x90\x80\x80 on")],
            vec![frame(MORE, Text, "a"), frame(FIN, Continuation, b"\xe2\x82"), ping("b")],
            vec![frame(FIN, Binary, [7; 130]), encode_frame(FIN, Text, b"unmasked", None)],
            vec![frame(FIN, Text, "a"), Bytes::from_static(b"\x82\xff\0\0\0\0\0\0\x01\0")],
            vec![frame(MORE, Binary, [7; 200]), frame(FIN, Continuation, [7; 200])],
            [vec![frame(MORE, Text, "")], vec![frame(MORE, Continuation, "x"); 5]].concat(),
        ]
    }

    const LIMITS: Limits = Limits { max_payload: 390, max_fragments: 5 };

    #[test]
    fn a_sequence_decodes_alike_at_every_split_point() {
        for frames in sequences() {
            let wire = frames.concat();
            let whole = decode_cut(&wire, [], LIMITS);
            for cut in 0..=wire.len() {
                assert_eq!(decode_cut(&wire, [cut], LIMITS), whole, "cut at {cut} of {frames:?}");
            }
            for first in 0..wire.len().min(60) {
                for second in first..wire.len().min(60) {
                    assert_eq!(decode_cut(&wire, [first, second], LIMITS), whole);
                }
            }
        }
    }

    #[test]
    fn a_sequence_decodes_alike_byte_by_byte() {
        for frames in sequences() {
            let wire = frames.concat();
            assert_eq!(decode_cut(&wire, 1..wire.len(), LIMITS), decode_cut(&wire, [], LIMITS));
        }
    }

    #[test]
    fn a_long_message_decodes_alike_in_reads_of_any_size() {
        let payload: String = "0123456789é".repeat(20_000);
        let wire = frame(FIN, Text, &payload);
        for read in [1, 1000, 4096, 65_536, wire.len()] {
            let cuts = (read..wire.len()).step_by(read);
            let decoded = decode_cut(&wire, cuts, Limits::default());
            assert_eq!(decoded, (vec![text(payload.clone())], None));
        }
    }
}

mod properties {
    use super::*;

    #[derive(Clone, Debug)]
    enum Sent {
        Message { is_text: bool, fragments: Vec<String>, pings: bool },
        Pong(Vec<u8>),
    }

    fn sent() -> impl Strategy<Value = Sent> {
        let fragments = vec(prop_oneof!["\\PC{0,20}", "[a-zé]{100,300}"], 1..5);
        prop_oneof![
            (any::<bool>(), fragments, any::<bool>()).prop_map(|(is_text, fragments, pings)| {
                Sent::Message { is_text, fragments, pings }
            }),
            vec(any::<u8>(), 0..=125).prop_map(Sent::Pong),
        ]
    }

    fn encode_sent(sent: &Sent, mask: Option<[u8; 4]>) -> Vec<Bytes> {
        let (is_text, fragments, pings) = match sent {
            Sent::Pong(payload) => return vec![encode_frame(FIN, Opcode::Pong, payload, mask)],
            Sent::Message { is_text, fragments, pings } => (is_text, fragments, pings),
        };
        let mut frames = Vec::new();
        for (index, fragment) in fragments.iter().enumerate() {
            let opcode = match index {
                0 if *is_text => Text,
                0 => Binary,
                _ => Continuation,
            };
            let is_fin = index + 1 == fragments.len();
            frames.push(encode_frame(is_fin, opcode, fragment.as_bytes(), mask));
            if *pings {
                frames.push(encode_frame(FIN, Opcode::Ping, &[index as u8], mask));
            }
        }
        frames
    }

    fn expected(sent: &Sent) -> Vec<Event> {
        let (is_text, fragments, pings) = match sent {
            Sent::Pong(payload) => return vec![Event::Pong(payload.clone().into())],
            Sent::Message { is_text, fragments, pings } => (is_text, fragments, pings),
        };
        let pinged = if *pings { fragments.len() as u8 } else { 0 };
        let mut events: Vec<_> = (0..pinged).map(|n| Event::Ping(vec![n].into())).collect();
        let payload = fragments.concat();
        let message = if *is_text { text(payload) } else { binary(payload) };
        // The last ping comes after the message's last fragment.
        events.insert(events.len().saturating_sub(1), message);
        events
    }

    proptest! {
        #[test]
        fn what_is_sent_is_received(
            sent in vec(sent(), 0..6),
            mask: Option<[u8; 4]>,
            reason in "[a-zé]{0,60}",
            reads in vec(1_usize..80, 0..40),
        ) {
            let mut frames: Vec<_> = sent.iter().flat_map(|sent| encode_sent(sent, mask)).collect();
            let going_away = [&1001_u16.to_be_bytes(), reason.as_bytes()].concat();
            frames.push(encode_frame(FIN, Opcode::Close, &going_away, mask));
            let mut events: Vec<_> = sent.iter().flat_map(expected).collect();
            events.push(Event::Close { code: CloseCode::new(1001), reason: reason.into() });

            let role = if mask.is_some() { Role::Server } else { Role::Client };
            let mut decoder = Decoder::new(role, Limits::default());
            let (wire, mut received) = (frames.concat(), Vec::new());
            let mut rest = wire.as_slice();
            for read in reads.into_iter().chain([wire.len()]) {
                let (head, tail) = rest.split_at(read.min(rest.len()));
                rest = tail;
                let mut input = BytesMut::from(head);
                while let Some(event) = decoder.poll_event(&mut input).expect("valid frames") {
                    received.push(event);
                }
            }
            prop_assert_eq!(received, events);
        }

        #[test]
        fn no_input_panics_and_every_cut_gives_the_same(
            wire in vec(prop_oneof![Just(0x80_u8), Just(0x81), Just(0x01), Just(0x82), any::<u8>()], 0..80),
            cut in 0_usize..80,
        ) {
            let whole = decode(&wire);
            prop_assert_eq!(decode_cut(&wire, [cut.min(wire.len())], Limits::default()), whole.clone());
            prop_assert_eq!(decode_cut(&wire, 1..wire.len().max(1), Limits::default()), whole);
        }
    }
}
