//! A packet to frames that many share, and what waits in front of a connection.

use std::io::IoSlice;

use bytes::Bytes;
use socket_io_turbo::fanout::{FrameKind, PreparedPacket, SendQueue};
use socket_io_turbo::proto::websocket::{Opcode, encode_frame};

use crate::Measured;

/// A packet of Engine.IO with its type.
const PACKET_LEN: usize = 129;

/// Number of frames that a worker writes at once.
const SLICES: usize = 64;

/// Prepares a packet of text, from its bytes on.
pub fn prepare_text() -> Measured {
    let packet = vec![b'x'; PACKET_LEN];
    let prepare = |packet: &mut Vec<u8>| {
        PreparedPacket::new(encode_frame(true, Opcode::Text, packet, None), &[], false)
    };
    Measured::new(packet, prepare, |packet| packet.count() == 1)
}

/// Prepares a packet with an attachment of 16 KiB for both versions of Engine.IO.
pub fn prepare_attachment() -> Measured {
    let input = (frame(), vec![0; 16 << 10]);
    Measured::new(
        input,
        |(frame, attachment)| PreparedPacket::new(frame.clone(), &[attachment], true),
        |packet| packet.count() == 2,
    )
}

/// Queues a frame, and takes it off as written: what each recipient costs.
pub fn queue_and_write_1_frame() -> Measured {
    queued(1)
}

/// Queues a burst of frames, and takes them off as written.
pub fn queue_and_write_100_frames() -> Measured {
    queued(100)
}

/// Takes a frame off in eight writes, as for a slow client.
pub fn write_frame_in_parts() -> Measured {
    let mut queue = SendQueue::default();
    queue.push(frame(), FrameKind::Reported);
    let part = frame().len().div_ceil(8);
    let write = move |queue: &mut SendQueue| {
        let mut sent = 0;
        while !queue.is_empty() {
            let len = part.min(queue.len_bytes());
            queue.handle_written(len, |_| ());
            sent += queue.poll_sent();
        }
        sent
    };
    Measured::new(queue, write, |sent| *sent == 1)
}

fn queued(frames: u32) -> Measured {
    let input = (SendQueue::default(), frame());
    let send = move |(queue, frame): &mut (SendQueue, Bytes)| {
        (0..frames).for_each(|_| queue.push(frame.clone(), FrameKind::Reported));
        write_all(queue)
    };
    Measured::new(input, send, move |sent| *sent == frames)
}

/// Writes as a worker does whose kernel takes everything. Returns how many frames have gone.
fn write_all(queue: &mut SendQueue) -> u32 {
    while !queue.is_empty() {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let filled = queue.io_slices(&mut slices);
        let len = slices.iter().take(filled).map(|slice| slice.len()).sum();
        queue.handle_written(len, |_| ());
    }
    queue.poll_sent()
}

fn frame() -> Bytes {
    encode_frame(true, Opcode::Text, &[b'x'; PACKET_LEN], None)
}
