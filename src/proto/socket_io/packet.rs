//! Packets.

use bytes::Bytes;

use super::{Namespace, PacketType, Payload};

/// A Socket.IO packet with its attachments.
///
/// A decoded packet is consistent: its payload fits its type, and it has attachments exactly if the
/// type is binary. To build one by hand, take the payload from [`Payload::parse`] with the same
/// packet type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// The type, as on the wire.
    pub packet_type: PacketType,
    /// The namespace that the packet is for.
    pub namespace: Namespace,
    /// Ties an ACK to its event.
    pub ack_id: Option<u64>,
    /// The JSON text, placeholders included.
    pub payload: Option<Payload>,
    /// The attachments, in the order in which placeholders number them.
    pub attachments: Vec<Bytes>,
}

impl Packet {
    /// Creates a packet for the main namespace without ack id, payload or attachments.
    #[must_use]
    pub const fn new(packet_type: PacketType) -> Self {
        Self {
            packet_type,
            namespace: Namespace::main(),
            ack_id: None,
            payload: None,
            attachments: Vec::new(),
        }
    }
}
