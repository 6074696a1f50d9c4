//! The rooms of this node by their names, as other nodes name them.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};

use crate::fanout::{MemberId, Recipients, RoomId};
use crate::net::WorkerSet;
use crate::proto::cluster::{Options, Room};

/// A namespace of a node, by its number, which is never another's.
pub type NamespaceId = usize;

/// The name of a room. To JavaScript `1` and `"1"` are two.
#[derive(Clone, Debug)]
pub enum RoomName {
    /// A string.
    Text(Box<str>),
    /// A number; not NaN.
    Number(f64),
    /// A boolean.
    Boolean(bool),
    /// `null`.
    Null,
}

/// Where the direct members of a room are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Address {
    /// It has none.
    #[default]
    Nobody,
    /// In a room of the workers.
    Room(RoomId),
    /// It has one.
    Member(MemberId),
}

/// What a broadcast reaches on this node.
#[derive(Debug, PartialEq, Eq)]
pub enum Recipience {
    /// Nobody.
    Nobody,
    /// Connections on workers alone.
    Direct(Recipients, WorkerSet),
    /// Somebody whom the application serves, or it cannot be told without it.
    Application,
}

/// The rooms of all namespaces that are in a cluster. Changed by the application when it posts
/// its commands to the workers, and read by links when they post theirs.
#[derive(Debug, Default)]
pub struct RoomDirectory {
    namespaces: HashMap<NamespaceId, Namespace>,
    /// How many namespaces there have been.
    count: usize,
    /// By connection: how often its number has been released.
    releases: Vec<u32>,
}

#[derive(Debug, Default)]
struct Namespace {
    all: Entry,
    rooms: HashMap<RoomName, Entry>,
    /// How many rooms are named by numbers.
    numbers: usize,
    /// Whether somebody listens to what is sent.
    is_observed: bool,
    /// Whether only JavaScript can tell which rooms there are, or who is in one of them.
    is_unreadable: bool,
    /// Messages that the application has and has not handled.
    unhandled: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    address: Address,
    worker: WorkerSet,
    /// Of a member: how often its number had been released.
    releases: u32,
    /// Whether there are members that the application serves.
    has_served: bool,
}

impl RoomDirectory {
    /// A new namespace without rooms.
    pub fn add_namespace(&mut self) -> NamespaceId {
        let id = self.count;
        self.count += 1;
        self.namespaces.insert(id, Namespace::default());
        id
    }

    /// Ends a namespace.
    pub fn remove_namespace(&mut self, id: NamespaceId) {
        self.namespaces.remove(&id);
    }

    /// Where all members of a namespace are, and whether the application serves others.
    pub fn set_all(&mut self, id: NamespaceId, address: Address, has_served: bool) {
        let entry = self.entry(address, None, has_served);
        if let Some(namespace) = self.namespaces.get_mut(&id) {
            namespace.all = entry;
        }
    }

    /// Where the members of a room are: `worker` is that of a single one.
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

    /// A room has no members any more.
    pub fn remove_room(&mut self, id: NamespaceId, name: &RoomName) {
        let Some(namespace) = self.namespaces.get_mut(&id) else { return };
        if namespace.rooms.remove(name).is_some() && matches!(name, RoomName::Number(_)) {
            namespace.numbers -= 1;
        }
    }

    /// Whether somebody listens to what is sent to the sockets of a namespace; then the
    /// application sends it all.
    pub fn set_observed(&mut self, id: NamespaceId, is_observed: bool) {
        if let Some(namespace) = self.namespaces.get_mut(&id) {
            namespace.is_observed = is_observed;
        }
    }

    /// Sets whether only JavaScript can tell which rooms a namespace has, or who is in one of them;
    /// then it gets all messages.
    pub fn set_unreadable(&mut self, id: NamespaceId, is_unreadable: bool) {
        if let Some(namespace) = self.namespaces.get_mut(&id) {
            namespace.is_unreadable = is_unreadable;
        }
    }

    /// The number of a connection may be another's from now on: no room has it as its member.
    pub fn release(&mut self, member: MemberId) {
        let place = member as usize;
        if self.releases.len() <= place {
            self.releases.resize(place + 1, 0);
        }
        if let Some(count) = self.releases.get_mut(place) {
            *count = count.wrapping_add(1);
        }
    }

    /// The application gets a message.
    pub fn pass(&mut self, id: NamespaceId) {
        if let Some(namespace) = self.namespaces.get_mut(&id) {
            namespace.unhandled += 1;
        }
    }

    /// The workers have what the application has made of a message.
    pub fn handled(&mut self, id: NamespaceId) {
        if let Some(namespace) = self.namespaces.get_mut(&id) {
            namespace.unhandled = namespace.unhandled.saturating_sub(1);
        }
    }

    /// Whether the application has messages of a namespace that it has not handled.
    #[must_use]
    pub fn is_behind(&self, id: NamespaceId) -> bool {
        self.namespaces.get(&id).is_some_and(|namespace| namespace.unhandled > 0)
    }

    /// Returns whether a namespace has the room of a channel, which has its name as text, whatever
    /// the name is.
    ///
    /// @socket.io/redis-adapter, `hasRoom`, which knows text and numbers.
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

    /// Whom a broadcast reaches. Rooms that are unknown have no members.
    #[must_use]
    pub fn find(&self, id: NamespaceId, options: &Options) -> Recipience {
        let Some(namespace) = self.namespaces.get(&id) else { return Recipience::Nobody };
        if namespace.unhandled > 0 || namespace.is_observed || namespace.is_unreadable {
            return Recipience::Application;
        }
        let mut found = Found::new(self);
        if options.rooms.is_empty() {
            found.add(namespace.all);
        }
        let entries = options.rooms.iter().filter_map(|room| namespace.room(room));
        entries.for_each(|entry| found.add(entry));
        if found.has_served {
            return Recipience::Application;
        }
        if found.recipients.rooms.is_empty() && found.recipients.members.is_empty() {
            return Recipience::Nobody;
        }
        let entries = options.except.iter().filter_map(|room| namespace.room(room));
        entries.for_each(|entry| found.except(entry));
        Recipience::Direct(found.recipients, found.workers)
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

/// Recipients, as they are found.
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

/// Numbers as a JavaScript `Map` compares its keys: zeros are equal.
fn comparable(number: f64) -> u64 {
    (number + 0.0).to_bits()
}

impl PartialEq for RoomName {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(name), Self::Text(other)) => name == other,
            (Self::Number(name), Self::Number(other)) => comparable(*name) == comparable(*other),
            (Self::Boolean(name), Self::Boolean(other)) => name == other,
            (Self::Null, Self::Null) => true,
            _ => false,
        }
    }
}

impl Eq for RoomName {}

impl Hash for RoomName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Text(name) => name.hash(state),
            Self::Number(number) => comparable(*number).hash(state),
            Self::Boolean(boolean) => boolean.hash(state),
            Self::Null => 0_u8.hash(state),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Address, Recipience, RoomDirectory, RoomName, WorkerSet};
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
        assert_eq!(find(&[], &[]), Recipience::Direct(all, WorkerSet::ALL));
        let one = Recipients { members: vec![4], ..Recipients::default() };
        assert_eq!(find(&["one", "none"], &[]), Recipience::Direct(one, WorkerSet::of(2)));
        let both = Recipients {
            rooms: vec![7],
            except_rooms: vec![7],
            except_members: vec![4],
            ..Recipients::default()
        };
        let found = find(&["many"], &["one", "many", "none", "polling"]);
        assert_eq!(found, Recipience::Direct(both, WorkerSet::ALL));
        assert_eq!(find(&["none"], &[]), Recipience::Nobody);
    }

    #[test]
    fn the_application_gets_what_it_serves_or_hears() {
        let (mut directory, id) = directory();
        let many = to(&["many"], &["polling"]);
        assert_eq!(directory.find(id, &to(&["many", "polling"], &[])), Recipience::Application);
        assert!(matches!(directory.find(id, &many), Recipience::Direct(..)));
        directory.set_observed(id, true);
        assert_eq!(directory.find(id, &many), Recipience::Application);
        directory.set_observed(id, false);
        directory.pass(id);
        assert_eq!(directory.find(id, &many), Recipience::Application);
        directory.handled(id);
        assert!(matches!(directory.find(id, &many), Recipience::Direct(..)));
    }

    #[test]
    fn the_application_gets_all_where_only_it_can_read_a_room() {
        let (mut directory, id) = directory();
        directory.set_unreadable(id, true);
        assert!(directory.has_room(id, "none"));
        assert_eq!(directory.find(id, &to(&["many"], &[])), Recipience::Application);
        assert_eq!(directory.find(id, &to(&["none"], &[])), Recipience::Application);
        directory.set_unreadable(id, false);
        assert!(!directory.has_room(id, "none"));
        assert!(matches!(directory.find(id, &to(&["many"], &[])), Recipience::Direct(..)));
    }

    #[test]
    fn a_number_that_was_released_is_no_member() {
        let (mut directory, id) = directory();
        directory.release(4);
        assert_eq!(directory.find(id, &to(&["one"], &[])), Recipience::Nobody);
        directory.set_room(id, text("one"), Address::Member(4), Some(0), false);
        assert!(matches!(directory.find(id, &to(&["one"], &[])), Recipience::Direct(..)));
    }

    #[test]
    fn rooms_named_by_numbers_are_others() {
        let (mut directory, id) = directory();
        let five = Options { rooms: vec![Room::Number(5.0), Room::Other], ..Options::default() };
        assert!(!directory.has_room(id, "5"));
        directory.set_room(id, RoomName::Number(5.0), Address::Room(9), None, false);
        assert!(directory.has_room(id, "5") && directory.has_room(id, "many"));
        assert!(!directory.has_room(id, "6") && !directory.has_room(id, ""));
        assert!(matches!(directory.find(id, &five), Recipience::Direct(..)));
        assert_eq!(directory.find(id, &to(&["5"], &[])), Recipience::Nobody);
        directory.remove_room(id, &RoomName::Number(5.0));
        assert_eq!(directory.find(id, &five), Recipience::Nobody);
        assert!(!directory.has_room(id, "5"));
        assert!(RoomName::Number(0.0) == RoomName::Number(-0.0));
    }

    #[test]
    fn rooms_may_be_named_by_null_and_booleans() {
        let (mut directory, id) = directory();
        let room = |room: Room| Options { rooms: vec![room], ..Options::default() };
        directory.set_room(id, RoomName::Null, Address::Room(9), None, false);
        directory.set_room(id, RoomName::Boolean(true), Address::Room(10), None, false);
        for (name, number) in [(Room::Null, 9), (Room::Boolean(true), 10)] {
            let found = Recipients { rooms: vec![number], ..Recipients::default() };
            let expected = Recipience::Direct(found, WorkerSet::ALL);
            assert_eq!(directory.find(id, &room(name)), expected);
        }
        assert_eq!(directory.find(id, &room(Room::Boolean(false))), Recipience::Nobody);
        assert!(directory.has_room(id, "null") && directory.has_room(id, "true"));
        assert!(!directory.has_room(id, "false") && !directory.has_room(id, "undefined"));
        directory.remove_room(id, &RoomName::Null);
        assert_eq!(directory.find(id, &room(Room::Null)), Recipience::Nobody);
    }

    #[test]
    fn a_namespace_that_has_ended_has_no_rooms() {
        let (mut directory, id) = directory();
        directory.remove_namespace(id);
        assert!(!directory.has_room(id, "many"));
        assert_eq!(directory.find(id, &to(&[], &[])), Recipience::Nobody);
    }
}
