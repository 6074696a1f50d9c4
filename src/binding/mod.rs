//! The Node-API surface. Conversions only: every decision is taken in the
//! modules below or in `lib/`.

// In test builds napi-derive registers nothing, so nothing here is called.
#![cfg_attr(test, allow(dead_code))]

#[cfg(all(feature = "net", unix))]
mod adapter;
#[cfg(all(feature = "cluster", unix))]
mod cluster;
#[cfg(all(feature = "net", unix))]
mod events;
mod parser;
#[cfg(all(feature = "net", unix))]
mod payload;
mod string;
#[cfg(all(feature = "net", unix))]
mod wake;
#[cfg(all(feature = "net", unix))]
mod workers;

/// The version that this was built as, which has to be that of the JavaScript around it.
#[napi_derive::napi(catch_unwind)]
pub fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}
