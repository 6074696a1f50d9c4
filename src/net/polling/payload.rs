//! Payloads from and to the frames of a WebSocket.
//!
//! Everything between the application and the transport of a session is frames: the queue of packets to
//! the client, and the input that a connection decodes. So a session can be upgraded at any time, and
//! limits and heartbeats are the same for both transports.

use bytes::BytesMut;

use crate::proto::engine_io::PacketType;
use crate::proto::websocket::{FrameHeader, Opcode, Role};

/// Engine.IO v4, "HTTP long-polling": packets are joined by the record separator.
const SEPARATOR: u8 = 0x1e;

/// Engine.IO v4, "Packet encoding": a binary packet in text form is this and its base64.
const BASE64_PREFIX: u8 = b'b';

/// The masking key that leaves a payload as it is; a client's frames have one.
const NO_MASK: Option<[u8; 4]> = Some([0; 4]);

/// The packets of a response.
#[derive(Debug, Default)]
pub(super) struct Payload {
    text: Vec<u8>,
    has_packets: bool,
    has_close: bool,
}

impl Payload {
    /// Appends the messages of whole frames of the server. A close frame becomes a close packet, which
    /// is not sent with other packets, except behind a noop if it has waited for a poll: so does
    /// engine.io. Returns the length of the frames that were taken.
    pub(super) fn push_frames(&mut self, frames: &[u8], has_waited: bool) -> usize {
        let mut taken = 0;
        while let Some((opcode, length, payload)) = next_frame(frames.get(taken..)) {
            match opcode {
                _ if self.has_close => break,
                Opcode::Close if self.has_packets => break,
                Opcode::Close => {
                    if has_waited {
                        self.push(PacketType::Noop);
                    }
                    self.push(PacketType::Close);
                    self.has_close = true;
                }
                Opcode::Text => {
                    self.begin_packet();
                    self.text.extend_from_slice(payload);
                }
                Opcode::Binary => {
                    self.begin_packet();
                    self.text.push(BASE64_PREFIX);
                    base64_simd::STANDARD.encode_append(payload, &mut self.text);
                }
                // Only WebSockets have them.
                Opcode::Ping | Opcode::Pong | Opcode::Continuation => {}
            }
            taken += length;
        }
        taken
    }

    /// Appends a packet without data.
    pub(super) fn push(&mut self, packet_type: PacketType) {
        self.begin_packet();
        self.text.push(packet_type.digit());
    }

    fn begin_packet(&mut self) {
        if self.has_packets {
            self.text.push(SEPARATOR);
        }
        self.has_packets = true;
    }

    /// Returns whether a close packet is among the packets.
    pub(super) const fn has_close(&self) -> bool {
        self.has_close
    }

    /// Returns whether there are no packets.
    pub(super) const fn is_empty(&self) -> bool {
        !self.has_packets
    }

    /// Returns the text of all packets.
    pub(super) fn into_text(self) -> Vec<u8> {
        self.text
    }
}

/// Returns opcode, length and payload of the first frame.
fn next_frame(frames: Option<&[u8]>) -> Option<(Opcode, usize, &[u8])> {
    let frames = frames?;
    // The frames are our own; as if they came from a server.
    let (header, start) = FrameHeader::decode(frames, Role::Client, false, true).ok()??;
    let end = start.checked_add(usize::try_from(header.payload_len).ok()?)?;
    Some((header.opcode, end, frames.get(start..end)?))
}

/// The packets that a client has sent at once, as frames that a WebSocket client would have sent.
#[derive(Debug)]
pub(in crate::net) struct ReceivedPayload {
    pub(in crate::net) frames: BytesMut,
    /// True if a close packet stands behind these packets. Whatever follows it is dropped.
    pub(in crate::net) has_close: bool,
}

impl ReceivedPayload {
    /// Takes time and memory in proportion to the length of `body`, however many packets there are
    /// (CVE-2020-36048).
    pub(in crate::net) fn decode(body: &[u8]) -> Self {
        // As Node.js does, which makes a string of it.
        let text = String::from_utf8_lossy(body);
        let mut payload =
            Self { frames: BytesMut::with_capacity(text.len() + 8), has_close: false };
        for packet in text.as_bytes().split(|byte| *byte == SEPARATOR) {
            match packet.first() {
                Some(first) if *first == PacketType::Close.digit() => {
                    payload.has_close = true;
                    break;
                }
                Some(&BASE64_PREFIX) => {
                    let data = decode_base64(packet.get(1..).unwrap_or_default());
                    payload.push(Opcode::Binary, &data);
                }
                first => {
                    payload.push(Opcode::Text, packet);
                    // engine.io's decoder stops at an error, which the application finds, too.
                    if first.is_none_or(|first| PacketType::from_digit(*first).is_none()) {
                        break;
                    }
                }
            }
        }
        payload
    }

    fn push(&mut self, opcode: Opcode, payload: &[u8]) {
        let whole = FrameHeader::whole(opcode, payload.len() as u64);
        self.frames.extend_from_slice(&FrameHeader { mask: NO_MASK, ..whole }.encode());
        self.frames.extend_from_slice(payload);
    }
}

/// Decodes base64 as Node.js's `Buffer` does, which accepts any text.
fn decode_base64(text: &[u8]) -> Vec<u8> {
    base64_simd::STANDARD.decode_to_vec(text).unwrap_or_else(|_| decode_lenient_base64(text))
}

/// Skips characters outside the alphabets of base64 and base64url, and stops at the first `=`.
fn decode_lenient_base64(text: &[u8]) -> Vec<u8> {
    let mut data = Vec::with_capacity(text.len() / 4 * 3 + 3);
    let (mut bits, mut length) = (0_u32, 0);
    for byte in text.iter().take_while(|byte| **byte != b'=') {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => continue,
        };
        bits = bits << 6 | u32::from(value);
        length += 6;
        if length >= 8 {
            length -= 8;
            data.push((bits >> length & 0xff) as u8);
        }
    }
    data
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::{Payload, ReceivedPayload, decode_base64};
    use crate::proto::websocket::{Decoder, Event, Limits, Opcode, Role, encode_frame};

    fn frames(parts: &[(Opcode, &str)]) -> Vec<u8> {
        parts
            .iter()
            .flat_map(|(opcode, data)| encode_frame(true, *opcode, data.as_bytes(), None))
            .collect()
    }

    fn received(body: &[u8]) -> (Vec<String>, bool) {
        let ReceivedPayload { mut frames, has_close } = ReceivedPayload::decode(body);
        let mut decoder = Decoder::new(Role::Server, Limits::default());
        let mut messages = Vec::new();
        while let Some(event) = decoder.poll_event(&mut frames).unwrap() {
            messages.push(match event {
                Event::Text(text) => String::from_utf8(text.to_vec()).unwrap(),
                Event::Binary(data) => format!("<{}>", data.escape_ascii()),
                other => panic!("{other:?}"),
            });
        }
        assert_eq!(frames, BytesMut::new());
        (messages, has_close)
    }

    #[test]
    fn frames_become_packets() {
        let long = format!("4{}", "x".repeat(70_000));
        let sent = frames(&[
            (Opcode::Text, "4a"),
            (Opcode::Binary, "\x01\x02"),
            (Opcode::Ping, "no"),
            (Opcode::Text, &long),
        ]);
        let mut payload = Payload::default();
        assert!(payload.is_empty());
        assert_eq!(payload.push_frames(&sent, false), sent.len());
        assert_eq!(payload.push_frames(&frames(&[(Opcode::Text, "2")]), false), 3);
        assert!(!payload.is_empty() && !payload.has_close());
        assert_eq!(payload.into_text(), format!("4a\x1ebAQI=\x1e{long}\x1e2").into_bytes());
    }

    #[test]
    fn a_close_packet_is_alone_or_behind_a_noop() {
        let close = frames(&[(Opcode::Close, "\x03\u{68}")]);
        let sent = [frames(&[(Opcode::Text, "4a")]), close.clone()].concat();
        let mut payload = Payload::default();
        assert_eq!(payload.push_frames(&sent, false), sent.len() - close.len());
        assert_eq!(payload.push_frames(&close, false), 0);
        assert_eq!(payload.into_text(), b"4a");
        let mut payload = Payload::default();
        assert_eq!(payload.push_frames(&close, false), close.len());
        assert!(payload.has_close());
        assert_eq!(payload.into_text(), b"1");
        let mut payload = Payload::default();
        assert_eq!(payload.push_frames(&close, true), close.len());
        assert_eq!(payload.into_text(), b"6\x1e1");
    }

    #[test]
    fn packets_become_frames() {
        let long = format!("4{}", "x".repeat(70_000));
        let body = format!("4a\x1ebAQI=\x1e2probe\x1e{long}");
        let expected = ["4a", "<\\x01\\x02>", "2probe", &long].map(String::from).to_vec();
        assert_eq!(received(body.as_bytes()), (expected, false));
    }

    #[test]
    fn nothing_behind_a_close_packet_or_an_error_is_received() {
        let texts =
            |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        assert_eq!(received(b"4a\x1e1\x1e4b"), (texts(&["4a"]), true));
        assert_eq!(received(b"4a\x1e9\x1e1"), (texts(&["4a", "9"]), false));
        assert_eq!(received(b"4a\x1e\x1e4b"), (texts(&["4a", ""]), false));
        assert_eq!(received(b""), (texts(&[""]), false));
        assert_eq!(received(b"4\xff\x1e4b"), (texts(&["4\u{fffd}", "4b"]), false));
    }

    #[test]
    fn base64_is_decoded_as_by_node() {
        for (text, expected) in [
            ("AQI=", &[1, 2][..]),
            ("AQI", &[1, 2]),
            ("A Q\nI=", &[1, 2]),
            ("AQI=AQI=", &[1, 2]),
            ("-_8", &[0xfb, 0xff]),
            ("+/8=", &[0xfb, 0xff]),
            ("A", &[]),
            ("", &[]),
        ] {
            assert_eq!(decode_base64(text.as_bytes()), expected, "{text}");
        }
    }
}
