//! Decodes packets from messages.

use bytes::Bytes;

use super::header::{DecodedText, decode_text};
use super::{DecodeError, Packet};

/// The largest number of attachments of a packet by default, as in socket.io-parser
/// (CVE-2026-33151).
pub const DEFAULT_MAX_ATTACHMENTS: usize = 10;

/// Decodes the messages of one connection into packets.
///
/// Holds at most one packet that waits for attachments; its memory is bounded by the attachment
/// limit times the size limit of a message, which the caller enforces. After an error the connection
/// should be closed; the decoder stays usable.
///
/// ```
/// use socket_io_turbo::proto::socket_io::{Decoder, PacketType};
///
/// let mut decoder = Decoder::default();
/// let text = r#"51-["file",{"_placeholder":true,"num":0}]"#;
/// assert_eq!(decoder.handle_text(text.into())?, None);
/// let packet = decoder.handle_binary("bytes".into())?.expect("it is complete");
/// assert_eq!(packet.packet_type, PacketType::BinaryEvent);
/// assert_eq!(packet.encode(), text);
/// # Ok::<(), socket_io_turbo::proto::socket_io::DecodeError>(())
/// ```
#[derive(Debug)]
pub struct Decoder {
    max_attachments: usize,
    pending: Option<DecodedText>,
}

impl Decoder {
    /// Creates a decoder that accepts packets with up to `max_attachments` attachments.
    #[must_use]
    pub const fn new(max_attachments: usize) -> Self {
        Self { max_attachments, pending: None }
    }

    /// Decodes a text message. Returns its packet, or `None` if attachments follow.
    ///
    /// # Errors
    ///
    /// [`DecodeError::UnexpectedText`] while attachments are awaited, which goes on; otherwise the
    /// first error of the text.
    pub fn handle_text(&mut self, text: Bytes) -> Result<Option<Packet>, DecodeError> {
        if self.pending.is_some() {
            return Err(DecodeError::UnexpectedText);
        }
        let decoded = decode_text(&text, self.max_attachments)?;
        if decoded.attachment_count == 0 {
            return Ok(Some(decoded.packet));
        }
        self.pending = Some(decoded);
        Ok(None)
    }

    /// Takes a binary message as the next attachment. Returns the packet if it was the last.
    ///
    /// # Errors
    ///
    /// [`DecodeError::UnexpectedBinary`] if no attachment is awaited, and
    /// [`DecodeError::IllegalAttachments`] if the packet is complete but refers to
    /// attachments that it does not have; the packet is then dropped.
    pub fn handle_binary(&mut self, attachment: Bytes) -> Result<Option<Packet>, DecodeError> {
        let pending = self.pending.as_mut().ok_or(DecodeError::UnexpectedBinary)?;
        pending.packet.attachments.push(attachment);
        if self.awaited_attachments() > 0 {
            return Ok(None);
        }
        let packet = self.pending.take().map(|pending| pending.packet);
        packet.map(check_placeholders).transpose()
    }

    /// Returns the number of attachments that are still awaited.
    #[must_use]
    pub fn awaited_attachments(&self) -> usize {
        self.pending.as_ref().map_or(0, |pending| {
            pending.attachment_count.saturating_sub(pending.packet.attachments.len())
        })
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new(DEFAULT_MAX_ATTACHMENTS)
    }
}

fn check_placeholders(packet: Packet) -> Result<Packet, DecodeError> {
    if let Some(payload) = &packet.payload {
        payload.placeholders(packet.attachments.len()).try_for_each(|found| found.map(drop))?;
    }
    Ok(packet)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{DecodeError, Decoder};

    const TWO: &[u8] = br#"52-["e",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]"#;

    #[test]
    fn a_binary_packet_is_complete_with_its_last_attachment() -> Result<(), DecodeError> {
        let mut decoder = Decoder::default();
        assert_eq!(decoder.handle_text(Bytes::from_static(TWO))?, None);
        assert_eq!(decoder.awaited_attachments(), 2);
        assert_eq!(decoder.handle_binary(Bytes::from_static(b"a"))?, None);
        assert_eq!(decoder.awaited_attachments(), 1);
        let packet = decoder.handle_binary(Bytes::from_static(b"b"))?;
        assert_eq!(packet.map(|packet| packet.attachments), Some(vec!["a".into(), "b".into()]));
        assert_eq!(decoder.awaited_attachments(), 0);
        Ok(())
    }

    #[test]
    fn nothing_of_a_message_is_copied() -> Result<(), DecodeError> {
        let text = Bytes::from(r#"2/chat,["e"]"#.to_owned());
        let packet = Decoder::default().handle_text(text.clone())?;
        let payload = packet.and_then(|packet| packet.payload);
        assert_eq!(
            payload.map(|payload| payload.as_bytes().as_ptr()),
            Some(text.slice(7..).as_ptr())
        );
        Ok(())
    }

    #[test]
    fn a_text_is_refused_while_attachments_are_awaited() -> Result<(), DecodeError> {
        let mut decoder = Decoder::default();
        decoder.handle_text(Bytes::from_static(TWO))?;
        let refused = decoder.handle_text(Bytes::from_static(b"2[\"e\"]"));
        assert_eq!(refused, Err(DecodeError::UnexpectedText));
        Ok(())
    }

    #[test]
    fn an_attachment_is_refused_while_none_is_awaited() {
        let refused = Decoder::default().handle_binary(Bytes::new());
        assert_eq!(refused, Err(DecodeError::UnexpectedBinary));
    }

    #[test]
    fn a_packet_with_an_illegal_placeholder_is_dropped_when_complete() -> Result<(), DecodeError> {
        let mut decoder = Decoder::default();
        decoder.handle_text(Bytes::from_static(br#"51-["e",{"_placeholder":true,"num":1}]"#))?;
        let refused = decoder.handle_binary(Bytes::new());
        assert_eq!(refused, Err(DecodeError::IllegalAttachments));
        assert!(decoder.handle_text(Bytes::from_static(b"2[\"e\"]"))?.is_some());
        Ok(())
    }
}
