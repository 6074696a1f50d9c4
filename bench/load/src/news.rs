//! The events that a server broadcasts: `news`, and when it has sent the last, `end`.
//!
//! ```text
//! 2["news","000012 00000345 0000001234567890 The quick brown fox …"]
//!           room   number   due, µs          text
//! 2["end",346]
//!         broadcasts that went to each room
//! ```
//!
//! Where the server sends to each client by a call of its own, a broadcast is an object instead, and
//! there is one room:
//!
//! ```text
//! 2["tick",{"number":345,"due":1234567890,"text":"The quick brown fox …"}]
//! ```
//!
//! So it is where it holds JSON records, which are similar from one broadcast to the next, `quotes`, or
//! different, `rows`. The text fills it up:
//!
//! ```text
//! 2["rows",{"number":345,"due":1234567890,"records":[…],"text":"The quick …"}]
//! ```
//!
//! A floor sends more text instead of the records, since it compresses nothing.
//!
//! `bench/processes/broadcasting.js` sends the same.

use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Error, Result, bail};

use crate::filler::filler;

/// The length of a `news` packet of Socket.IO unless another is asked for, in bytes.
pub const PACKET_LEN: usize = 128;

/// The shortest that has room for its fields, in bytes.
pub const MIN_PACKET_LEN: usize = 45;

const NEWS: &[u8] = br#"2["news",""#;
const TICK: &[u8] = br#"2["tick",{"number":"#;
const QUOTES: &[u8] = br#"2["quotes",{"number":"#;
const ROWS: &[u8] = br#"2["rows",{"number":"#;
const DUE: &[u8] = br#","due":"#;
const TEXT: &[u8] = br#","text":""#;
const RECORDS: &[u8] = br#","records":["#;
const EMPTY_RECORDS: &str = r#","records":[]"#;
const TAIL: &str = r#""}]"#;
const END: &[u8] = br#"2["end","#;

/// Digits of the room, the number and the time, each with a space behind it.
const WIDTHS: [usize; 3] = [6, 8, 16];

/// The event of a broadcast.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Event {
    /// A text.
    #[default]
    News,
    /// An object.
    Tick,
    /// Records most of which are those of the broadcast before.
    Quotes,
    /// Records of their own.
    Rows,
}

impl FromStr for Event {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Ok(match name {
            "news" => Self::News,
            "tick" => Self::Tick,
            "quotes" => Self::Quotes,
            "rows" => Self::Rows,
            _ => bail!("--event is news, tick, quotes or rows, and not {name}"),
        })
    }
}

/// The form of the broadcasts of a plan.
#[derive(Debug, Clone, Copy)]
pub struct Form {
    /// Their event.
    pub event: Event,
    /// The length of each packet of Socket.IO in bytes, at least [`MIN_PACKET_LEN`].
    pub len: usize,
}

/// A broadcast, or the end of all.
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
    /// Decodes a Socket.IO packet, which has this form if it is a broadcast.
    ///
    /// # Errors
    ///
    /// If it is another packet, or of another length.
    pub fn decode(packet: &[u8], Form { event, len }: Form) -> Result<Self> {
        let news = decode_end(packet).or_else(|| {
            if packet.len() != len {
                return None;
            }
            match event {
                Event::News => decode_news(packet),
                Event::Tick => decode_object(packet, TICK, TEXT),
                Event::Quotes => decode_object(packet, QUOTES, RECORDS),
                Event::Rows => decode_object(packet, ROWS, RECORDS),
            }
        });
        news.with_context(|| format!("no news: {}", String::from_utf8_lossy(packet)))
    }

    /// Encodes a Socket.IO packet, which has this form if it is a broadcast.
    pub fn encode(&self, Form { event, len }: Form) -> String {
        match self {
            Self::Broadcast(broadcast) => match event {
                Event::News => broadcast.encode_news(len),
                Event::Tick => broadcast.encode_object("tick", "", len),
                Event::Quotes => broadcast.encode_object("quotes", EMPTY_RECORDS, len),
                Event::Rows => broadcast.encode_object("rows", EMPTY_RECORDS, len),
            },
            Self::End { broadcasts } => format!(r#"2["end",{broadcasts}]"#),
        }
    }
}

impl Broadcast {
    fn encode_news(self, len: usize) -> String {
        let Self { room, number, due } = self;
        let due = due.as_micros();
        let text = filler(len.saturating_sub(MIN_PACKET_LEN));
        format!(r#"2["news","{room:06} {number:08} {due:016} {text}"]"#)
    }

    /// Encodes an object with some members before its text.
    fn encode_object(self, event: &str, members: &str, len: usize) -> String {
        let (number, due) = (self.number, self.due.as_micros());
        let head = format!(r#"2["{event}",{{"number":{number},"due":{due}{members},"text":""#);
        let text = filler(len.saturating_sub(head.len() + TAIL.len()));
        head + &text + TAIL
    }
}

fn decode_news(packet: &[u8]) -> Option<News> {
    let mut fields = packet.strip_prefix(NEWS)?;
    let mut next = |width| {
        let (digits, rest) = fields.split_at_checked(width)?;
        fields = rest.strip_prefix(b" ")?;
        decimal(digits)
    };
    let [room, number, due] = WIDTHS.map(&mut next);
    let due = Duration::from_micros(due?);
    Some(News::Broadcast(Broadcast { room: room? as usize, number: number?, due }))
}

/// Decodes an object that begins with `head`, and has `next` behind its number and its time.
fn decode_object(packet: &[u8], head: &[u8], next: &[u8]) -> Option<News> {
    let fields = packet.strip_prefix(head)?.strip_suffix(TAIL.as_bytes())?;
    let (number, fields) = digits(fields);
    let (due, fields) = digits(fields.strip_prefix(DUE)?);
    fields.starts_with(next).then_some(())?;
    let due = Duration::from_micros(decimal(due)?);
    Some(News::Broadcast(Broadcast { room: 0, number: decimal(number)?, due }))
}

/// Splits behind the leading digits.
fn digits(bytes: &[u8]) -> (&[u8], &[u8]) {
    let len = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    bytes.split_at(len)
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

    const EVENTS: [Event; 4] = [Event::News, Event::Tick, Event::Quotes, Event::Rows];

    /// An object goes to all clients.
    fn broadcast(event: Event) -> News {
        let room = if event == Event::News { 12 } else { 0 };
        let due = Duration::from_micros(1_234_567_890);
        News::Broadcast(Broadcast { room, number: 345, due })
    }

    fn form(event: Event, len: usize) -> Form {
        Form { event, len }
    }

    #[test]
    fn a_broadcast_is_as_long_as_asked_and_comes_back() -> Result<()> {
        for event in EVENTS {
            for len in [80, PACKET_LEN, 16_384] {
                let form = form(event, len);
                let packet = broadcast(event).encode(form);
                assert_eq!(packet.len(), len);
                assert_eq!(News::decode(packet.as_bytes(), form)?, broadcast(event));
            }
        }
        let shortest = form(Event::News, MIN_PACKET_LEN);
        assert_eq!(broadcast(Event::News).encode(shortest).len(), MIN_PACKET_LEN);
        Ok(())
    }

    #[test]
    fn a_broadcast_is_what_servers_send() {
        let packets = EVENTS.map(|event| broadcast(event).encode(form(event, 72)));
        assert_eq!(
            packets,
            [
                r#"2["news","000012 00000345 0000001234567890 The quick brown fox jumps o"]"#,
                r#"2["tick",{"number":345,"due":1234567890,"text":"The quick brown fox j"}]"#,
                r#"2["quotes",{"number":345,"due":1234567890,"records":[],"text":"The qu"}]"#,
                r#"2["rows",{"number":345,"due":1234567890,"records":[],"text":"The quic"}]"#,
            ]
        );
    }

    #[test]
    fn the_end_comes_back() -> Result<()> {
        let end = News::End { broadcasts: 346 };
        for event in EVENTS {
            let form = form(event, PACKET_LEN);
            assert_eq!(end.encode(form), r#"2["end",346]"#);
            assert_eq!(News::decode(end.encode(form).as_bytes(), form)?, end);
        }
        Ok(())
    }

    #[test]
    fn anything_else_is_refused() {
        for event in EVENTS {
            let form = form(event, PACKET_LEN);
            let packet = broadcast(event).encode(form);
            let longer = broadcast(event).encode(Form { len: PACKET_LEN + 1, ..form });
            let not_a_number = packet.replace("345", "34x");
            let other = ["news", "tick", "quotes", "rows"]
                .iter()
                .fold(packet.clone(), |packet, name| packet.replace(name, &"x".repeat(name.len())));
            let fewer = [r#"2["news","000012 "]"#, r#"2["tick",{"number":1}]"#, r#"2["end",]"#, ""];
            for packet in fewer.into_iter().chain([&*longer, &not_a_number, &other]) {
                assert!(News::decode(packet.as_bytes(), form).is_err(), "{packet}");
            }
        }
    }
}
