//! Reads the head of a request as a whole and in two pieces, and the parameters of its target. A head
//! that is complete must have been incomplete or complete before, and end with a blank line.

#![no_main]

use libfuzzer_sys::fuzz_target;
use socket_io_turbo::proto::http::{HeadRead, Query, read_head};

fuzz_target!(|input: &[u8]| {
    let [cut, input @ ..] = input else { return };
    let HeadRead::Complete(head, length) = read_head(input) else { return };
    assert!(input[..length].ends_with(b"\r\n\r\n"));
    assert!(head.target().starts_with('/') && head.path().len() <= head.target().len());
    for (name, value) in head.headers() {
        assert!(!name.is_empty() && !name.contains(['\r', '\n', ':', ' ']));
        assert!(!value.iter().any(|byte| matches!(byte, 0..=8 | 10..32 | 127)));
    }
    let _ = Query::parse(head.query());
    let cut = usize::from(*cut).min(length - 1);
    assert!(matches!(read_head(&input[..cut]), HeadRead::Incomplete));
});
