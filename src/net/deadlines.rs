//! The deadlines of a worker's connections, behind one timer.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Instant;

use tokio::time::{Sleep, sleep_until};

use super::ConnectionId;

/// Identifies an entry of [`Deadlines`]: the id of a connection may be used again, or its deadline be
/// replaced, while an entry waits.
pub(super) type Ticket = u32;

/// A priority queue of deadlines. Lives on the worker's thread; one task polls it.
///
/// An entry cannot be removed. Its owner compares the ticket instead, when the entry is due; a
/// connection's deadline moves to a later time at each pong, and its entry finds the new time then.
/// An entry takes 24 bytes; a `Sleep` for each connection would take 120, and an entry in the wheel of
/// tokio, with a lock, at each move.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    entries: BinaryHeap<Reverse<(Instant, Ticket, ConnectionId)>>,
    last_ticket: Ticket,
    /// Runs out at the first entry that was not due at the last poll.
    sleep: Option<Pin<Box<Sleep>>>,
    waker: Option<Waker>,
}

impl Deadlines {
    /// Adds an entry for a connection.
    pub(super) fn add(&mut self, id: ConnectionId, when: Instant) -> Ticket {
        let is_first = self.entries.peek().is_none_or(|Reverse((first, ..))| when < *first);
        self.last_ticket = self.last_ticket.wrapping_add(1);
        self.entries.push(Reverse((when, self.last_ticket, id)));
        if is_first {
            self.wake();
        }
        self.last_ticket
    }

    /// Removes and returns the next entry that is due at `now` or when the timer runs out.
    pub(super) fn poll_due(
        &mut self,
        context: &mut Context<'_>,
        now: Instant,
    ) -> Poll<(ConnectionId, Ticket)> {
        let Some(Reverse((when, ticket, id))) = self.entries.peek().copied() else {
            self.sleep = None;
            self.waker = Some(context.waker().clone());
            return Poll::Pending;
        };
        if when > now {
            let when = when.into();
            let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(when)));
            if sleep.deadline() != when {
                sleep.as_mut().reset(when);
            }
            self.waker = Some(context.waker().clone());
            ready!(sleep.as_mut().poll(context));
        }
        self.entries.pop();
        Poll::Ready((id, ticket))
    }

    /// Wakes the task that polls.
    pub(super) fn wake(&mut self) {
        self.waker.take().into_iter().for_each(Waker::wake);
    }
}
