//! Strings with lone surrogates, which UTF-8 cannot encode.

/// notepack.io, `MICRO_OPT_LEN`: it encodes strings of up to this many UTF-16 code units itself,
/// and leaves longer ones to Node.js.
const MAX_UNITS_BY_HAND: usize = 32;

/// Encodes the content of a JSON string literal as notepack.io does. For a lone surrogate,
/// Node.js writes U+FFFD; notepack.io takes the next unit, whatever it is, for the other half of
/// a pair.
pub(crate) fn to_utf8(literal_content: &str) -> String {
    let units = code_units(literal_content);
    if units.len() > MAX_UNITS_BY_HAND {
        return String::from_utf16_lossy(&units);
    }
    let mut text = String::new();
    let mut rest = units.into_iter();
    while let Some(unit) = rest.next() {
        text.extend(match unit {
            0xd800..=0xdfff => pair(unit, rest.next().unwrap_or(0)),
            _ => char::from_u32(unit.into()),
        });
    }
    text
}

/// Joins two units as notepack.io's `utf8Write` does. Always a character, as both halves have ten
/// bits.
fn pair(high: u16, low: u16) -> Option<char> {
    let bits = |unit| u32::from(unit & 0x3ff);
    char::from_u32(0x10000 + (bits(high) << 10 | bits(low)))
}

/// Returns the UTF-16 code units of a valid literal, with escapes decoded.
fn code_units(literal_content: &str) -> Vec<u16> {
    let mut units = Vec::with_capacity(literal_content.len());
    let mut chars = literal_content.chars();
    while let Some(plain) = chars.next() {
        match plain {
            '\\' => units.push(escaped_unit(&mut chars)),
            _ => units.extend_from_slice(plain.encode_utf16(&mut [0; 2])),
        }
    }
    units
}

/// Decodes an escape, RFC 8259 §7.
fn escaped_unit(chars: &mut std::str::Chars<'_>) -> u16 {
    let digit = |chars: &mut std::str::Chars<'_>| chars.next().and_then(|c| c.to_digit(16));
    match chars.next() {
        Some('b') => 0x08,
        Some('t') => 0x09,
        Some('n') => 0x0a,
        Some('f') => 0x0c,
        Some('r') => 0x0d,
        Some('u') => (0..4).fold(0, |unit, _| unit << 4 | digit(chars).unwrap_or(0) as u16),
        same => same.map_or(0, |same| same as u16), // quote, backslash or slash
    }
}

#[cfg(test)]
mod tests {
    use super::{code_units, to_utf8};

    #[test]
    fn escapes_are_decoded() {
        let units = code_units(r#"\b\t\n\f\r\"\\\/\u00e9\uD800é😀"#);
        let expected = [8, 9, 10, 12, 13, 0x22, 0x5c, 0x2f, 0xe9, 0xd800, 0xe9, 0xd83d, 0xde00];
        assert_eq!(units, expected);
    }

    #[test]
    fn in_a_short_string_a_lone_surrogate_takes_the_next_unit_along() {
        assert_eq!(to_utf8(r"a\ud800b"), "a\u{10062}");
        assert_eq!(to_utf8(r"a\udc01"), "a\u{10400}");
        assert_eq!(to_utf8("\\ud83d😀"), "\u{1f43d}\u{90000}");
    }

    #[test]
    fn in_a_long_string_a_lone_surrogate_is_replaced() {
        let padding = "x".repeat(31);
        assert_eq!(to_utf8(&format!("{padding}\\ud800b")), format!("{padding}\u{fffd}b"));
        assert_eq!(to_utf8(&format!("{padding}\\ud800")), format!("{padding}\u{10000}"));
    }
}
