//! RFC 6455 §5.2, "Base Framing Protocol": the header of a frame.

use std::ops::Deref;

use super::{DecodeError, Opcode, Role};

const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
const RSV2_AND_3: u8 = 0x30;
const OPCODE: u8 = 0x0f;
const MASK: u8 = 0x80;
const SHORT_LENGTH: u8 = 0x7f;
/// The seven length bits that announce a length of 16 bits.
const LENGTH_16: u8 = 126;
/// The seven length bits that announce a length of 64 bits.
const LENGTH_64: u8 = 127;

/// Length of the longest header in bytes.
pub const MAX_HEADER_LEN: usize = 14;
/// The longest payload of a control frame in bytes, RFC 6455 §5.5.
pub const MAX_CONTROL_PAYLOAD: usize = 125;
/// The longest payload of a frame in bytes: the largest safe integer of JavaScript, as in ws.
const MAX_FRAME_PAYLOAD: u64 = (1 << 53) - 1;

/// The header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// True for the last fragment of a message.
    pub is_fin: bool,
    /// True for the first fragment of a compressed message, RFC 7692 §6: RSV1.
    pub is_compressed: bool,
    /// The type of the frame.
    pub opcode: Opcode,
    /// The masking key; `None` if the payload is not masked.
    pub mask: Option<[u8; 4]>,
    /// Length of the payload in bytes.
    pub payload_len: u64,
}

impl FrameHeader {
    /// Creates the header of a whole message, or of a control frame, which is neither masked nor
    /// compressed.
    #[must_use]
    pub const fn whole(opcode: Opcode, payload_len: u64) -> Self {
        Self { is_fin: true, is_compressed: false, opcode, mask: None, payload_len }
    }

    /// Decodes the header at the start of `input`. Returns it with its length in bytes, or `None`
    /// if it is incomplete. Errors are reported as soon as the bytes that show them are there, in
    /// the order in which ws checks.
    ///
    /// `role` is the end that decodes; `is_in_message` is true between the first and the last
    /// fragment of a message, and `can_be_compressed` where permessage-deflate has been negotiated.
    ///
    /// # Errors
    ///
    /// Each [`DecodeError`] that concerns neither a payload nor a limit.
    pub fn decode(
        input: &[u8],
        role: Role,
        is_in_message: bool,
        can_be_compressed: bool,
    ) -> Result<Option<(Self, usize)>, DecodeError> {
        let Some((&[first, second], rest)) = input.split_first_chunk() else { return Ok(None) };
        let is_compressed = decode_rsv(first, can_be_compressed)?;
        let is_fin = first & FIN != 0;
        let opcode = decode_opcode(first & OPCODE, is_in_message, is_compressed)?;
        if opcode.is_control() {
            check_control(opcode, is_fin, is_compressed, second & SHORT_LENGTH)?;
        }
        let is_masked = second & MASK != 0;
        role.check_mask(is_masked)?;
        let Some((payload_len, rest)) = decode_length(second & SHORT_LENGTH, rest)? else {
            return Ok(None);
        };
        let Some((mask, rest)) = decode_mask(is_masked, rest) else { return Ok(None) };
        let header = Self { is_fin, is_compressed, opcode, mask, payload_len };
        Ok(Some((header, input.len() - rest.len())))
    }

    /// Encodes the header, with the payload's length in as few bytes as possible.
    #[must_use]
    pub fn encode(&self) -> EncodedHeader {
        let mut header = EncodedHeader::default();
        let is_masked = if self.mask.is_some() { MASK } else { 0 };
        let fin = if self.is_fin { FIN } else { 0 };
        let rsv1 = if self.is_compressed { RSV1 } else { 0 };
        header.push(&[fin | rsv1 | self.opcode as u8]);
        // RFC 6455 §5.2: the minimal number of bytes is used to encode the length.
        if let Ok(short @ 0..LENGTH_16) = u8::try_from(self.payload_len) {
            header.push(&[is_masked | short]);
        } else if let Ok(medium) = u16::try_from(self.payload_len) {
            header.push(&[is_masked | LENGTH_16]);
            header.push(&medium.to_be_bytes());
        } else {
            header.push(&[is_masked | LENGTH_64]);
            header.push(&self.payload_len.to_be_bytes());
        }
        header.push(self.mask.as_ref().map_or(&[], |key| key.as_slice()));
        header
    }
}

/// Returns whether RSV1 is set.
fn decode_rsv(first: u8, can_be_compressed: bool) -> Result<bool, DecodeError> {
    // RFC 6455 §5.2: RSV1 to RSV3 are 0 unless an extension gives them a meaning.
    if first & RSV2_AND_3 != 0 {
        return Err(DecodeError::UnexpectedRsv23);
    }
    let is_compressed = first & RSV1 != 0;
    if is_compressed && !can_be_compressed {
        return Err(DecodeError::UnexpectedRsv1);
    }
    Ok(is_compressed)
}

fn decode_opcode(
    bits: u8,
    is_in_message: bool,
    is_compressed: bool,
) -> Result<Opcode, DecodeError> {
    match Opcode::from_bits(bits) {
        // RFC 7692 §6.1: RSV1 is set in the first fragment of a message only.
        Some(Opcode::Continuation) if is_compressed => Err(DecodeError::UnexpectedRsv1),
        // RFC 6455 §5.4: a continuation continues a message, and only it does.
        Some(Opcode::Continuation) if !is_in_message => Err(DecodeError::InvalidOpcode(bits)),
        Some(Opcode::Text | Opcode::Binary) if is_in_message => {
            Err(DecodeError::InvalidOpcode(bits))
        }
        // RFC 6455 §5.2: fail the connection upon an unknown opcode.
        None => Err(DecodeError::InvalidOpcode(bits)),
        Some(opcode) => Ok(opcode),
    }
}

fn check_control(
    opcode: Opcode,
    is_fin: bool,
    is_compressed: bool,
    short_length: u8,
) -> Result<(), DecodeError> {
    // RFC 6455 §5.5: control frames are not fragmented.
    if !is_fin {
        return Err(DecodeError::ExpectedFin);
    }
    // RFC 7692 §6.1: control frames are not compressed.
    if is_compressed {
        return Err(DecodeError::UnexpectedRsv1);
    }
    // RFC 6455 §5.5: control frames carry at most 125 bytes.
    // RFC 6455 §5.5.1: if a close frame has a payload, a code of two bytes begins it.
    if usize::from(short_length) > MAX_CONTROL_PAYLOAD
        || opcode == Opcode::Close && short_length == 1
    {
        return Err(DecodeError::InvalidControlPayloadLength(short_length));
    }
    Ok(())
}

/// Splits the payload's length off `rest`; `None` if it is incomplete.
fn decode_length(short: u8, rest: &[u8]) -> Result<Option<(u64, &[u8])>, DecodeError> {
    let (length, least, rest) = match short {
        LENGTH_16 => match rest.split_first_chunk() {
            Some((&length, rest)) => (u16::from_be_bytes(length).into(), LENGTH_16.into(), rest),
            None => return Ok(None),
        },
        LENGTH_64 => match rest.split_first_chunk() {
            Some((&length, rest)) => (u64::from_be_bytes(length), 0x1_0000, rest),
            None => return Ok(None),
        },
        _ => (short.into(), 0, rest),
    };
    // RFC 6455 §5.2: the most significant bit of a 64-bit length is 0. ws allows less.
    if length > MAX_FRAME_PAYLOAD {
        return Err(DecodeError::UnsupportedPayloadLength);
    }
    // RFC 6455 §5.2: the minimal number of bytes is used to encode the length.
    if length < least {
        return Err(DecodeError::NonMinimalLength);
    }
    Ok(Some((length, rest)))
}

/// Splits the masking key off `rest`, if there is one; `None` if it is incomplete.
fn decode_mask(is_masked: bool, rest: &[u8]) -> Option<(Option<[u8; 4]>, &[u8])> {
    if !is_masked {
        return Some((None, rest));
    }
    rest.split_first_chunk().map(|(&key, rest)| (Some(key), rest))
}

/// An encoded header, without an allocation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EncodedHeader {
    bytes: [u8; MAX_HEADER_LEN],
    len: u8,
}

impl EncodedHeader {
    /// Appends as much of `bytes` as there is room for.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let free = self.bytes.get_mut(usize::from(self.len)..).unwrap_or_default();
        let taken = free.len().min(bytes.len());
        free.iter_mut().zip(bytes).for_each(|(free, &byte)| *free = byte);
        self.len += taken as u8;
    }
}

impl Deref for EncodedHeader {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{FrameHeader, LENGTH_16, MAX_FRAME_PAYLOAD};
    use crate::proto::websocket::{DecodeError, Opcode, Role};

    fn header(payload_len: u64) -> FrameHeader {
        FrameHeader::whole(Opcode::Binary, payload_len)
    }

    fn payload_len() -> impl Strategy<Value = u64> {
        prop_oneof![0..300_u64, 65_000..66_000_u64, 0..=MAX_FRAME_PAYLOAD]
    }

    proptest! {
        #[test]
        fn a_header_survives_encoding_and_decoding(
            is_fin: bool,
            is_compressed: bool,
            opcode in prop::sample::select([Opcode::Text, Opcode::Binary].as_slice()),
            mask: Option<[u8; 4]>,
            payload_len in payload_len(),
        ) {
            let header = FrameHeader { is_fin, is_compressed, opcode, mask, payload_len };
            let encoded = header.encode();
            let role = if mask.is_some() { Role::Server } else { Role::Client };
            let decoded = FrameHeader::decode(&encoded, role, false, true);
            prop_assert_eq!(decoded, Ok(Some((header, encoded.len()))));
            for cut in 0..encoded.len() {
                prop_assert_eq!(FrameHeader::decode(&encoded[..cut], role, false, true), Ok(None));
            }
        }
    }

    #[test]
    fn a_length_is_written_in_as_few_bytes_as_possible() {
        let lengths = [0, 125, 126, 65_535, 65_536, MAX_FRAME_PAYLOAD];
        assert_eq!(lengths.map(|length| header(length).encode().len()), [2, 2, 4, 4, 10, 10]);
    }

    #[test]
    fn a_length_in_more_bytes_than_it_needs_is_refused() {
        for length in [0, 1, u16::from(LENGTH_16) - 1] {
            let [high, low] = length.to_be_bytes();
            let refused = FrameHeader::decode(&[0x82, 126, high, low], Role::Client, false, false);
            assert_eq!(refused, Err(DecodeError::NonMinimalLength), "{length}");
        }
        for length in [0_u64, 125, 126, 65_535] {
            let input = [[0x82, 127].as_slice(), &length.to_be_bytes()].concat();
            let refused = FrameHeader::decode(&input, Role::Client, false, false);
            assert_eq!(refused, Err(DecodeError::NonMinimalLength), "{length}");
        }
    }

    #[test]
    fn a_length_that_javascript_cannot_count_is_refused() {
        for length in [MAX_FRAME_PAYLOAD + 1, 1 << 62, 1 << 63, u64::MAX] {
            let refused = FrameHeader::decode(&header(length).encode(), Role::Client, false, false);
            assert_eq!(refused, Err(DecodeError::UnsupportedPayloadLength), "{length}");
        }
    }

    #[test]
    fn rsv1_is_for_the_first_fragment_of_a_message_of_a_compressing_connection() {
        let decode = |first, is_in_message, can_be_compressed| {
            FrameHeader::decode(&[first, 0], Role::Client, is_in_message, can_be_compressed)
                .map(|decoded| decoded.map(|(header, _)| header.is_compressed))
        };
        let refused = Err(DecodeError::UnexpectedRsv1);
        assert_eq!(decode(0xc1, false, true), Ok(Some(true)));
        assert_eq!(decode(0x42, false, true), Ok(Some(true)));
        assert_eq!(decode(0x81, false, true), Ok(Some(false)));
        assert_eq!(decode(0xc1, false, false), refused);
        // Checked before the rule that there must be a message to continue, as in ws.
        for is_in_message in [false, true] {
            assert_eq!(decode(0xc0, is_in_message, true), refused);
        }
        for control in [0xc8, 0xc9, 0xca] {
            assert_eq!(decode(control, false, true), refused);
        }
        assert_eq!(decode(0x49, false, true), Err(DecodeError::ExpectedFin));
        assert_eq!(decode(0xc1, true, true), Err(DecodeError::InvalidOpcode(1)));
        assert_eq!(decode(0xd1, false, true), Err(DecodeError::UnexpectedRsv23));
    }
}
