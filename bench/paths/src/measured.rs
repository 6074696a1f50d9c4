//! Work that the harnesses measure.

use std::fmt::{self, Debug, Formatter};
use std::hint::black_box;

/// A path that has its input. It is to be run once; what it takes and what it makes is
/// dropped with it, so that a harness need not measure that.
pub struct Measured(Box<dyn Path>);

trait Path {
    fn run(&mut self);
    fn is_right(&self) -> bool;
}

struct Work<I, O, W, C> {
    input: I,
    output: Option<O>,
    work: W,
    check: C,
}

impl Measured {
    /// Measures `work` on `input`; `check` returns whether its result is right.
    pub(crate) fn new<I: 'static, O: 'static>(
        input: I,
        work: impl FnMut(&mut I) -> O + 'static,
        check: impl Fn(&O) -> bool + 'static,
    ) -> Self {
        Self(Box::new(Work { input, output: None, work, check }))
    }

    /// Does the work.
    pub fn run(&mut self) {
        self.0.run();
    }

    /// Returns whether the work has been done, with the right result.
    pub fn is_right(&self) -> bool {
        self.0.is_right()
    }
}

impl<I, O, W: FnMut(&mut I) -> O, C: Fn(&O) -> bool> Path for Work<I, O, W, C> {
    fn run(&mut self) {
        self.output = Some(black_box((self.work)(black_box(&mut self.input))));
    }

    fn is_right(&self) -> bool {
        self.output.as_ref().is_some_and(&self.check)
    }
}

/// Does nothing: what a harness counts in addition to each path.
pub fn nothing() -> Measured {
    Measured::new((), |()| (), |()| true)
}

impl Debug for Measured {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str("Measured")
    }
}
