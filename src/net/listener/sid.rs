//! Ids of sessions.

use std::io;

use base64_simd::URL_SAFE;

/// Random bytes of an id.
const RANDOM: usize = 12;

/// Random bytes that are asked for at once: for 64 ids, since each call of the kernel costs a client.
const POOL: usize = 64 * RANDOM;

/// Makes ids as engine.io's `base64id` does: 12 random bytes and a sequence number of 24 bits, in base64
/// with `-` and `_`.
#[derive(Debug)]
pub(super) struct SidGenerator {
    sequence: u32,
    pool: [u8; POOL],
    /// Bytes of the pool that are used up.
    used: usize,
}

impl Default for SidGenerator {
    fn default() -> Self {
        Self { sequence: 0, pool: [0; POOL], used: POOL }
    }
}

impl SidGenerator {
    /// Returns the next id.
    ///
    /// # Errors
    ///
    /// The error of the operating system, if it has no random bytes.
    pub(super) fn next_sid(&mut self) -> io::Result<String> {
        let mut bytes = [0; RANDOM + 3];
        let (random, sequence) = bytes.split_at_mut(RANDOM);
        self.fill(random)?;
        self.sequence = self.sequence.wrapping_add(1);
        sequence.copy_from_slice(self.sequence.to_be_bytes().get(1..).unwrap_or_default());
        // A multiple of 3 bytes has no padding.
        Ok(URL_SAFE.encode_to_string(bytes))
    }

    /// Takes random bytes from the pool, which forgets them.
    fn fill(&mut self, random: &mut [u8]) -> io::Result<()> {
        if self.used == POOL {
            getrandom::fill(&mut self.pool).map_err(io::Error::from)?;
            self.used = 0;
        }
        let end = self.used + random.len();
        for (byte, taken) in random.iter_mut().zip(self.pool.iter_mut().skip(self.used)) {
            *byte = std::mem::take(taken);
        }
        self.used = end;
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may")]
mod tests {
    use std::collections::HashSet;

    use super::{POOL, RANDOM, SidGenerator};

    #[test]
    fn ids_have_the_form_of_base64id() {
        let mut sids = SidGenerator { sequence: 0x00ff_ffff, ..SidGenerator::default() };
        let [first, second] = [(); 2].map(|()| sids.next_sid().unwrap());
        let is_digit = |it: char| it.is_ascii_alphanumeric() || it == '-' || it == '_';
        for sid in [&first, &second] {
            assert!(sid.len() == 20 && sid.chars().all(is_digit), "{sid}");
        }
        assert!(first.ends_with("AAAA") && second.ends_with("AAAB"));
        assert_ne!(first[..16], second[..16]);
    }

    #[test]
    fn random_bytes_are_used_once() {
        let mut sids = SidGenerator::default();
        let random = |_| sids.next_sid().unwrap()[..16].to_owned();
        let seen: HashSet<_> = (0..3 * POOL / RANDOM).map(random).collect();
        assert_eq!(seen.len(), 3 * POOL / RANDOM);
        assert!(!seen.contains("AAAAAAAAAAAAAAAA"));
    }
}
