//! Calls of `lib/server/`: sessions with long-polling.

use napi::Result;
use napi_derive::napi;

use super::payload::PayloadArgument;
use super::workers::Workers;
use crate::net;

/// The number of a state of a polling session; see `PollingState` in `src/net/event.rs`.
#[napi]
#[derive(Clone, Copy)]
pub enum PollingState {
    /// The client sends no payload, and the packets of the last one are reported.
    Received = 0,
    /// A poll is pending, and nothing waits for it.
    Writable = 1,
}

#[napi]
impl Workers {
    /// Begins a poll of a polling session, whose payload is `Polled`, or forgets it.
    #[napi(catch_unwind)]
    pub fn poll(&self, id: u32, is_pending: bool) {
        self.pool().poll(id, is_pending);
    }

    /// Handles the body of a payload that Node.js has read; `PayloadEnded` says when it is to be answered.
    #[napi(catch_unwind)]
    pub fn handle_payload(&self, id: u32, body: PayloadArgument) -> Result<()> {
        self.pool().handle_payload(id, body.bytes()?);
        Ok(())
    }

    /// Answers a payload of a polling session, after `PayloadEnded`.
    #[napi(catch_unwind)]
    pub fn answer_payload(&self, id: u32) {
        self.pool().answer_payload(id);
    }

    /// Passes the requests of a polling session from now on.
    #[napi(catch_unwind)]
    pub fn pass_requests(&self, id: u32) {
        self.pool().pass_requests(id);
    }

    /// Has `Reached` report that a polling session is in this state, once it is.
    #[napi(catch_unwind)]
    pub fn await_state(&self, id: u32, state: PollingState) {
        let state = match state {
            PollingState::Received => net::PollingState::Received,
            PollingState::Writable => net::PollingState::Writable,
        };
        self.pool().await_state(id, state);
    }

    /// Returns whether the client of a polling session sends a payload.
    #[napi(catch_unwind)]
    pub fn is_receiving(&self, id: u32) -> bool {
        self.pool().is_receiving(id)
    }

    /// Returns whether a poll of a polling session is pending, and nothing waits for it. Packets that are
    /// to be reported may be on their way.
    #[napi(catch_unwind)]
    pub fn is_writable(&self, id: u32) -> bool {
        self.pool().is_writable(id)
    }
}

/// Returns the number of a state.
pub(super) const fn state_number(state: net::PollingState) -> u32 {
    let state = match state {
        net::PollingState::Received => PollingState::Received,
        net::PollingState::Writable => PollingState::Writable,
    };
    state as u32
}
