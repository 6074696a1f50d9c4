//! Numbers, printed as by JavaScript and by JSON.

/// The largest integer up to which every integer is a double.
pub(crate) const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// Returns a number as an integer; `None` if it is a fraction or beyond 2⁵³ − 1.
pub(crate) fn safe_integer(number: f64) -> Option<i64> {
    let integer = number as i64;
    let is_same = integer as f64 == number && integer.unsigned_abs() <= MAX_SAFE_INTEGER;
    is_same.then_some(integer)
}

/// Parses a number as `JSON.parse` does; Rust accepts every form that JSON allows. Returns 0 if
/// `digits` is not a number.
pub(crate) fn parse(digits: &[u8]) -> f64 {
    std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).unwrap_or_default()
}

/// Prints a number by ECMA-262, `Number::toString`.
pub(crate) fn to_text(number: f64) -> String {
    ryu_js::Buffer::new().format(number).to_owned()
}

/// Writes a number by ECMA-262, `SerializeJSONProperty`: null if it is not finite.
pub(crate) fn write_json(number: f64, text: &mut Vec<u8>) {
    if let Some(integer) = safe_integer(number) {
        // Several times as fast as ryu-js. Writing to a Vec cannot fail.
        let _ = serde_json::to_writer(text, &integer);
    } else if number.is_finite() {
        text.extend_from_slice(ryu_js::Buffer::new().format_finite(number).as_bytes());
    } else {
        text.extend_from_slice(b"null");
    }
}

#[cfg(test)]
mod tests {
    use super::{safe_integer, to_text, write_json};

    fn json(number: f64) -> String {
        let mut text = Vec::new();
        write_json(number, &mut text);
        String::from_utf8_lossy(&text).into_owned()
    }

    #[test]
    fn numbers_are_printed_as_in_javascript() {
        assert_eq!(json(0.1 + 0.2), "0.30000000000000004");
        assert_eq!(json(-0.0), "0");
        assert_eq!(json(1e21), "1e+21");
        assert_eq!(json(123_456_789_012_345_680_000.0), "123456789012345680000");
        assert_eq!(json(1e-7), "1e-7");
        assert_eq!(json(5e-324), "5e-324");
    }

    #[test]
    fn a_number_that_is_not_finite_is_null_in_json() {
        for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(json(number), "null");
        }
        assert_eq!(to_text(f64::NAN), "NaN");
        assert_eq!(to_text(f64::NEG_INFINITY), "-Infinity");
    }

    #[test]
    fn an_integer_is_safe_up_to_2_to_the_53rd() {
        assert_eq!(safe_integer(9_007_199_254_740_991.0), Some(9_007_199_254_740_991));
        assert_eq!(safe_integer(9_007_199_254_740_992.0), None);
        assert_eq!(safe_integer(-7.0), Some(-7));
        for number in [0.5, f64::NAN, f64::INFINITY, 1e300] {
            assert_eq!(safe_integer(number), None);
        }
    }
}
