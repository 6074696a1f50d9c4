//! JSON string literals in the encodings of V8's strings: Latin-1 where every
//! character fits, else UTF-16, in which lone surrogates survive.
//!
//! V8 escapes and unescapes one code unit at a time. For long strings that is
//! most of the time of `JSON.stringify` and `JSON.parse`, so the parser takes
//! long strings out of a packet, has them converted here sixteen units at a
//! time, and leaves the small remainder to V8:
//!
//! - [`quote`]: a string to its literal, as `JSON.stringify` writes it.
//! - [`extract_long_literals`]: a JSON text to a shorter JSON text, in which a
//!   short marker stands for each long literal, and the values of those literals.

mod extract;
mod quote;
mod sink;
mod text;
mod unit;

pub use extract::{Extraction, extract_long_literals};
pub use quote::quote;
pub use text::Text;
