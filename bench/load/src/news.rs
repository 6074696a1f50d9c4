//! The events that a server broadcasts: `news`, and when it has sent the last, `end`.
//!
//! ```text
//! 2["news","000012 00000345 0000001234567890 The quick brown fox …"]
//!           room   number   due, µs          text
//! 2["end",346]
//!         broadcasts that went to each room
//! ```
//!
//! `bench/processes/broadcasting.js` sends the same.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::filler::filler;

/// The length of a `news` packet of Socket.IO unless another is asked for, in bytes.
pub const PACKET_LEN: usize = 128;

/// The shortest that has room for its fields, in bytes.
pub const MIN_PACKET_LEN: usize = 45;

const NEWS: &[u8] = br#"2["news",""#;
const END: &[u8] = br#"2["end","#;

/// Digits of the room, the number and the time, each with a space behind it.
const WIDTHS: [usize; 3] = [6, 8, 16];

/// One of the two events.
#[derive(Debug, PartialEq, Eq)]
pub enum News {
    /// One of many.
    Broadcast(Broadcast),
    /// The last packet.
    End {
        /// Number of broadcasts to each room.
        broadcasts: u64,
    },
}

/// A numbered broadcast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broadcast {
    /// To which room, counted from 0; 0 if it is to all clients.
    pub room: usize,
    /// Number of broadcasts to this room before it.
    pub number: u64,
    /// Its due time, as [`monotonic_time`](crate::clock::monotonic_time).
    pub due: Duration,
}

impl News {
    /// Decodes a Socket.IO packet, which is `len` bytes long if it is a broadcast.
    ///
    /// # Errors
    ///
    /// If it is another packet, or of another length.
    pub fn decode(packet: &[u8], len: usize) -> Result<Self> {
        let news = match packet.strip_prefix(NEWS) {
            Some(fields) if packet.len() == len => decode_broadcast(fields),
            Some(_) => None,
            None => decode_end(packet),
        };
        news.with_context(|| format!("no news: {}", String::from_utf8_lossy(packet)))
    }

    /// Encodes a Socket.IO packet, which is `len` bytes long if it is a broadcast; at least
    /// [`MIN_PACKET_LEN`].
    pub fn encode(&self, len: usize) -> String {
        match self {
            Self::Broadcast(broadcast) => broadcast.encode(len),
            Self::End { broadcasts } => format!(r#"2["end",{broadcasts}]"#),
        }
    }
}

impl Broadcast {
    fn encode(self, len: usize) -> String {
        let Self { room, number, due } = self;
        let due = due.as_micros();
        let text = filler(len.saturating_sub(MIN_PACKET_LEN));
        format!(r#"2["news","{room:06} {number:08} {due:016} {text}"]"#)
    }
}

fn decode_broadcast(mut fields: &[u8]) -> Option<News> {
    let mut next = |width| {
        let (digits, rest) = fields.split_at_checked(width)?;
        fields = rest.strip_prefix(b" ")?;
        decimal(digits)
    };
    let [room, number, due] = WIDTHS.map(&mut next);
    let due = Duration::from_micros(due?);
    Some(News::Broadcast(Broadcast { room: room? as usize, number: number?, due }))
}

fn decode_end(packet: &[u8]) -> Option<News> {
    let digits = packet.strip_prefix(END)?.strip_suffix(b"]")?;
    Some(News::End { broadcasts: decimal(digits)? })
}

fn decimal(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broadcast() -> News {
        let due = Duration::from_micros(1_234_567_890);
        News::Broadcast(Broadcast { room: 12, number: 345, due })
    }

    #[test]
    fn a_broadcast_is_as_long_as_asked_and_comes_back() -> Result<()> {
        for len in [MIN_PACKET_LEN, PACKET_LEN, 16_384] {
            let packet = broadcast().encode(len);
            assert_eq!(packet.len(), len);
            assert!(packet.starts_with(r#"2["news","000012 00000345 0000001234567890 "#));
            assert!(packet.ends_with(r#""]"#));
            assert_eq!(News::decode(packet.as_bytes(), len)?, broadcast());
        }
        Ok(())
    }

    #[test]
    fn the_end_comes_back() -> Result<()> {
        let end = News::End { broadcasts: 346 };
        assert_eq!(end.encode(PACKET_LEN), r#"2["end",346]"#);
        assert_eq!(News::decode(end.encode(PACKET_LEN).as_bytes(), PACKET_LEN)?, end);
        Ok(())
    }

    #[test]
    fn anything_else_is_refused() {
        let longer = broadcast().encode(PACKET_LEN + 1);
        let not_a_number = broadcast().encode(PACKET_LEN).replace("000012", "00001x");
        for packet in ["", r#"2["news","000012 "]"#, r#"2["end",]"#, &longer, &not_a_number] {
            assert!(News::decode(packet.as_bytes(), PACKET_LEN).is_err(), "{packet}");
        }
    }
}
