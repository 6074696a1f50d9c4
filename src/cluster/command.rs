//! Commands from a [`Link`](super::Link) to its thread.

use std::sync::Arc;

use bytes::Bytes;

use super::channel::{Channel, MessageKind, SubscriptionChange};
use super::namespace::LocalNamespace;
use super::publication::Publication;

/// A command to the thread of a link.
pub(super) enum Command {
    ChangeSubscriptions {
        change: SubscriptionChange,
        namespace: Arc<LocalNamespace>,
        kind: MessageKind,
        channels: Vec<Channel>,
    },
    Publish(Publication),
    CountSubscribers {
        question: u32,
        channel: Bytes,
        is_sharded: bool,
    },
    Close,
}
