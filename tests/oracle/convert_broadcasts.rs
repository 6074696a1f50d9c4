//! Decodes and encodes broadcasts of the Redis adapter for a comparison with notepack.io
//! and socket.io-parser. One message a line on standard input, one JSON object a line on
//! standard output. A line in hexadecimal is a message to decode; a line that is a JSON
//! object, such as one that was printed, is a message to encode.

mod hex;

use std::error::Error;
use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};

use bytes::Bytes;
use serde_json::{Value, json};
use socket_io_turbo::proto::notepack::{Broadcast, Room};
use socket_io_turbo::proto::socket_io::{Decoder, Packet};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let mut output = BufWriter::new(io::stdout().lock());
    for line in io::stdin().lines() {
        let line = line?;
        let result = if line.starts_with('{') { encode(&line) } else { decode(&line) };
        let result = result.unwrap_or_else(|error| json!({ "error": error.to_string() }));
        writeln!(output, "{result}")?;
    }
    output.flush()?;
    Ok(())
}

fn decode(line: &str) -> Result<Value> {
    let message = hex::from_hex(line).ok_or("no hexadecimal digits")?;
    let Broadcast { uid, packet, options } = Broadcast::decode(&message)?;
    Ok(json!({
        "uid": uid.as_deref(),
        "text": utf8(&packet.encode()),
        "attachments": packet.attachments.iter().map(to_hex).collect::<Vec<_>>(),
        "rooms": options.rooms.iter().map(room_json).collect::<Vec<_>>(),
        "except": options.except.iter().map(room_json).collect::<Vec<_>>(),
        "volatile": options.flags.is_volatile(),
        "compressed": options.flags.is_compressed(),
    }))
}

fn encode(line: &str) -> Result<Value> {
    let message: Value = serde_json::from_str(line)?;
    let (uid, options) = (text(&message["uid"]), text(&message["options"]));
    let encoded = Broadcast::encode_parts(uid, &packet(&message)?, options.as_bytes())?;
    Ok(json!({ "message": to_hex(&encoded) }))
}

/// The packet of which a message gives the text and the attachments.
fn packet(message: &Value) -> Result<Packet> {
    let mut decoder = Decoder::new(usize::MAX);
    let mut decoded = decoder.handle_text(text(&message["text"]).to_owned().into())?;
    for attachment in message["attachments"].as_array().into_iter().flatten() {
        let attachment = attachment.as_str().and_then(hex::from_hex).ok_or("no attachment")?;
        decoded = decoder.handle_binary(attachment)?;
    }
    Ok(decoded.ok_or("an attachment is missing")?)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A number that JSON does not know becomes null.
fn room_json(room: &Room) -> Value {
    match room {
        Room::Text(name) => json!(&**name),
        Room::Number(number) => json!(number),
        Room::Other => Value::Null,
    }
}

fn utf8(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn to_hex(bytes: &Bytes) -> String {
    bytes.iter().fold(String::new(), |mut digits, byte| {
        // Writing to a String cannot fail.
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}
