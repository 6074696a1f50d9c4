//! The sending end of a worker's command queue, for the application and for other threads that
//! broadcast.

use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::mpsc::UnboundedSender;

use super::clock::{stamp, ticks};
use super::command::{Batch, Command};
use super::lag::Lag;
use super::worker::Shared;

/// Polling interval while waiting for a worker.
const INTERVAL: Duration = Duration::from_millis(1);

/// Sends batches of commands to a worker. Batches of one thread are executed in their order.
#[derive(Debug)]
pub(super) struct Mailbox {
    commands: UnboundedSender<Batch>,
    shared: Arc<Shared>,
    lag: Mutex<Lag>,
}

impl Mailbox {
    pub(super) fn new(commands: UnboundedSender<Batch>, shared: Arc<Shared>) -> Self {
        let lag = Mutex::new(Lag::after(shared.batches_done.value()));
        Self { commands, shared, lag }
    }

    /// Sends a batch; drops it if the worker has ended. Returns its number.
    pub(super) fn post(&self, commands: Vec<Command>) -> u64 {
        let bytes = commands.iter().map(Command::len_bytes).sum();
        // Locked while sending, so that batches are counted in the order in which they are sent.
        let mut lag = self.lag.lock();
        let now = Instant::now();
        if self.commands.send(Batch { sent: stamp(ticks(now)), commands }).is_ok() {
            lag.handle_sent(now, bytes);
        }
        lag.count_sent()
    }

    /// Returns the number of the last batch.
    pub(super) fn count_sent(&self) -> u64 {
        self.lag.lock().count_sent()
    }

    /// Returns whether the worker has executed this batch.
    pub(super) fn has_done(&self, batch: u64) -> bool {
        let done = self.shared.batches_done.value();
        fence(Ordering::Acquire);
        done >= batch
    }

    /// Blocks while the worker lags by more than [`MAX_LAG`](super::MAX_LAG) or
    /// [`MAX_LAG_BYTES`](super::MAX_LAG_BYTES).
    pub(super) fn wait(&self) {
        while self.is_lagging() {
            thread::sleep(INTERVAL);
        }
    }

    fn is_lagging(&self) -> bool {
        let mut lag = self.lag.lock();
        !self.commands.is_closed() && lag.is_excessive(self.shared.batches_done.value())
    }
}
