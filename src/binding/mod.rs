//! The Node-API surface: converts arguments and results, and decides nothing. Everything here runs
//! on the thread of its JavaScript environment, except `Wake::call`.

// In test builds napi-derive registers nothing, so nothing here is called.
#![cfg_attr(test, allow(dead_code))]

#[cfg(all(feature = "net", unix))]
mod adapter;
#[cfg(all(feature = "net", unix))]
mod addresses;
#[cfg(all(feature = "cluster", unix))]
mod cluster;
#[cfg(all(feature = "net", unix))]
mod direct;
#[cfg(all(feature = "net", unix))]
mod events;
#[cfg(all(feature = "net", unix))]
mod listeners;
mod parser;
#[cfg(all(feature = "net", unix))]
mod payload;
#[cfg(all(feature = "net", unix))]
mod polling;
mod string;
#[cfg(all(feature = "net", unix))]
mod tls;
#[cfg(all(feature = "net", unix))]
mod wake;
#[cfg(all(feature = "net", unix))]
mod workers;

/// Returns the version of this addon, which must equal that of the JavaScript package.
#[napi_derive::napi(catch_unwind)]
pub fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}
