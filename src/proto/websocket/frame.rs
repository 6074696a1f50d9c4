//! A frame whose payload comes in.

use super::mask::mask;
use super::{FrameHeader, Opcode};

/// What a decoder knows of the frame that it is in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub opcode: Opcode,
    pub is_fin: bool,
    /// The masking key, turned to where the payload goes on.
    key: Option<[u8; 4]>,
    /// How many bytes of payload are still to come.
    pub remaining: usize,
}

impl Frame {
    /// The frame of `header`, whose length has been found to be `payload_len`.
    pub(super) fn new(header: &FrameHeader, payload_len: usize) -> Self {
        let FrameHeader { opcode, is_fin, mask: key, .. } = *header;
        Self { opcode, is_fin, key, remaining: payload_len }
    }

    /// Unmasks in place what is there of the payload, at the front of `input`. Returns
    /// its length.
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
