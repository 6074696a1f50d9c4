//! JSON string literals in UTF-16.
