//! Calls of `lib/redis/room-directory.js` and `lib/redis/transport.js`: changes of the room
//! directory. Each takes effect with the next `flush()` of the workers.

use napi::bindgen_prelude::{Either4, Null};
use napi_derive::napi;

use crate::binding::workers::Workers;
use crate::cluster::{Address, RoomName};

/// The kind of a room's address, see `Address` in `src/cluster/room_directory.rs`.
#[napi]
pub enum AddressKind {
    Nobody = 0,
    /// The id is that of a room.
    Room = 1,
    /// The id is that of a connection.
    Member = 2,
}

impl AddressKind {
    const fn with(self, id: u32) -> Address {
        match self {
            Self::Nobody => Address::Nobody,
            Self::Room => Address::Room(id),
            Self::Member => Address::Member(id),
        }
    }
}

/// The name of a room, of a type that messages can hold.
type RoomNameArgument = Either4<String, f64, bool, Null>;

fn room_name(name: RoomNameArgument) -> RoomName {
    match name {
        Either4::A(text) => RoomName::Text(text.into()),
        Either4::B(number) => RoomName::Number(number),
        Either4::C(boolean) => RoomName::Boolean(boolean),
        Either4::D(_) => RoomName::Null,
    }
}

#[napi]
impl Workers {
    /// Adds a namespace to the directory, at once. Returns its id.
    #[napi(catch_unwind)]
    pub fn add_namespace(&mut self) -> u32 {
        self.directory_writer().add_namespace() as u32
    }

    /// Removes a namespace.
    #[napi(catch_unwind)]
    pub fn remove_namespace(&mut self, namespace: u32) {
        self.directory_writer().remove_namespace(namespace as usize);
    }

    /// Sets where all direct members of a namespace are, and whether it has served ones.
    #[napi(catch_unwind)]
    pub fn set_all(&mut self, namespace: u32, kind: AddressKind, id: u32, has_served: bool) {
        self.directory_writer().set_all(namespace as usize, kind.with(id), has_served);
    }

    /// Sets where the direct members of a room are, and whether it has served ones.
    #[napi(catch_unwind)]
    pub fn set_room(
        &mut self,
        namespace: u32,
        name: RoomNameArgument,
        kind: AddressKind,
        id: u32,
        has_served: bool,
    ) {
        let (name, address) = (room_name(name), kind.with(id));
        let mut environment = self.environment.borrow_mut();
        environment.set_room(namespace as usize, name, address, has_served);
    }

    /// Removes a room, which has lost its last member.
    #[napi(catch_unwind)]
    pub fn forget_room(&mut self, namespace: u32, name: RoomNameArgument) {
        self.directory_writer().remove_room(namespace as usize, room_name(name));
    }

    /// Sets whether the application listens to outgoing packets, so that JavaScript must serve
    /// all messages.
    #[napi(catch_unwind)]
    pub fn set_observed(&mut self, namespace: u32, is_observed: bool) {
        self.directory_writer().set_observed(namespace as usize, is_observed);
    }

    /// Sets whether only JavaScript can tell which rooms exist, or which members one of them has,
    /// so that JavaScript must serve all messages.
    #[napi(catch_unwind)]
    pub fn set_unreadable(&mut self, namespace: u32, is_unreadable: bool) {
        self.directory_writer().set_unreadable(namespace as usize, is_unreadable);
    }

    /// Notes that JavaScript has handled a message; the resulting commands are in the same
    /// `flush()`.
    #[napi(catch_unwind)]
    pub fn handled(&mut self, namespace: u32) {
        self.directory_writer().note_handled(namespace as usize);
    }
}
