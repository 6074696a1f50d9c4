//! What `lib/adapter/fan-out.js` calls: rooms, and packets to those who are in them.

use napi::bindgen_prelude::Uint32ArraySlice;
use napi::{Error, Result, Status};
use napi_derive::napi;

use super::payload::PayloadArgument;
use super::workers::Workers;
use crate::fanout::Recipients;
use crate::net::Volatile;
use crate::proto::engine_io::ProtocolVersion;

/// How a packet is sent to one connection.
#[napi]
pub enum Delivery {
    /// In any case.
    Sure = 0,
    /// As `Sure`, and reported when it is written.
    Reported = 1,
    /// Unless something waits.
    Volatile = 2,
    /// As the volatile packet before it, to which it belongs.
    VolatileContinued = 3,
}

#[napi]
impl Workers {
    /// A new room; its number is the result.
    #[napi(catch_unwind)]
    pub fn create_room(&self) -> u32 {
        self.pool.borrow_mut().create_room()
    }

    /// Ends a room, whose number may then be another's.
    #[napi(catch_unwind)]
    pub fn remove_room(&self, room: u32) {
        self.pool.borrow_mut().remove_room(room);
    }

    /// Puts a connection into a room. When it ends, it leaves all its rooms by itself.
    #[napi(catch_unwind)]
    pub fn join(&self, room: u32, id: u32) {
        self.pool.borrow_mut().join(room, id);
    }

    /// Takes a connection out of a room.
    #[napi(catch_unwind)]
    pub fn leave(&self, room: u32, id: u32) {
        self.pool.borrow_mut().leave(room, id);
    }

    /// The peer speaks Engine.IO v3; to be called before it is sent a packet.
    #[napi(catch_unwind)]
    pub fn use_version3(&mut self, id: u32) {
        self.has_v3 = true;
        self.pool.borrow_mut().use_version_3(id);
    }

    /// What is sent from now on belongs to another turn, see `Volatile`.
    #[napi(catch_unwind)]
    pub fn begin_turn(&self) {
        self.pool.borrow_mut().begin_turn();
    }

    /// Sends a Socket.IO packet, or one of its attachments, to one connection. Returns the
    /// length of the frame in bytes.
    #[napi(catch_unwind)]
    pub fn send_packet(
        &self,
        id: u32,
        data: PayloadArgument,
        is_version3: bool,
        delivery: Delivery,
    ) -> Result<u32> {
        let version = if is_version3 { ProtocolVersion::V3 } else { ProtocolVersion::V4 };
        let frame = data.encode_packet(version)?;
        let length = frame.len() as u32;
        let mut pool = self.pool.borrow_mut();
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

    /// Sends a Socket.IO packet to many: text or binary data, and attachments. `recipients`
    /// are four lists as `Recipients::decode` takes them.
    #[napi(catch_unwind)]
    pub fn broadcast(
        &self,
        data: PayloadArgument,
        attachments: Option<Vec<PayloadArgument>>,
        recipients: Uint32ArraySlice<'_>,
        is_volatile: bool,
    ) -> Result<()> {
        let recipients = Recipients::decode(&recipients)
            .ok_or_else(|| Error::new(Status::InvalidArg, "the recipients are cut off"))?;
        let attachments = attachments.unwrap_or_default();
        let packet = data.prepare_packet(&attachments, self.has_v3)?;
        self.pool.borrow_mut().broadcast(packet, recipients, is_volatile);
        Ok(())
    }
}
