//! HTTP/1.1 as the server answers it.

use anyhow::{Context, Result, ensure};
use bytes::{Bytes, BytesMut};

use crate::connection::{Connection, Opener};

/// The header of offers and answers of WebSocket extensions.
pub const EXTENSIONS: &str = "Sec-WebSocket-Extensions";

/// The longest response head in bytes.
const MAX_HEAD: usize = 8 << 10;

/// The head of a response.
#[derive(Debug, PartialEq, Eq)]
pub struct Head {
    /// The length of the head itself.
    pub len: usize,
    /// The status.
    pub status: u16,
    /// The value of `Content-Length`, or 0.
    pub body_len: usize,
    /// The value of `Sec-WebSocket-Extensions`.
    pub extension: Option<String>,
}

impl Head {
    /// Parses the head at the start of `input`, or returns `None` if it is incomplete.
    pub fn parse(input: &[u8]) -> Result<Option<Self>> {
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut response = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(len) = response.parse(input)? else {
            ensure!(input.len() <= MAX_HEAD, "the response head does not end");
            return Ok(None);
        };
        let status = response.code.context("a response without status")?;
        let value = |name| {
            let header = response.headers.iter().find(|it| it.name.eq_ignore_ascii_case(name));
            header.map(|header| String::from_utf8_lossy(header.value).into_owned())
        };
        let body_len = value("Content-Length").map_or(Ok(0), |length| length.parse())?;
        Ok(Some(Self { len, status, body_len, extension: value(EXTENSIONS) }))
    }
}

/// Requests that follow one another, on one connection as long as the server keeps it.
pub struct Requests {
    opener: Opener,
    /// Of the connection, for the opener.
    index: usize,
    connection: Option<Connection>,
    input: BytesMut,
    is_waiting: bool,
}

impl Requests {
    /// Connects with the first request.
    pub fn new(opener: Opener, index: usize) -> Self {
        Self { opener, index, connection: None, input: BytesMut::new(), is_waiting: false }
    }

    /// Returns whether a request has not been answered.
    pub fn is_waiting(&self) -> bool {
        self.is_waiting
    }

    /// The connection, if there is one.
    pub fn connection(&mut self) -> Option<&mut Connection> {
        self.connection.as_mut()
    }

    /// Closes the connection; the next request has one of its own.
    pub fn close(&mut self) {
        self.connection = None;
    }

    /// Sends a request; the one before it has been answered.
    pub fn send(&mut self, request: &[u8]) -> Result<()> {
        ensure!(!self.is_waiting, "a request before the answer to another");
        if self.connection.is_none() {
            self.connection = Some(self.opener.open(self.index)?);
        }
        self.is_waiting = true;
        self.connection.as_mut().map_or(Ok(()), |connection| connection.write(request))
    }

    /// Reads, and returns the body of the answer if it is complete.
    ///
    /// # Errors
    ///
    /// If the server refuses the request, or ends the connection before it has answered.
    pub fn receive(&mut self, buffer: &mut [u8], is_ended: bool) -> Result<Option<Bytes>> {
        let Some(connection) = &mut self.connection else { return Ok(None) };
        let received = connection.receive(buffer, is_ended)?;
        self.input.extend_from_slice(&received.bytes);
        let body = self.take_body()?;
        if received.is_ended {
            ensure!(!self.is_waiting, "the server ended the connection");
            self.connection = None;
        }
        Ok(body)
    }

    fn take_body(&mut self) -> Result<Option<Bytes>> {
        if self.input.is_empty() {
            return Ok(None);
        }
        ensure!(self.is_waiting, "an answer without a request");
        let Some(head) = Head::parse(&self.input)? else { return Ok(None) };
        ensure!(head.status == 200, "the server answered {}", head.status);
        if self.input.len() < head.len + head.body_len {
            return Ok(None);
        }
        let mut response = self.input.split_to(head.len + head.body_len);
        self.is_waiting = false;
        Ok(Some(response.split_off(head.len).freeze()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";

    #[test]
    fn a_head_may_come_in_pieces() -> Result<()> {
        for length in 0..HEAD.len() {
            assert_eq!(Head::parse(&HEAD[..length])?, None);
        }
        let head = Head { len: HEAD.len(), status: 101, body_len: 0, extension: None };
        assert_eq!(Head::parse(&[HEAD, b"\x81\x01x"].concat())?, Some(head));
        Ok(())
    }

    #[test]
    fn a_head_has_the_length_of_the_body_and_the_extension() -> Result<()> {
        let text = b"HTTP/1.1 200 OK\r\ncontent-length: 12\r\nsec-websocket-extensions: x\r\n\r\n";
        let head = Head::parse(text)?.context("incomplete")?;
        assert_eq!((head.status, head.body_len, head.extension.as_deref()), (200, 12, Some("x")));
        Ok(())
    }

    #[test]
    fn an_endless_head_is_an_error() {
        let endless = [b"HTTP/1.1 101 Ok\r\nName: ".as_slice(), &[b'x'; MAX_HEAD]].concat();
        assert!(Head::parse(&endless).is_err());
    }
}
