//! Bytes as lines of text.

use bytes::Bytes;

/// The bytes that two hexadecimal digits each stand for.
pub fn from_hex(digits: &str) -> Option<Bytes> {
    let byte = |digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
    digits.as_bytes().chunks(2).map(byte).collect()
}
