//! The frames that wait to be written to one connection.

use std::collections::{HashMap, VecDeque};
use std::io::IoSlice;
use std::mem;

use bytes::Bytes;

use super::LatestKey;

/// A time, in the owner's unit.
pub type Stamp = u32;

/// The number of queued frames above which keys are found by an index, not by a search from the back.
///
/// Measured: where 128 frames with different keys wait, a new key costs 93 ns by search and 196 ns by
/// an index, a replaced one 72 and 30 ns; where 1,000 wait, 551 and 209 ns, 341 and 53 ns.
const MAX_SEARCHED: usize = 128;

/// The accounting of a queued frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// Its sender waits for the report: [`SendQueue::poll_sent`] counts it once it is written.
    Reported,
    /// The answer to a ping: not reported, and bounded in number, see [`SendQueue::pongs`].
    AutomaticPong,
    /// Not counted.
    Silent,
}

#[derive(Debug)]
struct QueuedFrame {
    bytes: Bytes,
    kind: FrameKind,
    /// The time from which it waits. It takes the place of padding.
    queued_at: Stamp,
    /// Set if a newer packet of the same key may take the place of this one.
    key: Option<LatestKey>,
}

/// A queue of whole frames, some of which may be written in part.
///
/// [`push`](Self::push) adds a frame, [`push_latest`](Self::push_latest) a packet with a key; to
/// write, the owner calls [`io_slices`](Self::io_slices),
/// then [`handle_written`](Self::handle_written) with the number of bytes that were accepted, then
/// [`poll_sent`](Self::poll_sent). Frames that several connections share are held by reference.
///
/// The queue itself has no bound: its owner ends a connection whose
/// [`len_bytes_before_last`](Self::len_bytes_before_last) exceeds `max_backpressure` for too long.
#[derive(Debug, Default)]
pub struct SendQueue {
    frames: VecDeque<QueuedFrame>,
    /// Bytes of the first frame that have been written.
    written: usize,
    /// Bytes of all frames that have not been written.
    bytes: usize,
    /// Frames to be reported by the next [`poll_sent`](Self::poll_sent).
    sent: u32,
    /// [`FrameKind::AutomaticPong`] frames in the queue.
    pongs: u32,
    /// The time of the frames that are pushed next.
    now: Stamp,
    /// Frames that have been removed since the index was made.
    removed: u64,
    /// For each hash of a key, the latest frame with it, counted as in `removed`; made when a packet
    /// with a key is added to a long queue, and kept until the queue is empty.
    #[allow(clippy::box_collection, reason = "a map has 48 bytes, and most queues have none")]
    latest: Option<Box<HashMap<u64, u64>>>,
}

impl SendQueue {
    /// Sets the time of the frames that are pushed next.
    pub const fn handle_time(&mut self, now: Stamp) {
        self.now = now;
    }

    /// Appends a whole frame.
    pub fn push(&mut self, bytes: Bytes, kind: FrameKind) {
        self.bytes += bytes.len();
        self.pongs += u32::from(kind == FrameKind::AutomaticPong);
        self.frames.push_back(QueuedFrame { bytes, kind, queued_at: self.now, key: None });
    }

    /// Adds a packet's frames, contiguous and [`FrameKind::Silent`]. Where an older packet of the
    /// same key waits, they take its place: keys that change faster than the peer reads are all sent
    /// in turn, and the queue does not grow by them. A packet of which a byte has been written stays, as
    /// one of which a byte is among the first `fixed` of the queue, which are encrypted already.
    ///
    /// Returns the bytes that are not sent any more: 0 if nothing was replaced.
    pub fn push_latest(&mut self, bytes: Bytes, key: LatestKey, fixed: usize) -> usize {
        self.bytes += bytes.len();
        let index = self.find_latest(&key, fixed);
        if let Some(frame) = index.and_then(|index| self.frames.get_mut(index)) {
            let replaced = mem::replace(&mut frame.bytes, bytes).len();
            frame.queued_at = self.now;
            self.bytes -= replaced;
            return replaced;
        }
        self.note_latest(key.hash());
        let (kind, queued_at) = (FrameKind::Silent, self.now);
        self.frames.push_back(QueuedFrame { bytes, kind, queued_at, key: Some(key) });
        0
    }

    /// Returns whether a packet with this key waits that [`push_latest`](Self::push_latest) would
    /// replace.
    #[must_use]
    pub fn has_latest(&self, key: &LatestKey, fixed: usize) -> bool {
        self.find_latest(key, fixed).is_some()
    }

    /// Returns the index of the waiting frame with this key.
    fn find_latest(&self, key: &LatestKey, fixed: usize) -> Option<usize> {
        let begun = self.count_begun(fixed);
        let index = match &self.latest {
            Some(latest) => {
                latest.get(&key.hash()).and_then(|place| place.checked_sub(self.removed))? as usize
            }
            None => self.frames.iter().rposition(|frame| frame.key.as_ref() == Some(key))?,
        };
        // Keys with the same hash share an entry of the index: of them, the latest can be replaced.
        let frame = self.frames.get(index)?;
        (index >= begun && frame.key.as_ref() == Some(key)).then_some(index)
    }

    /// Returns the number of frames of which a byte has been written, or is among the first `fixed`
    /// that have not.
    fn count_begun(&self, fixed: usize) -> usize {
        let mut end = self.written + fixed;
        let begun = self.frames.iter().take_while(|frame| {
            let is_begun = end > 0;
            end = end.saturating_sub(frame.bytes.len());
            is_begun
        });
        begun.count()
    }

    /// Notes the place of the next frame in the index, which a long queue has.
    fn note_latest(&mut self, hash: u64) {
        if self.latest.is_none() && self.frames.len() >= MAX_SEARCHED {
            self.removed = 0;
            let keyed = (0..)
                .zip(&self.frames)
                .filter_map(|(place, frame)| frame.key.as_ref().map(|key| (key.hash(), place)));
            self.latest = Some(Box::new(keyed.collect()));
        }
        if let Some(latest) = &mut self.latest {
            latest.insert(hash, self.removed + self.frames.len() as u64);
        }
    }

    /// Removes a frame that has been removed from the index.
    #[cold]
    fn forget(&mut self, frame: &QueuedFrame) {
        if let (Some(key), Some(latest)) = (&frame.key, &mut self.latest)
            && latest.get(&key.hash()) == Some(&self.removed)
        {
            latest.remove(&key.hash());
        }
        self.removed += 1;
    }

    /// Returns whether all frames have been written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Returns the number of bytes to be written.
    #[must_use]
    pub const fn len_bytes(&self) -> usize {
        self.bytes
    }

    /// Returns the number of bytes to be written before the last frame.
    #[must_use]
    pub fn len_bytes_before_last(&self) -> usize {
        match self.frames.back() {
            Some(last) if self.frames.len() > 1 => self.bytes - last.bytes.len(),
            _ => 0,
        }
    }

    /// Returns the number of [`FrameKind::AutomaticPong`] frames in the queue.
    #[must_use]
    pub const fn pongs(&self) -> u32 {
        self.pongs
    }

    /// Fills `slices` with the bytes to be written next. Returns how many slices it filled.
    pub fn io_slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut skip = self.written;
        let mut filled = 0;
        for (slice, frame) in slices.iter_mut().zip(&self.frames) {
            *slice = IoSlice::new(frame.bytes.get(skip..).unwrap_or_default());
            skip = 0;
            filled += 1;
        }
        filled
    }

    /// Removes the first `length` bytes, which have been written. Calls `sent` for each frame that ends
    /// there, with the time at which it was pushed.
    pub fn handle_written(&mut self, mut length: usize, mut sent: impl FnMut(Stamp)) {
        self.bytes -= length;
        while let Some(waiting) = self.front_len() {
            let taken = waiting.min(length);
            length -= taken;
            if taken < waiting {
                self.written += taken;
                return;
            }
            self.pop_front(&mut sent);
        }
        // An idle connection holds no buffer.
        self.frames = VecDeque::new();
        self.latest = None;
    }

    /// Returns how many [`FrameKind::Reported`] frames have been written since the last call.
    pub fn poll_sent(&mut self) -> u32 {
        mem::take(&mut self.sent)
    }

    fn front_len(&self) -> Option<usize> {
        self.frames.front().map(|frame| frame.bytes.len() - self.written)
    }

    fn pop_front(&mut self, sent: &mut impl FnMut(Stamp)) {
        self.written = 0;
        let Some(frame) = self.frames.pop_front() else { return };
        if self.latest.is_some() {
            self.forget(&frame);
        }
        self.pongs -= u32::from(frame.kind == FrameKind::AutomaticPong);
        self.sent += u32::from(frame.kind == FrameKind::Reported);
        sent(frame.queued_at);
    }
}

#[cfg(test)]
mod tests {
    use std::io::IoSlice;

    use bytes::Bytes;
    use proptest::prelude::*;

    use super::{FrameKind, LatestKey, MAX_SEARCHED, SendQueue};

    fn queue(frames: &[&'static str]) -> SendQueue {
        let mut queue = SendQueue::default();
        for frame in frames {
            queue.push(Bytes::from_static(frame.as_bytes()), FrameKind::Reported);
        }
        queue
    }

    fn next_write(queue: &SendQueue, slices: usize) -> Vec<u8> {
        let mut room = vec![IoSlice::new(b""); slices];
        let filled = queue.io_slices(&mut room);
        room.iter().take(filled).flat_map(|slice| slice.to_vec()).collect()
    }

    #[test]
    fn frames_leave_in_order_and_in_one_write() {
        assert_eq!(next_write(&queue(&["one", "two", "three"]), 8), b"onetwothree");
    }

    #[test]
    fn no_more_slices_are_filled_than_there_are() {
        assert_eq!(next_write(&queue(&["one", "two", "three"]), 2), b"onetwo");
    }

    #[test]
    fn a_frame_written_in_part_continues_where_it_stopped() {
        let mut queue = queue(&["one", "two"]);
        queue.handle_written(4, |_| ());
        assert_eq!((next_write(&queue, 8), queue.len_bytes()), (b"wo".to_vec(), 2));
    }

    #[test]
    fn the_last_frame_can_be_left_out_of_the_length() {
        let mut queue = queue(&["one", "three"]);
        assert_eq!(queue.len_bytes_before_last(), 3);
        queue.handle_written(2, |_| ());
        assert_eq!(queue.len_bytes_before_last(), 1);
        queue.handle_written(2, |_| ());
        assert_eq!(queue.len_bytes_before_last(), 0);
    }

    #[test]
    fn a_frame_is_sent_when_its_last_byte_is_written() {
        let mut queue = queue(&["one", "two"]);
        assert_eq!(queue.poll_sent(), 0);
        queue.handle_written(5, |_| ());
        assert_eq!(queue.poll_sent(), 1);
        queue.handle_written(1, |_| ());
        assert_eq!((queue.poll_sent(), queue.is_empty()), (1, true));
    }

    #[test]
    fn pongs_and_silent_frames_are_not_reported() {
        let mut queue = SendQueue::default();
        queue.push(Bytes::from_static(b"pong"), FrameKind::AutomaticPong);
        queue.push(Bytes::from_static(b"close"), FrameKind::Silent);
        assert_eq!(queue.pongs(), 1);
        queue.handle_written(9, |_| ());
        assert_eq!((queue.poll_sent(), queue.pongs()), (0, 0));
    }

    #[test]
    fn an_empty_queue_holds_no_buffer() {
        let mut queue = queue(&["x"; 1000]);
        queue.push_latest(Bytes::from_static(b"x"), key("a"), 0);
        assert!(queue.latest.is_some());
        queue.handle_written(1001, |_| ());
        assert_eq!(queue.frames.capacity(), 0);
        assert!(queue.latest.is_none());
    }

    fn key(text: &str) -> LatestKey {
        LatestKey::new("/", text)
    }

    /// A queue whose keys are searched for, and one with an index, both behind what has been written.
    fn short_and_long() -> [SendQueue; 2] {
        [1, 2 * MAX_SEARCHED].map(|length| {
            let mut queue = queue(&vec!["-"; length]);
            queue.push_latest(Bytes::from_static(b"A1"), key("a"), 0);
            queue.push_latest(Bytes::from_static(b"B1"), key("b"), 0);
            queue.push(Bytes::from_static(b"C"), FrameKind::Silent);
            queue.handle_written(length, |_| ());
            queue
        })
    }

    #[test]
    fn the_latest_packet_takes_the_place_of_an_older_one_that_waits() {
        for mut queue in short_and_long() {
            assert_eq!(queue.push_latest(Bytes::from_static(b"longer"), key("a"), 0), 2);
            assert_eq!(
                queue.push_latest(Bytes::from_static(b"B"), LatestKey::new("/x", "b"), 0),
                0
            );
            assert_eq!(next_write(&queue, 8), b"longerB1CB");
            assert_eq!(queue.len_bytes(), 10);
            assert_eq!(
                queue.poll_sent() as usize,
                if queue.latest.is_none() { 1 } else { 2 * MAX_SEARCHED }
            );
        }
    }

    #[test]
    fn a_packet_of_which_a_byte_has_been_written_stays() {
        for mut queue in short_and_long() {
            queue.handle_written(1, |_| ());
            assert_eq!(queue.push_latest(Bytes::from_static(b"A2"), key("a"), 0), 0);
            assert_eq!(queue.push_latest(Bytes::from_static(b"A3!"), key("a"), 0), 2);
            assert_eq!(next_write(&queue, 8), b"1B1CA3!");
            queue.handle_written(1, |_| ());
            assert_eq!(queue.push_latest(Bytes::from_static(b"A4"), key("a"), 0), 3);
            assert_eq!(next_write(&queue, 8), b"B1CA4");
        }
    }

    #[test]
    fn a_packet_of_which_a_byte_is_encrypted_stays() {
        for mut queue in short_and_long() {
            assert!(queue.has_latest(&key("b"), 2) && !queue.has_latest(&key("b"), 3));
            assert_eq!(queue.push_latest(Bytes::from_static(b"A2"), key("a"), 1), 0);
            assert_eq!(queue.push_latest(Bytes::from_static(b"B2"), key("b"), 2), 2);
            assert_eq!(next_write(&queue, 8), b"A1B2CA2");
            queue.handle_written(1, |_| ());
            assert_eq!(queue.push_latest(Bytes::from_static(b"B3"), key("b"), 2), 0);
            assert_eq!(queue.push_latest(Bytes::from_static(b"B4"), key("b"), 1), 2);
        }
    }

    #[test]
    fn keys_with_the_same_hash_do_not_replace_each_other() {
        for length in [1, 2 * MAX_SEARCHED] {
            let mut queue = queue(&vec!["-"; length]);
            for (text, name) in [("A1", "a"), ("B1", "b"), ("A2", "a"), ("B2", "b"), ("B3", "b")] {
                queue.push_latest(text.into(), LatestKey::with_hash(1, name), 0);
            }
            queue.handle_written(length, |_| ());
            let all = String::from_utf8(next_write(&queue, 8)).unwrap();
            assert_eq!(all, if length == 1 { "A2B3" } else { "A1B1A2B3" });
        }
    }

    /// A step of a test: adds a packet, perhaps with a key, or writes bytes.
    #[derive(Clone, Debug)]
    enum Step {
        Push(Option<u8>),
        Write(usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            6 => Just(Step::Push(None)),
            30 => (0_u8..250).prop_map(|key| Step::Push(Some(key))),
            5 => (1_usize..60).prop_map(Step::Write),
            1 => (1_usize..4000).prop_map(Step::Write),
        ];
        prop::collection::vec(step, 1..800)
    }

    /// A packet of the model: the number of its step, its key, and its bytes.
    type Packet = (usize, Option<u8>, Vec<u8>);

    /// The bytes of a packet: its number, and padding, so that lengths differ.
    fn packet(number: usize, key: Option<u8>) -> Packet {
        (number, key, format!("<{number}{}>", ".".repeat(number % 7)).into_bytes())
    }

    /// The oracle: searches the whole list for the packet to be replaced.
    #[derive(Default)]
    struct Model {
        waiting: Vec<Packet>,
        sent: Vec<Packet>,
        written: usize,
    }

    impl Model {
        fn push(&mut self, new: Packet) {
            let begun = usize::from(self.written > 0);
            let mut waiting = self.waiting.iter_mut().skip(begun);
            match waiting.find(|(_, key, _)| key.is_some() && *key == new.1) {
                Some(older) => *older = new,
                None => self.waiting.push(new),
            }
        }

        fn write(&mut self, mut length: usize) {
            while let Some((_, _, bytes)) = self.waiting.first() {
                let rest = bytes.len() - self.written;
                if length < rest {
                    self.written += length;
                    return;
                }
                length -= rest;
                self.written = 0;
                self.sent.push(self.waiting.remove(0));
            }
        }

        fn len_bytes(&self) -> usize {
            self.waiting.iter().map(|(_, _, bytes)| bytes.len()).sum::<usize>() - self.written
        }
    }

    /// Writes bytes as the owner of a queue does, at most 64 frames at a time.
    fn write(queue: &mut SendQueue, limit: usize) -> Vec<u8> {
        let mut bytes = next_write(queue, 64);
        bytes.truncate(limit);
        queue.handle_written(bytes.len(), |_| ());
        bytes
    }

    #[test]
    fn a_frame_has_the_time_at_which_it_was_pushed() {
        let mut queue = SendQueue::default();
        for (frame, now) in [("one", 3), ("two", 3), ("three", 7)] {
            queue.handle_time(now);
            queue.push(Bytes::from_static(frame.as_bytes()), FrameKind::Silent);
        }
        let times = [5, 1, 4, 1].map(|length| {
            let mut times = Vec::new();
            queue.handle_written(length, |time| times.push(time));
            times
        });
        assert_eq!(times, [vec![3], vec![3], vec![], vec![7]]);
    }

    proptest! {
        #[test]
        fn only_superseded_packets_are_missing_however_the_writes_are_cut(steps in steps()) {
            let (mut queue, mut model) = (SendQueue::default(), Model::default());
            let (mut written, mut pushed) = (Vec::new(), Vec::new());
            for (number, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Push(name) => {
                        let new = packet(number, name);
                        let bytes = Bytes::from(new.2.clone());
                        match name {
                            None => queue.push(bytes, FrameKind::Reported),
                            Some(name) => {
                                let before = queue.len_bytes() + bytes.len();
                                let replaced = queue.push_latest(bytes, key(&name.to_string()), 0);
                                prop_assert_eq!(queue.len_bytes(), before - replaced);
                            }
                        }
                        pushed.push((number, name));
                        model.push(new);
                    }
                    Step::Write(limit) => {
                        let bytes = write(&mut queue, limit);
                        model.write(bytes.len());
                        written.extend(bytes);
                    }
                }
                prop_assert_eq!(queue.len_bytes(), model.len_bytes());
            }
            while !queue.is_empty() {
                written.extend(write(&mut queue, usize::MAX));
            }
            model.write(usize::MAX);
            let expected: Vec<u8> = model.sent.iter().flat_map(|(_, _, bytes)| bytes.clone()).collect();
            prop_assert_eq!(written, expected);
            let sent: Vec<_> = model.sent.iter().map(|(number, key, _)| (*number, *key)).collect();
            for (number, key) in &pushed {
                let is_sent = sent.contains(&(*number, *key));
                let is_superseded =
                    key.is_some() && sent.iter().any(|(other, its)| its == key && other > number);
                prop_assert!(is_sent || is_superseded, "{number} is missing");
            }
            for name in (0..250).map(Some).chain([None]) {
                let of_key = sent.iter().filter(|(_, key)| *key == name).map(|(number, _)| number);
                prop_assert!(of_key.is_sorted(), "{name:?} is out of order");
            }
            prop_assert_eq!(
                queue.poll_sent() as usize,
                pushed.iter().filter(|(_, key)| key.is_none()).count()
            );
        }

        #[test]
        fn every_frame_is_reported_once_however_the_writes_are_cut(
            lengths in prop::collection::vec(1_usize..20, 1..30),
            cuts in prop::collection::vec(1_usize..50, 1..60),
        ) {
            let mut queue = SendQueue::default();
            for &length in &lengths {
                queue.push(vec![b'x'; length].into(), FrameKind::Reported);
            }
            let total = lengths.iter().sum::<usize>();
            let (mut written, mut sent) = (0, 0_usize);
            for cut in cuts.into_iter().cycle() {
                let length = cut.min(total - written);
                queue.handle_written(length, |_| ());
                written += length;
                sent += queue.poll_sent() as usize;
                // The oracle: a frame is sent when all bytes up to its end are written.
                let ends = lengths.iter().scan(0, |end, length| { *end += length; Some(*end) });
                prop_assert_eq!(sent, ends.filter(|end| *end <= written).count());
                prop_assert_eq!(queue.len_bytes(), total - written);
                if written == total { break; }
            }
            prop_assert!(queue.is_empty());
        }
    }
}
