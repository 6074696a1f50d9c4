//! Hexadecimal digits of bytes.

use bytes::Bytes;

/// Decodes bytes of two hexadecimal digits each; `None` if a character is not one.
pub fn from_hex(digits: &str) -> Option<Bytes> {
    let byte = |digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
    digits.as_bytes().chunks(2).map(byte).collect()
}
