//! Ids of sessions.

use std::io;

use base64_simd::URL_SAFE;

/// Makes ids as engine.io's `base64id` does: 12 random bytes and a sequence number of 24 bits, in base64
/// with `-` and `_`.
#[derive(Debug, Default)]
pub(super) struct SidGenerator {
    sequence: u32,
}

impl SidGenerator {
    /// Returns the next id.
    ///
    /// # Errors
    ///
    /// The error of the operating system, if it has no random bytes.
    pub(super) fn next_sid(&mut self) -> io::Result<String> {
        let mut bytes = [0; 15];
        let (random, sequence) = bytes.split_at_mut(12);
        getrandom::fill(random).map_err(io::Error::from)?;
        self.sequence = self.sequence.wrapping_add(1);
        sequence.copy_from_slice(self.sequence.to_be_bytes().get(1..).unwrap_or_default());
        // A multiple of 3 bytes has no padding.
        Ok(URL_SAFE.encode_to_string(bytes))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may")]
mod tests {
    use super::SidGenerator;

    #[test]
    fn ids_have_the_form_of_base64id() {
        let mut sids = SidGenerator { sequence: 0x00ff_ffff };
        let [first, second] = [(); 2].map(|()| sids.next_sid().unwrap());
        let is_digit = |it: char| it.is_ascii_alphanumeric() || it == '-' || it == '_';
        for sid in [&first, &second] {
            assert!(sid.len() == 20 && sid.chars().all(is_digit), "{sid}");
        }
        assert!(first.ends_with("AAAA") && second.ends_with("AAAB"));
        assert_ne!(first[..16], second[..16]);
    }
}
