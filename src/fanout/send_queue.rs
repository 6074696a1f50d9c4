//! The frames that wait to be written to one connection.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::mem;

use bytes::Bytes;

/// A time, in the owner's unit.
pub type Stamp = u32;

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
}

/// A queue of whole frames, some of which may be written in part.
///
/// [`push`](Self::push) adds a frame; to write, the owner calls [`io_slices`](Self::io_slices),
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
        self.frames.push_back(QueuedFrame { bytes, kind, queued_at: self.now });
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

    use super::{FrameKind, SendQueue};

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
        queue.handle_written(1000, |_| ());
        assert_eq!(queue.frames.capacity(), 0);
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
