//! The Node-API surface. Conversions only: every decision is taken in the
//! modules below or in `lib/`.

// In test builds napi-derive registers nothing, so nothing here is called.
#![cfg_attr(test, allow(dead_code))]

#[cfg(unix)]
mod adapter;
#[cfg(unix)]
mod engine;
#[cfg(unix)]
mod events;
mod parser;
#[cfg(unix)]
mod payload;
mod string;
