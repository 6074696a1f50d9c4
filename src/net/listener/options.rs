//! Options of a listener.

use std::time::Duration;

/// Options of a listener, which can be replaced while it listens.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListenerOptions {
    /// The paths of requests that may be served here, each with a slash at its end.
    pub paths: Vec<String>,
    /// True if each connection is passed to the application when it is accepted.
    pub is_passing: bool,
    /// The bytes of a request head from which on it is left to the application.
    pub max_header_size: usize,
    /// Time within which a request head must be complete; `None` for any time.
    pub headers_timeout: Option<Duration>,
    /// Time within which a request must be complete; `None` for any time.
    pub request_timeout: Option<Duration>,
    /// Time for which a connection waits for another request; `None` for any time.
    pub keep_alive_timeout: Option<Duration>,
    /// True if a connection whose request head is late is passed, instead of answered with 408.
    pub is_passing_overdue: bool,
    /// True if connections without a request so far count as idle.
    pub are_fresh_idle: bool,
    /// Given if idle connections are probed: the seconds before the first probe, 0 for the system's.
    pub keep_alive: Option<u32>,
    /// Connections that are accepted in a second; `None` for no limit.
    pub max_per_second: Option<f64>,
}

impl ListenerOptions {
    /// Returns the whole seconds for which a connection waits for another request.
    pub(super) fn keep_alive_seconds(&self) -> Option<u64> {
        self.keep_alive_timeout.map(|timeout| timeout.as_secs())
    }

    /// Returns the shortest time that a connection may take.
    pub(super) fn shortest_timeout(&self) -> Option<Duration> {
        let Self { headers_timeout, request_timeout, keep_alive_timeout, .. } = self;
        [headers_timeout, request_timeout, keep_alive_timeout].into_iter().copied().flatten().min()
    }
}
