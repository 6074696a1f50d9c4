//! The two ends of a connection.

use super::DecodeError;

/// The end of the connection that decodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A server: the frames that come in are masked.
    Server,
    /// A client: the frames that come in are not masked.
    Client,
}

impl Role {
    pub(super) fn check_mask(self, is_masked: bool) -> Result<(), DecodeError> {
        match (self, is_masked) {
            // RFC 6455 §5.1: a server closes the connection upon an unmasked frame.
            (Self::Server, false) => Err(DecodeError::ExpectedMask),
            // RFC 6455 §5.1: a client closes the connection upon a masked frame.
            (Self::Client, true) => Err(DecodeError::UnexpectedMask),
            _ => Ok(()),
        }
    }
}
