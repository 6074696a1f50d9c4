//! Errors for which a polling session ends.

use std::fmt;

/// The error for which a polling session ends. `Display` gives the text of engine.io.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollingError {
    /// A poll came while another was pending.
    PollOverlap,
    /// The connection of a pending poll has ended.
    PollEnded,
    /// A payload came while another was incomplete.
    PayloadOverlap,
    /// The connection of an incomplete payload has ended.
    PayloadEnded,
}

impl fmt::Display for PollingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PollOverlap => "overlap from client",
            Self::PollEnded => "poll connection closed prematurely",
            Self::PayloadOverlap => "data request overlap from client",
            Self::PayloadEnded => "data request connection closed prematurely",
        })
    }
}
