//! Decodes and encodes broadcasts for a comparison with the official Redis adapters.
//!
//! It reads one message a line and writes one JSON object a line. A line in hexadecimal is a
//! message of the classic protocol to decode; after `sharded`, one of the sharded protocol, for
//! which the answer is `{"isOther":true}` if JavaScript must handle it. A JSON object is a message
//! to encode, by the sharded protocol if it has a namespace.

mod hex;

use std::error::Error;
use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};

use bytes::Bytes;
use serde_json::{Value, json};
use socket_io_turbo::proto::cluster::{Broadcast, ClusterBroadcast, Options, Room};
use socket_io_turbo::proto::socket_io::{Decoder, Namespace, Packet};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let mut output = BufWriter::new(io::stdout().lock());
    for line in io::stdin().lines() {
        let result = convert(&line?).unwrap_or_else(|error| json!({ "error": error.to_string() }));
        writeln!(output, "{result}")?;
    }
    output.flush()?;
    Ok(())
}

fn convert(line: &str) -> Result<Value> {
    if line.starts_with('{') {
        return encode(&serde_json::from_str(line)?);
    }
    match line.strip_prefix("sharded ") {
        Some(digits) => decode_sharded(&message(digits)?),
        None => decode(&message(line)?),
    }
}

fn message(digits: &str) -> Result<Bytes> {
    Ok(hex::from_hex(digits).ok_or("no hexadecimal digits")?)
}

fn decode(message: &Bytes) -> Result<Value> {
    let Broadcast { uid, packet, options } = Broadcast::decode(message)?;
    let mut decoded = broadcast_json(&packet, &options);
    decoded["uid"] = json!(uid.as_deref());
    Ok(decoded)
}

/// Decodes a message of the sharded protocol, for a node with the namespace of the message.
fn decode_sharded(message: &Bytes) -> Result<Value> {
    let Some(broadcast) = ClusterBroadcast::decode(message)? else {
        return Ok(json!({ "isOther": true }));
    };
    let ClusterBroadcast { uid, namespace: name, packet, options } = broadcast;
    let namespace = name.clone().and_then(Namespace::new).unwrap_or_default();
    let mut decoded = broadcast_json(&Packet { namespace, ..packet }, &options);
    decoded["uid"] = json!(uid.as_deref());
    decoded["nsp"] = json!(name.as_deref());
    Ok(decoded)
}

fn broadcast_json(packet: &Packet, options: &Options) -> Value {
    json!({
        "text": String::from_utf8_lossy(&packet.encode()),
        "attachments": packet.attachments.iter().map(to_hex).collect::<Vec<_>>(),
        "rooms": options.rooms.iter().map(room_json).collect::<Vec<_>>(),
        "except": options.except.iter().map(room_json).collect::<Vec<_>>(),
        "volatile": options.flags.is_volatile(),
    })
}

fn encode(message: &Value) -> Result<Value> {
    let (uid, options) = (text(&message["uid"]), text(&message["options"]).as_bytes());
    let packet = packet(message)?;
    let encoded = match &message["nsp"] {
        Value::String(name) => ClusterBroadcast::encode_parts(uid, name, &packet, options)?,
        _ => Broadcast::encode_parts(uid, &packet, options)?,
    };
    Ok(json!({ "message": to_hex(&encoded) }))
}

/// Returns the packet of a message to encode.
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

/// Returns a room as JSON: null for a number that JSON cannot hold.
fn room_json(room: &Room) -> Value {
    match room {
        Room::Text(name) => json!(&**name),
        Room::Number(number) => json!(number),
        Room::Boolean(boolean) => json!(boolean),
        Room::Null | Room::Other => Value::Null,
    }
}

fn to_hex(bytes: &Bytes) -> String {
    bytes.iter().fold(String::new(), |mut digits, byte| {
        // Writing to a String cannot fail.
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}
