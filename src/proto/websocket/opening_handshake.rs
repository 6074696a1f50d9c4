//! The opening handshake, RFC 6455 §4.2, as ws answers it.

use base64_simd::{AsOut, STANDARD};
use bytes::{BufMut, Bytes, BytesMut};

use super::sha1::sha1;
use crate::proto::http::{BodyFraming, Method, RequestHead, Values};

/// RFC 6455 §1.3.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The response up to the answer to the key; the headers in the order of ws.
const START: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Accept: ";

/// The length of a key in base64, and of the answer to it.
const KEY_LEN: usize = 24;
const ANSWER_LEN: usize = 28;

/// A request for a WebSocket that ws would accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpeningHandshake {
    key: [u8; KEY_LEN],
}

impl OpeningHandshake {
    /// Takes the request for a WebSocket; `None` if this is none, or one that ws refuses or may treat
    /// differently: there is a body, or a subprotocol is asked for.
    #[must_use]
    pub fn of(head: &RequestHead<'_>) -> Option<Self> {
        let has = |name, values: &[&[u8]]| {
            let value = head.values(name).single();
            value.is_some_and(|value| values.iter().any(|it| value.eq_ignore_ascii_case(it)))
        };
        let is_upgrade = head.method() == Method::Get
            && head.body() == BodyFraming::Length(0)
            && has("upgrade", &[b"websocket"])
            && head.has_list_element("connection", "upgrade")
            && has("sec-websocket-version", &[b"13", b"8"])
            && head.values("sec-websocket-protocol") == Values::Absent;
        let key = head.values("sec-websocket-key").single()?.try_into().ok()?;
        (is_upgrade && is_key(key)).then_some(Self { key: *key })
    }

    /// Returns the response that accepts the request. `headers` are more of its lines, each with CRLF.
    #[must_use]
    pub fn accept(&self, headers: &[u8]) -> Bytes {
        let mut input = [0; KEY_LEN + GUID.len()];
        for (place, byte) in input.iter_mut().zip(self.key.iter().chain(GUID)) {
            *place = *byte;
        }
        let mut answer = [0; ANSWER_LEN];
        let digest = sha1(&input);
        let encoded = STANDARD.encode(&digest, answer.as_mut_slice().as_out());
        let mut response = BytesMut::with_capacity(Self::accept_len(headers));
        for part in [START, &*encoded, b"\r\n", headers, b"\r\n"] {
            response.put_slice(part);
        }
        response.freeze()
    }

    /// Returns the length of [`accept`](Self::accept) in bytes.
    #[must_use]
    pub const fn accept_len(headers: &[u8]) -> usize {
        START.len() + ANSWER_LEN + headers.len() + b"\r\n\r\n".len()
    }
}

/// Returns whether ws takes these bytes for a key: 16 bytes in base64, the last bits of any value.
fn is_key(key: &[u8; KEY_LEN]) -> bool {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let (digits, padding) = key.split_at(KEY_LEN - 2);
    digits.iter().all(is_digit) && padding == b"=="
}

#[cfg(test)]
mod tests {
    use super::OpeningHandshake;
    use crate::proto::http::{HeadRead, read_head};

    const HEADERS: [&str; 5] = [
        "Host: server.example.com",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
    ];

    fn handshake(first: &str, headers: &[&str]) -> Option<OpeningHandshake> {
        let head = format!("{first}\r\n{}\r\n\r\n", headers.join("\r\n"));
        match read_head(head.as_bytes()) {
            HeadRead::Complete(head, _) => OpeningHandshake::of(&head),
            other => panic!("{other:?}"),
        }
    }

    /// Returns the handshake of [`HEADERS`] with one of them replaced.
    fn with(index: usize, header: &str) -> Option<OpeningHandshake> {
        let mut headers = HEADERS;
        headers[index] = header;
        handshake("GET /chat HTTP/1.1", &headers)
    }

    #[test]
    fn the_example_of_the_rfc_is_accepted() {
        let accepted = with(0, HEADERS[0]).map(|handshake| handshake.accept(b"A: b\r\n"));
        let expected = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
            Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nA: b\r\n\r\n";
        assert_eq!(accepted.as_deref(), Some(expected.as_bytes()));
        assert_eq!(OpeningHandshake::accept_len(b"A: b\r\n"), expected.len());
    }

    #[test]
    fn what_ws_takes_is_taken() {
        let all = [
            (1, "upgrade:  WebSocket "),
            (2, "connection: keep-alive, upgrade"),
            (3, "Sec-WebSocket-Key: +/AZaz09+/AZaz09+/AZaz=="),
            (4, "Sec-WebSocket-Version: 8"),
            (0, "Host: a\r\nContent-Length: 0"),
            (0, "Host: a\r\nSec-WebSocket-Extensions: permessage-deflate"),
        ];
        for (index, header) in all {
            assert!(with(index, header).is_some(), "{header}");
        }
    }

    #[test]
    fn what_ws_refuses_or_negotiates_is_not_taken() {
        let all = [
            (1, "A: b"),
            (1, "Upgrade: websocket, h2c"),
            (1, "Upgrade: websocket\r\nUpgrade: websocket"),
            (2, "A: b"),
            (2, "Connection: close"),
            (3, "A: b"),
            (3, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ="),
            (3, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=a"),
            (3, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j_Q=="),
            (3, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: a"),
            (4, "A: b"),
            (4, "Sec-WebSocket-Version: 7"),
            (4, "Sec-WebSocket-Version: 13.0"),
            (0, "Host: a\r\nContent-Length: 1"),
            (0, "Host: a\r\nTransfer-Encoding: chunked"),
            (0, "Host: a\r\nSec-WebSocket-Protocol: chat"),
        ];
        for (index, header) in all {
            assert_eq!(with(index, header), None, "{header}");
        }
        assert_eq!(handshake("POST /chat HTTP/1.1", &HEADERS), None);
    }
}
