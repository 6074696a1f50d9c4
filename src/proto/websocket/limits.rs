//! Limits of a message.

/// Limits of one message. The defaults are those of ws 8.23.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest size of a message in bytes, over all its fragments; `usize::MAX` for no limit.
    pub max_payload: usize,
    /// The largest number of fragments of a message, empty ones included; an unfragmented message
    /// has one (CVE-2026-48779, CVE-2026-62389).
    pub max_fragments: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_payload: 100 * 1024 * 1024, max_fragments: 16 * 1024 }
    }
}
