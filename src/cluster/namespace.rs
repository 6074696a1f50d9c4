//! A namespace of this process that takes part in the cluster.

/// The id of a namespace in the [`RoomDirectory`](super::RoomDirectory); it is never reused.
pub type NamespaceId = usize;

/// A namespace of this process that takes part in the cluster, and what tells its messages from
/// those for other namespaces.
///
/// This is not [`proto::socket_io::Namespace`](crate::proto::socket_io::Namespace): that is the
/// name in a packet. Several servers in one process may each have a namespace of the same name,
/// with an id and a uid of its own.
#[derive(Debug)]
pub struct LocalNamespace {
    /// Its id in the room directory.
    pub id: NamespaceId,
    /// Its name, such as `/chat`.
    pub name: Box<str>,
    /// The uid of its adapter, which its own broadcasts carry.
    pub uid: Box<str>,
    /// The part of a broadcast's channel in front of the room's name.
    pub prefix: Box<str>,
}
