//! Long strings to JSON.

use socket_io_turbo::proto::json_string::{Text, quote};

use crate::Measured;

/// Length of the strings in UTF-16 code units.
const LEN: usize = 4096;

/// Quotes ASCII of which nothing needs an escape, as base64.
pub fn quote_ascii() -> Measured {
    quoted("abcdefgh", |text| text.is_none())
}

/// Quotes ASCII of which each sixteenth character needs an escape.
pub fn quote_escapes() -> Measured {
    quoted("fifteen + slash\n", |text| matches!(text, Some(Text::Latin1(_))))
}

/// Quotes text with surrogate pairs and an escape in each line.
pub fn quote_utf16() -> Measured {
    quoted("Grüße aus 東京 🗼\n", |text| matches!(text, Some(Text::Utf16(_))))
}

/// Repeats `text` until it is long enough.
fn quoted(text: &str, check: impl Fn(&Option<Text>) -> bool + 'static) -> Measured {
    let units = text.encode_utf16().collect::<Vec<_>>();
    let text = units.iter().copied().cycle().take(LEN / units.len() * units.len());
    Measured::new(text.collect(), |text: &mut Vec<u16>| quote(text), check)
}
