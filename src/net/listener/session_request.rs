//! A request of a polling session, on the worker of the session.

use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use super::http_connection::TIMED_OUT;
use super::served::Served;
use super::source::Source;
use crate::net::connection_task::ConnectionTask;
use crate::net::polling::Exchange;
use crate::net::worker::Worker;

/// A request of a session: a poll, or a payload.
#[derive(Debug)]
pub(in crate::net) struct SessionRequest {
    pub(in crate::net) exchange: Rc<Exchange>,
    /// The length of the head, which is still to be read.
    pub(in crate::net) head: usize,
    /// The length of a payload; `None` for a poll.
    pub(in crate::net) payload: Option<usize>,
}

/// The connection of such a request until it is answered, as a task.
///
/// Holds the connection's stream meanwhile; afterwards the listener waits for the next request there.
pub(super) struct SessionExchange {
    worker: Rc<Worker>,
    served: Rc<Served>,
    session: Rc<ConnectionTask>,
    exchange: Rc<Exchange>,
    state: RefCell<State>,
}

struct State {
    /// `None` once the connection has ended.
    stream: Option<Source>,
    /// The position among those of the same listener.
    index: usize,
    phase: Phase,
    since: Instant,
    waker: Option<Waker>,
}

enum Phase {
    /// Head and payload are being read; the payload is dropped if the session has refused it.
    Receiving { input: Vec<u8>, head: usize, length: usize, is_refused: bool },
    /// The session has the request.
    Waiting,
    /// The response is being written.
    Responding { response: Vec<u8>, written: usize },
}

/// The fate of a connection after its request.
enum Outcome {
    /// It waits for another request.
    Keep,
    /// It ends.
    End,
}

impl SessionExchange {
    /// Gives a request to its session. The caller spawns the task.
    pub(super) fn begin(
        (worker, served): (Rc<Worker>, Rc<Served>),
        session: Rc<ConnectionTask>,
        request: &SessionRequest,
        stream: Source,
        index: usize,
    ) -> Self {
        let exchange = Rc::clone(&request.exchange);
        let phase = match request.payload {
            Some(payload) => {
                let (head, length) = (request.head, request.head + payload);
                let is_refused = !session.begin_payload(&exchange);
                Phase::Receiving { input: Vec::new(), head, length, is_refused }
            }
            None => Phase::Waiting,
        };
        let since = Instant::now();
        let state = State { stream: Some(stream), index, phase, since, waker: None };
        Self { worker, served, session, exchange, state: RefCell::new(state) }
    }

    /// Ready when the request is answered, or the connection has ended.
    pub(super) fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.worker.is_shut_down() {
            return Poll::Ready(());
        }
        let (outcome, stream, index) = {
            let state = &mut *self.state.borrow_mut();
            state.waker.get_or_insert_with(|| context.waker().clone());
            let outcome = ready!(self.poll_outcome(state, context));
            state.waker = None;
            (outcome, state.stream.take(), state.index)
        };
        self.served.remove_exchange(index);
        match (outcome, stream) {
            (Ok(Outcome::Keep), Some(stream)) => self.served.serve_next(&self.worker, stream),
            (Ok(Outcome::End), Some(mut stream)) => {
                stream.shut_down();
                self.served.count_end(&self.worker);
            }
            _ => {
                self.handle_broken();
                self.served.count_end(&self.worker);
            }
        }
        Poll::Ready(())
    }

    /// Reports the end of the connection to the session.
    fn handle_broken(&self) {
        let phase = &self.state.borrow().phase;
        if matches!(phase, Phase::Receiving { is_refused: false, .. }) {
            self.session.handle_payload_end();
        } else if matches!(phase, Phase::Waiting) {
            self.session.handle_poll_end(&self.exchange);
        }
    }

    /// Returns an error if the connection has ended too early.
    fn poll_outcome(
        &self,
        state: &mut State,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<Outcome>> {
        let Some(stream) = &mut state.stream else {
            return Poll::Ready(Err(ErrorKind::ConnectionAborted.into()));
        };
        loop {
            match &mut state.phase {
                Phase::Receiving { input, head, length, is_refused } => {
                    if self.worker.is_stalled(context.waker()) {
                        return Poll::Pending;
                    }
                    if self.exchange.poll_abort(context.waker()) {
                        return Poll::Ready(Err(ErrorKind::ConnectionAborted.into()));
                    }
                    ready!(stream.poll_fill(context, input, *length))?;
                    if !*is_refused {
                        let body = input.get(*head..).unwrap_or_default();
                        self.session.handle_payload(body, *length);
                    }
                    state.phase = Phase::Waiting;
                }
                Phase::Waiting => {
                    let Some(response) = self.exchange.poll_response(context.waker()) else {
                        return stream.poll_peer_end(context).map(Err);
                    };
                    state.phase = Phase::Responding { response, written: 0 };
                }
                Phase::Responding { response, written } => {
                    ready!(stream.poll_write(context, response, written))?;
                    let is_last = self.exchange.is_last();
                    return Poll::Ready(Ok(if is_last { Outcome::End } else { Outcome::Keep }));
                }
            }
        }
    }

    /// Ends the connection if its payload has not come within `timeout`.
    pub(super) fn handle_time(&self, now: Instant, timeout: Duration) {
        let state = &mut *self.state.borrow_mut();
        let is_receiving = matches!(state.phase, Phase::Receiving { .. });
        if is_receiving
            && state.since + timeout <= now
            && let Some(mut stream) = state.stream.take()
        {
            stream.answer_last(TIMED_OUT);
            wake(state);
        }
    }

    /// Ends the connection.
    pub(super) fn close(&self) {
        let state = &mut *self.state.borrow_mut();
        state.stream = None;
        wake(state);
    }

    /// Wakes the task, which ends because the worker does.
    pub(super) fn reconsider(&self) {
        wake(&self.state.borrow());
    }
}

fn wake(state: &State) {
    if let Some(waker) = &state.waker {
        waker.wake_by_ref();
    }
}
