//! Where a worker gets its commands: from the application, and from whoever else broadcasts.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::mpsc::UnboundedSender;

use super::command::Command;
use super::lag::Lag;
use super::worker::Shared;

/// The interval at which a thread that is blocked looks at the worker's progress.
const INTERVAL: Duration = Duration::from_millis(1);

/// The sending end of a worker's queue. Batches of one sender are carried out in their order.
#[derive(Debug)]
pub(super) struct Mailbox {
    commands: UnboundedSender<Vec<Command>>,
    shared: Arc<Shared>,
    lag: Mutex<Lag>,
}

impl Mailbox {
    pub(super) fn new(commands: UnboundedSender<Vec<Command>>, shared: Arc<Shared>) -> Self {
        let lag = Mutex::new(Lag::after(shared.batches_done.value()));
        Self { commands, shared, lag }
    }

    /// Sends a batch, unless the worker is over.
    pub(super) fn post(&self, batch: Vec<Command>) {
        // Under the lock, so that batches are counted in the order in which they are sent.
        let bytes = batch.iter().map(Command::len_bytes).sum();
        let mut lag = self.lag.lock();
        if self.commands.send(batch).is_ok() {
            lag.handle_sent(Instant::now(), bytes);
        }
    }

    /// Blocks while the worker is more than [`MAX_LAG`](super::MAX_LAG) or
    /// [`MAX_LAG_BYTES`](super::MAX_LAG_BYTES) behind.
    pub(super) fn wait(&self) {
        while self.is_behind() {
            thread::sleep(INTERVAL);
        }
    }

    fn is_behind(&self) -> bool {
        let mut lag = self.lag.lock();
        !self.commands.is_closed() && lag.is_excessive(self.shared.batches_done.value())
    }
}
