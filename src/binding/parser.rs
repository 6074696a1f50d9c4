//! Calls of `lib/parser/long-text.js`.

use napi_derive::napi;

use super::string::{StringArgument, StringResult};
use crate::proto::json_string;

/// Returns the JSON literal of `text`, as `JSON.stringify(text)` does; `null` if no character
/// needs an escape.
#[napi(catch_unwind, ts_args_type = "text: string", ts_return_type = "string | null")]
pub fn quote(text: StringArgument) -> Option<StringResult> {
    json_string::quote(text.units()).map(StringResult)
}
