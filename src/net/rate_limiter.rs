//! The budget of one connection whose peer may send only so much.

use std::mem;
use std::time::Instant;

use bytes::{Bytes, BytesMut};

use super::{RateLimit, RateLimitAction};
use crate::proto::engine_io::PacketType;
use crate::proto::socket_io::EventHead;
use crate::proto::websocket;

/// The first byte of a text message with a message packet of Engine.IO.
const MESSAGE: u8 = PacketType::Message.digit();

/// The first byte of a text message with binary data in base64.
const BASE64: u8 = b'b';

/// The way of a message of the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The application gets it.
    Deliver,
    /// Nobody gets it.
    Drop,
    /// Nobody gets it, nor is it reported: it belongs to an event that was dropped, perhaps in an earlier
    /// window.
    DropAttachment,
    /// It waits for the next window, and so does all that follows.
    Hold,
    /// It is dropped, and so is all that follows: the connection is closed.
    Disconnect,
}

/// Input that waits for the next window.
#[derive(Debug)]
struct Held {
    /// The message that has exceeded the limit, if it is complete.
    event: Option<websocket::Event>,
    /// The input that was read behind it: less than one read buffer.
    input: BytesMut,
    /// `None` if that is never.
    until: Option<Instant>,
    is_due: bool,
}

/// Counts what a peer sends in fixed windows: one begins with the first input after the last has ended.
///
/// Performs no I/O and has no clock. Before input is decoded, [`advance`](Self::advance) gets the time;
/// [`count_bytes`](Self::count_bytes) and [`judge`](Self::judge) are called while it is.
///
/// Bytes are those on the wire, headers of frames included, compressed messages as they come. Messages
/// are text and binary messages, whatever their number of frames; heartbeats of Engine.IO are none. With
/// `pause`, bytes beyond the limit of a window, as a read may bring, count in the next ones, so that the
/// limit holds on average.
#[derive(Debug)]
pub(super) struct RateLimiter {
    limit: RateLimit,
    start: Option<Instant>,
    messages: u64,
    bytes: u64,
    /// Attachments of a dropped event that have not come yet.
    attachments: u64,
    /// Events that have been dropped since [`take_dropped`](Self::take_dropped).
    dropped: usize,
    /// Set once the application knows that this window's limit is exceeded.
    is_reported: bool,
    is_cut_off: bool,
    /// The time at which reading goes on, until it is taken.
    resumption: Option<Instant>,
    held: Option<Box<Held>>,
}

impl RateLimiter {
    pub(super) const fn new(limit: RateLimit) -> Self {
        Self {
            limit,
            start: None,
            messages: 0,
            bytes: 0,
            attachments: 0,
            dropped: 0,
            is_reported: false,
            is_cut_off: false,
            resumption: None,
            held: None,
        }
    }

    pub(super) const fn action(&self) -> RateLimitAction {
        self.limit.action
    }

    /// Begins another window if the last has ended, and releases what has waited for it.
    pub(super) fn advance(&mut self, now: Instant) {
        if let Some(held) = &mut self.held {
            held.is_due = held.until.is_some_and(|until| until <= now);
        }
        let start = *self.start.get_or_insert(now);
        let per = self.limit.per.as_nanos().max(1);
        let windows = now.saturating_duration_since(start).as_nanos() / per;
        let windows = u32::try_from(windows).unwrap_or(u32::MAX);
        if windows == 0 {
            return;
        }
        let paid = self.limit.bytes.saturating_mul(windows.into());
        let is_debt_kept = self.limit.action == RateLimitAction::Pause;
        self.bytes = if is_debt_kept { self.bytes.saturating_sub(paid) } else { 0 };
        self.messages = 0;
        self.is_reported = false;
        self.start = match self.bytes {
            0 => Some(now),
            _ => start.checked_add(self.limit.per * windows),
        };
    }

    /// Counts bytes that have been taken off the input.
    pub(super) const fn count_bytes(&mut self, count: usize) {
        self.bytes = self.bytes.saturating_add(count as u64);
    }

    /// Returns whether more bytes have come than the window allows.
    pub(super) const fn is_over_bytes(&self) -> bool {
        self.bytes > self.limit.bytes
    }

    /// Counts a message, unless it has to wait, and returns its way. `is_closing` is set if the
    /// application has sent its close frame: nothing waits then, since the peer's close frame is due.
    pub(super) fn judge(&mut self, event: &websocket::Event, is_closing: bool) -> Verdict {
        let Some(message) = self.message_of(event) else { return Verdict::Deliver };
        let is_over = self.messages >= self.limit.messages || self.is_over_bytes();
        let verdict = match self.limit.action {
            RateLimitAction::Drop => self.judge_droppable(&message, is_over),
            _ if !is_over => Verdict::Deliver,
            _ if is_closing => Verdict::Drop,
            RateLimitAction::Pause => Verdict::Hold,
            RateLimitAction::Disconnect => Verdict::Disconnect,
        };
        if verdict != Verdict::Hold {
            self.messages = self.messages.saturating_add(1);
        }
        verdict
    }

    /// Returns the message of an event that counts.
    fn message_of<'a>(&self, event: &'a websocket::Event) -> Option<Message<'a>> {
        match event {
            websocket::Event::Text(text) if self.limit.is_engine_io && is_heartbeat(text) => None,
            websocket::Event::Text(text) => Some(Message::Text(text)),
            websocket::Event::Binary(_) => Some(Message::Binary),
            _ => None,
        }
    }

    /// Judges a message where events without ack id are dropped. The attachments of such an event are
    /// dropped even if a window has begun in between: without it, they would be an error.
    fn judge_droppable(&mut self, message: &Message<'_>, is_over: bool) -> Verdict {
        if message.is_attachment() {
            let is_of_dropped = self.attachments > 0;
            self.attachments = self.attachments.saturating_sub(1);
            return if is_of_dropped { Verdict::DropAttachment } else { Verdict::Deliver };
        }
        self.attachments = 0;
        let head = if is_over { message.event_head() } else { None };
        match head {
            Some(head) if !head.has_ack_id() => {
                self.attachments = head.attachments();
                self.dropped += 1;
                Verdict::Drop
            }
            _ => Verdict::Deliver,
        }
    }

    /// Returns whether to tell the application that the limit is exceeded: once for each window.
    pub(super) const fn needs_report(&mut self) -> bool {
        !mem::replace(&mut self.is_reported, true)
    }

    /// Returns the number of events that have been dropped since the last call.
    pub(super) const fn take_dropped(&mut self) -> usize {
        mem::replace(&mut self.dropped, 0)
    }

    /// Keeps input until a window allows more: the message that exceeds the limit, and the rest, which
    /// is empty afterwards.
    pub(super) fn hold(&mut self, event: Option<websocket::Event>, input: &mut BytesMut) {
        let until = self.end_of_excess();
        // A copy: the buffer is shared with all connections of the worker.
        let rest = BytesMut::from(&input[..]);
        input.clear();
        self.resumption = until;
        self.held = Some(Box::new(Held { event, input: rest, until, is_due: false }));
    }

    /// Returns the time at which the excess is paid, which is the end of a window.
    fn end_of_excess(&self) -> Option<Instant> {
        let windows = self.bytes.div_ceil(self.limit.bytes.max(1)).saturating_sub(1).max(1);
        let windows = u32::try_from(windows).unwrap_or(u32::MAX);
        self.start?.checked_add(self.limit.per.saturating_mul(windows))
    }

    /// Returns the time at which reading goes on, once for each pause.
    pub(super) const fn take_resumption(&mut self) -> Option<Instant> {
        self.resumption.take()
    }

    /// Returns whether input waits.
    pub(super) const fn is_holding(&self) -> bool {
        self.held.is_some()
    }

    /// Returns whether input waits for a later window.
    pub(super) fn is_waiting(&self) -> bool {
        self.held.as_ref().is_some_and(|held| !held.is_due)
    }

    /// Adds input to that which waits, if some does.
    pub(super) fn hold_more(&mut self, input: &mut BytesMut) {
        if let Some(held) = &mut self.held {
            held.input.extend_from_slice(input);
            input.clear();
        }
    }

    /// Takes what has waited: a message, and input behind it.
    pub(super) fn take_held(&mut self) -> Option<(Option<websocket::Event>, BytesMut)> {
        self.held.take().map(|held| (held.event, held.input))
    }

    /// Drops all input from now on.
    pub(super) fn cut_off(&mut self) {
        self.is_cut_off = true;
        self.held = None;
    }

    pub(super) const fn is_cut_off(&self) -> bool {
        self.is_cut_off
    }
}

/// A message that counts.
enum Message<'a> {
    Text(&'a Bytes),
    Binary,
}

impl Message<'_> {
    fn is_attachment(&self) -> bool {
        match self {
            Self::Binary => true,
            Self::Text(text) => text.first() == Some(&BASE64),
        }
    }

    fn event_head(&self) -> Option<EventHead> {
        match self {
            Self::Text(text) => match text.split_first() {
                Some((&MESSAGE, packet)) => EventHead::read(packet),
                _ => None,
            },
            Self::Binary => None,
        }
    }
}

/// Returns whether a text message is a heartbeat: a pong, or in v3 a ping. The others of the two close the
/// session.
fn is_heartbeat(text: &[u8]) -> bool {
    matches!(text, [b'2' | b'3'])
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may")]
mod tests {
    use std::time::Duration;

    use super::*;

    const PER: Duration = Duration::from_millis(100);

    fn limiter(action: RateLimitAction, messages: u64, bytes: u64) -> RateLimiter {
        RateLimiter::new(RateLimit { messages, bytes, per: PER, action, is_engine_io: true })
    }

    fn text(text: &'static str) -> websocket::Event {
        websocket::Event::Text(Bytes::from_static(text.as_bytes()))
    }

    fn binary() -> websocket::Event {
        websocket::Event::Binary(Bytes::from_static(b"x"))
    }

    /// Returns what becomes of messages in one window.
    fn judged(limiter: &mut RateLimiter, events: &[websocket::Event]) -> Vec<Verdict> {
        events.iter().map(|event| limiter.judge(event, false)).collect()
    }

    const EVENT: &str = r#"42["a"]"#;

    #[test]
    fn a_window_begins_with_the_first_input_after_the_last() {
        use Verdict::{Deliver, Drop};
        let mut limiter = limiter(RateLimitAction::Drop, 2, u64::MAX);
        let start = Instant::now();
        limiter.advance(start);
        assert_eq!(judged(&mut limiter, &vec![text(EVENT); 3]), [Deliver, Deliver, Drop]);
        limiter.advance(start + PER - Duration::from_nanos(1));
        assert_eq!(judged(&mut limiter, &[text(EVENT)]), [Drop]);
        let second = start + PER * 5 / 2;
        limiter.advance(second);
        assert_eq!(judged(&mut limiter, &vec![text(EVENT); 3]), [Deliver, Deliver, Drop]);
        limiter.advance(second + PER / 2);
        assert_eq!(judged(&mut limiter, &[text(EVENT)]), [Drop]);
        assert_eq!(limiter.take_dropped(), 4);
        assert_eq!(limiter.take_dropped(), 0);
    }

    #[test]
    fn only_events_without_ack_id_are_dropped() {
        let kept = [
            r#"47["a"]"#,
            r#"427["a"]"#,
            r#"42/chat,7["a"]"#,
            r#"451-7["a",{"_placeholder":true,"num":0}]"#,
            r#"43["a"]"#,
            r#"431[]"#,
            "40",
            "40/chat,{}",
            "41",
            "44{}",
            "2probe",
            "5",
            "6",
            "",
            "4",
            "45[]",
            "42/chat",
            "42",
            "42{}",
            "plain",
        ];
        for message in kept {
            let mut limiter = limiter(RateLimitAction::Drop, 0, u64::MAX);
            assert_eq!(limiter.judge(&text(message), false), Verdict::Deliver, "{message}");
        }
        for message in [EVENT, r#"42/chat,["a"]"#, r#"42/chat?a=7,["a"]"#, "42["] {
            let mut limiter = limiter(RateLimitAction::Drop, 0, u64::MAX);
            assert_eq!(limiter.judge(&text(message), false), Verdict::Drop, "{message}");
        }
    }

    #[test]
    fn the_attachments_of_a_dropped_event_are_dropped_and_no_others() {
        use Verdict::{Deliver, Drop, DropAttachment};
        let mut limiter = limiter(RateLimitAction::Drop, 1, u64::MAX);
        let start = Instant::now();
        limiter.advance(start);
        let two = text(r#"452-["a",{"_placeholder":true,"num":0}]"#);
        let events = [two.clone(), binary(), binary(), two.clone(), binary()];
        assert_eq!(
            judged(&mut limiter, &events),
            [Deliver, Deliver, Deliver, Drop, DropAttachment]
        );
        limiter.advance(start + PER);
        assert_eq!(judged(&mut limiter, &[text("bAAA="), binary()]), [DropAttachment, Deliver]);
        assert_eq!(judged(&mut limiter, &[two, text("430[]"), binary()]), [Drop, Deliver, Deliver]);
        assert_eq!(limiter.take_dropped(), 2);
    }

    #[test]
    fn heartbeats_and_control_frames_do_not_count() {
        let mut limiter = limiter(RateLimitAction::Disconnect, 1, u64::MAX);
        let ping = websocket::Event::Ping(Bytes::new());
        let events = [text("2"), text("3"), ping, text(EVENT), text("3"), text(EVENT)];
        let verdicts = judged(&mut limiter, &events);
        assert_eq!(verdicts[..5], [Verdict::Deliver; 5]);
        assert_eq!(verdicts[5], Verdict::Disconnect);
    }

    #[test]
    fn without_engine_io_all_messages_count() {
        let limit = RateLimit {
            messages: 1,
            bytes: u64::MAX,
            per: PER,
            action: RateLimitAction::Disconnect,
            is_engine_io: false,
        };
        let events = [text("2"), text("2")];
        let verdicts = judged(&mut RateLimiter::new(limit), &events);
        assert_eq!(verdicts, [Verdict::Deliver, Verdict::Disconnect]);
    }

    #[test]
    fn bytes_beyond_a_window_count_in_the_next_ones_with_pause() {
        let mut limiter = limiter(RateLimitAction::Pause, u64::MAX, 10);
        let start = Instant::now();
        limiter.advance(start);
        limiter.count_bytes(10);
        assert_eq!(limiter.judge(&text(EVENT), false), Verdict::Deliver);
        limiter.count_bytes(25);
        assert_eq!(limiter.judge(&text(EVENT), false), Verdict::Hold);
        limiter.hold(Some(text(EVENT)), &mut BytesMut::from("rest"));
        assert_eq!(limiter.take_resumption(), Some(start + PER * 3));
        assert_eq!(limiter.take_resumption(), None);
        limiter.advance(start + PER * 2);
        assert!(limiter.is_waiting());
        limiter.hold_more(&mut BytesMut::from(" of it"));
        limiter.advance(start + PER * 3);
        assert!(!limiter.is_waiting() && limiter.is_holding());
        let (event, input) = limiter.take_held().unwrap();
        assert_eq!((event, &input[..]), (Some(text(EVENT)), &b"rest of it"[..]));
        assert_eq!(limiter.judge(&text(EVENT), false), Verdict::Deliver);
        limiter.count_bytes(6);
        assert!(limiter.is_over_bytes());
    }

    #[test]
    fn bytes_beyond_a_window_are_forgotten_with_drop() {
        let mut limiter = limiter(RateLimitAction::Drop, u64::MAX, 10);
        let start = Instant::now();
        limiter.advance(start);
        limiter.count_bytes(1_000);
        assert_eq!(limiter.judge(&text(EVENT), false), Verdict::Drop);
        limiter.advance(start + PER);
        assert_eq!(limiter.judge(&text(EVENT), false), Verdict::Deliver);
    }

    #[test]
    fn a_message_that_waits_counts_when_it_is_delivered() {
        let mut limiter = limiter(RateLimitAction::Pause, 1, u64::MAX);
        let start = Instant::now();
        limiter.advance(start);
        let hold = [Verdict::Deliver, Verdict::Hold];
        assert_eq!(judged(&mut limiter, &vec![text(EVENT); 2]), hold);
        limiter.hold(Some(text(EVENT)), &mut BytesMut::new());
        assert_eq!(limiter.take_resumption(), Some(start + PER));
        limiter.advance(start + PER);
        assert_eq!(judged(&mut limiter, &vec![text(EVENT); 2]), hold);
    }

    #[test]
    fn nothing_waits_while_the_connection_is_closing() {
        for action in [RateLimitAction::Pause, RateLimitAction::Disconnect] {
            let mut limiter = limiter(action, 1, u64::MAX);
            assert_eq!(limiter.judge(&text(EVENT), true), Verdict::Deliver);
            assert_eq!(limiter.judge(&text(EVENT), true), Verdict::Drop);
        }
    }

    #[test]
    fn an_excess_is_reported_once_for_each_window() {
        let mut limiter = limiter(RateLimitAction::Drop, 1, u64::MAX);
        let start = Instant::now();
        limiter.advance(start);
        assert!(limiter.needs_report());
        assert!(!limiter.needs_report());
        limiter.advance(start + PER);
        assert!(limiter.needs_report());
    }

    #[test]
    fn extreme_limits_and_times_do_no_harm() {
        for (messages, bytes, per) in
            [(0, 0, Duration::ZERO), (1, 1, Duration::MAX), (u64::MAX, u64::MAX, PER)]
        {
            let action = RateLimitAction::Pause;
            let limit = RateLimit { messages, bytes, per, action, is_engine_io: true };
            let mut limiter = RateLimiter::new(limit);
            let now = Instant::now();
            limiter.advance(now);
            limiter.count_bytes(usize::MAX);
            limiter.count_bytes(usize::MAX);
            let _ = limiter.judge(&binary(), false);
            limiter.hold(None, &mut BytesMut::new());
            limiter.advance(now + Duration::from_secs(1_000_000_000));
        }
    }
}
