//! What the application gets from a link.

use std::collections::VecDeque;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::{Condvar, Mutex};

use super::NamespaceId;

/// A link waits while messages of more bytes than this are not taken.
const MAX_HELD_BYTES: usize = 16 * 1024 * 1024;

/// What a message takes besides its bytes.
const MESSAGE_OVERHEAD: usize = 128;

/// How long a link waits before it looks whether it is to end.
const PATIENCE: Duration = Duration::from_millis(50);

/// How a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Connected, and subscribed to everything.
    Ready,
    /// There is no connection, and one is being made.
    Connecting,
    /// The link is over.
    Ended,
}

/// The answer to a question.
#[derive(Debug)]
pub struct Answer {
    /// Which question.
    pub id: u32,
    /// A number, or why there is none.
    pub result: Result<i64, String>,
}

/// Something for the application.
#[derive(Debug)]
pub enum Outgoing {
    /// A message for a namespace.
    Message {
        /// Which namespace.
        namespace: NamespaceId,
        /// The channel.
        channel: Bytes,
        /// The message.
        message: Bytes,
    },
    /// The connection stands otherwise.
    State(State),
    /// Something went wrong; what is done about it, the state tells.
    Error(String),
    /// The answer to a question.
    Answer(Answer),
}

impl Outgoing {
    fn held_bytes(&self) -> usize {
        match self {
            Self::Message { channel, message, .. } => {
                channel.len() + message.len() + MESSAGE_OVERHEAD
            }
            Self::State(_) | Self::Answer(_) => MESSAGE_OVERHEAD,
            Self::Error(text) => text.len() + MESSAGE_OVERHEAD,
        }
    }
}

/// A queue from a link to the application, which is notified once until it has taken all.
pub(super) struct Outbox {
    queue: Mutex<Queue>,
    is_taken: Condvar,
    is_notified: AtomicBool,
    is_closed: AtomicBool,
    notify: Box<dyn Fn() + Send + Sync>,
}

#[derive(Default)]
struct Queue {
    items: VecDeque<Outgoing>,
    bytes: usize,
}

impl Outbox {
    pub(super) fn new(notify: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            queue: Mutex::default(),
            is_taken: Condvar::new(),
            is_notified: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
            notify: Box::new(notify),
        }
    }

    pub(super) fn push(&self, item: Outgoing) {
        let mut queue = self.queue.lock();
        queue.bytes += item.held_bytes();
        queue.items.push_back(item);
        drop(queue);
        if !self.is_notified.swap(true, Ordering::SeqCst) {
            (self.notify)();
        }
    }

    /// Waits while too much has not been taken.
    pub(super) fn wait(&self) {
        let mut queue = self.queue.lock();
        while queue.bytes > MAX_HELD_BYTES && !self.is_closed.load(Ordering::SeqCst) {
            self.is_taken.wait_for(&mut queue, PATIENCE);
        }
    }

    pub(super) fn take(&self) -> VecDeque<Outgoing> {
        self.is_notified.store(false, Ordering::SeqCst);
        let queue = mem::take(&mut *self.queue.lock());
        self.is_taken.notify_all();
        queue.items
    }

    /// Nothing is waited for any more.
    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
        self.is_taken.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use bytes::Bytes;

    use super::{MAX_HELD_BYTES, Outbox, Outgoing};

    fn message(length: usize) -> Outgoing {
        let (channel, message) = (Bytes::new(), Bytes::from(vec![0; length]));
        Outgoing::Message { namespace: 0, channel, message }
    }

    #[test]
    fn the_application_is_notified_once_until_it_takes() {
        let notifications = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&notifications);
        let outbox = Outbox::new(move || {
            counted.fetch_add(1, Ordering::SeqCst);
        });
        outbox.push(message(1));
        outbox.push(message(2));
        assert_eq!((notifications.load(Ordering::SeqCst), outbox.take().len()), (1, 2));
        outbox.push(message(3));
        assert_eq!((notifications.load(Ordering::SeqCst), outbox.take().len()), (2, 1));
    }

    #[test]
    fn too_much_is_waited_for_until_it_is_taken_or_the_end() {
        let outbox = Arc::new(Outbox::new(|| ()));
        for end in [|outbox: &Outbox| drop(outbox.take()), Outbox::close] {
            outbox.push(message(MAX_HELD_BYTES));
            let waiting = Arc::clone(&outbox);
            let waiter = thread::spawn(move || waiting.wait());
            assert!(!waiter.is_finished());
            end(&outbox);
            assert!(waiter.join().is_ok());
        }
    }
}
