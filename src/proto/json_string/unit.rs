use wide::{u8x16, u16x8};

/// Code units examined at once: one SSE2 or NEON register of bytes.
pub(super) const BLOCK: usize = 16;

pub(super) const QUOTE: u8 = b'"';
pub(super) const BACKSLASH: u8 = b'\\';
/// The lowest unit that needs no escape, RFC 8259 §7.
pub(super) const FIRST_PRINTABLE: u8 = 0x20;

/// One code unit of a V8 string. The masks have bit *i* set where unit
/// *i* of the block is in the class.
pub(super) trait Unit: Copy + Default + Eq + Into<u16> {
    fn from_ascii(byte: u8) -> Self;

    /// Quotation marks, backslashes and control characters.
    fn special_mask(block: &[Self; BLOCK]) -> u32;

    /// Surrogates that the block does not show to be paired: a high one at its end
    /// and a low one at its start may be.
    fn unpaired_mask(block: &[Self; BLOCK]) -> u32;
}

impl Unit for u8 {
    fn from_ascii(byte: u8) -> Self {
        byte
    }

    #[inline(always)]
    fn special_mask(block: &[Self; BLOCK]) -> u32 {
        let units = u8x16::from(*block);
        (units.simd_lt(u8x16::splat(FIRST_PRINTABLE))
            | units.simd_eq(u8x16::splat(QUOTE))
            | units.simd_eq(u8x16::splat(BACKSLASH)))
        .to_bitmask()
    }

    #[inline(always)]
    fn unpaired_mask(_: &[Self; BLOCK]) -> u32 {
        0
    }
}

impl Unit for u16 {
    fn from_ascii(byte: u8) -> Self {
        Self::from(byte)
    }

    #[inline(always)]
    fn special_mask(block: &[Self; BLOCK]) -> u32 {
        by_halves(block, |units| {
            units.simd_lt(splat(FIRST_PRINTABLE))
                | units.simd_eq(splat(QUOTE))
                | units.simd_eq(splat(BACKSLASH))
        })
    }

    #[inline(always)]
    fn unpaired_mask(block: &[Self; BLOCK]) -> u32 {
        let half = |base| {
            by_halves(block, |units| (units & u16x8::splat(0xfc00)).simd_eq(u16x8::splat(base)))
        };
        let (high, low) = (half(0xd800), half(0xdc00));
        high & !(low >> 1) | low & !(high << 1)
    }
}

fn splat(byte: u8) -> u16x8 {
    u16x8::splat(u16::from(byte))
}

#[inline(always)]
fn by_halves(block: &[u16; BLOCK], class: impl Fn(u16x8) -> u16x8) -> u32 {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = *block;
    let low = class(u16x8::from([a, b, c, d, e, f, g, h])).to_bitmask();
    let high = class(u16x8::from([i, j, k, l, m, n, o, p])).to_bitmask();
    low | high << 8
}

/// The last units, too few for a block, filled up with a letter, which is in no
/// class.
pub(super) fn padded<U: Unit>(rest: &[U]) -> [U; BLOCK] {
    let mut block = [U::from_ascii(b'a'); BLOCK];
    block.iter_mut().zip(rest).for_each(|(filled, &unit)| *filled = unit);
    block
}

/// Hands each block of `units` from `from` on to `visit`, with the number of its
/// units that are there, until `visit` returns fewer: the position of the first
/// unit not taken. Inlined, so that the loop over plain text stays tight.
#[inline(always)]
pub(super) fn take_while<U: Unit>(
    units: &[U],
    from: usize,
    mut visit: impl FnMut(&[U; BLOCK], usize) -> usize,
) -> usize {
    let mut rest = units.get(from..).unwrap_or_default();
    while let Some(block) = rest.first_chunk::<BLOCK>() {
        let taken = visit(block, BLOCK);
        if taken < BLOCK {
            return units.len() - rest.len() + taken;
        }
        rest = rest.get(BLOCK..).unwrap_or_default();
    }
    units.len() - rest.len() + visit(&padded(rest), rest.len())
}

/// Returns the number of units at the start of a block that are in no class, given the mask of
/// the class and the number of units that are there.
#[inline(always)]
pub(super) fn plain_units(mask: u32, available: usize) -> usize {
    available.min(mask.trailing_zeros() as usize)
}
