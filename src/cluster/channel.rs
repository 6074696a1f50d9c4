//! Channels of Redis, and what is sent through them.

use bytes::Bytes;

/// A channel, by the command that subscribes to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// `SUBSCRIBE`.
    Named(Bytes),
    /// `PSUBSCRIBE`: a pattern of channels.
    Pattern(Bytes),
    /// `SSUBSCRIBE`.
    Shard(Bytes),
}

/// The kind of messages that a namespace expects on a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// Broadcasts of the classic protocol.
    Broadcast,
    /// Requests and responses of the classic protocol, and whatever else JavaScript decodes.
    Request,
    /// Messages of the sharded protocol.
    Sharded,
}

/// A change of the channels that are subscribed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SubscriptionChange {
    Subscribe,
    Unsubscribe,
}
