//! RFC 6455 §5.2, "Opcode".

/// The type of a frame. The discriminants are the values on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    /// A further fragment of a message.
    Continuation = 0x0,
    /// A text message, or its first fragment.
    Text = 0x1,
    /// A binary message, or its first fragment.
    Binary = 0x2,
    /// The closing handshake.
    Close = 0x8,
    /// A ping, to be answered with a pong of the same payload.
    Ping = 0x9,
    /// The answer to a ping, or an unsolicited one.
    Pong = 0xa,
}

impl Opcode {
    /// Returns the opcode of these four bits, or `None` if RFC 6455 reserves them.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xa => Self::Pong,
            _ => return None,
        })
    }

    /// Returns whether this is a close, ping or pong: a control frame, which may stand between
    /// fragments.
    #[must_use]
    pub const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}
