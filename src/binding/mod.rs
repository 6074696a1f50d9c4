//! Node-API.
