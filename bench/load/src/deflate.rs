//! permessage-deflate, RFC 7692, at the client's end, as browsers have it: each text is compressed,
//! with the context of those before it unless the server asks for none.
//!
//! Frames that come are rewritten into frames without compression, so that all that follows is as it is
//! on other connections. Frames of a server are not masked.

use anyhow::{Context, Result, bail, ensure};
use bytes::{Buf, BytesMut};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use socket_io_turbo::proto::websocket::{Opcode, encode_frame};

/// The offer in the upgrade request: that of Chromium.
pub const OFFER: &str = "permessage-deflate; client_max_window_bits";

/// The end of each flushed block, which is not sent, RFC 7692 §7.2.1.
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

const FIN: u8 = 0x80;
/// Marks the first frame of a compressed message.
const RSV1: u8 = 0x40;
const OPCODE: u8 = 0x0f;
const CONTROL: u8 = 0x08;
const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;

const MAX_WINDOW_BITS: u8 = 15;

/// The server's answer to [`OFFER`].
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    /// True if a message of the server may refer to those before it.
    server_keeps_context: bool,
    /// True if a message of the client may.
    client_keeps_context: bool,
    /// The largest window of the client.
    client_window_bits: u8,
}

/// The extension on one connection.
pub struct Deflate {
    compress: Compress,
    decompress: Decompress,
    answer: Answer,
    /// The beginning of a frame.
    input: BytesMut,
    /// The payload so far of a compressed message.
    message: Option<Vec<u8>>,
}

impl Answer {
    /// Parses the value of `Sec-WebSocket-Extensions`.
    fn parse(extension: &str) -> Result<Self> {
        let mut parameters = extension.split(';').map(str::trim);
        ensure!(parameters.next() == Some("permessage-deflate"), "an unknown extension");
        let mut answer = Self {
            server_keeps_context: true,
            client_keeps_context: true,
            client_window_bits: MAX_WINDOW_BITS,
        };
        for parameter in parameters {
            match parameter.split_once('=').unwrap_or((parameter, "")) {
                ("server_no_context_takeover", "") => answer.server_keeps_context = false,
                ("client_no_context_takeover", "") => answer.client_keeps_context = false,
                // Any window can be read with the largest.
                ("server_max_window_bits", bits) => drop(window_bits(bits)?),
                ("client_max_window_bits", bits) => answer.client_window_bits = window_bits(bits)?,
                _ => bail!("an unknown parameter: {parameter}"),
            }
        }
        Ok(answer)
    }
}

fn window_bits(text: &str) -> Result<u8> {
    let bits = text.parse().with_context(|| format!("no window bits: {text}"))?;
    // zlib has no window of 8 bits.
    ensure!((9..=MAX_WINDOW_BITS).contains(&bits), "a window of {bits} bits");
    Ok(bits)
}

impl Deflate {
    /// Begins as the server has answered in `Sec-WebSocket-Extensions`.
    ///
    /// # Errors
    ///
    /// If that is no answer to [`OFFER`].
    pub fn new(extension: &str) -> Result<Self> {
        let answer = Answer::parse(extension)
            .with_context(|| format!("the server answered with extension {extension}"))?;
        let (level, bits) = (Compression::default(), answer.client_window_bits);
        Ok(Self {
            compress: Compress::new_with_window_bits(level, false, bits),
            decompress: Decompress::new_with_window_bits(false, MAX_WINDOW_BITS),
            answer,
            input: BytesMut::new(),
            message: None,
        })
    }

    /// Encodes a compressed frame of a text, which must not be empty: zlib then flushes nothing.
    pub fn encode_text(&mut self, text: &[u8], mask: [u8; 4]) -> Result<BytesMut> {
        let payload = self.compress(text)?;
        let mut frame = BytesMut::from(encode_frame(true, Opcode::Text, &payload, Some(mask)));
        *frame.first_mut().context("an empty frame")? |= RSV1;
        Ok(frame)
    }

    /// Takes what has been read. Returns the frames that are complete now, without compression.
    ///
    /// # Errors
    ///
    /// If a frame is not one of this extension.
    pub fn decode_frames(&mut self, input: &[u8]) -> Result<BytesMut> {
        self.input.extend_from_slice(input);
        let mut frames = BytesMut::new();
        while let Some((header_len, frame_len)) = lengths(&self.input)?
            && frame_len <= self.input.len()
        {
            let frame = self.input.split_to(frame_len);
            self.handle_frame(&frame, header_len, &mut frames)?;
        }
        Ok(frames)
    }

    /// Appends what `frame` completes to `frames`.
    fn handle_frame(
        &mut self,
        frame: &[u8],
        header_len: usize,
        frames: &mut BytesMut,
    ) -> Result<()> {
        let first = *frame.first().context("an empty frame")?;
        let is_compressed = first & RSV1 != 0 || self.message.is_some();
        if first & CONTROL != 0 || !is_compressed {
            frames.extend_from_slice(frame);
            return Ok(());
        }
        let expected = if self.message.is_some() { CONTINUATION } else { RSV1 | TEXT };
        ensure!(first & (RSV1 | OPCODE) == expected, "frame {first:#x} is no part of a text");
        let message = self.message.get_or_insert_default();
        message.extend_from_slice(frame.get(header_len..).unwrap_or_default());
        if first & FIN != 0
            && let Some(message) = self.message.take()
        {
            let text = self.inflate(message)?;
            frames.extend_from_slice(&encode_frame(true, Opcode::Text, &text, None));
        }
        Ok(())
    }

    fn compress(&mut self, text: &[u8]) -> Result<Vec<u8>> {
        let Self { compress, answer, .. } = self;
        if !answer.client_keeps_context {
            compress.reset();
        }
        let start = compress.total_in();
        let mut payload = Vec::with_capacity(text.len() / 2 + 64);
        loop {
            let rest = text.get((compress.total_in() - start) as usize..).unwrap_or_default();
            compress.compress_vec(rest, &mut payload, FlushCompress::Sync)?;
            // Where room is left, everything has been flushed.
            if payload.len() < payload.capacity() {
                break;
            }
            payload.reserve(payload.capacity());
        }
        ensure!(payload.ends_with(&TAIL), "a text was not flushed");
        payload.truncate(payload.len() - TAIL.len());
        Ok(payload)
    }

    fn inflate(&mut self, mut payload: Vec<u8>) -> Result<Vec<u8>> {
        payload.extend_from_slice(&TAIL);
        let Self { decompress, answer, .. } = self;
        let mut rest = payload.as_slice();
        let mut text = Vec::with_capacity(4 * payload.len());
        let status = loop {
            let start = decompress.total_in();
            let status = decompress.decompress_vec(rest, &mut text, FlushDecompress::Sync)?;
            rest.advance((decompress.total_in() - start) as usize);
            // Where room is left, the input has been used up.
            if status == Status::StreamEnd || text.len() < text.capacity() {
                break status;
            }
            text.reserve(text.capacity());
        };
        ensure!(rest.is_empty() || status == Status::StreamEnd, "a message was cut");
        if status == Status::StreamEnd || !answer.server_keeps_context {
            decompress.reset(false);
        }
        Ok(text)
    }
}

/// Returns the lengths of the header and of the whole frame at the front of `input`, or `None` if the
/// header is incomplete. RFC 6455 §5.2.
fn lengths(input: &[u8]) -> Result<Option<(usize, usize)>> {
    let (header_len, payload_len) = match *input {
        [_, length @ 0..=125, ..] => (2, length.into()),
        [_, 126, a, b, ..] => (4, u16::from_be_bytes([a, b]).into()),
        [_, 127, a, b, c, d, e, f, g, h, ..] => {
            (10, u64::from_be_bytes([a, b, c, d, e, f, g, h]).try_into()?)
        }
        [_, 128..=255, ..] => bail!("the server masks a frame"),
        _ => return Ok(None),
    };
    let frame_len = usize::checked_add(header_len, payload_len).context("an endless frame")?;
    Ok(Some((header_len, frame_len)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use socket_io_turbo::proto::websocket::mask;

    const NO_CONTEXT: &str =
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    const CONTEXT: &str = "permessage-deflate";

    /// A text that compresses, and is longer than the first guess of any buffer.
    fn long_text() -> String {
        (0..4_000).map(|number| format!("{number} ")).collect()
    }

    /// The frames of a server for texts, by a client's compression without its mask.
    fn server_frames(server: &mut Deflate, texts: &[&str]) -> Result<Vec<u8>> {
        let frames = texts.iter().map(|text| {
            let payload = server.compress(text.as_bytes())?;
            Ok(frame(FIN | RSV1 | TEXT, &payload))
        });
        Ok(frames.collect::<Result<Vec<_>>>()?.concat())
    }

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = encode_frame(true, Opcode::Text, payload, None).to_vec();
        frame[0] = first;
        frame
    }

    fn plain(texts: &[&str]) -> Vec<u8> {
        texts.iter().flat_map(|text| frame(FIN | TEXT, text.as_bytes())).collect()
    }

    /// The text of a client's frame as a server reads it, without what it has read before.
    fn read_alone(frame: &[u8], window_bits: u8) -> Option<Vec<u8>> {
        let &[first, length, a, b, c, d, ref payload @ ..] = frame else { return None };
        assert_eq!((first, length), (FIN | RSV1 | TEXT, 0x80 | payload.len() as u8));
        let mut payload = payload.to_vec();
        let _ = mask(&mut payload, [a, b, c, d]);
        payload.extend_from_slice(&TAIL);
        let mut text = Vec::with_capacity(1_000);
        Decompress::new_with_window_bits(false, window_bits)
            .decompress_vec(&payload, &mut text, FlushDecompress::Sync)
            .ok()?;
        Some(text)
    }

    #[test]
    fn an_answer_says_who_keeps_a_context_and_how_much() -> Result<()> {
        let answer = |server_keeps_context, client_keeps_context, client_window_bits| Answer {
            server_keeps_context,
            client_keeps_context,
            client_window_bits,
        };
        let bits = "permessage-deflate;client_max_window_bits=9; server_max_window_bits=10";
        assert_eq!(Answer::parse(CONTEXT)?, answer(true, true, 15));
        assert_eq!(Answer::parse(NO_CONTEXT)?, answer(false, false, 15));
        assert_eq!(Answer::parse(bits)?, answer(true, true, 9));
        Ok(())
    }

    #[test]
    fn anything_else_is_no_answer() {
        let parameters = ["x", "client_max_window_bits", "client_max_window_bits=8"].into_iter();
        let more = ["server_max_window_bits=16", "server_no_context_takeover=1"];
        for parameter in parameters.chain(more) {
            assert!(Answer::parse(&format!("{CONTEXT}; {parameter}")).is_err(), "{parameter}");
        }
        assert!(Answer::parse("").is_err());
        assert!(Answer::parse("permessage-deflate, permessage-deflate").is_err());
    }

    #[test]
    fn texts_come_back_wherever_their_frames_are_cut() -> Result<()> {
        let long = long_text();
        let texts = ["2", "a text, a text, a text", "a text, a text, a text", &long];
        for extension in [CONTEXT, NO_CONTEXT] {
            for step in [1, 7, 100_000] {
                let frames = server_frames(&mut Deflate::new(extension)?, &texts)?;
                let mut client = Deflate::new(extension)?;
                let mut decoded = Vec::new();
                for piece in frames.chunks(step) {
                    decoded.extend_from_slice(&client.decode_frames(piece)?);
                }
                assert!(decoded == plain(&texts), "{extension}, {step} bytes at a time");
            }
        }
        Ok(())
    }

    #[test]
    fn a_context_is_kept_only_where_the_server_keeps_it() -> Result<()> {
        let texts = ["a text that comes twice", "a text that comes twice"];
        let frames = server_frames(&mut Deflate::new(CONTEXT)?, &texts)?;
        let decoded = Deflate::new(NO_CONTEXT)?.decode_frames(&frames);
        assert!(decoded.is_err() || decoded.is_ok_and(|decoded| decoded != plain(&texts)));
        Ok(())
    }

    #[test]
    fn a_block_that_ends_the_stream_ends_no_connection() -> Result<()> {
        let mut payload = Vec::with_capacity(100);
        let mut compress = Compress::new(Compression::default(), false);
        compress.compress_vec(b"a text", &mut payload, FlushCompress::Finish)?;
        payload.push(0);
        let message = frame(FIN | RSV1 | TEXT, &payload);
        let mut client = Deflate::new(CONTEXT)?;
        for _ in 0..2 {
            assert_eq!(client.decode_frames(&message)?, plain(&["a text"]));
        }
        Ok(())
    }

    #[test]
    fn fragments_are_joined_and_other_frames_pass() -> Result<()> {
        let payload = Deflate::new(CONTEXT)?.compress(b"a text, a text")?;
        let (head, tail) = payload.split_at(3);
        let ping = frame(FIN | 9, b"?");
        let frames =
            [frame(RSV1 | TEXT, head), ping.clone(), frame(CONTINUATION, b""), frame(FIN, tail)];
        let mut client = Deflate::new(CONTEXT)?;
        let decoded = client.decode_frames(&frames.concat())?;
        assert_eq!(decoded, [ping, plain(&["a text, a text"])].concat());
        // Without compression.
        let frames = [frame(TEXT, b"a "), frame(FIN, b"text"), plain(&["a text"])].concat();
        assert_eq!(client.decode_frames(&frames)?, frames);
        Ok(())
    }

    #[test]
    fn frames_that_are_no_part_of_a_text_are_refused() -> Result<()> {
        let masked = [FIN | TEXT, 0x80].as_slice();
        let endless = [&[FIN | TEXT, 127], [0xff; 8].as_slice()].concat();
        let binary = frame(FIN | RSV1 | 2, b"x");
        let broken = frame(FIN | RSV1 | TEXT, &[0xff; 9]);
        let interleaved = [frame(RSV1 | TEXT, b""), frame(FIN | TEXT, b"x")].concat();
        let marked_twice = [frame(RSV1 | TEXT, b""), frame(FIN | RSV1, b"")].concat();
        for frames in [masked, &endless, &binary, &broken, &interleaved, &marked_twice] {
            assert!(Deflate::new(CONTEXT)?.decode_frames(frames).is_err(), "{frames:x?}");
        }
        Ok(())
    }

    #[test]
    fn a_server_reads_a_text_alone_only_if_it_asked_for_no_context() -> Result<()> {
        let text = b"a text that is sent twice";
        for (extension, is_read) in [(NO_CONTEXT, true), (CONTEXT, false)] {
            let mut client = Deflate::new(extension)?;
            client.encode_text(text, [1, 2, 3, 4])?;
            let again = client.encode_text(text, [5, 6, 7, 8])?;
            let read = read_alone(&again, MAX_WINDOW_BITS);
            assert_eq!(read.as_deref() == Some(text), is_read, "{extension}");
        }
        Ok(())
    }

    #[test]
    fn a_text_refers_no_further_back_than_the_server_allows() -> Result<()> {
        let letters = (0..700).map(|_| fastrand::lowercase()).collect::<String>();
        let mut client = Deflate::new("permessage-deflate; client_max_window_bits=9")?;
        let mut server = Decompress::new_with_window_bits(false, 9);
        for text in [&letters, &letters] {
            let mut payload = client.compress(text.as_bytes())?;
            payload.extend_from_slice(&TAIL);
            let mut read = Vec::with_capacity(1_000);
            server.decompress_vec(&payload, &mut read, FlushDecompress::Sync)?;
            assert_eq!(read, text.as_bytes());
        }
        Ok(())
    }
}
