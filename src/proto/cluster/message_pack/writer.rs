//! Encodes values as notepack.io does.

use bytes::Bytes;

use super::surrogates;
use crate::proto::cluster::error::EncodeError;
use crate::proto::cluster::json::{Token, Tokens, count_children, number};
use crate::proto::socket_io::{Packet, StringLiteral};

/// Memory reserved for the names, the uid and the headers of a message.
const ENVELOPE_CAPACITY: usize = 128;

/// Builds a message. After the header of an array or a map, the caller must write as many values as
/// it states.
#[derive(Debug, Default)]
pub(crate) struct MessageWriter {
    message: Vec<u8>,
}

/// The first byte of a kind of value, for each form of its length.
struct Format {
    /// A length below `fixed.1` is added to the byte `fixed.0`.
    fixed: (u8, u32),
    /// A length of one byte follows; some kinds have no such form.
    one: Option<u8>,
    /// A length of two bytes follows.
    two: u8,
    /// A length of four bytes follows.
    four: u8,
}

const STRING: Format = Format { fixed: (0xa0, 0x20), one: Some(0xd9), two: 0xda, four: 0xdb };
const BINARY: Format = Format { fixed: (0, 0), one: Some(0xc4), two: 0xc5, four: 0xc6 };
const ARRAY: Format = Format { fixed: (0x90, 0x10), one: None, two: 0xdc, four: 0xdd };
const MAP: Format = Format { fixed: (0x80, 0x10), one: None, two: 0xde, four: 0xdf };

impl MessageWriter {
    /// Returns a writer of a message that carries a packet.
    pub(crate) fn for_packet(packet: &Packet) -> Self {
        let payload = packet.payload.as_ref().map_or(0, |payload| payload.as_bytes().len());
        let attachments: usize = packet.attachments.iter().map(Bytes::len).sum();
        Self { message: Vec::with_capacity(ENVELOPE_CAPACITY + payload + attachments) }
    }

    pub(crate) fn finish(self) -> Bytes {
        Bytes::from(self.message)
    }

    fn write_null(&mut self) {
        self.message.push(0xc0);
    }

    pub(crate) fn write_array_header(&mut self, count: usize) -> Result<(), EncodeError> {
        self.write_length(&ARRAY, count)
    }

    pub(crate) fn write_map_header(&mut self, count: usize) -> Result<(), EncodeError> {
        self.write_length(&MAP, count)
    }

    pub(crate) fn write_text(&mut self, text: &str) -> Result<(), EncodeError> {
        self.write_string(text.as_bytes())
    }

    fn write_string(&mut self, utf8: &[u8]) -> Result<(), EncodeError> {
        self.write_length(&STRING, utf8.len())?;
        self.message.extend_from_slice(utf8);
        Ok(())
    }

    fn write_binary(&mut self, binary: &[u8]) -> Result<(), EncodeError> {
        self.write_length(&BINARY, binary.len())?;
        self.message.extend_from_slice(binary);
        Ok(())
    }

    /// Writes a length in its shortest form, MessagePack specification, "Formats".
    fn write_length(&mut self, format: &Format, length: usize) -> Result<(), EncodeError> {
        let length = u32::try_from(length).map_err(|_| EncodeError::TooLong)?;
        let [.., high, low] = length.to_be_bytes();
        let (first, limit) = format.fixed;
        match (length, format.one) {
            (..) if length < limit => self.message.push(first | low),
            (0..=0xff, Some(one)) => self.message.extend([one, low]),
            (0..=0xffff, _) => self.message.extend([format.two, high, low]),
            _ => {
                self.message.push(format.four);
                self.message.extend(length.to_be_bytes());
            }
        }
        Ok(())
    }

    /// Writes an integer in its shortest form, another number as a double. Integers beyond 64 bits
    /// lose their upper bits, as in notepack.io.
    pub(crate) fn write_number(&mut self, number: f64) {
        if number.floor() != number || number.is_infinite() {
            self.message.push(0xcb);
            return self.message.extend(number.to_be_bytes());
        }
        let [b3, b2, b1, b0] = low_bits(number).to_be_bytes();
        match number {
            -32.0..128.0 => self.message.push(b0),
            128.0..256.0 => self.message.extend([0xcc, b0]),
            256.0..65_536.0 => self.message.extend([0xcd, b1, b0]),
            65_536.0..TWO_TO_THE_32ND => self.message.extend([0xce, b3, b2, b1, b0]),
            -128.0..-32.0 => self.message.extend([0xd0, b0]),
            -32_768.0..-128.0 => self.message.extend([0xd1, b1, b0]),
            -2_147_483_648.0..-32_768.0 => self.message.extend([0xd2, b3, b2, b1, b0]),
            _ => {
                self.message.push(if number > 0.0 { 0xcf } else { 0xd3 });
                self.message.extend(low_bits((number / TWO_TO_THE_32ND).floor()).to_be_bytes());
                self.message.extend([b3, b2, b1, b0]);
            }
        }
    }

    /// Writes the value of a JSON text that is known to be valid, with attachments in the places of
    /// its placeholders. It is a loop, and keeps a number for each array and object.
    pub(crate) fn write_json(
        &mut self,
        json: &[u8],
        attachments: &[Bytes],
    ) -> Result<(), EncodeError> {
        let tokens = Tokens::new(json, attachments)?;
        let mut counts = count_children(tokens.clone()).into_iter();
        for token in tokens {
            match token {
                Token::Null => self.write_null(),
                Token::Boolean(boolean) => self.message.push(if boolean { 0xc3 } else { 0xc2 }),
                Token::Number(digits) => self.write_number(number::parse(digits)),
                Token::String(literal) => self.write_literal(literal)?,
                Token::Attachment(num) => {
                    self.write_binary(attachments.get(num).map_or(&[], Bytes::as_ref))?;
                }
                Token::OpenArray => self.write_array_header(counts.next().unwrap_or(0))?,
                Token::OpenObject => self.write_map_header(counts.next().unwrap_or(0) / 2)?,
                Token::Close => {}
            }
        }
        Ok(())
    }

    fn write_literal(&mut self, literal: StringLiteral<'_>) -> Result<(), EncodeError> {
        let content = literal.content();
        if memchr::memchr(b'\\', content).is_none() {
            return self.write_string(content);
        }
        match serde_json::from_slice::<String>(literal.as_bytes()) {
            Ok(text) => self.write_text(&text),
            Err(_) => self.write_text(&surrogates::to_utf8(&String::from_utf8_lossy(content))),
        }
    }
}

const TWO_TO_THE_32ND: f64 = 4_294_967_296.0;

/// Converts an integer by ECMA-262, `ToUint32`.
fn low_bits(integer: f64) -> u32 {
    integer.rem_euclid(TWO_TO_THE_32ND) as u32
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{EncodeError, MessageWriter};

    fn written(json: &str, attachments: &[Bytes]) -> Result<Bytes, EncodeError> {
        let mut writer = MessageWriter::default();
        writer.write_json(json.as_bytes(), attachments)?;
        Ok(writer.finish())
    }

    #[test]
    fn numbers_take_their_shortest_form() -> Result<(), EncodeError> {
        let cases: &[(&str, &[u8])] = &[
            ("0", b"\x00"),
            ("127", b"\x7f"),
            ("128", b"\xcc\x80"),
            ("255", b"\xcc\xff"),
            ("256", b"\xcd\x01\x00"),
            ("65536", b"\xce\x00\x01\x00\x00"),
            ("4294967296", b"\xcf\x00\x00\x00\x01\x00\x00\x00\x00"),
            ("18446744073709549568", b"\xcf\xff\xff\xff\xff\xff\xff\xf8\x00"),
            ("1e300", b"\xcf\x00\x00\x00\x00\x00\x00\x00\x00"),
            ("-1", b"\xff"),
            ("-32", b"\xe0"),
            ("-33", b"\xd0\xdf"),
            ("-128", b"\xd0\x80"),
            ("-129", b"\xd1\xff\x7f"),
            ("-32769", b"\xd2\xff\xff\x7f\xff"),
            ("-2147483648", b"\xd2\x80\x00\x00\x00"),
            ("-2147483649", b"\xd3\xff\xff\xff\xff\x7f\xff\xff\xff"),
            ("0.5", b"\xcb\x3f\xe0\x00\x00\x00\x00\x00\x00"),
            ("1e999", b"\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00"),
        ];
        for (json, expected) in cases {
            assert_eq!(written(json, &[])?, expected, "{json}");
        }
        Ok(())
    }

    #[test]
    fn lengths_take_their_shortest_form() -> Result<(), EncodeError> {
        for (length, header) in [
            (31, &b"\xbf"[..]),
            (32, b"\xd9\x20"),
            (255, b"\xd9\xff"),
            (256, b"\xda\x01\x00"),
            (65535, b"\xda\xff\xff"),
            (65536, b"\xdb\x00\x01\x00\x00"),
        ] {
            let string = "x".repeat(length);
            let expected = [header, string.as_bytes()].concat();
            assert_eq!(written(&format!("\"{string}\""), &[])?, expected);
        }
        for (length, header) in
            [(15, &b"\x9f"[..]), (16, b"\xdc\x00\x10"), (65536, b"\xdd\0\x01\0\0")]
        {
            let json = format!("[{}]", vec!["1"; length].join(","));
            assert_eq!(written(&json, &[])?, [header, &vec![1; length]].concat());
        }
        Ok(())
    }

    #[test]
    fn attachments_take_the_places_of_placeholders() -> Result<(), EncodeError> {
        let json = r#"["e",{"a":{"_placeholder":true,"num":1}},{"_placeholder":true,"num":0}]"#;
        let attachments = [Bytes::from_static(b"A"), Bytes::from(vec![7; 256])];
        let expected = [b"\x93\xa1e\x81\xa1a\xc5\x01\x00", &[7; 256][..], b"\xc4\x01A"].concat();
        assert_eq!(written(json, &attachments)?, expected);
        Ok(())
    }

    #[test]
    fn escapes_are_decoded() -> Result<(), EncodeError> {
        assert_eq!(written(r#"{"\n":"\u00e9\"é"}"#, &[])?, b"\x81\xa1\n\xa5\xc3\xa9\"\xc3\xa9"[..]);
        assert_eq!(written(r#""\ud800""#, &[])?, b"\xa4\xf0\x90\x80\x80"[..]);
        Ok(())
    }
}
