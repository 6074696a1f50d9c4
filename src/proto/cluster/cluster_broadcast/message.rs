//! The message of a broadcast in the sharded protocol.

use bytestring::ByteString;

use crate::proto::cluster::options::Options;
use crate::proto::socket_io::Packet;

/// The message `{type: 3, data: {packet, opts}, uid, nsp}` of the sharded protocol: JSON, or
/// MessagePack if the packet has attachments.
///
/// ```
/// use socket_io_turbo::proto::cluster::{ClusterBroadcast, Room};
/// use socket_io_turbo::proto::socket_io::Decoder;
///
/// let packet = Decoder::new(0).handle_text(r#"2["news",1]"#.into()).unwrap().unwrap();
/// let options = br#"{"rooms":["r"],"except":[],"flags":{}}"#;
/// let message = ClusterBroadcast::encode_parts("node1", "/chat", &packet, options).unwrap();
///
/// // Another message of the protocol, such as a request, would be `None`.
/// let broadcast = ClusterBroadcast::decode(&message).unwrap().unwrap();
/// assert_eq!(broadcast.namespace.as_deref(), Some("/chat"));
/// assert_eq!(broadcast.options.rooms, [Room::Text("r".into())]);
/// assert_eq!(broadcast.packet, packet);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterBroadcast {
    /// The uid of the node that published it; `None` if it is not a string, or one with a lone
    /// surrogate.
    pub uid: Option<ByteString>,
    /// The namespace that it is for; `None` as for `uid`.
    pub namespace: Option<ByteString>,
    /// The packet for the clients. The receiver sets its namespace to that of the message. If
    /// the message is JSON, the payload is as the publisher wrote it.
    pub packet: Packet,
    /// The recipients and flags.
    pub options: Options,
}

impl ClusterBroadcast {
    /// socket.io-adapter, `MessageType.BROADCAST`.
    pub(super) const TYPE: u8 = 3;
}
