//! Heads of requests against a plain model of the grammar.

use proptest::prelude::*;
use socket_io_turbo::proto::http::{HeadRead, Method, read_head};

/// RFC 9110 §5.6.2: characters of a token.
const TOKEN: &str = "[A-Za-z0-9!#$%&'*+.^_`|~-]{1,12}";
const TARGET: &str = "/([!-\"$-.0-\\[\\]-~][!-\"$-~]{0,20})?";
const VALUE: &str = "([!-~\u{e9}]([ -~\t\u{e9}]{0,20}[!-~])?)?";

type Header = (String, String);
/// A name and a value as bytes.
type RawHeader = (Vec<u8>, Vec<u8>);

fn has_a_meaning(name: &str) -> bool {
    const NAMES: [&str; 5] =
        ["host", "expect", "proxy-connection", "content-length", "transfer-encoding"];
    NAMES.iter().any(|it| it.eq_ignore_ascii_case(name))
}

fn head(method: &str, target: &str, headers: &[Header]) -> String {
    let lines: String =
        headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("{method} {target} HTTP/1.1\r\nHost: a\r\n{lines}\r\n")
}

/// Splits a head at its separators, and returns nothing if a part has a character that it must not
/// have.
fn model(head: &[u8]) -> Option<(Vec<u8>, Vec<RawHeader>)> {
    let mut lines = head.strip_suffix(b"\r\n\r\n")?.split(|byte| *byte == b'\n');
    let first = lines.next()?;
    let target = first.strip_suffix(b"\r").unwrap_or(first).strip_suffix(b" HTTP/1.1")?;
    let target = target.strip_prefix(b"GET ").or_else(|| target.strip_prefix(b"POST "))?;
    let headers: Option<Vec<_>> = lines
        .map(|line| {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let colon = line.iter().position(|byte| *byte == b':')?;
            let (name, value) = (&line[..colon], &line[colon + 1..]);
            let is_token = |it: &u8| it.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(it);
            let is_text = |it: &u8| matches!(it, b'\t' | b' '..=b'~' | 0x80..);
            let is_header =
                !name.is_empty() && name.iter().all(is_token) && value.iter().all(is_text);
            is_header.then(|| (name.to_vec(), value.trim_ascii().to_vec()))
        })
        .collect();
    target.iter().all(|it| matches!(it, b'!'..=b'~')).then_some((target.to_vec(), headers?))
}

proptest! {
    #[test]
    fn what_is_plain_is_read(
        is_post in any::<bool>(),
        target in TARGET,
        headers in prop::collection::vec((TOKEN, VALUE), 0..8),
        body in prop::collection::vec(any::<u8>(), 0..8),
    ) {
        let headers: Vec<Header> = headers.into_iter().filter(|it| !has_a_meaning(&it.0)).collect();
        let head = head(if is_post { "POST" } else { "GET" }, &target, &headers);
        for end in 0..head.len() {
            prop_assert!(matches!(read_head(&head.as_bytes()[..end]), HeadRead::Incomplete));
        }
        let input = [head.as_bytes(), &body].concat();
        let HeadRead::Complete(read, length) = read_head(&input) else {
            return Err(TestCaseError::fail("not complete"));
        };
        prop_assert_eq!(length, head.len());
        prop_assert_eq!(read.method(), if is_post { Method::Post } else { Method::Get });
        prop_assert_eq!(read.target(), &target);
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        prop_assert_eq!((read.path(), read.query()), (path, query));
        let read: Vec<_> = read.headers().skip(1).collect();
        let expected: Vec<_> = headers.iter().map(|it| (&*it.0, it.1.as_bytes())).collect();
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn what_is_read_of_an_edited_head_is_what_the_grammar_says(
        target in TARGET,
        headers in prop::collection::vec((TOKEN, VALUE), 0..4),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..3, prop::sample::select(
            b"\r\n\r\n\r\n :\t\0\x01\x7f\x80\xff,;AHT/1?#\\".to_vec())), 1..4),
    ) {
        let mut input = head("GET", &target, &headers).into_bytes();
        for (index, kind, byte) in edits {
            let at = index.index(input.len());
            match kind {
                0 => input[at] = byte,
                1 => input.insert(at, byte),
                _ => drop(input.remove(at)),
            }
        }
        if let HeadRead::Complete(read, length) = read_head(&input) {
            let (target, headers) = model(&input[..length]).expect("the grammar takes it, too");
            prop_assert_eq!(read.target().as_bytes(), target);
            let read: Vec<_> =
                read.headers().map(|it| (it.0.as_bytes().to_vec(), it.1.to_vec())).collect();
            prop_assert_eq!(read, headers);
        }
    }

    #[test]
    fn any_input_is_read(input in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read_head(&input);
        let _ = read_head(&[&b"GET / HTTP/1.1\r\nHost: a\r\n"[..], &input].concat());
    }
}
