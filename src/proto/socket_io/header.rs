//! Decodes text messages: the header of a packet.

use bytes::Bytes;
use bytestring::ByteString;

use super::utf8::check_utf8;
use super::{DecodeError, Namespace, Packet, PacketType, Payload};

/// A decoded text message.
#[derive(Debug)]
pub(super) struct DecodedText {
    /// The packet, without its attachments.
    pub packet: Packet,
    /// Number of attachments that follow; 0 for types that have none.
    pub attachment_count: usize,
}

/// Decodes one text message.
///
/// Socket.IO v5, "Packet encoding":
/// `<packet type>[<# of binary attachments>-][<namespace>,][<acknowledgment id>][payload]`
pub(super) fn decode_text(
    text: &Bytes,
    max_attachments: usize,
) -> Result<DecodedText, DecodeError> {
    check_utf8(text)?;
    let mut rest: &[u8] = text;
    let packet_type = take_packet_type(&mut rest)?;
    let attachment_count = if packet_type.is_binary() {
        take_attachment_count(&mut rest, max_attachments)?
    } else {
        0
    };
    let packet = Packet {
        packet_type,
        namespace: take_namespace(text, &mut rest)?,
        ack_id: take_ack_id(&mut rest)?,
        payload: match rest {
            b"" => None,
            json => Some(Payload::parse(packet_type, text.slice_ref(json))?),
        },
        attachments: Vec::new(),
    };
    Ok(DecodedText { packet, attachment_count })
}

fn take_packet_type(rest: &mut &[u8]) -> Result<PacketType, DecodeError> {
    // socket.io-parser: the empty text is a CONNECT, since Number("") is 0.
    let Some((&first, tail)) = rest.split_first() else {
        return Ok(PacketType::Connect);
    };
    *rest = tail;
    PacketType::from_digit(first)
        .ok_or_else(|| DecodeError::UnknownPacketType(first.is_ascii_digit().then(|| first - b'0')))
}

fn take_attachment_count(rest: &mut &[u8], max: usize) -> Result<usize, DecodeError> {
    let digits = take_digits(rest);
    *rest = rest.strip_prefix(b"-").ok_or(DecodeError::IllegalAttachmentCount)?;
    // CVE-2026-69185: with a count of zero a decoder would wait forever.
    if digits.iter().all(|&digit| digit == b'0') {
        return Err(DecodeError::IllegalAttachmentCount);
    }
    match parse_number(digits).and_then(|count| usize::try_from(count).ok()) {
        Some(count) if count <= max => Ok(count),
        _ => Err(DecodeError::TooManyAttachments),
    }
}

fn take_namespace(text: &Bytes, rest: &mut &[u8]) -> Result<Namespace, DecodeError> {
    if !rest.starts_with(b"/") {
        return Ok(Namespace::main());
    }
    let end = memchr::memchr(b',', rest).unwrap_or(rest.len());
    let (name, tail) = rest.split_at(end);
    *rest = tail.strip_prefix(b",").unwrap_or(tail);
    ByteString::try_from(text.slice_ref(name))
        .ok()
        .and_then(Namespace::new)
        .ok_or(DecodeError::InvalidUtf8)
}

fn take_ack_id(rest: &mut &[u8]) -> Result<Option<u64>, DecodeError> {
    match take_digits(rest) {
        b"" => Ok(None),
        digits => parse_number(digits).ok_or(DecodeError::InvalidAckId).map(Some),
    }
}

fn take_digits<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, tail) = rest.split_at(count);
    *rest = tail;
    digits
}

/// Returns the value of ASCII digits, or `None` above `u64::MAX`.
fn parse_number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |number, digit| {
        number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{DecodeError, DecodedText, decode_text};
    use crate::proto::socket_io::PacketType;

    fn decode(text: &str) -> Result<DecodedText, DecodeError> {
        decode_text(&Bytes::copy_from_slice(text.as_bytes()), 10)
    }

    fn refusal(text: &str) -> String {
        decode(text).map_or_else(|error| error.to_string(), |decoded| format!("{decoded:?}"))
    }

    #[test]
    fn the_header_is_split_into_its_fields() -> Result<(), DecodeError> {
        let DecodedText { packet, attachment_count } = decode(r#"52-/a?b,042["x"]"#)?;
        assert_eq!(packet.packet_type, PacketType::BinaryEvent);
        assert_eq!(attachment_count, 2);
        assert_eq!(packet.namespace.as_str(), "/a?b");
        assert_eq!(packet.ack_id, Some(42));
        assert_eq!(
            packet.payload.map(|payload| payload.as_bytes().clone()),
            Some("[\"x\"]".into())
        );
        Ok(())
    }

    #[test]
    fn the_empty_text_is_a_connect() -> Result<(), DecodeError> {
        let packet = decode("")?.packet;
        assert_eq!(packet.packet_type, PacketType::Connect);
        assert!(packet.namespace.is_main());
        Ok(())
    }

    #[test]
    fn a_namespace_without_a_comma_reaches_to_the_end() -> Result<(), DecodeError> {
        let packet = decode("0/admin{}")?.packet;
        assert_eq!(packet.namespace.as_str(), "/admin{}");
        assert_eq!(packet.payload, None);
        Ok(())
    }

    #[test]
    fn an_unknown_packet_type_is_refused() {
        assert_eq!(refusal("7"), "unknown packet type 7");
        assert_eq!(refusal("a"), "unknown packet type NaN");
        assert_eq!(refusal(" "), "unknown packet type NaN");
        assert_eq!(refusal("\u{663}"), "unknown packet type NaN");
    }

    #[test]
    fn an_attachment_count_is_decimal_digits_and_a_dash() {
        for text in ["5", "5[]", "5-[]", "51", "51[\"a-\"]", "51e1-", "50x1-", "5 1-", "51.0-"] {
            assert_eq!(refusal(text), "Illegal attachments", "{text}");
        }
        assert!(decode("501-").is_ok());
    }

    #[test]
    fn an_attachment_count_is_within_its_limits() {
        assert_eq!(refusal("50-[\"e\"]"), "Illegal attachments");
        assert_eq!(refusal("500-[\"e\"]"), "Illegal attachments");
        assert!(decode("510-[\"e\"]").is_ok());
        assert_eq!(refusal("511-[\"e\"]"), "too many attachments");
        assert_eq!(refusal("599999999999999999999999-[\"e\"]"), "too many attachments");
    }

    #[test]
    fn an_ack_id_is_a_64_bit_number() -> Result<(), DecodeError> {
        assert_eq!(decode("318446744073709551615[]")?.packet.ack_id, Some(u64::MAX));
        assert_eq!(refusal("318446744073709551616[]"), "invalid ack id");
        Ok(())
    }

    #[test]
    fn white_space_is_no_part_of_the_header() {
        for text in ["2 [\"a\"]", "21 [\"a\"]", "2 1[\"a\"]", "2/a, [\"a\"]", "2 "] {
            assert_eq!(refusal(text), "invalid payload", "{text:?}");
        }
    }

    #[test]
    fn a_text_that_is_not_utf_8_is_refused() {
        let text = Bytes::from_static(b"2[\"\xff\"]");
        assert!(matches!(decode_text(&text, 10), Err(DecodeError::InvalidUtf8)));
    }
}
