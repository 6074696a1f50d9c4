//! The head of an event, for those that need not look at its arguments.

/// The head of an EVENT or BINARY_EVENT packet.
///
/// Reads type, attachments, namespace and the first character behind them, which begins an ack id or the
/// arguments. The packet may still be malformed.
///
/// Socket.IO v5, "Packet encoding".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EventHead {
    attachments: u64,
    has_ack_id: bool,
}

impl EventHead {
    /// Reads the head of a packet. Returns `None` for packets of other types, and if the head is
    /// malformed, which a decoder has to report.
    pub(crate) fn read(text: &[u8]) -> Option<Self> {
        let (first, rest) = text.split_first()?;
        let (attachments, rest) = match first {
            b'2' => (0, rest),
            b'5' => take_attachments(rest)?,
            _ => return None,
        };
        let rest = match rest.first() {
            Some(b'/') => rest.get(memchr::memchr(b',', rest)? + 1..)?,
            _ => rest,
        };
        let has_ack_id = match rest.first()? {
            b'[' => false,
            b'0'..=b'9' => true,
            _ => return None,
        };
        Some(Self { attachments, has_ack_id })
    }

    /// Returns the number of binary messages that follow.
    pub(crate) const fn attachments(&self) -> u64 {
        self.attachments
    }

    /// Returns whether the sender awaits an acknowledgement.
    pub(crate) const fn has_ack_id(&self) -> bool {
        self.has_ack_id
    }
}

/// Returns the number of attachments, and what follows its hyphen.
fn take_attachments(rest: &[u8]) -> Option<(u64, &[u8])> {
    let hyphen = memchr::memchr(b'-', rest)?;
    let digits = rest.get(..hyphen)?;
    let count = std::str::from_utf8(digits).ok()?;
    let is_number = !count.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let count = if is_number { count.parse().ok()? } else { return None };
    Some((count, rest.get(hyphen + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::EventHead;

    /// Returns the number of attachments, and whether there is an ack id.
    fn read(text: &str) -> Option<(u64, bool)> {
        let head = EventHead::read(text.as_bytes())?;
        Some((head.attachments(), head.has_ack_id()))
    }

    #[test]
    fn heads_of_events_are_read() {
        assert_eq!(read(r#"2["a"]"#), Some((0, false)));
        assert_eq!(read(r#"27["a"]"#), Some((0, true)));
        assert_eq!(read(r#"2/1,["a"]"#), Some((0, false)));
        assert_eq!(read(r#"2/1,0["a"]"#), Some((0, true)));
        assert_eq!(read(r#"52-["a"]"#), Some((2, false)));
        assert_eq!(read(r#"510-/a,3["a"]"#), Some((10, true)));
    }

    #[test]
    fn other_packets_and_malformed_heads_are_left_to_the_decoder() {
        let others = ["", "0", "1", "31[]", "4{}", "61-[]"];
        let malformed = [
            "2",
            "2 7[]",
            "2{}",
            "2/a",
            "5",
            "5[]",
            "5-[]",
            "5x-[]",
            "5+1-[]",
            "599999999999999999999-[]",
        ];
        for text in others.into_iter().chain(malformed) {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
