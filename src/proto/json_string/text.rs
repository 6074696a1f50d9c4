/// Units narrowed at once; any multiple of a vector register does.
const STRIDE: usize = 64;

/// A string in the narrower of V8's two encodings that holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// One byte per character, U+0000 to U+00FF.
    Latin1(Vec<u8>),
    /// UTF-16 code units; surrogates may stand alone.
    Utf16(Vec<u16>),
}

impl Text {
    /// Returns `units` as Latin-1, or `None` if one does not fit.
    pub(super) fn narrow(units: &[u16]) -> Option<Vec<u8>> {
        let mut narrow = Vec::with_capacity(units.len());
        for stride in units.chunks(STRIDE) {
            // Without an early exit the compiler vectorises both loops.
            if stride.iter().fold(0, |all, &unit| all | unit) > 0xff {
                return None;
            }
            narrow.extend(stride.iter().map(|&unit| unit as u8));
        }
        Some(narrow)
    }
}
