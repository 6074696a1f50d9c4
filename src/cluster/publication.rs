//! Messages that a node publishes.

use std::sync::Arc;

use bytes::Bytes;

use super::namespace::LocalNamespace;
use crate::proto::cluster::{Broadcast, ClusterBroadcast};
use crate::proto::socket_io::Decoder;

/// A message for a channel. It is encoded on the link's thread.
#[derive(Debug)]
pub struct Publication {
    /// The channel.
    pub channel: Bytes,
    /// The message.
    pub body: Body,
    /// True to publish by `SPUBLISH`.
    pub is_sharded: bool,
}

/// The message of a publication.
#[derive(Debug)]
pub enum Body {
    /// An encoded message.
    Raw(Bytes),
    /// A broadcast that has yet to be encoded.
    Broadcast {
        /// The namespace that it is for.
        namespace: Arc<LocalNamespace>,
        /// True to encode it for the sharded protocol.
        is_sharded: bool,
        /// The text of the packet, as clients get it.
        text: Bytes,
        /// Its attachments.
        attachments: Vec<Bytes>,
        /// Its options as JSON, see [`Broadcast::encode_parts`].
        options: Bytes,
    },
}

impl Publication {
    /// Returns how many bytes the publication counts for in the queue.
    pub(super) fn queued_bytes(&self) -> usize {
        let body = match &self.body {
            Body::Raw(message) => message.len(),
            Body::Broadcast { text, attachments, options, .. } => {
                text.len() + options.len() + attachments.iter().map(Bytes::len).sum::<usize>()
            }
        };
        self.channel.len() + body
    }
}

impl Body {
    /// Encodes the message. Returns `None` if the text is not that of a packet with these
    /// attachments, or if MessagePack cannot hold it.
    pub(super) fn encode(self) -> Option<Bytes> {
        match self {
            Self::Raw(message) => Some(message),
            Self::Broadcast { namespace, is_sharded, text, attachments, options } => {
                let mut decoder = Decoder::new(usize::MAX);
                let mut packet = decoder.handle_text(text).ok()?;
                for attachment in attachments {
                    packet = decoder.handle_binary(attachment).ok()?;
                }
                let (packet, LocalNamespace { uid, name, .. }) = (packet?, &*namespace);
                if is_sharded {
                    ClusterBroadcast::encode_parts(uid, name, &packet, &options).ok()
                } else {
                    Broadcast::encode_parts(uid, &packet, &options).ok()
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::{Body, Broadcast, ClusterBroadcast, LocalNamespace};

    const OPTIONS: Bytes = Bytes::from_static(br#"{"rooms":["r"],"except":[],"flags":{}}"#);
    const BINARY: &str = r#"51-["e",{"_placeholder":true,"num":0}]"#;

    fn encode(
        text: &'static str,
        attachments: &[&'static [u8]],
        is_sharded: bool,
    ) -> Option<Bytes> {
        let (name, uid, prefix) = ("/".into(), "abcdef".into(), "p#".into());
        let namespace = Arc::new(LocalNamespace { id: 0, name, uid, prefix });
        let attachments = attachments.iter().map(|&data| Bytes::from_static(data)).collect();
        let text = text.into();
        Body::Broadcast { namespace, is_sharded, text, attachments, options: OPTIONS }.encode()
    }

    #[test]
    fn a_packet_for_clients_becomes_one_for_nodes() {
        for (text, attachments) in [(r#"2["e",1]"#, &[][..]), (BINARY, &[&b"A"[..]])] {
            let message = encode(text, attachments, false).unwrap_or_default();
            let packet = Broadcast::decode(&message).map(|broadcast| broadcast.packet);
            assert_eq!(packet.as_ref().map(|packet| packet.encode()), Ok(text.into()));
            let message = encode(text, attachments, true).unwrap_or_default();
            let packet = ClusterBroadcast::decode(&message).ok().flatten();
            assert_eq!(packet.map(|broadcast| broadcast.packet.encode()), Some(text.into()));
        }
    }

    #[test]
    fn what_is_no_packet_is_not_published() {
        assert_eq!(encode("no packet", &[], false), None);
        assert_eq!(encode(BINARY, &[], false), None);
    }
}
