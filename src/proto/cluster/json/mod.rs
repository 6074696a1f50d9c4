//! JSON, token by token, and its numbers and texts.

pub(crate) mod number;
mod token;

pub(crate) use token::{Token, Tokens, count_children, decode_text};
