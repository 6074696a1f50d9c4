//! Text that pads packets.

const SENTENCE: &str = "The quick brown fox jumps over the lazy dog. ";

/// Returns `len` bytes of English text.
pub fn filler(len: usize) -> String {
    let mut text = SENTENCE.repeat(len.div_ceil(SENTENCE.len()));
    text.truncate(len);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_as_long_as_asked() {
        assert_eq!(filler(0), "");
        assert_eq!(filler(47), "The quick brown fox jumps over the lazy dog. Th");
    }
}
