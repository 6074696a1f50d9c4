//! A request of a session whose response is being made.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::task::Waker;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use crate::proto::http::{Content, ContentCoding, Persistence, RequestHead, Response};

/// Old versions of Internet Explorer, to which engine.io sends a header more.
const OLD_EXPLORER: [&[u8]; 2] = [b";MSIE", b"Trident/"];

/// A request, between the HTTP connection that has read it and the session that answers.
///
/// Both hold it on the same thread. The session calls [`respond`](Self::respond) once; the connection's
/// task is woken, and takes the bytes.
pub(in crate::net) struct Exchange {
    /// Set if the application has the request; it gets the payload, and responds itself.
    report: Option<Box<dyn Fn(Bytes)>>,
    coding: Option<ContentCoding>,
    has_xss_protection: bool,
    persistence: Persistence,
    response: RefCell<Option<Vec<u8>>>,
    is_aborted: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").finish_non_exhaustive()
    }
}

impl Exchange {
    /// Keeps the facts that the response depends on. The connection waits for more requests for
    /// `keep_alive` seconds, if the client wants it.
    pub(in crate::net) fn new(head: &RequestHead<'_>, keep_alive: Option<u64>) -> Self {
        let is_last = head.has_list_element("connection", "close");
        let agent = head.values("user-agent").single().unwrap_or_default();
        Self {
            report: None,
            coding: accepted_coding(head),
            has_xss_protection: OLD_EXPLORER
                .iter()
                .any(|name| memchr::memmem::find(agent, name).is_some()),
            persistence: if is_last {
                Persistence::Close
            } else {
                Persistence::KeepAlive(keep_alive)
            },
            response: RefCell::default(),
            is_aborted: Cell::default(),
            waker: RefCell::default(),
        }
    }

    /// Creates an exchange for a request that the application has. `report` gets the payload.
    pub(in crate::net) fn of_application(report: impl Fn(Bytes) + 'static) -> Self {
        Self {
            report: Some(Box::new(report)),
            coding: None,
            has_xss_protection: false,
            persistence: Persistence::Close,
            response: RefCell::default(),
            is_aborted: Cell::default(),
            waker: RefCell::default(),
        }
    }

    pub(super) const fn is_of_application(&self) -> bool {
        self.report.is_some()
    }

    /// Gives a payload to the application. Returns it back if the request is not the application's.
    pub(super) fn respond_to_application(&self, payload: Vec<u8>) -> Option<Vec<u8>> {
        let Some(report) = &self.report else { return Some(payload) };
        report(payload.into());
        None
    }

    /// Returns the compression that the client takes and prefers.
    pub(super) const fn coding(&self) -> Option<ContentCoding> {
        self.coding
    }

    /// Answers the request.
    pub(in crate::net) fn respond(&self, content: Content<'_>, first_lines: &str, own_lines: &str) {
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let response = Response {
            content,
            first_lines,
            has_xss_protection: self.has_xss_protection,
            own_lines,
            time,
            persistence: self.persistence,
        };
        *self.response.borrow_mut() = Some(response.encode());
        self.waker.take().into_iter().for_each(Waker::wake);
    }

    /// Returns the bytes of the response once there are some; else wakes the caller then.
    pub(in crate::net) fn poll_response(&self, waker: &Waker) -> Option<Vec<u8>> {
        let response = self.response.take();
        if response.is_none() {
            *self.waker.borrow_mut() = Some(waker.clone());
        }
        response
    }

    /// Ends the connection, whose request is incomplete.
    pub(super) fn abort(&self) {
        self.is_aborted.set(true);
        self.waker.take().into_iter().for_each(Waker::wake);
    }

    /// Returns whether the connection must end before its request is complete; else wakes the caller then.
    pub(in crate::net) fn poll_abort(&self, waker: &Waker) -> bool {
        *self.waker.borrow_mut() = Some(waker.clone());
        self.is_aborted.get()
    }

    /// Returns whether the connection ends after the response.
    pub(in crate::net) fn is_last(&self) -> bool {
        self.persistence == Persistence::Close
    }
}

/// The preference of a client for a coding.
#[derive(Clone, Copy)]
struct Preference {
    /// Its weight.
    quality: f64,
    /// False if the client names all codings.
    is_named: bool,
    /// Its place in the header.
    position: usize,
}

/// Returns the coding that the client prefers, as the package `accepts` finds it, which engine.io asks.
fn accepted_coding(head: &RequestHead<'_>) -> Option<ContentCoding> {
    let accepted = head.values("accept-encoding").single()?;
    let [gzip, deflate] = [&b"gzip"[..], b"deflate"].map(|name| preference(accepted, name));
    let is_less = |gzip: Preference, deflate: Preference| {
        let order = deflate.quality.total_cmp(&gzip.quality);
        let order = order.then(deflate.is_named.cmp(&gzip.is_named));
        order.then(gzip.position.cmp(&deflate.position)).is_gt()
    };
    match (gzip, deflate) {
        (Some(gzip), Some(deflate)) if is_less(gzip, deflate) => Some(ContentCoding::Deflate),
        (Some(_), _) => Some(ContentCoding::Gzip),
        (None, deflate) => deflate.map(|_| ContentCoding::Deflate),
    }
}

/// Returns the preference for a coding; `None` if the client does not take it.
fn preference(accepted: &[u8], name: &[u8]) -> Option<Preference> {
    let preferences = accepted.split(|byte| *byte == b',').enumerate();
    let preferences = preferences.filter_map(|(position, coding)| {
        let mut parts = coding.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let coding = parts.next()?;
        let is_named = coding.eq_ignore_ascii_case(name);
        let quality = parts.find_map(|part| part.strip_prefix(b"q=")).map_or(1.0, weight);
        (is_named || coding == b"*").then_some(Preference { quality, is_named, position })
    });
    let order = |left: &Preference, right: &Preference| {
        let order = left.is_named.cmp(&right.is_named);
        let order = order.then(left.quality.total_cmp(&right.quality));
        order.then(left.position.cmp(&right.position))
    };
    preferences.max_by(order).filter(|preference| preference.quality > 0.0)
}

/// Returns 0 for what is no weight, so that the coding is not used.
fn weight(text: &[u8]) -> f64 {
    str::from_utf8(text).ok().and_then(|text| text.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::Exchange;
    use crate::proto::http::{Content, ContentCoding, HeadRead, read_head};
    use std::task::Waker;

    fn exchange(line: &str) -> Exchange {
        let head = format!("GET /a HTTP/1.1\r\nHost: a\r\n{line}\r\n\r\n");
        match read_head(head.as_bytes()) {
            HeadRead::Complete(head, _) => Exchange::new(&head, Some(5)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_coding_is_the_one_that_the_client_prefers() {
        for (accepted, coding) in [
            ("gzip, deflate, br", Some(ContentCoding::Gzip)),
            ("br, deflate , gzip", Some(ContentCoding::Deflate)),
            ("GZIP", Some(ContentCoding::Gzip)),
            ("gzip;q=0, deflate", Some(ContentCoding::Deflate)),
            ("gzip;q=0.5, deflate;q=0.8", Some(ContentCoding::Deflate)),
            ("deflate;q=0.5, gzip;level=1;q=0.5", Some(ContentCoding::Deflate)),
            ("*", Some(ContentCoding::Gzip)),
            ("*, deflate", Some(ContentCoding::Deflate)),
            ("*;q=0.5, gzip;q=0", Some(ContentCoding::Deflate)),
            ("gzip;q=x", None),
            ("gzip deflate", None),
            ("br", None),
            ("", None),
        ] {
            assert_eq!(
                exchange(&format!("Accept-Encoding: {accepted}")).coding(),
                coding,
                "{accepted}"
            );
        }
        assert_eq!(exchange("A: b").coding(), None);
    }

    #[test]
    fn the_response_suits_the_request() {
        for (line, is_last, expected) in [
            ("Connection: close", true, "Connection: close"),
            ("Connection: keep-alive", false, "Keep-Alive: timeout=5"),
            ("User-Agent: a;MSIE 9", false, "X-XSS-Protection: 0"),
            ("User-Agent: a Trident/7", false, "X-XSS-Protection: 0"),
        ] {
            let exchange = exchange(line);
            assert_eq!(exchange.is_last(), is_last);
            assert!(exchange.poll_response(Waker::noop()).is_none());
            exchange.respond(Content::Ok, "", "");
            let response = exchange.poll_response(Waker::noop()).unwrap_or_default();
            let response = String::from_utf8_lossy(&response).into_owned();
            assert!(response.contains(&format!("\r\n{expected}\r\n")), "{response}");
            assert!(exchange.poll_response(Waker::noop()).is_none());
        }
    }
}
