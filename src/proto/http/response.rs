//! Responses to polling requests, as engine.io and Node.js write them.

use std::fmt::Write;

/// Names of days and months: RFC 9110 §5.6.7. 1970 began on a Thursday.
const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

const SECONDS_PER_DAY: u64 = 24 * 60 * 60;

/// The content of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content<'a> {
    /// The packets that a poll yields.
    Payload(&'a [u8]),
    /// The packets, compressed.
    Compressed(ContentCoding, &'a [u8]),
    /// The answer to a payload.
    Ok,
    /// 400, without content: requests overlap.
    BadRequest,
}

/// The compression of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentCoding {
    /// `gzip`.
    Gzip,
    /// `deflate`.
    Deflate,
}

/// The life of the connection after a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    /// It ends: the request has `Connection: close`.
    Close,
    /// It waits for another request, for this time in seconds; `None` for any time.
    KeepAlive(Option<u64>),
}

/// A response to a polling request. Headers have the order and spelling of a stock server.
#[derive(Clone, Copy, Debug)]
pub struct Response<'a> {
    /// The content, which determines the status.
    pub content: Content<'a>,
    /// Header lines in front of all others, each with CRLF: those of CORS.
    pub first_lines: &'a str,
    /// True for old versions of Internet Explorer.
    pub has_xss_protection: bool,
    /// Header lines that engine.io adds to its own, each with CRLF: a cookie.
    pub own_lines: &'a str,
    /// The time in seconds since 1970.
    pub time: u64,
    /// The life of the connection.
    pub persistence: Persistence,
}

impl Response<'_> {
    /// Returns head and content.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut head = String::with_capacity(256 + self.first_lines.len() + self.own_lines.len());
        head.push_str(match self.content {
            Content::BadRequest => "HTTP/1.1 400 Bad Request\r\n",
            _ => "HTTP/1.1 200 OK\r\n",
        });
        head.push_str(self.first_lines);
        self.write_own_headers(&mut head);
        self.write_general_headers(&mut head);
        let mut response = head.into_bytes();
        match self.content {
            Content::Payload(payload) => response.extend_from_slice(payload),
            Content::Compressed(_, payload) => encode_chunks(&mut response, payload),
            Content::Ok => response.extend_from_slice(b"ok"),
            Content::BadRequest => encode_chunks(&mut response, b""),
        }
        response
    }

    /// Writes the headers that engine.io sets.
    fn write_own_headers(&self, head: &mut String) {
        // Writing to a string does not fail.
        let _ = match self.content {
            Content::BadRequest => return,
            Content::Payload(payload) => {
                let length = payload.len();
                write!(
                    head,
                    "Content-Type: text/plain; charset=UTF-8\r\nContent-Length: {length}\r\n"
                )
            }
            Content::Compressed(coding, _) => {
                let coding = coding.as_str();
                write!(
                    head,
                    "Content-Type: text/plain; charset=UTF-8\r\nContent-Encoding: {coding}\r\n"
                )
            }
            Content::Ok => write!(head, "Content-Type: text/html\r\nContent-Length: 2\r\n"),
        };
        if self.has_xss_protection {
            head.push_str("X-XSS-Protection: 0\r\n");
        }
        head.push_str("cache-control: no-store\r\n");
        head.push_str(self.own_lines);
    }

    /// Writes the headers that Node.js adds, and the blank line.
    fn write_general_headers(&self, head: &mut String) {
        head.push_str("Date: ");
        write_date(head, self.time);
        head.push_str(match self.persistence {
            Persistence::Close => "\r\nConnection: close\r\n",
            Persistence::KeepAlive(_) => "\r\nConnection: keep-alive\r\n",
        });
        if let Persistence::KeepAlive(Some(timeout)) = self.persistence {
            let _ = write!(head, "Keep-Alive: timeout={timeout}\r\n");
        }
        if matches!(self.content, Content::Compressed(..) | Content::BadRequest) {
            head.push_str("Transfer-Encoding: chunked\r\n");
        }
        head.push_str("\r\n");
    }
}

impl ContentCoding {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        }
    }
}

/// Appends content with `Transfer-Encoding: chunked`.
fn encode_chunks(response: &mut Vec<u8>, content: &[u8]) {
    if !content.is_empty() {
        response.extend_from_slice(format!("{:x}\r\n", content.len()).as_bytes());
        response.extend_from_slice(content);
        response.extend_from_slice(b"\r\n");
    }
    response.extend_from_slice(b"0\r\n\r\n");
}

/// Writes a time as RFC 9110 §5.6.7 says.
fn write_date(text: &mut String, time: u64) {
    let (days, seconds) = (time / SECONDS_PER_DAY, time % SECONDS_PER_DAY);
    let (year, month, day) = date_of(days);
    let name = |names: &[&'static str], index: u64| {
        usize::try_from(index).ok().and_then(|index| names.get(index)).copied().unwrap_or_default()
    };
    let (week_day, month) = (name(&DAYS, days % 7), name(&MONTHS, month));
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let _ = write!(
        text,
        "{week_day}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT"
    );
}

/// Returns year, month (from 0) and day (from 1) of a number of days since 1970.
fn date_of(days: u64) -> (u64, u64, u64) {
    // Years begin in March, so that a leap day is the last of its year; eras of 400 years have the
    // same days. 719,468 days lie between March of the year 0 and 1970.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12;
    (400 * era + year_of_era + u64::from(month < 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::{Content, ContentCoding, Persistence, Response, write_date};

    const PLAIN: Response<'_> = Response {
        content: Content::Payload(b"6"),
        first_lines: "",
        has_xss_protection: false,
        own_lines: "",
        time: 1_795_965_036,
        persistence: Persistence::KeepAlive(Some(5)),
    };

    fn text(response: &Response<'_>) -> String {
        String::from_utf8_lossy(&response.encode()).replace("\r\n", "\n")
    }

    fn date(time: u64) -> String {
        let mut text = String::new();
        write_date(&mut text, time);
        text
    }

    #[test]
    fn a_payload_has_the_headers_of_a_stock_server() {
        let expected = "HTTP/1.1 200 OK\nContent-Type: text/plain; charset=UTF-8\nContent-Length: 1\n\
            cache-control: no-store\nDate: Sun, 29 Nov 2026 15:10:36 GMT\nConnection: keep-alive\n\
            Keep-Alive: timeout=5\n\n6";
        assert_eq!(text(&PLAIN), expected);
    }

    #[test]
    fn further_headers_have_their_places() {
        let response = Response {
            first_lines: "Access-Control-Allow-Origin: *\r\n",
            own_lines: "Set-Cookie: io=a\r\n",
            has_xss_protection: true,
            persistence: Persistence::Close,
            ..PLAIN
        };
        let expected = "HTTP/1.1 200 OK\nAccess-Control-Allow-Origin: *\n\
            Content-Type: text/plain; charset=UTF-8\nContent-Length: 1\nX-XSS-Protection: 0\n\
            cache-control: no-store\nSet-Cookie: io=a\nDate: Sun, 29 Nov 2026 15:10:36 GMT\n\
            Connection: close\n\n6";
        assert_eq!(text(&response), expected);
    }

    #[test]
    fn a_compressed_payload_is_chunked() {
        let content = Content::Compressed(ContentCoding::Gzip, b"0123456789abcdef");
        let expected = "HTTP/1.1 200 OK\nContent-Type: text/plain; charset=UTF-8\nContent-Encoding: gzip\n\
            cache-control: no-store\nDate: Sun, 29 Nov 2026 15:10:36 GMT\nConnection: keep-alive\n\
            Transfer-Encoding: chunked\n\n10\n0123456789abcdef\n0\n\n";
        let persistence = Persistence::KeepAlive(None);
        assert_eq!(text(&Response { content, persistence, ..PLAIN }), expected);
    }

    #[test]
    fn other_contents_have_theirs() {
        let expected = "HTTP/1.1 200 OK\nContent-Type: text/html\nContent-Length: 2\n\
            cache-control: no-store\nDate: Sun, 29 Nov 2026 15:10:36 GMT\nConnection: keep-alive\n\
            Keep-Alive: timeout=5\n\nok";
        assert_eq!(text(&Response { content: Content::Ok, ..PLAIN }), expected);
        let expected = "HTTP/1.1 400 Bad Request\nDate: Sun, 29 Nov 2026 15:10:36 GMT\n\
            Connection: keep-alive\nKeep-Alive: timeout=5\nTransfer-Encoding: chunked\n\n0\n\n";
        assert_eq!(text(&Response { content: Content::BadRequest, ..PLAIN }), expected);
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (time, expected) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT"),
            (1_735_689_599, "Tue, 31 Dec 2024 23:59:59 GMT"),
            (1_735_689_600, "Wed, 01 Jan 2025 00:00:00 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        ] {
            assert_eq!(date(time), expected);
        }
    }
}
