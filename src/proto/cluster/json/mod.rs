//! JSON: its tokens, numbers and strings.

pub(crate) mod number;
mod token;

pub(crate) use token::{Token, Tokens, count_children, decode_text};
