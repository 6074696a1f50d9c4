//! RFC 6455 §5.3: each byte that a client sends runs through this.

use socket_io_turbo::proto::websocket::mask;

use crate::Measured;

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// Allocators align so far.
const ALIGNMENT: usize = 16;

/// Masks the shortest payloads.
pub fn mask_7_bytes() -> Measured {
    masked(7, 0)
}

/// Masks a small packet.
pub fn mask_60_bytes() -> Measured {
    masked(60, 0)
}

/// Masks a small packet behind a header of six bytes.
pub fn mask_60_bytes_unaligned() -> Measured {
    masked(60, 6)
}

/// Masks a packet that is not as long as a multiple of a register.
pub fn mask_1000_bytes() -> Measured {
    masked(1_000, 0)
}

/// Masks a long message.
pub fn mask_64_kib() -> Measured {
    masked(64 << 10, 0)
}

/// Masks a long message at an odd address.
pub fn mask_64_kib_unaligned() -> Measured {
    masked(64 << 10, 1)
}

/// A payload of `len` bytes that starts `offset` bytes behind an aligned address.
fn masked(len: usize, offset: usize) -> Measured {
    let buffer = vec![0; len + offset + ALIGNMENT];
    let start = buffer.as_ptr().align_offset(ALIGNMENT) + offset;
    let next_key = move |buffer: &mut Vec<u8>| {
        buffer.get_mut(start..start + len).map(|payload| mask(payload, KEY))
    };
    let mut expected = KEY;
    expected.rotate_left(len % 4);
    Measured::new(buffer, next_key, move |key| *key == Some(expected))
}
