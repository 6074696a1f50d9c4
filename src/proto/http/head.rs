//! Heads of requests.

use httparse::{EMPTY_HEADER, Request, Status};

/// More headers are left to Node.js. Browsers send some 20.
const MAX_HEADERS: usize = 100;

/// Headers whose effect on the request is left to Node.js: an answer before the body, and one that
/// its parser treats as `Connection`.
const UNSUPPORTED_HEADERS: [&str; 2] = ["expect", "proxy-connection"];

/// The largest body length that is taken, in digits: everything is a number that Node.js has, too.
const MAX_LENGTH_DIGITS: usize = 15;

/// Result of [`read_head()`]: the beginning of the input.
#[derive(Debug)]
pub enum HeadRead<'a> {
    /// Nothing wrong in its lines so far, and no end.
    Incomplete,
    /// A head, and its length in bytes with the blank line.
    Complete(RequestHead<'a>, usize),
    /// Something that Node.js refuses, takes for something else, or that is not Engine.IO's.
    NotCertain,
}

/// The method of a request. Engine.IO has no others, except those of CORS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Opens a session, polls, or begins a WebSocket.
    Get,
    /// Sends a payload.
    Post,
}

/// The extent of a request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFraming {
    /// That many bytes; zero without `Content-Length` and `Transfer-Encoding`.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
}

/// The values of a header in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values<'a> {
    /// The request does not have the header.
    Absent,
    /// It has it once. White space around the value is removed.
    Single(&'a [u8]),
    /// It has it several times. What Node.js makes of that depends on the header.
    Repeated,
}

impl<'a> Values<'a> {
    /// Returns the value of a header that the request has once.
    #[must_use]
    pub const fn single(self) -> Option<&'a [u8]> {
        match self {
            Self::Single(value) => Some(value),
            Self::Absent | Self::Repeated => None,
        }
    }
}

/// The head of a request of HTTP/1.1 with exactly one `Host`, as it arrived.
#[derive(Debug)]
pub struct RequestHead<'a> {
    method: Method,
    target: &'a str,
    headers: Vec<(&'a str, &'a [u8])>,
    body: BodyFraming,
}

/// Reads the head of a request from the beginning of `input`, which may go on behind it.
///
/// To be called again with more input after [`HeadRead::Incomplete`]; the caller limits the length.
///
/// ```
/// use socket_io_turbo::proto::http::{HeadRead, read_head};
///
/// let head = b"GET /socket.io/?EIO=4 HTTP/1.1\r\nHost: localhost\r\n\r\n";
/// assert!(matches!(read_head(head), HeadRead::Complete(_, 51)));
/// assert!(matches!(read_head(b"GET /socket"), HeadRead::Incomplete));
/// assert!(matches!(read_head(b"GET /socket.io/\n"), HeadRead::NotCertain));
/// ```
#[must_use]
pub fn read_head(input: &[u8]) -> HeadRead<'_> {
    if !begins_like_engine_io(input) {
        return HeadRead::NotCertain;
    }
    let mut headers = [EMPTY_HEADER; MAX_HEADERS];
    let mut request = Request::new(&mut headers);
    match request.parse(input) {
        Ok(Status::Partial) if has_only_whole_line_ends(input) && may_go_on(&request) => {
            HeadRead::Incomplete
        }
        Ok(Status::Complete(length)) => input
            .get(..length)
            .filter(|head| has_only_whole_line_ends(head))
            .and_then(|_| RequestHead::new(&request))
            .map_or(HeadRead::NotCertain, |head| HeadRead::Complete(head, length)),
        Ok(Status::Partial) | Err(_) => HeadRead::NotCertain,
    }
}

impl<'a> RequestHead<'a> {
    /// Checks a complete head.
    fn new(request: &Request<'_, 'a>) -> Option<Self> {
        // RFC 9112 §3.2: Node.js refuses a request without Host.
        Self::begun(request).filter(|head| head.values("host").single().is_some())
    }

    /// Checks the result of httparse, which accepts more than Node.js: the request line and the headers
    /// that it has found. No header that comes later makes up for what is wrong with them.
    fn begun(request: &Request<'_, 'a>) -> Option<Self> {
        let method = match request.method? {
            "GET" => Method::Get,
            "POST" => Method::Post,
            _ => return None,
        };
        let target = request.path.filter(|target| is_plain_target(target))?;
        if request.version != Some(1) {
            return None;
        }
        // In an incomplete head, those that are still to come have no names.
        let found = request.headers.iter().take_while(|it| !it.name.is_empty());
        let headers = found.map(|it| (it.name, trim(it.value))).collect();
        let mut head = Self { method, target, headers, body: BodyFraming::Length(0) };
        head.body = head.read_framing()?;
        let is_supported =
            || UNSUPPORTED_HEADERS.iter().all(|name| head.values(name) == Values::Absent);
        (head.values("host") != Values::Repeated && is_supported()).then_some(head)
    }

    /// Returns the method.
    #[must_use]
    pub const fn method(&self) -> Method {
        self.method
    }

    /// Returns path and query as they were sent: `req.url` of Node.js.
    #[must_use]
    pub const fn target(&self) -> &'a str {
        self.target
    }

    /// Returns the part of the target in front of the first `?`.
    #[must_use]
    pub fn path(&self) -> &'a str {
        self.target.split_once('?').map_or(self.target, |(path, _)| path)
    }

    /// Returns the part of the target behind the first `?`, or the empty string.
    #[must_use]
    pub fn query(&self) -> &'a str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// Returns the extent of the body.
    #[must_use]
    pub const fn body(&self) -> BodyFraming {
        self.body
    }

    /// Returns the names of all headers as they were sent, and their values, in order.
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        self.headers.iter().copied()
    }

    /// Returns the value of a header, if the request has it once. Case does not matter.
    #[must_use]
    pub fn values(&self, name: &str) -> Values<'a> {
        let mut values = self.each_value(name);
        match (values.next(), values.next()) {
            (None, _) => Values::Absent,
            (Some(value), None) => Values::Single(value),
            (Some(_), Some(_)) => Values::Repeated,
        }
    }

    /// Returns whether the headers of that name, which are lists with commas, have an element.
    /// Case matters neither in the name nor in the element.
    #[must_use]
    pub fn has_list_element(&self, name: &str, element: &str) -> bool {
        self.each_value(name)
            .flat_map(|value| value.split(|byte| *byte == b','))
            .any(|it| trim(it).eq_ignore_ascii_case(element.as_bytes()))
    }

    fn each_value(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.headers.iter().filter(move |it| it.0.eq_ignore_ascii_case(name)).map(|it| it.1)
    }

    /// Returns the extent of the body, unless it could be understood in two ways.
    fn read_framing(&self) -> Option<BodyFraming> {
        match (self.values("content-length"), self.values("transfer-encoding")) {
            (Values::Absent, Values::Absent) => Some(BodyFraming::Length(0)),
            (Values::Single(length), Values::Absent) => read_length(length),
            // RFC 9112 §6.1: codings are case-insensitive. Others than this one are not supported.
            (Values::Absent, Values::Single(coding)) => {
                coding.eq_ignore_ascii_case(b"chunked").then_some(BodyFraming::Chunked)
            }
            _ => None,
        }
    }
}

/// Returns whether input may be a request that is not passed to Node.js in any case. This is known
/// before its head is complete.
fn begins_like_engine_io(input: &[u8]) -> bool {
    [&b"GET /"[..], b"POST /"].iter().any(|beginning| {
        let length = beginning.len().min(input.len());
        input.get(..length) == beginning.get(..length)
    })
}

/// Returns whether an incomplete head is sound so far. Node.js refuses others without waiting for their
/// end, some of them at once.
fn may_go_on(request: &Request<'_, '_>) -> bool {
    // The request line is read up to the version, or that is still to come.
    request.version.is_none() || RequestHead::begun(request).is_some()
}

/// Returns whether CR and LF only occur as pairs; a CR at the end may still become one.
///
/// RFC 9112 §2.2 lets a server take a bare LF. Node.js does not.
fn has_only_whole_line_ends(head: &[u8]) -> bool {
    let mut line_feeds = memchr::memchr_iter(b'\n', head);
    let mut pairs = 0_usize;
    let are_paired = line_feeds.all(|at| {
        pairs += 1;
        at.checked_sub(1).and_then(|before| head.get(before)) == Some(&b'\r')
    });
    // Each LF has a CR; as many more are bare.
    let returns = memchr::memchr_iter(b'\r', head).count();
    are_paired && returns == pairs + usize::from(head.last() == Some(&b'\r'))
}

/// Returns whether Node.js reports a target as it is, and the WHATWG's parser of URLs finds path and
/// query in it where it is split here.
fn is_plain_target(target: &str) -> bool {
    let is_path = !matches!(target.as_bytes(), [b'/', b'/' | b'\\', ..]);
    is_path && target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
}

fn read_length(digits: &[u8]) -> Option<BodyFraming> {
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    if !is_number || digits.len() > MAX_LENGTH_DIGITS {
        return None;
    }
    let value = digits.iter().fold(0, |value, digit| value * 10 + u64::from(digit - b'0'));
    Some(BodyFraming::Length(value))
}

/// Removes optional white space: RFC 9110 §5.6.3.
fn trim(value: &[u8]) -> &[u8] {
    let is_text = |byte: &u8| !matches!(byte, b' ' | b'\t');
    let start = value.iter().position(is_text).unwrap_or(value.len());
    let end = value.iter().rposition(is_text).map_or(start, |last| last + 1);
    value.get(start..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{BodyFraming, HeadRead, Method, RequestHead, Values, read_head};

    fn request(first: &str, headers: &[&str]) -> String {
        let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        format!("{first}\r\nHost: localhost\r\n{headers}\r\n")
    }

    #[track_caller]
    fn complete(input: &str) -> RequestHead<'_> {
        match read_head(input.as_bytes()) {
            HeadRead::Complete(head, length) => {
                assert_eq!(&input[length - 4..length], "\r\n\r\n");
                head
            }
            other => panic!("{input:?}: {other:?}"),
        }
    }

    #[track_caller]
    fn refuse(input: impl AsRef<[u8]>) {
        let read = read_head(input.as_ref());
        assert!(
            matches!(read, HeadRead::NotCertain),
            "{:?}",
            input.as_ref().escape_ascii().to_string()
        );
    }

    fn with_headers(headers: &[&str]) -> String {
        request("POST /socket.io/?EIO=4 HTTP/1.1", headers)
    }

    #[test]
    fn a_head_has_all_its_parts() {
        let input = request("GET /socket.io/?EIO=4&a?b HTTP/1.1", &["X-Two:\t 2 \t", "x-two: b"]);
        let head = complete(&input);
        assert_eq!(head.method(), Method::Get);
        assert_eq!(head.target(), "/socket.io/?EIO=4&a?b");
        assert_eq!(head.path(), "/socket.io/");
        assert_eq!(head.query(), "EIO=4&a?b");
        assert_eq!(head.body(), BodyFraming::Length(0));
        let headers: Vec<_> = head.headers().collect();
        assert_eq!(headers, [("Host", &b"localhost"[..]), ("X-Two", b"2"), ("x-two", b"b")]);
    }

    #[test]
    fn a_head_ends_where_the_body_begins() {
        let head = request("POST /a HTTP/1.1", &["Content-Length: 2"]);
        let input = format!("{head}\n\r");
        assert!(
            matches!(read_head(input.as_bytes()), HeadRead::Complete(_, length) if length == head.len())
        );
        assert_eq!(complete(&input).query(), "");
    }

    #[test]
    fn a_beginning_is_incomplete() {
        let input = request("POST /socket.io/?EIO=4 HTTP/1.1", &["Content-Length: 3", "A: b c "]);
        for end in 0..input.len() {
            let read = read_head(&input.as_bytes()[..end]);
            assert!(matches!(read, HeadRead::Incomplete), "{:?}", &input[..end]);
        }
    }

    #[test]
    fn other_methods_targets_and_versions_are_not_certain() {
        for first in [
            "OPTIONS /a HTTP/1.1",
            "get /a HTTP/1.1",
            "GET /a HTTP/1.0",
            "GET /a HTTP/2.0",
            "GET http://localhost/a HTTP/1.1",
            "GET * HTTP/1.1",
            "GET //a HTTP/1.1",
            "GET /\\a HTTP/1.1",
            "GET /a#b HTTP/1.1",
            "GET /\u{e9} HTTP/1.1",
            "GET  /a HTTP/1.1",
            "GET /a  HTTP/1.1",
            "GET /a HTTP/1.1 ",
            "GET /a b HTTP/1.1",
            "GET /a\u{7f} HTTP/1.1",
            "GET /a",
            "\r\nGET /a HTTP/1.1",
        ] {
            refuse(request(first, &[]));
        }
        for beginning in ["O", "PRI", "PU", "\r", "\n", "\u{16}\u{3}", "GET h"] {
            refuse(beginning);
        }
    }

    #[test]
    fn headers_that_node_refuses_or_changes_are_not_certain() {
        for line in [
            "A : b",
            " A: b",
            "A",
            ": b",
            "A: b\0",
            "A: b\u{1}",
            "A: b\rc",
            "A: b\nC: d",
            "A\0: b",
            "(: b",
            "A: b\r\n c",
            "A: b\r\n\tc",
            "Host: again",
            "Expect: 100-continue",
            "Proxy-Connection: close",
        ] {
            refuse(with_headers(&[line]));
        }
        refuse("GET /a HTTP/1.1\r\nNo-Host: a\r\n\r\n");
        refuse("GET /a HTTP/1.1\nHost: a\n\n");
        refuse("GET /a HTTP/1.1\r\nHost: a\r\n\n");
        refuse("GET /a HTTP/1.1\nHost");
        refuse("GET /a HTTP/1.1\r\nHost: a\r\r");
    }

    #[test]
    fn a_wrong_line_is_found_before_the_end() {
        let first = "POST /a HTTP/1.1\r\n";
        for lines in [
            "Content-Length: -1\r\n",
            "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: gzip\r\nHost: a",
            "Host: a\r\nHost: a\r\n",
            "Expect: 100-continue\r\nA",
        ] {
            refuse(format!("{first}{lines}"));
        }
        refuse("GET /a#b HTTP/1.1\r\n");
        refuse("GET /a HTTP/1.0\r\nHost: a");
        for lines in ["Content-Length: -1", "Content-Length: -1\r", "No-Host: a\r\n"] {
            let head = format!("{first}{lines}");
            assert!(matches!(read_head(head.as_bytes()), HeadRead::Incomplete), "{lines}");
        }
    }

    #[test]
    fn a_body_has_one_extent() {
        for (line, framing) in [
            ("Content-Length: 0", BodyFraming::Length(0)),
            ("content-length: 00123 ", BodyFraming::Length(123)),
            ("Content-Length: 999999999999999", BodyFraming::Length(999_999_999_999_999)),
            ("Transfer-Encoding: Chunked", BodyFraming::Chunked),
        ] {
            assert_eq!(complete(&with_headers(&[line])).body(), framing, "{line}");
        }
        for lines in [
            &["Content-Length: 1", "Content-Length: 1"][..],
            &["Content-Length: 1", "Transfer-Encoding: chunked"],
            &["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
            &["Content-Length: 1, 1"],
            &["Content-Length:"],
            &["Content-Length: +1"],
            &["Content-Length: 0x1"],
            &["Content-Length: 1000000000000000"],
            &["Transfer-Encoding: gzip, chunked"],
            &["Transfer-Encoding: identity"],
            &["Transfer-Encoding:"],
        ] {
            refuse(with_headers(lines));
        }
    }

    #[test]
    fn a_hundred_headers_are_taken() {
        let lines = vec!["A: b"; 99];
        assert_eq!(complete(&with_headers(&lines)).headers().count(), 100);
        refuse(with_headers(&[&lines[..], &["A: b"]].concat()));
    }

    #[test]
    fn headers_are_found_by_name_and_element() {
        let lines =
            ["A: 1", "connection: keep-alive ,\tUPGRADE", "Connection: x", "B: \u{e9}", "C:"];
        let input = with_headers(&lines);
        let head = complete(&input);
        assert_eq!(head.values("a"), Values::Single(b"1"));
        assert_eq!(head.values("b").single(), Some("\u{e9}".as_bytes()));
        assert_eq!(head.values("C").single(), Some(&b""[..]));
        assert_eq!(head.values("Connection"), Values::Repeated);
        assert_eq!(head.values("Connection").single(), None);
        assert_eq!(head.values("d"), Values::Absent);
        for element in ["upgrade", "Keep-Alive", "x"] {
            assert!(head.has_list_element("connection", element), "{element}");
        }
        assert!(!head.has_list_element("connection", "keep"));
        assert!(!head.has_list_element("d", ""));
    }
}
