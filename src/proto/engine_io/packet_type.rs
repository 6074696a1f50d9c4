//! The packet types of Engine.IO.

/// The type of an Engine.IO packet; the discriminant is its number on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PacketType {
    /// The server's first packet: the handshake.
    Open = 0,
    /// Asks the other side to close the transport.
    Close = 1,
    /// The server's half of the heartbeat, and the client's probe of a transport.
    Ping = 2,
    /// The answer to a ping.
    Pong = 3,
    /// Data of the application.
    Message = 4,
    /// Ends the upgrade to another transport.
    Upgrade = 5,
    /// Does nothing: ends a pending poll during an upgrade.
    Noop = 6,
}

impl PacketType {
    /// Returns the type of this ASCII digit on the wire, or `None` for any other byte.
    #[must_use]
    pub const fn from_digit(digit: u8) -> Option<Self> {
        Some(match digit {
            b'0' => Self::Open,
            b'1' => Self::Close,
            b'2' => Self::Ping,
            b'3' => Self::Pong,
            b'4' => Self::Message,
            b'5' => Self::Upgrade,
            b'6' => Self::Noop,
            _ => return None,
        })
    }

    /// Returns the ASCII digit of this type on the wire.
    #[must_use]
    pub const fn digit(self) -> u8 {
        b'0' + self as u8
    }
}

#[cfg(test)]
mod tests {
    use super::PacketType;

    #[test]
    fn every_digit_reads_back_as_its_packet_type() {
        for digit in b'0'..=b'6' {
            assert_eq!(PacketType::from_digit(digit).map(PacketType::digit), Some(digit));
        }
        assert_eq!(PacketType::from_digit(b'7'), None);
        assert_eq!(PacketType::from_digit(b'b'), None);
    }
}
