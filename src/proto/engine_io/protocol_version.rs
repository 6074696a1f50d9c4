//! Protocol versions.

/// A version of the Engine.IO protocol, `EIO` in a client's request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProtocolVersion {
    /// The version of Socket.IO 2, accepted with the option `allowEIO3`.
    V3,
    /// The version of Socket.IO 3 and 4.
    #[default]
    V4,
}
