//! A WebSocket of a client.

use anyhow::{Result, bail, ensure};
use bytes::{Bytes, BytesMut};
use socket_io_turbo::proto::websocket::{Decoder, Event, Limits, Opcode, Role, encode_frame};

use crate::client::Server;
use crate::connection::{Connection, Opener};
use crate::deflate::{self, Deflate};
use crate::http::{EXTENSIONS, Head};

/// A connection that becomes a WebSocket.
pub struct WebSocket {
    connection: Connection,
    server: Server,
    /// True once the server has answered the upgrade request.
    is_open: bool,
    /// The extension once the server has accepted it.
    deflate: Option<Box<Deflate>>,
    decoder: Decoder,
    /// Bytes that have been read, and not decoded yet.
    input: BytesMut,
    is_ended: bool,
}

impl WebSocket {
    /// Connects, and asks for the upgrade, of a session if there is one.
    pub fn open(opener: &Opener, index: usize, sid: Option<&str>) -> Result<Self> {
        let mut websocket = Self {
            connection: opener.open(index)?,
            server: opener.server(),
            is_open: false,
            deflate: None,
            decoder: Decoder::new(Role::Client, Limits::default()),
            input: BytesMut::new(),
            is_ended: false,
        };
        websocket.connection.write(upgrade_request(opener.server(), sid).as_bytes())?;
        Ok(websocket)
    }

    /// The connection.
    pub fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// Returns whether the server has upgraded the connection.
    pub fn is_open(&self) -> bool {
        self.is_open
    }

    /// Sends an Engine.IO packet in its text form.
    pub fn send(&mut self, packet: &[u8]) -> Result<()> {
        match &mut self.deflate {
            None => self.connection.write(&encode_frame(
                true,
                Opcode::Text,
                packet,
                Some(masking_key()),
            )),
            Some(deflate) => {
                let frame = deflate.encode_text(packet, masking_key())?;
                self.connection.write(&frame)
            }
        }
    }

    /// Reads everything available, for [`next_text`](Self::next_text).
    pub fn receive(&mut self, buffer: &mut [u8], is_ended: bool) -> Result<()> {
        let received = self.connection.receive(buffer, is_ended)?;
        self.is_ended = received.is_ended;
        if !self.is_open {
            self.input.extend_from_slice(&received.bytes);
            return self.handle_head();
        }
        self.append(received.bytes)
    }

    /// Returns the next text message that has been read.
    ///
    /// # Errors
    ///
    /// If there is none, and the server has ended the connection.
    pub fn next_text(&mut self) -> Result<Option<Bytes>> {
        while self.is_open
            && let Some(event) = self.decoder.poll_event(&mut self.input)?
        {
            match event {
                Event::Text(text) => return Ok(Some(text)),
                Event::Ping(payload) => {
                    let pong = encode_frame(true, Opcode::Pong, &payload, Some(masking_key()));
                    self.connection.write(&pong)?;
                }
                Event::Pong(_) => {}
                // An attachment.
                Event::Binary(_) if self.server.site.is_some() => {}
                Event::Binary(_) => bail!("the server sent a binary message"),
                Event::Close { code, reason } => bail!("the server closed: {code:?} {reason}"),
            }
        }
        ensure!(!self.is_ended, "the server ended the connection");
        Ok(None)
    }

    fn handle_head(&mut self) -> Result<()> {
        let Some(head) = Head::parse(&self.input)? else { return Ok(()) };
        ensure!(head.status == 101, "the server answered {}", head.status);
        self.deflate = negotiated(self.server.deflate, head.extension.as_deref())?;
        self.is_open = true;
        let frames = self.input.split_off(head.len);
        self.input.clear();
        self.append(frames)
    }

    fn append(&mut self, bytes: BytesMut) -> Result<()> {
        let frames = match &mut self.deflate {
            Some(deflate) => deflate.decode_frames(&bytes)?,
            None => bytes,
        };
        if self.input.is_empty() {
            self.input = frames;
        } else {
            self.input.unsplit(frames);
        }
        Ok(())
    }
}

fn upgrade_request(server: Server, sid: Option<&str>) -> String {
    let offer = if server.deflate {
        format!("{EXTENSIONS}: {}\r\n", deflate::OFFER)
    } else {
        String::new()
    };
    // The key is RFC 6455's own example: no cache stands between, so any will do.
    server.request("GET", "websocket", sid)
        + "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
           Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        + &offer
        + "\r\n"
}

/// Returns permessage-deflate if it was offered.
///
/// # Errors
///
/// If the server has not accepted it, or has accepted what was not offered.
fn negotiated(is_offered: bool, extension: Option<&str>) -> Result<Option<Box<Deflate>>> {
    match (is_offered, extension) {
        (true, Some(extension)) => Ok(Some(Box::new(Deflate::new(extension)?))),
        (true, None) => bail!("the server does not accept permessage-deflate"),
        (false, Some(extension)) => bail!("the server has extension {extension} of its own accord"),
        (false, None) => Ok(None),
    }
}

/// Returns a new key for each frame, RFC 6455 §5.3. It need not be unpredictable here.
fn masking_key() -> [u8; 4] {
    fastrand::u32(..).to_ne_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extension_is_accepted_if_it_was_offered() -> Result<()> {
        let extension = Some("permessage-deflate");
        assert!(negotiated(true, extension)?.is_some());
        assert!(negotiated(false, extension).is_err());
        assert!(negotiated(false, None)?.is_none());
        assert!(negotiated(true, None).is_err());
        Ok(())
    }

    #[test]
    fn an_offer_stands_in_the_request() {
        let server = Server::new(([127, 0, 0, 1], 80).into());
        let request = |deflate| upgrade_request(Server { deflate, ..server }, None);
        let offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";
        assert!(request(true).ends_with(offer));
        assert_eq!(request(true).replace(offer, "\r\n"), request(false));
    }
}
