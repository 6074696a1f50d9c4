//! Support of the behaviour tests.

pub mod counting_allocator;
