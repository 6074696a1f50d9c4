//! What `lib/parser.js` calls.

use napi_derive::napi;

use super::string::{StringArgument, StringResult};
use crate::proto::json_string;

/// The JSON literal of `text`, as `JSON.stringify(text)` writes it; `null` if
/// nothing in it needs an escape.
#[napi(catch_unwind, ts_args_type = "text: string", ts_return_type = "string | null")]
pub fn quote(text: StringArgument) -> Option<StringResult> {
    json_string::quote(text.units()).map(StringResult)
}

/// Takes string values of at least `minUnits` UTF-16 code units out of a JSON
/// text: `[reduced text, value 0, value 1, …]`, where `"<marker><index>"`
/// stands in the reduced text for each value; `null` if there are none.
#[napi(
    catch_unwind,
    ts_args_type = "json: string, minUnits: number, marker: string",
    ts_return_type = "string[] | null"
)]
pub fn extract_long_literals(
    json: StringArgument,
    min_units: u32,
    marker: String,
) -> Option<Vec<StringResult>> {
    let found = json_string::extract_long_literals(json.units(), min_units as usize, &marker)?;
    Some(std::iter::once(found.reduced).chain(found.values).map(StringResult).collect())
}
