//! Decodes packets for a comparison with socket.io-parser.
//!
//! It reads one text message a line, in hexadecimal, and writes one JSON object a line. Awaited
//! attachments are empty.

mod hex;

use std::io::{self, BufWriter, Write};

use bytes::Bytes;
use serde_json::{Value, json};
use socket_io_turbo::proto::socket_io::{DecodeError, Decoder, Packet, Payload};

fn main() -> io::Result<()> {
    let mut output = BufWriter::new(io::stdout().lock());
    for line in io::stdin().lines() {
        let text = hex::from_hex(&line?).ok_or(io::ErrorKind::InvalidInput)?;
        let result = decode(text).map_or_else(error_json, |packet| packet_json(&packet));
        writeln!(output, "{result}")?;
    }
    output.flush()
}

fn decode(text: Bytes) -> Result<Packet, DecodeError> {
    let mut decoder = Decoder::default();
    let mut decoded = decoder.handle_text(text)?;
    while decoder.awaited_attachments() > 0 {
        decoded = decoder.handle_binary(Bytes::new())?;
    }
    decoded.ok_or(DecodeError::IllegalAttachments)
}

fn packet_json(packet: &Packet) -> Value {
    let is_binary = packet.packet_type.is_binary();
    json!({
        "type": packet.packet_type as u8,
        "nsp": packet.namespace.as_str(),
        "id": packet.ack_id,
        "attachments": is_binary.then_some(packet.attachments.len()),
        "payload": packet.payload.as_ref().map(payload_text),
    })
}

fn payload_text(payload: &Payload) -> String {
    String::from_utf8_lossy(payload.as_bytes()).into_owned()
}

fn error_json(error: DecodeError) -> Value {
    json!({ "error": error.to_string() })
}
