use super::unit::{BLOCK, Unit};

/// Output that takes whole blocks of which only the first units count, so that
/// every copy has a length known to the compiler.
pub(super) struct Sink<U> {
    units: Vec<U>,
    length: usize,
}

impl<U: Unit> Sink<U> {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self { units: vec![U::default(); capacity + BLOCK], length: 0 }
    }

    /// Appends the first `count` units of `block`.
    #[inline(always)]
    pub(super) fn push_block<const N: usize>(&mut self, block: &[U; N], count: usize) {
        if self.units.len() - self.length < N {
            grow(&mut self.units);
        }
        if let Some(room) = self.units.get_mut(self.length..self.length + N) {
            room.copy_from_slice(block);
            self.length += count;
        }
    }

    pub(super) fn into_units(mut self) -> Vec<U> {
        self.units.truncate(self.length);
        self.units
    }
}

/// Doubles the room; at least a block is added, since a sink never has less.
#[cold]
fn grow<U: Unit>(units: &mut Vec<U>) {
    units.resize(2 * units.len(), U::default());
}
