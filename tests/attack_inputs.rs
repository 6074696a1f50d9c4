//! Inputs of past vulnerabilities end in a clean refusal or a plain packet, in
//! bounded time, memory and stack.

mod support;

use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use socket_io_turbo::proto::cluster::{
    self, Broadcast, ClusterBroadcast, MAX_DEPTH, Options, Room,
};
use socket_io_turbo::proto::engine_io::{self, PayloadDecoder};
use socket_io_turbo::proto::socket_io::{DecodeError, Decoder, Packet, PacketType, Payload};

use support::counting_allocator::{Allocations, CountingAllocator, measure};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Far above what linear time takes in a debug build, far below quadratic time.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// A stack on which recursion over these inputs could not go far.
const STACK: usize = 128 * 1024;

const DEPTH: usize = 1_000_000;
const MIB: usize = 1024 * 1024;

type Decoded = Result<Option<Packet>, DecodeError>;

/// Decodes a text and as many empty attachments as it asks for.
fn decode(text: impl Into<Bytes>) -> Decoded {
    let mut decoder = Decoder::default();
    let mut decoded = decoder.handle_text(text.into());
    while decoder.awaited_attachments() > 0 {
        decoded = decoder.handle_binary(Bytes::new());
    }
    decoded
}

/// Runs code on a small stack, with its time checked and its allocations counted.
#[expect(clippy::expect_used, reason = "clippy takes only #[test] functions for tests")]
fn bounded<T: Send + 'static>(code: impl FnOnce() -> T + Send + 'static) -> (T, Allocations) {
    let on_small_stack = thread::Builder::new().stack_size(STACK).spawn(move || {
        let start = Instant::now();
        let measured = measure(code);
        assert!(start.elapsed() < TIME_LIMIT, "took {:?}", start.elapsed());
        measured
    });
    on_small_stack.expect("a thread starts").join().expect("the code does not panic")
}

fn decode_bounded(text: String) -> (Decoded, Allocations) {
    let text = Bytes::from(text);
    bounded(|| decode(text))
}

type Broadcasted = Result<Broadcast, cluster::DecodeError>;

fn decode_broadcast_bounded(message: impl Into<Bytes>) -> (Broadcasted, Allocations) {
    let message = message.into();
    bounded(move || Broadcast::decode(&message))
}

/// The message of a broadcast of an event with one argument.
fn broadcast_of(argument: &[u8]) -> Vec<u8> {
    [b"\x93\xa1u\x82\xa4type\x02\xa4data\x92\xa1e", argument, b"\x80"].concat()
}

#[test]
fn a_huge_packet_is_decoded_without_a_copy() {
    // CVE-2020-36049
    let (decoded, allocations) = decode_bounded(format!("2[\"e\",\"{}\"]", "a".repeat(32 * MIB)));
    assert!(decoded.is_ok_and(|packet| packet.is_some()));
    assert!(allocations.bytes < 1024, "{allocations:?}");
}

#[test]
fn a_placeholder_that_names_a_method_is_refused() {
    // CVE-2022-2421
    let decoded = decode(r#"51-["hello",{"_placeholder":true,"num":"splice"}]"#);
    assert_eq!(decoded, Err(DecodeError::IllegalAttachments));
}

#[test]
fn an_event_name_that_is_an_object_is_refused() {
    // CVE-2023-32695
    assert_eq!(decode(r#"2[{"toString":"foo"}]"#), Err(DecodeError::InvalidPayload));
}

#[test]
fn a_huge_attachment_count_is_refused_at_once() {
    // CVE-2026-33151
    for count in ["11", "1000000000", "99999999999999999999999999"] {
        let decoded = decode(format!("5{count}-[\"e\"]"));
        assert_eq!(decoded, Err(DecodeError::TooManyAttachments), "{count}");
    }
}

#[test]
fn an_attachment_count_of_zero_does_not_leave_the_decoder_waiting() {
    // CVE-2026-69185
    let mut decoder = Decoder::default();
    let refused = decoder.handle_text(Bytes::from_static(br#"50-["e"]"#));
    assert_eq!(refused, Err(DecodeError::IllegalAttachmentCount));
    assert_eq!(decoder.awaited_attachments(), 0);
    assert_eq!(decoder.handle_binary(Bytes::new()), Err(DecodeError::UnexpectedBinary));
}

#[test]
fn a_surplus_attachment_is_refused() {
    let mut decoder = Decoder::default();
    assert_eq!(decoder.handle_text(Bytes::from_static(br#"51-["e"]"#)), Ok(None));
    assert!(decoder.handle_binary(Bytes::new()).is_ok_and(|packet| packet.is_some()));
    assert_eq!(decoder.handle_binary(Bytes::new()), Err(DecodeError::UnexpectedBinary));
}

#[test]
fn a_nesting_of_a_million_does_not_overflow_the_stack() {
    let nested = [
        format!("2[\"e\",{}{}]", "[".repeat(DEPTH), "]".repeat(DEPTH)),
        format!("2[\"e\",{}0{}]", "{\"a\":".repeat(DEPTH), "}".repeat(DEPTH)),
        format!("51-[\"e\",{}{}]", "[".repeat(DEPTH), "]".repeat(DEPTH)),
        format!("51-[\"e\",{}0{}]", "{\"a\":".repeat(DEPTH), "}".repeat(DEPTH)),
    ];
    for text in nested {
        let length = text.len();
        let (decoded, allocations) = decode_bounded(text);
        assert!(decoded.is_ok_and(|packet| packet.is_some()));
        assert!(allocations.bytes < 32 * length, "{allocations:?} for {length} bytes");
    }
}

#[test]
fn an_unfinished_nesting_of_a_million_is_refused() {
    for text in [format!("2{}", "[".repeat(DEPTH)), format!("2[{}", "{\"a\":".repeat(DEPTH))] {
        assert_eq!(decode_bounded(text).0, Err(DecodeError::InvalidPayload));
    }
}

#[test]
fn a_million_nested_placeholders_are_refused_without_overflow() {
    let open = r#"{"_placeholder":true,"num":"splice","a":"#.repeat(DEPTH);
    let text = format!("51-[\"e\",{open}0{}]", "}".repeat(DEPTH));
    assert_eq!(decode_bounded(text).0, Err(DecodeError::IllegalAttachments));
}

#[test]
fn long_headers_take_linear_time() {
    let digits = "9".repeat(4 * MIB);
    let (decoded, _) = decode_bounded(format!("5{digits}-[\"e\"]"));
    assert_eq!(decoded, Err(DecodeError::TooManyAttachments));
    let (decoded, _) = decode_bounded(format!("5{digits}[\"e\"]"));
    assert_eq!(decoded, Err(DecodeError::IllegalAttachmentCount));
    let (decoded, _) = decode_bounded(format!("2{digits}[\"e\"]"));
    assert_eq!(decoded, Err(DecodeError::InvalidAckId));
    let (decoded, allocations) = decode_bounded(format!("2/{digits}"));
    assert!(decoded.is_ok());
    assert!(allocations.bytes < 1024, "{allocations:?}");
}

#[test]
fn long_strings_of_escapes_and_white_space_take_linear_time() {
    let texts = [
        format!("2[\"{}\"]", "\\u0063".repeat(MIB)),
        format!("51-[{}\"e\"{},1]", " ".repeat(MIB), "\n".repeat(MIB)),
        format!("51-[\"e\",{{\"num\"{0}:{0}0{0}}}]", " ".repeat(MIB)),
        format!("51-[\"e\"{}]", ",\"\"".repeat(MIB)),
        format!("51-[\"e\",{{\"num\":{}}}]", "9".repeat(MIB)),
    ];
    for text in texts {
        let (decoded, allocations) = decode_bounded(text);
        assert!(decoded.is_ok_and(|packet| packet.is_some()));
        assert!(allocations.bytes < 1024, "{allocations:?}");
    }
}

#[test]
fn keys_of_object_prototype_are_plain_keys() {
    for key in ["__proto__", "constructor", "toString", "hasOwnProperty"] {
        let inner = r#"{"_placeholder":true,"num":1}"#;
        let decoded = decode(format!("51-[\"e\",{{\"{key}\":{inner}}}]"));
        assert_eq!(decoded, Err(DecodeError::IllegalAttachments), "{key}");
        assert!(decode(format!("2[\"{key}\",{{\"{key}\":1}}]")).is_ok(), "{key}");
    }
}

#[test]
fn a_payload_of_very_many_tiny_packets_allocates_for_none_of_them() {
    // CVE-2020-36048
    let payload = Bytes::from("4\u{1e}".repeat(MIB) + "4");
    let start = Instant::now();
    let (packets, allocations) =
        measure(|| PayloadDecoder::new(payload).filter(Result::is_ok).count());
    assert!(start.elapsed() < TIME_LIMIT, "took {:?}", start.elapsed());
    assert_eq!(packets, MIB + 1);
    assert!(allocations.count < 4, "{allocations:?}");
}

#[test]
fn a_payload_of_separators_ends_at_the_first_empty_packet() {
    let payload = Bytes::from("\u{1e}".repeat(MIB));
    let packets: Vec<_> = PayloadDecoder::new(payload).collect();
    assert_eq!(packets, [Err(engine_io::DecodeError::UnknownPacketType)]);
}

#[test]
fn a_length_of_4_gib_in_six_bytes_costs_nothing() {
    // notepack.io allocates an ArrayBuffer of this length.
    for first in [0xc6, 0xc9, 0xdb, 0xdd, 0xdf] {
        let value = [first, 0xff, 0xff, 0xff, 0xff, 0x00];
        let (decoded, allocations) = decode_broadcast_bounded(value.to_vec());
        assert_eq!(decoded, Err(cluster::DecodeError::Truncated), "{first:x}");
        assert!(allocations.bytes < 128, "{allocations:?}");
        let (decoded, allocations) = decode_broadcast_bounded(broadcast_of(&value));
        assert_eq!(decoded, Err(cluster::DecodeError::Truncated), "{first:x}");
        assert!(allocations.bytes < 1024, "{allocations:?}");
    }
}

#[test]
fn a_message_is_nested_no_deeper_than_the_limit() {
    for level in [&b"\x91"[..], b"\x81\xa1a"] {
        // The message, the packet and its data are three levels.
        let nested = |depth| broadcast_of(&[&level.repeat(depth - 3), &b"\xc0"[..]].concat());
        let message = nested(MAX_DEPTH);
        let length = message.len();
        let (decoded, allocations) = decode_broadcast_bounded(message);
        assert!(decoded.is_ok());
        assert!(allocations.bytes < 256 * length, "{allocations:?} for {length} bytes");
        let (decoded, allocations) = decode_broadcast_bounded(nested(DEPTH));
        assert_eq!(decoded, Err(cluster::DecodeError::TooDeep));
        assert!(allocations.bytes < 256 * MAX_DEPTH, "{allocations:?}");
    }
}

#[test]
fn a_nesting_of_a_million_is_encoded_without_overflow() {
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        let json = format!("[\"e\",{}0{}]", open.repeat(DEPTH), close.repeat(DEPTH));
        let length = json.len();
        let packet = Packet {
            payload: Payload::parse(PacketType::Event, Bytes::from(json)).ok(),
            ..Packet::new(PacketType::Event)
        };
        let (encoded, allocations) = bounded(move || Broadcast::encode_parts("u", &packet, b"{}"));
        assert!(encoded.is_ok_and(|message| message.len() > DEPTH));
        assert!(allocations.bytes < 64 * length, "{allocations:?} for {length} bytes");
    }
}

#[test]
fn a_message_of_tiny_values_takes_linear_time_and_memory() {
    let head = [&[0xdd][..], &(MIB as u32).to_be_bytes()].concat();
    for value in [0xc0, 0x80, 0x90, 0xa0] {
        let message = broadcast_of(&[&head[..], &vec![value; MIB]].concat());
        let (decoded, allocations) = decode_broadcast_bounded(message);
        assert!(decoded.is_ok());
        assert!(allocations.bytes < 128 * MIB, "{allocations:?}");
    }
}

#[test]
fn a_map_of_very_many_keys_takes_linear_time_and_memory() {
    const KEYS: u32 = 200_000;
    let head = [&[0xdf][..], &KEYS.to_be_bytes()].concat();
    let same = b"\xa1a\x01".repeat(KEYS as usize);
    let distinct: Vec<u8> =
        (0..KEYS).flat_map(|key| [&b"\xa5k"[..], &key.to_be_bytes(), b"\x01"].concat()).collect();
    let numbers: Vec<u8> = (0..KEYS)
        .rev()
        .flat_map(|key| [&b"\xce"[..], &key.to_be_bytes(), b"\x01"].concat())
        .collect();
    for entries in [same, distinct, numbers] {
        let message = broadcast_of(&[&head[..], &entries].concat());
        let length = message.len();
        let (decoded, allocations) = decode_broadcast_bounded(message);
        assert!(decoded.is_ok());
        assert!(allocations.bytes < 256 * length, "{allocations:?} for {length} bytes");
    }
}

type ClusterBroadcasted = Result<Option<ClusterBroadcast>, cluster::DecodeError>;

fn decode_cluster_broadcast_bounded(message: String) -> (ClusterBroadcasted, Allocations) {
    let message = Bytes::from(message);
    bounded(move || ClusterBroadcast::decode(&message))
}

/// A message of the sharded protocol as JSON, with something in each of its values.
fn cluster_broadcast_of(argument: &str, rooms: &str, flags: &str, other: &str) -> String {
    format!(
        r#"{{"uid":{other},"x":{other},"type":3,"data":{{"x":{other},"packet":
        {{"nsp":{other},"type":2,"data":["e",{argument}]}},"opts":
        {{"rooms":[{rooms}],"except":[],"flags":{{"x":{flags},"volatile":{flags}}}}}}},"nsp":"/"}}"#
    )
}

#[test]
fn json_between_nodes_is_nested_no_deeper_than_the_limit() {
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        let nested = |depth| format!("{}0{}", open.repeat(depth), close.repeat(depth));
        for place in 0..4 {
            let message = |nested: &str| {
                let at = |index| if index == place { nested } else { "1" };
                cluster_broadcast_of(at(0), at(1), at(2), at(3))
            };
            // The deepest value is in four levels.
            let message_length = message(&nested(MAX_DEPTH - 4)).len();
            let (decoded, allocations) =
                decode_cluster_broadcast_bounded(message(&nested(MAX_DEPTH - 4)));
            let Options { rooms, flags, .. } = decoded.unwrap().unwrap().options;
            assert_eq!(rooms, [if place == 1 { Room::Other } else { Room::Number(1.0) }]);
            assert!(flags.is_volatile());
            // serde_json notes each open bracket in a byte.
            assert!(allocations.bytes < 4 * message_length, "{allocations:?}");
            for depth in [MAX_DEPTH, 100_000] {
                let (decoded, _) = decode_cluster_broadcast_bounded(message(&nested(depth)));
                assert_eq!(decoded, Err(cluster::DecodeError::TooDeep));
            }
        }
        let cut = r#"{"type":3,"data":"#.to_owned() + &open.repeat(100_000);
        let (decoded, _) = decode_cluster_broadcast_bounded(cut);
        assert_eq!(decoded, Err(cluster::DecodeError::InvalidEnvelope));
    }
}

#[test]
fn json_of_very_many_values_between_nodes_takes_linear_time_and_memory() {
    const VALUES: usize = 100_000;
    let numbers = "1,".repeat(VALUES) + "1";
    let texts = r#""a\u0062","#.repeat(VALUES) + "1";
    let keys = r#""\u0074ype":3,"data":{"packet":{}},"#.repeat(VALUES / 10);
    let keys = format!(r#"{{{keys}"k":0}}"#);
    for list in [&numbers, &texts, &keys] {
        let message = cluster_broadcast_of(list, list, "1", "1");
        let length = message.len();
        let (decoded, allocations) = decode_cluster_broadcast_bounded(message);
        assert!(decoded.is_ok_and(|broadcast| broadcast.is_some()));
        assert!(allocations.bytes < 64 * length, "{allocations:?} for {length} bytes");
    }
    let length = keys.len();
    let (decoded, allocations) = decode_cluster_broadcast_bounded(keys);
    assert_eq!(decoded, Err(cluster::DecodeError::InvalidPacketType));
    assert!(allocations.bytes < length, "{allocations:?} for {length} bytes");
}
