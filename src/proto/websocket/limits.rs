//! How much a peer may send.

/// Bounds of one message. The defaults are those of ws 8.23.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes that a message may have, over all its fragments. There is no
    /// value for "unlimited" but `usize::MAX`.
    pub max_payload: usize,
    /// The most fragments that a message may have, empty ones counted; an
    /// unfragmented message has one (CVE-2026-48779, CVE-2026-62389).
    pub max_fragments: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_payload: 100 * 1024 * 1024, max_fragments: 16 * 1024 }
    }
}
