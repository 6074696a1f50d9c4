//! SHA-1, which RFC 6455 takes for the answer to a key. It protects nothing there.

/// The bytes of a block.
const BLOCK: usize = 64;

/// The bytes in front of which the last block has room for the end mark and the length.
const LAST_ROOM: usize = BLOCK - 9;

/// Returns the digest of a short message: FIPS 180-4 §6.1.
pub(super) fn sha1(message: &[u8]) -> [u8; 20] {
    let mut state = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
    let (blocks, rest) = message.as_chunks::<BLOCK>();
    for block in blocks {
        state = compress(state, block);
    }
    let mut last = [[0; BLOCK]; 2];
    let bits = (message.len() as u64 * 8).to_be_bytes();
    let count = if rest.len() > LAST_ROOM { 2 } else { 1 };
    let end = count * BLOCK - bits.len();
    let padded = last.as_flattened_mut().iter_mut().enumerate();
    for (index, byte) in padded.take(count * BLOCK) {
        *byte = match index.checked_sub(end) {
            Some(index) => bits.get(index).copied().unwrap_or_default(),
            None if index == rest.len() => 0x80,
            None => rest.get(index).copied().unwrap_or_default(),
        };
    }
    for block in last.iter().take(count) {
        state = compress(state, block);
    }
    let mut digest = [0; 20];
    for (bytes, word) in digest.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
    digest
}

fn compress(state: [u32; 5], block: &[u8; BLOCK]) -> [u32; 5] {
    // The last 16 words of the schedule.
    let mut words = [0; 16];
    for (word, bytes) in words.iter_mut().zip(block.as_chunks::<4>().0) {
        *word = u32::from_be_bytes(*bytes);
    }
    let [mut a, mut b, mut c, mut d, mut e] = state;
    for round in 0..80 {
        let word = words[0];
        let next = (words[13] ^ words[8] ^ words[2] ^ words[0]).rotate_left(1);
        words.rotate_left(1);
        words[15] = next;
        let (mixed, constant) = match round {
            0..20 => ((b & c) | (!b & d), 0x5a82_7999),
            20..40 => (b ^ c ^ d, 0x6ed9_eba1),
            40..60 => ((b & c) | (b & d) | (c & d), 0x8f1b_bcdc_u32),
            _ => (b ^ c ^ d, 0xca62_c1d6),
        };
        let sum = a.rotate_left(5).wrapping_add(mixed).wrapping_add(e);
        (e, d, c, b) = (d, c, b.rotate_left(30), a);
        a = sum.wrapping_add(constant).wrapping_add(word);
    }
    let [old_a, old_b, old_c, old_d, old_e] = state;
    [
        old_a.wrapping_add(a),
        old_b.wrapping_add(b),
        old_c.wrapping_add(c),
        old_d.wrapping_add(d),
        old_e.wrapping_add(e),
    ]
}

#[cfg(test)]
mod tests {
    use super::sha1;

    fn hex(message: &[u8]) -> String {
        sha1(message).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn the_examples_of_fips_180() {
        assert_eq!(hex(b"abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(hex(b""), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
        let two_blocks = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
        assert_eq!(hex(two_blocks), "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
        assert_eq!(hex(&[b'a'; 1_000_000]), "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
    }

    #[test]
    fn the_end_mark_and_the_length_are_in_the_last_block_where_they_fit() {
        // Computed by Node.js's `createHash("sha1")`.
        let expected = [
            (55, "c1c8bbdc22796e28c0e15163d20899b65621d65a"),
            (56, "c2db330f6083854c99d4b5bfb6e8f29f201be699"),
            (63, "03f09f5b158a7a8cdad920bddc29b81c18a551f5"),
            (64, "0098ba824b5c16427bd7a1122a5a442a25ec644d"),
            (119, "ee971065aaa017e0632a8ca6c77bb3bf8b1dfc56"),
            (120, "f34c1488385346a55709ba056ddd08280dd4c6d6"),
        ];
        for (length, digest) in expected {
            assert_eq!(hex(&vec![b'a'; length]), digest, "{length}");
        }
    }
}
