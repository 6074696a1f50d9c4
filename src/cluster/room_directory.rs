//! The rooms of this node by name, for the broadcasts of other nodes.

use std::collections::HashMap;

use super::namespace::NamespaceId;
use super::room_name::RoomName;
use crate::fanout::{MemberId, Recipients, RoomId};
use crate::net::WorkerSet;
use crate::proto::cluster::{Options, Room};

/// The address of a room's direct members.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Address {
    /// The room has no direct members.
    #[default]
    Nobody,
    /// They are in a room of the workers.
    Room(RoomId),
    /// The room has one, on this connection.
    Member(MemberId),
}

/// The recipients of a broadcast on this node.
#[derive(Debug, PartialEq, Eq)]
pub enum LocalRecipients {
    /// There are none.
    Nobody,
    /// All of them are direct, on these workers.
    Direct(Recipients, WorkerSet),
    /// JavaScript must deliver: a recipient is not on a worker, or only JavaScript can decide.
    Served,
}

/// The rooms of all namespaces of this process that take part in a cluster.
///
/// It is shared under a lock. JavaScript changes it through a
/// [`DirectoryWriter`](super::DirectoryWriter), together with its commands to the workers; the
/// receivers of links read it while they post theirs. So the ids of rooms and connections mean
/// to the workers what they mean here.
///
/// - Changes of a namespace: [`add_namespace`](Self::add_namespace), [`set_all`](Self::set_all),
///   [`set_room`](Self::set_room), [`remove_room`](Self::remove_room),
///   [`set_observed`](Self::set_observed), [`set_unreadable`](Self::set_unreadable),
///   [`remove_namespace`](Self::remove_namespace); of a connection, [`release`](Self::release).
/// - Order: [`note_served`](Self::note_served) when a message is given to JavaScript, and
///   [`note_handled`](Self::note_handled) when the workers have the resulting commands. In
///   between, JavaScript serves all messages of the namespace, so that none overtakes another.
/// - Lookups: [`has_room`](Self::has_room), before a message is decoded, and
///   [`find`](Self::find).
///
/// Changes of a namespace that has been removed have no effect.
#[derive(Debug, Default)]
pub struct RoomDirectory {
    namespaces: HashMap<NamespaceId, Namespace>,
    /// The number of namespaces so far, which is the next id.
    count: usize,
    /// By connection id, how often it has been released.
    releases: Vec<u32>,
}

#[derive(Debug, Default)]
struct Namespace {
    all: Entry,
    rooms: HashMap<RoomName, Entry>,
    /// The number of rooms that are named by numbers.
    numbers: usize,
    /// True if the application listens to outgoing packets.
    is_observed: bool,
    /// True if only JavaScript can tell which rooms exist, or which members one of them has.
    is_unreadable: bool,
    /// The number of messages that JavaScript has received and not handled.
    unhandled: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    address: Address,
    worker: WorkerSet,
    /// For a member, how often the id of its connection had been released.
    releases: u32,
    /// True if the room has members that JavaScript serves.
    has_served: bool,
}

impl RoomDirectory {
    /// Adds a namespace without rooms. Returns its id.
    pub fn add_namespace(&mut self) -> NamespaceId {
        let id = self.count;
        self.count += 1;
        self.namespaces.insert(id, Namespace::default());
        id
    }

    /// Removes a namespace.
    pub fn remove_namespace(&mut self, id: NamespaceId) {
        self.namespaces.remove(&id);
    }

    /// Sets where all direct members of a namespace are, and whether it has served ones.
    pub fn set_all(&mut self, id: NamespaceId, address: Address, has_served: bool) {
        let entry = self.entry(address, None, has_served);
        if let Some(namespace) = self.namespaces.get_mut(&id) {
            namespace.all = entry;
        }
    }

    /// Sets where the direct members of a room are, and whether it has served ones. `worker` is
    /// that of a single member, if known.
    pub fn set_room(
        &mut self,
        id: NamespaceId,
        name: RoomName,
        address: Address,
        worker: Option<usize>,
        has_served: bool,
    ) {
        let entry = self.entry(address, worker, has_served);
        let Some(namespace) = self.namespaces.get_mut(&id) else { return };
        let is_number = matches!(name, RoomName::Number(_));
        if namespace.rooms.insert(name, entry).is_none() && is_number {
            namespace.numbers += 1;
        }
    }

    /// Removes a room, which has lost its last member.
    pub fn remove_room(&mut self, id: NamespaceId, name: &RoomName) {
        let Some(namespace) = self.namespaces.get_mut(&id) else { return };
        if namespace.rooms.remove(name).is_some() && matches!(name, RoomName::Number(_)) {
            namespace.numbers -= 1;
        }
    }

    /// Sets whether the application listens to packets that are sent to sockets of a namespace.
    /// If so, JavaScript serves all its messages.
    pub fn set_observed(&mut self, id: NamespaceId, is_observed: bool) {
        if let Some(namespace) = self.namespaces.get_mut(&id) {
            namespace.is_observed = is_observed;
        }
    }

    /// Sets whether only JavaScript can tell which rooms a namespace has, or which members one of
    /// them has. If so, JavaScript serves all its messages.
    pub fn set_unreadable(&mut self, id: NamespaceId, is_unreadable: bool) {
        if let Some(namespace) = self.namespaces.get_mut(&id) {
            namespace.is_unreadable = is_unreadable;
        }
    }

    /// Releases the id of a connection, which may be reused. It is no longer a member of any
    /// room.
    pub fn release(&mut self, member: MemberId) {
        let place = member as usize;
        if self.releases.len() <= place {
            self.releases.resize(place + 1, 0);
        }
        if let Some(count) = self.releases.get_mut(place) {
            *count = count.wrapping_add(1);
        }
    }

    /// Notes that JavaScript is given a message.
    pub fn note_served(&mut self, id: NamespaceId) {
        if let Some(namespace) = self.namespaces.get_mut(&id) {
            namespace.unhandled += 1;
        }
    }

    /// Notes that JavaScript has handled a message, and that the workers have the resulting
    /// commands.
    pub fn note_handled(&mut self, id: NamespaceId) {
        if let Some(namespace) = self.namespaces.get_mut(&id) {
            namespace.unhandled = namespace.unhandled.saturating_sub(1);
        }
    }

    /// Returns whether JavaScript has messages of a namespace that it has not handled.
    #[must_use]
    pub fn is_behind(&self, id: NamespaceId) -> bool {
        self.namespaces.get(&id).is_some_and(|namespace| namespace.unhandled > 0)
    }

    /// Returns whether a namespace has the room of a channel, where every name is text.
    ///
    /// @socket.io/redis-adapter, `hasRoom`, which tries text and numbers.
    #[must_use]
    pub fn has_room(&self, id: NamespaceId, name: &str) -> bool {
        let Some(namespace) = self.namespaces.get(&id) else { return false };
        let by_number = || {
            let number = name.trim().parse().ok().map(RoomName::Number);
            number.is_some_and(|name| namespace.rooms.contains_key(&name))
        };
        let by_literal = || {
            let literal = match name {
                "null" => RoomName::Null,
                "true" => RoomName::Boolean(true),
                "false" => RoomName::Boolean(false),
                _ => return false,
            };
            namespace.rooms.contains_key(&literal)
        };
        namespace.is_unreadable
            || namespace.rooms.contains_key(&RoomName::Text(name.into()))
            || (namespace.numbers > 0 && by_number())
            || by_literal()
    }

    /// Returns the recipients of a broadcast. A room that is unknown has no members.
    #[must_use]
    pub fn find(&self, id: NamespaceId, options: &Options) -> LocalRecipients {
        let Some(namespace) = self.namespaces.get(&id) else { return LocalRecipients::Nobody };
        if namespace.unhandled > 0 || namespace.is_observed || namespace.is_unreadable {
            return LocalRecipients::Served;
        }
        let mut found = Found::new(self);
        if options.rooms.is_empty() {
            found.add(namespace.all);
        }
        let entries = options.rooms.iter().filter_map(|room| namespace.room(room));
        entries.for_each(|entry| found.add(entry));
        if found.has_served {
            return LocalRecipients::Served;
        }
        if found.recipients.rooms.is_empty() && found.recipients.members.is_empty() {
            return LocalRecipients::Nobody;
        }
        let entries = options.except.iter().filter_map(|room| namespace.room(room));
        entries.for_each(|entry| found.except(entry));
        LocalRecipients::Direct(found.recipients, found.workers)
    }

    fn entry(&self, address: Address, worker: Option<usize>, has_served: bool) -> Entry {
        let releases = match address {
            Address::Member(member) => self.releases_of(member),
            Address::Nobody | Address::Room(_) => 0,
        };
        Entry {
            address,
            worker: worker.map_or(WorkerSet::ALL, WorkerSet::of),
            releases,
            has_served,
        }
    }

    fn releases_of(&self, member: MemberId) -> u32 {
        self.releases.get(member as usize).copied().unwrap_or_default()
    }
}

impl Namespace {
    fn room(&self, room: &Room) -> Option<Entry> {
        let name = match room {
            Room::Text(name) => RoomName::Text((&**name).into()),
            Room::Number(number) => RoomName::Number(*number),
            Room::Boolean(boolean) => RoomName::Boolean(*boolean),
            Room::Null => RoomName::Null,
            Room::Other => return None,
        };
        self.rooms.get(&name).copied()
    }
}

/// Collects the recipients of a broadcast.
struct Found<'a> {
    directory: &'a RoomDirectory,
    recipients: Recipients,
    workers: WorkerSet,
    has_served: bool,
}

impl<'a> Found<'a> {
    fn new(directory: &'a RoomDirectory) -> Self {
        Self {
            directory,
            recipients: Recipients::default(),
            workers: WorkerSet::default(),
            has_served: false,
        }
    }

    fn add(&mut self, entry: Entry) {
        self.has_served |= entry.has_served;
        match entry.address {
            Address::Room(room) => {
                self.recipients.rooms.push(room);
                self.workers = WorkerSet::ALL;
            }
            Address::Member(member) if self.is_current(entry, member) => {
                self.recipients.members.push(member);
                self.workers = self.workers.union(entry.worker);
            }
            Address::Nobody | Address::Member(_) => {}
        }
    }

    fn except(&mut self, entry: Entry) {
        match entry.address {
            Address::Room(room) => self.recipients.except_rooms.push(room),
            Address::Member(member) if self.is_current(entry, member) => {
                self.recipients.except_members.push(member);
            }
            Address::Nobody | Address::Member(_) => {}
        }
    }

    fn is_current(&self, entry: Entry, member: MemberId) -> bool {
        self.directory.releases_of(member) == entry.releases
    }
}

#[cfg(test)]
mod tests {
    use super::{Address, LocalRecipients, RoomDirectory, RoomName, WorkerSet};
    use crate::fanout::Recipients;
    use crate::proto::cluster::{Options, Room};

    fn text(name: &str) -> RoomName {
        RoomName::Text(name.into())
    }

    fn to(rooms: &[&'static str], except: &[&'static str]) -> Options {
        let rooms_of = |names: &[&'static str]| names.iter().map(|&name| name.into()).collect();
        Options { rooms: rooms_of(rooms), except: rooms_of(except), ..Options::default() }
    }

    fn directory() -> (RoomDirectory, usize) {
        let mut directory = RoomDirectory::default();
        let id = directory.add_namespace();
        directory.set_all(id, Address::Room(1), false);
        directory.set_room(id, text("many"), Address::Room(7), None, false);
        directory.set_room(id, text("one"), Address::Member(4), Some(2), false);
        directory.set_room(id, text("polling"), Address::Nobody, None, true);
        (directory, id)
    }

    #[test]
    fn rooms_are_found_by_their_names() {
        let (directory, id) = directory();
        let find = |rooms: &[&'static str], except: &[&'static str]| {
            directory.find(id, &to(rooms, except))
        };
        let all = Recipients { rooms: vec![1], ..Recipients::default() };
        assert_eq!(find(&[], &[]), LocalRecipients::Direct(all, WorkerSet::ALL));
        let one = Recipients { members: vec![4], ..Recipients::default() };
        assert_eq!(find(&["one", "none"], &[]), LocalRecipients::Direct(one, WorkerSet::of(2)));
        let both = Recipients {
            rooms: vec![7],
            except_rooms: vec![7],
            except_members: vec![4],
            ..Recipients::default()
        };
        let found = find(&["many"], &["one", "many", "none", "polling"]);
        assert_eq!(found, LocalRecipients::Direct(both, WorkerSet::ALL));
        assert_eq!(find(&["none"], &[]), LocalRecipients::Nobody);
    }

    #[test]
    fn javascript_serves_its_sockets_and_those_it_observes() {
        let (mut directory, id) = directory();
        let many = to(&["many"], &["polling"]);
        assert_eq!(directory.find(id, &to(&["many", "polling"], &[])), LocalRecipients::Served);
        assert!(matches!(directory.find(id, &many), LocalRecipients::Direct(..)));
        directory.set_observed(id, true);
        assert_eq!(directory.find(id, &many), LocalRecipients::Served);
        directory.set_observed(id, false);
        directory.note_served(id);
        assert_eq!(directory.find(id, &many), LocalRecipients::Served);
        directory.note_handled(id);
        assert!(matches!(directory.find(id, &many), LocalRecipients::Direct(..)));
    }

    #[test]
    fn javascript_serves_everything_where_only_it_can_read_a_room() {
        let (mut directory, id) = directory();
        directory.set_unreadable(id, true);
        assert!(directory.has_room(id, "none"));
        assert_eq!(directory.find(id, &to(&["many"], &[])), LocalRecipients::Served);
        assert_eq!(directory.find(id, &to(&["none"], &[])), LocalRecipients::Served);
        directory.set_unreadable(id, false);
        assert!(!directory.has_room(id, "none"));
        assert!(matches!(directory.find(id, &to(&["many"], &[])), LocalRecipients::Direct(..)));
    }

    #[test]
    fn an_id_that_was_released_is_no_member() {
        let (mut directory, id) = directory();
        directory.release(4);
        assert_eq!(directory.find(id, &to(&["one"], &[])), LocalRecipients::Nobody);
        directory.set_room(id, text("one"), Address::Member(4), Some(0), false);
        assert!(matches!(directory.find(id, &to(&["one"], &[])), LocalRecipients::Direct(..)));
    }

    #[test]
    fn a_number_and_its_text_name_two_rooms() {
        let (mut directory, id) = directory();
        let five = Options { rooms: vec![Room::Number(5.0), Room::Other], ..Options::default() };
        assert!(!directory.has_room(id, "5"));
        directory.set_room(id, RoomName::Number(5.0), Address::Room(9), None, false);
        assert!(directory.has_room(id, "5") && directory.has_room(id, "many"));
        assert!(!directory.has_room(id, "6") && !directory.has_room(id, ""));
        assert!(matches!(directory.find(id, &five), LocalRecipients::Direct(..)));
        assert_eq!(directory.find(id, &to(&["5"], &[])), LocalRecipients::Nobody);
        directory.remove_room(id, &RoomName::Number(5.0));
        assert_eq!(directory.find(id, &five), LocalRecipients::Nobody);
        assert!(!directory.has_room(id, "5"));
    }

    #[test]
    fn rooms_may_be_named_by_null_and_booleans() {
        let (mut directory, id) = directory();
        let room = |room: Room| Options { rooms: vec![room], ..Options::default() };
        directory.set_room(id, RoomName::Null, Address::Room(9), None, false);
        directory.set_room(id, RoomName::Boolean(true), Address::Room(10), None, false);
        for (name, room_id) in [(Room::Null, 9), (Room::Boolean(true), 10)] {
            let found = Recipients { rooms: vec![room_id], ..Recipients::default() };
            let expected = LocalRecipients::Direct(found, WorkerSet::ALL);
            assert_eq!(directory.find(id, &room(name)), expected);
        }
        assert_eq!(directory.find(id, &room(Room::Boolean(false))), LocalRecipients::Nobody);
        assert!(directory.has_room(id, "null") && directory.has_room(id, "true"));
        assert!(!directory.has_room(id, "false") && !directory.has_room(id, "undefined"));
        directory.remove_room(id, &RoomName::Null);
        assert_eq!(directory.find(id, &room(Room::Null)), LocalRecipients::Nobody);
    }

    #[test]
    fn a_namespace_that_has_ended_has_no_rooms() {
        let (mut directory, id) = directory();
        directory.remove_namespace(id);
        assert!(!directory.has_room(id, "many"));
        assert_eq!(directory.find(id, &to(&[], &[])), LocalRecipients::Nobody);
    }
}
