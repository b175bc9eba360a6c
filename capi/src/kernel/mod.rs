//! Primitives whose state the kernel holds, for C.

pub mod mapping;
pub mod signal;
pub mod socket;
