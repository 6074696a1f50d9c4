//! The kinds of requests that are Engine.IO's.

use std::borrow::Cow;
use std::rc::Rc;

use super::handshake::HandshakeTransport;
use super::session_request::SessionRequest;
use crate::net::polling::{Exchange, PollingOptions};
use crate::proto::http::{BodyFraming, Method, Query, RequestHead, Values};

/// The media type for which engine.io refuses payloads.
const BINARY: &[u8] = b"application/octet-stream";

/// The target of a request for Engine.IO v4, on a path of the listener.
#[derive(Debug)]
pub(super) struct EngineTarget<'a> {
    /// The position of the path among those of the listener.
    pub(super) path: usize,
    pub(super) transport: HandshakeTransport,
    sid: Option<Cow<'a, str>>,
}

impl<'a> EngineTarget<'a> {
    /// Returns `None` for requests that the application has to judge.
    pub(super) fn of(head: &RequestHead<'a>, paths: &[String]) -> Option<Self> {
        let path = paths.iter().position(|path| path == head.path())?;
        let Query { protocol, transport, sid, callback, base64 } = Query::parse(head.query());
        let is_absent =
            |value: &Option<Cow<'_, str>>| value.as_ref().is_none_or(|value| value.is_empty());
        let transport = match transport.as_deref()? {
            "websocket" => HandshakeTransport::WebSocket,
            // Else the answer is a script.
            "polling" if callback.is_none() => HandshakeTransport::Polling,
            _ => return None,
        };
        // With b64, binary messages would be base64 in text messages.
        let is_plain = protocol.as_deref() == Some("4") && is_absent(&base64);
        let sid = sid.filter(|sid| !sid.is_empty());
        is_plain.then_some(Self { path, transport, sid })
    }

    /// Returns the id of the session; `None` if the request opens one.
    pub(super) fn sid(&self) -> Option<&str> {
        self.sid.as_deref()
    }

    /// Returns whether the request is one that waits for packets.
    pub(super) fn is_poll(&self, head: &RequestHead<'_>) -> bool {
        self.transport == HandshakeTransport::Polling && head.method() == Method::Get
    }

    /// Returns the request that opens a session with long-polling.
    pub(super) fn opening(
        &self,
        head: &RequestHead<'_>,
        keep_alive: Option<u64>,
    ) -> Option<Rc<Exchange>> {
        let is_opening = self.sid.is_none() && self.is_plain_polling(head);
        (is_opening && is_without_body(head)).then(|| Rc::new(Exchange::new(head, keep_alive)))
    }

    /// Returns the request to a polling session; `None` if engine.io refuses it, or treats it in
    /// another way.
    pub(super) fn request(
        &self,
        head: &RequestHead<'_>,
        length: usize,
        session: &PollingOptions,
        keep_alive: Option<u64>,
    ) -> Option<SessionRequest> {
        if !self.is_plain_polling(head) || !session.has_lines_for(head.values("origin")) {
            return None;
        }
        let payload = match (head.method(), head.body()) {
            (Method::Get, BodyFraming::Length(0)) => None,
            (Method::Post, BodyFraming::Length(length)) => {
                let length =
                    usize::try_from(length).ok().filter(|length| *length <= session.max_payload);
                Some(length.filter(|_| is_text(head))?)
            }
            _ => return None,
        };
        Some(SessionRequest {
            exchange: Rc::new(Exchange::new(head, keep_alive)),
            head: length,
            payload,
        })
    }

    fn is_plain_polling(&self, head: &RequestHead<'_>) -> bool {
        self.transport == HandshakeTransport::Polling && head.values("upgrade") == Values::Absent
    }
}

fn is_without_body(head: &RequestHead<'_>) -> bool {
    head.method() == Method::Get && head.body() == BodyFraming::Length(0)
}

fn is_text(head: &RequestHead<'_>) -> bool {
    match head.values("content-type") {
        Values::Absent => true,
        Values::Single(media_type) => media_type != BINARY,
        Values::Repeated => false,
    }
}
