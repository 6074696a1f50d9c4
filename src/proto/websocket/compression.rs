//! RFC 7692, permessage-deflate: compresses messages.
//!
//! Without context takeover (§7.1.1), so that the bytes of a compressed message depend on nothing but
//! the message and the parameters: all recipients get the same, and no connection needs a state of
//! its own, which has some 300 KiB.
//!
//! # Why zlib-rs
//!
//! It has zlib's levels, strategies and windows, as ws's options do, wholly in Rust (zlib licence, with
//! `unsafe` inside and a safe interface). 2 KiB of JSON at level 6 take 17 to 18 µs, with Node's zlib 20
//! to 22; inflating them takes 3.5 µs. libdeflate takes 11 to 14 µs, but it is C, knows one window, and
//! marks the last block of a message as final. miniz_oxide takes 20 to 22 µs, 6 to inflate, and knows
//! one window. flate2 would add a layer without `memLevel` and `strategy`.

use std::cell::RefCell;

use bytes::Bytes;
use zlib_rs::{Deflate, DeflateConfig, DeflateFlush};

pub use zlib_rs::Strategy as CompressionStrategy;

use super::{FrameHeader, Opcode, Role};

/// RFC 7692 §7.2.1: the end of a flushed block, which is left out.
pub(super) const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// Bytes that are compressed or inflated at once.
pub(super) const CHUNK: usize = 16 * 1024;

/// The most compressors that a thread keeps. Servers rarely have more than one set of options, and
/// clients rarely ask for a window of their own.
const MAX_COMPRESSORS: usize = 4;

/// The least window of raw deflate in zlib, which then uses no more than 8 bits of it.
const MIN_WINDOW_BITS: u8 = 9;

thread_local! {
    static COMPRESSORS: RefCell<Vec<Compressor>> = const { RefCell::new(Vec::new()) };
}

/// The parameters with which messages are compressed. Out of range, they make zlib-rs panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compression {
    /// zlib's level, 0 to 9, or -1 for its default.
    pub level: i32,
    /// `server_max_window_bits`, RFC 7692 §7.1.2.1: 8 to 15.
    pub window_bits: u8,
    /// zlib's `memLevel`, 1 to 9.
    pub mem_level: u8,
    /// zlib's strategy.
    pub strategy: CompressionStrategy,
    /// Messages of fewer bytes are left as they are.
    pub threshold: usize,
}

impl Compression {
    /// The defaults of ws 8.23 and of zlib.
    pub const DEFAULT: Self = Self {
        level: -1,
        window_bits: 15,
        mem_level: 8,
        strategy: CompressionStrategy::Default,
        threshold: 1024,
    };

    /// Compresses the messages in a server's whole frames, those of at least `threshold` bytes that
    /// become shorter. Control frames and fragments stay as they are. Returns `None` if all do.
    #[must_use]
    pub fn compress(&self, frames: &[u8]) -> Option<Bytes> {
        // Most have a single frame, which ends here.
        if frames.len() < self.threshold {
            return None;
        }
        COMPRESSORS.with_borrow_mut(|compressors| {
            Compressor::find(compressors, self.config())?.compress(frames, self.threshold)
        })
    }

    fn config(&self) -> DeflateConfig {
        DeflateConfig {
            level: self.level,
            // Negative for raw deflate.
            window_bits: -i32::from(self.window_bits.max(MIN_WINDOW_BITS)),
            mem_level: self.mem_level.into(),
            strategy: self.strategy,
            ..DeflateConfig::default()
        }
    }
}

impl Default for Compression {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The state that compresses messages of one thread.
struct Compressor {
    config: DeflateConfig,
    deflate: Deflate,
    chunk: Box<[u8]>,
}

impl Compressor {
    /// Returns the compressor for a configuration. Drops the one that was used longest ago if there
    /// are too many.
    fn find(compressors: &mut Vec<Self>, config: DeflateConfig) -> Option<&mut Self> {
        match compressors.iter().rposition(|compressor| compressor.config == config) {
            Some(index) => compressors.get_mut(index..)?.rotate_left(1),
            None => {
                if compressors.len() == MAX_COMPRESSORS {
                    compressors.remove(0);
                }
                compressors.push(Self::new(config));
            }
        }
        compressors.last_mut()
    }

    fn new(config: DeflateConfig) -> Self {
        let deflate = Deflate::new_with_config(config);
        Self { config, deflate, chunk: vec![0; CHUNK].into() }
    }

    fn compress(&mut self, frames: &[u8], threshold: usize) -> Option<Bytes> {
        let (mut output, mut copied) = (Vec::new(), 0);
        let mut position = 0;
        while let Some((header, start, end)) = next_frame(frames, position) {
            position = end;
            let payload = frames.get(start..end)?;
            let is_message =
                header.is_fin && matches!(header.opcode, Opcode::Text | Opcode::Binary);
            if !is_message || payload.len() < threshold {
                continue;
            }
            let Some(compressed) = self.compress_payload(payload) else { continue };
            let header_start = start - header.encode().len();
            output.extend_from_slice(frames.get(copied..header_start)?);
            let payload_len = compressed.len() as u64;
            let header = FrameHeader { is_compressed: true, payload_len, ..header };
            output.extend_from_slice(&header.encode());
            output.extend_from_slice(&compressed);
            copied = end;
        }
        if copied == 0 {
            return None;
        }
        output.extend_from_slice(frames.get(copied..)?);
        Some(output.into())
    }

    /// Compresses a message, RFC 7692 §7.2.1. Returns `None` if it would not become shorter.
    fn compress_payload(&mut self, mut payload: &[u8]) -> Option<Vec<u8>> {
        let (length, mut output) = (payload.len(), Vec::new());
        self.deflate.reset();
        loop {
            let (taken, filled) = (self.deflate.total_in(), self.deflate.total_out());
            self.deflate.compress(payload, &mut self.chunk, DeflateFlush::SyncFlush).ok()?;
            let (taken, filled) =
                (self.deflate.total_in() - taken, self.deflate.total_out() - filled);
            output.extend_from_slice(self.chunk.get(..filled as usize)?);
            payload = payload.get(taken as usize..)?;
            if output.len() >= length + TAIL.len() {
                return None;
            }
            // All is flushed once there is room left.
            if filled < CHUNK as u64 {
                break;
            }
        }
        if !payload.is_empty() || !output.ends_with(&TAIL) {
            return None;
        }
        output.truncate(output.len() - TAIL.len());
        Some(output)
    }
}

/// Returns the header of a server's frame that begins at `position`, with the start and the end of
/// its payload; `None` after the last.
fn next_frame(frames: &[u8], position: usize) -> Option<(FrameHeader, usize, usize)> {
    let rest = frames.get(position..).filter(|rest| !rest.is_empty())?;
    let (header, length) = FrameHeader::decode(rest, Role::Client, false, false).ok()??;
    let start = position + length;
    let end = start.checked_add(usize::try_from(header.payload_len).ok()?)?;
    (end <= frames.len()).then_some((header, start, end))
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use proptest::prelude::*;
    use zlib_rs::{Inflate, InflateFlush};

    use super::*;
    use crate::proto::websocket::{Decoder, Event, Limits, encode_frame};

    const ANY: Compression = Compression { threshold: 1, ..Compression::DEFAULT };

    fn frame(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
        encode_frame(true, opcode, payload, None).to_vec()
    }

    fn events(frames: &[u8]) -> Vec<Event> {
        let mut decoder = Decoder::new(Role::Client, Limits::default()).inflating();
        let mut input = BytesMut::from(frames);
        std::iter::from_fn(|| decoder.poll_event(&mut input).unwrap_or(None)).collect()
    }

    /// Text with repetitions near and far, as that of a table.
    fn records(count: usize) -> String {
        let record = |i: usize| format!("{{\"id\":{i},\"name\":\"n{}\",\"v\":{}}},", i % 7, i * i);
        (0..count).map(record).collect()
    }

    fn compression() -> impl Strategy<Value = Compression> {
        let strategies = [
            CompressionStrategy::Default,
            CompressionStrategy::Filtered,
            CompressionStrategy::HuffmanOnly,
            CompressionStrategy::Rle,
            CompressionStrategy::Fixed,
        ];
        (-1..=9, 8_u8..=15, 1_u8..=9, prop::sample::select(strategies.to_vec())).prop_map(
            |(level, window_bits, mem_level, strategy)| Compression {
                level,
                window_bits,
                mem_level,
                strategy,
                threshold: 1,
            },
        )
    }

    /// Inflates with a window of exactly the negotiated size, as a client that has no more may.
    fn inflate_with(window_bits: u8, compressed: &[u8]) -> Result<Vec<u8>, zlib_rs::InflateError> {
        let mut inflate = Inflate::new(false, window_bits);
        let mut output = vec![0; 1 << 20];
        let input = [compressed, &TAIL].concat();
        inflate.decompress(&input, &mut output, InflateFlush::SyncFlush)?;
        output.truncate(inflate.total_out() as usize);
        Ok(output)
    }

    #[test]
    fn messages_and_control_frames_keep_their_order() {
        let text = records(50);
        let frames = [
            frame(Opcode::Ping, b"p"),
            frame(Opcode::Text, text.as_bytes()),
            frame(Opcode::Text, b"short"),
            frame(Opcode::Binary, &[7; 3000]),
            frame(Opcode::Pong, b""),
        ]
        .concat();
        let compressed = Compression::default().compress(&frames).unwrap_or_default();
        assert!(!compressed.is_empty() && compressed.len() < frames.len() / 3);
        assert_eq!(events(&compressed), events(&frames));
    }

    #[test]
    fn short_messages_and_those_that_would_grow_stay_as_they_are() {
        let mut state = 1_u32;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as u8
        };
        let random: Vec<u8> = std::iter::repeat_with(&mut next).take(5000).collect();
        let frames = [frame(Opcode::Text, b"x"), frame(Opcode::Binary, &random)].concat();
        assert_eq!(ANY.compress(&frames), None);
        let at_threshold = |threshold| {
            let compression = Compression { threshold, ..ANY };
            compression.compress(&frame(Opcode::Text, &[b'x'; 500])).is_some()
        };
        assert_eq!([499, 500, 501].map(at_threshold), [true, true, false]);
    }

    #[test]
    fn fragments_stay_as_they_are() {
        let fragment = |is_fin, opcode| encode_frame(is_fin, opcode, &[b'x'; 2000], None);
        assert_eq!(ANY.compress(&fragment(false, Opcode::Text)), None);
        assert_eq!(ANY.compress(&fragment(true, Opcode::Continuation)), None);
    }

    #[test]
    fn a_long_message_passes_in_chunks() {
        let text = records(30_000);
        assert!(text.len() > 50 * CHUNK);
        let compressed = ANY.compress(&frame(Opcode::Text, text.as_bytes())).unwrap_or_default();
        assert_eq!(events(&compressed), [Event::Text(text.into())]);
    }

    #[test]
    fn a_thread_keeps_few_compressors() {
        let text = frame(Opcode::Text, records(20).as_bytes());
        for window_bits in [15, 9, 10, 11, 12, 13, 14, 15, 15] {
            assert!(Compression { window_bits, ..ANY }.compress(&text).is_some());
        }
        COMPRESSORS.with_borrow(|compressors| {
            let windows = compressors.iter().map(|compressor| compressor.config.window_bits);
            assert_eq!(windows.collect::<Vec<_>>(), [-12, -13, -14, -15]);
        });
    }

    proptest! {
        #[test]
        fn a_compressed_message_fits_the_window_of_its_recipient(
            compression in compression(),
            count in 1_usize..400,
            noise in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let payload = [records(count).as_bytes(), &noise, records(count).as_bytes()].concat();
            let frames = frame(Opcode::Binary, &payload);
            if let Some(compressed) = compression.compress(&frames) {
                let Some((header, start, end)) = next_frame_compressed(&compressed) else {
                    return Err(TestCaseError::fail("no frame"));
                };
                prop_assert!(header.is_compressed && end == compressed.len());
                let inflated = inflate_with(compression.window_bits, &compressed[start..]);
                prop_assert_eq!(inflated.as_ref(), Ok(&payload));
                prop_assert_eq!(events(&compressed), events(&frames));
            }
        }
    }

    fn next_frame_compressed(frames: &[u8]) -> Option<(FrameHeader, usize, usize)> {
        let (header, start) = FrameHeader::decode(frames, Role::Client, false, true).ok()??;
        Some((header, start, start + header.payload_len as usize))
    }
}
