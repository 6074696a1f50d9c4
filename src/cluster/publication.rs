//! What a node publishes.

use bytes::Bytes;

use crate::proto::notepack;
use crate::proto::socket_io::Decoder;

/// A message for a channel. It is encoded on the link's thread.
#[derive(Debug)]
pub struct Publication {
    /// The channel.
    pub channel: Bytes,
    /// The message.
    pub body: Body,
    /// Whether it goes by `SPUBLISH`.
    pub is_sharded: bool,
    /// Which question is answered when Redis has taken it.
    pub question: Option<u32>,
}

/// What is published.
#[derive(Debug)]
pub enum Body {
    /// A message as it is.
    Raw(Bytes),
    /// A broadcast of the classic protocol.
    Broadcast {
        /// The node.
        uid: Box<str>,
        /// The text of the packet, as for a client.
        text: Bytes,
        /// Its attachments.
        attachments: Vec<Bytes>,
        /// Its options as JSON, see
        /// [`Broadcast::encode_parts`](notepack::Broadcast::encode_parts).
        options: Bytes,
    },
}

impl Publication {
    /// What it counts for in the queue, in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        let body = match &self.body {
            Body::Raw(message) => message.len(),
            Body::Broadcast { text, attachments, options, .. } => {
                text.len() + options.len() + attachments.iter().map(Bytes::len).sum::<usize>()
            }
        };
        self.channel.len() + body
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Body {
    /// The message. `None` if a packet is none, or if it cannot be said in MessagePack.
    pub(super) fn encode(self) -> Option<Bytes> {
        match self {
            Self::Raw(message) => Some(message),
            Self::Broadcast { uid, text, attachments, options } => {
                let mut decoder = Decoder::new(usize::MAX);
                let mut packet = decoder.handle_text(text).ok()?;
                for attachment in attachments {
                    packet = decoder.handle_binary(attachment).ok()?;
                }
                notepack::Broadcast::encode_parts(&uid, &packet?, &options).ok()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::Body;
    use crate::proto::notepack::Broadcast;

    fn body(text: &'static str, attachments: &[&'static [u8]]) -> Body {
        Body::Broadcast {
            uid: "abcdef".into(),
            text: text.into(),
            attachments: attachments.iter().map(|&data| Bytes::from_static(data)).collect(),
            options: Bytes::from_static(br#"{"rooms":["r"],"except":[],"flags":{}}"#),
        }
    }

    fn published(body: Body) -> Option<(String, usize)> {
        let broadcast = Broadcast::decode(&body.encode()?).ok()?;
        let text = String::from_utf8(broadcast.packet.encode().to_vec()).ok()?;
        Some((text, broadcast.packet.attachments.len()))
    }

    #[test]
    fn a_packet_for_clients_becomes_one_for_nodes() {
        let text = r#"2/admin,["e",1]"#;
        assert_eq!(published(body(text, &[])), Some((text.into(), 0)));
        let text = r#"51-["e",{"_placeholder":true,"num":0}]"#;
        assert_eq!(published(body(text, &[b"A"])), Some((text.into(), 1)));
    }

    #[test]
    fn what_is_no_packet_is_not_published() {
        assert_eq!(published(body("no packet", &[])), None);
        assert_eq!(published(body(r#"51-["e",{"_placeholder":true,"num":0}]"#, &[])), None);
    }
}
