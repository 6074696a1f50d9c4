//! What the behaviour tests share.

pub mod counting_allocator;
