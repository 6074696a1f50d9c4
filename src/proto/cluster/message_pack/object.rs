//! The properties of a map, in the order of a JavaScript object.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::tree::Tree;
use super::value::Value;
use crate::proto::cluster::json::number;

/// Maps of up to this many entries are searched linearly for duplicate keys; larger maps get an
/// index, so that time stays linear in their size. Measured, a broadcast of a map with distinct
/// keys of eight letters, in ns:
///
/// | keys | search | index |
/// | --- | --- | --- |
/// | 4 | 555 | 583 |
/// | 8 | 756 | 819 |
/// | 12 | 1,002 | 1,001 |
/// | 16 | 1,315 | 1,224 |
/// | 32 | 2,963 | 2,089 |
/// | 64 | 8,058 | 4,108 |
const MAX_LINEAR: usize = 12;

/// The largest index of an array, ECMA-262, "The Object Type".
const MAX_ARRAY_INDEX: u32 = u32::MAX - 1;

/// A property of an object.
#[derive(Debug)]
pub(crate) struct Property<'a> {
    pub key: Cow<'a, str>,
    /// The index of its value.
    pub value: usize,
}

/// Appends the properties of a map to `properties`, in the order of JavaScript's
/// `Object.keys`: array indices by value, then the others in their order. Of duplicate
/// keys, the first determines the place and the last the value. The key `__proto__`
/// would set the prototype, and is left out.
pub(crate) fn append_properties<'a>(
    tree: &Tree<'a>,
    map: usize,
    properties: &mut Vec<Property<'a>>,
) {
    let first = properties.len();
    let mut known = Known::new(tree.value(map));
    let mut children = tree.children(map);
    let mut has_indices = false;
    while let Some((key, value)) = children.next().zip(children.next()) {
        let key = property_key(tree, key);
        if key == "__proto__" {
            continue;
        }
        let added = properties.get_mut(first..).unwrap_or_default();
        if let Some(property) =
            known.place(added, key.clone()).and_then(|place| added.get_mut(place))
        {
            property.value = value;
            continue;
        }
        has_indices |= array_index(&key).is_some();
        properties.push(Property { key, value });
    }
    if has_indices {
        let added = properties.get_mut(first..).unwrap_or_default();
        added.sort_by_key(|property| array_index(&property.key).unwrap_or(u32::MAX));
    }
}

/// The index of the keys that an object has so far, if its map is large.
struct Known<'a>(Option<HashMap<Cow<'a, str>, usize>>);

impl<'a> Known<'a> {
    fn new(map: Value) -> Self {
        let Value::Map(children) = map else {
            return Self(None);
        };
        let count = children.count as usize;
        Self((count > MAX_LINEAR).then(|| HashMap::with_capacity(count)))
    }

    /// Returns the place of the property `key`; if it is new, notes that it will be appended.
    fn place(&mut self, added: &[Property<'a>], key: Cow<'a, str>) -> Option<usize> {
        let Some(known) = &mut self.0 else {
            return added.iter().position(|property| property.key == key);
        };
        match known.entry(key) {
            Entry::Occupied(place) => Some(*place.get()),
            Entry::Vacant(entry) => {
                entry.insert(added.len());
                None
            }
        }
    }
}

/// Converts a value that [`Value::is_key`] accepts by ECMA-262, `ToPropertyKey`.
fn property_key<'a>(tree: &Tree<'a>, key: usize) -> Cow<'a, str> {
    match tree.value(key) {
        Value::String(span) | Value::Buffer(span) => tree.text(span),
        Value::Number(number) => number::to_text(number).into(),
        Value::Boolean(true) => "true".into(),
        Value::Boolean(false) => "false".into(),
        Value::Null => "null".into(),
        _ => "undefined".into(),
    }
}

/// Returns a key as an array index: the decimal digits of 0 to 2³² − 2 without leading zeros.
fn array_index(key: &str) -> Option<u32> {
    let is_canonical = match key.as_bytes() {
        [b'0'] => true,
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    let index = if is_canonical { key.parse().ok() } else { None };
    index.filter(|&index| index <= MAX_ARRAY_INDEX)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{Tree, append_properties, array_index};
    use crate::proto::cluster::error::DecodeError;
    use crate::proto::cluster::message_pack::Value;

    /// The keys of a map of numbers, each with its value.
    fn properties(message: &[u8]) -> Result<Vec<(String, f64)>, DecodeError> {
        let message = Bytes::copy_from_slice(message);
        let tree = Tree::decode(&message)?;
        let mut properties = Vec::new();
        append_properties(&tree, Tree::ROOT, &mut properties);
        let value = |index| match tree.value(index) {
            Value::Number(number) => number,
            _ => f64::NAN,
        };
        Ok(properties.iter().map(|it| (it.key.to_string(), value(it.value))).collect())
    }

    fn owned(expected: &[(&str, f64)]) -> Result<Vec<(String, f64)>, DecodeError> {
        Ok(expected.iter().map(|&(key, value)| (key.to_owned(), value)).collect())
    }

    #[test]
    fn of_duplicate_keys_the_first_has_the_place_and_the_last_the_value() {
        let found = properties(b"\x83\xa1a\x01\xa1b\x02\xa1a\x03");
        assert_eq!(found, owned(&[("a", 3.0), ("b", 2.0)]));
    }

    #[test]
    fn duplicates_are_found_among_many_keys() {
        let mut message = vec![0xde, 0, 60];
        for key in (0..20).cycle().take(60) {
            message.extend([0xa1, b'a' + key, key]);
        }
        let expected: Vec<_> =
            (0..20).map(|key| (char::from(b'a' + key).to_string(), f64::from(key))).collect();
        assert_eq!(properties(&message), Ok(expected));
    }

    #[test]
    fn array_indices_come_first() {
        let found = properties(b"\x84\xa1b\x01\x0a\x02\xa19\x03\xa201\x04");
        assert_eq!(found, owned(&[("9", 3.0), ("10", 2.0), ("b", 1.0), ("01", 4.0)]));
    }

    #[test]
    fn keys_of_other_types_become_strings() {
        let message =
            b"\x86\xc0\x01\xc2\x02\xd4\x00\x00\x03\xc4\x01a\x04\xca\x3f\0\0\0\x05\xff\x06";
        let expected = [
            ("null", 1.0),
            ("false", 2.0),
            ("undefined", 3.0),
            ("a", 4.0),
            ("0.5", 5.0),
            ("-1", 6.0),
        ];
        assert_eq!(properties(message), owned(&expected));
    }

    #[test]
    fn keys_that_differ_in_invalid_utf_8_are_the_same() {
        let found = properties(b"\x82\xa1\xff\x01\xa1\xfe\x02");
        assert_eq!(found, owned(&[("\u{fffd}", 2.0)]));
    }

    #[test]
    fn the_prototype_is_no_property() {
        assert_eq!(properties(b"\x82\xa9__proto__\x80\xa1a\x01"), owned(&[("a", 1.0)]));
    }

    #[test]
    fn an_array_index_is_canonical_and_below_2_to_the_32nd_minus_1() {
        assert_eq!(array_index("0"), Some(0));
        assert_eq!(array_index("4294967294"), Some(4_294_967_294));
        for key in ["", "00", "01", "-0", "+1", "1.0", "4294967295", "9999999999", "1e3", "a"] {
            assert_eq!(array_index(key), None, "{key}");
        }
    }
}
