//! Calls of `lib/adapter/fan-out.js` and `lib/engine/connection.js`: rooms, and packets to one
//! connection or to many.

use napi::bindgen_prelude::Uint32ArraySlice;
use napi::{Error, Result, Status};
use napi_derive::napi;

use super::payload::PayloadArgument;
use super::workers::{Workers, frames};
use crate::fanout::{LatestKey, Recipients};
use crate::net::Volatile;
use crate::proto::engine_io::ProtocolVersion;

/// The kind of delivery of a packet to one connection.
#[napi]
pub enum Delivery {
    /// Always.
    Sure = 0,
    /// Always, and reported once it is written.
    Reported = 1,
    /// Unless the connection has frames waiting.
    Volatile = 2,
    /// With the volatile packet before it, or not at all: it is an attachment of that packet.
    VolatileContinued = 3,
}

#[napi]
impl Workers {
    /// Creates a room without members and returns its id.
    #[napi(catch_unwind)]
    pub fn create_room(&self) -> u32 {
        self.pool().create_room()
    }

    /// Empties a room; its id may be reused.
    #[napi(catch_unwind)]
    pub fn remove_room(&self, room: u32) {
        self.pool().remove_room(room);
    }

    /// Adds a connection to a room. A connection that ends leaves all its rooms by itself.
    #[napi(catch_unwind)]
    pub fn join(&self, room: u32, id: u32) {
        self.pool().join(room, id);
    }

    /// Removes a connection from a room.
    #[napi(catch_unwind)]
    pub fn leave(&self, room: u32, id: u32) {
        self.pool().leave(room, id);
    }

    /// Marks the peer as one that speaks Engine.IO v3, which must happen before a packet is sent
    /// to it.
    #[napi(catch_unwind)]
    pub fn use_version3(&self, id: u32) {
        self.pool().use_version_3(id);
    }

    /// Begins another turn: a volatile packet is dropped if something was sent to its recipient in
    /// the same turn.
    #[napi(catch_unwind)]
    pub fn begin_turn(&self) {
        self.pool().begin_turn();
    }

    /// Sends a Socket.IO packet, or one of its attachments, to one connection; compressed if
    /// `isCompressible`, where that is negotiated. Returns the length of the plain frame in bytes.
    #[napi(catch_unwind)]
    pub fn send_packet(
        &self,
        id: u32,
        data: PayloadArgument,
        is_version3: bool,
        delivery: Delivery,
        is_compressible: bool,
    ) -> Result<u32> {
        let version = if is_version3 { ProtocolVersion::V3 } else { ProtocolVersion::V4 };
        let frame = data.encode_packet(version)?;
        let length = frame.len() as u32;
        let frame = frames(frame, is_compressible);
        let mut pool = self.pool();
        match delivery {
            Delivery::Sure => pool.send(id, frame, false),
            Delivery::Reported => pool.send(id, frame, true),
            Delivery::Volatile => pool.send_volatile(id, frame, Volatile::First),
            Delivery::VolatileContinued => {
                pool.send_volatile(id, frame, Volatile::Continued);
            }
        }
        Ok(length)
    }

    /// Sends a Socket.IO packet, text or binary data with its attachments, to many connections.
    /// `recipients` has the layout of `Recipients::decode`; `isCompressible` as in `sendPacket()`.
    /// With `latest`, namespace and key, the packet replaces an older one of the same key that waits.
    #[napi(catch_unwind)]
    pub fn broadcast(
        &self,
        data: PayloadArgument,
        attachments: Option<Vec<PayloadArgument>>,
        recipients: Uint32ArraySlice<'_>,
        is_volatile: bool,
        is_compressible: bool,
        latest: Option<(String, String)>,
    ) -> Result<()> {
        let recipients = Recipients::decode(&recipients)
            .ok_or_else(|| Error::new(Status::InvalidArg, "the recipients are cut off"))?;
        let attachments = attachments.unwrap_or_default();
        let has_v3 = self.pool().broadcaster().has_v3();
        let key = latest.map(|(namespace, key)| LatestKey::new(&namespace, &key));
        let packet = data.prepare_packet(&attachments, has_v3)?;
        let packet = packet.compressible(is_compressible).latest(key);
        self.pool().broadcast(packet, recipients, is_volatile);
        Ok(())
    }
}
