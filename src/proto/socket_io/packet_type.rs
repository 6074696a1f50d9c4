//! The packet types of Socket.IO.

/// The type of a Socket.IO packet; the discriminant is its number on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PacketType {
    /// Asks for, or confirms, the connection to a namespace.
    Connect = 0,
    /// Leaves a namespace.
    Disconnect = 1,
    /// An event: its name and its arguments.
    Event = 2,
    /// The answer to an event that carried an ack id.
    Ack = 3,
    /// Refuses the connection to a namespace.
    ConnectError = 4,
    /// An event with attachments.
    BinaryEvent = 5,
    /// An answer with attachments.
    BinaryAck = 6,
}

impl PacketType {
    /// Returns the type of this ASCII digit on the wire, or `None` for any other byte.
    #[must_use]
    pub const fn from_digit(digit: u8) -> Option<Self> {
        Some(match digit {
            b'0' => Self::Connect,
            b'1' => Self::Disconnect,
            b'2' => Self::Event,
            b'3' => Self::Ack,
            b'4' => Self::ConnectError,
            b'5' => Self::BinaryEvent,
            b'6' => Self::BinaryAck,
            _ => return None,
        })
    }

    /// Returns the ASCII digit of this type on the wire.
    #[must_use]
    pub const fn digit(self) -> u8 {
        b'0' + self as u8
    }

    /// Returns whether attachments follow a packet of this type.
    #[must_use]
    pub const fn is_binary(self) -> bool {
        matches!(self, Self::BinaryEvent | Self::BinaryAck)
    }

    /// Returns the type on the wire of a packet with or without attachments: [`Event`](Self::Event)
    /// and [`Ack`](Self::Ack) and their binary forms turn into each other, all others stay.
    #[must_use]
    pub const fn on_wire(self, has_attachments: bool) -> Self {
        match (self, has_attachments) {
            (Self::Event | Self::BinaryEvent, true) => Self::BinaryEvent,
            (Self::Event | Self::BinaryEvent, false) => Self::Event,
            (Self::Ack | Self::BinaryAck, true) => Self::BinaryAck,
            (Self::Ack | Self::BinaryAck, false) => Self::Ack,
            (other, _) => other,
        }
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
        assert_eq!(PacketType::from_digit(b'/'), None);
    }
}
