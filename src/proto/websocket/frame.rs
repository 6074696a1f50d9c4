//! The frame that is being received.

use super::mask::mask;
use super::{FrameHeader, Opcode};

/// A frame whose header is complete and whose payload is being received.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub opcode: Opcode,
    pub is_fin: bool,
    /// The masking key, rotated to the position that the payload has reached.
    key: Option<[u8; 4]>,
    /// Length of the missing payload in bytes.
    pub remaining: usize,
}

impl Frame {
    /// Creates the frame of `header`, whose payload has `payload_len` bytes.
    pub(super) fn new(header: &FrameHeader, payload_len: usize) -> Self {
        let FrameHeader { opcode, is_fin, mask: key, .. } = *header;
        Self { opcode, is_fin, key, remaining: payload_len }
    }

    /// Unmasks the available payload at the front of `input` in place. Returns its length.
    pub(super) fn unmask(&mut self, input: &mut [u8]) -> usize {
        let length = self.remaining.min(input.len());
        let piece = input.get_mut(..length).unwrap_or_default();
        self.key = self.key.map(|key| mask(piece, key));
        self.remaining -= length;
        length
    }

    pub(super) fn is_complete(&self) -> bool {
        self.remaining == 0
    }
}
