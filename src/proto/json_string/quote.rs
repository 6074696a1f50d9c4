use super::Text;
use super::sink::Sink;
use super::unit::{BACKSLASH, BLOCK, QUOTE, Unit, plain_units, take_while};

/// Returns the JSON literal of `text`, quotation marks included, exactly as ECMA-262
/// `QuoteJSONString` writes it: two-character escapes where they exist,
/// `\u00xx` in lower case for other control characters and for lone surrogates.
///
/// Returns `None` if no character of `text` needs an escape: the literal is `text` between
/// quotation marks.
///
/// ```
/// use socket_io_turbo::proto::json_string::{Text, quote};
///
/// let text: Vec<u16> = "a\nb".encode_utf16().collect();
/// assert!(matches!(quote(&text), Some(Text::Latin1(literal)) if literal == b"\"a\\nb\""));
/// ```
pub fn quote(text: &[u16]) -> Option<Text> {
    match Text::narrow(text) {
        Some(narrow) => quote_units(&narrow).map(Text::Latin1),
        None => quote_units(text).map(Text::Utf16),
    }
}

fn quote_units<U: Unit>(text: &[U]) -> Option<Vec<U>> {
    // One unit in sixteen escaped fits without growing.
    let mut literal = Sink::with_capacity(text.len() + text.len() / 16 + 2 * BLOCK);
    literal.push_block(&[U::from_ascii(QUOTE)], 1);
    let mut position = 0;
    let mut is_escaped = false;
    loop {
        position = take_while(text, position, |block, available| {
            let plain = plain_units(U::unpaired_mask(block), available);
            let special = U::special_mask(block);
            literal.push_block(block, plain_units(special, plain));
            if special != 0 {
                is_escaped |= push_specials(block, special, plain, &mut literal);
            }
            plain
        });
        let Some(&surrogate) = text.get(position) else { break };
        if let Some(pair) = surrogate_pair(text, position) {
            literal.push_block(&pair, 2);
            position += 2;
        } else {
            let (escape, length) = escape_of(surrogate.into());
            literal.push_block(&escape.map(U::from_ascii), length);
            position += 1;
            is_escaped = true;
        }
    }
    literal.push_block(&[U::from_ascii(QUOTE)], 1);
    is_escaped.then(|| literal.into_units())
}

/// Appends the first `count` units of `block`, from the first special one on. Returns whether there
/// was one.
#[inline(always)]
fn push_specials<U: Unit>(
    block: &[U; BLOCK],
    special: u32,
    count: usize,
    literal: &mut Sink<U>,
) -> bool {
    // Two blocks long, so that a whole block can be read behind each escape.
    let mut units = [U::default(); 2 * BLOCK];
    units[..BLOCK].copy_from_slice(block);
    let mut left = special & ((1u32 << count) - 1);
    let is_escaped = left != 0;
    while left != 0 {
        let index = left.trailing_zeros() as usize % BLOCK;
        left &= left - 1;
        let code: u16 = units[index].into();
        let (escape, length) = ESCAPES[usize::from(code & 0x7f)];
        literal.push_block(&escape.map(U::from_ascii), length);
        let next = count.min(left.trailing_zeros() as usize);
        if let Some(plain) = units[index + 1..].first_chunk::<BLOCK>() {
            literal.push_block(plain, next - index - 1);
        }
    }
    is_escaped
}

/// Returns the surrogate pair at `position`, if there is one. It is copied unescaped.
#[inline(always)]
fn surrogate_pair<U: Unit>(text: &[U], position: usize) -> Option<[U; 2]> {
    let pair = *text.get(position..)?.first_chunk()?;
    let [high, low] = pair.map(Into::into);
    (is_high_surrogate(high) && is_low_surrogate(low)).then_some(pair)
}

fn is_high_surrogate(code: u16) -> bool {
    code & 0xfc00 == 0xd800
}

fn is_low_surrogate(code: u16) -> bool {
    code & 0xfc00 == 0xdc00
}

/// An escape, filled up to eight bytes, and its length.
type Escape = ([u8; 8], usize);

/// The escapes of the ASCII characters; only the special ones are looked up.
const ESCAPES: [Escape; 0x80] = {
    let mut escapes = [([0; 8], 0); 0x80];
    let mut code = 0;
    while code < escapes.len() {
        escapes[code] = escape_of(code as u16);
        code += 1;
    }
    escapes
};

const fn escape_of(code: u16) -> Escape {
    let short = match code {
        0x08 => b'b',
        0x09 => b't',
        0x0a => b'n',
        0x0c => b'f',
        0x0d => b'r',
        0x22 => QUOTE,
        0x5c => BACKSLASH,
        _ => {
            let digits =
                [hex_digit(code, 12), hex_digit(code, 8), hex_digit(code, 4), hex_digit(code, 0)];
            let [a, b, c, d] = digits;
            return ([BACKSLASH, b'u', a, b, c, d, 0, 0], 6);
        }
    };
    ([BACKSLASH, short, 0, 0, 0, 0, 0, 0], 2)
}

const fn hex_digit(code: u16, shift: u16) -> u8 {
    let nibble = (code >> shift & 0xf) as u8;
    if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str) -> Vec<u16> {
        text.encode_utf16().collect()
    }

    fn units(text: Text) -> Vec<u16> {
        match text {
            Text::Latin1(units) => units.into_iter().map(u16::from).collect(),
            Text::Utf16(units) => units,
        }
    }

    /// The naive oracle of [`quote`]: char by char, as the specification puts it.
    fn quote_naively(text: &[u16]) -> Vec<u16> {
        let escaped = char::decode_utf16(text.iter().copied()).map(|unit| match unit {
            Ok('\u{8}') => "\\b".to_owned(),
            Ok('\t') => "\\t".to_owned(),
            Ok('\n') => "\\n".to_owned(),
            Ok('\u{c}') => "\\f".to_owned(),
            Ok('\r') => "\\r".to_owned(),
            Ok(same @ ('"' | '\\')) => format!("\\{same}"),
            Ok(control @ '\0'..' ') => format!("\\u{:04x}", control as u32),
            Ok(plain) => plain.to_string(),
            Err(lone) => format!("\\u{:04x}", lone.unpaired_surrogate()),
        });
        utf16(&format!("\"{}\"", escaped.collect::<String>()))
    }

    fn assert_quoted(text: &[u16]) {
        let expected = quote_naively(text);
        match quote(text) {
            Some(literal) => assert_eq!(units(literal), expected),
            None => assert_eq!(&expected[1..expected.len() - 1], text),
        }
    }

    #[test]
    fn what_the_specification_escapes_is_escaped() {
        let literal = quote(&utf16("a\"b\\c\u{8}\t\n\u{c}\r\u{0}\u{1f}/\u{7f}é")).unwrap();
        let expected = "\"a\\\"b\\\\c\\b\\t\\n\\f\\r\\u0000\\u001f/\u{7f}é\"";
        assert_eq!(units(literal), utf16(expected));
    }

    #[test]
    fn text_without_a_special_unit_has_no_literal_of_its_own() {
        for plain in ["", "plain", "é/\u{7f}\u{2028}", "long enough for a block, Привет 😀"]
        {
            assert_eq!(quote(&utf16(plain)), None);
        }
    }

    #[test]
    fn latin1_stays_narrow() {
        assert_eq!(quote(&utf16("é\n")), Some(Text::Latin1(b"\"\xe9\\n\"".to_vec())));
    }

    #[test]
    fn every_unit_agrees_with_the_naive_oracle_at_the_edge_of_a_block() {
        for unit in 0..=u16::MAX {
            let mut text = [0x61; 2 * BLOCK];
            text[BLOCK - 1] = unit;
            assert_quoted(&text);
        }
    }

    #[test]
    fn surrogates_agree_with_the_naive_oracle_wherever_a_block_ends() {
        for padding in 0..2 * BLOCK {
            let mut text = vec![0x61; padding];
            text.extend([0xd83d, 0xde00, 0xd83d, 0x62, 0xdead, 0xd83d, 0xde00, 0x22, 0xd83d]);
            assert_quoted(&text);
        }
    }

    #[test]
    fn text_of_nothing_but_escapes_fits() {
        assert_quoted(&[0; 1000]);
        assert_quoted(&[0xd800; 1000]);
    }
}
