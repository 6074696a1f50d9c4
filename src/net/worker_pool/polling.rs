//! Sessions with long-polling, as the application sees them.

use bytes::Bytes;

use super::{Route, WorkerHandle, WorkerPool};
use crate::net::command::{ConnectionCommand, PollingCommand};
use crate::net::{ConnectionId, PollingState};

impl WorkerPool {
    /// Begins a poll of a polling session, whose payload is [`Event::Polled`](crate::net::Event::Polled),
    /// or forgets it: for requests that the application has got.
    pub fn poll(&mut self, id: ConnectionId, is_pending: bool) {
        self.command(id, ConnectionCommand::Polling(PollingCommand::Poll(is_pending)));
    }

    /// Handles the body of a payload that the application has got: as one that a worker has got, up to
    /// [`Event::PayloadEnded`](crate::net::Event::PayloadEnded). The application answers the request.
    pub fn handle_payload(&mut self, id: ConnectionId, body: &[u8]) {
        let body = Bytes::copy_from_slice(body);
        self.command(id, ConnectionCommand::Polling(PollingCommand::Payload(body)));
    }

    /// Answers the payload of a polling session, whose packets have been handled.
    pub fn answer_payload(&mut self, id: ConnectionId) {
        self.command(id, ConnectionCommand::Polling(PollingCommand::AnswerPayload));
    }

    /// Leaves the requests of a polling session to the application from now on.
    pub fn pass_requests(&mut self, id: ConnectionId) {
        self.command(id, ConnectionCommand::Polling(PollingCommand::PassRequests));
    }

    /// Has [`Event::Reached`](crate::net::Event::Reached) report that a polling session is in this state,
    /// once it is.
    pub fn await_state(&mut self, id: ConnectionId, awaited: PollingState) {
        self.command(id, ConnectionCommand::Polling(PollingCommand::Await(awaited)));
    }

    /// Returns whether the client of a polling session sends a payload.
    #[must_use]
    pub fn is_receiving(&self, id: ConnectionId) -> bool {
        self.connection(id).is_some_and(|route| route.traffic.is_receiving())
    }

    /// Returns whether a poll of a polling session is pending, and nothing waits for it: neither at
    /// the worker, nor on its way there. Packets that are to be reported do not count.
    #[must_use]
    pub fn is_writable(&self, id: ConnectionId) -> bool {
        let Some(route) = self.connection(id) else { return false };
        let has_all = |worker: &WorkerHandle| {
            let batches = [worker.last_broadcast, route.last_unreported];
            batches.into_iter().all(|batch| worker.mailbox.has_done(batch))
        };
        self.workers.get(route.worker).is_some_and(has_all) && route.traffic.is_writable()
    }

    /// Notes that the next batch has a packet to a polling session of which no event says that it is
    /// written.
    pub(super) fn note_unreported(&mut self, id: ConnectionId) {
        let Some(Route::Connection(route)) = self.routes.get_mut(id as usize) else { return };
        if let Some(worker) = self.workers.get(route.worker).filter(|_| route.is_polling) {
            // Less than the number of the batch where another thread sends one first.
            route.last_unreported = worker.mailbox.count_sent() + 1;
        }
    }
}
