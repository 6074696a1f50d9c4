//! Reads the values of a message one by one.

use super::reader::{Reader, Span};
use crate::proto::cluster::error::DecodeError;

/// A value as notepack.io's decoder returns it. It has sixteen bytes, whatever it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Undefined,
    Boolean(bool),
    Number(f64),
    /// Bytes that need not be UTF-8.
    String(Span),
    Buffer(Span),
    ArrayBuffer(Span),
    /// A date, as the argument of its constructor: milliseconds since 1970.
    Date(f64),
    /// An extension unknown to notepack.io, which returns the array `[type, Buffer]`.
    Extension(i8, Span),
    Array(Children),
    Map(Children),
}

/// The children of an array or a map: the values behind it, up to `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Children {
    /// The number of elements, or of pairs of key and value.
    pub count: u32,
    /// The index of the value behind the last child.
    pub end: u32,
}

impl Value {
    /// Returns whether the value is true in a condition of JavaScript.
    pub(crate) fn is_truthy(self) -> bool {
        match self {
            Self::Null | Self::Undefined | Self::Boolean(false) => false,
            Self::Number(number) => number != 0.0 && !number.is_nan(),
            Self::String(span) => span.len > 0,
            _ => true,
        }
    }

    /// Returns whether the value is `false`.
    pub(crate) const fn is_false(self) -> bool {
        matches!(self, Self::Boolean(false))
    }

    /// Returns whether the value is an object in JavaScript.
    pub(crate) const fn is_object(self) -> bool {
        !matches!(
            self,
            Self::Null | Self::Undefined | Self::Boolean(_) | Self::Number(_) | Self::String(_)
        )
    }

    /// Returns whether the value may be the key of a map.
    pub(crate) const fn is_key(self) -> bool {
        matches!(
            self,
            Self::String(_)
                | Self::Number(_)
                | Self::Null
                | Self::Undefined
                | Self::Boolean(_)
                | Self::Buffer(_)
        )
    }

    /// Reads the next value; of an array or a map, the header. Its `end` is set later.
    ///
    /// MessagePack specification, "Formats"; notepack.io, `Decoder.prototype.parse`.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let first = reader.byte()?;
        Ok(match first {
            0x00..=0x7f => Self::Number(first.into()),
            0x80..=0x8f => map(reader, (first & 0x0f).into())?,
            0x90..=0x9f => array(reader, (first & 0x0f).into())?,
            0xa0..=0xbf => Self::String(reader.span((first & 0x1f).into())?),
            0xc0 => Self::Null,
            0xc1 => return Err(DecodeError::ReservedByte),
            0xc2 => Self::Boolean(false),
            0xc3 => Self::Boolean(true),
            0xc4..=0xc6 => Self::Buffer(long_span(reader, first - 0xc4)?),
            0xc7..=0xc9 => extension(reader, first - 0xc7)?,
            0xca..=0xd3 => Self::Number(number(reader, first)?),
            0xd4..=0xd8 => fixed_extension(reader, 1 << (first - 0xd4))?,
            0xd9..=0xdb => Self::String(long_span(reader, first - 0xd9)?),
            0xdc..=0xdd => {
                let count = length(reader, first - 0xdb)?;
                array(reader, count)?
            }
            0xde..=0xdf => {
                let count = length(reader, first - 0xdd)?;
                map(reader, count)?
            }
            0xe0..=0xff => Self::Number(f64::from(first.cast_signed())),
        })
    }
}

/// Reads a length of `1 << width` bytes.
fn length(reader: &mut Reader<'_>, width: u8) -> Result<u32, DecodeError> {
    Ok(match width {
        0 => reader.byte()?.into(),
        1 => u16::from_be_bytes(reader.array()?).into(),
        _ => u32::from_be_bytes(reader.array()?),
    })
}

fn long_span(reader: &mut Reader<'_>, width: u8) -> Result<Span, DecodeError> {
    let len = length(reader, width)?;
    reader.span(len)
}

fn array(reader: &Reader<'_>, count: u32) -> Result<Value, DecodeError> {
    check_room(reader, count.into())?;
    Ok(Value::Array(Children { count, end: 0 }))
}

fn map(reader: &Reader<'_>, count: u32) -> Result<Value, DecodeError> {
    check_room(reader, 2 * u64::from(count))?;
    Ok(Value::Map(Children { count, end: 0 }))
}

/// Checks that so many values may follow: each has at least one byte.
fn check_room(reader: &Reader<'_>, values: u64) -> Result<(), DecodeError> {
    if values > reader.remaining() { Err(DecodeError::Truncated) } else { Ok(()) }
}

fn number(reader: &mut Reader<'_>, first: u8) -> Result<f64, DecodeError> {
    Ok(match first {
        0xca => f32::from_be_bytes(reader.array()?).into(),
        0xcb => f64::from_be_bytes(reader.array()?),
        0xcc => reader.byte()?.into(),
        0xcd => u16::from_be_bytes(reader.array()?).into(),
        0xce => u32::from_be_bytes(reader.array()?).into(),
        0xcf => u64::from_be_bytes(reader.array()?) as f64,
        0xd0 => reader.byte()?.cast_signed().into(),
        0xd1 => i16::from_be_bytes(reader.array()?).into(),
        0xd2 => i32::from_be_bytes(reader.array()?).into(),
        _ => i64::from_be_bytes(reader.array()?) as f64,
    })
}

/// Reads an extension that states its length.
fn extension(reader: &mut Reader<'_>, width: u8) -> Result<Value, DecodeError> {
    let len = length(reader, width)?;
    match reader.byte()?.cast_signed() {
        0 => Ok(Value::ArrayBuffer(reader.span(len)?)),
        // notepack.io reads twelve bytes, whatever the length.
        -1 if width == 0 => timestamp_96(reader),
        extension_type => Ok(Value::Extension(extension_type, reader.span(len)?)),
    }
}

/// Reads an extension of 1, 2, 4, 8 or 16 bytes.
fn fixed_extension(reader: &mut Reader<'_>, len: u32) -> Result<Value, DecodeError> {
    match (reader.byte()?.cast_signed(), len) {
        // notepack.io before version 3 wrote undefined and dates so.
        (0, 1) => reader.byte().map(|_| Value::Undefined),
        (0, 8) => i64_date(reader),
        (-1, 4) => timestamp_32(reader),
        (-1, 8) => timestamp_64(reader),
        (extension_type, _) => Ok(Value::Extension(extension_type, reader.span(len)?)),
    }
}

fn i64_date(reader: &mut Reader<'_>) -> Result<Value, DecodeError> {
    Ok(Value::Date(i64::from_be_bytes(reader.array()?) as f64))
}

// MessagePack specification, "Timestamp extension type". The arithmetic is that of
// notepack.io, step by step, as each step rounds.

fn timestamp_32(reader: &mut Reader<'_>) -> Result<Value, DecodeError> {
    Ok(Value::Date(f64::from(u32::from_be_bytes(reader.array()?)) * 1e3))
}

fn timestamp_64(reader: &mut Reader<'_>) -> Result<Value, DecodeError> {
    let bits = u64::from_be_bytes(reader.array()?);
    let seconds = (bits & 0x3_ffff_ffff) as f64;
    let nanoseconds = (bits >> 34) as f64;
    Ok(Value::Date(seconds * 1e3 + nanoseconds / 1e6))
}

fn timestamp_96(reader: &mut Reader<'_>) -> Result<Value, DecodeError> {
    let nanoseconds = f64::from(u32::from_be_bytes(reader.array()?));
    let seconds = i64::from_be_bytes(reader.array()?) as f64;
    Ok(Value::Date(seconds * 1e3 + nanoseconds / 1e6))
}

#[cfg(test)]
mod tests {
    use super::{Children, DecodeError, Reader, Span, Value};

    fn read(message: &[u8]) -> Result<Value, DecodeError> {
        Value::read(&mut Reader::new(message)?)
    }

    #[test]
    fn a_value_has_sixteen_bytes() {
        assert_eq!(size_of::<Value>(), 16);
    }

    #[test]
    fn numbers_are_doubles() {
        let cases: &[(&[u8], f64)] = &[
            (b"\x7f", 127.0),
            (b"\xff", -1.0),
            (b"\xe0", -32.0),
            (b"\xca\x3f\x8c\xcc\xcd", 1.100_000_023_841_858),
            (b"\xcb\x3f\xf1\x99\x99\x99\x99\x99\x9a", 1.1),
            (b"\xcc\xff", 255.0),
            (b"\xcd\xff\xff", 65535.0),
            (b"\xce\xff\xff\xff\xff", 4_294_967_295.0),
            (b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", 18_446_744_073_709_552_000.0),
            (b"\xd0\x80", -128.0),
            (b"\xd1\x80\x00", -32768.0),
            (b"\xd2\x80\x00\x00\x00", -2_147_483_648.0),
            (b"\xd3\xff\xdf\xff\xff\xff\xff\xff\xff", -9_007_199_254_740_992.0),
        ];
        for (message, number) in cases {
            assert_eq!(read(message), Ok(Value::Number(*number)), "{message:x?}");
        }
    }

    #[test]
    fn dates_are_read_in_each_of_their_forms() {
        let cases: &[(&[u8], f64)] = &[
            (b"\xd6\xff\x00\x00\x00\x01", 1000.0),
            (b"\xd6\xff\xff\xff\xff\xff", 4_294_967_295_000.0),
            (b"\xd7\xff\x00\x3d\x09\x01\x00\x00\x00\x02", 4_294_967_298_001.0),
            (b"\xd7\xff\x00\x00\x00\x03\xff\xff\xff\xff", 17_179_869_183_000.0),
            (b"\xc7\x0c\xff\x00\x0f\x42\x40\xff\xff\xff\xff\xff\xff\xff\xff", -999.0),
            (b"\xd7\x00\xff\xff\xff\xff\xff\xff\xff\xff", -1.0),
        ];
        for (message, time) in cases {
            assert_eq!(read(message), Ok(Value::Date(*time)), "{message:x?}");
        }
    }

    #[test]
    fn extensions_are_decoded_as_by_notepack() {
        let span = |start, len| Span { start, len };
        assert_eq!(read(b"\xd4\x00\x07"), Ok(Value::Undefined));
        assert_eq!(read(b"\xd4\x05\x07"), Ok(Value::Extension(5, span(2, 1))));
        assert_eq!(read(b"\xd5\x00ab"), Ok(Value::Extension(0, span(2, 2))));
        assert_eq!(read(b"\xc7\x02\x00ab"), Ok(Value::ArrayBuffer(span(3, 2))));
        assert_eq!(read(b"\xc8\x00\x02\xffab"), Ok(Value::Extension(-1, span(4, 2))));
        assert_eq!(read(b"\xc9\x00\x00\x00\x02\x00ab"), Ok(Value::ArrayBuffer(span(6, 2))));
        assert_eq!(read(b"\xc7\x03\xff\0\0\0\0\0\0\0\0\0\0\0\x01"), Ok(Value::Date(1000.0)));
    }

    #[test]
    fn a_count_beyond_what_is_there_is_refused_with_its_header() {
        assert_eq!(read(b"\xdd\x00\x00\x00\x01"), Err(DecodeError::Truncated));
        assert_eq!(read(b"\xdf\x00\x00\x00\x01a"), Err(DecodeError::Truncated));
        assert_eq!(read(b"\xdc\x00\x01"), Err(DecodeError::Truncated));
        assert_eq!(read(b"\xdd\x00\x00\x00\x01a"), Ok(Value::Array(Children { count: 1, end: 0 })));
        assert_eq!(read(b"\x91a"), Ok(Value::Array(Children { count: 1, end: 0 })));
    }

    #[test]
    fn every_first_byte_is_read_or_refused() {
        for first in 0..=u8::MAX {
            let mut message = [0; 64];
            message[0] = first;
            assert_eq!(read(&message).err().is_some(), first == 0xc1, "{first:x}");
        }
    }
}
