use super::Text;
use super::sink::Sink;
use super::unit::{BACKSLASH, BLOCK, QUOTE, Unit, plain_units, take_while};

/// A JSON text without its long string literals. See [`extract_long_literals`].
#[derive(Debug, PartialEq, Eq)]
pub struct Extraction {
    /// The text in which `"<marker><index>"` stands for each literal taken out.
    pub reduced: Text,
    /// The values of the literals taken out, in the order of their indexes.
    pub values: Vec<Text>,
}

/// Takes every string *value* whose literal holds at least `min_units` code
/// units out of the JSON text `json`, and leaves `"<marker><index>"` in its
/// place. Property names stay.
///
/// `None` if there is nothing to take, or if a long literal is malformed. Only
/// what is taken out is validated: if `json` is invalid elsewhere then so is the
/// reduced text, at the same token. `marker` must need no escape and must not be
/// known to whoever wrote `json`.
///
/// Linear in the length of `json`, whatever it holds; never recursive.
pub fn extract_long_literals(json: &[u16], min_units: usize, marker: &str) -> Option<Extraction> {
    match Text::narrow(json) {
        Some(narrow) => extract(&narrow, min_units, marker),
        None => extract(json, min_units, marker),
    }
}

fn extract<U: Unit>(json: &[U], min_units: usize, marker: &str) -> Option<Extraction>
where
    u16: From<U>,
    Text: From<Vec<U>>,
{
    let mut reduced = Vec::new();
    let mut values = Vec::new();
    let mut kept = 0;
    let mut position = 0;
    while let Some(start) = next_literal(json, position) {
        if let Some(end) = short_literal_end(json, start, min_units) {
            position = end + 1;
            continue;
        }
        let (value, end) = literal_value(json, start)?;
        position = end + 1;
        if !is_property_name(json, position) {
            reduced.extend_from_slice(json.get(kept..start)?);
            reduced.extend(format!("{marker}{}", values.len()).bytes().map(U::from_ascii));
            values.push(value);
            kept = end;
        }
    }
    if values.is_empty() {
        return None;
    }
    reduced.extend_from_slice(json.get(kept..)?);
    Some(Extraction { reduced: reduced.into(), values })
}

/// The position after the next quotation mark, which opens a literal.
fn next_literal<U: Unit>(json: &[U], from: usize) -> Option<usize> {
    let quote = U::from_ascii(QUOTE);
    let offset = json.get(from..)?.iter().position(|&unit| unit == quote)?;
    Some(from + offset + 1)
}

/// The position of the quotation mark that ends the literal whose first unit is
/// at `start`; `None` if that literal holds `min_units` or more.
fn short_literal_end<U: Unit>(json: &[U], start: usize, min_units: usize) -> Option<usize> {
    let json = json.get(..json.len().min(start.saturating_add(min_units)))?;
    let mut position = start;
    loop {
        position = take_while(json, position, |block, available| {
            plain_units(U::special_mask(block), available)
        });
        let special = *json.get(position)?;
        if special == U::from_ascii(QUOTE) {
            return Some(position);
        }
        // The unit behind a backslash does not end the literal.
        position += if special == U::from_ascii(BACKSLASH) { 2 } else { 1 };
    }
}

/// Whether a colon follows at `position`: RFC 8259 §4, `member = string
/// name-separator value`, with white space allowed before the separator.
fn is_property_name<U: Unit>(json: &[U], position: usize) -> bool {
    let rest = json.get(position..).unwrap_or_default();
    let mut codes = rest.iter().map(|&unit| unit.into());
    codes.find(|code: &u16| !matches!(code, 0x20 | 0x09 | 0x0a | 0x0d)) == Some(u16::from(b':'))
}

/// What the literal whose first unit is at `start` stands for, and the position
/// of the quotation mark that ends it; `None` if it is malformed.
fn literal_value<U: Unit>(json: &[U], start: usize) -> Option<(Text, usize)>
where
    u16: From<U>,
    Text: From<Vec<U>>,
{
    match unescape::<U, U>(json, start) {
        Ok((value, end)) => Some((value.into(), end)),
        Err(Refused::TooWide) => {
            let (value, end) = unescape::<U, u16>(json, start).ok()?;
            Some((Text::Utf16(value), end))
        }
        Err(Refused::Malformed) => None,
    }
}

enum Refused {
    /// RFC 8259 §7 does not allow it: an unescaped control character, an
    /// unknown escape, no end.
    Malformed,
    /// An escape stands for a code that the output's units cannot hold.
    TooWide,
}

fn unescape<U: Unit, V: Unit + From<U>>(
    json: &[U],
    start: usize,
) -> Result<(Vec<V>, usize), Refused> {
    let mut value = Sink::with_capacity(json.len() - start + BLOCK);
    let mut position = start;
    loop {
        position = take_while(json, position, |block, available| {
            let plain = plain_units(U::special_mask(block), available);
            value.push_block(&block.map(V::from), plain);
            plain
        });
        match json.get(position..) {
            Some([quote, ..]) if *quote == U::from_ascii(QUOTE) => {
                return Ok((value.into_units(), position));
            }
            Some([backslash, escape @ ..]) if *backslash == U::from_ascii(BACKSLASH) => {
                let (code, length) = unescape_one(escape).ok_or(Refused::Malformed)?;
                value.push_block(&[V::from_code(code).ok_or(Refused::TooWide)?], 1);
                position += length + 1;
            }
            _ => return Err(Refused::Malformed),
        }
    }
}

/// The code that the units behind a backslash stand for, and how many they are;
/// `None` if the escape is unknown or cut short.
fn unescape_one<U: Unit>(escape: &[U]) -> Option<(u16, usize)> {
    let mut codes = escape.iter().map(|&unit| unit.into());
    let code = match codes.next()? {
        letter @ 0..0x80 => UNESCAPED[usize::from(letter)],
        _ => 0,
    };
    match code {
        0 => None,
        b'u' => Some((hex_code(codes)?, 5)),
        _ => Some((u16::from(code), 1)),
    }
}

/// What the character behind a backslash stands for; `u` stands for itself, 0
/// for those that RFC 8259 §7 does not allow. A table, since a jump at each
/// escape is mispredicted.
const UNESCAPED: [u8; 0x80] = {
    let mut table = [0; 0x80];
    let pairs = *b"\"\"\\\\//b\x08f\x0cn\nr\rt\tuu";
    let mut i = 0;
    while i < pairs.len() {
        table[pairs[i] as usize] = pairs[i + 1];
        i += 2;
    }
    table
};

/// The code that the next four hexadecimal digits stand for.
fn hex_code(mut digits: impl Iterator<Item = u16>) -> Option<u16> {
    (0..4).try_fold(0, |code, _| {
        let digit = char::from_u32(u32::from(digits.next()?))?.to_digit(16)?;
        Some(code << 4 | digit as u16)
    })
}

#[cfg(test)]
mod tests {
    use super::super::quote;
    use super::*;

    fn utf16(text: &str) -> Vec<u16> {
        text.encode_utf16().collect()
    }

    fn latin1(text: &str) -> Text {
        Text::Latin1(text.bytes().collect())
    }

    fn extract(json: &str) -> Option<Extraction> {
        extract_long_literals(&utf16(json), 8, "@")
    }

    #[test]
    fn only_long_values_are_taken_out() {
        let found = extract(r#"{"kkkkkkkk" : "vvvvvvvv", "k":["\\\"\u0041\/", "short"]}"#).unwrap();
        assert_eq!(found.reduced, latin1(r#"{"kkkkkkkk" : "@0", "k":["@1", "short"]}"#));
        assert_eq!(found.values, [latin1("vvvvvvvv"), latin1("\\\"A/")]);
    }

    #[test]
    fn a_text_without_long_values_is_left_alone() {
        for json in ["", "[1,2]", r#"["short"]"#, r#"{"kkkkkkkkkk":1}"#] {
            assert_eq!(extract(json), None, "{json}");
        }
    }

    #[test]
    fn malformed_literals_are_left_to_the_json_parser() {
        let malformed = [
            r#"["aaaaaaaa\x"]"#,
            r#"["aaaaaaaa\u12g4"]"#,
            r#"["aaaaaaaa\u12"]"#,
            "[\"aaaaaaaa\n\"]",
            "[\"aaaaaaaa",
            "[\"aaaaaaaa\\",
            "[\"aaaaaaaa\\\"",
        ];
        for json in malformed {
            assert_eq!(extract(json), None, "{json}");
        }
    }

    #[test]
    fn an_escape_beyond_latin1_widens_only_the_value() {
        let found = extract(r#"["\u043f\u00e9"]"#).unwrap();
        assert_eq!(found.reduced, latin1(r#"["@0"]"#));
        assert_eq!(found.values, [Text::Utf16(utf16("пé"))]);
    }

    #[test]
    fn every_unit_comes_back_from_its_quoted_form() {
        let text: Vec<u16> = (0..=u16::MAX).collect();
        let Some(Text::Utf16(json)) = quote(&text) else { panic!("not quoted") };
        let found = extract_long_literals(&json, 8, "@").unwrap();
        assert_eq!(found.values, [Text::Utf16(text)]);
    }

    #[test]
    fn escapes_are_read_wherever_a_block_ends() {
        for padding in 0..2 * BLOCK {
            let value = format!("{}\u{1}\"\\/{}", "a".repeat(padding), "b".repeat(padding));
            let Some(Text::Latin1(json)) = quote(&utf16(&value)) else { panic!("not quoted") };
            let json: Vec<u16> = json.into_iter().map(u16::from).collect();
            let found = extract_long_literals(&json, 8, "@").unwrap();
            assert_eq!(found.values, [latin1(&value)]);
        }
    }
}
