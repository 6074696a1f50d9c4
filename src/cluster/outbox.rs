//! The queue of events from a link to JavaScript.

use std::collections::VecDeque;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::receiver::ServedMessage;

/// The link's thread blocks while events of more bytes than this have not been taken.
const MAX_HELD_BYTES: usize = 16 * 1024 * 1024;

/// The weight of an event besides its bytes.
const EVENT_OVERHEAD: usize = 128;

/// Interval at which the blocked thread of a link checks whether the link is to end.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// The state of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Connected, and subscribed to all channels.
    Ready,
    /// Not connected; attempts are under way.
    Connecting,
    /// The link has ended.
    Ended,
}

/// The answer to [`Link::count_subscribers`](super::Link::count_subscribers).
#[derive(Debug)]
pub struct Answer {
    /// The id of the question.
    pub id: u32,
    /// The number of subscribers, or the reason why it is unknown.
    pub result: Result<i64, String>,
}

/// An event of a link.
#[derive(Debug)]
pub enum LinkEvent {
    /// A message that JavaScript must handle.
    Message(ServedMessage),
    /// The connection has another state.
    State(State),
    /// Redis refused a command, an attempt to connect failed, or the connection was lost.
    Error(String),
    /// The answer to a question.
    Answer(Answer),
}

impl LinkEvent {
    fn held_bytes(&self) -> usize {
        match self {
            Self::Message(ServedMessage { channel, message, .. }) => {
                channel.len() + message.len() + EVENT_OVERHEAD
            }
            Self::State(_) | Self::Answer(_) => EVENT_OVERHEAD,
            Self::Error(text) => text.len() + EVENT_OVERHEAD,
        }
    }
}

/// The events that JavaScript has not taken yet.
///
/// The link's thread pushes, JavaScript takes. JavaScript is notified by the first event after it
/// has taken all. The queue is bounded by [`wait`](Self::wait), which the link's thread calls
/// after it has pushed messages: Redis then keeps what follows, and drops the connection if that
/// becomes too much for it.
pub(super) struct Outbox {
    queue: Mutex<Queue>,
    is_taken: Condvar,
    is_notified: AtomicBool,
    is_closed: AtomicBool,
    notify: Box<dyn Fn() + Send + Sync>,
}

#[derive(Default)]
struct Queue {
    events: VecDeque<LinkEvent>,
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

    pub(super) fn push(&self, event: LinkEvent) {
        let mut queue = self.queue.lock();
        queue.bytes += event.held_bytes();
        queue.events.push_back(event);
        drop(queue);
        if !self.is_notified.swap(true, Ordering::SeqCst) {
            (self.notify)();
        }
    }

    /// Blocks while more than [`MAX_HELD_BYTES`] have not been taken.
    pub(super) fn wait(&self) {
        let mut queue = self.queue.lock();
        while queue.bytes > MAX_HELD_BYTES && !self.is_closed.load(Ordering::SeqCst) {
            self.is_taken.wait_for(&mut queue, POLL_INTERVAL);
        }
    }

    /// Takes all events, in order.
    pub(super) fn take(&self) -> VecDeque<LinkEvent> {
        self.is_notified.store(false, Ordering::SeqCst);
        let queue = mem::take(&mut *self.queue.lock());
        self.is_taken.notify_all();
        queue.events
    }

    /// Ends all waiting, now and later.
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

    use super::{LinkEvent, MAX_HELD_BYTES, Outbox, ServedMessage};

    fn message(length: usize) -> LinkEvent {
        let (channel, message) = (Bytes::new(), Bytes::from(vec![0; length]));
        LinkEvent::Message(ServedMessage { namespace: 0, channel, message })
    }

    #[test]
    fn javascript_is_notified_once_until_it_takes() {
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
    fn a_full_queue_blocks_until_it_is_taken_or_closed() {
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
