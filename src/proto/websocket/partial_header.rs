//! Collects a header that arrives in pieces.

use bytes::{Buf, BytesMut};

use super::frame_header::{EncodedHeader, FrameHeader};
use super::{DecodeError, Role};

/// The bytes of an incomplete header.
#[derive(Debug, Default)]
pub(super) struct PartialHeader {
    bytes: EncodedHeader,
}

impl PartialHeader {
    /// Takes the next header off `input`. If it is incomplete, takes all of `input` and returns
    /// `None`.
    pub(super) fn poll_header(
        &mut self,
        input: &mut BytesMut,
        role: Role,
        is_in_message: bool,
        can_be_compressed: bool,
    ) -> Result<Option<FrameHeader>, DecodeError> {
        let kept = self.bytes.len();
        let decoded = if kept == 0 {
            FrameHeader::decode(input, role, is_in_message, can_be_compressed)?
        } else {
            let mut joined = self.bytes;
            joined.push(input);
            FrameHeader::decode(&joined, role, is_in_message, can_be_compressed)?
        };
        let Some((header, length)) = decoded else {
            // Fewer bytes than a header has, so all of them fit.
            self.bytes.push(input);
            input.clear();
            return Ok(None);
        };
        input.advance(length - kept);
        self.bytes = EncodedHeader::default();
        Ok(Some(header))
    }
}
