//! HTTP long-polling payloads: several packets in one body.

use bytes::{Buf, Bytes};

use super::{DecodeError, Packet};

/// Engine.IO v4, "HTTP long-polling": packets are joined by the record separator.
const SEPARATOR: u8 = 0x1e;

/// Iterates over the packets of a payload, each a slice of it.
///
/// The first error ends the iteration, as in engine.io-parser; the packets before
/// it have been yielded by then. A payload that is not UTF-8 yields nothing but
/// that error. The empty payload is one empty packet, hence an error.
///
/// Takes linear time and allocates nothing per packet, however many there are (CVE-2020-36048).
///
/// ```
/// use socket_io_turbo::proto::engine_io::{Packet, PayloadDecoder};
///
/// let packets: Result<Vec<_>, _> = PayloadDecoder::new("4hello\x1e4world".into()).collect();
/// assert_eq!(packets?, [Packet::message("hello"), Packet::message("world")]);
/// # Ok::<(), socket_io_turbo::proto::engine_io::DecodeError>(())
/// ```
#[derive(Debug)]
pub struct PayloadDecoder {
    /// The remaining input; `None` after the last packet or an error.
    rest: Option<Bytes>,
    is_utf8: bool,
}

impl PayloadDecoder {
    /// Creates a decoder of `payload`, whose size the caller has limited.
    #[must_use]
    pub fn new(payload: Bytes) -> Self {
        let is_utf8 = simdutf8::basic::from_utf8(&payload).is_ok();
        Self { rest: Some(payload), is_utf8 }
    }

    fn take_packet(&mut self) -> Option<Bytes> {
        let mut rest = self.rest.take()?;
        let Some(end) = memchr::memchr(SEPARATOR, &rest) else {
            return Some(rest);
        };
        let packet = rest.split_to(end);
        rest.advance(1);
        self.rest = Some(rest);
        Some(packet)
    }
}

impl Iterator for PayloadDecoder {
    type Item = Result<Packet, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let text = self.take_packet()?;
        let packet =
            if self.is_utf8 { Packet::decode_text(text) } else { Err(DecodeError::InvalidUtf8) };
        if packet.is_err() {
            self.rest = None;
        }
        Some(packet)
    }
}

/// Encodes packets into one payload, binary ones as base64.
///
/// The data of a text packet must not hold U+001E, which separates packets; JSON
/// text never does.
#[must_use]
pub fn encode_payload(packets: &[Packet]) -> Bytes {
    let length = packets.iter().map(|packet| packet.text_len() + 1).sum();
    let mut payload = Vec::with_capacity(length);
    for (index, packet) in packets.iter().enumerate() {
        if index > 0 {
            payload.push(SEPARATOR);
        }
        packet.encode_text(&mut payload);
    }
    payload.into()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::PacketType;
    use super::{DecodeError, Packet, PayloadDecoder, encode_payload};

    fn decode(payload: &'static [u8]) -> Vec<Result<Packet, DecodeError>> {
        PayloadDecoder::new(Bytes::from_static(payload)).collect()
    }

    #[test]
    fn the_specification_s_example_goes_both_ways() {
        let payload = b"4hello\x1e2\x1e4world\x1ebAQID";
        let packets = [
            Packet::message("hello"),
            Packet::new(PacketType::Ping),
            Packet::message("world"),
            Packet::Binary(Bytes::from_static(&[1, 2, 3])),
        ];
        assert_eq!(encode_payload(&packets), &payload[..]);
        assert_eq!(decode(payload), packets.map(Ok));
    }

    #[test]
    fn the_first_error_ends_the_payload() {
        let message = || Ok(Packet::message("a"));
        let unknown = || Err(DecodeError::UnknownPacketType);
        assert_eq!(decode(b"4a\x1e9\x1e4b"), [message(), unknown()]);
        assert_eq!(decode(b"4a\x1e"), [message(), unknown()]);
        assert_eq!(decode(b"\x1e4a"), [unknown()]);
        assert_eq!(decode(b""), [unknown()]);
    }

    #[test]
    fn a_payload_that_is_not_utf_8_is_refused_as_a_whole() {
        assert_eq!(decode(b"4a\x1e4\xff\x1e4b"), [Err(DecodeError::InvalidUtf8)]);
    }

    #[test]
    fn no_packets_make_an_empty_payload() {
        assert!(encode_payload(&[]).is_empty());
    }
}
