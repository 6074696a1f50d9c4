//! MessagePack: decodes messages into trees of values, turns these into JSON, and encodes JSON.

mod date;
mod object;
mod reader;
mod surrogates;
mod to_json;
mod tree;
mod value;
mod writer;

pub(crate) use reader::Reader;
pub(crate) use to_json::serialize;
pub(crate) use tree::Tree;
pub use tree::{MAX_DEPTH, is_well_formed};
pub(crate) use value::{Children, Value};
pub(crate) use writer::MessageWriter;
