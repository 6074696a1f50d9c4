//! The events that are broadcast, as `bench/processes/broadcasting.js` sends them.

use serde::{Deserialize, Serialize};

const SENTENCE: &str = "The quick brown fox jumps over the lazy dog. ";

/// Length of a packet of Socket.IO unless the plan has another, in bytes.
const PACKET_LEN: usize = 128;

/// The lengths of packets without a text, in bytes.
const EMPTY_NEWS_LEN: usize = 45;
const EMPTY_TICK_LEN: usize = r#"2["tick",{"number":,"due":,"text":""}]"#.len();

/// The content of broadcasts, and the calls that send them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Event {
    /// A text, by one call for all recipients.
    #[default]
    News,
    /// An object, by a call for each client.
    Tick,
}

/// A numbered broadcast to a room.
pub struct News {
    /// The room, counted from 0.
    pub room: usize,
    /// Number of broadcasts to it before this one.
    pub number: u64,
    /// Its due time in microseconds of the monotonic clock.
    pub due: u128,
}

/// The object of a `tick`.
#[derive(Serialize)]
pub struct Tick {
    number: u64,
    due: u64,
    text: String,
}

/// Texts that fill packets up to one length.
pub struct Filler {
    payload: usize,
    text: String,
}

impl Filler {
    /// Fills packets of `payload` bytes.
    pub fn new(payload: Option<usize>) -> Self {
        let payload = payload.unwrap_or(PACKET_LEN);
        Self { payload, text: SENTENCE.repeat(payload.div_ceil(SENTENCE.len())) }
    }

    /// Returns the text of a `news`.
    pub fn news(&self, News { room, number, due }: &News) -> String {
        format!("{room:06} {number:08} {due:016} {}", self.text(EMPTY_NEWS_LEN))
    }

    /// Returns the object of a `tick`.
    pub fn tick(&self, &News { number, due, .. }: &News) -> Tick {
        let due = u64::try_from(due).unwrap_or(u64::MAX);
        let digits = number.to_string().len() + due.to_string().len();
        Tick { number, due, text: self.text(EMPTY_TICK_LEN + digits).into() }
    }

    /// The text of a packet with `used` bytes beside it.
    fn text(&self, used: usize) -> &str {
        self.text.get(..self.payload.saturating_sub(used)).unwrap_or(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEWS: News = News { room: 12, number: 345, due: 1_234_567_890 };

    #[test]
    fn a_packet_is_as_long_as_asked() {
        for payload in [100, PACKET_LEN, 4096] {
            let filler = Filler::new(Some(payload));
            let news = filler.news(&NEWS);
            assert!(news.starts_with("000012 00000345 0000001234567890 The quick"));
            assert_eq!(format!(r#"2["news","{news}"]"#).len(), payload);
            let tick = serde_json::to_string(&filler.tick(&NEWS)).unwrap();
            assert!(tick.starts_with(r#"{"number":345,"due":1234567890,"text":"The quick"#));
            assert_eq!(format!(r#"2["tick",{tick}]"#).len(), payload);
        }
    }
}
