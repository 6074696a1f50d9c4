//! The open packet.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{DecodeError, Packet, PacketType};

/// The data of the server's first packet.
///
/// Engine.IO v4, "Handshake". Unknown fields are ignored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Handshake {
    /// The session id.
    pub sid: String,
    /// The transports that the client may upgrade to: `["websocket"]`.
    pub upgrades: Vec<String>,
    /// Time between heartbeats in milliseconds.
    pub ping_interval: u64,
    /// Time that a peer may leave a heartbeat unanswered, in milliseconds.
    pub ping_timeout: u64,
    /// The largest payload that the server accepts, in bytes.
    pub max_payload: u64,
}

impl Handshake {
    /// Encodes the open packet, with the fields in the order of engine.io.
    #[must_use]
    pub fn encode(&self) -> Packet {
        // Strings and integers always serialize.
        let data = serde_json::to_vec(self).unwrap_or_default().into();
        Packet::Text { packet_type: PacketType::Open, data }
    }

    /// Decodes the data of an open packet.
    ///
    /// # Errors
    ///
    /// [`DecodeError::InvalidHandshake`] if it is not JSON, lacks a field, or a
    /// field has another type.
    pub fn decode(data: &Bytes) -> Result<Self, DecodeError> {
        serde_json::from_slice(data).map_err(|_| DecodeError::InvalidHandshake)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{DecodeError, Handshake};
    use crate::proto::engine_io::EncodedPacket;

    const JSON: &str = concat!(
        r#"{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":["websocket"],"#,
        r#""pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#
    );

    #[test]
    fn the_specification_s_example_goes_both_ways() -> Result<(), DecodeError> {
        let handshake = Handshake::decode(&Bytes::from_static(JSON.as_bytes()))?;
        assert_eq!(handshake.ping_interval, 25_000);
        assert_eq!(handshake.encode().encode(), EncodedPacket::Text(format!("0{JSON}").into()));
        Ok(())
    }

    #[test]
    fn a_handshake_that_is_incomplete_or_no_json_is_refused() {
        for data in ["", "{}", "[", r#"{"sid":1}"#] {
            let refused = Handshake::decode(&Bytes::from_static(data.as_bytes()));
            assert_eq!(refused, Err(DecodeError::InvalidHandshake), "{data}");
        }
    }
}
