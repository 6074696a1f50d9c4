//! A pause of a link's thread, which ends early when the thread gets a command.

use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// The pause of one thread, shared with the threads that may end it.
#[derive(Debug, Default)]
pub(super) struct Rest {
    is_over: Mutex<bool>,
    ended: Condvar,
}

impl Rest {
    /// Blocks for `duration`, or until [`end`](Self::end) is called. Returns at once if that was
    /// called since the last rest.
    pub(super) fn rest(&self, duration: Duration) {
        let mut is_over = self.is_over.lock();
        if !*is_over {
            self.ended.wait_for(&mut is_over, duration);
        }
        *is_over = false;
    }

    /// Ends the rest; without one, skips the next.
    pub(super) fn end(&self) {
        *self.is_over.lock() = true;
        self.ended.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;
    use std::time::Duration;

    use super::Rest;

    const LONG: Duration = Duration::from_secs(3600);

    #[test]
    fn a_rest_can_be_ended_before_and_after_it_has_begun() {
        let rest = Arc::new(Rest::default());
        rest.end();
        rest.rest(LONG);
        let resting = Arc::clone(&rest);
        let thread = thread::spawn(move || resting.rest(LONG));
        rest.end();
        assert!(thread.join().is_ok());
        rest.rest(Duration::from_micros(1));
    }
}
