//! A packet that is encoded once and sent to many connections.

use bytes::{Bytes, BytesMut};

use super::{LatestKey, SharedFrames};
use crate::proto::engine_io::{PacketType, ProtocolVersion};
use crate::proto::websocket::{Compression, FrameHeader, Opcode};

/// The frames of a Socket.IO packet: one of text, one for each attachment, or both.
///
/// They are contiguous, so that they are queued and written as one.
#[derive(Debug)]
pub struct PreparedPacket {
    frames: SharedFrames,
    /// The frames for Engine.IO v3; `None` if they are the same, or if no peer needs them.
    frames_v3: Option<SharedFrames>,
    count: usize,
    is_compressible: bool,
    latest: Option<LatestKey>,
}

impl PreparedPacket {
    /// Encodes a packet with a text frame, which is empty for a packet without text, and with
    /// attachments. `has_v3` is true if some recipients speak Engine.IO v3.
    #[must_use]
    pub fn new(text_frame: Bytes, attachments: &[&[u8]], has_v3: bool) -> Self {
        let count = usize::from(!text_frame.is_empty()) + attachments.len();
        let appended = |version| SharedFrames::new(append(&text_frame, attachments, version));
        let is_text = attachments.is_empty();
        let frames_v3 = (has_v3 && !is_text).then(|| appended(ProtocolVersion::V3));
        let frames =
            if is_text { SharedFrames::new(text_frame) } else { appended(ProtocolVersion::V4) };
        Self { frames, frames_v3, count, is_compressible: true, latest: None }
    }

    /// Sets whether the packet is compressed for peers that take compressed messages. By default, it
    /// is.
    #[must_use]
    pub const fn compressible(mut self, is_compressible: bool) -> Self {
        self.is_compressible = is_compressible;
        self
    }

    /// Returns whether the packet is compressed for peers that take compressed messages.
    #[must_use]
    pub const fn is_compressible(&self) -> bool {
        self.is_compressible
    }

    /// Sets the key of the packet, whose older one it replaces where that waits. By default, it has
    /// none.
    #[must_use]
    pub fn latest(mut self, key: Option<LatestKey>) -> Self {
        self.latest = key;
        self
    }

    /// Returns the key, if the packet replaces an older one with the same key.
    #[must_use]
    pub const fn latest_key(&self) -> Option<&LatestKey> {
        self.latest.as_ref()
    }

    /// Returns the bytes of all frames, for a peer that speaks this version and takes messages
    /// compressed with these parameters; see [`SharedFrames::for_peer`].
    #[must_use]
    pub fn frames(&self, version: ProtocolVersion, compression: Option<&Compression>) -> &Bytes {
        let frames = match (version, &self.frames_v3) {
            (ProtocolVersion::V3, Some(frames)) => frames,
            _ => &self.frames,
        };
        frames.for_peer(compression.filter(|_| self.is_compressible))
    }

    /// Returns the bytes of memory that the packet occupies, without its compressed forms.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        let frames_v3 = self.frames_v3.as_ref().map_or(0, |frames| frames.plain().len());
        self.frames.plain().len() + frames_v3
    }

    /// Returns the number of frames.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
    }
}

fn append(text_frame: &[u8], attachments: &[&[u8]], version: ProtocolVersion) -> Bytes {
    let mut frames = BytesMut::from(text_frame);
    for attachment in attachments {
        encode_attachment(&mut frames, attachment, version);
    }
    frames.freeze()
}

/// Appends the server's frame of an attachment.
fn encode_attachment(frames: &mut BytesMut, attachment: &[u8], version: ProtocolVersion) {
    let packet_type = message_type(version);
    let payload_len = (packet_type.len() + attachment.len()) as u64;
    let header = FrameHeader::whole(Opcode::Binary, payload_len).encode();
    for part in [&*header, packet_type, attachment] {
        frames.extend_from_slice(part);
    }
}

/// Returns the prefix of binary data. Engine.IO v3, "Packet encoding": the packet's type as a byte.
/// Engine.IO v4: nothing.
const fn message_type(version: ProtocolVersion) -> &'static [u8] {
    match version {
        ProtocolVersion::V3 => &[PacketType::Message as u8],
        ProtocolVersion::V4 => &[],
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{Compression, Opcode, PreparedPacket, ProtocolVersion};

    const TEXT: Bytes = Bytes::from_static(b"\x81\x0142");

    fn frames(packet: &PreparedPacket, version: ProtocolVersion) -> Vec<u8> {
        packet.frames(version, None).to_vec()
    }

    #[test]
    fn text_is_the_same_in_both_versions() {
        let packet = PreparedPacket::new(TEXT, &[], true);
        assert_eq!((frames(&packet, ProtocolVersion::V4), packet.count()), (TEXT.to_vec(), 1));
        assert_eq!(frames(&packet, ProtocolVersion::V3), TEXT);
    }

    #[test]
    fn attachments_follow_as_binary_frames() {
        let packet = PreparedPacket::new(TEXT, &[b"ab", b""], false);
        let expected = b"\x81\x0142\x82\x02ab\x82\x00";
        assert_eq!((frames(&packet, ProtocolVersion::V4), packet.count()), (expected.to_vec(), 3));
    }

    #[test]
    fn version_3_puts_the_type_in_front_of_binary_data() {
        let packet = PreparedPacket::new(TEXT, &[b"ab"], true);
        assert_eq!(frames(&packet, ProtocolVersion::V3), b"\x81\x0142\x82\x03\x04ab");
    }

    #[test]
    fn its_length_is_that_of_the_frames_of_both_versions() {
        assert_eq!(PreparedPacket::new(TEXT, &[b"ab"], false).len_bytes(), 4 + 4);
        assert_eq!(PreparedPacket::new(TEXT, &[b"ab"], true).len_bytes(), 4 + 4 + 4 + 5);
    }

    #[test]
    fn a_packet_may_have_no_text() {
        let packet = PreparedPacket::new(Bytes::new(), &[b"ab"], true);
        assert_eq!(
            (frames(&packet, ProtocolVersion::V4), packet.count()),
            (b"\x82\x02ab".into(), 1)
        );
    }

    #[test]
    fn text_and_attachments_are_compressed_unless_the_sender_refuses() {
        let compression = Compression::default();
        let text = crate::proto::websocket::encode_frame(true, Opcode::Text, &[b'x'; 2000], None);
        let attachment: &[u8] = &[7; 2000];
        let packet = || PreparedPacket::new(text.clone(), &[attachment, b"short"], true);
        for version in [ProtocolVersion::V3, ProtocolVersion::V4] {
            let len =
                |packet: &PreparedPacket, compression| packet.frames(version, compression).len();
            assert!(len(&packet(), Some(&compression)) < 100);
            assert!(len(&packet(), None) > 4000);
            let refused = packet().compressible(false);
            assert_eq!(len(&refused, Some(&compression)), len(&refused, None));
        }
    }
}
